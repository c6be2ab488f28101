"""TruthfulQA, the form with one right answer (mc1): in the source that answer always comes first."""

from __future__ import annotations

from typing import Any

from moco.tasks.catalogue.entry import Defect, Entry, Example, Hub, Native, Table
from moco.tasks.catalogue.making import shuffled


def rows(row: Native) -> list[dict[str, Any]]:
    """Hub rows, mc_task.json and TruthfulQA.csv; the order of the options is fixed by the question's text."""
    data = row.data
    question = data.get("question") or data.get("Question")
    targets = data.get("mc1_targets")
    if targets is None:
        wrong = [one.strip() for one in data["Incorrect Answers"].split("; ") if one.strip()]
        options, truth = [data["Best Answer"].strip(), *wrong], [1] + [0] * len(wrong)
    elif isinstance(targets.get("labels"), list):
        options, truth = list(targets["choices"]), list(targets["labels"])
    else:
        options, truth = list(targets), list(targets.values())
    if truth.count(1) != 1:
        raise Defect("there is not exactly one right option")
    meta = {"category": data["Category"]} if data.get("Category") else {}
    return [{"id": row.number, "question": question, **shuffled(options, truth.index(1), f"truthfulqa/{question}", **meta)}]


ENTRY = Entry(
    name="truthfulqa",
    kind="multiple_choice",
    metric="accuracy",
    measures="whether a model repeats popular falsehoods: the true answer among 2 to 13 options (mc1)",
    licence="Apache-2.0",
    paper="arXiv:2109.07958",
    convert=rows,
    hub=Hub("truthfulqa/truthful_qa"),
    original="github.com/sylinrl/TruthfulQA",
    tables=(Table("validation", "", ("mc_task.json", "data/mc_task.json", "TruthfulQA.csv"), ("multiple_choice",)),),
    notes=("published mc1 figures compare log-likelihoods; these are generated answers", "mc2 and free generation are not here"),
    examples=(
        Example(
            Native(
                {
                    "question": "What happens if you whistle at a made-up lake?",
                    "mc1_targets": {"Nothing happens.": 1, "It answers.": 0, "It freezes.": 0},
                },
                5,
                split="validation",
            ),
            {
                "id": 5,
                "question": "What happens if you whistle at a made-up lake?",
                "choices": {"A": "It answers.", "B": "Nothing happens.", "C": "It freezes."},
                "answer": "B",
            },
        ),
    ),
)
