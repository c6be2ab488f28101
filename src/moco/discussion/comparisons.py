"""From comparisons of pairs to an order (arXiv 2306.02561): the matrix, the rules that add it up, and the cheap pass.

Entry (i, j) of a matrix says how much better candidate i is than candidate j when i is shown first; above 0, i is better.
Both orders of a pair enter every rule, so what a judge likes about a place cancels. Knows nothing of texts or judges.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Matrix = np.ndarray[Any, np.dtype[np.float64]]
Compare = Callable[[int, int], Awaitable[float]]
Policy = Literal["max_logits", "max_wins"]
Orders = Literal["both", "one"]


def max_logits(matrix: Matrix) -> Matrix:
    """scores[i] = mean over all columns j, the zero diagonal included, of M[i, j] - M[j, i]."""
    out: Matrix = (matrix - matrix.T).mean(axis=1)
    return out


def max_wins(matrix: Matrix) -> Matrix:
    """scores[i] = comparisons won, as the first and as the second of a pair."""
    out: Matrix = ((matrix > 0).sum(axis=1) + (matrix < 0).sum(axis=0)).astype(np.float64)
    return out


SCORES: dict[Policy, Callable[[Matrix], Matrix]] = {"max_logits": max_logits, "max_wins": max_wins}


def ranks_of(scores: Sequence[float] | Matrix) -> list[int]:
    """1 + how many are strictly better; equal scores share the better rank."""
    flat = [round(float(s), 9) for s in scores]
    return [1 + sum(other > s for other in flat) for s in flat]


def pairs(n: int, orders: Orders = "both") -> list[tuple[int, int]]:
    """The comparisons of a full pass, row by row; with one order, the lower index is shown first."""
    return [(i, j) for i in range(n) for j in range(n) if i != j and (orders == "both" or i < j)]


async def full_matrix(n: int, compare: Compare, orders: Orders = "both") -> Matrix:
    """Every pair compared, all at once; (n, n) with a zero diagonal, and 0 where an order was not asked for."""
    wanted = pairs(n, orders)
    found = await asyncio.gather(*(compare(i, j) for i, j in wanted), return_exceptions=True)
    failures = [f for f in found if isinstance(f, BaseException)]
    if failures:
        raise failures[0]  # when all have come back, so that nothing runs on behind a failed question
    matrix: Matrix = np.zeros((n, n))
    for (i, j), margin in zip(wanted, found, strict=True):
        if not isinstance(margin, BaseException):
            matrix[i, j] = margin
    return matrix


async def bubble(order: Sequence[int], compare: Compare) -> int:
    """The best by one pass over ``order``: neighbours are compared in both orders, and the later one stays unless it lost.

    2 (n - 1) comparisons; where nothing speaks for either, the later one goes on.
    """
    best = order[0]
    for other in order[1:]:
        ahead, behind = await compare(best, other), await compare(other, best)
        if ahead - behind <= 0:
            best = other
    return best


@dataclass(frozen=True)
class Ranked:
    """Candidates in order, the best first, and what that rests on."""

    order: list[int]
    ranks: list[int]
    scores: list[float]
    matrix: list[list[float]]


async def rank_all(
    compare: Compare, copies: Sequence[int], policy: Policy = "max_logits", orders: Orders = "both", prior: float = 0.0
) -> Ranked:
    """The order of a full pass; equals keep the order in which they came.

    ``copies[i]`` is how many gave candidate i; ``prior`` times its log is added to a score.
    """
    matrix = await full_matrix(len(copies), compare, orders)
    scores = SCORES[policy](matrix) + prior * np.log(np.asarray(copies, np.float64))
    ranks = ranks_of(scores)
    order = sorted(range(len(ranks)), key=lambda i: (ranks[i], i))
    listed = [[round(float(x), 6) for x in row] for row in matrix]
    return Ranked(order, ranks, [round(float(s), 6) for s in scores], listed)
