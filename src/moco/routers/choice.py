"""From scores to a decision: utility = quality - weight x cost, or a threshold on how likely the strong member wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
DIGITS = 9
"""Utilities that agree in so many digits are equal."""


def best(quality: Floats, costs: Floats, weight: float = 0.0) -> Ints:
    """(question,) the member of highest quality - ``weight`` x cost; equals go to the cheaper, then to the lower index.

    ``quality`` is [question, member], ``costs`` (member,). An infinite weight asks for the cheapest.
    """
    utility = np.round(quality - weight * costs, DIGITS) if np.isfinite(weight) else np.tile(-costs, (len(quality), 1))
    by_price = np.argsort(costs, kind="stable")
    out: Ints = by_price[utility[:, by_price].argmax(axis=1)].astype(np.int64)
    return out


def win_rate(scores: Floats, strong: int, weak: Ints, log_odds: bool) -> Floats:
    """(question,) probability that ``strong`` beats ``weak`` (one index per question), an equal result being half a win.

    From log-odds by the logistic function; from expected qualities as (1 + difference) / 2, which is exact for scores 0 and 1.
    Rounded like utilities, so that equal rates stay equal, whatever differences they come from.
    """
    apart = scores[:, strong] - scores[np.arange(len(scores)), weak]
    out: Floats = np.round(expit(apart) if log_odds else np.clip((1 + apart) / 2, 0.0, 1.0), DIGITS)
    return out


def share_threshold(rates: Sequence[float] | Floats, share: float) -> float:
    """The win rate from which on ``share`` of the questions go to the strong member (RouteLLM: linear quantile of 1 - share).

    Share 0 still gives it the questions of highest rate, because a rate equal to the threshold goes to the strong member.
    """
    return round(float(np.quantile(np.asarray(rates, np.float64), 1 - share)), DIGITS)


@dataclass(frozen=True)
class Rule:
    """How a router decides.

    ``costs`` (member,) are relative to the dearest member, ``strong`` is an index, ``log_odds`` as in `Head`.
    """

    costs: Floats
    weight: float
    strong: int
    log_odds: bool
    threshold: float | None = None
    """The strong member answers from this win rate over the best other on; None: the best utility decides."""

    def decide(self, scores: Floats, quality: Floats) -> tuple[Ints, Floats | None]:
        """(question,) who answers, and the strong member's win rates where they decide; both arrays are [question, member]."""
        if self.threshold is None or quality.shape[1] == 1:
            return best(quality, self.costs, self.weight), None
        weak = self.rival(quality)
        rates = win_rate(scores, self.strong, weak, self.log_odds)
        return np.where(rates >= self.threshold, self.strong, weak), rates

    def rival(self, quality: Floats) -> Ints:
        """(question,) the best member but the strong one."""
        others = np.array([k for k in range(quality.shape[1]) if k != self.strong], np.int64)
        chosen: Ints = others[best(quality[:, others], self.costs[others], self.weight)]
        return chosen
