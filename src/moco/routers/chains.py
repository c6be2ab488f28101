"""Which members in which order, and with which thresholds: FrugalGPT's joint search (arXiv 2305.05176), and what it is worth.

Arrays are [member, example], members in pool order. What a search finds on dev is too kind to it, so its worth is estimated on
examples that had no part in the choice.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moco.core.errors import ConfigError
from moco.routers.thresholds import COARSE, FINE, Aim, Simulation, simulate

Floats = np.ndarray[Any, np.dtype[np.float64]]
ORDERS, BEAM = 3000, 1000
"""Up to so many orders all are tried; beyond, so many of the next length."""
Order = tuple[int, ...]


@dataclass(frozen=True)
class Chain:
    """Members (rows of the arrays) from first to last, and a threshold for each but the last."""

    members: tuple[int, ...]
    thresholds: tuple[float, ...]

    def run(self, scores: Floats, costs: Floats, confidences: Floats) -> Simulation:
        """What the chain does on recorded outcomes."""
        rows = list(self.members)
        return simulate(scores[rows], costs[rows], confidences[rows], self.thresholds)


Found = tuple[tuple[float, float], Order, Chain]
"""What a chain is worth, the members in its order, and the chain."""


def search_chain(scores: Floats, costs: Floats, confidences: Floats, aim: Aim, depth: int, ends: int = 0) -> Chain:
    """The best chain of at most ``depth`` different members in any order, with its thresholds.

    Chains are compared with coarse thresholds (each searched as `optimize` does), those of one or two members with fine ones; the
    best of each length gets fine ones, and the best of these is taken, so that no member alone and no pair is better. Equals go
    to the cheaper, then the shorter, then the earlier. Raises ConfigError where no member alone keeps to the budget.

    All orders of a length are tried while there are at most `ORDERS` in all; longer chains are the best of one member less with
    another put in at any place (a beam search, ours; FrugalGPT prunes by how much members disagree). Against all orders of
    made-up outcomes, with beams of 60 and 100 among 8 and 7 members, 1 search of 140 lost anything: 0.01 of the score.

    Where a member that is last is asked otherwise (nobody needs to know how sure it is), ``ends`` is the number of members, and
    their rows are followed by as many rows of members asked as the last.
    """
    count = ends or len(scores)

    def tried(order: Order, grid: int) -> Found | None:
        """The chain of that order; None where it cannot keep to the budget."""
        rows = [*order[:-1], order[-1] + ends]
        try:
            chain = Chain(tuple(rows), aim.cut(scores[rows], costs[rows], confidences[rows], grid))
        except ConfigError:
            return None
        found = chain.run(scores, costs, confidences)
        value, saving = aim.worth(found.score, found.cost)
        return (float(value), float(saving)), order, chain

    best: list[Found] = []
    ranked: list[Found] = []
    orders = 0
    for length in range(1, min(depth, count) + 1):
        orders += math.perm(count, length)
        if length <= 2 or orders <= ORDERS:
            coming: Iterable[Order] = itertools.permutations(range(count), length)
        else:
            coming = _longer([order for _, order, _ in ranked], count)
        found = [f for order in coming if (f := tried(order, FINE if length <= 2 else COARSE)) is not None]
        ranked = sorted(found, key=lambda f: f[0], reverse=True)
        best += ranked[:1]
    if not best:
        cheapest = [ends + int(costs[ends:].mean(axis=1).argmin())]
        aim.cut(scores[cheapest], costs[cheapest], confidences[cheapest])  # raises: not even that one keeps to the budget
    fine = [f for _, order, _ in best if (f := tried(order, FINE)) is not None]
    return max([*best, *fine], key=lambda f: f[0])[2]


def _longer(parents: Iterable[Order], count: int) -> list[Order]:
    """Orders with one of ``count`` members more, those of the first parents first, until there are `BEAM` of them; sorted."""
    found: set[Order] = set()
    for order in parents:
        if len(found) >= BEAM:
            break
        others = [member for member in range(count) if member not in order]
        found |= {(*order[:place], member, *order[place:]) for member in others for place in range(len(order) + 1)}
    return sorted(found)


def held_out(
    choose: Callable[[Floats, Floats, Floats], Chain],
    scores: Floats,
    costs: Floats,
    confidences: Floats,
    parts: Sequence[Any],
) -> tuple[float, float] | None:
    """Mean score and cost of each part's examples under the chain that ``choose`` finds without them; None if it finds none."""
    every, score, cost = np.arange(scores.shape[1]), 0.0, 0.0
    for part in parts:
        rest = np.setdiff1d(every, part)
        if not len(rest):
            return None
        try:
            chain = choose(scores[:, rest], costs[:, rest], confidences[:, rest])
        except ConfigError:
            return None  # a budget that only the whole of dev keeps to
        found = chain.run(scores[:, part], costs[:, part], confidences[:, part])
        score, cost = score + found.score * len(part), cost + found.cost * len(part)
    return score / len(every), cost / len(every)
