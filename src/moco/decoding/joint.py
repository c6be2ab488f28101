"""Token streams of a group: one stream per member, one distribution of all, by a ``Rule``.

A joint batch is a ``StreamBatch`` like a model's, so a group can be a member of a group. Invariant: every member reads its
own rendering of the prompt and then what was written together; a member is opened (and loaded) when a rule first asks it.
``ids`` of a joint batch are those written together, without the prompt.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moco.core.errors import BackendError, Fatal
from moco.decoding.rule import Rule, Step
from moco.decoding.vocabulary import MISSING, Alignment, JointCodec
from moco.models.decode import not_numbers
from moco.models.streams import Logits

Prompts = tuple[Any, ...]
"""One prompt per member that takes part, as its ``prompt(request)`` gave it."""


@dataclass(frozen=True)
class JointSaved:
    """A row of a group put aside."""

    prompts: Prompts
    ids: tuple[int, ...]
    parts: tuple[Any, ...]
    """What each member put aside; None for one that was never asked."""


class JointStreams:
    """Streams of the members ``chosen`` (their numbers in the group), combined by ``rule``."""

    def __init__(
        self,
        rule: Rule,
        alignment: Alignment,
        codec: JointCodec,
        *,
        chosen: Sequence[int],
        members: int,
        names: Sequence[str],
        sources: Sequence[Callable[[], Any]],
        max_rows: int,
    ) -> None:
        self.rule, self.alignment, self.codec, self.names, self.max_rows = rule, alignment, codec, names, max_rows
        self.chosen, self.members = tuple(chosen), members
        self.known = {m: alignment.usable & (alignment.maps[slot] != MISSING) for slot, m in enumerate(chosen)}
        self._sources = sources
        self._opened: dict[int, Any] = {}

    def source(self, slot: int) -> Any:
        """The streams of the ``slot``-th chosen member; its weights are loaded now."""
        if slot not in self._opened:
            self._opened[slot] = self._sources[slot]()
        return self._opened[slot]

    def open(self, prompts: Sequence[Prompts]) -> JointBatch:
        return JointBatch(self, list(prompts), [[] for _ in prompts])

    def attach(self, saved: Sequence[JointSaved]) -> JointBatch:
        batch = JointBatch(self, [s.prompts for s in saved], [list(s.ids) for s in saved])
        for slot in range(len(self.chosen)):
            parts = [s.parts[slot] for s in saved]
            if all(part is not None for part in parts):
                batch.parts[slot] = self.source(slot).attach(parts)
        return batch


class JointBatch:
    """Rows decoded together. ``failures`` names what is wrong with a row, ``notes`` what the rule noted of it, ``reach`` how
    many places of it each chosen member was asked for."""

    def __init__(self, streams: JointStreams, prompts: list[Prompts], ids: list[list[int]]) -> None:
        self.streams, self.prompts, self.ids = streams, prompts, ids
        self.parts: list[Any] = [None] * len(streams.chosen)
        self.failures: list[BackendError | None] = [None] * len(ids)
        self.notes: list[defaultdict[str, float]] = [defaultdict(float) for _ in ids]
        self.reach = [[0] * len(streams.chosen) for _ in ids]
        self._read: Logits | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def joinable(self) -> bool:
        return all(part is None or part.joinable for part in self.parts)

    def logits(self) -> Logits:
        """float32 (rows, vocabulary) scores of the joint distribution; a row with a failure has zeros."""
        if self._read is None:
            rows = list(range(len(self)))
            self._read = self._combine(self.ids, rows, lambda slot: self._part(slot).logits())
        return self._read

    def push(self, new: Sequence[Sequence[int]]) -> None:
        for slot, part in enumerate(self.parts):
            if part is not None:
                part.push([self._fed(slot, ids) for ids in new])
        for row, ids in zip(self.ids, new, strict=True):
            row.extend(ids)
        self._read = None

    def verify(self, new: Sequence[Sequence[int]]) -> list[Logits]:
        """Per row (len(new) + 1, vocabulary): before each new id and after the last; members read all of them at once."""
        rows = [row for row, ids in enumerate(new) for _ in range(len(ids) + 1)]
        texts = [[*self.ids[row], *ids[:n]] for row, ids in enumerate(new) for n in range(len(ids) + 1)]
        before = list(self.parts)
        asked: set[int] = set()

        def pull(slot: int) -> Logits:
            asked.add(slot)
            fed = [[self.streams.codec.feed(slot, i) for i in ids] for ids in new]
            out = self._part(slot).verify([[own for group in row for own in group] for row in fed])
            places = [np.cumsum([0, *map(len, row)]) for row in fed]
            return np.concatenate([found[at] for found, at in zip(out, places, strict=True)])

        scores = self._combine(texts, rows, pull)
        for slot, part in enumerate(before):
            if part is not None and slot not in asked:
                part.push([self._fed(slot, ids) for ids in new])
        for row, ids in zip(self.ids, new, strict=True):
            row.extend(ids)
        self._read = None
        return np.split(scores, np.cumsum([len(ids) + 1 for ids in new])[:-1])

    def keep(self, rows: Sequence[int]) -> None:
        self.prompts, self.ids = [self.prompts[i] for i in rows], [list(self.ids[i]) for i in rows]
        self.failures, self.notes = [self.failures[i] for i in rows], [self.notes[i].copy() for i in rows]
        self.reach = [list(self.reach[i]) for i in rows]
        for part in self.parts:
            if part is not None:
                part.keep(rows)
        self._read = None if self._read is None else self._read[list(rows)]

    def join(self, other: JointBatch) -> None:
        for slot, (mine, theirs) in enumerate(zip(self.parts, other.parts, strict=True)):
            if mine is not None or theirs is not None:
                self._part(slot).join(other._part(slot))
        self.prompts, self.ids = self.prompts + other.prompts, self.ids + other.ids
        self.failures, self.notes = self.failures + other.failures, self.notes + other.notes
        self.reach, self._read = self.reach + other.reach, None

    def crop(self, lengths: Sequence[int]) -> None:
        """Roll row i back to the first ``lengths[i]`` ids written together (0: to the prompt)."""
        for slot, part in enumerate(self.parts):
            if part is not None:
                dropped = [len(self._fed(slot, row[n:])) for row, n in zip(self.ids, lengths, strict=True)]
                part.crop([len(row) - n for row, n in zip(part.ids, dropped, strict=True)])
        self.ids = [row[:n] for row, n in zip(self.ids, lengths, strict=True)]
        self._read = None

    def detach(self, row: int) -> JointSaved:
        parts = tuple(None if part is None else part.detach(row) for part in self.parts)
        return JointSaved(self.prompts[row], tuple(self.ids[row]), parts)

    # -- the members

    def _part(self, slot: int) -> Any:
        """The rows of a member, opened at the first question with all that was written before it."""
        if self.parts[slot] is None:
            part = self.streams.source(slot).open([prompts[slot] for prompts in self.prompts])
            part.push([self._fed(slot, row) for row in self.ids])
            self.parts[slot] = part
        return self.parts[slot]

    def _fed(self, slot: int, ids: Sequence[int]) -> list[int]:
        return [own for i in ids for own in self.streams.codec.feed(slot, i)]

    def _combine(self, ids: Sequence[Sequence[int]], rows: list[int], pull: Callable[[int], Logits]) -> Logits:
        """Scores of places with ``ids`` written before, which belong to ``rows`` of this batch; ``pull(slot)``: logits there."""
        streams = self.streams
        slots = {member: slot for slot, member in enumerate(streams.chosen)}

        def scores_of(member: int) -> Logits:
            slot = slots[member]
            scores = streams.alignment.view(slot, pull(slot))
            peak = scores.max(axis=-1)
            bad = np.flatnonzero(np.isnan(peak) | (peak == np.inf))
            if len(bad):
                scores = scores.copy()
                scores[bad] = 0
                for place in bad.tolist():
                    self.failures[rows[place]] = not_numbers(streams.names[slot])
            return scores

        step = Step(ids, streams.members, streams.known, scores_of)
        scores = streams.rule.combine(step)
        peak = scores.max(axis=-1)
        for place in np.flatnonzero(~np.isfinite(peak)).tolist():
            self.failures[rows[place]] = self.failures[rows[place]] or Fatal(
                "no token has a probability above 0", where=streams.rule.name, why="the members exclude one another's tokens"
            )
        if not np.isfinite(peak).all():
            scores = np.where(np.isfinite(peak)[:, None], scores, np.float32(0))
        for member, mask in step.asked.items():
            for place in np.flatnonzero(mask).tolist():
                reach = self.reach[rows[place]]
                reach[slots[member]] = max(reach[slots[member]], len(ids[place]) + 1)
        for at, noted in enumerate(step.notes):
            for name, value in noted.items():
                self.notes[rows[at]][name] += value
        return scores
