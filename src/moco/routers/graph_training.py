"""Training of the graph: hide edges, predict them, keep the epoch whose routing is best on validation (arXiv 2410.03834)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from moco.core.errors import ConfigError
from moco.routers.choice import best
from moco.routers.graph import begin, edge_logits, edge_scores, model_vectors, query_nodes

Floats = np.ndarray[Any, np.dtype[np.float64]]
Arrays = dict[str, Any]
RUNNING = ("mean1", "variance1", "mean2", "variance2")


@dataclass(frozen=True)
class Graph:
    """Dev as a graph: [query, feature] tasks and questions, [model, feature] models, [query, model, 3] edges.

    ``labels`` [query, model] are what edges predict (rows of zeros teach nothing), ``effect`` [query, model] what routing
    earns.
    """

    task: Floats
    query: Floats
    model: Floats
    edges: Floats
    labels: Floats
    effect: Floats

    def of(self, rows: Any) -> Graph:
        """The graph of some queries and all models."""
        return Graph(self.task[rows], self.query[rows], self.model, self.edges[rows], self.labels[rows], self.effect[rows])


@dataclass(frozen=True)
class Training:
    """How a graph is trained; names and defaults are explained at the method's options."""

    hidden: int = 8
    rate: float = 1e-3
    decay: float = 1e-4
    epochs: int = 1000
    batches: int = 8
    visible: float = 0.5
    patience: int | None = 100
    mean: bool = False
    """Average messages instead of adding them up."""


def check_torch() -> None:
    """Raises ConfigError where torch is missing."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "a graph is trained with torch, which is not installed", remedy='pip install "mocolab[local]"'
        ) from error


def attach(params: Arrays, graph: Graph, mean: bool = False) -> Floats:
    """[model, 2h] model vectors with all edges of ``graph`` visible: what every later question is compared with."""
    queries = query_nodes(params, graph.task, graph.query)
    out: Floats = model_vectors(params, queries, graph.model, graph.edges, np.ones(graph.effect.shape), mean=mean)
    return out


def routed_effect(params: Arrays, seen: Graph, asked: Graph, mean: bool = False) -> float:
    """Mean effect of routing the queries of ``asked`` by the structure of ``seen``; equal scores go to the lower index."""
    found = edge_scores(query_nodes(params, asked.task, asked.query), attach(params, seen, mean))
    chosen = best(found, np.zeros(found.shape[1]))
    return float(asked.effect[np.arange(len(chosen)), chosen].mean())


def train_graph(
    fit: Graph, select: Graph, how: Training, rng: np.random.Generator, told: Callable[[int], None]
) -> tuple[Arrays, float, int]:
    """Parameters of the first epoch that routes ``select`` best, what it earns there, and its number.

    Each epoch averages ``batches`` losses, each predicting the edges that a random mask hides; one step of AdamW. Statistics of
    batch normalisation come from the fit graph alone. ``told`` is called with the number of epochs done.
    """
    import torch

    begun = begin(rng, fit.task.shape[1], fit.query.shape[1], fit.model.shape[1], how.hidden)
    params = {name: torch.tensor(value, dtype=torch.float64) for name, value in begun.items()}
    trained = [value.requires_grad_() for name, value in params.items() if name not in RUNNING]
    optimiser = torch.optim.AdamW(trained, lr=how.rate, weight_decay=how.decay)
    task, query, model, edges, labels = (
        torch.tensor(np.ascontiguousarray(a)) for a in (fit.task, fit.query, fit.model, fit.edges, fit.labels)
    )
    teaches = fit.labels.sum(axis=1, keepdims=True) > 0

    def join(parts: list[Any], axis: int) -> Any:
        return torch.cat(parts, axis)

    best_params, best_effect, best_epoch = begun, -math.inf, 0
    for epoch in range(1, how.epochs + 1):
        seen = rng.random((how.batches, *fit.effect.shape)) < how.visible
        hidden = torch.tensor((~seen) & teaches, dtype=torch.float64)
        counts = hidden.sum((1, 2))
        if bool(counts.any()):
            queries, running = query_nodes(params, task, query, join), dict[str, Any]()
            shown = torch.tensor(seen, dtype=torch.float64)
            logits = edge_logits(queries, model_vectors(params, queries, model, edges, shown, running, mean=how.mean))
            each = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels.expand_as(logits), reduction="none")
            losses = (each * hidden).sum((1, 2))[counts > 0] / counts[counts > 0]
            optimiser.zero_grad()
            losses.mean().backward()
            optimiser.step()
            params.update({name: value.detach() for name, value in running.items()})
        plain = {name: value.detach().numpy().copy() for name, value in params.items()}
        effect = routed_effect(plain, fit, select, how.mean)
        if effect > best_effect + 1e-12:
            best_params, best_effect, best_epoch = plain, effect, epoch
        told(epoch)
        if how.patience is not None and epoch - best_epoch >= how.patience:
            break
    return best_params, best_effect, best_epoch
