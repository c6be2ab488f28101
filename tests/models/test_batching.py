"""The queue: rest decides when a batch leaves, work piles up while the device is busy, failures stay with their item."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence

import pytest

from moco.models.batching import Batcher


def doubling(log: list[list[int]], pause: float = 0.0) -> Batcher[int, int]:
    def run(items: list[int]) -> Sequence[int | Exception]:
        log.append(list(items))
        time.sleep(pause)
        return [ValueError(f"bad {i}") if i < 0 else 2 * i for i in items]

    return Batcher(run, device="test", max_rows=100, name="doubling")


def test_parked_queries_leave_together() -> None:
    log: list[list[int]] = []
    batcher = doubling(log)

    async def query(i: int) -> int:
        for _ in range(i % 5):  # a little work between questions
            await asyncio.sleep(0)
        return await batcher.submit(await batcher.submit(i))

    async def go() -> list[int]:
        return await asyncio.gather(*(query(i) for i in range(50)))

    assert asyncio.run(go()) == [4 * i for i in range(50)]
    assert [len(b) for b in log] == [50, 50] == batcher.counters.batches


def test_limit_and_pile_up_while_busy() -> None:
    log: list[list[int]] = []
    batcher = doubling(log, pause=0.05)

    async def go() -> None:
        first = asyncio.create_task(batcher.submit(1))
        while not log:
            await asyncio.sleep(0.001)
        others = [asyncio.create_task(batcher.submit(i)) for i in range(120)]
        await asyncio.gather(first, *others)

    asyncio.run(go())
    assert [len(b) for b in log] == [1, 100, 20]


def test_failures_stay_with_their_item_and_a_crash_reaches_all() -> None:
    async def go() -> None:
        good, bad = await asyncio.gather(doubling_batcher.submit(3), doubling_batcher.submit(-1), return_exceptions=True)
        assert good == 6 and isinstance(bad, ValueError)

        def crash(items: list[int]) -> Sequence[int | Exception]:
            raise OSError("device lost")

        crashing: Batcher[int, int] = Batcher(crash, device="test")
        both = await asyncio.gather(crashing.submit(1), crashing.submit(2), return_exceptions=True)
        assert [type(r) for r in both] == [OSError, OSError]

    doubling_batcher = doubling([])
    asyncio.run(go())


def test_old_items_do_not_wait_for_rest() -> None:
    log: list[list[int]] = []
    batcher = doubling(log)
    batcher.max_wait_s = 0.02

    async def go() -> None:
        tasks: list[asyncio.Task[int]] = []
        end = time.monotonic() + 0.2
        while time.monotonic() < end:
            if len(tasks) < 90:
                tasks.append(asyncio.create_task(batcher.submit(1)))
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)

    asyncio.run(go())
    assert sum(map(len, log)) == 90


def test_one_thread_per_device_and_first_come_first_served() -> None:
    order: list[str] = []
    threads: set[int] = set()

    def worker(name: str) -> Batcher[int, int]:
        def run(items: list[int]) -> Sequence[int | Exception]:
            order.append(name)
            threads.add(threading.get_ident())
            time.sleep(0.02)
            return items

        return Batcher(run, device="test", name=name)

    a, b, c = worker("a"), worker("b"), worker("c")

    async def go() -> None:
        first = asyncio.create_task(a.submit(1))
        while not order:
            await asyncio.sleep(0.001)
        waiting = []
        for batcher in (c, b, a):
            waiting.append(asyncio.create_task(batcher.submit(2)))
            await asyncio.sleep(0.001)
        await asyncio.gather(first, *waiting)

    asyncio.run(go())
    assert order == ["a", "c", "b", "a"] and len(threads) == 1


def test_cancelled_items_are_dropped_and_the_queue_lives_on_over_event_loops() -> None:
    log: list[list[int]] = []
    batcher = doubling(log)

    async def go() -> None:
        kept, dropped = asyncio.create_task(batcher.submit(1)), asyncio.create_task(batcher.submit(2))
        await asyncio.sleep(0)
        dropped.cancel()
        assert await kept == 2
        with pytest.raises(asyncio.CancelledError):
            await dropped

    asyncio.run(go())
    asyncio.run(go())
    assert log == [[1], [1]]
