"""The curve of cost against quality of a chain of any number of stages, and its two controls: chance and an oracle.

A chain has as many thresholds as it has stages to pass on from, so the curve is one path through them that needs no label: from
a chain that accepts everything over the one that ran to one that passes on everything, each stage on its own way from passing
on nothing over the share it passed on to passing on all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array

from moco.routers.thresholds import DEFER, Simulation, quantile_threshold, simulate

Floats = np.ndarray[Any, np.dtype[np.float64]]
PLACES = tuple(i / 100 for i in range(101))
"""Where a curve is looked at; 0.5 is the chain as it ran."""
CONTROLS = tuple(i / 20 for i in range(21))
"""Where the controls are."""
OWN = 0.5


@dataclass(frozen=True)
class Recorded:
    """What every stage of a chain says to the questions of one run, whether it was reached or not.

    ``scores`` and ``costs`` are [stage, example], ``confidences`` [stage but the last, example]: -inf where unusable, NaN where a
    stage gave no answer at all, which no threshold accepts. ``thresholds`` are those of the run, one per stage but the last.
    """

    scores: Floats
    costs: Floats
    confidences: Floats
    thresholds: tuple[float, ...]

    @cached_property
    def passed_on(self) -> tuple[float, ...]:
        """Share of what reaches each stage but the last that it passed on (where nothing does, of all)."""
        arrived = np.arange(self.scores.shape[1])
        shares = []
        for row, cut in zip(self.confidences, self.thresholds, strict=True):
            there = arrived if len(arrived) else np.arange(len(row))
            shares.append(float((~(row[there] >= cut)).mean()))
            arrived = arrived[~(row[arrived] >= cut)]
        return tuple(shares)

    def at(self, place: float) -> Simulation:
        """The chain at ``place`` of its path: 0 accepts everything at once, 0.5 is as it ran, 1 asks the last stage only."""
        if place == OWN:
            return simulate(self.scores, self.costs, self.confidences, self.thresholds)
        wanted = [2 * place * q if place < OWN else q + (2 * place - 1) * (1 - q) for q in self.passed_on]
        return simulate(self.scores, self.costs, self.confidences, rate_thresholds(self.confidences, wanted))

    def price(self, shares: Sequence[float]) -> float:
        """Mean cost where each stage answers its share of the questions, whichever; what the run skipped is not asked."""
        asked = np.array([*(cut != DEFER for cut in self.thresholds), True])
        return float(np.cumsum(self.costs.mean(axis=1) * asked) @ np.asarray(shares))


@dataclass(frozen=True)
class ChainCurve:
    """(mean cost, mean score) by rising place: the chain's own, and its controls.

    Those pass on the same shares and cost what the stages cost on average.
    """

    points: tuple[tuple[float, float], ...]
    random: tuple[tuple[float, float], ...]
    oracle: tuple[tuple[float, float], ...]

    @property
    def worth(self) -> float | None:
        """How much of what an oracle gains over passing on by chance the confidence gains: 0 is chance, 1 the oracle.

        Of the areas under the three over the costs that all have; None where an oracle gains nothing.
        """
        asked = self.points[:-1]  # the last asks one stage only, for less
        low = max(min(c for c, _ in line) for line in (asked, self.random, self.oracle))
        high = min(max(c for c, _ in line) for line in (asked, self.random, self.oracle))
        if high <= low:
            return None
        own, chance, best = (area(line, low, high) for line in (asked, self.random, self.oracle))
        return None if best - chance < 1e-9 else (own - chance) / (best - chance)


def chain_curve(chains: Sequence[Recorded]) -> ChainCurve:
    """The curve of a chain over several runs (seeds), each on its own path: means over all their questions."""
    weights = np.array([c.scores.shape[1] for c in chains], np.float64)
    weights /= weights.sum()

    def mean(values: Sequence[float]) -> float:
        return float(weights @ np.array(values))

    found = [[c.at(place) for c in chains] for place in PLACES]
    points = tuple((mean([f.cost for f in row]), mean([f.score for f in row])) for row in found)
    random, oracle = [], []
    for place in CONTROLS:
        shares = [f.share for f in found[PLACES.index(place)]]
        cost = mean([c.price(s) for c, s in zip(chains, shares, strict=True)])
        random.append((cost, mean([random_deferral(c.scores, s) for c, s in zip(chains, shares, strict=True)])))
        oracle.append((cost, mean([oracle_deferral(c.scores, s) for c, s in zip(chains, shares, strict=True)])))
    return ChainCurve(points, tuple(random), tuple(oracle))


def rate_thresholds(confidences: Floats, quantiles: Sequence[float]) -> tuple[float, ...]:
    """One threshold per entry of ``quantiles``, each from the examples that reach its stage; rows of ``confidences`` are stages.

    A stage that nobody reaches accepts everything; NaN is passed on as -inf is.
    """
    arrived = np.arange(confidences.shape[1])
    cuts = []
    for row, quantile in zip(np.nan_to_num(confidences, nan=-np.inf, posinf=np.inf, neginf=-np.inf), quantiles, strict=False):
        cuts.append(quantile_threshold(row[arrived], quantile) if len(arrived) else float("-inf"))
        arrived = arrived[row[arrived] < cuts[-1]]
    return tuple(cuts)


def random_deferral(scores: Floats, shares: Sequence[float]) -> float:
    """Expected mean score where each stage answers its share of the questions at random; ``scores`` are [stage, example]."""
    return float(scores.mean(axis=1) @ np.asarray(shares))


def oracle_deferral(scores: Floats, shares: Sequence[float]) -> float:
    """Best mean score where each stage answers its share (rounded to whole questions): no confidence can do better.

    A transport problem between questions, those of equal scores taken together, and stages: its optimum is whole, so the
    linear program is exact.
    """
    stages, n = scores.shape
    kinds, counts = np.unique(scores, axis=1, return_counts=True)
    ends = np.round(np.cumsum(shares) * n).astype(int)
    seats = np.diff(np.array([0, *ends[:-1], n]))
    columns = np.arange(stages * len(counts))
    stage, kind = np.divmod(columns, len(counts))
    rows = np.concatenate([stage, stages + kind])
    sums: Any = coo_array((np.ones(len(rows)), (rows, np.tile(columns, 2))), shape=(stages + len(counts), len(columns)))
    found: Any = linprog(-kinds.ravel(), A_eq=sums.tocsr(), b_eq=np.concatenate([seats, counts]), method="highs")
    return float(-found.fun / n)


def area(points: Sequence[tuple[float, float]], low: float, high: float) -> float:
    """Mean score over the costs from ``low`` to ``high`` (trapezoids), both within what ``points`` (cost, score) span."""
    best: dict[float, float] = {}
    for cost, score in points:
        best[cost] = max(score, best.get(cost, -np.inf))
    costs = np.array(sorted(best))
    x = np.array([low, *costs[(costs > low) & (costs < high)], high])
    return float(np.trapezoid(np.interp(x, costs, [best[c] for c in costs]), x) / (high - low))
