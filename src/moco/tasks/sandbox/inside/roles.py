"""What a child does between its fork and its end: confine itself, read its part of the job, play its role."""

from __future__ import annotations

import gc
import os
import random
import sys
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from . import candidate, confine, wire
from .caller import Caller
from .guard import Guard, Lie
from .suite import Gone, Refused, Suite


@dataclass(frozen=True)
class Cell:
    """How a child is confined; ``rules`` maps a role to its Landlock ruleset (None: the kernel has none)."""

    folders: dict[str, str]
    rules: dict[str, int | None]
    filtered: bool
    uid: int | None


def enter(cell: Cell, role: str, limits: dict[str, int], keep: list[int]) -> None:
    """Confine this process for ``role``. The order matters: a lowered limit may forbid nothing that comes after it."""
    os.chdir(cell.folders[role])
    rules = cell.rules[role]
    held = {*keep, *([rules] if rules is not None else [])}
    _close_others(held)
    confine.drop_privileges(cell.uid)
    confine.hide()
    confine.die_with_parent()
    if rules is not None:
        confine.apply_rules(rules)
        os.close(rules)
    confine.set_limits(limits)
    if cell.filtered:
        confine.filter_calls()
    random.seed(0)
    gc.freeze()


def _close_others(keep: set[int]) -> None:
    for low, high in pairwise([2, *sorted(keep), min(os.sysconf("SC_OPEN_MAX"), 1 << 16)]):
        os.closerange(low + 1, high)


def forget_ourselves() -> None:
    """Take this package off the solution's way: its names are not importable and not in ``sys.modules``."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "inside"]:
        del sys.modules[name]
    sys.argv = [candidate.MODULE]


def play_candidate(job: int, incoming: int, outgoing: int) -> None:
    """Two-process mode: load the solution, tell how it went, then answer calls."""
    solution: str = wire.receive(job)["solution"]
    os.close(job)
    forget_ourselves()
    try:
        module = candidate.load(solution)
    except candidate.Broken as error:
        wire.send(outgoing, ["broken", f"{error.status}: {error}"])
        return
    wire.send(outgoing, ["ready"])
    candidate.serve(module.__dict__, incoming, outgoing)


def play_tests(job: int, verdict: int, incoming: int, outgoing: int) -> None:
    """Two-process mode: run the tests against the other process and write the verdict."""
    given = wire.receive(job)
    wire.send(verdict, [given["nonce"], *_judged_apart(given, incoming, outgoing)])


def _judged_apart(given: dict[str, Any], incoming: int, outgoing: int) -> tuple[str, str]:
    caller = Caller(incoming, outgoing)
    try:
        suite = Suite(given["tests"], given["entry_point"])
        what, *rest = caller.hello()
        if what != "ready":
            status, _, detail = (rest or [""])[0].partition(": ")
            return (status, detail) if status in ("syntax", "failed") else ("gone", "no answer")
        names = caller.names(suite.names)
        if not names and not suite.entry_point:
            names = caller.names(suite.shadows)
        return suite.run(names, lambda: caller.gone)
    except Refused as error:
        return "refused", str(error)
    except Gone as error:
        return "gone", str(error)


def play_both(job: int, verdict: int) -> None:
    """One-process mode, customary elsewhere: solution and tests in one interpreter, where who looks for the nonce finds it."""
    given = wire.receive(job)
    os.close(job)
    forget_ourselves()
    wire.send(verdict, [given["nonce"], *_judged_together(given)])


def _judged_together(given: dict[str, Any]) -> tuple[str, str]:
    try:
        suite = Suite(given["tests"], given["entry_point"])
        guard = Guard(suite.imports)
        module = candidate.load(given["solution"])
    except Refused as error:
        return "refused", str(error)
    except candidate.Broken as error:
        return error.status, str(error)
    guard.restore()
    found = [name for name in suite.names if name in module.__dict__]
    if not found and not suite.entry_point:
        found = [name for name in suite.shadows if name in module.__dict__]
    try:
        names = {name: guard.guarded(module.__dict__[name]) for name in found}
    except Lie as error:
        return "failed", str(error)
    return suite.run(names, own_builtins=guard.builtins)
