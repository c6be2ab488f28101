"""The whole cost-quality curve of a chain, its area, and the two controls it must lie between: chance and an oracle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moco.routers.thresholds import ACCEPT, DEFER, Simulation, quantile_threshold, simulate

Floats = np.ndarray[Any, np.dtype[np.float64]]
SHARES = tuple(i / 10 for i in range(11))


@dataclass(frozen=True)
class Point:
    """One setting of a chain: every stage passes on the share ``quantile`` of what reaches it."""

    quantile: float
    thresholds: tuple[float, ...]
    found: Simulation


def rate_thresholds(confidences: Floats, quantiles: Sequence[float]) -> tuple[float, ...]:
    """One threshold per entry of ``quantiles``, each from the examples that reach its stage; rows of ``confidences`` are stages.

    A stage that nobody reaches accepts everything.
    """
    arrived = np.arange(confidences.shape[1])
    cuts = []
    for row, quantile in zip(confidences, quantiles, strict=False):
        cuts.append(quantile_threshold(row[arrived], quantile) if len(arrived) else float("-inf"))
        arrived = arrived[row[arrived] < cuts[-1]]
    return tuple(cuts)


def curve(scores: Floats, costs: Floats, confidences: Floats, quantiles: Sequence[float] = SHARES) -> list[Point]:
    """The chain at several quantiles, the same at every stage; arrays are [stage, example]."""
    points = []
    for quantile in quantiles:
        cuts = rate_thresholds(confidences, [quantile] * (len(scores) - 1))
        points.append(Point(quantile, cuts, simulate(scores, costs, confidences, cuts)))
    return points


def sweep(scores: Floats, costs: Floats, confidences: Floats, given: Sequence[float] = (), most: int = 200) -> list[Point]:
    """A chain of two at every threshold that its outcomes tell apart, from `ACCEPT` to `DEFER`; ``quantile``: share passed on.

    ``scores`` and ``costs`` are [2, example], ``confidences`` (example,) those of the first stage, -inf where unusable. Of more
    than ``most`` distinct confidences as many are taken, evenly by rank; thresholds ``given`` are always there.
    """
    cuts = np.unique(confidences[np.isfinite(confidences)])
    if len(cuts) > most:
        cuts = cuts[np.linspace(0, len(cuts) - 1, most).round().astype(int)]
    every = [ACCEPT, *np.unique([*cuts, *given]).tolist(), DEFER]
    stages = confidences[None]
    return [Point(float((confidences < cut).mean()), (cut,), simulate(scores, costs, stages, (cut,))) for cut in every]


def area(points: Sequence[Point]) -> float:
    """Mean score over the range of mean costs that ``points`` span (trapezoids); their mean score where costs are equal."""
    by_cost = sorted((p.found.cost, p.found.score) for p in points)
    cost, score = (np.array(column) for column in zip(*by_cost, strict=True))
    width = cost[-1] - cost[0]
    return float(np.trapezoid(score, cost) / width) if width > 0 else float(score.mean())


def random_deferral(first: Floats, last: Floats, share: float) -> float:
    """Expected mean score of passing on a random ``share`` of the questions; scores are (example,)."""
    return float((1 - share) * first.mean() + share * last.mean())


def oracle_deferral(first: Floats, last: Floats, share: float) -> float:
    """Mean score of passing on the ``share`` (rounded to whole questions) that gains most by it: no confidence can do better."""
    gain = np.sort(last - first)[::-1]
    return float(first.mean() + gain[: round(share * len(gain))].sum() / len(gain))
