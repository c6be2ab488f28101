"""Which members in which order, and with which thresholds: FrugalGPT's joint search (arXiv 2305.05176), and what it is worth.

Arrays are [member, example], members in pool order. What a search finds on dev is too kind to it, so its worth is estimated on
examples that had no part in the choice.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moco.core.errors import ConfigError
from moco.routers.thresholds import Simulation, optimize, simulate

Floats = np.ndarray[Any, np.dtype[np.float64]]
COARSE, FINE = 12, 64
"""Cuts per stage while chains are compared, and for the one that is taken."""


@dataclass(frozen=True)
class Chain:
    """Members (rows of the arrays) from first to last, and a threshold for each but the last."""

    members: tuple[int, ...]
    thresholds: tuple[float, ...]

    def run(self, scores: Floats, costs: Floats, confidences: Floats) -> Simulation:
        """What the chain does on recorded outcomes."""
        rows = list(self.members)
        return simulate(scores[rows], costs[rows], confidences[rows], self.thresholds)


@dataclass(frozen=True)
class Aim:
    """What a chain is chosen for: the best score, of at most ``budget``, less ``cost_weight`` x cost; more than ``enough`` is no
    better."""

    budget: float | None = None
    cost_weight: float = 0.0
    enough: float | None = None

    def cut(self, scores: Floats, costs: Floats, confidences: Floats, grid: int = FINE) -> tuple[float, ...]:
        """The thresholds of one chain, rows in its order; raises ConfigError where its cheapest member exceeds the budget."""
        return optimize(
            scores, costs, confidences, budget=self.budget, cost_weight=self.cost_weight, enough=self.enough, grid=grid
        )

    def worth(self, found: Simulation) -> tuple[float, float]:
        score = found.score if self.enough is None else min(found.score, self.enough)
        feasible = self.budget is None or found.cost <= self.budget + 1e-12
        return (round(score - self.cost_weight * found.cost, 12) if feasible else float("-inf"), -round(found.cost, 12))


def search_chain(scores: Floats, costs: Floats, confidences: Floats, aim: Aim, depth: int, ends: int = 0) -> Chain:
    """The best chain of at most ``depth`` different members in any order, with its thresholds.

    All orders are compared with coarse thresholds (each searched as `optimize` does), the best one gets fine ones. Equals go
    to the cheaper, then the shorter, then the earlier. Where a member that is last is asked otherwise (nobody needs to know how
    sure it is), ``ends`` is the number of members, and their rows are followed by as many rows of members asked as the last.
    Raises ConfigError where no member alone keeps to the budget.
    """
    best: tuple[tuple[float, float], Chain] | None = None
    refused: ConfigError | None = None
    count = ends or len(scores)
    for length in range(1, min(depth, count) + 1):
        for order in itertools.permutations(range(count), length):
            members = (*order[:-1], order[-1] + ends)
            rows = list(members)
            try:
                chain = Chain(members, aim.cut(scores[rows], costs[rows], confidences[rows], COARSE))
            except ConfigError as error:
                refused = error
                continue
            worth = aim.worth(chain.run(scores, costs, confidences))
            if best is None or worth > best[0]:
                best = worth, chain
    if best is None:
        raise refused or ConfigError("there is no member to search among", where="cascade.order")
    rows = list(best[1].members)
    fine = Chain(best[1].members, aim.cut(scores[rows], costs[rows], confidences[rows], FINE))
    return fine if aim.worth(fine.run(scores, costs, confidences)) > best[0] else best[1]


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
