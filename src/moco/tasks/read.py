"""Reading the rows of a data file, whatever its format, with their line or row numbers.

Invariant: every row of the file comes out exactly once, as a ``Row`` in the fields of our record or as a ``Fault``. Nothing is
guessed: bytes that are not UTF-8, NULs in CSV, duplicate keys and NaN are named instead of repaired.
"""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moco.core.errors import DataError
from moco.tasks.mapping import Fields, map_row, paths
from moco.tasks.rows import Fault, Row, read_text
from moco.tasks.strictjson import Cursor, OddJson, elements, parse

if TYPE_CHECKING:
    from moco.tasks.record import Prompt

SUFFIXES = (".jsonl", ".json", ".csv", ".parquet", ".yaml", ".yml")
_JSON_COLUMNS = ("choices", "meta", "messages", "labels", "tolerance")
_RENAMED = {
    **dict.fromkeys((".ndjson", ".jl", ".jsonlines"), "give it the suffix .jsonl"),
    **dict.fromkeys((".gz", ".bz2", ".xz", ".zst", ".zip", ".tar"), "unpack it first"),
    ".py": "a task of your own is named with its entry, path/to/file.py:ENTRY",
    **dict.fromkeys((".tsv", ".xlsx", ".xls", ".ods"), "save it as CSV in UTF-8, cells separated by commas"),
}
_LARGEST_CELL = 1 << 26


@dataclass
class Table:
    """What a file holds. ``unit`` is what is counted in it, ``lenient`` whether records that cannot be graded are left out."""

    rows: list[Row | Fault]
    unit: str = "line"
    lenient: bool = False
    name: str = ""
    prompt: Prompt | None = None
    metric: str = ""
    notes: tuple[str, ...] = ()
    licence: str = ""
    columns: tuple[str, ...] = ()
    """The columns of the file, where its rows are mapped and so do not show them any more."""


def read_table(path: Path, fields: Fields | None = None) -> Table:
    """The rows of ``path`` in our fields; ``fields`` says which column each of our fields is in.

    Raises DataError where the file does not exist, cannot be read, or is of no known format.
    """
    _check_path(path)
    suffix = path.suffix.lower()
    if suffix in (".yaml", ".yml"):
        from moco.tasks.bridges.lm_eval import read_lm_eval

        return read_lm_eval(path)
    if suffix == ".parquet":
        from moco.tasks.read_parquet import parquet_rows

        table = Table(list(parquet_rows(path)), unit="row")
    else:
        table = _text_table(path, suffix)
    if fields:
        return _mapped(table, fields)
    from moco.tasks.bridges import evalplus

    return evalplus.converted(table, path) if evalplus.recognised(table) else table


def _check_path(path: Path) -> None:
    if path.is_dir():
        raise DataError("is a folder, not a file", where=str(path), remedy="name one file in it")
    if not path.is_file():
        if path.exists():
            raise DataError("is a pipe or a device, not a file", where=str(path), remedy="write its content into a file first")
        beside = [p.name for p in path.parent.glob("*") if p.suffix in SUFFIXES and p.is_file()] if path.parent.is_dir() else []
        near = difflib.get_close_matches(path.name, beside, n=1)
        remedy = f"did you mean '{near[0]}'?" if near else "name an existing file"
        raise DataError("there is no such file", where=str(path), remedy=remedy)
    if path.suffix.lower() not in SUFFIXES:
        what = f"'{path.suffix}' is not a known format" if path.suffix else "the name has no suffix, so the format is not known"
        remedy = _RENAMED.get(path.suffix.lower(), "use " + ", ".join(SUFFIXES))
        raise DataError(what, where=str(path), remedy=remedy)


def _text_table(path: Path, suffix: str) -> Table:
    text = read_text(path)
    if isinstance(text, Fault):
        return Table([text])
    if suffix == ".json":
        from moco.tasks.released import looks_released, released_table

        if looks_released(text):
            return released_table(text, path.stem)
    return Table(list({".jsonl": _jsonl, ".json": _json, ".csv": _csv}[suffix](text)))


def raw_rows(path: Path, loader: str) -> Iterator[Row | Fault]:
    """The rows of a file as another project's loader (json, csv or parquet) names them, whatever its suffix; raises DataError."""
    if not path.is_file():
        raise DataError("there is no such file", where=str(path), remedy="name an existing file")
    if loader == "parquet":
        from moco.tasks.read_parquet import parquet_rows

        return parquet_rows(path)
    text = read_text(path)
    if isinstance(text, Fault):
        return iter([text])
    if loader == "csv":
        return _csv(text)
    return (_json if text.lstrip()[:1] == "[" else _jsonl)(text)


