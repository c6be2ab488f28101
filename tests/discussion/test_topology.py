"""Graphs: who hears whom, how far a message travels, how exposed the others are to an attacker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moco.core.errors import ConfigError
from moco.discussion.topology import Graph, checked, diameter, distances, efficiency, exposure, graph_of, hears

SYMMETRIC = ("chain", "ring", "tree", "complete", "star", "hub", "random")
SIZES = st.integers(1, 9)


def edges(graph: Graph) -> int:
    return sum(map(sum, graph))


@pytest.mark.parametrize(
    ("shape", "n", "rows"),
    [
        ("chain", 3, ["010", "101", "010"]),
        ("ring", 2, ["01", "10"]),
        ("circle", 4, ["0101", "1010", "0101", "1010"]),
        ("tree", 4, ["0110", "1001", "1000", "0100"]),
        ("star", 4, ["0111", "1011", "1101", "1110"]),
        ("star", 5, ["01111", "10101", "11010", "10101", "11010"]),
        ("hub", 4, ["0111", "1000", "1000", "1000"]),
        ("hub_in", 3, ["000", "100", "100"]),
        ("hub_out", 3, ["011", "000", "000"]),
        ("complete", 3, ["011", "101", "110"]),
    ],
)
def test_shapes_by_hand(shape: Any, n: int, rows: list[str]) -> None:
    assert graph_of(shape, n) == tuple(tuple(map(int, row)) for row in rows)


@pytest.mark.parametrize("shape", ["chain", "ring", "tree", "star", "hub", "complete"])
def test_two_nodes_always_hear_each_other_and_one_hears_nobody(shape: Any) -> None:
    assert graph_of(shape, 2) == ((0, 1), (1, 0))
    assert graph_of(shape, 1) == ((0,),)


@given(st.sampled_from(SYMMETRIC), SIZES, st.integers(0, 5))
def test_symmetric_without_loops_and_connected_but_for_chance(shape: Any, n: int, seed: int) -> None:
    graph = graph_of(shape, n, seed=seed)
    assert all(graph[i][i] == 0 for i in range(n))
    assert all(graph[i][j] == graph[j][i] for i in range(n) for j in range(n))
    assert n == 1 or all(hears(graph, i) for i in range(n))
    if shape != "random":
        assert all(d < n for row in distances(graph) for d in row)


@pytest.mark.parametrize(
    ("shape", "count"),
    [
        ("chain", lambda n: 2 * (n - 1)),
        ("tree", lambda n: 2 * (n - 1)),
        ("ring", lambda n: 2 * n),
        ("star", lambda n: 4 * (n - 1) if n > 3 else 6),
        ("complete", lambda n: n * (n - 1)),
    ],
)
def test_numbers_of_edges(shape: Any, count: Any) -> None:
    assert [edges(graph_of(shape, n)) for n in range(3, 9)] == [count(n) for n in range(3, 9)]


def test_diameters() -> None:
    assert [diameter(graph_of(s, 6)) for s in ("chain", "ring", "star", "complete", "tree")] == [5, 3, 2, 1, 4]
    assert diameter(graph_of("matrix", 2, matrix=[[0, 0], [0, 0]])) == 0


def test_layers_hear_the_layer_before() -> None:
    graph = graph_of("layers", 5, sizes=[2, 2, 1])
    assert [hears(graph, i) for i in range(5)] == [[], [], [0, 1], [0, 1], [2, 3]]
    with pytest.raises(ConfigError, match="make 4 nodes"):
        graph_of("layers", 5, sizes=[2, 2])


def test_a_random_graph_is_the_same_for_a_seed_and_leaves_nobody_alone() -> None:
    assert graph_of("random", 6, seed=3) == graph_of("random", 6, seed=3)
    assert len({graph_of("random", 6, seed=s) for s in range(6)}) > 1
    assert all(hears(graph_of("random", 5, share=0.0, seed=s), i) for s in range(5) for i in range(5))
    assert graph_of("random", 4, share=1.0) == graph_of("complete", 4)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[0, 1]], "1 x 2"),
        ([[0, 2], [1, 0]], "holds 2"),
        ([[1, 1], [1, 0]], "hears itself"),
        ([[0, True], [1, 0]], "holds True"),
        ([], "0 x 0"),
    ],
)
def test_a_wrong_matrix_says_where(matrix: list[list[int]], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        checked(matrix, 2)


def test_exposure_and_efficiency_by_hand() -> None:
    chain = graph_of("chain", 3)
    assert efficiency(chain) == pytest.approx((4 * 1 + 2 * 0.5) / 6)
    assert exposure(chain, [1]) == pytest.approx(4 / 6)  # its own two, and both ways between the ends
    assert exposure(chain, [0]) == pytest.approx(2 / 6)
    assert efficiency(graph_of("complete", 4)) == 1.0
    assert efficiency(graph_of("chain", 1)) == exposure(graph_of("chain", 1), [0]) == 0.0


def vectors(shared: Path, function: str) -> list[Any]:
    found = json.loads((shared / "vectors" / "text_structured_interaction.json").read_text())["vectors"]
    return [v for v in found if v["function"] == function]


def test_vector_graphs(shared: Path) -> None:
    compared, deviating = 0, []
    for vector in vectors(shared, "methods.generate_adj"):
        shape, n = vector["inputs"]["graph_type"], vector["inputs"]["n"]
        ours = [list(row) for row in graph_of(shape, n)]
        if ours == vector["outputs"]:
            compared += 1
        else:
            deviating.append((shape, n))
    assert compared >= 20
    assert set(deviating) <= {("circle", 1), ("star", 1), ("star", 2)}, "only where the original has a loop or fails"


def test_vector_metrics(shared: Path) -> None:
    found = vectors(shared, "evaluate.static_evaluate")
    assert found
    for vector in found:
        graph = graph_of(vector["inputs"]["graph_type"], vector["inputs"]["n"])
        assert efficiency(graph) == pytest.approx(vector["outputs"]["NE"], abs=1e-6)
        assert exposure(graph, vector["inputs"]["attacker_idx"]) == pytest.approx(vector["outputs"]["PV"], abs=1e-6)
