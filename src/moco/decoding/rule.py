"""What a joint decoding method is: a ``Rule`` that turns the members' next-token scores into one distribution.

Invariant: a rule works row by row, in float32, over the joint vocabulary; it sees a member's scores only by asking the
``Step`` for them, and a member that nobody asks is not run (at the first question it reads what it missed at once).
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moco.core.errors import ConfigError
from moco.models.streams import Logits

Mask = NDArray[np.bool_]


def log_softmax(scores: Logits) -> Logits:
    """Natural-log probabilities (float32) along the last axis; a line of -inf stays one."""
    peak = scores.max(axis=-1, keepdims=True)
    shifted = scores - np.where(np.isfinite(peak), peak, np.float32(0))
    with np.errstate(divide="ignore"):
        out: Logits = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return np.where(np.isfinite(peak), out, np.float32(-np.inf))


@dataclass
class Step:
    """The next token of some rows. Members are numbered as in the group.

    ``ids``: what each row has emitted so far. ``known``: per member (vocabulary,) which tokens it has. ``pull(member)``
    computes its scores (rows, vocabulary).
    """

    ids: Sequence[Sequence[int]]
    members: int
    known: Mapping[int, Mask]
    pull: Callable[[int], Logits]
    asked: dict[int, Mask] = field(default_factory=dict)
    notes: list[defaultdict[str, float]] = field(default_factory=list)
    _pulled: dict[int, Logits] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.notes = [defaultdict(float) for _ in self.ids]

    def __len__(self) -> int:
        return len(self.ids)

    def logits(self, member: int, rows: Mask | None = None) -> Logits:
        """float32 scores (rows, vocabulary) of ``member``, -inf where it lacks a token.

        ``rows`` says which rows need them; the others are not charged. Lines of rows that nobody asked for are 0, if all are.
        """
        mask = np.ones(len(self), bool) if rows is None else rows
        if not mask.any():
            return np.zeros((len(self), len(self.known[member])), np.float32)
        self.asked[member] = self.asked.get(member, np.zeros(len(self), bool)) | mask
        if member not in self._pulled:
            self._pulled[member] = self.pull(member)
        return self._pulled[member]

    def logprobs(self, member: int, rows: Mask | None = None) -> Logits:
        """Natural-log probabilities (rows, vocabulary) of ``member`` over the tokens of the joint vocabulary that it has."""
        return log_softmax(self.logits(member, rows))

    def note(self, name: str, values: Sequence[float] | NDArray[Any]) -> None:
        """Add one number per row to the row's tally ``name``, which the answer's reason shows."""
        for tally, value in zip(self.notes, values, strict=True):
            tally[name] += value


class Rule:
    """Base of rules; to be derived as a frozen dataclass whose fields are JSON.

    ``union``: whether the joint vocabulary holds tokens that some members lack (else only what all have).
    """

    @property
    def union(self) -> bool:
        return False

    @property
    def name(self) -> str:
        return type(self).__name__

    def describe(self) -> Any:
        """The rule as JSON: equal laws, equal JSON."""
        return [f"{type(self).__module__}.{type(self).__qualname__}", dataclasses.asdict(self)]  # type: ignore[call-overload]

    def chosen(self, members: int) -> Sequence[int]:
        """Which of ``members`` take part; the others are never loaded. Raises ConfigError where the rule does not fit them."""
        return range(members)

    def combine(self, step: Step) -> Logits:
        """Unnormalised natural-log scores (rows, vocabulary), float32, of the joint distribution at temperature 1."""
        raise NotImplementedError


def shares(weights: Sequence[float] | None, members: int) -> NDArray[np.float32]:
    """Weights (members,) that sum to 1, uniform for None. Raises ConfigError for a wrong number, a negative or no mass."""
    if weights is None:
        return np.full(members, 1 / members, np.float32)
    given = np.asarray(weights, np.float64)
    if given.shape != (members,):
        raise ConfigError(f"{len(weights)} weights for {members} members", where="weights", remedy="give one per member")
    if not np.isfinite(given).all() or (given < 0).any() or given.sum() <= 0:
        raise ConfigError(f"weights {list(weights)} are no shares", where="weights", remedy="give numbers >= 0, one above 0")
    out: NDArray[np.float32] = (given / given.sum()).astype(np.float32)
    return out
