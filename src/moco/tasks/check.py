"""Checking a data file: every fault with its line, field and remedy, and warnings about what is legal but suspicious.

Invariant: ``load_task`` reads through this module, so a file that checks clean loads, and one that does not never does.
Nothing here raises on the content of a file; only a file that cannot be opened is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from moco.core.errors import DataError, did_you_mean
from moco.tasks.read import Fault, Row, read_rows
from moco.tasks.record import KIND_ALIASES, KIND_NAMES, Record, faults_of

_REMEDIES = {
    "answer": "write the right answer, a list of aliases, or for multiple choice one of the labels",
    "choices": 'write at least two options as {"A": "text", "B": "text"}',
    "labels": "write a list of labels that are among the choices",
    "question": "write the question, or messages",
    "id": "give every record its own id as a text",
    "tests": "write the tests as Python text",
    "split": "write dev or test, or leave it out",
    "messages": 'write [{"role": "user", "content": "text"}]',
    "tolerance": "write a relative tolerance of 0 or more, or leave it out",
    "kind": "write one of " + ", ".join(KIND_NAMES),
    "meta": 'write an object, {"key": "value"}',
}
_WRONG_VALUE = frozenset({"literal_error", "string_too_short", "greater_than_equal", "finite_number"})
_FIELDS = tuple(Record.model_fields)


@dataclass(frozen=True)
class Doubt:
    """Something legal that may be a mistake."""

    line: int
    what: str


@dataclass
class Report:
    """What a file holds: its sound records, all faults, warnings, and counts by split and kind."""

    path: str
    faults: list[Fault] = field(default_factory=list)
    warnings: list[Doubt] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list, repr=False)

    @property
    def ok(self) -> bool:
        return not self.faults

    def raise_first(self) -> None:
        """Raise DataError for the first fault, with the number of the others."""
        if not self.faults:
            return
        first, others = self.faults[0], len(self.faults) - 1
        more = f" (and {others} more fault{'s' if others > 1 else ''}; see `moco data check {self.path}`)" if others else ""
        where = f"{self.path}:{first.line}" if first.line else self.path
        what = f"field '{first.field}' {first.what}" if first.field else first.what
        raise DataError(what + more, where=where, remedy=first.remedy)


def check_file(path: str | Path) -> Report:
    """Check the .jsonl, .json or .csv file at ``path``; raises DataError only where it cannot be opened."""
    report = Report(str(path))
    seen: dict[str, int] = {}
    lines: list[int] = []
    for row in read_rows(Path(path)):
        if isinstance(row, Fault):
            report.faults.append(row)
            continue
        faults, record = check_row(row)
        report.faults += faults
        if record is None:
            continue
        if record.id in seen:
            report.faults.append(
                Fault(row.line, "id", f"'{record.id}' is also the id of line {seen[record.id]}", _REMEDIES["id"])
            )
            continue
        seen[record.id] = row.line
        report.records.append(record)
        lines.append(row.line)
    if not report.records and not report.faults:
        report.faults.append(Fault(0, "", "the file holds no records", "write one record a line"))
    report.faults.sort(key=lambda fault: fault.line)
    report.warnings = list(_warnings(report.records, lines))
    for record in report.records:
        for name in (record.split or "no split", record.effective_kind, "records"):
            report.counts[name] = report.counts.get(name, 0) + 1
    return report


def check_row(row: Row) -> tuple[list[Fault], Record | None]:
    """All faults of one row; the record if there are none."""
    faults = [
        Fault(row.line, name, "is not a known field", did_you_mean(name, _FIELDS)) for name in row.data if name not in _FIELDS
    ]
    data = {name: value for name, value in row.data.items() if name in _FIELDS}
    if isinstance(data.get("tolerance"), int) and not isinstance(data["tolerance"], bool):
        data["tolerance"] = float(data["tolerance"])
    data.setdefault("id", f"line-{row.line}")
    faults += list(_bad_text(row.line, data))
    kind = data.get("kind")
    if isinstance(kind, str) and kind and KIND_ALIASES.get(kind, kind) not in KIND_NAMES:
        faults.append(Fault(row.line, "kind", f"'{kind}' is not a known kind", did_you_mean(kind, (*KIND_NAMES, *KIND_ALIASES))))
        data.pop("kind")
    try:
        record = Record.model_validate(data)
    except ValidationError as error:
        return faults + list(_from_pydantic(row.line, error, data)), None
    return faults, None if faults else record


def _from_pydantic(line: int, error: ValidationError, data: dict[str, Any]) -> Iterator[Fault]:
    told: set[str] = set()
    for one in error.errors():
        if not one["loc"]:  # our own checks: collect all of them, not the first
            for name, what in faults_of(Record.model_construct(**_with_defaults(data))):
                yield Fault(line, name, what, _REMEDIES.get(name, "see the record format"))
            continue
        name = str(one["loc"][0])
        if name in told:
            continue
        told.add(name)
        given = data.get(name)
        what = f"has the wrong type {_type(given)}"
        if one["type"] in _WRONG_VALUE:
            what = f"has a wrong value: {one['msg'].lower()}"
        if isinstance(given, dict | list) and len(one["loc"]) > 1 and one["loc"][1] not in ("str", "list[str]"):
            what = f"has a wrong entry at '{one['loc'][1]}': {one['msg'].lower()}"
        remedy = _REMEDIES.get(name, "write a text")
        if name == "answer" and isinstance(given, int | float):
            remedy = f'write the number as a text, "{given}"'
        yield Fault(line, name, what, remedy)


def _with_defaults(data: dict[str, Any]) -> dict[str, Any]:
    kind = data.get("kind", "")
    return {**data, "kind": KIND_ALIASES.get(kind, kind)}


def _type(value: Any) -> str:
    names = {type(None): "null", bool: "boolean", int: "number", float: "number", str: "text", list: "list", dict: "object"}
    return names.get(type(value), type(value).__name__)


def _bad_text(line: int, data: dict[str, Any]) -> Iterator[Fault]:
    """Lone surrogates and NULs: legal in JSON, but they cannot be stored, hashed or sent."""
    for name, value in data.items():
        for text in _texts(value):
            if any("\ud800" <= c <= "\udfff" for c in text):
                yield Fault(line, name, "holds half of a surrogate pair", "write the whole character")
                break
            if "\0" in text:
                yield Fault(line, name, "holds a NUL character", "remove it")
                break


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _warnings(records: list[Record], lines: list[int]) -> Iterator[Doubt]:
    first: dict[tuple[str, ...], tuple[int, Record]] = {}
    for record, line in zip(records, lines, strict=True):
        asked = " ".join(record.question.casefold().split()) or str(record.messages)
        key = (asked, record.context or "", *sorted(text.casefold() for text in (record.choices or {}).values()))
        if key not in first:
            first[key] = line, record
            continue
        at, other = first[key]
        if record.split is not None and other.split is not None and record.split != other.split:
            where = f"there in {other.split}, here in {record.split}"
            yield Doubt(line, f"the question of line {at} again, {where}: dev/test overlap")
        else:
            yield Doubt(line, f"the question of line {at} again: duplicate question")
    for group, splits in _groups(records).items():
        if len(splits) > 1:
            yield Doubt(0, f"group '{group}' is in dev and in test: dev/test overlap")


def _groups(records: list[Record]) -> dict[str, set[str]]:
    out: dict[str, set[str]] = {}
    for record in records:
        if record.group is not None and record.split is not None:
            out.setdefault(record.group, set()).add(record.split)
    return out
