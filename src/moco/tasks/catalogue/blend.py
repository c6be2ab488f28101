"""BLEnD: everyday knowledge of sixteen countries and regions, as multiple choice or with short answers."""

from __future__ import annotations

import json
from typing import Any

from moco.tasks.catalogue.entry import Defect, Entry, Example, Hub, LeaveOut, Native, Table, Variant
from moco.tasks.catalogue.making import keyed
from moco.tasks.catalogue.released_rows import by_fields

_INSTRUCTION = " Without any explanation, choose only one"


def bare(prompt: str) -> str:
    """The question without the instruction, the options and 'Answer:' that the source puts behind it."""
    return prompt.split(_INSTRUCTION, 1)[0].strip()


def rows(row: Native) -> list[dict[str, Any]]:
    """Many multiple-choice rows share one question (``ID``): they are one group."""
    data = row.data
    options = data["choices"]
    options = json.loads(options) if isinstance(options, str) else options
    return [
        {
            "id": data.get("MCQID") or f"{data['ID']}/{row.number}",
            "question": bare(data["prompt"]),
            "group": str(data["ID"]),
            **keyed(options, data["answer_idx"], country=data.get("country") or row.part),
        }
    ]


def short(row: Native) -> list[dict[str, Any]]:
    """Annotated answers by question; every answer that an annotator gave is an alias."""
    data = row.data
    given = [a for note in data["annotations"] for a in (*note["answers"], *(note.get("en_answers") or []))]
    aliases = list(dict.fromkeys(a.strip() for a in given if a.strip()))
    if not aliases:
        raise LeaveOut("no annotator knew an answer")
    country = row.part.removesuffix("_data")
    question = data.get("en_question") or data["question"]
    meta = {"country": country, "native_question": data["question"]}
    return [{"id": f"{country}/{data['_key']}", "question": question, "answer": aliases, "group": data["_key"], "meta": meta}]


def _released(row: Native) -> list[dict[str, Any]]:
    made = by_fields(row, "multiple_choice")
    question = bare(made["question"])
    if question == made["question"]:
        raise Defect("the question does not end as the source's do")
    return [{**made, "question": question, "group": made["id"], "mended": "options and 'Answer:' were part of the question"}]


ENTRY = Entry(
    name="blend",
    kind="multiple_choice",
    metric="accuracy",
    measures="everyday knowledge of sixteen countries and regions: food, sport, family, school, work, holidays",
    licence="CC BY-SA 4.0",
    paper="arXiv:2406.09948",
    convert=rows,
    hub=Hub("nayeon212/BLEnD"),
    original="github.com/nlee0212/BLEnD, evaluation/mc_data/mc_questions_file*.csv or data/annotations/*_data.json",
    tables=(Table("test", "", ("mc_questions_file*.csv",), ("multiple-choice-questions",), keep=5000),),
    variants={
        "multiple_choice": Variant("one of four options"),
        "short_answer": Variant(
            "the questions without options; right where the reply contains an answer of an annotator",
            kind="short_text",
            metric="contains",
            convert=short,
            tables=(Table("test", "", ("*_data.json",), ("annotations",)),),
        ),
    },
    macro="country",
    released=_released,
    notes=("many rows ask one question with other options: they are one group and stand on one side",),
    examples=(
        Example(
            Native(
                {
                    "MCQID": "Al-en-01_1",
                    "ID": "Al-en-01",
                    "country": "Madeupland",
                    "prompt": "What is a snack in Madeupland? Without any explanation, choose only one from the given alphabet "
                    "choices(e.g., A, B, C). A. gravel\nB. nuts\n\nAnswer:",
                    "choices": '{"A": "gravel", "B": "nuts"}',
                    "answer_idx": "B",
                }
            ),
            {
                "id": "Al-en-01",
                "question": "What is a snack in Madeupland? Without any explanation, choose only one from the given alphabet "
                "choices(e.g., A, B, C). A. gravel\nB. nuts\n\nAnswer:",
                "choices": {"A": "gravel", "B": "nuts"},
                "answer": "B",
            },
        ),
    ),
)
