"""From a server's answer to a verdict: the nonce decides whether there is one, exit statuses only explain why there is none."""

from __future__ import annotations

import secrets
import signal
from typing import Any

from moco.tasks.sandbox.program import LONGEST_TEXT, Program, Status, Verdict
from moco.tasks.sandbox.worker import Worker

_GIVEN: tuple[Status, ...] = ("passed", "failed", "syntax", "refused")
"""What the tests' process may say."""
BUSY = 0.9
"""A program that used this share of its time as processor time was not slowed down by its neighbours."""


def judged(worker: Worker, program: Program) -> Verdict:
    """The verdict on ``program``; raises WorkerDied where the server ended or fell silent."""
    nonce = secrets.token_hex(16)
    tests = {"nonce": nonce, "tests": program.tests, "entry_point": program.entry_point}
    solution = {"solution": program.solution}
    answer = worker.ask(
        {
            "apart": program.apart,
            "seconds": program.limits.seconds,
            "limits": program.limits.as_resources(),
            "tests_part": tests if program.apart else {**tests, **solution},
            "candidate_part": solution if program.apart else {},
        }
    )
    status, detail = _read(answer, nonce)
    cpu = max((float(child["cpu"]) for child in answer.get("ended", {}).values()), default=0.0)
    return Verdict(status, detail, worker.level, float(answer["seconds"]), cpu)


def refused_at_once(program: Program) -> str:
    """Why ``program`` is not run at all; '' where it is."""
    for what, text in (("solution", program.solution), ("tests", program.tests)):
        if len(text) > LONGEST_TEXT:
            return f"the {what} have {len(text)} characters; at most {LONGEST_TEXT} are run"
    return "" if program.tests.strip() else "there are no tests"


def _read(answer: dict[str, Any], nonce: str) -> tuple[Status, str]:
    verdict, why, ended = answer["verdict"], answer["why"], answer.get("ended", {})
    if why == "timeout":
        return "timeout", f"no verdict after {answer['seconds']:.1f} s"
    if why == "scratch":
        return "crashed", "wrote more than the scratch folder may hold"
    if why == "crowd":
        return "crashed", "started more threads or processes than a program may"
    if isinstance(verdict, list) and len(verdict) == 3 and verdict[0] == nonce:
        _, status, detail = verdict
        if status in _GIVEN:
            return status, str(detail)
        return _without(ended.get("candidate", {}).get("status"), str(detail))
    if verdict is not None:
        return "no verdict", "a message without the right nonce"
    return _without(next((c["status"] for c in ended.values() if c["status"] is not None), None), "")


def _without(status: int | None, detail: str) -> tuple[Status, str]:
    """There is no verdict: how the process ended tells the status."""
    if status == -signal.SIGXCPU:
        return "timeout", "the processor time ran out"
    if status is not None and status < 0:
        return "crashed", f"ended by signal {-status}"
    if status is not None:
        return "no verdict", f"the program ended by itself with exit status {status}"
    return "no verdict", detail or "the program closed its side"


def starved(verdict: Verdict, program: Program) -> bool:
    """Whether a time-out may be the machine's fault: the program did not get the processor for nearly all of its time."""
    return verdict.status == "timeout" and verdict.cpu < BUSY * program.limits.seconds
