"""Rows of Parquet files, numbered from 1. Lists and objects may be real ones, or JSON in a text cell as in CSV.

Invariant: a null is a cell that is not there (an ``answer`` that is null stays, so that it is named).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moco.core.errors import ConfigError, DataError
from moco.tasks.rows import Fault, Row
from moco.tasks.strictjson import OddJson, parse

if TYPE_CHECKING:
    from moco.tasks.record import Record

_NESTED = ("choices", "meta", "messages", "labels")
INSTALL = 'pip install "mocolab[data]"'


def parquet_rows(path: Path) -> Iterator[Row | Fault]:
    """The rows of ``path``; raises ConfigError where pyarrow is missing, DataError where the file cannot be read."""
    parquet, arrow = _pyarrow(path)
    try:
        file = parquet.ParquetFile(path)
    except arrow.ArrowInvalid as error:
        said = str(error).split(". ")[0].rstrip(".")
        yield Fault(0, "", f"is not Parquet: {said}", "write the file again; a copy that was cut short has no footer")
        return
    except OSError as error:
        raise DataError(
            f"the file cannot be read: {error.strerror or error}", where=str(path), remedy="check its permissions"
        ) from error
    number = 0
    try:
        for batch in file.iter_batches():
            for raw in batch.to_pylist():
                number += 1
                yield _row(number, raw)
    except (arrow.ArrowInvalid, OSError) as error:
        yield Fault(number + 1, "", f"cannot be decoded: {str(error).splitlines()[0]}", "write the file again")


def write_parquet(path: Path, records: Sequence[Record]) -> None:
    """``records`` as Parquet: one text column a field, lists and objects as JSON. Raises ConfigError where pyarrow is missing."""
    from moco.tasks.write import cells

    parquet, arrow = _pyarrow(path)
    rows = [cells(record) for record in records]
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    parquet.write_table(arrow.table({name: arrow.array(values, arrow.string()) for name, values in columns.items()}), path)


def _row(number: int, raw: dict[str, Any]) -> Row | Fault:
    data: dict[str, Any] = {}
    for name, value in raw.items():
        if value is None and name != "answer":
            continue
        given = value
        if isinstance(given, str) and (name in (*_NESTED, "tolerance") or (name == "answer" and given.lstrip().startswith('["'))):
            try:
                given = parse(given)
            except OddJson as error:
                return Fault(number, name, error.what.partition(" at column")[0], 'write JSON in the cell, {"A": "text"}')
        data[name] = _plain(given)
    return Row(number, data)


def _plain(value: Any) -> Any:
    """Arrow's maps (lists of pairs) as objects, and objects without the keys that only other rows have."""
    if isinstance(value, list) and value and all(isinstance(one, tuple) and len(one) == 2 for one in value):
        return {str(key): _plain(inner) for key, inner in value}
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items() if inner is not None}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _pyarrow(path: Path) -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigError("Parquet files need pyarrow", where=str(path), remedy=INSTALL) from error
    return pyarrow.parquet, pyarrow
