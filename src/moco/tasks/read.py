"""Reading rows from .jsonl, .json and .csv with their line numbers; a row that cannot be read is a fault, not an error.

Invariant: every row of the file comes out exactly once, as a ``Row`` or as a ``Fault``. Nothing is guessed: bytes that
are not UTF-8, NULs in CSV, duplicate keys and NaN are named instead of repaired. A byte-order mark is skipped.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moco.core.errors import DataError, did_you_mean

SUFFIXES = (".jsonl", ".json", ".csv")
_JSON_COLUMNS = ("choices", "meta", "messages", "labels", "tolerance")


@dataclass(frozen=True)
class Fault:
    """What is wrong, where, and what to do about it; ``line`` counts from 1, 0 is the whole file."""

    line: int
    field: str
    what: str
    remedy: str


@dataclass(frozen=True)
class Row:
    """One object of the file and the line it begins on."""

    line: int
    data: dict[str, Any]


def read_rows(path: Path) -> Iterator[Row | Fault]:
    """The rows of ``path`` in order; raises DataError where it does not exist or is of no known format."""
    if not path.is_file():
        near = [p.name for p in path.parent.glob("*") if p.suffix in SUFFIXES] if path.parent.is_dir() else []
        raise DataError("there is no such file", where=str(path), remedy=did_you_mean(path.name, near))
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"'{path.suffix}' is not a known format", where=str(path), remedy="use " + ", ".join(SUFFIXES))
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"the file cannot be read: {error.strerror}", where=str(path), remedy="check its permissions") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return iter([Fault(line, "", f"byte {raw[error.start]:#04x} is not UTF-8", "save the file as UTF-8")])
    return {".jsonl": _jsonl, ".json": _json, ".csv": _csv}[path.suffix.lower()](text)


def _jsonl(text: str) -> Iterator[Row | Fault]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = _parse(line)
        except json.JSONDecodeError as error:
            yield Fault(number, "", f"is not JSON: {error.msg} at column {error.colno}", "write one JSON object a line")
        except _Odd as error:
            yield Fault(number, error.field, error.what, error.remedy)
        else:
            yield _row(number, value)


def _json(text: str) -> Iterator[Row | Fault]:
    """A list of objects; each is parsed on its own so that its line is known."""
    decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
    at = _blank(text, 0)
    if not text.strip():
        return
    if text[at] != "[":
        yield Fault(1, "", "is not a list of records", "write [ {...}, {...} ], or one object a line in a .jsonl file")
        return
    at = _blank(text, at + 1)
    while at < len(text) and text[at] != "]":
        line = text.count("\n", 0, at) + 1
        try:
            value, end = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            yield Fault(error.lineno, "", f"is not JSON: {error.msg} at column {error.colno}", "write a list of JSON objects")
            return
        except _Odd as error:
            yield Fault(line, error.field, error.what, error.remedy)
            return
        except RecursionError:
            yield Fault(line, "", "is nested too deeply", "write a flat object")
            return
        yield _row(line, value)
        at = _blank(text, end)
        if at < len(text) and text[at] == ",":
            at = _blank(text, at + 1)
        elif at < len(text) and text[at] != "]":
            yield Fault(text.count("\n", 0, at) + 1, "", "is not JSON: ',' is missing between records", "write a comma")
            return
    if at >= len(text):
        yield Fault(text.count("\n") + 1, "", "is not JSON: the list is not closed", "end the file with ]")
    elif text[at + 1 :].strip():
        yield Fault(text.count("\n", 0, _blank(text, at + 1)) + 1, "", "is not JSON: there is text after the list", "remove it")


def _csv(text: str) -> Iterator[Row | Fault]:
    """Columns are fields; ``choices``, ``meta``, ``messages``, ``labels`` (and lists in ``answer``) are JSON in a cell."""
    if "\0" in text:
        yield Fault(
            text.count("\n", 0, text.index("\0")) + 1, "", "holds a NUL character", "save the file as UTF-8 text without NULs"
        )
        return
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    begin = 1
    try:
        for cells in reader:
            begin, line = reader.line_num + 1, begin
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = [cell.strip() for cell in cells]
                twice = {name for name in header if header.count(name) > 1}
                if twice:
                    yield Fault(line, min(twice), "is the name of two columns", "name every column once")
                    return
            elif len(cells) != len(header):
                yield Fault(line, "", f"has {len(cells)} cells, the header {len(header)}", "quote cells that hold commas")
            else:
                yield from _cells(line, dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        yield Fault(begin, "", f"is not CSV: {error}", "close every quoted cell, and double the quotes inside")


def _cells(line: int, cells: dict[str, str]) -> Iterator[Row | Fault]:
    data: dict[str, Any] = {}
    for name, cell in cells.items():
        if not cell.strip():
            continue
        if name in _JSON_COLUMNS or (name == "answer" and cell.lstrip().startswith('["')):
            try:
                data[name] = _parse(cell)
            except json.JSONDecodeError as error:
                yield Fault(line, name, f"is not JSON: {error.msg}", 'write JSON in the cell, {"A": "text"} with doubled quotes')
                return
            except _Odd as error:
                yield Fault(line, name, error.what, error.remedy)
                return
        else:
            data[name] = cell
    yield Row(line, data)


class _Odd(Exception):
    """JSON that Python accepts and moco does not."""

    def __init__(self, field: str, what: str, remedy: str) -> None:
        super().__init__(what)
        self.field, self.what, self.remedy = field, what, remedy


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in pairs:
        if key in out:
            raise _Odd(key, "is given twice", "keep one of them")
        out[key] = value
    return out


def _constant(name: str) -> Any:
    raise _Odd("", f"{name} is not JSON", "write a number, a text or null")


def _parse(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except RecursionError as error:
        raise _Odd("", "is nested too deeply", "write a flat object") from error


def _row(line: int, value: Any) -> Row | Fault:
    if isinstance(value, dict):
        return Row(line, value)
    return Fault(line, "", "is not an object", 'write {"id": ..., "question": ..., "answer": ...}')


def _blank(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at
