"""Thresholds of a chain of models, chosen on dev, and what a chain with given thresholds does.

Arrays are [stage, example], stages from cheap to expensive. A stage accepts iff its confidence is at least its threshold;
the last one always accepts. Costs add up along the chain: whoever reaches stage 2 has paid stage 1, unless stage 1 accepts
nothing (threshold `DEFER`): such a stage is not asked at all.
"""

from __future__ import annotations

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
ROUNDS = 100
"""Most rounds of improving one at a time; a few are enough, and equals that rounding tells apart must not go round for ever."""
COARSE, FINE = 12, 64
"""Cuts per stage while many chains are compared, and for one that is taken."""


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


@dataclass(frozen=True)
class Aim:
    """What thresholds and chains are chosen for: the best mean score less ``cost_weight`` x mean cost, of at most ``budget``.

    A score of ``enough`` is as good as any larger one, so that among the chains that reach it the cheapest is taken.
    """

    budget: float | None = None
    cost_weight: float = 0.0
    enough: float | None = None

    def worth(self, score: Any, cost: Any) -> tuple[Floats, Floats]:
        """(value, -cost) of mean scores and costs, to be compared in this order; the value is -inf where it is too dear.

        Values are rounded to 12 digits and costs to 36 bits of theirs, so that equals are equal however they were added up.
        """
        capped = np.minimum(score, np.inf if self.enough is None else self.enough)
        value: Floats = np.round(capped - self.cost_weight * cost, 12)
        mantissa, exponent = np.frexp(cost)
        saving: Floats = -np.ldexp(np.round(np.ldexp(mantissa, 36)), exponent - 36)
        return (value if self.budget is None else np.where(cost <= self.budget * (1 + 1e-9), value, -np.inf)), saving

    def cut(self, scores: Floats, costs: Floats, confidences: Floats, grid: int = FINE) -> tuple[float, ...]:
        """The best thresholds of one chain, rows in its order; see `optimize`."""
        return optimize(scores, costs, confidences, self, grid)


ANY = Aim()
"""The best score, whatever it costs."""


def optimize(scores: Floats, costs: Floats, confidences: Floats, aim: Aim = ANY, grid: int = FINE) -> tuple[float, ...]:
    """The thresholds that serve ``aim`` best on recorded outcomes; ``confidences`` needs no row for the last stage.

    Searches at most ``grid`` cuts per stage, between confidences seen, besides accepting all and none: all combinations up
    to three stages, coordinate ascent beyond. Equals go to the cheaper chain, then to the lower thresholds. Raises
    ConfigError where even the cheapest stage alone costs more than the budget (source: FrugalGPT, arXiv 2305.05176).
    """
    means = costs.mean(axis=1)
    cheapest = int(means.argmin())
    if aim.worth(0.0, means[cheapest])[0] == -np.inf:
        raise ConfigError(
            f"a budget of {aim.budget:g} per query is less than the cheapest member costs ({means[cheapest]:g})",
            remedy="raise the budget, or add a cheaper member",
        )
    cuts = [_cuts(row, grid) for row in confidences[: len(scores) - 1]]
    passed = [(~(row >= cut[:, None])).astype(np.float64) for row, cut in zip(confidences, cuts, strict=False)]

    def best_of(places: Sequence[int], free: Sequence[int]) -> list[int]:
        """``places`` of cuts with those of the stages in ``free`` replaced by the best."""
        parts = [slice(None) if stage in free else slice(place, place + 1) for stage, place in enumerate(places)]
        shown = [[row[part] for row, part in zip(rows, parts, strict=True)] for rows in (cuts, passed)]
        value, saving = aim.worth(*_means(scores, costs, *shown))
        first = np.where(value == value.max(), saving, -np.inf).argmax()  # of equals: cuts rise, so it has the lowest
        found = np.unravel_index(first, value.shape)
        return [int(part.start or 0) + int(place) for part, place in zip(parts, found, strict=True)]

    if not cuts:
        return ()
    best = [len(cut) - 1 if stage < cheapest else 0 for stage, cut in enumerate(cuts)]  # the cheapest stage alone
    if len(cuts) <= EXACT_STAGES:
        best = best_of(best, range(len(cuts)))
    else:
        for _ in range(ROUNDS):
            before = best
            for stage in range(len(cuts)):
                best = best_of(best, [stage])
            if best == before:
                break
    return tuple(float(cut[place]) for cut, place in zip(cuts, best, strict=True))


def _means(scores: Floats, costs: Floats, cuts: Sequence[Floats], passed: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Mean scores and costs of every combination of ``cuts``, [first stage's, second's, ...].

    ``passed`` [cut, example] is 1 where a cut of that stage passes on. Up to the first stage with several cuts by who reaches it,
    from the last one back to it by what becomes of every example, [combination, example]; a product there takes the sum.
    """
    asked = [(cut != DEFER).astype(np.float64) for cut in cuts]
    shape = [len(cut) for cut in cuts]
    free = next((stage for stage, count in enumerate(shape) if count > 1), 0)
    here, paid, earned = np.ones(scores.shape[1]), 0.0, 0.0
    for stage in range(free):
        paid += asked[stage][0] * (here @ costs[stage])
        earned += here @ scores[stage]
        here = here * passed[stage][0]
        earned -= here @ scores[stage]
    score, cost = scores[-1:], costs[-1:]
    for stage in range(len(cuts) - 1, free, -1):
        on, own = passed[stage][:, None], asked[stage][:, None, None] * costs[stage]
        score = (scores[stage] + on * (score - scores[stage])).reshape(-1, len(here))
        cost = (own + on * cost).reshape(-1, len(here))
    earned = earned + here @ scores[free] + passed[free] @ (here * (score - scores[free])).T
    paid = paid + (asked[free] * (here @ costs[free]))[:, None] + passed[free] @ (here * cost).T
    return earned.reshape(shape) / len(here), paid.reshape(shape) / len(here)


def _cuts(confidences: Floats, grid: int) -> Floats:
    """Candidate thresholds of one stage, rising: accept all, least finite value, midpoints between neighbours, accept none."""
    seen = np.unique(confidences[np.isfinite(confidences)])
    between = (seen[1:] + seen[:-1]) / 2
    if len(between) > grid:
        between = between[np.linspace(0, len(between) - 1, grid).round().astype(int)]
    return np.concatenate([[ACCEPT], seen[:1], between, [DEFER]])
