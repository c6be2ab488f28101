"""Who hears whom: graphs over n nodes, and what of them decides how far a message travels (arXiv 2410.15686).

``graph[i][j]`` is 1 where node j hears node i. The diagonal is 0: everybody knows its own view anyway. Knows nothing of
members; which member sits at which node is the method's business.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from moco.core.errors import ConfigError

Graph = tuple[tuple[int, ...], ...]
Shape = Literal["chain", "ring", "circle", "tree", "complete", "star", "hub", "hub_in", "hub_out", "random", "layers", "matrix"]
"""``circle`` is ``ring``; ``star`` is the original's: a hub and a ring through all others (a wheel); ``hub`` is hub and spokes,
``hub_in`` and ``hub_out`` its two halves; ``layers`` hear the layer before; ``matrix`` is given."""


def empty(n: int) -> list[list[int]]:
    return [[0] * n for _ in range(n)]


def from_edges(n: int, edges: Iterable[tuple[int, int]], *, both: bool = True) -> Graph:
    """The graph with an edge from i to j for each (i, j), and back with ``both``; loops are left out."""
    graph = empty(n)
    for i, j in edges:
        if i != j:
            graph[i][j] = 1
            if both:
                graph[j][i] = 1
    return tuple(map(tuple, graph))


def graph_of(
    shape: Shape, n: int, *, matrix: Sequence[Sequence[int]] = (), sizes: Sequence[int] = (), share: float = 0.5, seed: int = 0
) -> Graph:
    """The graph ``shape`` over ``n`` nodes.

    ``matrix`` goes with ``matrix``, the ``sizes`` of the layers with ``layers``, the ``share`` of all pairs and the ``seed``
    with ``random``, where a node without an edge gets one. Raises ConfigError for what does not fit.
    """
    everybody = range(n)
    chain = [(i, i + 1) for i in range(n - 1)]
    spokes = [(0, i) for i in range(1, n)]
    if shape == "chain":
        return from_edges(n, chain)
    if shape in ("ring", "circle"):
        return from_edges(n, [*chain, (n - 1, 0)])
    if shape == "tree":
        return from_edges(n, [((i - 1) // 2, i) for i in range(1, n)])
    if shape == "complete":
        return from_edges(n, [(i, j) for i in everybody for j in everybody])
    if shape == "star":
        return from_edges(n, [*spokes, *((i, i + 1) for i in range(1, n - 1)), *([(n - 1, 1)] if n > 2 else [])])
    if shape in ("hub", "hub_out"):
        return from_edges(n, spokes, both=shape == "hub")
    if shape == "hub_in":
        return from_edges(n, [(i, 0) for i in range(1, n)], both=False)
    if shape == "random":
        return _random(n, share, seed)
    return _layers(n, sizes) if shape == "layers" else checked(matrix, n)


def checked(matrix: Sequence[Sequence[int]], n: int) -> Graph:
    """``matrix`` as a graph; raises ConfigError unless it is n x n, of 0 and 1, with a zero diagonal."""
    rows = tuple(tuple(row) for row in matrix)
    if len(rows) != n or any(len(row) != n for row in rows):
        sides = f"{len(rows)} x {max(map(len, rows), default=0)}"
        raise ConfigError(f"the matrix is {sides}, the team has {n} members", where="matrix", remedy=f"give {n} rows of {n}")
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            if value not in (0, 1) or isinstance(value, bool):
                raise ConfigError(f"the matrix holds {value!r}", where=f"matrix[{i}][{j}]", remedy="write 0 or 1")
        if row[i]:
            why = "a node's own view is always before it"
            raise ConfigError(f"node {i} hears itself", where=f"matrix[{i}][{i}]", why=why, remedy="write 0")
    return rows


def hears(graph: Graph, node: int) -> list[int]:
    """The nodes that ``node`` hears, ascending."""
    return [i for i in range(len(graph)) if graph[i][node]]


def distances(graph: Graph) -> list[list[float]]:
    """distances[i][j]: rounds until what i says can have reached j; infinite where it never does."""
    n = len(graph)
    found = [[0.0 if i == j else float("inf") for j in range(n)] for i in range(n)]
    for start in range(n):
        front, step = [start], 0.0
        while front:
            step += 1
            front = [j for j in range(n) if found[start][j] == float("inf") and any(graph[i][j] for i in front)]
            for j in front:
                found[start][j] = step
    return found


def diameter(graph: Graph) -> int:
    """Rounds until everything said has reached everybody whom it can reach."""
    return int(max((d for row in distances(graph) for d in row if d != float("inf")), default=0))


def efficiency(graph: Graph) -> float:
    """Mean over ordered pairs of 1 / distance, 0 where there is no way (NE of arXiv 2410.15686); in [0, 1]."""
    n = len(graph)
    if n < 2:
        return 0.0
    ways = [1 / d for i, row in enumerate(distances(graph)) for j, d in enumerate(row) if i != j and d != float("inf")]
    return sum(ways) / (n * (n - 1))


def exposure(graph: Graph, attackers: Iterable[int]) -> float:
    """Share of ordered pairs (s, t) with a shortest way that begins at or leads through an attacker (the paper's PV)."""
    n, apart = len(graph), distances(graph)
    if n < 2:
        return 0.0
    hit = 0
    for s in range(n):
        for t in range(n):
            if s != t and apart[s][t] != float("inf"):
                hit += any(a != t and apart[s][a] + apart[a][t] == apart[s][t] for a in attackers)
    return hit / (n * (n - 1))


def _random(n: int, share: float, seed: int) -> Graph:
    rng = np.random.Generator(np.random.Philox(key=seed))
    drawn = rng.random((n, n))
    edges = [(i, j) for i in range(n) for j in range(i + 1, n) if drawn[i, j] < share]
    alone = [i for i in range(n) if n > 1 and not any(i in edge for edge in edges)]
    return from_edges(n, [*edges, *((i, int(rng.choice([j for j in range(n) if j != i]))) for i in alone)])


def _layers(n: int, sizes: Sequence[int]) -> Graph:
    if sum(sizes) != n or any(size < 1 for size in sizes):
        what = f"layers of {list(sizes)} make {sum(sizes)} nodes, the team has {n} members"
        raise ConfigError(what, where="layers", remedy=f"give sizes that add up to {n}")
    edges, start = list[tuple[int, int]](), 0
    for size, following in itertools.pairwise(sizes):
        edges += [(start + i, start + size + j) for i in range(size) for j in range(following)]
        start += size
    return from_edges(n, edges, both=False)
