"""Rows of the released MoCo files as records, read by their fields; their defects are dropped or mended and reported.

Invariant: a released gold is never changed into another answer; a row whose gold cannot be read is dropped.
"""

from __future__ import annotations

from typing import Any

from moco.tasks.catalogue.entry import Native
from moco.tasks.catalogue.making import json_list, keyed, letter, text_of

_READ = ("id", "question", "input", "prompt", "choices", "answer", "output", "reference")
_REFERENCED = ("generation", "reward")


def by_fields(row: Native, kind: str) -> dict[str, Any]:
    """The fields of the record in one released row; ``kind`` is the task's."""
    data = row.data
    out: dict[str, Any] = {"id": key_of(row), "question": question_of(row)}
    meta = rest_of(row)
    gold = data.get("answer", data.get("output"))
    if isinstance(data.get("choices"), dict):
        keys = list(data["choices"])
        out |= keyed(data["choices"], gold, **meta)
        if keys != [letter(i) for i in range(len(keys))]:
            out["mended"] = "options had other keys than A, B, C in order; they are lettered by position, and gold with them"
        return out
    if kind == "diversity":
        out["answer"] = json_list(data.get("reference"))
    elif kind == "short_text":
        out["answer"] = json_list(gold)
    elif kind in ("numeric", "math", "label", "verifier"):
        out["answer"] = text_of(gold)
    elif kind in _REFERENCED and gold:
        out["answer"] = str(gold)
    return {**out, "meta": meta}


def key_of(row: Native) -> str:
    native = row.data.get("id")
    return str(row.number if native is None else native)


def question_of(row: Native) -> str:
    data = row.data
    return text_of(data.get("question", data.get("input", data.get("prompt"))), "the question is null")


def rest_of(row: Native) -> dict[str, Any]:
    """Everything of a released row that has no place of its own."""
    return {name: value for name, value in row.data.items() if name not in _READ}
