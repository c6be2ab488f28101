"""MMLU-Redux: 57 subjects of MMLU whose answers were checked again; faulty questions are marked."""

from __future__ import annotations

import ast
import re
from typing import Any

from moco.tasks.catalogue.entry import Defect, Entry, Example, Hub, LeaveOut, Native, Table, Variant
from moco.tasks.catalogue.making import lettered
from moco.tasks.record import Prompt

_WORDS = {
    "ok": "ok",
    "expert": "needs an expert",
    "wrong groundtruth": "wrong ground truth",
    "no correct answer": "no correct answer",
    "multiple correct answers": "multiple correct answers",
    "bad question clarity": "bad question clarity",
    "bad options clarity": "bad options clarity",
}
_CORRECTABLE = ("wrong ground truth", "multiple correct answers")


def error_of(spelt: Any) -> str:
    """One of seven marks, however it is spelt: 'OK ', 'wrong_groundtruth ', 'No correct Answer'. Raises Defect."""
    plain = " ".join(str(spelt or "ok").replace("_", " ").split()).casefold()
    if plain not in _WORDS:
        raise Defect(f"the error type {spelt!r} is unknown")
    return _WORDS[plain]


def places_of(corrected: Any, count: int) -> list[int]:
    """The options a correction names (0-based digits or letters, several where it lists several); [] where it is prose."""
    text = str(corrected if corrected is not None else "").strip().strip("()[]")
    pieces = [piece for piece in re.split(r"\s*(?:,|\s|\band\b)\s*", text) if piece]
    if not pieces or not all(re.fullmatch(r"\d|[A-Da-d]", piece) for piece in pieces):
        return []
    places = [int(piece) if piece.isdigit() else ord(piece.upper()) - ord("A") for piece in pieces]
    return sorted(set(places)) if all(place < count for place in places) else []


def rows(row: Native) -> list[dict[str, Any]]:
    data = row.data
    subject = row.part.removeprefix("mmlu_")
    options = data["choices"]
    if isinstance(options, str):
        try:
            options = ast.literal_eval(options)
        except (SyntaxError, ValueError) as error:
            raise Defect("the options are not a list") from error
    mark = error_of(data.get("error_type"))
    gold = [int(data["answer"])]
    meta: dict[str, Any] = {"subject": subject, "error_type": mark}
    if row.variant in ("", "ok") and mark != "ok":
        raise LeaveOut(f"marked as faulty: {mark}")
    if row.variant == "corrected" and mark != "ok":
        corrected = places_of(data.get("correct_answer"), len(options)) if mark in _CORRECTABLE else []
        if not corrected or (mark == "wrong ground truth" and len(corrected) > 1):
            raise LeaveOut(f"marked as faulty: {mark}, and no correction that names an option")
        meta["corrected_from"] = gold[0]
        gold = corrected
    return [
        {"id": f"{subject}/{row.number}", "question": data["question"], **lettered(options, gold, int(data["answer"]), **meta)}
    ]


ENTRY = Entry(
    name="mmlu_redux",
    kind="multiple_choice",
    metric="accuracy",
    measures="knowledge in 57 school and college subjects, with the questions that annotators found faulty marked",
    licence="CC BY 4.0",
    paper="arXiv:2406.04127",
    convert=rows,
    hub=Hub("edinburgh-dawg/mmlu-redux-2.0"),
    original="github.com/aryopg/mmlu-redux, mmlu_redux",
    tables=(Table("test", "", ("mmlu_*.csv",), ("*",)),),
    variants={
        "ok": Variant("the questions that annotators found sound"),
        "corrected": Variant("those, and wrong or multiple answers where the correction names one or several options"),
        "original": Variant("all of them with MMLU's first answers, faults included"),
    },
    prompt=Prompt(shots_by="subject"),
    macro="subject",
    notes=("the released file keeps 7 % of faulty questions, and the wrong gold of those marked so",),
    examples=(
        Example(
            Native(
                {
                    "question": "Which made-up metal floats?",
                    "choices": "['lead', 'corkium', 'gold', 'tin']",
                    "answer": "1",
                    "error_type": "OK ",
                    "correct_answer": "",
                },
                4,
                "mmlu_made_up_chemistry",
            ),
            {
                "id": 4,
                "question": "Which made-up metal floats?",
                "choices": {"A": "lead", "B": "corkium", "C": "gold", "D": "tin"},
                "answer": "B",
            },
        ),
    ),
)
