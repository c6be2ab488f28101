"""How many threads and processes a program may start: bounded at every level, by the kernel or, for root, by counting."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from moco.tasks.sandbox import Level, Limits, Program, Sandbox, levels
from moco.tasks.sandbox.inside import crowd, nursery
from moco.tasks.sandbox.levels import STRONG

At = Callable[[Level], Sandbox]
MANY = 3000
BOMBS = {
    "threads": """
import threading, time
def square(x):
    threading.stack_size(32768)
    for _ in range({many}):
        threading.Thread(target=time.sleep, args=(3,), daemon=True).start()
    return x * x
""",
    "forks": """
import os, time
def square(x):
    for _ in range({many}):
        if os.fork() == 0:
            os.setsid()
            time.sleep(3)
            os._exit(0)
    return x * x
""",
}
FEW = """
import threading, time
def square(x):
    threads = [threading.Thread(target=time.sleep, args=(0.1,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return x * x
"""


@pytest.mark.parametrize("level", [*STRONG, "rlimit"])
@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_stopped(bomb: str, apart: bool, level: Level, sandbox_at: At) -> None:
    program = Program(BOMBS[bomb].format(many=MANY), "assert square(2) == 4", "square", Limits(seconds=10), apart)
    verdict = sandbox_at(level).judge(program)
    assert verdict.status in ("failed", "crashed") and verdict.seconds < 10, verdict


@pytest.mark.parametrize("level", [*STRONG, "rlimit"])
def test_a_few_threads_are_no_bomb(level: Level, sandbox_at: At) -> None:
    verdict = sandbox_at(level).judge(Program(FEW, "assert square(2) == 4", "square"))
    assert verdict.passed, verdict


@pytest.mark.parametrize(
    "level, root, uid, linux, bound",
    [
        ("bwrap", False, None, (6, 1), "own"),
        ("userns", False, None, (5, 14), "own"),
        ("userns", False, None, (5, 13), "watched"),
        ("bwrap", True, None, (6, 1), "watched"),
        ("landlock", False, None, (6, 1), "shared"),
        ("landlock", True, None, (6, 1), "watched"),
        ("landlock", True, 65534, (6, 1), "shared"),
        ("rlimit", True, None, (6, 1), "watched"),
        ("container", True, None, (6, 1), "no"),
    ],
)
def test_what_bounds_the_crowd(
    level: Level, root: bool, uid: int | None, linux: tuple[int, ...], bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0 if root else 1000)
    monkeypatch.setattr(levels, "_linux", lambda: linux)
    assert levels.crowd(level, uid) == bound


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")
def test_descendants_are_counted_and_ended() -> None:
    """In a process of its own: it ends everything below itself."""
    code = (
        "import os, subprocess, sys; from moco.tasks.sandbox.inside import crowd, nursery\n"
        "sleeper = 'import time, os; os.fork(); os.fork(); time.sleep(30)'\n"
        "child = subprocess.Popen([sys.executable, '-c', sleeper])\n"
        "while len(crowd.below()) < 4: pass\n"
        "assert crowd.processes_of(os.getuid()) >= 5\n"
        "nursery.end_all(); assert child.wait() == -9; print('ended')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "ended\n", done.stderr


def test_counting_without_proc_finds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(path: str) -> list[str]:
        raise FileNotFoundError(path)

    monkeypatch.setattr(os, "listdir", nothing)
    assert crowd.below() == {} and crowd.processes_of(0) == 0
    nursery.end_all()