def _mapped(table: Table, fields: Fields) -> Table:
    out: list[Row | Fault] = []
    columns: dict[str, None] = {}
    for row in table.rows:
        if isinstance(row, Fault):
            out.append(row)
            continue
        columns.update(dict.fromkeys(paths(row.data)))
        mapped = map_row(row, fields)
        out += mapped if isinstance(mapped, list) else [mapped]
    return Table(out, unit=table.unit, columns=tuple(columns))


def _jsonl(text: str) -> Iterator[Row | Fault]:
    if text.lstrip()[:1] == "[" and "\n" in text.strip() and not _parses(text.lstrip().split("\n", 1)[0]):
        yield Fault(1, "", "is one JSON list, not one object a line", "give the file the suffix .json")
        return
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = parse(line)
        except OddJson as error:
            remedy = "write one JSON object a line" if error.what.startswith("is not JSON") else error.remedy
            yield Fault(number, error.field, error.what, remedy)
        else:
            yield _row(number, value)


def _parses(line: str) -> bool:
    try:
        parse(line)
    except OddJson:
        return False
    return True


def _json(text: str) -> Iterator[Row | Fault]:
    """A list of objects; each is parsed on its own so that its line is known."""
    cursor = Cursor(text)
    if not cursor.next:
        return
    try:
        if cursor.next == "{":
            yield _not_a_list(cursor)
            return
        for line, value in elements(cursor):
            yield _row(line, value)
        if cursor.next:
            yield Fault(cursor.line, "", "is not JSON: there is text after the list", "remove it")
    except OddJson as error:
        yield Fault(error.line, error.field, error.what, error.remedy)


def _not_a_list(cursor: Cursor) -> Fault:
    cursor.value()
    if cursor.next == "{":
        return Fault(1, "", "is not a list of records but one object a line", "give the file the suffix .jsonl")
    return Fault(1, "", "is not a list of records", "write [ {...}, {...} ], or one object a line in a .jsonl file")


def _csv(text: str) -> Iterator[Row | Fault]:
    """Columns are fields; ``choices``, ``meta``, ``messages``, ``labels`` (and lists in ``answer``) are JSON in a cell."""
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        yield Fault(line, "", "holds a NUL character", "save the file as UTF-8 text without NULs")
        return
    csv.field_size_limit(_LARGEST_CELL)
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
                if (fault := _bad_header(line, header)) is not None:
                    yield fault
                    return
            elif len(cells) != len(header):
                remedy = "quote cells that hold commas" if len(cells) > len(header) else "leave a cell empty, but write its comma"
                yield Fault(line, "", f"has {len(cells)} cells, the header {len(header)}", remedy)
            else:
                yield from cells_row(line, dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        yield Fault(begin, "", f"is not CSV: {error}", "close every quoted cell, and double the quotes inside")


def _bad_header(line: int, header: list[str]) -> Fault | None:
    twice = sorted({name for name in header if header.count(name) > 1 and name})
    if twice:
        return Fault(line, twice[0], "is the name of two columns", "name every column once")
    if "" in header:
        return Fault(line, "", f"column {header.index('') + 1} has no name", "name every column")
    for sign, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and sign in header[0]:
            return Fault(line, "", f"has one column: its cells are separated by {name}", "separate cells by commas")
    return None


def cells_row(line: int, cells: Mapping[str, str]) -> Iterator[Row | Fault]:
    """The row in text cells: empty ones are left out (an empty ``answer`` is null), those of lists and objects are JSON."""
    data: dict[str, Any] = {}
    for name, cell in cells.items():
        if not cell.strip():
            if name == "answer":
                data[name] = None
        elif name in _JSON_COLUMNS or (name == "answer" and cell.lstrip().startswith('["')):
            try:
                data[name] = parse(cell)
            except OddJson as error:
                if not error.what.startswith("is not JSON"):
                    yield Fault(line, name, error.what, error.remedy)
                else:
                    what = error.what.partition(" at column")[0]
                    wanted = "a number" if name == "tolerance" else 'JSON in the cell, {"A": "text"} with doubled quotes'
                    yield Fault(line, name, what, f"write {wanted}")
                return
        else:
            data[name] = cell
    yield Row(line, data)


def _row(line: int, value: Any) -> Row | Fault:
    if isinstance(value, dict):
        return Row(line, value)
    return Fault(line, "", "is not an object", 'write {"id": ..., "question": ..., "answer": ...}')
