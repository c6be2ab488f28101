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


def area_under(cost: Sequence[float] | Floats, quality: Sequence[float] | Floats, weak: float) -> float:
    """Mean quality over costs 0 to 1 (trapezoids), as RouteLLM's code takes it of curves that span them.

    A router that costs something at its cheapest cannot be had for less: below the curve's first cost it is the weak member, of
    quality ``weak``, that one gets for the price (no mixture of both: nobody runs it). Beyond its last cost the curve keeps its
    last value, since what is not spent does no harm.
    """
    x, y = _ordered(cost, quality)
    first = min(max(float(x[0]), 0.0), 1.0)
    inside = (x > first) & (x < 1)
    grid = np.concatenate([[first], x[inside], [1.0]])
    values = np.concatenate([[np.interp(first, x, y)], y[inside], [np.interp(1.0, x, y)]])
    return weak * first + float(np.trapezoid(values, grid))


def gap_recovered(cost: Sequence[float] | Floats, quality: Sequence[float] | Floats, weak: float, strong: float) -> float | None:
    """APGR: (mean quality - weak) / (strong - weak); 0.5 is routing at random, 0 a router dearer than the strong member.

    None where the strong member is not better.
    """
    return None if strong <= weak else (area_under(cost, quality, weak) - weak) / (strong - weak)


def cost_to_reach(
    cost: Sequence[float] | Floats, quality: Sequence[float] | Floats, weak: float, strong: float, share: float
) -> float | None:
    """CPT: the least cost at which the curve (linear between points) reaches weak + ``share`` x (strong - weak).

    At least the curve's first cost, which may be more than the strong member's (1). None where it never reaches that, or the
    strong member is not better.
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
