"""One background thread owns the event loop; the synchronous API submits to it.

So moco works the same in a script, in Jupyter and inside a running loop: no caller's loop is ever used or blocked by us.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Runtime:
    """The thread with the loop; started at first use, stopped at exit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                ready = threading.Event()
                loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._run, args=(loop, ready), name="moco-runtime", daemon=True)
                self._thread.start()
                ready.wait()
                self._loop = loop
            return self._loop

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop, ready: threading.Event) -> None:
        asyncio.set_event_loop(loop)
        loop.call_soon(ready.set)
        loop.run_forever()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` on the loop and wait. Ctrl-C cancels it, waits until it has put its things away, and is raised on.

        Ctrl-C once more does not wait.
        """
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("moco's synchronous API was called from inside a method; await the async variant there")
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            with contextlib.suppress(KeyboardInterrupt):  # asked twice: it is not waited for any longer
                concurrent.futures.wait([future], timeout=30)
            raise

    async def bridge(self, work: Coroutine[Any, Any, T]) -> T:
        """Await ``work`` from another loop; it runs on ours."""
        if asyncio.get_running_loop() is self.loop:
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))

    def stop(self) -> None:
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=5)


RUNTIME = Runtime()
atexit.register(RUNTIME.stop)
