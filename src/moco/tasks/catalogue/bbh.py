"""BIG-Bench Hard: 27 subtasks with options, yes/no, numbers, bracket sequences and word lists as answers."""

from __future__ import annotations

import re
from typing import Any

from moco.tasks.catalogue.entry import Defect, Entry, Example, Hub, Native, Table
from moco.tasks.catalogue.making import lettered, one_label, text_of
from moco.tasks.catalogue.released_rows import key_of, question_of
from moco.tasks.record import Prompt

LABELS = {
    "boolean_expressions": ("True", "False"),
    "causal_judgement": ("Yes", "No"),
    "formal_fallacies": ("valid", "invalid"),
    "navigate": ("Yes", "No"),
    "sports_understanding": ("yes", "no"),
    "web_of_lies": ("Yes", "No"),
}
NUMBERS = ("multistep_arithmetic_two", "object_counting")
SEQUENCES = ("dyck_languages", "word_sorting")
OPTIONS = (
    *("date_understanding", "disambiguation_qa", "geometric_shapes", "hyperbaton", "movie_recommendation", "penguins_in_a_table"),
    *(
        "logical_deduction_three_objects",
        "logical_deduction_five_objects",
        "logical_deduction_seven_objects",
        "ruin_names",
        "snarks",
    ),
    *("reasoning_about_colored_objects", "salient_translation_error_detection", "temporal_sequences"),
    *(f"tracking_shuffled_objects_{count}_objects" for count in ("three", "five", "seven")),
)
SUBTASKS = tuple(sorted((*LABELS, *NUMBERS, *SEQUENCES, *OPTIONS)))
_OPTION = re.compile(r"^\(([A-Z])\)[ ]?(.*)$", re.MULTILINE)


def answered(question: str, target: str, subtask: str) -> dict[str, Any]:
    """The answer fields by subtask; options and possible answers leave the question, the prompt shows them again.

    Punctuation is the answer in dyck_languages: both sequence tasks are label records without a set of labels.
    """
    stem, mark, listed = question.rpartition("\nOptions:")
    meta = {"subtask": subtask}
    if subtask in LABELS:
        plain = {label.casefold(): label for label in LABELS[subtask]}
        return {
            "question": stem if mark else question,
            **one_label(LABELS[subtask], plain.get(target.casefold(), target), **meta),
        }
    if subtask in NUMBERS:
        return {"question": question, "kind": "numeric", "answer": target, "meta": meta}
    if subtask in SEQUENCES:
        return {"question": question, "kind": "label", "answer": target, "meta": meta}
    options = _OPTION.findall(listed) if mark else []
    letters = [found[0] for found in options]
    gold = target.strip("() ")
    if letters and "," in target and target.strip("() ") not in letters:
        raise Defect("the options were cut at the commas inside them, and none is the gold answer")
    if letters != [chr(65 + i) for i in range(len(letters))] or gold not in letters:
        raise Defect("the gold answer is not among the options")
    return {
        "question": stem,
        "kind": "multiple_choice",
        **lettered([text for _, text in options], [letters.index(gold)], target, **meta),
    }


def rows(row: Native) -> list[dict[str, Any]]:
    """The canary string is kept in ``meta`` and out of the prompt."""
    made = answered(row.data["input"], text_of(row.data["target"]), row.part)
    if "_canary" in row.data:
        made["meta"]["canary"] = row.data["_canary"]
    return [{"id": f"{row.part}/{row.number}", **made}]


def _released(row: Native) -> list[dict[str, Any]]:
    """The released file cut '(B)' to 'B' and names the subtask in ``domain``; without it the text has to tell."""
    question, gold = question_of(row), text_of(row.data.get("output"))
    return [{"id": key_of(row), **answered(question, gold, row.part or _guessed(question, gold))}]


def _guessed(question: str, gold: str) -> str:
    if "\nOptions:\n(A)" in question:
        return "unknown"
    for subtask, labels in LABELS.items():
        if gold in labels:
            return subtask
    if re.fullmatch(r"-?\d+", gold):
        return "object_counting"
    return "word_sorting" if any(c.isalpha() for c in gold) else "dyck_languages"


ENTRY = Entry(
    name="bbh",
    kind="mixed",
    metric="accuracy",
    measures="27 reasoning tasks that earlier models failed: logic, tracking, dates, sorting, brackets, sarcasm",
    licence="MIT",
    paper="arXiv:2210.09261",
    convert=rows,
    hub=Hub("SaylorTwift/bbh"),
    original="github.com/suzgunmirac/BIG-Bench-Hard, bbh",
    tables=tuple(Table("test", "", (f"{subtask}.json",), (subtask,)) for subtask in SUBTASKS),
    prompt=Prompt(
        answer_format={"label": "Think step by step, then end with 'Answer: ' and the answer alone."}, shots_by="subtask"
    ),
    macro="subtask",
    released=_released,
    notes=(
        "causal_judgement repeats a few questions with opposite answers; they stay, on one side of the split",
        "published figures use three worked examples a subtask, with reasoning; few_shot: 3 shows three of dev, answers alone",
    ),
    examples=(
        Example(
            Native(
                {"input": "Which made-up word is longest?\nOptions:\n(A) ab\n(B) abc", "target": "(B)", "_canary": "none"},
                2,
                "hyperbaton",
            ),
            {
                "id": 2,
                "input": "Which made-up word is longest?\nOptions:\n(A) ab\n(B) abc",
                "output": "B",
                "domain": "hyperbaton",
            },
        ),
        Example(Native({"input": "not ( True ) and False is", "target": "False"}, 0, "boolean_expressions")),
        Example(Native({"input": "Complete the made-up sequence. Input: ( [", "target": "] )"}, 1, "dyck_languages")),
        Example(Native({"input": "((1 - 3) * 4) =", "target": "-8"}, 5, "multistep_arithmetic_two")),
    ),
)
