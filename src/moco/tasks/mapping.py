"""Columns of any name as the fields of our record: ``{question: prompt, answer: solution}``.

A column may be a path into an object (``choices.text``); ``choices`` may be a list of columns, one option each. Columns
that are called like a field and are not mapped keep their place; others are left behind, since nobody asked for them.

Numbers become texts where a field holds texts. Options in a list are labelled A, B, C; a right answer that is a whole
number counts them from 0, one that is the text of exactly one option is that option.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moco.core.errors import ConfigError, did_you_mean
from moco.tasks.rows import Fault, Row

Fields = Mapping[str, str | Sequence[str]]
FIELDS = (
    *("id", "question", "choices", "answer", "split", "kind", "tests", "entry_point"),
    *("context", "messages", "labels", "tolerance", "group", "source", "meta"),
)
NOT_THERE = ", which is not there"
TEXTS = ("id", "question", "answer", "group", "context", "source")


def check_fields(fields: Fields, where: str = "fields") -> None:
    """Raise ConfigError for a mapped field that a record does not have, or a column without a name."""
    for name, column in fields.items():
        if name.partition(".")[0] not in FIELDS or ("." in name and not name.startswith("meta.")):
            raise ConfigError(f"'{name}' is not a field of a record", where=where, remedy=did_you_mean(name, FIELDS))
        columns = [column] if isinstance(column, str) else list(column)
        if not columns or not all(columns):
            raise ConfigError(f"'{name}' names no column", where=where, remedy=f"write {name}: COLUMN")
        if not isinstance(column, str) and name != "choices":
            raise ConfigError(f"'{name}' takes one column", where=where, remedy="a list of columns goes with choices only")


def map_row(row: Row, fields: Fields) -> Row | list[Fault]:
    """``row`` in our fields, or a fault for every column that is not there."""
    faults: list[Fault] = []
    used = {one.partition(".")[0] for column in fields.values() for one in ([column] if isinstance(column, str) else column)}
    data = {name: value for name, value in row.data.items() if name in FIELDS and name not in used and name not in fields}
    meta: dict[str, Any] = {}
    for name, column in fields.items():
        columns = [column] if isinstance(column, str) else list(column)
        found = [_at(row.data, one) for one in columns]
        for one, (there, _) in zip(columns, found, strict=True):
            if not there:
                faults.append(
                    Fault(
                        row.line,
                        name,
                        f"is mapped to the column '{one}'{NOT_THERE}",
                        did_you_mean(one, paths(row.data)),
                    )
                )
        values = [value for _, value in found]
        if name.startswith("meta."):
            meta[name.partition(".")[2]] = values[0]
        else:
            data[name] = values[0] if isinstance(column, str) else values
    if faults:
        return faults
    if meta:
        data["meta"] = {**(data["meta"] if isinstance(data.get("meta"), dict) else {}), **meta}
    names = {name: column if isinstance(column, str) else ", ".join(column) for name, column in fields.items()}
    return Row(row.line, _typed(data), row.split, row.index, names)


def _typed(data: dict[str, Any]) -> dict[str, Any]:
    """Numbers as texts where texts belong, listed options labelled, and the right one named by its label."""
    out = dict(data)
    if (options := _options(out.get("choices"))) is not None:
        out["choices"] = options
        out["answer"] = _label(out.get("answer"), options)
    for name in TEXTS:
        value = out.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            out[name] = str(value)
        elif name == "answer" and isinstance(value, list):
            out[name] = [str(one) if isinstance(one, int | float) and not isinstance(one, bool) else one for one in value]
    return {name: value for name, value in out.items() if value is not None or name == "answer"}


def _options(choices: Any) -> dict[str, Any] | None:
    if isinstance(choices, dict) and isinstance(choices.get("text"), list):  # ARC's form: {"text": [...], "label": [...]}
        labels = choices.get("label")
        texts = choices["text"]
        if isinstance(labels, list) and len(labels) == len(texts):
            return {str(label): text for label, text in zip(labels, texts, strict=True)}
        choices = texts
    if isinstance(choices, list):
        return {
            _letter(number): str(one) if isinstance(one, int | float) else one
            for number, one in enumerate(choices)
            if one is not None
        }
    return None


def _letter(number: int) -> str:
    return chr(65 + number) if number < 26 else str(number + 1)


def _label(answer: Any, options: Mapping[str, Any]) -> Any:
    labels = list(options)
    if isinstance(answer, int) and not isinstance(answer, bool):
        return labels[answer] if 0 <= answer < len(labels) else str(answer)
    if isinstance(answer, list):
        return [_label(one, options) for one in answer]
    if isinstance(answer, str) and answer not in options:
        same = [label for label, text in options.items() if text == answer]
        return same[0] if len(same) == 1 else answer
    return answer


def _at(data: Any, path: str) -> tuple[bool, Any]:
    """(whether it is there, the value) of a column, or of a path into one."""
    if isinstance(data, dict) and path in data:
        return True, data[path]
    head, dot, rest = path.partition(".")
    if dot and isinstance(data, dict) and isinstance(data.get(head), dict):
        return _at(data[head], rest)
    return False, None


def paths(data: Mapping[str, Any]) -> list[str]:
    """The columns of a row, and the paths into those that hold objects."""
    inner = [f"{name}.{key}" for name, value in data.items() if isinstance(value, dict) for key in value]
    return [*data, *inner]
