"""The joint decode loop: rows of a group, token by token, with the sampler, the stops and the bookkeeping of every model.

Invariant: what a row emits depends on its prompts, sampling and seed alone. One uniform per (seed, position); order: rule,
temperature, top-k, top-p, min-p, draw. Finished rows leave and waiting ones join between steps; out of memory halves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from moco.core.errors import BackendError
from moco.decoding.joint import JointBatch, JointStreams, Prompts
from moco.models.decode import SCORE_ENTRIES, halving, persist
from moco.models.protocol import Counters, TokenScores
from moco.models.running import Deliver, Emitted, More, Row, Work, take
from moco.models.sampler import Floats, Ints, Params, draw, draw_torch, log_softmax
from moco.models.streams import Logits
from moco.models.tokens import Tail


@dataclass(frozen=True)
class JointRow(Row):
    """One question to continue; ``prompt`` is the first member's, ``prompts`` hold one per member that takes part."""

    prompts: Prompts = ()


@dataclass
class JointEmitted(Emitted):
    """``reach``: places that each member was asked for; ``notes``: what the rule noted."""

    reach: list[int] = field(default_factory=list)
    notes: Mapping[str, float] = field(default_factory=dict)


class JointDecoder:
    """Runs rows through ``streams()``. Not thread-safe: one device thread calls it."""

    def __init__(self, streams: Callable[[], JointStreams], *, name: str, device: str, max_rows: int, counters: Counters) -> None:
        self._streams, self.name, self.device, self.max_rows, self.counters = streams, name, device, max_rows, counters

    def serve(self, rows: Sequence[JointRow], deliver: Deliver, more: More = lambda n: ()) -> None:
        """Decode ``rows`` and those that ``more(n)`` brings meanwhile; ``deliver(i, result)`` as each ends.

        Raises Fatal if a member fails as a whole; a row that cannot be decoded gets its own error.
        """
        work = Work(list(rows), deliver, more, self.max_rows)
        work.wait(range(len(rows)))
        persist(work, self._loop, name=self.name, device=self.device)

    def _loop(self, work: Work) -> None:
        streams = self._streams()
        eos, codec = frozenset(streams.alignment.eos), streams.codec
        batch: JointBatch | None = None
        emitted: dict[int, JointEmitted] = {}
        tails: dict[int, Tail] = {}
        while True:
            new = work.admit(batch is None or batch.joinable)
            if new:
                rows: list[Any] = [work.rows[i] for i in new]
                for i, row in zip(new, rows, strict=True):
                    emitted[i] = JointEmitted()
                    if row.sampling.stop:
                        tails[i] = Tail(codec, row.prompt, row.sampling.stop)
                joining = streams.open([row.prompts for row in rows])
                if batch is None:
                    batch = joining
                else:
                    batch.join(joining)
            if batch is None:
                return
            live = [work.rows[i] for i in work.active]
            logits = batch.logits()
            positions = np.array([len(emitted[i].ids) for i in work.active], np.int64)
            ids, logprobs = self._draw(logits, Params.of([r.sampling for r in live], [r.seed for r in live]), positions)
            keep = []
            for place, i in enumerate(work.active):
                one, failure = emitted[i], batch.failures[place]
                if failure is not None:
                    work.deliver(i, failure)
                    continue
                one.reach, one.notes = batch.reach[place], batch.notes[place]
                if take(one, live[place], tails.get(i), int(ids[place]), float(logprobs[place]), eos=eos, codec=codec):
                    keep.append(place)
                else:
                    self.counters.completion_tokens += len(one.ids)
                    work.deliver(i, one)
            if len(keep) < len(live):
                work.active[:] = [work.active[place] for place in keep]
                if not keep:
                    batch = None
                    continue
                batch.keep(keep)
            batch.push([[int(ids[place])] for place in keep])

    def _draw(self, logits: Logits, params: Params, positions: Ints) -> tuple[Ints, Floats]:
        if self.device.startswith("cuda"):
            import torch

            return draw_torch(torch.from_numpy(logits).to(self.device), params, positions)
        return draw(logits, params, positions)

    def score_rows(self, rows: Sequence[tuple[Prompts, tuple[int, ...]]]) -> list[TokenScores | BackendError]:
        """Joint log-probabilities of each (prompts, continuation ids), and of any end after it; in order."""
        widest = max((len(ids) for _, ids in rows), default=0) + 1
        size = max(1, min(self.max_rows, SCORE_ENTRIES // (widest * self._streams().alignment.size)))
        out: list[TokenScores | BackendError] = []
        for start in range(0, len(rows), size):
            out += halving(list(rows[start : start + size]), self._score, name=self.name, device=self.device)
        return out

    def _score(self, rows: list[tuple[Prompts, tuple[int, ...]]]) -> list[TokenScores | BackendError]:
        streams = self._streams()
        batch = streams.open([prompts for prompts, _ in rows])
        out: list[TokenScores | BackendError] = []
        for (_, ids), logits, failure in zip(rows, batch.verify([ids for _, ids in rows]), batch.failures, strict=True):
            if failure is not None:
                out.append(failure)
                continue
            logprobs = log_softmax(logits)
            ends = logprobs[-1, list(streams.alignment.eos)]
            end = float(np.logaddexp.reduce(ends)) if len(ends) else 0.0
            out.append(TokenScores(tuple(ids), tuple(float(logprobs[n, i]) for n, i in enumerate(ids)), end))
        return out
