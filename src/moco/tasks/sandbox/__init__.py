"""Generated Python, run and judged where it can do no harm.

``await Sandbox().run(Program(solution, tests, entry_point))`` gives a ``Verdict``. Invariant: no text of a solution or of
tests is ever imported or executed in this process; a verdict counts only with the nonce its tests' process was given.
"""

from moco.tasks.sandbox.levels import STRONG
from moco.tasks.sandbox.pool import Sandbox, allow_weak, chosen_level, configure, default_sandbox, finding
from moco.tasks.sandbox.probe import Finding
from moco.tasks.sandbox.program import Level, Limits, Program, Status, Verdict

__all__ = [
    "Finding",
    "Level",
    "Limits",
    "Program",
    "STRONG",
    "Sandbox",
    "Status",
    "Verdict",
    "allow_weak",
    "chosen_level",
    "configure",
    "default_sandbox",
    "finding",
]
