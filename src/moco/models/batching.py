"""Queues that turn single requests into batches for a device.

Invariant: a batch leaves when the device is free and the event loop has come to rest (every live query is parked), or when
rows or age reach their limit. One worker thread per device runs all work on it; queues that wait for the same device are
served in the order in which they asked. Items may join work that is under way, unless another queue waits for the device.
Composition is never promised, results do not depend on it.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from moco.models.protocol import Counters

log = logging.getLogger("moco.batching")
Item = TypeVar("Item")
Result = TypeVar("Result")

REST = 16
"""Turns of the event loop without a new submission that count as rest."""

_executors: dict[str, ThreadPoolExecutor] = {}
_guard = threading.Lock()
_wanting: Counter[str] = Counter()
"""Per device: queues that wait for it."""
_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Lock]] = WeakKeyDictionary()


def executor(device: str) -> ThreadPoolExecutor:
    """The one thread that works on ``device``; shared by all models and event loops of the process."""
    with _guard:
        if device not in _executors:
            _executors[device] = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"moco-{device}")
        return _executors[device]


def _lock(device: str) -> asyncio.Lock:
    """First come, first served, per running loop."""
    with _guard:
        locks = _locks.setdefault(asyncio.get_running_loop(), {})
        return locks.setdefault(device, asyncio.Lock())


@dataclass
class _Waiting(Generic[Item, Result]):
    item: Item
    future: asyncio.Future[Result]
    since: float


@dataclass
class _Queue(Generic[Item, Result]):
    """What waits on one event loop."""

    waiting: deque[_Waiting[Item, Result]] = field(default_factory=deque)
    submitted: int = 0
    task: asyncio.Task[None] | None = None


Serve = Callable[[list[Item], Callable[[int, "Result | Exception"], None], Callable[[int], list[Item]]], None]


def _at_once(run_batch: Any, items: list[Any], deliver: Callable[[int, Any], None], more: Callable[[int], list[Any]]) -> None:
    results = run_batch(items)
    if len(results) != len(items):
        raise RuntimeError(f"{len(results)} results for {len(items)} items")
    for i, result in enumerate(results):
        deliver(i, result)


def _settle(future: asyncio.Future[Any], result: Any) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)


class Batcher(Generic[Item, Result]):
    """``await submit(item)`` gives the item's result from ``run_batch(items)``, which runs in the device's thread.

    ``run_batch`` returns one result per item, in order; a result that is an exception is raised for its item alone, an
    exception it raises is raised for all. With ``serve`` instead of ``run_batch``, results come one by one: it is called as
    ``serve(items, deliver, more)``, gives ``deliver(i, result)`` as each item ends, and may ask ``more(n)`` for items that
    came meanwhile (numbered on from the ones it has). ``max_rows`` bounds a batch, ``max_wait_s`` the age of its oldest
    item (None: wait for rest). ``counters.batches`` gets the size of every batch, those that joined included.
    """

    def __init__(
        self,
        run_batch: Callable[[list[Item]], Sequence[Result | Exception]] | None = None,
        *,
        serve: Serve[Item, Result] | None = None,
        device: str = "cpu",
        max_rows: int = 1024,
        max_wait_s: float | None = None,
        counters: Counters | None = None,
        name: str = "",
    ) -> None:
        if (run_batch is None) == (serve is None):
            raise ValueError("give run_batch or serve")
        self._work: Serve[Item, Result] = serve if serve is not None else functools.partial(_at_once, run_batch)
        self.device, self.max_rows, self.max_wait_s, self.name = device, max_rows, max_wait_s, name
        self.counters = counters if counters is not None else Counters()
        self._queues: WeakKeyDictionary[asyncio.AbstractEventLoop, _Queue[Item, Result]] = WeakKeyDictionary()

    async def submit(self, item: Item) -> Result:
        """The result of ``item``; cancelling the wait takes it out of the queue if it has not left yet."""
        loop = asyncio.get_running_loop()
        queue = self._queues.get(loop)
        if queue is None:
            queue = self._queues[loop] = _Queue()
        future: asyncio.Future[Result] = loop.create_future()
        queue.waiting.append(_Waiting(item, future, time.monotonic()))
        queue.submitted += 1
        if queue.task is None or queue.task.done():
            # a fresh context: what runs here serves many queries and belongs to none of them
            queue.task = loop.create_task(self._dispatch(queue), context=contextvars.Context())
        return await future

    async def _dispatch(self, queue: _Queue[Item, Result]) -> None:
        try:
            while queue.waiting:
                lock = _lock(self.device)
                _wanting[self.device] += 1
                try:
                    await lock.acquire()
                finally:
                    _wanting[self.device] -= 1
                try:
                    await self._rest(queue)
                    if batch := self._leave(queue, self.max_rows):
                        await self._run(queue, batch)
                finally:
                    lock.release()
        finally:
            for w in queue.waiting:  # only when the dispatcher was cancelled
                w.future.cancel()
            queue.waiting.clear()

    async def _rest(self, queue: _Queue[Item, Result]) -> None:
        """Return when the loop has come to rest, or the batch is full or old."""
        calm, seen = 0, queue.submitted
        while calm < REST and len(queue.waiting) < self.max_rows:
            if self.max_wait_s is not None and queue.waiting and time.monotonic() - queue.waiting[0].since >= self.max_wait_s:
                return
            await asyncio.sleep(0)
            calm, seen = (calm + 1, seen) if queue.submitted == seen else (0, queue.submitted)

    def _leave(self, queue: _Queue[Item, Result], limit: int) -> list[_Waiting[Item, Result]]:
        """Take up to ``limit`` waiting items, oldest first; also called from the device's thread."""
        batch: list[_Waiting[Item, Result]] = []
        while len(batch) < limit:
            try:
                waiting = queue.waiting.popleft()
            except IndexError:
                break
            if not waiting.future.done():
                batch.append(waiting)
        return batch

    async def _run(self, queue: _Queue[Item, Result], batch: list[_Waiting[Item, Result]]) -> None:
        loop = asyncio.get_running_loop()
        log.debug("%s on %s: batch of %d", self.name, self.device, len(batch))
        sizes, place = self.counters.batches, len(self.counters.batches)
        sizes.append(len(batch))

        def deliver(i: int, result: Result | Exception) -> None:
            loop.call_soon_threadsafe(_settle, batch[i].future, result)

        def more(n: int) -> list[Item]:
            joining = [] if _wanting[self.device] else self._leave(queue, n)
            batch.extend(joining)
            sizes[place] += len(joining)
            return [w.item for w in joining]

        items = [w.item for w in batch]
        failure: Exception = RuntimeError(f"{self.name}: no result came back")
        try:
            await loop.run_in_executor(executor(self.device), self._work, items, deliver, more)
        except asyncio.CancelledError:
            for w in batch:
                w.future.cancel()
            raise
        except Exception as error:  # noqa: BLE001 -- handed to every waiter, which raises it
            failure = error
        for w in batch:
            _settle(w.future, failure)
