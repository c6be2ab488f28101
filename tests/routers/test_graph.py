"""The graph's two layers against GraphRouter's own numbers and a node-by-node reference; what training must find."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moco.routers import Graph, Training, attach, best, edge_scores, model_vectors, query_nodes, routed_effect, train_graph
from moco.routers.graph import begin

NAMES = {
    "model_align.task_transform": "task",
    "model_align.query_transform": "query",
    "model_align.llm_transform": "model",
    "edge_mlp": "edge",
    "encoder_conv_1.lin_msg": "message1",
    "encoder_conv_1.lin_edge": "onedge1",
    "encoder_conv_2.lin_msg": "message2",
    "encoder_conv_2.lin_edge": "onedge2",
}
NORMS = {"weight": "scale", "bias": "shift", "running_mean": "mean", "running_var": "variance"}


def params_of(state: dict[str, Any]) -> dict[str, Any]:
    """Our parameters from the names of the official network."""
    out = {}
    for theirs, ours in NAMES.items():
        out[ours], out[f"{ours}_bias"] = np.array(state[f"{theirs}.weight"]), np.array(state[f"{theirs}.bias"])
    for layer in (1, 2):
        out |= {f"{ours}{layer}": np.array(state[f"bn{layer}.{theirs}"]) for theirs, ours in NORMS.items()}
    return out


def some(n: int = 6, m: int = 3, seed: int = 0) -> tuple[dict[str, Any], Graph]:
    random = np.random.default_rng(seed)
    params = begin(random, 4, 5, 3, 8)
    for layer in (1, 2):
        params[f"mean{layer}"], params[f"variance{layer}"] = random.standard_normal(16), random.random(16) + 0.5
        params[f"scale{layer}"], params[f"shift{layer}"] = random.standard_normal(16), random.standard_normal(16)
    effect = random.random((n, m))
    edges = np.stack([effect, random.random((n, m)), effect], axis=-1)
    labels = np.eye(m)[effect.argmax(axis=1)]
    return params, Graph(
        random.standard_normal((n, 4)),
        random.standard_normal((n, 5)),
        random.standard_normal((m, 3)),
        edges,
        labels,
        effect,
    )


def slow_score(p: dict[str, Any], graph: Graph, visible: np.ndarray[Any, Any], q: int, k: int) -> float:
    """The formulas of the paper, one node and one edge at a time."""
    n, m = graph.effect.shape

    def linear(name: str, x: Any) -> Any:
        return [sum(w * v for w, v in zip(row, x, strict=True)) + b for row, b in zip(p[name], p[f"{name}_bias"], strict=True)]

    x = [linear("task", graph.task[i]) + linear("query", graph.query[i]) for i in range(n)] + [
        linear("model", d) for d in graph.model
    ]
    x0 = x[q]
    u = {(i, j): [max(v, 0.0) for v in linear("edge", graph.edges[i, j])] for i in range(n) for j in range(m) if visible[i, j]}
    for layer in (1, 2):
        new = [list(node) for node in x]
        for (i, j), edge in u.items():
            sent, along = linear(f"message{layer}", x[i]), linear(f"onedge{layer}", edge)
            new[n + j] = [a + b + c for a, b, c in zip(new[n + j], sent, along, strict=True)]
        norm = [p[f"{part}{layer}"] for part in ("mean", "variance", "scale", "shift")]
        x = [[(v - a) / math.sqrt(b + 1e-5) * c + d for v, a, b, c, d in zip(node, *norm, strict=True)] for node in new]
        if layer == 1:
            x = [[max(v, 0.0) for v in node] for node in x]
    mean = sum(a * b for a, b in zip(x0, x[n + k], strict=True)) / len(x0)
    return 1 / (1 + math.exp(-mean))


def test_the_layers_are_the_formulas_one_node_at_a_time() -> None:
    params, graph = some()
    visible = np.random.default_rng(1).integers(0, 2, graph.effect.shape).astype(float)
    queries = query_nodes(params, graph.task, graph.query)
    found = edge_scores(queries, model_vectors(params, queries, graph.model, graph.edges, visible))
    for q in range(2):
        for k in range(3):
            assert found[q, k] == pytest.approx(slow_score(params, graph, visible, q, k), abs=1e-12)


def test_against_graphrouter(shared: Path) -> None:
    data = json.loads((shared / "vectors" / "api_graph_routing.json").read_text())
    params, given = (
        params_of(data["state_dict"]),
        {k: np.array(v) for k, v in data["inputs"].items() if k != "edge_features_order"},
    )
    effect, cost = given["effect"].reshape(4, 2), given["cost"].reshape(4, 2)
    visible = {name: given[f"{name}_edges"].reshape(4, 2) for name in ("train", "validation", "test")}

    def score(features: Any, seen: Any) -> Any:
        queries = query_nodes(params, given["task"], given["query"])
        return edge_scores(queries, model_vectors(params, queries, given["llm"], features, seen))

    features = np.stack([effect, cost, effect], axis=-1)
    wanted = data["outputs"]
    found = score(features, visible["train"])
    assert found[2] == pytest.approx(wanted["validation_scores_with_train_edges_visible"], abs=1e-6)
    both = visible["train"] + visible["validation"]
    assert score(features, both)[3] == pytest.approx(wanted["test_scores_with_train_and_validation_edges_visible"], abs=1e-6)
    changed = features.copy()
    changed[3] = 9.0
    assert score(changed, both)[3] == pytest.approx(wanted["test_scores_after_changing_invisible_edge_weights"], abs=1e-6)


def test_a_route_does_not_depend_on_what_else_is_asked() -> None:
    params, graph = some()
    vectors = attach(params, graph)
    new = np.random.default_rng(5)
    task, query = new.standard_normal((4, 4)), new.standard_normal((4, 5))
    together = edge_scores(query_nodes(params, task, query), vectors)
    for i in range(4):
        assert edge_scores(query_nodes(params, task[i : i + 1], query[i : i + 1]), vectors)[0] == pytest.approx(
            together[i], abs=1e-15
        )
    hidden = graph.edges.copy()
    seen = np.ones(graph.effect.shape)
    seen[0] = 0
    hidden[0] += 7.0
    queries = query_nodes(params, graph.task, graph.query)
    plain, changed = (model_vectors(params, queries, graph.model, e, seen) for e in (graph.edges, hidden))
    assert np.array_equal(plain, changed), "what is invisible says nothing"


def test_permuting_the_models_permutes_the_scores_and_equal_models_are_equal() -> None:
    params, graph = some()
    order = [2, 0, 1]
    moved = Graph(
        graph.task,
        graph.query,
        graph.model[order],
        graph.edges[:, order],
        graph.labels[:, order],
        graph.effect[:, order],
    )
    queries = query_nodes(params, graph.task, graph.query)
    assert np.allclose(edge_scores(queries, attach(params, moved)), edge_scores(queries, attach(params, graph))[:, order])
    twins = [0, 0, 1]
    same = Graph(
        graph.task,
        graph.query,
        graph.model[twins],
        graph.edges[:, twins],
        graph.labels[:, twins],
        graph.effect[:, twins],
    )
    found = edge_scores(queries, attach(params, same))
    assert np.allclose(found[:, 0], found[:, 1])
    assert 1 not in best(found, np.zeros(3)), "equals go to the lower index"


def clusters(seed: int, n: int = 48) -> Graph:
    """Two kinds of questions, each with a model of its own that is right on it."""
    random = np.random.default_rng(seed)
    side = np.arange(n) % 2
    query = np.eye(6)[side] + 0.1 * random.standard_normal((n, 6))
    effect = np.eye(2)[side]
    edges = np.stack([effect, np.zeros((n, 2)), effect], axis=-1)
    return Graph(np.ones((n, 3)), query, np.eye(2), edges, effect, effect)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_planted_structure_is_found(seed: int) -> None:
    pytest.importorskip("torch")
    graph = clusters(seed)
    fit, select, new = graph.of(np.arange(32)), graph.of(np.arange(32, 40)), graph.of(np.arange(40, 48))
    how = Training(rate=0.01, epochs=120, batches=4, patience=40)
    params, earned, epoch = train_graph(fit, select, how, np.random.default_rng(seed), lambda done: None)
    assert earned > 0.5 == select.effect.mean(axis=0).max()
    assert routed_effect(params, graph.of(np.arange(40)), new) > 0.9
    again, _, twice = train_graph(fit, select, how, np.random.default_rng(seed), lambda done: None)
    assert epoch == twice and all(np.array_equal(params[k], again[k]) for k in params), "a seed gives the same graph"


def test_training_stops_early_and_keeps_the_first_best_epoch() -> None:
    pytest.importorskip("torch")
    graph = clusters(0)
    flat = Graph(graph.task, graph.query, graph.model, graph.edges, np.zeros((48, 2)), np.ones((48, 2)))
    done: list[int] = []
    _, earned, epoch = train_graph(flat, flat, Training(epochs=50, patience=7), np.random.default_rng(0), done.append)
    assert (earned, epoch, done[-1]) == (1.0, 1, 8), "rows in which all are equal teach nothing"


def test_statistics_in_training_are_those_of_batch_normalisation() -> None:
    torch = pytest.importorskip("torch")
    params, graph = some()
    tensors = {k: torch.tensor(v) for k, v in params.items()}
    task, query, model, edges = (torch.tensor(a) for a in (graph.task, graph.query, graph.model, graph.edges))
    queries = query_nodes(tensors, task, query, lambda parts, axis: torch.cat(parts, axis))
    running: dict[str, Any] = {}
    vectors = model_vectors(tensors, queries, model, edges, torch.ones(graph.effect.shape, dtype=torch.float64), running)
    nodes, u = (
        torch.cat([queries, model @ tensors["model"].T + tensors["model_bias"]]),
        torch.relu(edges @ tensors["edge"].T + tensors["edge_bias"]),
    )
    for layer in (1, 2):
        sent = (nodes[:6] @ tensors[f"message{layer}"].T + tensors[f"message{layer}_bias"]).sum(0)
        along = (u @ tensors[f"onedge{layer}"].T + tensors[f"onedge{layer}_bias"]).sum(0)
        nodes = torch.cat([nodes[:6], nodes[6:] + sent + along])
        norm = torch.nn.BatchNorm1d(16, dtype=torch.float64)
        norm.load_state_dict(
            {
                "weight": tensors[f"scale{layer}"],
                "bias": tensors[f"shift{layer}"],
                "running_mean": tensors[f"mean{layer}"],
                "running_var": tensors[f"variance{layer}"],
                "num_batches_tracked": torch.tensor(0),
            }
        )
        nodes = norm(nodes)
        assert torch.allclose(running[f"mean{layer}"], norm.running_mean) and torch.allclose(
            running[f"variance{layer}"], norm.running_var
        )
        nodes = torch.relu(nodes) if layer == 1 else nodes
    assert torch.allclose(vectors, nodes[6:])
