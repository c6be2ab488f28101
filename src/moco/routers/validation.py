"""How good a router is, told by dev questions that it has not learned from; the same tells which setting to take.

Test is never looked at. Every score of a held-out question comes from a head fitted on the other folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from moco.routers.choice import best
from moco.routers.heads import Head, Setting, learn, scores
from moco.routers.logistic import fit_logistic
from moco.routers.outcomes import EQUAL, Outcomes, folds

Floats = np.ndarray[Any, np.dtype[np.float64]]
LEAST_SLOPE = 1e-3
"""Scores never count against themselves when they are read as qualities."""


@dataclass(frozen=True)
class Scale:
    """Reads log-odds as qualities: sigmoid(slope x score + bias), the same for all members, so that their order is kept."""

    slope: float
    bias: float

    def quality(self, found: Floats) -> Floats:
        out: Floats = expit(self.slope * found + self.bias)
        return out


def scale_of(found: Floats, quality: Floats) -> Scale:
    """Platt's scaling of held-out scores [example, member] to the qualities they should have told."""
    fitted = fit_logistic(found.reshape(-1, 1), quality.reshape(-1), l2=1e-3)
    slope = max(fitted.weights[0] / fitted.scale[0], LEAST_SLOPE)
    return Scale(slope, fitted.bias - slope * fitted.centre[0] if slope > LEAST_SLOPE else fitted.bias)


@dataclass(frozen=True)
class Validated:
    """The chosen setting, its held-out scores [example, member], and the mean utility of every setting that was tried."""

    setting: Setting
    held: Floats
    scale: Scale | None
    tried: tuple[tuple[Setting, float], ...]

    def quality(self, found: Floats) -> Floats:
        """Scores as expected qualities in [0, 1]."""
        return found if self.scale is None else self.scale.quality(found)


def teaching(target: Floats) -> Any:
    """Rows of ``target`` [example, member] that say anything: labels are all zero where no member is better than another."""
    return np.flatnonzero(target.sum(axis=1) > EQUAL)


def held_out(
    head: Head, x: Floats, target: Floats, found: Outcomes, setting: Setting, seed: int, count: int, labelled: bool
) -> Floats:
    """[example, member] scores of every dev question by a head that has not seen it."""
    out = np.zeros_like(target)
    every = np.arange(len(x))
    for part in folds(found, count, np.random.Generator(np.random.Philox(key=seed))):
        kept = np.setdiff1d(every, part)
        if labelled:
            kept = np.intersect1d(kept, teaching(target))
        if len(kept):
            learned = learn(head, x[kept], target[kept], np.random.Generator(np.random.Philox(key=seed + 1)), setting)
            out[part] = scores(head, learned, x[part])
    return out


def validate(
    head: Head,
    x: Floats,
    target: Floats,
    found: Outcomes,
    settings: Sequence[Setting],
    *,
    seed: int,
    count: int = 5,
    weight: float = 0.0,
    labelled: bool = False,
) -> Validated:
    """Choose among ``settings`` by the mean utility of routing each dev question with scores it had no part in.

    ``target`` [example, member] is what the head learns (scores, or labels with ``labelled``); equals keep the earlier
    setting. The utility of the chosen one is an estimate that has seen the choice; all are kept, so that its size shows.
    """
    costs, quality = found.relative_costs, found.quality
    rows = np.arange(len(found))
    options: list[tuple[float, Setting, Floats, Scale | None]] = []
    for setting in settings:
        held = held_out(head, x, target, found, setting, seed, count, labelled)
        scale = scale_of(held, quality) if head.log_odds else None
        chosen = best(held if scale is None else scale.quality(held), costs, weight)
        value = float((quality[rows, chosen] - (weight * costs[chosen] if np.isfinite(weight) else 0.0)).mean())
        options.append((round(value, 9), setting, held, scale))
    value, setting, held, scale = max(options, key=lambda option: option[0])
    return Validated(setting, held, scale, tuple((s, v) for v, s, _, _ in options))
