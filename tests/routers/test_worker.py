"""Fitting beside the event loop: the loop goes on, results and faults come back, progress is told in order."""

from __future__ import annotations

import asyncio
import threading

import pytest

from moco.core.errors import ConfigError
from moco.routers import aside, heard


def test_the_loop_goes_on_while_something_is_fitted() -> None:
    async def main() -> tuple[bool, bool]:
        going = threading.Event()
        asyncio.get_running_loop().call_later(0.01, going.set)  # set by the loop, which therefore must not be blocked
        in_time = await aside(going.wait, timeout=30)
        return in_time, await aside(threading.current_thread) is threading.current_thread()

    assert asyncio.run(main()) == (True, False)


def test_what_is_raised_comes_back() -> None:
    def refuse() -> None:
        raise ConfigError("no")

    async def main() -> None:
        await aside(refuse)

    with pytest.raises(ConfigError, match="no"):
        asyncio.run(main())


def test_progress_is_told_in_the_loop_in_order_before_the_work_is_done() -> None:
    told: list[tuple[int, threading.Thread]] = []

    async def main() -> list[int]:
        tell = heard(lambda done: told.append((done, threading.current_thread())))

        def work() -> None:
            for done in range(5):
                tell(done)

        await aside(work)
        return [done for done, _ in told]

    assert asyncio.run(main()) == [0, 1, 2, 3, 4]
    assert {thread for _, thread in told} == {threading.current_thread()}
