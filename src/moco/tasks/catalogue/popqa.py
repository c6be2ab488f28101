"""PopQA: questions about entities of all degrees of popularity, with aliases of the answer."""

from __future__ import annotations

from typing import Any

from moco.tasks.catalogue.entry import Entry, Example, Hub, Native, Table
from moco.tasks.catalogue.making import json_list


def rows(row: Native) -> list[dict[str, Any]]:
    """``possible_answers`` is a JSON list in a text; the same question may stand for several entities (other ids)."""
    data = row.data
    meta = {name: data[name] for name in ("subj", "prop", "obj") if data.get(name)}
    meta |= {name: int(data[name]) for name in ("s_pop", "o_pop") if data.get(name) not in (None, "")}
    return [{"id": data["id"], "question": data["question"], "answer": json_list(data["possible_answers"]), "meta": meta}]


ENTRY = Entry(
    name="popqa",
    kind="short_text",
    metric="contains",
    measures="recall of facts about popular and rare entities",
    licence="MIT",
    paper="arXiv:2212.10511",
    convert=rows,
    hub=Hub("akariasai/PopQA"),
    original="github.com/AlexTMallen/adaptive-retrieval, data/popQA.tsv",
    tables=(Table("test", "", ("popQA*.tsv",)),),
    notes=("a reply is right where it contains an alias as whole words; aliases of up to three letters are case-sensitive",),
    examples=(
        Example(
            Native(
                {
                    "id": "3",
                    "subj": "Ada Beispiel",
                    "prop": "place of birth",
                    "question": "In what city was Ada Beispiel born?",
                    "possible_answers": '["Muster", "Muster, Somewhere"]',
                    "s_pop": "12",
                    "o_pop": "40",
                }
            ),
            {
                "id": 3,
                "input": "In what city was Ada Beispiel born?",
                "output": '["Muster", "Muster, Somewhere"]',
                "s_pop": 12,
                "o_pop": 40,
            },
        ),
    ),
)
