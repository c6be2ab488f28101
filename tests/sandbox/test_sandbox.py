"""Choosing a level, styles of tests, time-outs, the cache, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moco.core.errors import CacheError, ConfigError, SandboxError
from moco.tasks.graders.code import KIND
from moco.tasks.sandbox import Finding, Level, Limits, Program, Sandbox, Verdict, chosen_level, pool
from moco.tasks.sandbox.inside import filters, wire
from moco.tasks.sandbox.inside.nursery import empty
from moco.tasks.sandbox.levels import STRONG, launch, unavailable
from moco.tasks.sandbox.records import Verdicts
from moco.tasks.sandbox.worker import Worker, remove_abandoned

At = Callable[[Level], Sandbox]
SQUARE = "def square(x):\n    return x * x\n"


@pytest.fixture
def sandbox(sandbox_at: At) -> Sandbox:
    level = next((level for level in STRONG if pool.finding(level).holds), None)
    if level is None:
        pytest.skip("this machine has no level that generated code may run in")
    return sandbox_at(level)


def nothing_holds(level: Level) -> Finding:
    return Finding(level, "not on this machine", 0.0)


def only_limits(level: Level) -> Finding:
    return Finding(level, "" if level == "rlimit" else "not on this machine", 0.0)


# -- levels ----------------------------------------------------------------------------------------------------------


def test_the_strongest_level_that_holds_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "finding", lambda level: Finding(level, "" if level == "landlock" else "absent", 0.0))
    assert chosen_level() == "landlock"


def test_without_a_strong_level_code_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "finding", nothing_holds)
    with pytest.raises(SandboxError) as caught:
        chosen_level()
    assert "not on this machine" in caught.value.why
    assert "MOCO_ALLOW_WEAK_SANDBOX" in caught.value.remedy and "bubblewrap" in caught.value.remedy
    with pytest.raises(SandboxError, match="rlimit: not on this machine"):
        chosen_level(allow_weak=True)
    monkeypatch.setattr(pool, "finding", only_limits)
    assert chosen_level(allow_weak=True) == "rlimit"


def test_the_weak_level_is_refused_even_when_named() -> None:
    with pytest.raises(SandboxError, match="not allowed"):
        chosen_level("rlimit")


@pytest.mark.parametrize("level", [*STRONG, "rlimit", "container"])
def test_a_named_level_that_does_not_work_is_refused_before_anything_is_judged(
    level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "finding", lambda level, image="": Finding(level, f"{level} is broken", 0.0))
    monkeypatch.setenv("MOCO_SANDBOX", level)
    monkeypatch.setattr(pool, "_default", None)
    pool.configure(allow_weak=True)
    with pytest.raises(SandboxError, match=f"'{level}' was asked for") as caught:
        KIND.ready()
    assert f"{level} is broken" in caught.value.why and "MOCO_SANDBOX" in caught.value.remedy


def test_the_environment_allows_the_weak_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "finding", only_limits)
    monkeypatch.setenv("MOCO_ALLOW_WEAK_SANDBOX", "1")
    assert Sandbox().level == "rlimit"
    monkeypatch.setenv("MOCO_ALLOW_WEAK_SANDBOX", "0")
    with pytest.raises(SandboxError):
        _ = Sandbox().level


def test_other_systems_are_told_what_they_lack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert all("needs Linux" in unavailable(level) for level in STRONG)
    with pytest.raises(SandboxError, match="not available"):
        launch("landlock", tmp_path)


def test_an_unknown_level_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="landlok"):
        Sandbox(level="landlok")  # type: ignore[arg-type]
    monkeypatch.setenv("MOCO_SANDBOX", "bubble")
    with pytest.raises(ConfigError, match="bubble"):
        pool.configure()


@pytest.mark.skipif(os.name == "nt", reason="the engine of this test is a shell script")
@pytest.mark.parametrize(
    "script, why",
    [
        ("echo 'Cannot connect to the Docker daemon. Is it running?' >&2; exit 1", "docker refuses: Cannot connect"),
        (
            "echo 'Error response from daemon: No such image: mine:1' >&2; exit 1",
            "the image mine:1 is not here (docker pull mine:1)",
        ),
        ("echo 'Error: mine:1: image not known' >&2; exit 125", "is not here"),
        ("exit 3", "does not say why"),
        ("sleep 60", "does not answer"),
        ('test "$*" = "image inspect --format {{.Id}} mine:1"', ""),
    ],
)
def test_a_container_engine_is_asked_before_a_run(script: str, why: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    engine = tmp_path / "docker"
    engine.write_text(f"#!/bin/sh\n{script.replace('sleep', 'exec sleep')}\n", encoding="utf-8")
    engine.chmod(0o755)
    monkeypatch.setattr("moco.tasks.sandbox.levels._engine", lambda: str(engine))
    monkeypatch.setattr("moco.tasks.sandbox.levels.ENGINE_SECONDS", 0.3 if "sleep" in script else 20.0)
    found = unavailable("container", "mine:1")
    assert why in found if why else not found


def test_a_container_gets_no_network_and_nothing_to_write(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("moco.tasks.sandbox.levels._engine", lambda: "/usr/bin/podman")
    monkeypatch.setattr("moco.tasks.sandbox.levels._container_fault", lambda image: "")
    line = " ".join(launch("container", tmp_path, image="mine:1").argv)
    for words in ("--network none", "--read-only", "--cap-drop ALL", "no-new-privileges", "--pull never", "mine:1 python3 -I"):
        assert words in line


@pytest.mark.parametrize("level", STRONG)
def test_a_level_that_holds_denied_what_was_tried(level: Level, sandbox_at: At) -> None:
    sandbox_at(level)
    assert pool.finding(level).holds


# -- tests and verdicts ----------------------------------------------------------------------------------------------

STYLES = {
    "check": ("def check(candidate):\n    assert candidate(3) == 9", "def check(candidate):\n    assert candidate(3) == 8"),
    "asserts": ("assert square(3) == 9\nassert square(1) == 1", "assert square(3) == 9\nassert square(1) == 2"),
    "functions": ("def test_it():\n    assert square(3) == 9", "def test_it():\n    assert square(3) == 8"),
    "cases": (
        "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(square(3), 9)",
        "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(square(3), 8)",
    ),
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("apart", [True, False])
def test_every_style_of_tests(style: str, apart: bool, sandbox: Sandbox) -> None:
    right, false = STYLES[style]
    assert sandbox.judge(Program(SQUARE, right, "square", apart=apart)).status == "passed"
    verdict = sandbox.judge(Program(SQUARE, false, "square", apart=apart))
    assert verdict.status == "failed" and "AssertionError" in verdict.detail


@pytest.mark.parametrize(
    "tests, why",
    [
        ("", "no tests"),
        ("import math\n", "check nothing"),
        ("def check(candidate:", "do not compile"),
        ("def helper():\n    assert square(2) == 5", "check nothing"),
    ],
)
def test_tests_that_check_nothing_are_refused(tests: str, why: str, sandbox: Sandbox) -> None:
    verdict = sandbox.judge(Program(SQUARE, tests, "square"))
    assert verdict.status == "refused" and why in verdict.detail


def test_check_needs_an_entry_point(sandbox: Sandbox) -> None:
    assert sandbox.judge(Program(SQUARE, "def check(candidate):\n    assert candidate(2) == 4")).status == "refused"


OBJECTS = """
class Node:
    def __init__(self, value):
        self.value, self.next = value, None
