"""JSON that means one thing: duplicate keys, NaN and bottomless nesting are named instead of being read somehow.

Invariant: ``elements`` gives every element of a list exactly once, with the line it begins on, or the fault that stops it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


class OddJson(ValueError):
    """Text that is not JSON, or JSON that Python accepts and moco does not; ``line`` counts from 1."""

    def __init__(self, field: str, what: str, remedy: str, line: int = 1) -> None:
        super().__init__(what)
        self.field, self.what, self.remedy, self.line = field, what, remedy, line


@dataclass
class Cursor:
    """Where reading stands in ``text``."""

    text: str
    at: int = 0
    _counted: tuple[int, int] = (0, 1)

    @property
    def line(self) -> int:
        """The line of ``at``, counted from where it was last asked for."""
        before, line = self._counted
        line = line + self.text.count("\n", before, self.at) if self.at >= before else self.text.count("\n", 0, self.at) + 1
        self._counted = self.at, line
        return line

    @property
    def next(self) -> str:
        """The next sign after blanks, '' at the end of the text."""
        while self.at < len(self.text) and self.text[self.at] in " \t\r\n":
            self.at += 1
        return self.text[self.at : self.at + 1]

    def value(self) -> Any:
        """The value that begins here; raises OddJson and stays where it was."""
        line = self.line
        try:
            found, self.at = _DECODER.raw_decode(self.text, self.at)
        except json.JSONDecodeError as error:
            said = error.msg.removesuffix(" at")
            raise OddJson("", f"is not JSON: {said} at column {error.colno}", "correct the text there", error.lineno) from error
        except OddJson as error:
            raise OddJson(error.field, error.what, error.remedy, line) from error
        except RecursionError as error:
            raise OddJson("", "is nested too deeply", "write a flat object", line) from error
        return found


def parse(text: str) -> Any:
    """One whole document; raises OddJson."""
    cursor = Cursor(text)
    if not cursor.next:
        raise OddJson("", "is not JSON: there is nothing", "write a value")
    value = cursor.value()
    if cursor.next:
        raise OddJson("", "is not JSON: there is text after the value", "remove it", cursor.line)
    return value


def elements(cursor: Cursor) -> Iterator[tuple[int, Any]]:
    """(line, element) of the list that begins at ``cursor``, which is left behind its ']'. Raises OddJson where it breaks off."""
    if cursor.next != "[":
        raise OddJson("", "is not a list of records", "write [ {...}, {...} ]", cursor.line)
    cursor.at += 1
    while cursor.next not in ("]", ""):
        line = cursor.line
        yield line, cursor.value()
        if cursor.next == ",":
            cursor.at += 1
            if cursor.next == "]":
                raise OddJson("", "is not JSON: no record comes after the last comma", "remove the comma", cursor.line)
        elif cursor.next not in ("]", ""):
            raise OddJson("", "is not JSON: ',' is missing between records", "write a comma", cursor.line)
    if not cursor.next:
        raise OddJson("", "is not JSON: the list is not closed", "end the file with ]", cursor.line)
    cursor.at += 1


def keys(cursor: Cursor) -> Iterator[tuple[int, str]]:
    """(line, key) of the object that begins at ``cursor``; the caller moves the cursor over each value. Raises OddJson."""
    cursor.at += cursor.next == "{"
    seen: set[str] = set()
    while cursor.next not in ("}", ""):
        line, key = cursor.line, cursor.value() if cursor.next == '"' else None
        if not isinstance(key, str) or cursor.next != ":":
            raise OddJson("", "is not JSON: a key and ':' are wanted", 'write "key": value', line)
        if key in seen:
            raise OddJson(key, "is given twice", "keep one of them", line)
        seen.add(key)
        cursor.at += 1
        if not cursor.next:
            break
        yield line, key
        if cursor.next == ",":
            cursor.at += 1
        elif cursor.next not in ("}", ""):
            raise OddJson("", "is not JSON: ',' is missing", "write a comma", cursor.line)
    if not cursor.next:
        raise OddJson("", "is not JSON: the object is not closed", "end the file with }", cursor.line)
    cursor.at += 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in pairs:
        if key in out:
            raise OddJson(key, "is given twice", "keep one of them")
        out[key] = value
    return out


def _constant(name: str) -> Any:
    raise OddJson("", f"{name} is not JSON", "write a number, a text or null")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
