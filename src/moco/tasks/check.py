"""Checking a data file: every fault with its line, field and remedy, and warnings about what is legal but suspicious.

Invariant: ``load_task`` reads through this module, so a file that checks clean loads, and one that does not never does.
Nothing here raises on the content of a file; only a file that cannot be opened is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from moco.core.errors import ConfigError, DataError, did_you_mean
from moco.tasks.columns import UNKNOWN_FIELD, as_options, as_yaml, columns_of, gathered, proposed
from moco.tasks.doubts import REMEDIES, Doubt, oddities, warnings_of
from moco.tasks.gold import wrong_gold
from moco.tasks.mapping import Fields, check_fields
from moco.tasks.originals import recognise
from moco.tasks.read import Table, read_table
from moco.tasks.record import KIND_ALIASES, KIND_NAMES, Record, faults_of
from moco.tasks.rows import Fault, Row

_WRONG_VALUE = frozenset({"literal_error", "string_too_short", "greater_than_equal", "finite_number"})
_FIELDS = tuple(Record.model_fields)
_SHOWN = 20
NO_TEST = "no record is in test"


@dataclass
class Report:
    """What a file holds: its sound records, all faults, warnings, and counts by split and kind.

    ``left_out`` are the records of a released file that cannot be graded: named, counted, and not loaded. ``unit`` says
    whether the numbers are those of lines or of rows. ``mapping`` is proposed where the columns have names of their own, ``kind``
    that of the records which name none.
    """

    path: str
    faults: list[Fault] = field(default_factory=list)
    warnings: list[Doubt] = field(default_factory=list)
    left_out: list[Fault] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list, repr=False)
    unit: str = "line"
    table: Table = field(default_factory=lambda: Table([]), repr=False)
    mapping: Fields = field(default_factory=dict)
    kind: str = ""

    @property
    def ok(self) -> bool:
        return not self.faults

    def where(self, line: int) -> str:
        """``file:3`` for a line, ``file: row 3`` for a row, the file alone for 0."""
        return (
            f"{self.path}:{line}" if line and self.unit == "line" else f"{self.path}: {self.unit} {line}" if line else self.path
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What a task made of this file has to say of itself: what was left out, and why."""
        if not self.left_out:
            return self.table.notes
        told: dict[str, list[int]] = {}
        for fault in self.left_out:
            told.setdefault(f"'{fault.field}' {fault.what}" if fault.field else fault.what, []).append(fault.line)
        left = len({fault.line for fault in self.left_out})
        which = "; ".join(f"{what} ({len(lines)}: {self._places(lines)})" for what, lines in told.items())
        return (*self.table.notes, f"{left} items that cannot be graded are left out: {which}")

    def _places(self, lines: list[int]) -> str:
        shown = ", ".join(map(str, lines[:_SHOWN]))
        return f"{self.unit}{'s' if len(lines) > 1 else ''} {shown}{', ...' if len(lines) > _SHOWN else ''}"

    def raise_first(self) -> None:
        """Raise DataError for the first fault, with the number of the others."""
        if not self.faults:
            return
        first, others = self.faults[0], len(self.faults) - 1
        more = f" (and {others} more fault{'s' if others > 1 else ''}; see `moco data check {self.path}`)" if others else ""
        what = f"field '{first.field}' {first.what}" if first.field else first.what
        remedy, whole = first.remedy, not first.line or (first.what == UNKNOWN_FIELD and first.remedy.startswith("known:"))
        if self.mapping and first.field and whole:
            given = f"fields: {as_yaml(self.mapping)} in a study, or {as_options(self.mapping)}"
            remedy = f"say which columns hold its fields, {given}"
        raise DataError(what + more, where=self.where(first.line), remedy=remedy)


def check_file(path: str | Path, fields: Fields | None = None, kind: str | None = None) -> Report:
    """Check the data file at ``path`` (any suffix of ``read.SUFFIXES``); ``fields`` names the columns of our fields, ``kind`` is
    that of records which name none.

    Raises DataError only where it cannot be opened, ConfigError where a package that reads its format is missing, and for an
    unknown kind or field.
    """
    wanted = known_kind(kind)
    if not fields and (known := recognise(Path(path))) is not None:
        return Report(str(path), [known])
    if fields:
        check_fields(fields)
    return check_table(read_table(Path(path), fields), str(path), fields or {}, wanted)


def known_kind(kind: str | None) -> str | None:
    """The kind's own name; raises ConfigError for one that there is not."""
    if kind is not None and KIND_ALIASES.get(kind, kind) not in KIND_NAMES:
        raise ConfigError(f"unknown kind '{kind}'", where="kind", remedy=did_you_mean(kind, (*KIND_NAMES, *KIND_ALIASES)))
    return kind if kind is None else KIND_ALIASES.get(kind, kind)


