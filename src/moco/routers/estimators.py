"""Logistic regression and a small network from question to the score of every member; scikit-learn fits, numpy answers.

What is kept are plain arrays, so a fitted router needs no scikit-learn, and nothing is ever unpickled.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.special import expit, logit

from moco.core.errors import ConfigError

Floats = np.ndarray[Any, np.dtype[np.float64]]
Arrays = dict[str, Any]
STEPS = 300
"""Most steps of L-BFGS of the network."""


def check_installed() -> None:
    """Raises ConfigError where scikit-learn is missing."""
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "this head needs scikit-learn", remedy='pip install "mocolab[router]", or use head: knn, mf, sw or elo'
        ) from error


def check_keepable() -> None:
    """Raises ConfigError where what is fitted could not be saved: arrays are kept with safetensors."""
    try:
        import safetensors  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "what this router learns is saved with safetensors, which is not installed",
            remedy='pip install "mocolab[router]"',
        ) from error


def learn_logistic(x: Floats, y: Floats, rng: np.random.Generator, *, strength: float = 10.0) -> Arrays:
    """One penalised logistic regression per member from ``x`` [example, direction] to ``y`` [example, member] in [0, 1].

    A score between 0 and 1 counts as both labels, weighted. ``strength`` is scikit-learn's C. A member whose scores are all
    0 or all 1 gets a constant near it.
    """
    from sklearn.linear_model import LogisticRegression

    weights, bias = np.zeros((y.shape[1], x.shape[1])), np.zeros(y.shape[1])
    for k, column in enumerate(y.T):
        share = np.concatenate([column, 1 - column])
        used = share > 0
        label = np.repeat([1, 0], len(x))[used]
        if len(set(label.tolist())) < 2:
            bias[k] = logit((column.sum() + 0.5) / (len(column) + 1))
            continue
        model = LogisticRegression(C=strength, max_iter=1000)
        model.fit(np.concatenate([x, x])[used], label, sample_weight=share[used])
        weights[k], bias[k] = model.coef_[0], model.intercept_[0]
    return {"weights": weights, "bias": bias}


def logistic_scores(learned: Arrays, x: Floats) -> Floats:
    """[question, member] probabilities."""
    out: Floats = expit(x @ learned["weights"].T + learned["bias"])
    return out


def learn_network(x: Floats, y: Floats, rng: np.random.Generator, *, penalty: float = 0.1, hidden: float = 32) -> Arrays:
    """A network with one hidden layer of rectifiers and one output per member, fitted by L-BFGS.

    Cross-entropy on sigmoid outputs where all scores are 0 or 1, squared error on plain outputs else. ``penalty`` is
    scikit-learn's alpha (L2).
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    binary = bool(np.isin(y, (0.0, 1.0)).all()) and y.shape[1] > 1
    make = MLPClassifier if binary else MLPRegressor
    seed = int(rng.integers(2**31))
    model = make((int(hidden),), solver="lbfgs", alpha=penalty, max_iter=STEPS, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # stopping early is part of the penalty
        model.fit(x, y.astype(np.int64) if binary else y)
    (one, two), (a, b) = model.coefs_, model.intercepts_
    return {"inner": one, "inner_bias": a, "outer": two, "outer_bias": b, "binary": np.array([binary])}


def network_scores(learned: Arrays, x: Floats) -> Floats:
    """[question, member] scores, clipped to [0, 1]."""
    inside = np.maximum(x @ learned["inner"] + learned["inner_bias"], 0.0)
    out: Floats = inside @ learned["outer"] + learned["outer_bias"]
    return expit(out) if learned["binary"][0] else np.clip(out, 0.0, 1.0)
