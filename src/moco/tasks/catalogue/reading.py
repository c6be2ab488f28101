"""Original files, byte by byte: encodings, delimiters, compression, and the shapes of JSON that data sets come in.

Invariant: every row of a file comes out once, in order, with its values untouched except line ends inside texts (CRLF
becomes LF). Encodings are tried in the order UTF-8, Mac Roman, cp1252, and what was used is reported.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moco.core.errors import ConfigError, DataError

READABLE = (".jsonl", ".json", ".csv", ".tsv", ".jsonl.gz", ".json.gz", ".parquet")
_ENCODINGS = ("utf-8-sig", "mac_roman", "cp1252")


def rows_of(path: Path, inner: str = "") -> Iterator[dict[str, Any]]:
    """The rows of ``path``; of the list under ``inner`` where one is named. Raises DataError for what cannot be read."""
    name = path.name.lower().removesuffix(".gz")
    try:
        if name.endswith(".parquet"):
            yield from _parquet(path)
        elif name.endswith((".csv", ".tsv")):
            yield from _delimited(text_of_file(path)[0])
        elif name.endswith(".jsonl"):
            yield from _jsonl(text_of_file(path)[0], path)
        else:
            yield from _json(text_of_file(path)[0], path, inner)
    except csv.Error as error:
        raise DataError(f"is not CSV: {error}", where=str(path), remedy="fetch the file again") from error


def value_of_file(path: Path) -> Any:
    """The whole JSON value in ``path``."""
    try:
        return json.loads(text_of_file(path)[0])
    except json.JSONDecodeError as error:
        raise DataError(f"is not JSON: {error.msg}", where=f"{path}:{error.lineno}", remedy="fetch the file again") from error


def text_of_file(path: Path) -> tuple[str, str]:
    """The text and its encoding; raises DataError where the file cannot be opened or no encoding fits."""
    try:
        raw = path.read_bytes()
        if path.name.lower().endswith(".gz"):
            raw = gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"the file cannot be read: {error}", where=str(path), remedy="fetch the file again") from error
    if raw.startswith(b"version https://git-lfs"):
        raise DataError("the file is only a pointer to large-file storage", where=str(path), remedy="run `git lfs pull` there")
    for encoding in _ENCODINGS:
        try:
            return raw.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    raise DataError("the text is in no known encoding", where=str(path), remedy="save the file as UTF-8")


def _delimited(text: str) -> Iterator[dict[str, Any]]:
    """CSV with the delimiter its header uses most: comma, semicolon or tab."""
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    csv.field_size_limit(1 << 30)
    for row in csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter):
        yield {name: _lf(value) for name, value in row.items() if name}


def _jsonl(text: str, path: Path) -> Iterator[dict[str, Any]]:
    if text.lstrip().startswith("["):  # a list under the name of lines
        yield from _json(text, path, "")
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield _row(_parsed(line, path, number), path, number)


def _json(text: str, path: Path, inner: str) -> Iterator[dict[str, Any]]:
    """A list of rows; an object that holds one (``inner``, ``examples``); an object of rows by key; or one row."""
    value = _parsed(text, path, 1)
    if isinstance(value, dict):
        name = inner or ("examples" if isinstance(value.get("examples"), list) else "")
        if name:
            beside = {k: v for k, v in value.items() if isinstance(v, str)}
            rows = value.get(name)
            if not isinstance(rows, list):
                raise DataError(f"there is no list '{name}'", where=str(path), remedy="fetch the file again")
            for number, row in enumerate(rows):
                yield {**_row(row, path, number), **{f"_{k}": v for k, v in beside.items()}}
        elif value and all(isinstance(row, dict) for row in value.values()):
            for key, row in value.items():
                yield {**_lf(row), "_key": key}
        else:
            yield _lf(value)
        return
    if not isinstance(value, list):
        raise DataError("holds no rows", where=str(path), remedy="fetch the file again")
    for number, row in enumerate(value):
        yield _row(row, path, number)


def _parsed(text: str, path: Path, line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"{path}:{line + error.lineno - 1}"
        raise DataError(f"is not JSON: {error.msg}", where=where, remedy="fetch the file again") from error


def _row(value: Any, path: Path, number: int) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DataError(f"row {number} is not an object", where=str(path), remedy="fetch the file again")
    return dict(_lf(value))


def _lf(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\r\n", "\n").replace("\r", "\n") if "\r" in value else value
    if isinstance(value, dict):
        return {key: _lf(inner) for key, inner in value.items()}
    return [_lf(inner) for inner in value] if isinstance(value, list) else value


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    try:
        from pyarrow import ArrowInvalid, parquet
    except ImportError as error:
        raise ConfigError(
            "reading Parquet needs pyarrow", where=str(path), remedy='pip install "mocolab[data]", or save the rows as JSONL'
        ) from error
    try:
        table = parquet.read_table(path)
    except (ArrowInvalid, OSError) as error:
        said = str(error).splitlines()[0]
        raise DataError("is not Parquet", where=str(path), why=said, remedy="fetch the file again") from error
    yield from (_lf(row) for row in table.to_pylist())
