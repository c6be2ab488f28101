"""TheoremQA: university science whose answers are numbers, lists, truth values or options."""

from __future__ import annotations

import json
import re
from typing import Any

from moco.tasks.catalogue.entry import Defect, Entry, Example, Hub, LeaveOut, Native, Table
from moco.tasks.catalogue.making import letter, lettered, one_label, text_of
from moco.tasks.catalogue.released_rows import key_of, question_of
from moco.tasks.record import Prompt

TOLERANCE = 0.04
"""Relative, for answers that are floats: the original's."""
_OPTION = re.compile(r"\(([a-h])\):?\s*(.+?)(?=[\s;,.:]*\([a-h]\)|[\s.;]*(?:Which|$))", re.DOTALL)


def answered(question: str, answer: Any, sort: str) -> dict[str, Any]:
    """The fields that depend on the sort of the answer. Options stand in the question as (a), (b), ... and stay there."""
    if isinstance(answer, str) and sort not in ("option", "bool"):
        try:
            answer = json.loads(answer)
        except json.JSONDecodeError as error:
            raise Defect(f"the answer {answer!r} is not of the sort {sort}") from error
    meta = {"answer_type": sort}
    if sort == "bool":
        return one_label(("True", "False"), str(answer), **meta)
    if sort == "option":
        options = _OPTION.findall(question)
        letters = [found[0] for found in options]
        gold = str(answer).strip("() ").lower()
        if letters == [letter(i).lower() for i in range(len(letters))] and gold in letters:
            made = lettered([text.strip() for _, text in options], [letters.index(gold)], answer, **meta)
            return {"kind": "multiple_choice", **made}
        return one_label(("a", "b", "c", "d"), gold, **meta)
    text = text_of(json.dumps(answer) if isinstance(answer, list) else answer)
    return {"kind": "numeric", "answer": text, "tolerance": TOLERANCE if "float" in sort else None, "meta": meta}


def rows(row: Native) -> list[dict[str, Any]]:
    data = row.data
    if data.get("Picture"):
        raise LeaveOut("its question needs a picture that a text model is not shown")
    made = answered(data["Question"], data["Answer"], data["Answer_type"])
    made["meta"] |= {name: data[name] for name in ("field", "subfield", "theorem") if data.get(name)}
    return [{"id": data.get("id") or row.number, "question": data["Question"], **made}]


def _released(row: Native) -> list[dict[str, Any]]:
    question = question_of(row)
    return [
        {"id": key_of(row), "question": question, **answered(question, text_of(row.data.get("output")), row.data["answer_type"])}
    ]


ENTRY = Entry(
    name="theoremqa",
    kind="mixed",
    metric="accuracy",
    measures="applying theorems of mathematics, physics, engineering and finance at university level",
    licence="MIT",
    paper="arXiv:2305.12524",
    convert=rows,
    hub=Hub("TIGER-Lab/TheoremQA"),
    original="github.com/TIGER-AI-Lab/TheoremQA, theoremqa_test.json",
    tables=(Table("test", "", ("theoremqa_test.json",)),),
    prompt=Prompt(
        "{question}\n{answer_format}",
        {
            "numeric": "Think step by step, then end with 'Answer: ' and the number, or the list of numbers in brackets.",
            "label": "Think step by step, then end with 'Answer: ' and True or False (or the letter of the option).",
            "multiple_choice": "Think step by step, then end with 'Answer: ' and the letter of the right option.",
        },
    ),
    macro="answer_type",
    released=_released,
    notes=("floats are right within 4 %, as in the original; the released file keeps questions that need a picture",),
    examples=(
        Example(
            Native(
                {
                    "Question": "What is a made-up 3 choose 2?",
                    "Answer": 3,
                    "Answer_type": "integer",
                    "Picture": None,
                    "id": "made/up.json",
                }
            ),
            {"id": 4, "input": "What is a made-up 3 choose 2?", "output": "3", "answer_type": "integer"},
        ),
        Example(
            Native(
                {
                    "Question": "What are the made-up roots?",
                    "Answer": [-0.5, 2.0],
                    "Answer_type": "list of float",
                    "Picture": None,
                    "id": "made/up2.json",
                }
            )
        ),
        Example(
            Native(
                {
                    "Question": "Which made-up set is open? (a) {0}; (b) (0,1). Which option is correct?",
                    "Answer": "(b)",
                    "Answer_type": "option",
                    "Picture": None,
                    "id": "made/up3.json",
                }
            )
        ),
    ),
)
