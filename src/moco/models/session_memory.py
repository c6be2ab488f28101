"""What the sessions of one model keep while they wait: single rows, and whole batches whose rows all stopped at once.

Invariant: everything here is a copy of what ids determine; it is looked up by content, may be dropped at any time, and changes
no answer. Rows and batches together hold at most ``budget`` bytes, the least recently used go first. Batches are touched in
the device's thread only; ``leave`` may be called in any.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from moco.models.session_jobs import Ids, Seat, common
from moco.models.streams import Saved, StreamBatch


@dataclass(eq=False)
class Parked:
    """A batch kept whole: taken up again whole, nothing is copied. ``rows``: which row belongs to whom."""

    batch: StreamBatch
    rows: dict[Seat, int]
    bytes: int

    @property
    def empty(self) -> bool:
        return all(seat.left for seat in self.rows)


class Memory:
    """Keeps rows by seat; ``bytes`` is what it holds."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._saved: OrderedDict[Seat, Saved] = OrderedDict()
        self._parked: list[Parked] = []
        self._single = 0  # bytes of the single rows
        self._guard = threading.Lock()

    @property
    def bytes(self) -> int:
        return self._single + sum(p.bytes for p in self._parked)

    def __len__(self) -> int:
        return len(self._saved) + sum(len(p.rows) for p in self._parked)

    # keeping

    def put(self, seat: Seat, saved: Saved) -> None:
        """Keep a row; a seat that was left keeps nothing."""
        with self._guard:
            self._drop(seat)
            if seat.left or saved.bytes > self.budget:
                return
            self._saved[seat] = saved
            self._single += saved.bytes
            while self.bytes > self.budget and self._saved:
                self._drop(next(iter(self._saved)))

    def put_aside(self, batch: StreamBatch, seats: Sequence[Seat]) -> None:
        """Keep the rows of ``batch``, row i of ``seats[i]``: whole while the budget allows it, else row by row."""
        longest = max(range(len(seats)), key=lambda row: len(batch.ids[row]))
        size = batch.detach(longest).bytes * len(seats)
        if len(set(seats)) == len(seats) > 1 and size <= self.budget:
            with self._guard:
                for seat in seats:
                    self._drop(seat)
                self._parked.append(Parked(batch, {seat: row for row, seat in enumerate(seats)}, size))
                while self.bytes > self.budget and len(self._parked) > 1:
                    self._parked.pop(0)
                while self.bytes > self.budget:
                    self._drop(next(iter(self._saved)))
            return
        for row, seat in enumerate(seats):
            if not seat.left:
                self.put(seat, batch.detach(row))

    def leave(self, seat: Seat) -> None:
        """The session of ``seat`` has ended."""
        with self._guard:
            seat.left = True
            self._drop(seat)
            self._parked = [p for p in self._parked if not p.empty]

    def clear(self) -> None:
        with self._guard:
            self._saved.clear()
            self._parked.clear()
            self._single = 0

    # finding

    def unread(self, seat: Seat, context: Ids) -> int:
        """How many ids of ``context`` have to be read."""
        known: Sequence[int] = ()
        if (parked := self._where(seat)) is not None:
            known = parked.batch.ids[parked.rows[seat]]
        elif (saved := self._get(seat)) is not None:
            known = saved.ids[: saved.done]
        return len(context) - common(tuple(known), context)

    def row(self, seat: Seat, context: Ids) -> Saved:
        """``context`` with as much of its cache as is kept for ``seat``, or for the session it was forked from."""
        owner: Seat | None = seat
        while owner is not None and (saved := self._find(owner, keep=owner is not seat)) is None:
            owner = owner.origin
        if owner is None or saved is None or not (shared := common(saved.ids, context)):
            return Saved(context)
        kept = saved.crop(shared)
        return kept if shared == len(context) else kept.append(context[shared:])

    def rows(self, wanted: Sequence[tuple[Seat, Ids]]) -> StreamBatch | None:
        """A batch whose row i has the ids ``wanted[i][1]``, where these are most of a parked one and continue it; else None."""
        parked = self._where(wanted[0][0])
        if parked is None or 2 * len(wanted) < sum(not seat.left for seat in parked.rows):
            return None
        order = [parked.rows.get(seat, -1) for seat, _ in wanted]
        if -1 in order or len(set(order)) < len(order):
            return None
        batch = parked.batch
        shared = [common(tuple(batch.ids[i]), ids) for i, (_, ids) in zip(order, wanted, strict=True)]
        if 0 in shared:
            return None
        with self._guard:
            if parked in self._parked:
                self._parked.remove(parked)
        asked = set(order)
        for seat, i in parked.rows.items():
            if i not in asked and not seat.left:
                self.put(seat, batch.detach(i))
        if order != list(range(len(batch))):
            batch.keep(order)
        batch.crop(shared)
        if any(len(ids) > n for n, (_, ids) in zip(shared, wanted, strict=True)):
            batch.push([ids[n:] for n, (_, ids) in zip(shared, wanted, strict=True)])
        return batch

    def _find(self, seat: Seat, *, keep: bool) -> Saved | None:
        """The row of ``seat``; unless ``keep``, a parked one leaves its batch and becomes a single row."""
        if (parked := self._where(seat)) is None:
            return self._get(seat)
        saved: Saved = parked.batch.detach(parked.rows[seat])
        if not keep:
            with self._guard:
                del parked.rows[seat]
                self._parked = [p for p in self._parked if not p.empty]
            self.put(seat, saved)
        return saved

    def _where(self, seat: Seat) -> Parked | None:
        with self._guard:
            return next((p for p in self._parked if seat in p.rows), None)

    def _get(self, seat: Seat) -> Saved | None:
        with self._guard:
            return self._saved.get(seat)

    def _drop(self, seat: Seat) -> None:
        if (old := self._saved.pop(seat, None)) is not None:
            self._single -= old.bytes


__all__ = ["Memory"]
