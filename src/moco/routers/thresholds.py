"""Thresholds of a chain of models, chosen on dev, and what a chain with given thresholds does.

Arrays are [stage, example], stages from cheap to expensive. A stage accepts iff its confidence is at least its threshold;
the last one always accepts. Costs add up along the chain: whoever reaches stage 2 has paid stage 1, unless stage 1 accepts
nothing (threshold `DEFER`): such a stage is not asked at all.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moco.core.errors import ConfigError

Floats = np.ndarray[Any, np.dtype[np.float64]]
ACCEPT, DEFER = float("-inf"), float("inf")
"""Thresholds of a stage that accepts everything, or nothing."""
EXACT_STAGES = 2
"""Up to so many thresholds all combinations are tried; beyond, one at a time is improved until none can be."""


def quantile_threshold(confidences: Sequence[float] | Floats, quantile: float) -> float:
    """The threshold below which the share ``quantile`` of ``confidences`` lies (linear interpolation).

    0 accepts everything and 1 nothing, also beyond the range seen. -inf (no usable confidence) counts as lowest and is
    deferred by every threshold but that of quantile 0; where all confidences are equal, all are accepted.
    """
    values = np.sort(np.asarray(confidences, np.float64))
    if quantile <= 0:
        return ACCEPT
    if quantile >= 1:
        return DEFER
    finite = values[np.isfinite(values)]
    if not len(finite):
        return DEFER
    place = round((len(values) - 1) * quantile, 9)  # a rounding error past a value would pass on all that equal it
    low, high = values[int(np.floor(place))], values[int(np.ceil(place))]
    if not np.isfinite(low):
        return float(finite[0])
    return float(low + (high - low) * (place - np.floor(place)))


def stopping_stage(confidences: Floats, thresholds: Sequence[float]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """(example,) the stage that answers each example; ``thresholds`` has one entry per stage but the last."""
    cuts = np.asarray(thresholds, np.float64)
    accepted = np.vstack([confidences[: len(cuts)] >= cuts[:, None], np.ones(confidences.shape[1], bool)])
    stage: np.ndarray[Any, np.dtype[np.int64]] = accepted.argmax(axis=0).astype(np.int64)
    return stage


@dataclass(frozen=True)
class Simulation:
    """What a chain did on dev. ``share`` of the examples is answered by each stage; score and cost are means per example."""

    share: tuple[float, ...]
    score: float
    cost: float


def simulate(scores: Floats, costs: Floats, confidences: Floats, thresholds: Sequence[float]) -> Simulation:
    """Run the chain over recorded outcomes[stage, example]; ``confidences`` needs no row for the last stage."""
    stage = stopping_stage(confidences, thresholds)
    picked = np.arange(scores.shape[1])
    share = np.bincount(stage, minlength=len(scores)) / len(picked)
    asked = np.append(np.asarray(thresholds, np.float64) != DEFER, True)
    cost = np.cumsum(costs * asked[:, None], axis=0)[stage, picked].mean()
    return Simulation(tuple(float(s) for s in share), float(scores[stage, picked].mean()), float(cost))


def optimize(
    scores: Floats,
    costs: Floats,
    confidences: Floats,
    *,
    budget: float | None = None,
    cost_weight: float = 0.0,
    enough: float | None = None,
    grid: int = 64,
) -> tuple[float, ...]:
    """Thresholds with the best mean of score - ``cost_weight`` x cost whose mean cost is at most ``budget``.

    A score of ``enough`` is as good as any larger one, so that among the chains that reach it the cheapest is taken.

    Searches at most ``grid`` cuts per stage, between confidences seen, besides accepting all and none: all combinations up
    to three stages, coordinate ascent beyond. Equals go to the cheaper chain, then to the lower thresholds. Raises
    ConfigError where even the cheapest stage alone costs more than ``budget`` (source: FrugalGPT, arXiv 2305.05176).
    """
    means = costs.mean(axis=1)
    cheapest = int(means.argmin())
    if budget is not None and means[cheapest] > budget + 1e-12:
        raise ConfigError(
            f"a budget of {budget:g} per query is less than the cheapest member costs ({means[cheapest]:g})",
            remedy="raise the budget, or add a cheaper member",
        )
    cuts = [_cuts(row, grid) for row in confidences[: len(scores) - 1]]

    def worth(thresholds: Sequence[float]) -> tuple[float, ...]:
        found = simulate(scores, costs, confidences, thresholds)
        feasible = budget is None or found.cost <= budget + 1e-12
        score = found.score if enough is None else min(found.score, enough)
        value = round(score - cost_weight * found.cost, 12) if feasible else float("-inf")
        return (value, -round(found.cost, 12), *(-t for t in thresholds))

    if len(cuts) <= EXACT_STAGES:
        return max(itertools.product(*cuts), key=worth)
    best = tuple(DEFER if stage < cheapest else ACCEPT for stage in range(len(cuts)))  # the cheapest chain is feasible
    while True:
        before = best
        for stage, options in enumerate(cuts):
            best = max((*(best[:stage] + (t,) + best[stage + 1 :] for t in options), best), key=worth)
        if best == before:
            return best


def _cuts(confidences: Floats, grid: int) -> list[float]:
    """Candidate thresholds of one stage: accept all, its least finite value, midpoints between neighbours, accept none."""
    seen = np.unique(confidences[np.isfinite(confidences)])
    between = (seen[1:] + seen[:-1]) / 2
    if len(between) > grid:
        between = between[np.linspace(0, len(between) - 1, grid).round().astype(int)]
    return [ACCEPT, *seen[:1].tolist(), *between.tolist(), DEFER]
