"""ARC-Challenge: school science questions; some number their options 1-4."""

from __future__ import annotations

from typing import Any

from moco.tasks.catalogue.entry import Defect, Entry, Example, Hub, Native, Table
from moco.tasks.catalogue.making import keyed


def rows(row: Native) -> list[dict[str, Any]]:
    """Both hub rows (choices as lists) and the original lines (choices inside ``question``)."""
    data = row.data
    question = data.get("question")
    if question is None:
        raise Defect("the file has ids and keys but no question text")
    if isinstance(question, dict):
        options = {str(one["label"]): one["text"] for one in question["choices"]}
        question = question["stem"]
    else:
        options = dict(zip(data["choices"]["label"], data["choices"]["text"], strict=True))
    return [{"id": data["id"], "question": question, **keyed(options, data["answerKey"])}]


ENTRY = Entry(
    name="arc_challenge",
    kind="multiple_choice",
    metric="accuracy",
    measures="natural science of grades 3 to 9, the questions that retrieval and word counts get wrong",
    licence="CC BY-SA 4.0",
    paper="arXiv:1803.05457",
    convert=rows,
    hub=Hub("allenai/ai2_arc"),
    original="ARC-V1-Feb2018 of AI2, folder ARC-Challenge",
    tables=(
        Table("test", "test", ("ARC-Challenge-Test.jsonl", "test*.jsonl", "question-answers*.jsonl"), ("ARC-Challenge",)),
        Table("validation", "dev", ("ARC-Challenge-Dev.jsonl", "validation*.jsonl"), ("ARC-Challenge",)),
    ),
    notes=("published figures are often log-likelihood accuracy (25 shots); these are generated answers",),
    released_official=True,
    examples=(
        Example(
            Native(
                {
                    "id": "MADEUP_7",
                    "question": "Which of these made-up things melts in the sun?",
                    "choices": {"text": ["ice", "sand", "iron"], "label": ["1", "2", "3"]},
                    "answerKey": "1",
                }
            ),
            {
                "id": "MADEUP_7",
                "question": "Which of these made-up things melts in the sun?",
                "choices": {"1": "ice", "2": "sand", "3": "iron"},
                "answer": "1",
            },
        ),
    ),
)
