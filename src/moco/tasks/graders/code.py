"""Programs: read from the reply, run against the record's tests in the sandbox, right if every test passes.

Invariant: nothing of a reply or of tests is executed in this process. Two programs are the same answer if their syntax trees
are; agreement on behaviour is not looked at, so the kind is not votable.
"""

from __future__ import annotations

import ast

from moco.core.errors import DataError
from moco.core.types import AnswerSpec, Key
from moco.tasks.graders.base import Grade
from moco.tasks.graders.code_extraction import extract_program
from moco.tasks.graders.item import Helpers, Item
from moco.tasks.graders.python_blocks import parse

TIME_LIMIT = "time_limit"
"""Key of a record's ``meta`` that gives its program more (or less) than the default seconds."""


class Code:
    """The kind as scoring uses it."""

    name = "code"
    votable = False
    needs = ("sandbox",)
    metrics = ("pass@1",)

    def extract(self, text: str, spec: AnswerSpec) -> Key | None:
        """The program, written in one canonical way."""
        program = extract_program(text, spec.question).key
        return None if program is None else normalise(program)

    def same(self, a: Key, b: Key, spec: AnswerSpec) -> bool:
        return a == b

    def ready(self) -> None:
        """Raises SandboxError where this machine has no sandbox that may be used, CacheError where verdicts cannot be kept.

        Before a run, not in the middle of it.
        """
        from moco.tasks.sandbox import default_sandbox

        default_sandbox().ready()

    async def assess(self, text: str, item: Item, helpers: Helpers) -> Grade:
        """1 if the program passes, else 0; ``timeout`` among the metrics tells the ones that ran out of time.

        Raises SandboxError where no sandbox may be used, DataError for tests that cannot be used.
        """
        from moco.tasks.sandbox import Limits, Program, default_sandbox

        found = extract_program(text, item.spec.question, item.entry_point)
        if found.key is None:
            return Grade(0.0, None, "none", False, {"pass@1": 0.0, "timeout": 0.0})
        asked = item.meta.get(TIME_LIMIT)
        limits = Limits(seconds=float(asked)) if isinstance(asked, int | float) and asked > 0 else Limits()
        sandbox = helpers.sandbox or default_sandbox()
        verdict = await sandbox.run(Program(found.key, item.tests, item.entry_point, limits))
        if verdict.status == "refused":
            raise DataError("the tests of a record cannot be used", why=verdict.detail, remedy="correct the field 'tests'")
        score = float(verdict.passed)
        return Grade(score, found.key, found.rule, True, {"pass@1": score, "timeout": float(verdict.status == "timeout")})


def normalise(program: str) -> str:
    """The program as ``ast.unparse`` writes it: comments and layout say nothing; as it is where it does not parse."""
    tree = parse(program)
    if tree is None:
        return program.strip()
    try:
        return ast.unparse(tree)
    except (ValueError, RecursionError):
        return program.strip()


KIND = Code()
