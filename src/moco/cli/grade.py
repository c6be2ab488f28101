"""``moco grade``: the graders as a filter, JSONL in, JSONL out.

Invariant: one verdict a line, in the order of the lines, written as soon as the lines that have arrived are graded; a faulty
line ends the command after the verdicts of those before it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TextIO

import typer

from moco.core.errors import DataError

_CHUNK = 1 << 16


def grade(
    kind: str | None = typer.Option(
        None, "--kind", help="Kind of the lines that name none: multiple_choice, label, numeric, math, short_text, ..."
    ),
    strict: bool = typer.Option(
        False, "--strict", help="Count an answer only in a form that was asked for (answer line, box, tag, JSON), or all alone."
    ),
) -> None:
    """Grade answers: JSONL on stdin, one verdict a line on stdout. Other fields, such as id, are passed through.

    Example:  echo '{"output": "Answer: 42", "gold": "42"}' | moco grade --kind numeric
    """
    from moco.cli.grade_line import known_kind, text_of, verdict

    if kind is not None:
        kind = known_kind(kind, "--kind")
    if sys.stdin is None:
        raise DataError("stdin is closed", where="stdin", remedy="send the lines: moco grade < answers.jsonl")
    if sys.stdin.isatty():
        typer.echo("reading JSONL from the terminal; Ctrl-D ends it", err=True)
    number = graded = 0
    with ThreadPoolExecutor(_workers()) as pool:
        for lines in _arrivals(sys.stdin):
            started: list[tuple[int, str, Future[dict[str, Any]] | None]] = []
            fault: DataError | None = None
            for raw in lines:
                number += 1
                try:
                    line = text_of(raw, number)
                except DataError as error:  # the lines before it come first
                    fault = error
                    break
                if line.strip():
                    waits = '"math"' in line or kind == "math"
                    started.append((number, line, pool.submit(verdict, line, number, kind, strict) if waits else None))
            for at, line, future in started:
                found = future.result() if future is not None else verdict(line, at, kind, strict)
                sys.stdout.write(_written(found))
            graded += len(started)
            sys.stdout.flush()
            if fault is not None:
                raise fault
    if not graded:
        raise DataError("there is nothing to grade", where="stdin", remedy='send lines such as {"output": "...", "gold": "..."}')


def _workers() -> int:
    """How many math answers are compared at once."""
    from moco.tasks.graders.math_pool import WORKERS

    return WORKERS.size


def _arrivals(stream: TextIO) -> Iterator[list[bytes]]:
    """The whole lines that have arrived, again and again; a live pipe is answered line by line."""
    read = getattr(getattr(stream, "buffer", None), "read1", None)
    if read is None:  # not a file of the system: a text in a test or a notebook
        yield from ([line.encode("utf-8", "surrogatepass")] for line in stream)
        return
    rest: list[bytes] = []  # a line may be longer than many chunks
    while chunk := read(_CHUNK):
        first, *others = chunk.split(b"\n")
        rest.append(first)
        if others:
            yield [b"".join(rest), *others[:-1]]
            rest = [others[-1]]
    if last := b"".join(rest):
        yield [last]


def _written(found: Mapping[str, Any]) -> str:
    text = json.dumps(found, ensure_ascii=False)
    return (text if text.isascii() or _encodable(text) else json.dumps(found)) + "\n"


def _encodable(text: str) -> bool:
    """Whether ``text`` is free of lone surrogates, which JSON may hold and UTF-8 may not."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
