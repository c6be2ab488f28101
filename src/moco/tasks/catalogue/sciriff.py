"""SciRIFF, of which the released file takes one of 54 tasks: the intent of a citation (ACL-ARC)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from moco.tasks.catalogue.entry import Entry, Example, Hub, LeaveOut, Native, Table, Variant
from moco.tasks.catalogue.making import one_label, text_of
from moco.tasks.catalogue.released_rows import question_of
from moco.tasks.record import Prompt

LABELS = ("Background", "Extends", "Uses", "Motivation", "CompareOrContrast", "FutureWork")
TASK = "acl_arc_intent_classification"


def rows(row: Native) -> list[dict[str, Any]]:
    """Rows of the one task; its official split is in ``_instance_id`` (task:split:number)."""
    name = str(row.data.get("_instance_id") or row.data.get("id") or "")
    task, _, place = name.partition(":")
    if task != TASK:
        raise LeaveOut("it belongs to another task of SciRIFF")
    split, _, number = place.partition(":")
    side = {"validation": "dev", "test": "test"}.get(split, "unused")
    gold = text_of(row.data.get("output")).strip()
    return [
        {"id": number, "own_split": split, "side": side, "question": question_of(row), **one_label(LABELS, gold, intent=gold)}
    ]


ACL_ARC = Entry(
    name="sciriff_acl_arc",
    kind="label",
    metric="accuracy",
    measures="the intent of a citation in a paper, one of six",
    licence="ODC-BY",
    paper="arXiv:2406.07835",
    convert=rows,
    hub=Hub("allenai/SciRIFF"),
    original="a JSONL export of allenai/SciRIFF",
    tables=(
        Table("test", "test", ("sciriff_4096*.jsonl", "test*.jsonl"), ("4096",)),
        Table("validation", "dev", ("validation*.jsonl",), ("4096",)),
    ),
    prompt=Prompt("{question}"),
    macro="intent",
    folder="sciriff",
    released_name="sciriff",
    released=rows,
    released_official=True,
    notes=(
        "one task of SciRIFF's 54, with 114 and 139 items: not SciRIFF's nine evaluation tasks",
        "half of the items are Background: read the macro mean over intents beside the accuracy",
    ),
    examples=(
        Example(
            Native(
                {
                    "input": 'Classify the intent of this invented citation as one word: "We follow (Doe, 2001)."',
                    "output": "Uses",
                    "_instance_id": "acl_arc_intent_classification:test:4",
                }
            ),
            {
                "id": "acl_arc_intent_classification:test:4",
                "input": 'Classify the intent of this invented citation as one word: "We follow (Doe, 2001)."',
                "output": "Uses",
            },
        ),
    ),
)
ENTRY = replace(
    ACL_ARC,
    name="sciriff",
    variants={
        "acl_arc": Variant(
            "citation intent, all that the released file holds; the task is called sciriff_acl_arc", called="sciriff_acl_arc"
        )
    },
)
