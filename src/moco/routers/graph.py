"""The graph of GraphRouter (arXiv 2410.03834): query and model nodes, an edge from every query to every model.

Two layers of our own instead of torch-geometric: the graph is complete and bipartite and every edge points from query to model,
so a layer is two products of matrices, exact to the last digit of what `GeneralConv` (sum, no attention, one head) does; a
dependency of that size and its compiled parts would buy nothing. The formulas use operators only, so numpy and torch run the
same lines: torch where gradients are wanted, numpy where a question is answered.

Since no edge enters a query, a new question attaches to the learned structure by its own features alone: its scores are one
product with the model vectors, whatever else is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import expit

Array = Any
"""A numpy array or a torch tensor."""
Params = Mapping[str, Array]
EPSILON, MOMENTUM = 1e-5, 0.1
"""Of batch normalisation."""
FEATURES = 3
"""Of an edge: weighted effect, cost, effect."""


def begin(rng: np.random.Generator, task: int, query: int, model: int, hidden: int) -> dict[str, Array]:
    """Weights to begin with, as torch draws them for linear layers; the sizes are those of the features."""
    wide = 2 * hidden
    shapes = {
        "task": (hidden, task),
        "query": (hidden, query),
        "model": (wide, model),
        "edge": (FEATURES, FEATURES),
        "message1": (wide, wide),
        "onedge1": (wide, FEATURES),
        "message2": (wide, wide),
        "onedge2": (wide, FEATURES),
    }
    out: dict[str, Array] = {}
    for name, shape in shapes.items():
        bound = 1 / np.sqrt(max(shape[1], 1))
        out[name], out[f"{name}_bias"] = rng.uniform(-bound, bound, shape), rng.uniform(-bound, bound, shape[0])
    for layer in (1, 2):
        out |= {f"scale{layer}": np.ones(wide), f"shift{layer}": np.zeros(wide)}
        out |= {f"mean{layer}": np.zeros(wide), f"variance{layer}": np.ones(wide)}
    return out


def query_nodes(p: Params, task: Array, query: Array, join: Any = np.concatenate) -> Array:
    """[query, 2h] features of query nodes: task and question aligned, side by side."""
    return join([task @ p["task"].T + p["task_bias"], query @ p["query"].T + p["query_bias"]], 1)


def model_vectors(
    p: Params,
    queries: Array,
    model: Array,
    edges: Array,
    visible: Array,
    learn: dict[str, Array] | None = None,
    *,
    mean: bool = False,
) -> Array:
    """[..., model, 2h] vectors of model nodes after both layers.

    ``queries`` are `query_nodes`, ``model`` [model, feature], ``edges`` [query, model, 3], ``visible`` [..., query, model] 0 or
    1: what is not visible sends nothing; leading dimensions are masks that know nothing of each other. Batch normalisation
    uses the running statistics; with ``learn`` (a dictionary that receives the new ones) those of the nodes at hand, as in
    training. Messages are added up as in the original, or averaged with ``mean``.
    """
    models = model @ p["model"].T + p["model_bias"]
    seen = edges @ p["edge"].T + p["edge_bias"]
    along = ((seen * (seen > 0)) * visible[..., None]).sum(-3)
    count = visible.sum(-2)[..., None]
    share = 1.0 / (count + 1e-12) if mean else 1.0
    for layer in (1, 2):
        sent = queries @ p[f"message{layer}"].T + p[f"message{layer}_bias"]
        told = along @ p[f"onedge{layer}"].T + count * p[f"onedge{layer}_bias"]
        models = models + (visible.swapaxes(-1, -2) @ sent + told) * share
        queries, models = _normalised(p, layer, queries, models, learn)
        if layer == 1:
            queries, models = queries * (queries > 0), models * (models > 0)
    return models


def _normalised(p: Params, layer: int, queries: Array, models: Array, learn: dict[str, Array] | None) -> tuple[Array, Array]:
    mean, variance = p[f"mean{layer}"], p[f"variance{layer}"]
    if learn is not None:
        n = queries.shape[-2] + models.shape[-2]
        running = [mean, variance]
        mean = ((queries.sum(-2) + models.sum(-2)) / n)[..., None, :]
        variance = ((((queries - mean) ** 2).sum(-2) + ((models - mean) ** 2).sum(-2)) / n)[..., None, :]
        for new in zip(mean.reshape(-1, mean.shape[-1]), variance.reshape(-1, mean.shape[-1]) * (n / max(n - 1, 1)), strict=True):
            running = [(1 - MOMENTUM) * old + MOMENTUM * value for old, value in zip(running, new, strict=True)]
        learn[f"mean{layer}"], learn[f"variance{layer}"] = running
    factor = p[f"scale{layer}"] / (variance + EPSILON) ** 0.5
    shift = p[f"shift{layer}"]
    return (queries - mean) * factor + shift, (models - mean) * factor + shift


def edge_logits(queries: Array, vectors: Array) -> Array:
    """[..., query, model] mean over dimensions of the products of query nodes and model vectors."""
    return queries @ vectors.swapaxes(-1, -2) / vectors.shape[-1]


def edge_scores(queries: Array, vectors: Array) -> Array:
    """[query, model] probabilities that this model is the one to ask (numpy only)."""
    return expit(edge_logits(queries, vectors))
