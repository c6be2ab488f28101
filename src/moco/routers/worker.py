"""Where fitting computes: one thread beside the event loop, so that requests, servers and progress go on meanwhile.

One thread, not several: fits take turns, so that none is slowed down by another's threads of linear algebra, and what libraries
keep per process (scikit-learn's warning filters) is changed by one at a time. What runs here is a function of its arguments.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
_THREAD = ThreadPoolExecutor(1, thread_name_prefix="moco-router")


async def aside(work: Callable[P, R], *args: P.args, **options: P.kwargs) -> R:
    """``work(*args, **options)``, computed in the thread; raises what it raises."""
    return await asyncio.get_running_loop().run_in_executor(_THREAD, partial(work, *args, **options))


def heard(told: Callable[[int], Any]) -> Callable[[int], None]:
    """``told`` as the thread may call it: it is called in the event loop, in order, before the work it tells of is done."""
    loop = asyncio.get_running_loop()

    def tell(done: int) -> None:
        loop.call_soon_threadsafe(told, done)

    return tell
