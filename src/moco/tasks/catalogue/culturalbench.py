"""CulturalBench: 1,227 questions about 45 regions, as four judgements each (Hard) or one of four options (Easy).

The released code crossed the names: its ``culturebench`` holds the Hard rows, its ``culturalbench_hard`` an Easy-style form
built from them. Here the names are the authors'; ``culturebench`` is kept as another name of Hard.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from moco.tasks.catalogue.entry import Defect, Entry, Example, Hub, Native, Table, Variant
from moco.tasks.catalogue.making import keyed, one_label
from moco.tasks.catalogue.released_rows import by_fields, key_of, question_of
from moco.tasks.record import Prompt

LABELS = ("True", "False")


def judged(value: Any) -> str:
    """'True' or 'False', which the hub has as a boolean."""
    text = str(value).strip().capitalize()
    if text not in LABELS:
        raise Defect(f"the judgement {value!r} is neither True nor False")
    return text


def hard_rows(row: Native) -> list[dict[str, Any]]:
    """One judgement; the four of a question are a group, and it counts only where all are right."""
    data = row.data
    question = f"{data['prompt_question'].strip()}\nProposed answer: {data['prompt_option']}\nIs this answer true or false?"
    made = one_label(LABELS, judged(data["answer"]), country=data["country"])
    return [{"id": data["data_idx"], "question": question, "group": str(data["question_idx"]), **made}]


def easy_rows(row: Native) -> list[dict[str, Any]]:
    data = row.data
    options = {letter.upper(): data[f"prompt_option_{letter}"] for letter in "abcd"}
    key = data.get("data_idx", data.get("question_idx", row.number))
    return [{"id": key, "question": data["prompt_question"], **keyed(options, data["answer"], country=data["country"])}]


def _hard_released(row: Native) -> list[dict[str, Any]]:
    made = one_label(LABELS, judged(row.data.get("output")), country=row.data.get("country", ""))
    return [{"id": key_of(row), "question": question_of(row), "group": str(row.data["question_id"]), **made}]


def _easy_released(row: Native) -> list[dict[str, Any]]:
    if any(text is None for text in (row.data.get("choices") or {}).values()):
        raise Defect("an option is null or empty")
    return [by_fields(row, "multiple_choice")]


_FACTS: dict[str, Any] = {
    "licence": "CC BY 4.0",
    "paper": "arXiv:2410.02677",
    "hub": Hub("kellycyy/CulturalBench"),
    "original": "a CSV export of kellycyy/CulturalBench",
    "macro": "country",
}
_EXAMPLE = {
    "data_idx": 8,
    "question_idx": 2,
    "prompt_question": "In Madeupland, what is offered to guests first?",
    "prompt_option": "tea",
    "answer": "True",
    "country": "Madeupland",
}

EASY = Entry(
    name="culturalbench_easy",
    kind="multiple_choice",
    metric="accuracy",
    measures="knowledge of customs in 45 regions: one of four options",
    convert=easy_rows,
    tables=(Table("test", "", ("*easy*.csv",), ("CulturalBench-Easy",)),),
    released_name="culturalbench_hard",
    released=_easy_released,
    notes=("in the released file of this form some questions have several true options of which one is gold",),
    examples=(
        Example(
            Native(
                {
                    **{
                        f"prompt_option_{letter}": text
                        for letter, text in zip("abcd", ("tea", "salt", "a hat", "nothing"), strict=True)
                    },
                    "data_idx": 2,
                    "prompt_question": "In Madeupland, what is offered to guests first?",
                    "answer": "A",
                    "country": "Madeupland",
                }
            ),
            {
                "id": 2,
                "question": "In Madeupland, what is offered to guests first?",
                "choices": {"A": "tea", "B": "salt", "C": "a hat", "D": "nothing"},
                "answer": "A",
                "country": "Madeupland",
            },
        ),
    ),
    **_FACTS,
)

HARD = Entry(
    name="culturalbench_hard",
    kind="label",
    metric="accuracy",
    measures="knowledge of customs in 45 regions: four true/false judgements a question, right only together",
    convert=hard_rows,
    tables=(Table("test", "", ("culturalbench_hard*.csv", "*hard*.csv"), ("CulturalBench-Hard",)),),
    prompt=Prompt(answer_format={"label": "Answer True or False only."}),
    whole_groups=True,
    released_as=Variant(
        "the released culturalbench_hard.json holds the four-option form, not CulturalBench-Hard: it is culturalbench_easy",
        kind="multiple_choice",
        called="culturalbench_easy",
        prompt=Prompt(),
        whole_groups=False,
        notes=EASY.notes,
    ),
    released=_easy_released,
    notes=("guessing scores 6.25 % by question; always False scores 73 % of the judgements and no question",),
    examples=(
        Example(
            Native(_EXAMPLE),
            {
                "id": 2,
                "question": "In Madeupland, what is offered to guests first?",
                "choices": {"A": "tea", "B": "salt"},
                "answer": "A",
                "country": "Madeupland",
            },
        ),
    ),
    **_FACTS,
)

CULTUREBENCH = replace(
    HARD,
    name="culturebench",
    folder="culturalbench_hard",
    released_name="culturebench",
    released=_hard_released,
    released_as=None,
    notes=(*HARD.notes, "culturebench is the released name of what its authors call CulturalBench-Hard"),
    examples=(
        Example(
            Native(_EXAMPLE),
            {
                "id": "8",
                "question_id": "2",
                "input": "Is this answer true or false? Question: In Madeupland, what is offered to guests first? Answer: tea",
                "output": "True",
                "country": "Madeupland",
            },
        ),
    ),
)
