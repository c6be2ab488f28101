"""One server process and the conversation with it: a job goes in, an answer comes out, or the server is ended.

A worker is used by one thread at a time. The parent keeps its own, later deadline: whatever happens inside, ``ask`` returns.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import struct
import subprocess
import tempfile
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from moco.core.errors import SandboxError
from moco.tasks.sandbox import environment
from moco.tasks.sandbox.inside.nursery import empty
from moco.tasks.sandbox.levels import launch
from moco.tasks.sandbox.program import Level

START_SECONDS = 30.0
GRACE_SECONDS = 5.0
"""How much later than the server the parent gives a job up."""
_PREFIX = "moco-sandbox-"
_FRESH_SECONDS = 60.0
"""A home younger than this may not have been locked yet by whoever made it."""


class WorkerDied(Exception):
    """The server ended or fell silent; ``silent`` tells which."""

    def __init__(self, why: str, *, silent: bool = False) -> None:
        super().__init__(why)
        self.silent = silent


class Worker:
    """A running server at ``level``. Raises SandboxError where it does not start."""

    def __init__(self, level: Level, *, image: str = "") -> None:
        self.level = level
        remove_abandoned(Path(tempfile.gettempdir()))
        self._home = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._held = _hold(self._home)
        try:
            started = launch(level, self._home, image=image)
            self._process = subprocess.Popen(
                started.argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(level),
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            self._remove_home()
            raise SandboxError(f"the sandbox level '{level}' does not start", why=str(error), remedy="moco doctor") from error
        except SandboxError:
            self._remove_home()
            raise
        try:
            ready = self._receive(time.monotonic() + START_SECONDS)
        except WorkerDied as error:
            said = self.close()
            remedy = "moco doctor shows the levels of this machine"
            raise SandboxError(f"the sandbox level '{level}' does not start", why=said or str(error), remedy=remedy) from error
        self.about: dict[str, Any] = ready["ready"]
        atexit.register(self.close)

    @property
    def pid(self) -> int:
        """The first process of the server."""
        return self._process.pid

    def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        """The server's answer to ``job``; raises WorkerDied, after which this worker is closed."""
        body = json.dumps(job).encode()
        deadline = time.monotonic() + float(job["seconds"]) + GRACE_SECONDS
        try:
            self._send(struct.pack(">I", len(body)) + body, deadline)
            return self._receive(deadline)
        except WorkerDied:
            self.close()
            raise

    def close(self) -> str:
        """End every process of the server and remove its folder; returns the line of stderr that says why. Once is enough."""
        assert self._process.stdin and self._process.stdout and self._process.stderr
        atexit.unregister(self.close)
        if self._process.stdout.closed:  # at the end of the interpreter the worker and its pool both come here
            return ""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        said = b""
        if select.select([self._process.stderr], [], [], 0.2)[0]:
            said = os.read(self._process.stderr.fileno(), 4096)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):
                pipe.close()
        self._remove_home()
        lines = said.decode("utf-8", "replace").strip().splitlines() or [""]
        return lines[-1] if lines[0].startswith("Traceback") else lines[0]

    def _remove_home(self) -> None:
        _remove(self._home)
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _send(self, data: bytes, deadline: float) -> None:
        assert self._process.stdin
        fd, view = self._process.stdin.fileno(), memoryview(data)
        while view:
            if not select.select([], [fd], [], max(0.0, deadline - time.monotonic()))[1]:
                raise WorkerDied("the sandbox does not take its job", silent=True)
            try:
                view = view[os.write(fd, view[: select.PIPE_BUF]) :]
            except OSError as error:
                raise WorkerDied(f"the sandbox is gone: {error}") from error

    def _receive(self, deadline: float) -> dict[str, Any]:
        (size,) = struct.unpack(">I", self._exactly(4, deadline))
        found: dict[str, Any] = json.loads(self._exactly(size, deadline))
        return found

    def _exactly(self, size: int, deadline: float) -> bytes:
        assert self._process.stdout
        fd, parts = self._process.stdout.fileno(), []
        while size:
            if not select.select([fd], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise WorkerDied("the sandbox does not answer", silent=True)
            part = os.read(fd, min(size, 1 << 16))
            if not part:
                raise WorkerDied("the sandbox ended")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


@lru_cache(maxsize=1)
def remove_abandoned(folder: Path) -> None:
    """Remove the homes of workers whose process was killed: they are old and nobody holds them. Once per process."""
    for home in folder.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - home.stat().st_mtime < _FRESH_SECONDS:
                continue
            held = _hold(home)
            if held is not None:
                _remove(home)
                os.close(held)


def _hold(home: Path) -> int | None:
    """Lock ``home`` for as long as this process lives; None where somebody has, or where there are no such locks."""
    try:
        import fcntl

        fd = os.open(home, os.O_RDONLY | os.O_CLOEXEC)
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return fd


def _remove(home: Path) -> None:
    with contextlib.suppress(OSError):
        empty(str(home))
        home.rmdir()


def _environment(level: Level) -> dict[str, str]:
    """What the server's process sees of our environment: nothing, but what a container engine needs to be found."""
    if level != "container":
        return dict(environment.VARIABLES)
    return {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "XDG_RUNTIME_DIR", "DOCKER_HOST")}
