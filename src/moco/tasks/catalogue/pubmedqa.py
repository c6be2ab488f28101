"""PubMedQA: a question that is the title of a paper, to be answered from its abstract without the conclusion."""

from __future__ import annotations

from typing import Any

from moco.tasks.catalogue.entry import Entry, Example, Hub, Native, Table
from moco.tasks.catalogue.making import one_label, text_of
from moco.tasks.catalogue.released_rows import question_of

LABELS = ("yes", "no", "maybe")
TEST_IDS = "test_ground_truth.json"


def rows(row: Native) -> list[dict[str, Any]]:
    """ori_pqal.json and hub rows. LONG_ANSWER is the conclusion: it is never shown. The official test is a list of ids."""
    data = row.data
    if "QUESTION" in data:
        key, question, contexts, gold = data["_key"], data["QUESTION"], data["CONTEXTS"], data["final_decision"]
    else:
        key, question, contexts, gold = data["pubid"], data["question"], data["context"]["contexts"], data["final_decision"]
    side = {} if not row.aside else {"side": "test" if str(key) in row.aside[TEST_IDS] else "dev"}
    made = one_label(LABELS, text_of(gold), decision=gold)
    return [{"id": key, **side, "question": question, "context": "\n".join(contexts), **made}]


def _released(row: Native) -> list[dict[str, Any]]:
    gold = text_of(row.data.get("output"))
    return [
        {"id": row.data.get("pubid", row.data.get("id")), "question": question_of(row), **one_label(LABELS, gold, decision=gold)}
    ]


ENTRY = Entry(
    name="pubmedqa",
    kind="label",
    metric="accuracy",
    measures="reading the abstract of a medical study: does it answer its question with yes, no or maybe",
    licence="MIT",
    paper="arXiv:1909.06146",
    convert=rows,
    hub=Hub("qiaojin/PubMedQA"),
    original="github.com/pubmedqa/pubmedqa, data",
    tables=(Table("train", "", ("ori_pqal.json",), ("pqa_labeled",)),),
    aside=(TEST_IDS,),
    macro="decision",
    released=_released,
    notes=(
        "with test_ground_truth.json the official 500 are the test and the other 500 dev; the hub does not mark them, so there "
        "dev is carved and figures are not those of the leaderboard",
        "55 % are yes: read the macro mean over decisions beside the accuracy",
    ),
    examples=(
        Example(
            Native(
                {
                    "_key": "123",
                    "QUESTION": "Do made-up plants hum?",
                    "CONTEXTS": ["We listened to 30 plants.", "None hummed."],
                    "LONG_ANSWER": "They do not.",
                    "final_decision": "no",
                },
                split="train",
                aside={TEST_IDS: {"123": "no"}},
            ),
            {"id": 0, "pubid": 123, "input": "Question: Do made-up plants hum?\n\nContext: None hummed.", "output": "no"},
        ),
    ),
)
