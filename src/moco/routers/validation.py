"""How good a router is, told by dev questions that it has not learned from; the same tells which setting to take.

Test is never looked at. Every score of a held-out question comes from a head fitted on the other folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.special import expit, logit

from moco.routers.choice import best
from moco.routers.heads import Head, Setting, learn_each, scores
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
    """Platt's scaling of held-out scores [example, member] to the qualities they should have told.

    Scores that count against themselves say nothing of the level: that is then the mean quality.
    """
    fitted = fit_logistic(found.reshape(-1, 1), quality.reshape(-1), l2=1e-3)
    slope, level = fitted.weights[0] / fitted.scale[0], fitted.bias
    if slope < LEAST_SLOPE:
        slope, level = LEAST_SLOPE, float(logit(np.clip(quality.mean(), 0.01, 0.99)))
    return Scale(slope, level - slope * fitted.centre[0])


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
    head: Head, x: Floats, target: Floats, found: Outcomes, settings: Sequence[Setting], seed: int, count: int, labelled: bool
) -> list[Floats]:
    """For each setting the [example, member] scores of every dev question by a head that has not seen it."""
    out = [np.zeros_like(target) for _ in settings]
    every = np.arange(len(x))
    for part in folds(found, count, _numbers(seed)):
        kept = np.setdiff1d(every, part)
        if labelled:
            kept = np.intersect1d(kept, teaching(target))
        if len(kept):
            begin = partial(_numbers, seed + 1)
            for held, learned in zip(out, learn_each(head, x[kept], target[kept], begin, settings), strict=True):
                held[part] = scores(head, learned, x[part])
    return out


def _numbers(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


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
    for setting, held in zip(settings, held_out(head, x, target, found, settings, seed, count, labelled), strict=True):
        scale = scale_of(held, quality) if head.log_odds else None
        chosen = best(held if scale is None else scale.quality(held), costs, weight)
        value = float((quality[rows, chosen] - (weight * costs[chosen] if np.isfinite(weight) else 0.0)).mean())
        options.append((round(value, 9), setting, held, scale))
    value, setting, held, scale = max(options, key=lambda option: option[0])
    return Validated(setting, held, scale, tuple((s, v) for v, s, _, _ in options))