def total(node):
    return node.value + (total(node.next) if node.next else 0)
def apply(function, values):
    return [function(value) for value in values]
def adder(n):
    return lambda m: n + m
def upwards(values):
    values.sort()
def wrong(_):
    raise KeyError("no such key")
def several():
    return (1, 2.5, "ä\\ud800", None, True, {1: [2]}, {3}, frozenset(), b"\\0", 1j, float("nan"), 1 << 9000)
"""


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize(
    "tests",
    [
        "a = Node(1)\na.next = Node(2)\nassert total(a) == 3 and a.next.value == 2",
        "assert apply(lambda v: v + 1, [1, 2]) == [2, 3]",
        "assert adder(2)(3) == 5",
        "given = [2, 1]\nassert upwards(given) is None and given == [1, 2]",
        "try:\n    wrong(0)\nexcept KeyError as error:\n    assert 'no such key' in str(error)\nelse:\n    assert False",
        "got = several()\nassert got[:10] == (1, 2.5, 'ä\\ud800', None, True, {1: [2]}, {3}, frozenset(), b'\\0', 1j)\n"
        "assert got[10] != got[10] and got[11] == 1 << 9000",
    ],
)
def test_objects_functions_and_values_cross_between_the_processes(tests: str, apart: bool, sandbox: Sandbox) -> None:
    verdict = sandbox.judge(Program(OBJECTS, tests, apart=apart))
    assert verdict.passed, verdict.detail


def test_numpy_is_there_and_moco_is_not(sandbox: Sandbox) -> None:
    tests = "assert biggest([1, 3, 2]) == 3"
    assert sandbox.judge(Program("import numpy as np\ndef biggest(v):\n    return np.max(v)", tests)).passed
    assert "ModuleNotFoundError" in sandbox.judge(Program("import moco\ndef biggest(v):\n    return 3", tests)).detail


@pytest.mark.parametrize("apart", [True, False])
def test_tests_and_solution_may_call_a_module_by_a_name_of_their_own(apart: bool, sandbox: Sandbox) -> None:
    solution = "import math as m\nimport csv\ndef root(x):\n    return m.sqrt(x)"
    tests = "import math as m\nimport csv\nassert m.isclose(root(4), 2) and csv.QUOTE_ALL"
    verdict = sandbox.judge(Program(solution, tests, "root", apart=apart))
    assert verdict.passed, verdict


def test_a_starved_time_out_is_repeated_alone(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([Verdict("timeout", "slow", "userns", 4.0, 0.1), Verdict("passed", "", "userns", 1.0, 0.5)])
    monkeypatch.setattr(Sandbox, "_once", lambda self, program: (next(answers), False))
    assert sandbox.judge(Program(SQUARE, "assert square(1) == 1 and 'starved'")).passed


def test_a_busy_time_out_is_not_repeated(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([Verdict("timeout", "slow", "userns", 4.0, 3.9)])
    monkeypatch.setattr(Sandbox, "_once", lambda self, program: (next(answers), False))
    assert sandbox.judge(Program(SQUARE, "assert square(1) == 1 and 'busy'")).status == "timeout"


def test_a_server_that_dies_is_replaced(sandbox_at: At, sandbox: Sandbox) -> None:
    own = Sandbox(level=sandbox.level, workers=1)
    try:
        assert own.judge(Program(SQUARE, "assert square(1) == 1")).passed
        worker = next(iter(own._workers))
        os.killpg(worker.pid, 9)
        assert own.judge(Program(SQUARE, "assert square(2) == 4")).status == "no verdict"
        assert own.judge(Program(SQUARE, "assert square(2) == 4")).passed, "that the server died says nothing of the program"
        assert own.judge(Program(SQUARE, "assert square(3) == 9")).passed
    finally:
        own.close()


def test_a_worker_may_be_closed_twice(sandbox: Sandbox) -> None:
    worker = Worker(sandbox.level)
    worker.close()
    assert worker.close() == ""


def test_many_at_once_from_any_loop(sandbox: Sandbox) -> None:
    async def several() -> list[Verdict]:
        return await asyncio.gather(*(sandbox.run(Program(SQUARE, f"assert square({n}) == {n * n}")) for n in range(20)))

    assert all(v.passed for v in asyncio.run(several()))
    assert all(v.cached for v in asyncio.run(several()))


def test_nothing_is_left_behind(sandbox: Sandbox) -> None:
    """No process with the run's token in its environment or command line lives on, and no folder stays."""
    before = {path.name for path in Path("/tmp").glob("moco-sandbox-*")}
    own = Sandbox(level=sandbox.level, workers=1)
    assert own.judge(Program("import threading, time\n" + SQUARE + LINGER, "assert square(2) == 4")).passed
    pids = {worker.pid for worker in own._workers}
    folders = {str(worker._home) for worker in own._workers}
    own.close()
    assert pids and not any(Path(f"/proc/{pid}").exists() for pid in pids)
    for _ in range(50):
        held = [path for path in Path("/proc").glob("[0-9]*/cmdline") if any(f in _text(path) for f in folders)]
        if not held:
            break
        time.sleep(0.02)
    assert not held
    assert {path.name for path in Path("/tmp").glob("moco-sandbox-*")} <= before


