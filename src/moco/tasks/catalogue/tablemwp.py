"""TabMWP: word problems over a table; one half with options, the other with a number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from moco.tasks.catalogue.entry import Defect, Entry, Example, LeaveOut, Native, Table
from moco.tasks.catalogue.making import lettered, text_of
from moco.tasks.catalogue.released_rows import by_fields
from moco.tasks.record import Prompt


def _common(data: Any) -> dict[str, Any]:
    title = data.get("table_title")
    return {
        "id": data["_key"],
        "context": f"Table: {title}\n{data['table']}" if title else f"Table:\n{data['table']}",
        "meta": {"grade": data.get("grade"), "unit": data.get("unit"), "ans_type": data.get("ans_type", "")},
    }


def choice_rows(row: Native) -> list[dict[str, Any]]:
    """Gold is the text of an option."""
    data = row.data
    if not data.get("choices"):
        raise LeaveOut("it has no options: it belongs to tablemwp_free_text")
    options = [str(one) for one in data["choices"]]
    if data["answer"] not in options:
        raise Defect("the gold answer is not among the options")
    common = _common(data)
    return [
        {
            **common,
            "question": data["question"],
            **lettered(options, [options.index(data["answer"])], data["answer"], **common["meta"]),
        }
    ]


def number_rows(row: Native) -> list[dict[str, Any]]:
    """The unit of the answer is asked for, so that a bare number is not ambiguous."""
    data = row.data
    if data.get("choices"):
        raise LeaveOut("it has options: it belongs to tablemwp_multiple_choice")
    unit = f"\nGive the answer in this unit: {data['unit']}" if data.get("unit") else ""
    return [{**_common(data), "question": f"{data['question']}{unit}", "answer": text_of(data["answer"])}]


def _released_number(row: Native) -> list[dict[str, Any]]:
    made = by_fields(row, "numeric")
    return [{**made, "question": made["question"].removesuffix("Answer:").rstrip()}]


_NATIVE = {
    "_key": "12",
    "question": "A made-up shop sells a pen and a cup. How much do they cost together?",
    "choices": None,
    "answer": "1,204.50",
    "unit": "$",
    "table_title": "Prices",
    "table": "pen | $4.50\ncup | $1,200.00",
    "grade": 3,
    "ans_type": "decimal_number",
}

FREE_TEXT = Entry(
    name="tablemwp_free_text",
    kind="numeric",
    metric="accuracy",
    measures="arithmetic over a small table, the answer a number",
    licence="CC BY-NC-SA 4.0 (data; confirm at the source); MIT (code)",
    paper="arXiv:2209.14610",
    convert=number_rows,
    original="github.com/lupantech/PromptPG, data/tabmwp",
    folder="tablemwp",
    tables=(
        Table("test1k", "test", ("problems_test1k.json", "problems_test.json")),
        Table("dev1k", "dev", ("problems_dev1k.json", "problems_dev.json")),
    ),
    prompt=Prompt(answer_format={"numeric": "Think step by step, then end with 'Answer: ' and the number."}),
    released=_released_number,
    notes=("the unit of the answer is part of the question; the released file leaves it out",),
    examples=(
        Example(
            Native(_NATIVE, split="test1k"),
            {
                "id": "12",
                "input": "Table:\npen | $4.50\nQuestion: How much do they cost together?\nAnswer:",
                "output": "1,204.50",
            },
        ),
    ),
)
MULTIPLE_CHOICE = replace(
    FREE_TEXT,
    name="tablemwp_multiple_choice",
    kind="multiple_choice",
    measures="questions about a small table, with two to four options",
    convert=choice_rows,
    prompt=Prompt(),
    released=None,
    notes=("the released file calls the fourth option 'id'; it is lettered D here, and gold with it",),
    examples=(
        Example(
            Native(
                {
                    **_NATIVE,
                    "choices": ["pen", "cup"],
                    "answer": "cup",
                    "question": "Which costs more?",
                    "ans_type": "extractive_text",
                }
            ),
            {
                "id": "12",
                "question": "Which costs more?",
                "choices": {"A": "pen", "B": "hat", "C": "mat", "id": "cup"},
                "answer": "id",
            },
        ),
    ),
)
