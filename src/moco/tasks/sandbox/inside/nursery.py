"""The nursery: forks the children of each job, ends them, and cleans up behind them.

It runs no code of a solution or of tests and never reads a part of a job.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from . import confine, filters
from .roles import Cell, enter, play_both, play_candidate, play_tests

WARM = (
    *("math", "re", "string", "random", "itertools", "functools", "collections", "heapq", "bisect", "operator", "typing"),
    *("copy", "datetime", "fractions", "decimal", "statistics", "json", "hashlib", "unittest", "dataclasses", "enum", "abc"),
    *("traceback", "inspect", "contextlib", "textwrap", "encodings.idna", "encodings.utf_8", "encodings.latin_1"),
)
"""Modules every child finds imported, as solutions and tests commonly use them."""

_MOMENTS = 50
"""Milliseconds a child whose pipe was closed is given to end by itself, so that its end can be told."""


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
            patient = self._orders.recv(16) == b"gone"
            ended = [self._end(child, patient) for child in children]
            self._reap_orphans()
            for folder in self._cell.folders.values():
                empty(folder)
            status = dict(zip(("tests", "candidate"), ended, strict=False))
            self._orders.sendall(json.dumps({"ended": status}).encode())

    def _fork(self, order: dict[str, Any], fds: list[int]) -> list[int]:
        limits = order["limits"]
        if self._settings["crowd"]:  # without a filter a program may start processes; the limit counts the user's, all of them
            limits["NPROC"] = _processes_of(os.getuid() if self._cell.uid is None else self._cell.uid) + 64
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
                    for pid in _children_of(os.getpid()):
                        os.kill(pid, signal.SIGKILL)
                    os.waitpid(-1, 0)
            except ChildProcessError:
                return


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


def _children_of(parent: int) -> list[int]:
    """Processes whose parent is ``parent``, from /proc."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat") as file:
                if int(file.read().rpartition(")")[2].split()[1]) == parent:
                    found.append(int(name))
    return found


def _processes_of(uid: int) -> int:
    """Processes and threads of a user."""
    count = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{name}").st_uid == uid:
                    count += len(os.listdir(f"/proc/{name}/task"))
    return count
