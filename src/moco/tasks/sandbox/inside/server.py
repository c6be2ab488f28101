"""The two processes that stay: a supervisor, which knows the jobs, and a nursery, which forks the children that run them.

The nursery was forked before the first job and never sees one: a child that is forked from it can find nothing of the tests
in its own memory. Per job the supervisor makes pipes, hands their ends to the nursery, writes each child its part, and waits
for the verdict no longer than the job may take.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import sys
import time
from typing import Any

from . import confine, filters, wire
from .nursery import Nursery, warm_up

WATCH_SECONDS = 0.1
"""How often the scratch folder is measured where no file system bounds it."""
_LONGEST_PATH = 1024


def main(settings: dict[str, Any]) -> None:
    """Serve jobs from standard input until it ends; answers go to standard output."""
    os.umask(0o022)
    if settings["namespaces"]:
        confine.enter_namespaces(settings["scratch"], settings["scratch_bytes"])
    incoming, outgoing = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    ours, theirs = socket.socketpair()
    warm_up()
    nursery = Nursery(settings, theirs)
    if os.fork() == 0:
        os.close(incoming)
        os.close(outgoing)
        ours.close()
        nursery.run()
        os._exit(0)
    theirs.close()
    confine.hide()
    landlock = confine.landlock_version() if settings["landlock"] != "no" else 0
    filtered = settings["filter"] != "no" and filters.supported()
    wire.send(outgoing, {"ready": {"landlock": landlock, "filter": filtered, "python": list(sys.version_info[:3])}})
    Supervisor(settings, ours, incoming, outgoing).run()
    os._exit(0)


class Supervisor:
    """Jobs in, verdicts out, one at a time."""

    def __init__(self, settings: dict[str, Any], nursery: socket.socket, incoming: int, outgoing: int) -> None:
        self._settings = settings
        self._nursery = nursery
        self._incoming = incoming
        self._outgoing = outgoing

    def run(self) -> None:
        while True:
            try:
                job = wire.receive(self._incoming)
                wire.send(self._outgoing, self._judge(job))
            except (wire.WireError, OSError):
                return

    def _judge(self, job: dict[str, Any]) -> dict[str, Any]:
        """Run one job. Pipes: the children's parts, the verdict, and in two-process mode a call and a reply pipe."""
        began = time.monotonic()
        pipes = [os.pipe() for _ in range(5 if job["apart"] else 2)]
        (part_read, part_write), (verdict_read, verdict_write) = pipes[:2]
        given = [part_read, verdict_write]
        parts = [(part_write, job["tests_part"])]
        if job["apart"]:
            (own_read, own_write), (call_read, call_write), (reply_read, reply_write) = pipes[2:]
            given += [own_read, call_read, call_write, reply_read, reply_write]
            parts.append((own_write, job["candidate_part"]))
        order = json.dumps({"apart": job["apart"], "limits": job["limits"]}).encode()
        socket.send_fds(self._nursery, [order], given)
        for fd in given:
            os.close(fd)
        for fd, part in parts:
            with contextlib.suppress(OSError):  # a child that ended before it read its part leaves no verdict either
                wire.send(fd, part)
            os.close(fd)
        verdict, why = self._wait(verdict_read, began + job["seconds"])
        os.close(verdict_read)
        seconds = time.monotonic() - began
        self._nursery.sendall(b"end" if why or (verdict and verdict[1] != "gone") else b"gone")
        ended = json.loads(self._nursery.recv(1 << 16) or b"{}")
        return {"verdict": verdict, "why": why, "seconds": seconds, **ended}

    def _wait(self, verdict: int, deadline: float) -> tuple[Any, str]:
        """The verdict, or why there is none: 'timeout', 'scratch', or '' where the pipe was closed without one."""
        watched = not self._settings["scratch_bounded"]
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return None, "timeout"
            ready, _, _ = select.select([verdict, self._incoming], [], [], min(left, WATCH_SECONDS) if watched else left)
            if self._incoming in ready:
                os._exit(0)  # nobody waits for us any more
            if verdict in ready:
                try:
                    return wire.receive(verdict, 1 << 16), ""
                except (wire.WireError, OSError):
                    return None, ""
            if watched and _size(self._settings["scratch"]) > self._settings["scratch_bytes"]:
                return None, "scratch"


def _size(folder: str) -> int:
    """Bytes below ``folder``, at least a page for every name; what vanishes meanwhile counts nothing."""
    total, waiting = 0, [folder]
    while waiting:
        where = waiting.pop()
        if len(where) > _LONGEST_PATH:  # folders nested this deep are no honest scratch
            return 1 << 62
        with contextlib.suppress(OSError):
            for entry in os.scandir(where):
                total += max(4096, entry.stat(follow_symlinks=False).st_blocks * 512)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
    return total
