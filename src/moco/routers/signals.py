"""How sure a completion is of itself, from the log-probabilities of its own tokens (arXiv 2404.10136).

A signal depends on the emitted tokens alone, so it is the same alone and in any batch; larger always means surer.
Log-probabilities are natural, of the untempered distribution, the end token included and nothing after it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]

UNSURE = float("-inf")
"""The value of what gave no usable signal: below every threshold but that of a stage that accepts everything."""
LEVELS = tuple(i / 10 for i in range(11))
"""Quantiles of the log-probabilities among the features."""


def chow_sum(logprobs: Floats, alpha: float) -> float:
    """Log-probability of the whole answer."""
    return float(logprobs.sum())


def chow_average(logprobs: Floats, alpha: float) -> float:
    """Mean log-probability: the log of the geometric mean, minus the log of the perplexity."""
    return float(logprobs.mean())


def chow_quantile(logprobs: Floats, alpha: float) -> float:
    """The ``alpha``-quantile (linear) of the log-probabilities; 0 is the least sure token."""
    return float(np.quantile(logprobs, alpha))


def mean_prob(logprobs: Floats, alpha: float) -> float:
    """Arithmetic mean of the tokens' probabilities."""
    return float(np.exp(logprobs).mean())


def min_prob(logprobs: Floats, alpha: float) -> float:
    """Probability of the least sure token."""
    return float(np.exp(logprobs.min()))


SIGNALS: Mapping[str, Callable[[Floats, float], float]] = MappingProxyType(
    {
        "chow_sum": chow_sum,
        "chow_average": chow_average,
        "chow_quantile": chow_quantile,
        "mean_prob": mean_prob,
        "min_prob": min_prob,
    }
)


def signal(name: str, logprobs: Sequence[float], alpha: float = 0.0) -> float:
    """The signal ``name`` of ``SIGNALS``; ``UNSURE`` for no token at all and where the numbers are no numbers."""
    values = np.asarray(logprobs, np.float64)
    if not len(values) or np.isnan(values).any():
        return UNSURE
    return SIGNALS[name](values, alpha)


def features(logprobs: Sequence[float]) -> Floats:
    """(14,) what a post-hoc scorer sees: quantiles 0, .1, ... 1, mean and sum of the log-probabilities, and their number.

    Zeros where there is no token; -inf and NaN are read as a very unlikely token (-100).
    """
    values = np.nan_to_num(np.asarray(logprobs, np.float64), nan=-100.0, neginf=-100.0)
    if not len(values):
        return np.zeros(len(LEVELS) + 3)
    return np.array([*np.quantile(values, LEVELS), values.mean(), values.sum(), len(values)])


def probability(name: str, value: float) -> float | None:
    """``value`` of a signal as a probability in [0, 1], None where it is unusable; order is kept.

    Log-probabilities are exponentiated, log-odds (``p_true``) squashed; every other signal is a probability already.
    """
    if not np.isfinite(value):
        return None
    if name.startswith("chow_"):
        return float(np.exp(min(value, 0.0)))
    if name == "p_true":
        return float(1 / (1 + np.exp(-np.clip(value, -500, 500))))
    return float(value)


def scale_of(name: str) -> str:
    """What the numbers of signal ``name`` are, in a word."""
    if name.startswith("chow_"):
        return "log-probability"
    return "log-odds" if name == "p_true" else "probability"


def even_odds(name: str) -> float:
    """The value of signal ``name`` that stands for a probability of one half."""
    if name.startswith("chow_"):
        return float(np.log(0.5))
    return 0.0 if name == "p_true" else 0.5