def test_homes_of_killed_workers_are_removed_by_the_next(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name, age in (("moco-sandbox-old", 3600), ("moco-sandbox-new", 0), ("another", 3600)):
        (tmp_path / name / "scratch").mkdir(parents=True)
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    remove_abandoned.cache_clear()
    worker = Worker(sandbox.level)
    os.utime(worker._home, (time.time() - 3600,) * 2)
    remove_abandoned.cache_clear()
    other = Worker(sandbox.level)
    assert worker._home.is_dir(), "old, and somebody works in it"
    assert {path.name for path in tmp_path.iterdir()} == {"moco-sandbox-new", "another", worker._home.name, other._home.name}
    worker.close()
    other.close()
    assert {path.name for path in tmp_path.iterdir()} == {"moco-sandbox-new", "another"}


LINGER = "threading.Thread(target=time.sleep, args=(100,), daemon=True).start()\n"


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


# -- the cache -------------------------------------------------------------------------------------------------------


def test_verdicts_are_kept_and_damaged_ones_are_not_believed(sandbox: Sandbox, tmp_path: Path) -> None:
    file, program = tmp_path / "verdicts.sqlite", Program(SQUARE, "assert square(2) == 4")
    for expected in (False, True):
        own = Sandbox(level=sandbox.level, cache=file, workers=1)
        verdict = own.judge(program)
        own.close()
        assert verdict.passed and verdict.cached is expected and verdict.level == sandbox.level
    with sqlite3.connect(file) as db:
        db.execute("UPDATE verdicts SET body = replace(body, 'passed', 'failed')")
    own = Sandbox(level=sandbox.level, cache=file, workers=1)
    assert own.judge(program).passed
    own.close()


def test_verdicts_that_cannot_be_kept_are_refused_before_a_run(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(pool, "_default", None)
    own = pool.configure(level=sandbox.level, cache=tmp_path / "file" / "verdicts.sqlite")
    with pytest.raises(CacheError, match="cannot open the verdicts") as caught:
        KIND.ready()
    assert "MOCO_HOME" in caught.value.remedy
    own.close()


def test_what_the_machine_may_have_killed_is_not_kept() -> None:
    kept = Verdicts()
    for detail, there in (("ended by signal 9", False), ("ended by signal 11", True)):
        kept.put("key", Verdict("crashed", detail, "bwrap"))
        assert (kept.get("key") is not None) is there
    kept.close()


def test_a_verdict_is_not_reused_at_another_level(sandbox_at: At, tmp_path: Path) -> None:
    levels = [level for level in STRONG if pool.finding(level).holds]
    if len(levels) < 2:
        pytest.skip("this machine has fewer than two levels that hold")
    file, program = tmp_path / "verdicts.sqlite", Program(SQUARE, "assert square(2) == 4")
    for level, cached in ((levels[0], False), (levels[1], False), (levels[0], True)):
        own = Sandbox(level=level, cache=file, workers=1)
        verdict = own.judge(program)
        own.close()
        assert (verdict.level, verdict.cached) == (level, cached)


def test_the_key_covers_everything() -> None:
    program, here = Program("a", "b", "c"), {"python": "3.11.0", "level": "bwrap"}
    others = [
        Program("x", "b", "c"),
        Program("a", "x", "c"),
        Program("a", "b", "x"),
        Program("a", "b", "c", Limits(seconds=5)),
        Program("a", "b", "c", apart=False),
    ]
    elsewhere = [{**here, "python": "3.12.0"}, {**here, "level": "userns"}]
    keys = {p.key(here) for p in [program, *others]} | {program.key(about) for about in elsewhere}
    assert len(keys) == len(others) + 3


# -- parts -----------------------------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.complex_numbers(allow_nan=False),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_values_come_back_as_they_went(value: object) -> None:
    codec = wire.Codec(lambda what, number, *rest: None, lambda value: False)
    back = codec.decode(codec.encode(value))
    assert back == value and type(back) is type(value)


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=6), lambda inner: st.lists(inner), max_leaves=20)
)
def test_decoding_anything_gives_a_value_or_a_wire_error(message: object) -> None:
    codec = wire.Codec(lambda what, number, *rest: None, lambda value: False)
    with contextlib.suppress(wire.WireError):
        codec.decode(message)


def test_a_remote_is_equal_to_nothing_and_neither_true_nor_false() -> None:
    remote = wire.Remote(0, lambda what, number, *rest: None)
    assert remote != 4 and remote != wire.Remote(0, lambda what, number, *rest: None)
    with pytest.raises(TypeError):
        bool(remote)


@pytest.mark.parametrize("depth", [1, 7, 400])
def test_a_folder_is_emptied_however_deep(tmp_path: Path, depth: int) -> None:
    root = tmp_path / "root"
    root.mkdir()
    here = root
    for n in range(depth):
        (here / "file").write_text("x")
        here = here / "d"
        here.mkdir(mode=0o700 if n % 7 else 0o000) if n + 1 == depth else here.mkdir()
    empty(str(root))
    assert not list(root.iterdir())


@pytest.mark.skipif(not filters.supported(), reason="no table of system calls for this machine")
def test_the_filter_is_made_of_whole_instructions_and_short_enough() -> None:
    code = filters.program(4711)
    assert len(code) % 8 == 0 and len(code) // 8 < 4096
