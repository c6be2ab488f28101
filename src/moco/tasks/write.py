"""Writing records as JSONL, JSON, CSV or Parquet, in the form that reading takes back unchanged.

Invariant: a file appears whole or not at all, and reading it gives equal records.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from moco.core.errors import ConfigError
from moco.tasks.record import Record

FORMATS = (".jsonl", ".json", ".csv", ".parquet")


def write_records(path: Path, records: Sequence[Record]) -> None:
    """Write ``records`` in the format that ``path``'s suffix names; raises ConfigError for one that moco does not write."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise ConfigError(
            f"'{path.suffix}' is not a format that moco writes", where=str(path), remedy="use " + ", ".join(FORMATS)
        )
    draft = path.with_name(f".{path.name}.part")
    try:
        if suffix == ".parquet":
            from moco.tasks.read_parquet import write_parquet

            write_parquet(draft, records)
        else:
            text = {".jsonl": _jsonl, ".json": _json, ".csv": _csv}[suffix](records)
            draft.write_text(text, encoding="utf-8", newline="")
        os.replace(draft, path)
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", where=str(path), remedy="choose another place") from error
    finally:
        draft.unlink(missing_ok=True)


def plain(record: Record) -> dict[str, Any]:
    """The fields that ``record`` has, as JSON values."""
    return {name: value for name, value in record.model_dump(mode="json").items() if value not in (None, "", {})}


def cells(record: Record) -> dict[str, str]:
    """The fields of ``record`` as texts of a table; lists and objects are JSON."""
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for name, value in plain(record).items()
    }


def _jsonl(records: Sequence[Record]) -> str:
    return "".join(json.dumps(plain(record), ensure_ascii=False) + "\n" for record in records)


def _json(records: Sequence[Record]) -> str:
    return "[\n" + ",\n".join(json.dumps(plain(record), ensure_ascii=False) for record in records) + "\n]\n"


def _csv(records: Sequence[Record]) -> str:
    rows = [cells(record) for record in records]
    names = [name for name in Record.model_fields if any(name in row for row in rows)]
    out = io.StringIO()
    writer = csv.DictWriter(out, names, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
