"""How much a confidence is worth: whether it ranks right answers above wrong ones, and whether it means what it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata

Floats = np.ndarray[Any, np.dtype[np.float64]]


def auroc(confidences: Sequence[float] | Floats, right: Sequence[float] | Floats) -> float | None:
    """Probability that a right answer (score of at least 0.5) is surer than a wrong one, ties counting half.

    None where all answers are right or all are wrong. 0.5 is a confidence that says nothing.
    """
    good = np.asarray(right, np.float64) >= 0.5
    n, m = int(good.sum()), int((~good).sum())
    if not n or not m:
        return None
    ranks = rankdata(np.asarray(confidences, np.float64))
    return float((ranks[good].sum() - n * (n + 1) / 2) / (n * m))


@dataclass(frozen=True)
class Bin:
    """Examples of similar confidence: how many, their mean confidence and mean score."""

    n: int
    confidence: float
    score: float


def reliability(confidences: Sequence[float] | Floats, scores: Sequence[float] | Floats, bins: int = 10) -> list[Bin]:
    """The points of a calibration plot: up to ``bins`` groups of about equal size, by rising confidence in [0, 1]."""
    order = np.argsort(np.asarray(confidences, np.float64), kind="stable")
    sure, score = np.asarray(confidences, np.float64)[order], np.asarray(scores, np.float64)[order]
    parts = [p for p in np.array_split(np.arange(len(order)), bins) if len(p)]
    return [Bin(len(p), float(sure[p].mean()), float(score[p].mean())) for p in parts]


def calibration_error(confidences: Sequence[float] | Floats, scores: Sequence[float] | Floats, bins: int = 10) -> float:
    """Expected calibration error: mean distance of confidence and score over equal-size bins, in [0, 1]."""
    found = reliability(confidences, scores, bins)
    total = sum(b.n for b in found)
    return sum(b.n * abs(b.confidence - b.score) for b in found) / total if total else 0.0
