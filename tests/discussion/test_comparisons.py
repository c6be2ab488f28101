"""From comparisons to an order: the original's scores, ranks and passes, and what must hold whoever judges."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moco.discussion.comparisons import SCORES, bubble, full_matrix, max_logits, max_wins, pairs, ranks_of

MATRICES = st.integers(1, 5).flatmap(
    lambda n: st.lists(st.lists(st.integers(-3, 3), min_size=n, max_size=n), min_size=n, max_size=n)
)
UTILITIES = st.lists(st.integers(-20, 20), min_size=1, max_size=6, unique=True)
COMPARATORS: dict[str, Callable[[float, float], float]] = {
    "consistent (u[i]-u[j])": lambda a, b: a - b,
    "left-biased (u[i]-u[j]+0.5)": lambda a, b: a - b + 0.5,
    "always left": lambda a, b: 1.0,
    "ties": lambda a, b: 0.0,
}


def square(rows: Sequence[Sequence[float]]) -> Any:
    matrix = np.array(rows, np.float64)
    np.fill_diagonal(matrix, 0)
    return matrix


class Judge:
    """Compares by utilities and remembers what it was asked."""

    def __init__(self, utilities: Sequence[float], rule: Callable[[float, float], float]) -> None:
        self.utilities, self.rule, self.asked = utilities, rule, list[list[int]]()

    async def __call__(self, i: int, j: int) -> float:
        self.asked.append([i, j])
        return self.rule(self.utilities[i], self.utilities[j])


def test_margins_are_averaged_over_all_columns_and_both_orders() -> None:
    matrix = square([[0, 2, 0.5], [-1, 0, 1], [0, -0.5, 0]])
    assert max_logits(matrix).tolist() == pytest.approx([(3 + 0.5) / 3, (-3 + 1.5) / 3, (-0.5 - 1.5) / 3])
    assert max_wins(matrix).tolist() == [3, 2, 0]
    assert ranks_of(max_logits(matrix)) == [1, 2, 3]


def test_a_cycle_and_a_constant_liking_for_a_place_leave_all_equal() -> None:
    cycle = square([[0, 1, -1], [-1, 0, 1], [1, -1, 0]])
    left = square([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    for rule in SCORES.values():
        for matrix in (cycle, left):
            assert ranks_of(rule(matrix)) == [1, 1, 1]


def test_equal_scores_share_the_better_rank() -> None:
    assert ranks_of([2, 5, 2, 1]) == [2, 1, 2, 4]
    assert ranks_of([0.1 + 0.2, 0.3]) == [1, 1]


def test_a_full_pass_goes_row_by_row_and_one_order_asks_half() -> None:
    judge = Judge([3, 1, 2], COMPARATORS["consistent (u[i]-u[j])"])
    matrix = asyncio.run(full_matrix(3, judge))
    assert judge.asked == [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]]
    assert ranks_of(max_logits(matrix)) == [1, 3, 2]
    assert pairs(3, "one") == [(0, 1), (0, 2), (1, 2)]


@pytest.mark.parametrize(
    ("rule", "order", "winner"), [("consistent (u[i]-u[j])", [2, 0, 1], 0), ("ties", [2, 0, 1], 1), ("always left", [1, 2, 0], 0)]
)
def test_a_bubble_keeps_the_later_one_unless_it_lost(rule: str, order: list[int], winner: int) -> None:
    judge = Judge([3, 1, 2], COMPARATORS[rule])
    assert asyncio.run(bubble(order, judge)) == winner
    assert len(judge.asked) == 4
    assert [pair[::-1] for pair in judge.asked[::2]] == judge.asked[1::2], "each pair in both orders"


@given(UTILITIES, st.floats(-9, 9), st.randoms())
def test_a_consistent_judge_is_followed_whatever_place_it_likes(utilities: list[int], bias: float, rng: Any) -> None:
    judge = Judge(utilities, lambda a, b: a - b + bias)
    best = utilities.index(max(utilities))
    matrix = asyncio.run(full_matrix(len(utilities), judge))
    assert ranks_of(max_logits(matrix)) == ranks_of(utilities)
    order = list(range(len(utilities)))
    rng.shuffle(order)
    assert asyncio.run(bubble(order, judge)) == best


@given(MATRICES, st.randoms())
def test_permuting_candidates_permutes_scores(rows: list[list[int]], rng: Any) -> None:
    matrix = square(rows)
    order = list(range(len(rows)))
    rng.shuffle(order)
    for rule in SCORES.values():
        assert rule(matrix[np.ix_(order, order)]).tolist() == pytest.approx(rule(matrix)[order].tolist())


@given(MATRICES)
def test_turning_every_verdict_turns_the_order(rows: list[list[int]]) -> None:
    matrix = square(rows)
    assert max_logits(-matrix).tolist() == pytest.approx((-max_logits(matrix)).tolist())
    assert max_logits(matrix.T).tolist() == pytest.approx((-max_logits(matrix)).tolist())


def of(shared: Path, name: str) -> list[dict[str, Any]]:
    vectors = json.loads((shared / "vectors" / "text_llm_blender.json").read_text())["vectors"]
    found = [v for v in vectors if name in v["function"]]
    assert found
    return found


def test_scores_and_ranks_of_the_original(shared: Path) -> None:
    for vector in of(shared, "get_scores_from_cmps / get_ranks"):
        matrix, said = np.array(vector["inputs"]["cmp"], np.float64), vector["outputs"]
        assert max_logits(matrix).tolist() == pytest.approx(said["scores_max_logits"], abs=1e-6)
        assert ranks_of(max_logits(matrix)) == said["ranks_max_logits"]
        assert ranks_of(max_wins(matrix)) == said["ranks_max_wins"]


def test_ranks_and_choices_of_the_original(shared: Path) -> None:
    for vector in of(shared, "get_ranks_from_scores"):
        batch = vector["inputs"] if isinstance(vector["inputs"][0], list) else [vector["inputs"]]
        said = vector["outputs"] if isinstance(vector["outputs"][0], list) else [vector["outputs"]]
        assert [ranks_of(row) for row in batch] == said
    for vector in of(shared, "get_topk_candidates_from_ranks"):
        (ranks,), (texts,), k = (vector["inputs"][name] for name in ("ranks", "candidates", "top_k"))
        order = sorted(range(len(texts)), key=lambda i: (ranks[i], i))
        assert [texts[i] for i in order[:k]] == vector["outputs"][0]


def test_passes_of_the_original(shared: Path) -> None:
    for vector in of(shared, "_full_predict"):
        judge = Judge(vector["inputs"]["utilities"], COMPARATORS[vector["inputs"]["comparator"]])
        matrix, said = asyncio.run(full_matrix(4, judge)), vector["outputs"]
        assert judge.asked == said["order_of_calls"] and len(judge.asked) == said["n_comparisons"]
        assert matrix.tolist() == [pytest.approx(row, abs=1e-6) for row in said["matrix"]]
        assert max_logits(matrix).tolist() == pytest.approx(said["scores"], abs=1e-6)
        assert ranks_of(max_logits(matrix)) == said["ranks"]
    for vector in of(shared, "_bubble_predict"):
        judge = Judge(vector["inputs"]["utilities"], COMPARATORS[vector["inputs"]["comparator"]])
        assert asyncio.run(bubble(vector["inputs"]["initial_permutation"], judge)) == vector["outputs"]["winner"]
        assert judge.asked == vector["outputs"]["calls"]
