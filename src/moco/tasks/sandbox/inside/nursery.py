"""The nursery: forks the children of each job, ends them, and cleans up behind them.

It runs no code of a solution or of tests and never reads a part of a job.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from . import confine, filters
from .crowd import below, processes_of
from .roles import Cell, enter, play_both, play_candidate, play_tests

WARM = (
    *("math", "re", "string", "random", "itertools", "functools", "collections", "heapq", "bisect", "operator", "typing"),
    *("copy", "datetime", "fractions", "decimal", "statistics", "json", "hashlib", "unittest", "dataclasses", "enum", "abc"),
    *("traceback", "inspect", "contextlib", "textwrap", "encodings.idna", "encodings.utf_8", "encodings.latin_1"),
)
"""Modules every child finds imported, as solutions and tests commonly use them."""

_MOMENTS = 50
"""Milliseconds a child whose pipe was closed is given to end by itself, so that its end can be told."""
ROOM = 64
"""Threads and processes that a job may have, its own two and the sandbox's three among them."""
ROOM_BESIDE_OTHERS = 256
"""The same where the limit counts the user's other programs too, which may start threads of their own meanwhile."""
WATCH_SECONDS = 0.02
"""How often the threads and processes of a job are counted where no limit of the kernel binds."""


def warm_up() -> None:
    """Import what children commonly need, once."""
    for name in WARM:
        importlib.import_module(name)


class Nursery:
    """Children on demand. Raises OSError at once where the kernel refuses what ``settings`` insist on."""

    def __init__(self, settings: dict[str, Any], orders: socket.socket) -> None:
        self._orders = orders
        self._settings = settings
        folders = {role: os.path.join(settings["scratch"], role) for role in ("tests", "candidate")}
        uid: int | None = settings["uid"]
        for folder in folders.values():
            os.makedirs(folder, exist_ok=True)
            if uid is not None:
                os.chown(folder, uid, uid)
        rules: dict[str, int | None] = dict.fromkeys(folders)
        if settings["landlock"] != "no" and confine.landlock_version():
            rules = {
                role: confine.file_rules(settings["readable"], [folder, os.devnull], settings["listable"])
                for role, folder in folders.items()
            }
        elif settings["landlock"] == "must":
            raise OSError("this kernel has no Landlock")
        if settings["filter"] == "must" and not filters.supported():
            raise OSError("no table of system calls for this machine")
        self._cell = Cell(folders, rules, settings["filter"] != "no" and filters.supported(), uid)

    def run(self) -> None:
        """Serve orders until the supervisor is gone."""
        confine.hide()
        confine.adopt_orphans()
        sys.path[:] = [*(path for path in sys.path if path != self._settings["root"]), *self._settings["packages"]]
        while True:
            order, fds, _, _ = socket.recv_fds(self._orders, 1 << 16, 7)
            if not order:
                return
            children = self._fork(json.loads(order), fds)
            for fd in fds:
                os.close(fd)
            crowded = self._settings["crowd"] == "watched" and self._crowded()
            if crowded:  # all of them: who holds the pipe of the verdict would keep the supervisor waiting
                _signal(children, signal.SIGKILL)
                if not self._cell.filtered:
                    end_all()
            patient = self._orders.recv(16) == b"gone"
            ended = [self._end(child, patient) for child in children]
            self._reap_orphans()
            for folder in self._cell.folders.values():
                empty(folder)
            status = dict(zip(("tests", "candidate"), ended, strict=False))
            self._orders.sendall(json.dumps({"ended": status, **({"why": "crowd"} if crowded else {})}).encode())

    def _crowded(self) -> bool:
        """Wait for the supervisor's next word, or until the job has more threads and processes than it may: then True."""
        pause = WATCH_SECONDS
        while not select.select([self._orders], [], [], pause)[0]:
            began = time.monotonic()
            if sum(below().values()) > ROOM:
                return True
            pause = max(WATCH_SECONDS, 10 * (time.monotonic() - began))  # a machine of many processes takes long to count
        return False

    def _fork(self, order: dict[str, Any], fds: list[int]) -> list[int]:
        limits = order["limits"]
        if self._settings["crowd"] == "own":
            limits["NPROC"] = ROOM
        elif self._settings["crowd"] == "shared":  # the limit counts the user's threads, all of them
            limits["NPROC"] = processes_of(os.getuid() if self._cell.uid is None else self._cell.uid) + ROOM_BESIDE_OTHERS
        part, verdict, *rest = fds
        if not order["apart"]:
            return [self._child("candidate", limits, [part, verdict], lambda: play_both(part, verdict))]
        own, call_read, call_write, reply_read, reply_write = rest
        return [
            self._child(
                "tests",
                limits,
                [part, verdict, reply_read, call_write],
                lambda: play_tests(part, verdict, reply_read, call_write),
            ),
            self._child("candidate", limits, [own, call_read, reply_write], lambda: play_candidate(own, call_read, reply_write)),
        ]

    def _child(self, role: str, limits: dict[str, int], keep: list[int], play: Callable[[], None]) -> int:
        child = os.fork()
        if child:
            return child
        try:
            os.setpgid(0, 0)
            enter(self._cell, role, limits, keep)
            play()
        finally:
            os._exit(0)

    @staticmethod
    def _end(child: int, patient: bool) -> dict[str, Any]:
        """End a child, with its process group, and tell how it ended by itself (status None: it had not).

        ``patient``: it is about to end by itself, as its pipe was closed; give it a moment.
        """
        for _ in range(_MOMENTS if patient else 1):
            ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is not None:
                break
            time.sleep(0.001)
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError):
                kill(child, signal.SIGKILL)
        _, status, usage = os.wait4(child, 0)
        by_itself = os.waitstatus_to_exitcode(status) if ended is not None else None
        return {"status": by_itself, "cpu": usage.ru_utime + usage.ru_stime}

    @staticmethod
    def _reap_orphans() -> None:
        """End what children left behind: only where no filter keeps them from starting processes."""
        while True:
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    end_all()
                    os.waitpid(-1, 0)
            except ChildProcessError:
                return


def end_all() -> None:
    """End every process below this one. First all are stopped, until none is new: else they start others as fast as they die."""
    stopped: set[int] = set()
    while new := below().keys() - stopped:
        _signal(new, signal.SIGSTOP)
        stopped |= new
    _signal(stopped, signal.SIGKILL)


def _signal(processes: Iterable[int], number: int) -> None:
    for pid in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def empty(folder: str) -> None:
    """Remove everything below ``folder``, however deep: what lies in a folder is moved up before the folder goes."""
    moved = 0
    while entries := list(os.scandir(folder)):
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
                continue
            os.chmod(entry.path, 0o700)
            for inner in list(os.scandir(entry.path)):
                if inner.is_dir(follow_symlinks=False):
                    os.chmod(inner.path, 0o700)
                moved += 1
                os.rename(inner.path, os.path.join(folder, f".moved-{moved}-{os.getpid()}"))
            os.rmdir(entry.path)
