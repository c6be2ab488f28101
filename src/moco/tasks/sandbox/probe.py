"""The start-up probe: a level counts as present only after actions it must deny were tried in it and failed.

Tried: reading and writing a file of ours, connecting to a port of ours, signalling this process, starting a process.
"""

from __future__ import annotations

import os
import secrets
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from moco.core.errors import SandboxError
from moco.tasks.sandbox.levels import unavailable
from moco.tasks.sandbox.program import Level, Limits, Program
from moco.tasks.sandbox.verdict import judged
from moco.tasks.sandbox.worker import Worker, WorkerDied

SOLUTION = """
import os, socket

def read(path):
    with open(path) as file:
        return file.read()

def write(path):
    with open(path, "w") as file:
        file.write("changed")

def connect(port):
    socket.create_connection(("127.0.0.1", port), 1).close()

def signal(pid):
    os.kill(pid, 0)

def start(_):
    if os.fork() == 0:
        os._exit(0)

def attempt(what, on):
    try:
        globals()[what](on)
    except OSError:
        return "denied"
    return "allowed"

def right(a, b):
    return a + b
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """What the probe of one level found; ``why`` says what is missing, '' where the level holds."""

    level: Level
    why: str
    seconds: float

    @property
    def holds(self) -> bool:
        return not self.why


def probe(levels: Sequence[Level], image: str = "") -> Iterator[Finding]:
    """Probe ``levels`` in order, lazily: the first that holds may be enough. ``image`` is the container's."""
    for level in levels:
        began = time.monotonic()
        why = unavailable(level, image) or _trial(level, image)
        yield Finding(level, why, time.monotonic() - began)


def _trial(level: Level, image: str) -> str:
    """Start a server at ``level`` and try; '' if everything that must fail fails and what must work works.

    Resource limits alone deny nothing of this: there a right program has to pass, no more.
    """
    try:
        worker = Worker(level, image=image)
    except SandboxError as error:
        return error.why or error.what
    try:
        with _bait() as (path, port):
            verdict = judged(worker, _trial_program({} if level == "rlimit" else _forbidden(path, port)))
    except WorkerDied as error:
        return str(error)
    finally:
        worker.close()
    return "" if verdict.passed else f"the probe found: {verdict.detail or verdict.status}"


def _forbidden(path: Path, port: int) -> dict[str, str | int]:
    return {"read": str(path), "write": str(path), "connect": port, "signal": os.getpid(), "start": 0}


def _trial_program(forbidden: Mapping[str, str | int]) -> Program:
    checks = [f"assert attempt({what!r}, {on!r}) == 'denied', '{what} is allowed'" for what, on in forbidden.items()]
    return Program(SOLUTION, "\n".join([*checks, "assert right(1, 2) == 3"]), "attempt", Limits(seconds=10.0))


@contextmanager
def _bait() -> Iterator[tuple[Path, int]]:
    """A file that everybody may read and write, and a listening port of this machine."""
    with tempfile.TemporaryDirectory(prefix="moco-bait-") as folder, socket.socket() as listener:
        os.chmod(folder, 0o755)
        path = Path(folder, "bait.txt")
        path.write_text(secrets.token_hex(8), encoding="utf-8")
        path.chmod(0o666)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield path, listener.getsockname()[1]
