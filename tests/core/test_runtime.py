"""Ctrl-C in Python: once waits for what is in flight, twice does not, and either way there is one traceback, the first."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable
from typing import Any

import pytest

from moco.core.runtime import RUNTIME


def interrupt(said: str) -> Callable[..., Any]:
    def raised(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt(said)

    return raised


def test_ctrl_c_twice_is_raised_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        await asyncio.sleep(60)

    with monkeypatch.context() as patch:
        patch.setattr(concurrent.futures.Future, "result", interrupt("first"))
        with pytest.raises(KeyboardInterrupt, match="first"):
            RUNTIME.run(work())
        patch.setattr(concurrent.futures, "wait", interrupt("second"))
        with pytest.raises(KeyboardInterrupt, match="first") as caught:
            RUNTIME.run(work())
        assert caught.value.__context__ is None
    assert RUNTIME.run(asyncio.sleep(0, "alive")) == "alive"
