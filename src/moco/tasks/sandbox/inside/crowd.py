"""How many threads and processes there are, from /proc: of a user, and below this process.

Process numbers are those of the mounted /proc, which in a namespace of our own may be the numbers of the machine.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


def processes_of(uid: int) -> int:
    """Threads of a user, all processes together: what RLIMIT_NPROC counts."""
    count = 0
    for name in _names():
        with contextlib.suppress(OSError), open(f"/proc/{name}/status") as file:
            fields = dict(line.split(":", 1) for line in file if line.startswith(("Uid:", "Threads:")))
            if int(fields["Uid"].split()[0]) == uid:
                count += int(fields["Threads"])
    return count


def below() -> dict[int, int]:
    """The processes that descend from this one, each with how many threads it has; empty where /proc does not tell.

    In a process namespace without a /proc of its own these are not the numbers by which they can be signalled.
    """
    children, threads = dict[int, list[int]](), dict[int, int]()
    for pid, parent, count in _everybody():
        children.setdefault(parent, []).append(pid)
        threads[pid] = count
    found, waiting = dict[int, int](), list(children.get(_me(), ()))
    while waiting:
        pid = waiting.pop()
        found[pid] = threads[pid]
        waiting += children.get(pid, ())
    return found


def _me() -> int:
    """The number of this process in /proc, which is not ``os.getpid()`` in a process namespace without a /proc of its own."""
    try:
        return int(os.readlink("/proc/self"))
    except OSError:
        return os.getpid()


def _everybody() -> Iterator[tuple[int, int, int]]:
    """Number, parent and threads of every process; one that ends meanwhile is left out."""
    for name in _names():
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
            yield int(name), int(fields[1]), int(fields[17])


def _names() -> list[str]:
    try:
        return [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []
