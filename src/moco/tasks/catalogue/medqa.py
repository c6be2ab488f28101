"""MedQA: questions of the United States medical licensing examination, with four options."""

from __future__ import annotations

from typing import Any

from moco.tasks.catalogue.entry import Entry, Example, Hub, Native, Table
from moco.tasks.catalogue.making import keyed, lettered


def rows(row: Native) -> list[dict[str, Any]]:
    """Original lines (``options`` by letter, ``answer_idx``) and hub rows (``sent1``, ``ending0`` to ``ending3``, ``label``)."""
    data = row.data
    if "sent1" in data:
        question = " ".join(part for part in (data["sent1"], data.get("sent2")) if part)
        options = [data[f"ending{i}"] for i in range(4)]
        return [
            {"id": data.get("id") or row.number, "question": question, **lettered(options, [int(data["label"])], data["label"])}
        ]
    key = data.get("realidx", row.number)
    meta = {"step": data["meta_info"]} if data.get("meta_info") else {}
    return [{"id": key, "question": data["question"], **keyed(data["options"], data["answer_idx"], **meta)}]


ENTRY = Entry(
    name="medqa",
    kind="multiple_choice",
    metric="accuracy",
    measures="clinical vignettes of the United States medical licensing examination, one of four options",
    licence="MIT",
    paper="arXiv:2009.13081",
    convert=rows,
    hub=Hub("GBaker/MedQA-USMLE-4-options-hf"),
    original="github.com/jind11/MedQA (link), US/4_options",
    tables=(
        Table("test", "test", ("phrases_no_exclude_test.jsonl", "medqa_us_4_options*.jsonl", "*test*.jsonl")),
        Table("validation", "dev", ("phrases_no_exclude_dev.jsonl", "*dev*.jsonl")),
    ),
    notes=("the released file cuts the official 1,273 test questions in two and tunes on one half",),
    examples=(
        Example(
            Native(
                {
                    "question": "A made-up patient hums. What is next?",
                    "answer": "Listen",
                    "options": {"A": "Operate", "B": "Listen", "C": "Leave", "D": "Hum"},
                    "meta_info": "step1",
                    "answer_idx": "B",
                }
            ),
            {
                "id": 0,
                "question": "A made-up patient hums. What is next?",
                "choices": {"A": "Operate", "B": "Listen", "C": "Leave", "D": "Hum"},
                "answer": "B",
            },
        ),
    ),
)
