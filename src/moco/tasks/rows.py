"""Rows and faults: what every reader of data files gives, and how the bytes of a text file become text.

Invariant: nothing is guessed. Bytes that are not UTF-8 are a fault, a byte-order mark is skipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moco.core.errors import DataError

_OTHERS = {
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "compressed with gzip",
    b"\x28\xb5\x2f\xfd": "compressed with Zstandard",
    b"\xfd7zXZ": "compressed with xz",
    b"BZh": "compressed with bzip2",
    b"PK\x03\x04": "a zip archive, as .xlsx and .ods are",
    b"SQLite format 3": "an SQLite database",
}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Fault:
    """What is wrong, where, and what to do about it; ``line`` (or row) counts from 1, 0 is the whole file."""

    line: int
    field: str
    what: str
    remedy: str


@dataclass(frozen=True)
class Row:
    """One object of the file and the line (or row) it begins on; ``split`` and ``index`` where the file itself divides them.

    ``names`` says what the file calls our fields, where it calls them otherwise.
    """

    line: int
    data: dict[str, Any]
    split: str = ""
    index: int = 0
    names: Mapping[str, str] = field(default_factory=dict)


def read_text(path: Path) -> str | Fault:
    """The text of ``path``, or the fault that it is not UTF-8; raises DataError where it cannot be opened."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"the file cannot be read: {error.strerror}", where=str(path), remedy="check its permissions") from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return undecodable(raw, error, path.suffix)


def undecodable(raw: bytes, error: UnicodeDecodeError, suffix: str = "") -> Fault:
    """The fault that ``raw`` is no UTF-8 text: what it is, where its first bytes say so, else the byte and its line."""
    line = raw.count(b"\n", 0, error.start) + 1
    if other := next((what for magic, what in _OTHERS.items() if raw.startswith(magic)), None):
        return Fault(0, "", f"is {other}, not {suffix or 'text'}", "give the file the suffix of its format, or unpack it")
    byte = f"byte {raw[error.start]:#04x} is not UTF-8"
    return Fault(line, "", f"{byte}: the file is UTF-16" if raw[:2] in _UTF16 else byte, "save the file as UTF-8")
