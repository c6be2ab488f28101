"""The sandbox as graders use it: programs in, verdicts out, several at once; level chosen by probing once per process.

Each thread of the sandbox owns one server. A time-out that may be the machine's fault is repeated once with nothing beside it.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from moco.core.errors import ConfigError, did_you_mean
from moco.tasks.sandbox import environment
from moco.tasks.sandbox.levels import EVERY, IMAGE, STRONG, refusal, refusal_of, weak_refusal
from moco.tasks.sandbox.probe import Finding, probe
from moco.tasks.sandbox.program import Level, Program, Verdict
from moco.tasks.sandbox.records import Verdicts
from moco.tasks.sandbox.verdict import judged, refused_at_once, starved
from moco.tasks.sandbox.worker import Worker, WorkerDied

WEAK_VARIABLE, LEVEL_VARIABLE, IMAGE_VARIABLE = "MOCO_ALLOW_WEAK_SANDBOX", "MOCO_SANDBOX", "MOCO_SANDBOX_IMAGE"


@lru_cache(maxsize=len(EVERY))
def finding(level: Level, image: str = "") -> Finding:
    """What probing ``level`` (a container: from ``image``) found; each level is probed once per process."""
    return next(probe([level], image))


def chosen_level(wanted: Level | None = None, *, allow_weak: bool = False, image: str = "") -> Level:
    """The strongest level that holds here, or ``wanted`` if that does: probed, so that a run does not find out in its middle.

    Raises SandboxError where none may be used.
    """
    if wanted == "rlimit" and not allow_weak:
        raise weak_refusal()
    if wanted is not None:
        found = finding(wanted, image) if wanted == "container" else finding(wanted)
        if not found.holds:
            raise refusal_of(wanted, found.why)
        return wanted
    tried = []
    for level in STRONG:
        tried.append(finding(level))
        if tried[-1].holds:
            return level
    if not allow_weak:
        raise refusal([(one.level, one.why) for one in tried])
    if not finding("rlimit").holds:
        raise refusal([(one.level, one.why) for one in (*tried, finding("rlimit"))])
    return "rlimit"


class Sandbox:
    """Runs programs at ``level`` (None: the strongest that holds), at most ``workers`` at once.

    ``cache``: a file for verdicts; None keeps them for this process. ``allow_weak`` permits resource limits alone where
    nothing better is there; the environment variable MOCO_ALLOW_WEAK_SANDBOX=1 does too. ``image`` is the container's.
    Nothing is started before the first program. Raises ConfigError for an unknown level; ``run`` raises SandboxError where
    this machine has no level that may be used.
    """

    def __init__(
        self,
        *,
        level: Level | None = None,
        allow_weak: bool | None = None,
        workers: int | None = None,
        cache: Path | None = None,
        image: str = "",
    ) -> None:
        if level is not None and level not in EVERY:
            raise ConfigError(f"no such sandbox level: '{level}'", remedy=did_you_mean(level, EVERY))
        self._wanted = level
        self._weak = os.environ.get(WEAK_VARIABLE, "") not in ("", "0") if allow_weak is None else allow_weak
        self._image = image or os.environ.get(IMAGE_VARIABLE, "")
        self._cache_path = cache
        self._threads = ThreadPoolExecutor(workers or _processors(), thread_name_prefix="moco-sandbox")
        self._own = threading.local()
        self._workers: set[Worker] = set()
        self._lock = threading.Lock()
        self._level: Level | None = None
        self._verdicts: Verdicts | None = None
        self._gate = Gate()

    @property
    def level(self) -> Level:
        """The level programs run at; probes at first use. Raises SandboxError."""
        with self._lock:
            if self._level is None:
                self._level = chosen_level(self._wanted, allow_weak=self._weak, image=self._image)
            return self._level

    def ready(self) -> None:
        """What can go wrong goes wrong here: raises SandboxError, and CacheError for a file of verdicts that cannot be used."""
        _ = self.level
        self._kept()

    async def run(self, program: Program) -> Verdict:
        """The verdict on ``program``. Raises SandboxError where no sandbox may be used here."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.judge, program)

    def judge_all(self, programs: Iterable[Program]) -> list[Verdict]:
        """The verdicts on ``programs``, in order, without an event loop."""
        return list(self._threads.map(self.judge, programs))

    def judge(self, program: Program) -> Verdict:
        """As ``run``, in the calling thread, which from then on owns a server."""
        why = refused_at_once(program)
        if why:
            return Verdict("refused", why)
        level = self.level
        about = environment.versions() if level != "container" else {"image": self._image or IMAGE}
        key = program.key({**about, "level": level})
        kept = self._kept().get(key)
        if kept is not None:
            return kept
        with self._gate.shared():
            verdict, died = self._once(program)
        if starved(verdict, program):
            with self._gate.alone():
                verdict, died = self._once(program)
            if verdict.status == "timeout":
                verdict = replace(verdict, detail=f"{verdict.detail}, repeated alone")
        if not died:  # a server that ended may be the machine's fault
            self._kept().put(key, verdict)
        return verdict

    def close(self) -> None:
        """End every server."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        with self._lock:
            workers, self._workers = self._workers, set()
            if self._verdicts is not None:
                self._verdicts.close()
                self._verdicts = None
        for worker in workers:
            worker.close()

    def _kept(self) -> Verdicts:
        with self._lock:
            if self._verdicts is None:
                self._verdicts = Verdicts(self._cache_path)
            return self._verdicts

    def _once(self, program: Program) -> tuple[Verdict, bool]:
        """The verdict on ``program``, and whether it is none because the server died."""
        worker = self._worker()
        try:
            return judged(worker, program), False
        except WorkerDied as error:
            with self._lock:
                self._workers.discard(worker)
            self._own.worker = None
            seconds = program.limits.seconds
            return Verdict("timeout" if error.silent else "no verdict", str(error), worker.level, seconds, seconds), True

    def _worker(self) -> Worker:
        worker: Worker | None = getattr(self._own, "worker", None)
        if worker is None:
            worker = Worker(self.level, image=self._image)
            self._own.worker = worker
            with self._lock:
                self._workers.add(worker)
        return worker


class Gate:
    """Many may pass at once, or one alone; who wants to be alone lets nobody new in."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._waiting = 0

    @contextmanager
    def shared(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: self._inside >= 0 and not self._waiting)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._changed:
            self._waiting += 1
            self._changed.wait_for(lambda: self._inside == 0)
            self._waiting -= 1
            self._inside = -1
        try:
            yield
        finally:
            with self._changed:
                self._inside = 0
                self._changed.notify_all()


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_default: Sandbox | None = None
_default_lock = threading.Lock()


