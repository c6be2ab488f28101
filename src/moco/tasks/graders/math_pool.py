"""A few processes that ask math-verify whether two expressions are equal, under a time limit of our own.

math-verify limits its time by SIGALRM, which works in the main thread only; here a child that takes too long is killed and
replaced, so comparisons work from any thread and from async code. Children are started at the first comparison, end with
their parent, and are never shared over a fork. Invariant: a comparison that was cut short counts as unequal and is counted.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from importlib.util import find_spec
from pathlib import Path

from moco.core.errors import ConfigError

CPU_S = 3
"""CPU seconds one comparison may take in its worker: the same verdict on a busy machine as on an idle one."""
WALL_S = 60.0
"""Seconds after which a worker that answers nothing is killed whatever it does."""
_KEPT = 50_000
_SCRIPT = Path(__file__).with_name("math_worker.py")


def ready() -> None:
    """Raises ConfigError where math-verify is not installed."""
    if find_spec("math_verify") is None:
        raise ConfigError(
            "math answers are compared by math-verify, which is not installed",
            why="beyond equal strings and equal numbers, no rule of our own decides when two expressions are the same",
            remedy='pip install "mocolab[eval]"',
        )


class Worker:
    """One child. Only one thread talks to it at a time."""

    def __init__(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-P", str(_SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        assert self._child.stdin is not None and self._child.stdout is not None
        self._in, self._out = self._child.stdin, self._child.stdout
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._out, selectors.EVENT_READ)

    def ask(self, first: str, second: str, cpu_s: float, wall_s: float) -> bool | None:
        """Whether the two are equal; None where the child died or was too slow, after which it is of no more use."""
        try:
            self._in.write(json.dumps([first, second, cpu_s]) + "\n")
            self._in.flush()
            if not self._selector.select(wall_s):
                return None
            line = self._out.readline()
        except (OSError, ValueError):
            return None
        return json.loads(line) is True if line.endswith("\n") else None

    def close(self) -> None:
        """Ends the child at once."""
        self._selector.close()
        self._child.kill()
        for pipe in (self._in, self._out):
            with contextlib.suppress(OSError):
                pipe.close()
        self._child.wait()


class Workers:
    """At most ``size`` children, each used by one thread at a time, and the verdicts they gave."""

    def __init__(self, size: int | None = None, *, cpu_s: float = CPU_S, wall_s: float = WALL_S) -> None:
        self.size = size or max(1, min(4, os.cpu_count() or 1))
        self.cpu_s, self.wall_s = cpu_s, wall_s
        self.cut_short = 0
        """How many comparisons were ended by a limit."""
        self._free = threading.Semaphore(self.size)
        self._idle: list[Worker] = []
        self._lock = threading.Lock()
        self._verdicts: OrderedDict[tuple[str, str], bool] = OrderedDict()

    def same(self, first: str, second: str) -> bool:
        """Whether two LaTeX expressions are equal; symmetric. Raises ConfigError where math-verify is not installed."""
        pair = (first, second) if first <= second else (second, first)
        with self._lock:
            if pair in self._verdicts:
                self._verdicts.move_to_end(pair)
                return self._verdicts[pair]
        ready()
        with self._free:
            verdict = self._ask(*pair)
        with self._lock:
            self._verdicts[pair] = verdict
            if len(self._verdicts) > _KEPT:
                self._verdicts.popitem(last=False)
        return verdict

    def _ask(self, first: str, second: str) -> bool:
        with self._lock:
            worker = self._idle.pop() if self._idle else None
        worker = worker or Worker()
        started = time.monotonic()
        verdict = worker.ask(first, second, self.cpu_s, self.wall_s)
        if verdict is None and time.monotonic() - started < 1:  # died in its sleep (killed from outside), not over this pair
            worker.close()
            worker = Worker()
            verdict = worker.ask(first, second, self.cpu_s, self.wall_s)
        with self._lock:
            if verdict is None:
                self.cut_short += 1
            else:
                self._idle.append(worker)
        if verdict is None:
            worker.close()
        return verdict is True

    def close(self) -> None:
        """Ends the idle children; the next comparison starts new ones."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.close()

    def forget(self) -> None:
        """In a forked child: the parent's workers are not ours, and no lock of its other threads is held here."""
        self._free, self._lock, self._idle = threading.Semaphore(self.size), threading.Lock(), []


WORKERS = Workers()
"""The process's own pool."""
atexit.register(WORKERS.close)
os.register_at_fork(after_in_child=WORKERS.forget)