def check_table(table: Table, path: str, fields: Fields | None = None, kind: str | None = None) -> Report:
    """Check rows wherever they are from; ``path`` is what messages call the place, ``fields`` how the rows were mapped."""
    report = Report(path, unit=table.unit, table=table)
    seen: dict[str, int] = {}
    lines: list[int] = []
    for row in table.rows:
        if isinstance(row, Fault):
            report.faults.append(row)
            continue
        faults, record = check_row(row, table.unit)
        if record is not None and record.id in seen:
            what = f"'{record.id}' is also the id of {table.unit} {seen[record.id]}"
            faults, record = [Fault(row.line, "id", what, REMEDIES["id"])], None
        if record is not None and kind is not None:
            faults = [
                Fault(row.line, name, f"{what}; the kind {kind} is given", remedy) for name, what, remedy in unfit(record, kind)
            ]
            record = None if faults else record
        (report.left_out if table.lenient else report.faults).extend(faults)
        if record is not None:
            seen[record.id] = row.line
            report.records.append(record)
            lines.append(row.line)
    if report.left_out and 2 * len({fault.line for fault in report.left_out}) > len(table.rows):
        report.faults += report.left_out  # a file that is mostly wrong is not read at all
        report.left_out = []
    _gather(report, fields or {})
    if not report.records and not report.faults:
        report.faults.append(Fault(0, "", "the file holds no records", "write one record a line"))
    if report.records and not report.faults and all(record.split == "dev" for record in report.records):
        report.faults.append(Fault(0, "split", NO_TEST, 'give records "split": "test", or leave split out'))
    report.faults.sort(key=lambda fault: fault.line)
    report.warnings += list(warnings_of(report.records, lines, table.unit))
    report.kind = kind or joint_kind(report.records)
    for record in report.records:
        own = record.kind or (report.kind if report.kind != "mixed" else record.effective_kind)
        for name in (record.split or "no split", own, "records"):
            report.counts[name] = report.counts.get(name, 0) + 1
    return report


def _gather(report: Report, fields: Fields) -> None:
    """One fault for each faulty column, the mapping that may be wanted, and a doubt where the answers are left behind."""
    table = report.table
    if table.lenient or not (report.faults or fields):
        return
    columns = table.columns or columns_of(table.rows)
    if not report.records:
        report.mapping = proposed(columns, [row for row in table.rows if isinstance(row, Row)], fields)
    report.faults = gathered(report.faults, len(table.rows), table.unit, report.mapping)
    used = {one for column in fields.values() for one in ([column] if isinstance(column, str) else column)}
    left = [name for name in columns if name not in used and name not in _FIELDS and "." not in name]
    if fields and left and report.records and all(record.effective_kind == "generation" for record in report.records):
        what = f"no record has an answer; columns that are not mapped: {', '.join(left[:_SHOWN])}"
        report.warnings.append(Doubt(0, what))


def joint_kind(records: Sequence[Record]) -> str:
    """One kind for records of which none is given: answers of which only some are numbers are short texts; else ``mixed``."""
    kinds = {record.effective_kind for record in records}
    if len(kinds) == 1:
        return kinds.pop()
    named = any(record.kind for record in records)
    return "short_text" if kinds == {"numeric", "short_text"} and not named else "mixed"


def unfit(record: Record, kind: str) -> list[tuple[str, str, str]]:
    """(field, what, remedy) where a record that names no kind has not what ``kind`` needs."""
    if record.kind:
        return []
    found = faults_of(record.model_copy(update={"kind": kind}))
    if not found and (wrong := wrong_gold(record, kind)) is not None:
        found = [("answer", wrong[0])]
    return [(name, what, "give another kind, or leave it out") for name, what in found]


def check_row(row: Row, unit: str = "line") -> tuple[list[Fault], Record | None]:
    """All faults of one row; the record if there are none."""
    faults = [Fault(row.line, name, UNKNOWN_FIELD, did_you_mean(name, _FIELDS)) for name in row.data if name not in _FIELDS]
    data = {name: value for name, value in row.data.items() if name in _FIELDS}
    if isinstance(data.get("tolerance"), int) and not isinstance(data["tolerance"], bool):
        data["tolerance"] = float(data["tolerance"])
    data.setdefault("id", f"{unit}-{row.line}")
    faults += list(_bad_text(row.line, data))
    kind = data.get("kind")
    if isinstance(kind, str) and kind and KIND_ALIASES.get(kind, kind) not in KIND_NAMES:
        faults.append(Fault(row.line, "kind", f"'{kind}' is not a known kind", did_you_mean(kind, (*KIND_NAMES, *KIND_ALIASES))))
        data.pop("kind")
    record: Record | None = None
    try:
        found = record = Record.model_validate(data)
    except ValidationError as error:
        faults += list(_from_pydantic(row.line, error, data))
    else:
        faults += [Fault(row.line, name, what, remedy or REMEDIES[name]) for name, what, remedy in oddities(row.data, found)]
    named = [replace(fault, field=row.names.get(fault.field, fault.field)) for fault in faults]
    return named, None if named else record


def _from_pydantic(line: int, error: ValidationError, data: dict[str, Any]) -> Iterator[Fault]:
    told: set[str] = set()
    for one in error.errors():
        if not one["loc"]:  # our own checks: collect all of them, not the first
            for name, what in faults_of(Record.model_construct(**_with_defaults(data))):
                yield Fault(line, name, what, REMEDIES.get(name, "see the record format"))
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
        if name == "answer" and isinstance(given, list):
            number, wrong = next((n, alias) for n, alias in enumerate(given) if not isinstance(alias, str))
            what = f"has a wrong entry at '{number}': {_type(wrong)}, not a text"
        remedy = REMEDIES.get(name, "write a text")
        number = isinstance(given, int | float) and not isinstance(given, bool)
        if name == "answer" and number and isinstance(data.get("choices"), dict):
            remedy = (
                f"write one of the labels, {', '.join(map(str, data['choices']))}, or count options from 0: --map answer=answer"
            )
        elif name == "answer" and number:
            remedy = f'write the number as a text, "{given}"'
        elif name == "choices" and isinstance(given, list) and all(isinstance(one, str) for one in given):
            remedy = f"{remedy}, or read the list as it is: --map choices=choices"
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
