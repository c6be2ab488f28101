"""Logistic regression on standardised features: the small estimator behind post-hoc scorers and calibration.

Deterministic: a convex problem solved from zero. Nothing is scored by a model that was fitted on it (`cross_fitted`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Logistic:
    """sigmoid(bias + sum of weights x (feature - centre) / scale); plain numbers, so it can be part of a fitted state."""

    weights: tuple[float, ...]
    bias: float
    centre: tuple[float, ...]
    scale: tuple[float, ...]

    def probability(self, x: Floats) -> Floats:
        """(example,) probabilities for features (example, feature)."""
        out: Floats = expit((x - np.array(self.centre)) / np.array(self.scale) @ np.array(self.weights) + self.bias)
        return out


def fit_logistic(x: Floats, y: Floats, l2: float = 1.0) -> Logistic:
    """Fit features (example, feature) to targets (example,) in [0, 1] by penalised maximum likelihood.

    ``l2`` weighs half the squared norm of the weights against the summed loss; the bias is free up to a faint pull to 0,
    so that targets that are all equal still have a solution.
    """
    centre, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 1e-12, scale, 1.0)
    z = (x - centre) / scale

    def loss(theta: Floats) -> tuple[float, Floats]:
        margin = z @ theta[:-1] + theta[-1]
        slack = expit(margin) - y
        pull = l2 * np.append(theta[:-1], 0.01 * theta[-1])
        value = float((np.logaddexp(0.0, margin) - y * margin).sum() + 0.5 * pull @ theta)
        return value, np.append(z.T @ slack, slack.sum()) + pull

    theta = np.asarray(minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B").x, np.float64)
    return Logistic(
        tuple(theta[:-1].tolist()), float(theta[-1]), tuple(np.asarray(centre).tolist()), tuple(np.asarray(scale).tolist())
    )


def cross_fitted(x: Floats, y: Floats, rng: np.random.Generator, folds: int = 5, l2: float = 1.0) -> Floats:
    """(example,) probability of each example from a model that has not seen it; a single example gets 0.5."""
    n = len(x)
    out = np.full(n, 0.5)
    for held in np.array_split(rng.permutation(n), min(folds, n)):
        kept = np.setdiff1d(np.arange(n), held)
        if len(kept):
            out[held] = fit_logistic(x[kept], y[kept], l2).probability(x[held])
    return out
