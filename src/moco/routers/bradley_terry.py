"""Ratings from battles (Bradley-Terry), and how like past questions are to a new one (RouteLLM, arXiv 2406.18665).

A logistic regression without intercept and penalty, as RouteLLM's, summed up to one table of wins between members, so that a fit
costs a few steps of Newton on [member, member] numbers and can be made anew for every question. scikit-learn would fit the
same from one row per battle, a thousand times larger.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

Floats = np.ndarray[Any, np.dtype[np.float64]]
SCALE, START = 400.0, 1000.0
"""Elo points per factor of ten in the odds, and the mean rating."""
PULL = 1e-6
"""Faint pull to equal ratings per battle: whoever wins every battle still has a finite rating."""


def ratings(wins: Floats) -> Floats:
    """(member,) natural log-odds ratings of mean 0; ``wins[k, l]`` is the weight of battles that k won against l.

    The maximum of the likelihood of Bradley-Terry; ties are half a win each way. Newton from zero, steps of at most 2.
    """
    n = len(wins)
    total = wins + wins.T
    pull = PULL * max(float(total.sum()), 1e-12)
    theta = np.zeros(n)
    for _ in range(100):
        p = expit(theta[:, None] - theta[None, :])
        slope = (wins - total * p).sum(axis=1) - pull * theta
        curve = total * p * (1 - p)
        hessian = np.diag(curve.sum(axis=1)) - curve + pull * np.eye(n)
        step = np.linalg.solve(hessian, slope)
        step -= step.mean()
        theta += step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-10:
            break
    out: Floats = theta - theta.mean()
    return out


def elo(theta: Floats) -> Floats:
    """Log-odds ratings in Elo points of mean 1000."""
    out: Floats = START + SCALE / np.log(10) * theta
    return out


def similarity_weights(similarities: Floats) -> Floats:
    """Weights 10 x 10^(s / max s) of past battles, from cosines (RouteLLM's); the nearest one weighs 100.

    Where no similarity is positive, the division is by the size of the largest, so that nearer still weighs more.
    """
    top = max(abs(float(similarities.max())), 1e-12)
    out: Floats = 10.0 * 10.0 ** (similarities / top)
    return out
