"""What sessions ask of their model's engine: to write on (``Extension``), or to read places without writing (``Look``).

Invariant: a job holds all that decides its answer (ids, sampling, seed); what the engine keeps of earlier jobs only saves time.
Jobs are made on the event loop and worked on in the device's thread, never in both at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from moco.core.types import Sampling
from moco.models.session import SegmentFinish, Step, Until
from moco.models.streams import Codec, Logits

Ids = tuple[int, ...]


class Seat:
    """A session's place in the engine; equal only to itself. ``left``: the session has ended and keeps nothing."""

    def __init__(self, origin: Seat | None = None) -> None:
        self.origin, self.left = origin, False


def common(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of the longest common prefix."""
    n = min(len(a), len(b))
    if a[:n] == b[:n]:
        return n
    return next(i for i in range(n) if a[i] != b[i])


def growth(codec: Codec, before: Sequence[int], ids: Sequence[int]) -> str:
    """Text that ``ids`` add behind ``before``; "" as long as they end inside a character."""
    piece = codec.piece(before[-8:], ids)
    return "" if piece.endswith("\ufffd") else piece


@dataclass(frozen=True, eq=False)
class Reading:
    """One row to read: ``ids``, and the lengths (ascending, the last is all) after which the next token is wanted."""

    ids: Ids
    places: tuple[int, ...]


def readings(contexts: Sequence[Ids]) -> list[Reading]:
    """The fewest rows in which every context is a prefix of a row, the longest row first."""
    rows: list[tuple[Ids, set[int]]] = []
    for context in sorted(set(contexts), key=len, reverse=True):
        for ids, places in rows:
            if ids[: len(context)] == context:
                places.add(len(context))
                break
        else:
            rows.append((context, {len(context)}))
    return [Reading(ids, tuple(sorted(places))) for ids, places in rows]


@dataclass(eq=False)
class Look:
    """``read(logits)`` of the raw logits (contexts, vocabulary) after each of ``contexts``; nothing is written."""

    seat: Seat
    contexts: Sequence[Ids]
    read: Callable[[Logits], Any]
    readings: list[Reading] = field(init=False)
    seen: dict[Ids, Any] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.readings = readings(self.contexts)

    @property
    def complete(self) -> bool:
        return len(self.seen) == sum(len(r.places) for r in self.readings)

    def logits(self) -> Logits:
        return np.stack([self.seen[c] for c in self.contexts])


@dataclass(eq=False)
class Extension:
    """Writing behind ``prompt`` + ``ids``, at most ``limit`` >= 1 tokens. Holds its result when ``take`` has said False.

    ``settled``: how many of ``ids`` are whole in the text, the rest being part of a character; ``recent``: the end of what
    was written before without a break, where a stop string may have begun; ``back``: characters of it that a stop string took.
    """

    seat: Seat
    prompt: Ids
    ids: list[int]
    settled: int
    codec: Codec
    eos: tuple[int, ...]
    sampling: Sampling
    seed: int
    limit: int
    until: Until | None = None
    recent: str = ""
    steps: list[Step] = field(default_factory=list)
    refused: Step | None = None
    finish: SegmentFinish = "length"
    text: str = ""
    back: int = 0

    @property
    def context(self) -> Ids:
        return (*self.prompt, *self.ids)

    @property
    def position(self) -> int:
        return len(self.ids)

    @property
    def drawn(self) -> int:
        """Tokens drawn, the refused one included."""
        return len(self.steps) + (self.refused is not None)

    def take(self, token: int, logprob: float) -> bool:
        """Judge a token and accept it; False when the job has ended. Raises what ``until`` raises."""
        index = len(self.steps)
        if token in self.eos:
            self.refused, self.finish = Step("", token, logprob, True, index), "eos"
            return False
        before = (*self.prompt[-8:], *self.ids[max(0, self.settled - 8) : self.settled])
        piece = growth(self.codec, before, [*self.ids[self.settled :], token])
        step = Step(piece, token, logprob, False, index)
        if self.until is not None and self.until(step):
            self.refused, self.finish = step, "until"
            return False
        self.ids.append(token)
        self.steps.append(step)
        if piece:
            self.text += piece
            self.settled = len(self.ids)
            if self._stopped(piece):
                return False
        return len(self.steps) < self.limit

    def _stopped(self, piece: str) -> bool:
        stops = [s for s in self.sampling.stop if s]
        if not stops:
            return False
        reach = max(map(len, stops)) - 1
        scanned = self.recent + piece
        at = min((found for s in stops if (found := scanned.find(s)) >= 0), default=-1)
        self.recent = scanned[len(scanned) - reach :] if reach else ""
        if at < 0:
            return False
        kept = len(self.text) - (len(scanned) - at)
        self.text, self.back, self.finish = self.text[: max(kept, 0)], max(-kept, 0), "stop"
        return True
