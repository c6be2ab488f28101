"""Where the sessions of one model are computed: their questions gathered into batches, their caches kept while they idle.

Invariant: an answer depends on the ids in the job alone. A cache that was kept only saves reading, and may be dropped at any
time. ``SessionEngine.serve`` is what a Batcher calls in the device's thread; rows join, leave and are put aside between steps.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from moco.core.errors import Fatal
from moco.models.decode import is_oom
from moco.models.protocol import Counters
from moco.models.running import JOIN_STEPS, too_large
from moco.models.sampler import Floats, Ints, Params, draw, draw_torch
from moco.models.session_jobs import Extension, Ids, Look, Reading, Seat
from moco.models.session_memory import Memory
from moco.models.streams import StreamBatch, Streams

log = logging.getLogger("moco.sessions")
ENTRIES = 1 << 26
"""Logits held at once while looking (rows x places x vocabulary)."""
BUDGET = 1 << 30
"""Bytes of idle caches per model, unless told otherwise."""

Job = Extension | Look
Deliver = Callable[[int, Any], None]
More = Callable[[int], Sequence[Job]]
Row = TypeVar("Row")
_Row = tuple[Look, Reading]


class SessionEngine:
    """Serves the jobs of one model's sessions.

    ``streams()`` gives the model's token streams, loading it if need be; ``width``: logits per place; ``budget``: bytes of idle
    caches. ``counters.completion_tokens`` grows by the tokens drawn; ``rows`` has the rows of every step of writing.
    """

    def __init__(
        self,
        streams: Callable[[], Streams],
        *,
        name: str,
        width: int,
        device: str = "cpu",
        budget: int = BUDGET,
        counters: Counters | None = None,
    ) -> None:
        self._streams, self.name, self.width, self.device = streams, name, width, device
        self.counters = counters if counters is not None else Counters()
        self.memory = Memory(budget)
        self.rows: list[int] = []

    def serve(self, jobs: Sequence[Job], deliver: Deliver, more: More) -> None:
        """Answer ``jobs`` and those that ``more(n)`` brings; ``deliver(i, result or error)`` as each ends."""
        streams = self._streams()
        work = Work(list(jobs), deliver, more, streams.max_rows)
        while work.waiting:
            try:
                self._loop(streams, work)
            except (RuntimeError, MemoryError) as error:
                if not is_oom(error):
                    raise Fatal(f"model '{self.name}' failed: {error}", where=self.name) from error
                log.warning("%s: out of memory with %d rows of sessions, halving", self.name, work.capacity)
                self.memory.clear()
                work.halve(self.name)
                if self.device.startswith("cuda"):
                    importlib.import_module("torch").cuda.empty_cache()

    def _loop(self, streams: Streams, work: Work) -> None:
        batch: StreamBatch | None = None
        while True:
            looks, extensions = work.admit()
            for group in self._groups([(k, r) for k in looks for r in k.readings], work.capacity):
                self._look(streams, work, group)
            for chunk in alike(extensions, [self.memory.unread(x.seat, x.context) for x in extensions], work.capacity):
                joining = self._rows(streams, [(x.seat, x.context) for x in chunk])
                joining.logits()  # read before they join, so that a long prompt pads no one-token row
                work.active += chunk
                if batch is None:
                    batch = joining
                else:
                    batch.join(joining)
            if batch is not None:
                batch = self._step(batch, work)
            elif not work.waiting:
                return

    def _rows(self, streams: Streams, wanted: Sequence[tuple[Seat, Ids]]) -> StreamBatch:
        """A batch whose row i has the ids ``wanted[i][1]``, with as much of its cache as is kept."""
        if (kept := self.memory.rows(wanted)) is not None:
            return kept
        batch: StreamBatch = streams.attach([self.memory.row(seat, context) for seat, context in wanted])
        return batch

    def _step(self, batch: StreamBatch, work: Work) -> StreamBatch | None:
        """Draw a token for every active row; what goes on of the batch, with the tokens pushed."""
        live = work.active
        params = Params.of([x.sampling for x in live], [x.seed for x in live])
        ids, logprobs = self._draw(batch, params, np.array([x.position for x in live], np.int64))
        self.rows.append(len(live))
        self.counters.completion_tokens += len(live)
        keep, ended = [], []
        for place, x in enumerate(live):
            token, logprob = int(ids[place]), float(logprobs[place])
            try:
                if not np.isfinite(logprob):
                    raise _not_numbers(self.name)
                if x.take(token, logprob):
                    keep.append(place)
                    continue
            except Exception as error:  # noqa: BLE001 -- ours, or the caller's ``until``: raised where the session waits
                work.end(x, error)
                continue
            ended.append(place)
        if len(ended) == len(live):
            self.memory.put_aside(batch, [x.seat for x in live])
        else:
            for place in ended:
                self.memory.put(live[place].seat, batch.detach(place))
        work.active = [live[place] for place in keep]
        for place in ended:
            work.end(live[place], live[place])
        if not keep:
            return None
        if len(keep) < len(live):
            batch.keep(keep)
        batch.push([[int(ids[place])] for place in keep])
        return batch

    def _draw(self, batch: Any, params: Params, positions: Ints) -> tuple[Ints, Floats]:
        if self.device.startswith("cuda"):
            return draw_torch(batch.tensor(), params, positions)
        with np.errstate(invalid="ignore"):
            return draw(batch.logits(), params, positions)

    # looking

    def _groups(self, rows: list[_Row], capacity: int) -> Iterator[list[_Row]]:
        for group in alike(rows, [self.memory.unread(k.seat, r.ids) for k, r in rows], capacity):
            places = 1 + max(r.places[-1] - r.places[0] for _, r in group)
            size = max(1, ENTRIES // (places * self.width))
            yield from (group[i : i + size] for i in range(0, len(group), size))

    def _look(self, streams: Streams, work: Work, rows: list[_Row]) -> None:
        """Read a group of rows; a job ends when the last of its rows has been read."""
        batch = self._rows(streams, [(k.seat, r.ids[: r.places[0]]) for k, r in rows])
        found = batch.verify([r.ids[r.places[0] :] for _, r in rows])
        longest = [place for place, (job, row) in enumerate(rows) if row is job.readings[0]]  # of most use to what comes next
        if longest and len(longest) < len(rows):
            batch.keep(longest)
        if longest:
            self.memory.put_aside(batch, [rows[place][0].seat for place in longest])
        for place, (job, row) in enumerate(rows):
            job.seen |= {row.ids[:n]: found[place][n - row.places[0]] for n in row.places}
            if job.complete:
                logits = job.logits()
                work.end(job, job.read(logits) if np.isfinite(logits.max(axis=-1)).all() else _not_numbers(self.name))


def _not_numbers(name: str) -> Fatal:
    return Fatal(f"model '{name}' gave logits that are not numbers", where=name, remedy="use float32, or check the weights")


def alike(rows: list[Row], sizes: Sequence[int], capacity: int) -> list[list[Row]]:
    """``rows`` in groups of at most ``capacity`` and of similar size, so that little of a forward pass is padding."""
    groups: list[list[Row]] = []
    least = 0
    for n in sorted(range(len(rows)), key=sizes.__getitem__):
        if not groups or len(groups[-1]) >= capacity or sizes[n] > 2 * least + 16:
            groups.append([])
            least = sizes[n]
        groups[-1].append(rows[n])
    return groups


class Work:
    """The jobs of one ``serve``: those not begun, and the extensions under way, in the order of the batch's rows."""

    def __init__(self, jobs: list[Job], deliver: Deliver, more: More, capacity: int) -> None:
        self.deliver, self.more, self.capacity = deliver, more, capacity
        self.waiting = list(jobs)
        self.active: list[Extension] = []
        self._number: dict[Job, int] = {job: i for i, job in enumerate(jobs)}
        self._count, self._steps = len(jobs), 0

    def end(self, job: Job, result: Any) -> None:
        self.deliver(self._number.pop(job), result)

    def admit(self) -> tuple[list[Look], list[Extension]]:
        """What begins now, if something does: in groups, or every JOIN_STEPS steps."""
        self._steps += 1
        room = self.capacity - len(self.active)
        # with nothing under way the next batch is gathered outside, where one waits until all have asked
        for job in self.more(max(0, room - len(self.waiting))) if self.active else ():
            self._number[job] = self._count
            self._count += 1
            self.waiting.append(job)
        if self.active and 4 * len(self.waiting) < len(self.active) and self._steps < JOIN_STEPS:
            return [], []
        self._steps = 0
        looks = [job for job in self.waiting if isinstance(job, Look)]
        extensions = [job for job in self.waiting if isinstance(job, Extension)]
        extensions, self.waiting = extensions[:room], list(extensions[room:])
        return looks, extensions

    def halve(self, name: str) -> None:
        """After out of memory: take up again all that has not ended, at most half as much at once; a single row fails."""
        self.waiting, self.active = list(self._number), []
        for job in self.waiting:
            if isinstance(job, Look):
                job.seen.clear()
        if self.capacity == 1:
            self.end(self.waiting.pop(0), too_large(name))
        self.capacity = max(1, min(self.capacity, len(self.waiting)) // 2)


__all__ = ["SessionEngine"]
