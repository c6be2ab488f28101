"""How much of the way from the weak to the strong member a router goes, and at what price (RouteLLM, arXiv 2406.18665).

A curve is pairs of cost and quality; cost is the share of calls to the strong member, or any cost on a scale on which the weak
member is 0 and the strong one 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]
QUALITIES = (0.2, 0.5, 0.8)
"""How much of the gap CPT asks for."""


def area_under(cost: Sequence[float] | Floats, quality: Sequence[float] | Floats) -> float:
    """Mean quality over costs 0 to 1 (trapezoids); beyond its ends the curve keeps its last value."""
    x, y = _ordered(cost, quality)
    inside = (x > 0) & (x < 1)
    grid = np.concatenate([[0.0], x[inside], [1.0]])
    values = np.concatenate([[np.interp(0.0, x, y)], y[inside], [np.interp(1.0, x, y)]])
    return float(np.trapezoid(values, grid))


def gap_recovered(cost: Sequence[float] | Floats, quality: Sequence[float] | Floats, weak: float, strong: float) -> float | None:
    """APGR: (mean quality - weak) / (strong - weak); 0.5 is routing at random. None where the strong member is not better."""
    return None if strong <= weak else (area_under(cost, quality) - weak) / (strong - weak)


def cost_to_reach(
    cost: Sequence[float] | Floats, quality: Sequence[float] | Floats, weak: float, strong: float, share: float
) -> float | None:
    """CPT: the least cost at which the curve (linear between points) reaches weak + ``share`` x (strong - weak).

    None where it never does, or the strong member is not better.
    """
    if strong <= weak:
        return None
    wanted = weak + share * (strong - weak)
    x, y = _ordered(cost, quality)
    above = np.flatnonzero(y >= wanted - 1e-12)
    if not len(above):
        return None
    i = int(above[0])
    if i == 0 or y[i] == y[i - 1]:
        return float(x[i])
    return float(x[i - 1] + (x[i] - x[i - 1]) * (wanted - y[i - 1]) / (y[i] - y[i - 1]))


def _ordered(cost: Sequence[float] | Floats, quality: Sequence[float] | Floats) -> tuple[Floats, Floats]:
    """By cost, the best quality at each cost."""
    best: dict[float, float] = {}
    for c, q in zip(cost, quality, strict=True):
        best[float(c)] = max(float(q), best.get(float(c), -np.inf))
    return np.array(sorted(best)), np.array([best[c] for c in sorted(best)])
