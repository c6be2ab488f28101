"""The collection of hard grader cases beside the repository; every firm one must be right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from moco.core.types import AnswerSpec
from moco.tasks.graders import GRADERS, grade

CASES = Path(__file__).parents[2].parent / "shared" / "tasks" / "grader_cases.json"
pytestmark = pytest.mark.skipif(not CASES.is_file(), reason=f"{CASES} is not here; the project's own cases still run")


def test_every_firm_case_is_right() -> None:
    wrong, counted = [], 0
    for case in json.loads(CASES.read_text(encoding="utf-8")):
        if case["kind"] not in GRADERS or case["confidence"] != "firm":
            continue
        choices = case.get("choices") or {}
        spec = AnswerSpec(
            kind=case["kind"], labels=tuple(choices), choices=tuple(choices.values()), tolerance=case.get("tolerance")
        )
        counted += 1
        got = grade(case["kind"], case["output"], case["gold"], spec)
        if got.score != case["should_be"]:
            wrong.append((case["id"], case["output"], got))
    assert counted >= 100 and not wrong
