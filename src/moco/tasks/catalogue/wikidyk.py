"""WikiDYK: questions made from the 'Did you know' facts of Wikipedia's front page."""

from __future__ import annotations

from typing import Any

from moco.tasks.catalogue.entry import Entry, Example, Hub, Native, Table
from moco.tasks.catalogue.making import json_list, text_of


def rows(row: Native) -> list[dict[str, Any]]:
    data = row.data
    question = text_of(data.get("question", data.get("input")), "the question is null")
    meta = {name: data[name] for name in ("year", "fact") if data.get(name) is not None}
    return [
        {
            "id": data.get("id", row.number),
            "question": question,
            "answer": json_list(data.get("answer", data.get("output"))),
            "meta": meta,
        }
    ]


ENTRY = Entry(
    name="wikidyk",
    kind="short_text",
    metric="contains",
    measures="recall of facts that were new to Wikipedia in a given year",
    licence="not stated on the data; the code is Apache-2.0",
    paper="arXiv:2505.12306",
    convert=rows,
    hub=Hub("YWZBrandon/wikidyk"),
    original="github.com/zhang-yu-wei/WikiDYK (code only)",
    tables=(Table("train", "", ("wikidyk*.jsonl", "wikidyk_*.json")),),
    notes=("the hub's field names are not documented: rows need question or input, and answer or output",),
    examples=(
        Example(
            Native(
                {
                    "id": 9,
                    "input": "Which made-up town has a square moon?",
                    "output": "Quadra",
                    "year": "2023",
                    "fact": "that Quadra ...",
                }
            ),
            {
                "id": 9,
                "input": "Which made-up town has a square moon?",
                "output": "Quadra",
                "year": "2023",
                "fact": "that Quadra ...",
            },
        ),
    ),
)
