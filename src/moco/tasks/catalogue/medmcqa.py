"""MedMCQA: Indian medical entrance examinations; the validation part is used as test, its own test labels are hidden."""

from __future__ import annotations

from typing import Any

from moco.core.errors import DataError
from moco.tasks.catalogue.entry import Entry, Example, Hub, LeaveOut, Native, Table
from moco.tasks.catalogue.making import keyed, lettered


def rows(row: Native) -> list[dict[str, Any]]:
    """Hub rows (``cop`` from 0), the originals train.json and dev.json (``cop`` from 1), and copies with ``options``."""
    data = row.data
    if "options" in data:
        key = data.get("id") or data.get("realidx", row.number)
        return [{"id": key, "question": data["question"], **keyed(data["options"], data["answer_idx"])}]
    cop = int(data["cop"])
    if cop < 0:
        raise LeaveOut("its label is hidden")
    if row.part in ("train", "dev"):
        if cop == 0:
            raise DataError(
                "'cop' is 0, but the original files count options from 1",
                where=f"{row.part}, row {row.number}",
                remedy="name rows of the hub's form validation.jsonl or train_hf.jsonl",
            )
        cop -= 1
    options = [data[name] for name in ("opa", "opb", "opc", "opd")]
    meta = {name: data[name] for name in ("subject_name", "topic_name", "choice_type") if data.get(name)}
    return [{"id": data["id"], "question": data["question"], **lettered(options, [cop], data["cop"], **meta)}]


ENTRY = Entry(
    name="medmcqa",
    kind="multiple_choice",
    metric="accuracy",
    measures="medical knowledge in 21 subjects, one of four options",
    licence="Apache-2.0 (hub); MIT (repository)",
    paper="arXiv:2203.14371",
    convert=rows,
    hub=Hub("openlifescienceai/medmcqa"),
    original="github.com/medmcqa/medmcqa (link to dev.json and train.json)",
    tables=(
        Table("validation", "test", ("dev.json", "validation*.jsonl", "medmcqa_hf*.jsonl", "medagents_test*.jsonl")),
        Table("train", "dev", ("train.json", "train_hf*.jsonl"), keep=1000),
    ),
    notes=("the official validation part is the test, as everybody does: labels of the official test are hidden",),
    examples=(
        Example(
            Native(
                {
                    "id": "0-made-up",
                    "question": "Which made-up bone is the longest?",
                    "opa": "ulnoid",
                    "opb": "femurine",
                    "opc": "tibule",
                    "opd": "radiole",
                    "cop": 1,
                    "choice_type": "single",
                    "subject_name": "Anatomy",
                },
                split="validation",
            ),
            {
                "id": "0-made-up",
                "question": "Which made-up bone is the longest?",
                "choices": {"A": "ulnoid", "B": "femurine", "C": "tibule", "D": "radiole"},
                "answer": "B",
            },
        ),
    ),
)
