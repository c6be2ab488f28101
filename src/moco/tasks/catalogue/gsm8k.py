"""GSM8K: grade-school word problems with one number as the answer."""

from __future__ import annotations

from typing import Any

from moco.tasks.catalogue.entry import Defect, Entry, Example, Hub, Native, Table
from moco.tasks.record import Prompt


def rows(row: Native) -> list[dict[str, Any]]:
    """The gold number stands behind ``####``; the reasoning before it (with <<calculator marks>>) stays in ``meta``."""
    reasoning, mark, gold = str(row.data["answer"]).rpartition("####")
    if not mark or not gold.strip():
        raise Defect("there is no gold answer behind ####")
    return [
        {"id": row.number, "question": row.data["question"], "answer": gold.strip(), "meta": {"reasoning": reasoning.strip()}}
    ]


ENTRY = Entry(
    name="gsm8k",
    kind="numeric",
    metric="accuracy",
    measures="word problems of primary school: a few steps of arithmetic, one number",
    licence="MIT",
    paper="arXiv:2110.14168",
    convert=rows,
    hub=Hub("openai/gsm8k"),
    original="github.com/openai/grade-school-math, grade_school_math/data",
    tables=(
        Table("test", "test", ("test*.jsonl",), ("main",)),
        Table("train", "dev", ("train*.jsonl",), ("main",), keep=1000),
    ),
    prompt=Prompt(answer_format={"numeric": "Solve it step by step, then end with a line 'Answer: ' and the number alone."}),
    notes=("report the strict and the flexible reading: a reply without an answer line is read by its last number",),
    released_official=True,
    examples=(
        Example(
            Native(
                {
                    "question": "A made-up baker fills 3 trays with 400 rolls each. How many rolls is that?",
                    "answer": "Each tray holds 400 rolls.\n3 * 400 = <<3*400=1200>>1,200 rolls.\n#### 1,200",
                }
            ),
            {"id": 0, "input": "A made-up baker fills 3 trays with 400 rolls each. How many rolls is that?", "output": "1200"},
        ),
    ),
)