def configure(
    *, level: Level | None = None, allow_weak: bool | None = None, workers: int | None = None, cache: Path | None = None
) -> Sandbox:
    """Make the process's own sandbox anew with these options, and return it; see ``Sandbox``."""
    global _default
    made = Sandbox(level=level or _level_of_environment(), allow_weak=allow_weak, workers=workers, cache=cache)
    with _default_lock:
        old, _default = _default, made
    if old is not None:
        old.close()
    return made


def allow_weak() -> None:
    """Let the process's own sandbox fall back on resource limits alone; to be called before it is first used."""
    os.environ[WEAK_VARIABLE] = "1"


def default_sandbox() -> Sandbox:
    """The process's own sandbox, opened at first use; its verdicts are kept in the user's store folder."""
    from moco.models.store import default_home
    from moco.tasks.sandbox.records import FILE

    global _default
    with _default_lock:
        if _default is None:
            _default = Sandbox(level=_level_of_environment(), cache=default_home() / FILE)
        return _default


def _level_of_environment() -> Level | None:
    """The level that MOCO_SANDBOX names; raises ConfigError for an unknown one."""
    named = os.environ.get(LEVEL_VARIABLE, "")
    for level in EVERY:
        if level == named:
            return level
    if named:
        raise ConfigError(f"no such sandbox level: '{named}'", where=LEVEL_VARIABLE, remedy=did_you_mean(named, EVERY))
    return None


@atexit.register
def _close_default() -> None:
    if _default is not None:
        _default.close()
