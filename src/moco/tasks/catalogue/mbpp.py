"""MBPP: short Python functions from a sentence and three asserts. The official split is by task_id."""

from __future__ import annotations

import re
from typing import Any

from moco.tasks.catalogue.entry import Defect, Entry, Example, Hub, LeaveOut, Native, Shots, Side, Table, Variant
from moco.tasks.catalogue.making import text_of
from moco.tasks.graders.code import TIME_LIMIT
from moco.tasks.record import Prompt
from moco.tasks.released import as_record, entry_point
from moco.tasks.rows import Row

SLOW = {123: 30.0}
"""Seconds for tasks whose own reference takes several on one core (task 123 sums amicable numbers: about 4)."""
FORMAT = "Write the whole function in one ```python block, with the imports it needs."


def split_of(number: int) -> tuple[str, Side]:
    """The official split of a task_id, and its side: prompt 1-10, test 11-510, validation 511-600, train 601-974."""
    if number <= 10:
        return "prompt", "shots"
    if number <= 510:
        return "test", "test"
    return ("validation", "dev") if number <= 600 else ("train", "unused")


def rows(row: Native) -> list[dict[str, Any]]:
    """The name of the function is only in the asserts, so all are shown; they run as they are, after the setup code."""
    data = row.data
    number = int(data["task_id"])
    split, side = split_of(number)
    if row.variant == "all":
        side = "test"
    elif side == "unused":
        raise LeaveOut("it belongs to the training split (task_id 601 to 974)")
    asserts = [one.strip() for one in data["test_list"]]
    if not asserts:
        raise Defect("there are no tests")
    before = [*(data.get("test_imports") or []), data.get("test_setup_code") or ""]
    tests = "\n".join(part for part in (*before, *asserts) if part.strip())
    asked = text_of(data.get("text") or data.get("prompt"), "the question is null")
    return [
        {
            "id": number,
            "own_split": split,
            "side": side,
            "question": f"{asked.strip()}\nYour code must pass these tests:\n" + "\n".join(asserts),
            "tests": tests,
            "entry_point": entry_point("\n".join(asserts)),
            "meta": {"reference": data.get("code", ""), **({TIME_LIMIT: SLOW[number]} if number in SLOW else {})},
        }
    ]


def _released(row: Native) -> list[dict[str, Any]]:
    """The tests are a ``check(candidate)``; one that checks nothing is a defect."""
    return [checked(row)]


def checked(row: Native) -> dict[str, Any]:
    """A released programming task."""
    made = as_record(Row(0, dict(row.data), "test", row.number), "coding")
    body = re.split(r"^def check\(.*\):", str(row.data.get("test") or ""), maxsplit=1, flags=re.MULTILINE)[-1]
    if "assert" not in body:
        raise Defect("the test checks nothing")
    return {"id": row.data.get("id", row.number), **{name: made.get(name) for name in ("question", "tests", "entry_point")}}


ENTRY = Entry(
    name="mbpp",
    kind="code",
    metric="pass@1",
    measures="writing a short Python function from a sentence and its tests",
    licence="CC BY 4.0",
    paper="arXiv:2108.07732",
    convert=rows,
    hub=Hub("google-research-datasets/mbpp"),
    original="github.com/google-research/google-research, mbpp/mbpp.jsonl",
    tables=(
        Table("test", "test", ("mbpp*.jsonl",), ("full",)),
        Table("validation", "dev", (), ("full",)),
        Table("prompt", "shots", (), ("full",)),
    ),
    shots=Shots(3, "the split 'prompt' (task_id 1 to 10)"),
    variants={
        "official": Variant("the 500 test tasks, 90 validation tasks as dev"),
        "all": Variant("all 974 tasks in test, for checking a sandbox with the reference solutions; not for comparison"),
    },
    prompt=Prompt("{question}\n{answer_format}", {"code": FORMAT}),
    released=_released,
    notes=("a few references need what the asserts do not say; MBPP+ has more tests",),
    examples=(
        Example(
            Native(
                {
                    "text": "Write a function that doubles a made-up number.",
                    "code": "def twice(x):\n    return 2 * x",
                    "task_id": 12,
                    "test_setup_code": "import math",
                    "test_list": ["assert twice(2) == 4", "assert math.isclose(twice(0.5), 1)"],
                    "challenge_test_list": [],
                }
            ),
            {
                "id": 12,
                "input": "Double a made-up number.\nYour code should pass this test case: assert twice(2) == 4",
                "test": "def check(candidate):\n    assert candidate(2) == 4\n",
            },
        ),
    ),
)
