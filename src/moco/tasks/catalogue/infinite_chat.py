"""Infinity-Chat: open questions with many good answers; scored one by one, or by how much answers differ."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from moco.tasks.catalogue.entry import Entry, Example, Hub, Native, Table
from moco.tasks.catalogue.making import text_of
from moco.tasks.record import Prompt


def rows(row: Native) -> list[dict[str, Any]]:
    return [{"id": row.number, "question": text_of(row.data.get("query"), "the question is null")}]


OPEN = Entry(
    name="infinite_chat_open",
    kind="reward",
    metric="reward",
    measures="open questions of real users that have many good answers, scored by a reward model",
    licence="none seen",
    paper="arXiv:2510.22954",
    convert=rows,
    hub=Hub("liweijiang/infinite-chats-eval"),
    original="a JSONL export of liweijiang/infinite-chats-eval",
    folder="infinite_chat",
    tables=(Table("train", "", ("infinite_chats_eval*.jsonl",)),),
    prompt=Prompt("{question}"),
    notes=("100 questions without references: a pairwise judge has nothing to compare with",),
    examples=(
        Example(
            Native({"query": "Invent a name for a made-up tea."}, 1, split="train"),
            {"id": 1, "input": "Invent a name for a made-up tea.", "output": ""},
        ),
    ),
)
DIVERSITY = replace(
    OPEN,
    name="infinite_chat_diversity",
    kind="diversity",
    metric="distance to references",
    measures="how far answers to open questions are from three reference answers, and from one another",
    notes=(
        "the released file has three references a question, the hub none: there only model-free numbers can be had",
        "51 questions with references: report intervals",
    ),
    examples=(
        Example(
            Native({"query": "Invent a name for a made-up tea."}, 1, split="train"),
            {
                "id": 1,
                "input": "Invent a name for a made-up tea.",
                "output": "",
                "reference": ["Leafy.", "Ember brew.", "Tealight."],
            },
        ),
    ),
)
