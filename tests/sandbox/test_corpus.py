"""The hostile corpus, case by case: two processes at every level, one process at the default level, and the published table."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable

import pytest

from moco.tasks.sandbox import Level, Limits, Program, Sandbox, Verdict
from moco.tasks.sandbox.levels import STRONG
from tests.sandbox.corpus import CASES, NOT_RUN, PAGE, Case, page_with_table

LIMITS = Limits(seconds=0.6, memory_mb=256)
At = Callable[[Level], Sandbox]
QUICK = [case for case in CASES if "timeout" not in (case.apart, case.one)]


def verdicts(sandbox: Sandbox, cases: Iterable[Case], *, apart: bool) -> dict[str, Verdict]:
    programs = [Program(case.solution, case.tests, "square", LIMITS, apart) for case in cases]
    return dict(zip([case.name for case in cases], sandbox.judge_all(programs), strict=True))


def wrong(found: dict[str, Verdict], cases: Iterable[Case], expected: Callable[[Case], str]) -> list[str]:
    return [
        f"{case.name}: {found[case.name].status} ({found[case.name].detail}), expected {expected(case)}"
        for case in cases
        if found[case.name].status != expected(case)
    ]


def here(cases: list[Case]) -> list[Case]:
    """System calls of the corpus have x86-64 numbers."""
    return [case for case in cases if platform.machine() == "x86_64" or "syscall(" not in case.solution]


@pytest.mark.parametrize("level", STRONG)
def test_two_processes_give_no_false_pass(level: Level, sandbox_at: At) -> None:
    """At every level; the programs that only run out of time are tried at the strongest one."""
    cases = here(QUICK)
    found = verdicts(sandbox_at(level), cases, apart=True)
    assert not wrong(found, cases, lambda case: case.but.get(level, case.apart))
    assert {name for name, verdict in found.items() if verdict.passed} == {c.name for c in cases if c.apart == "passed"}
    assert {verdict.level for verdict in found.values()} == {level}


@pytest.mark.parametrize("level", STRONG)
@pytest.mark.parametrize("group", ["honest", "exit", "forging", "equal", "text"])
def test_one_process_is_as_published(level: Level, group: str, sandbox_at: At) -> None:
    cases = [case for case in here(QUICK) if case.group == group]
    assert not wrong(verdicts(sandbox_at(level), cases, apart=False), cases, lambda case: case.but.get(level, case.one))


def test_what_runs_out_of_time_is_a_time_out(sandbox_at: At) -> None:
    cases = [case for case in CASES if "timeout" in (case.apart, case.one)]
    level = next((level for level in STRONG if _holds(level)), "bwrap")
    found = verdicts(sandbox_at(level), cases, apart=True)
    assert not wrong(found, cases, lambda case: case.but.get(level, case.apart))


@pytest.mark.slow
@pytest.mark.parametrize("level", STRONG)
@pytest.mark.parametrize("apart", [True, False])
def test_the_whole_corpus(level: Level, apart: bool, sandbox_at: At) -> None:
    cases = here(CASES)
    found = verdicts(sandbox_at(level), cases, apart=apart)
    assert not wrong(found, cases, lambda case: case.but.get(level, case.apart if apart else case.one))


@pytest.mark.slow
def test_limits_alone_stop_little(sandbox_at: At) -> None:
    cases = [case for case in here(CASES) if case.weak != NOT_RUN]
    if not os.path.exists("/etc/passwd"):
        pytest.skip("no /etc/passwd to read")
    assert not wrong(verdicts(sandbox_at("rlimit"), cases, apart=True), cases, lambda case: case.weak)


def test_the_corpus_is_large_and_its_table_fresh() -> None:
    assert sum(case.group != "honest" for case in CASES) >= 40
    assert len({case.name for case in CASES}) == len(CASES)
    page = PAGE.read_text(encoding="utf-8")
    assert page_with_table(page) == page, "run: python -m tests.sandbox.corpus"


def _holds(level: Level) -> bool:
    from moco.tasks.sandbox import finding

    return finding(level).holds
