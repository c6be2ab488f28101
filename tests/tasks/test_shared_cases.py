"""The collection of hard grader cases beside the repository; every firm one must be right, the others are counted."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from moco.core.types import AnswerSpec
from moco.tasks.graders import grade

CASES = Path(__file__).parents[2].parent / "shared" / "tasks" / "grader_cases.json"
RULE_GRADED = ("multiple_choice", "label", "numeric", "math", "short_text")
pytestmark = pytest.mark.skipif(not CASES.is_file(), reason=f"{CASES} is not here; the project's own cases still run")


def right(case: dict[str, Any]) -> bool:
    choices = case.get("choices") or {}
    spec = AnswerSpec(
        kind=case["kind"],
        labels=tuple(case.get("labels") or choices),
        choices=tuple(choices.values()),
        tolerance=case.get("tolerance"),
    )
    return grade(case["kind"], case["output"], case["gold"], spec).score == case["should_be"]


def chosen(confidence: str) -> list[dict[str, Any]]:
    every = json.loads(CASES.read_text(encoding="utf-8"))
    return [case for case in every if case["kind"] in RULE_GRADED and case["confidence"] == confidence]


def test_every_firm_case_is_right() -> None:
    firm = chosen("firm")
    assert len(firm) >= 150 and {case["kind"] for case in firm} == set(RULE_GRADED)
    assert not [(case["id"], case["output"]) for case in firm if not right(case)]


def test_judgement_cases_are_counted_only(record_property: pytest.RecordProperty | Any) -> None:
    """A choice of policy fails no build: the counts are written into the report of the run."""
    verdicts = Counter((case["kind"], right(case)) for case in chosen("judgement"))
    for kind in RULE_GRADED:
        record_property(
            f"judgement cases right, {kind}", f"{verdicts[kind, True]} of {verdicts[kind, True] + verdicts[kind, False]}"
        )
    assert sum(verdicts.values()) > 0
