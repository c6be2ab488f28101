"""Fusion: the weighted mean of the members' distributions, geometric (of logits) or arithmetic (of probabilities)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from moco.decoding.rule import Rule, Step, shares
from moco.models.streams import Logits


@dataclass(frozen=True)
class _Mean(Rule):
    """``weights``: one per member, None for equal ones; members of weight 0 take no part.

    ``missing``: a token that a member lacks is left out ("drop"), or the mean is over those that have it ("renorm").
    """

    weights: tuple[float, ...] | None = None
    missing: Literal["drop", "renorm"] = "drop"

    @property
    def union(self) -> bool:
        return self.missing == "renorm"

    def chosen(self, members: int) -> Sequence[int]:
        return [int(i) for i in np.flatnonzero(shares(self.weights, members))]

    def parts(self, step: Step) -> list[tuple[int, np.float32]]:
        """Members that take part, with their shares."""
        share = shares(self.weights, step.members)
        return [(i, share[i]) for i in self.chosen(step.members)]


def _whole(step: Step, parts: Sequence[tuple[int, np.float32]]) -> bool:
    first = step.known[parts[0][0]]
    return all((step.known[i] == first).all() for i, _ in parts)


class LogitMean(_Mean):
    """s = sum_i w_i l_i: the normalised weighted geometric mean of the distributions (logarithmic opinion pool).

    Each l_i differs from log p_i by a constant, so the mean of log-probabilities is the same law; it is what is computed
    where the means of different tokens are over different members.
    """

    def combine(self, step: Step) -> Logits:
        parts = self.parts(step)
        if _whole(step, parts):
            scores = step.logits(parts[0][0]) * parts[0][1]
            for i, w in parts[1:]:
                scores += step.logits(i) * w
            return scores
        scores = np.zeros((len(step), len(step.known[parts[0][0]])), np.float32)
        mass = np.zeros(scores.shape[1], np.float32)
        for i, w in parts:
            scores += np.where(step.known[i], step.logprobs(i) * w, np.float32(0))
            mass += step.known[i] * w
        return np.where(mass > 0, scores / np.maximum(mass, np.float32(1e-30)), np.float32(-np.inf))


class ProbMean(_Mean):
    """s = log sum_i w_i p_i: the mixture of the distributions (linear opinion pool)."""

    def combine(self, step: Step) -> Logits:
        parts = self.parts(step)
        terms = [step.logprobs(i) + np.log(w) for i, w in parts]
        peak = terms[0]
        for term in terms[1:]:
            peak = np.maximum(peak, term)
        safe = np.where(np.isfinite(peak), peak, np.float32(0))
        total = np.sum([np.exp(term - safe) for term in terms], axis=0)
        if not _whole(step, parts):
            mass = np.sum([step.known[i] * w for i, w in parts], axis=0)
            total /= np.maximum(mass, np.float32(1e-30))
        with np.errstate(divide="ignore"):
            scores: Logits = safe + np.log(total)
        return np.where(np.isfinite(peak), scores, np.float32(-np.inf))
