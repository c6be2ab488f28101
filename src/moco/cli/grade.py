"""``moco grade``: the graders as a filter, JSONL in, JSONL out.

Invariant: one verdict a line, in the order of the lines, written as soon as the lines that have arrived are graded; a faulty
line ends the command after the verdicts of those before it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TextIO

import typer

from moco.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from moco.core.types import AnswerSpec
    from moco.tasks.graders import Grade

FIELDS = ("kind", "output", "gold", "choices", "labels", "tolerance")
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
    with ThreadPoolExecutor(_workers()) as pool:
        number = 0
        for lines in _arrivals(sys.stdin):
            started: list[tuple[int, str, Future[dict[str, Any]] | None]] = []
            for line in lines:
                number += 1
                if line.strip():
                    waits = '"math"' in line or kind == "math"
                    started.append((number, line, pool.submit(verdict, line, number, kind, strict) if waits else None))
            for at, line, future in started:
                found = future.result() if future is not None else verdict(line, at, kind, strict)
                sys.stdout.write(_written(found))
            sys.stdout.flush()


def _workers() -> int:
    """How many math answers are compared at once."""
    from moco.tasks.graders.math_pool import WORKERS

    return WORKERS.size


def _arrivals(stream: TextIO) -> Iterator[list[str]]:
    """The whole lines that have arrived, again and again; a live pipe is answered line by line."""
    read = getattr(getattr(stream, "buffer", None), "read1", None)
    if read is None:  # not a file of the system: a text in a test or a notebook
        yield from ([line] for line in stream)
        return
    rest = b""
    while chunk := read(_CHUNK):
        *whole, rest = (rest + chunk).split(b"\n")
        if whole:
            yield [_decoded(line) for line in whole]
    if rest:
        yield [_decoded(rest)]


def _decoded(line: bytes) -> str:
    return line.decode("utf-8-sig", "surrogateescape")


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


def verdict(line: str, number: int, kind: str | None, strict: bool = False) -> dict[str, Any]:
    """The graded form of one input line; raises DataError or ConfigError naming the line."""
    from moco.tasks.graders import grade as judge

    where = f"line {number}"
    try:
        given = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"not JSON: {error}", where=where, remedy="write one JSON object a line") from error
    if not isinstance(given, Mapping):
        raise DataError("not a JSON object", where=where, remedy='write {"output": "...", "gold": "..."}')
    output, gold = given.get("output"), _gold(given.get("gold"), where)
    if not isinstance(output, str):
        raise DataError("'output' is missing or not a text", where=where, remedy='write "output": "the reply to grade"')
    spec = _spec(given, kind, where)
    _check_gold(gold, spec, where)
    try:
        found = judge(spec.kind, output, gold, spec)
    except ConfigError as error:
        raise ConfigError(error.what, where=where, why=error.why, remedy=error.remedy) from error
    return {**{k: v for k, v in given.items() if k not in FIELDS}, **_fields(found, strict)}


def _fields(found: Grade, strict: bool) -> dict[str, Any]:
    return {
        "extracted": found.extracted,
        "score": found.strict if strict else found.score,
        "strict": found.strict,
        "rule": found.rule,
        "parsed": found.parsed and (found.explicit or not strict),
        **found.metrics,
    }


def _spec(given: Mapping[str, Any], kind: str | None, where: str) -> AnswerSpec:
    from moco.core.types import AnswerSpec
    from moco.tasks.record import KIND_ALIASES

    named = given.get("kind") or kind
    if not isinstance(named, str):
        raise DataError("no kind is given", where=where, remedy='add "kind" to the line, or --kind to the command')
    named = KIND_ALIASES.get(named, named)
    labels, texts = _options(given, where)
    if named == "multiple_choice" and not labels:
        raise DataError("'choices' is missing", where=where, remedy='write "choices": {"A": "text", "B": "text"}')
    tolerance = given.get("tolerance")
    if tolerance is not None and (isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not tolerance >= 0):
        raise DataError(
            "'tolerance' is not a number of 0 or more", where=where, remedy="write a relative tolerance, such as 0.01"
        )
    return AnswerSpec(named, labels=labels, choices=texts, tolerance=None if tolerance is None else float(tolerance))


def _gold(value: Any, where: str) -> str | list[str]:
    if isinstance(value, bool) or value is None:
        raise DataError("'gold' is missing", where=where, remedy='write "gold": "the right answer", or a list of aliases')
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(v, str) for v in value):
        return list(value)
    raise DataError("'gold' is neither a text nor a list of texts", where=where, remedy='write "gold": "the right answer"')


def _check_gold(gold: str | list[str], spec: AnswerSpec, where: str) -> None:
    """Raises DataError for a gold answer that no reply could match: the verdicts would blame the replies."""
    from moco.tasks.graders.multiple_choice import canonical

    golds = [gold] if isinstance(gold, str) else gold
    if not any(one.strip() for one in golds):
        raise DataError("'gold' is empty", where=where, remedy='write "gold": "the right answer"')
    if spec.kind == "numeric" and not any(c.isdigit() for one in golds for c in one):
        from moco.tasks.graders.numeric import find

        if all(find(one, spec).key is None for one in golds):
            raise DataError(f"'gold' is no number: {golds[0]!r}", where=where, remedy="write a number, or kind short_text")
    if spec.kind == "multiple_choice" and not set(canonical(gold, spec).split(",")) <= set(spec.labels):
        remedy = f"write one of {', '.join(spec.labels)}, or an option's text"
        raise DataError(f"'gold' is none of the options: {gold!r}", where=where, remedy=remedy)


def _options(given: Mapping[str, Any], where: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Labels and option texts from ``choices`` (an object, or a list lettered from A) or ``labels``."""
    choices, labels = given.get("choices"), given.get("labels")
    if isinstance(choices, list) and all(isinstance(c, str) for c in choices):
        own = labels if isinstance(labels, list) and len(labels) == len(choices) else [chr(65 + i) for i in range(len(choices))]
        choices = dict(zip(map(str, own), choices, strict=True))
    if isinstance(choices, Mapping) and all(isinstance(c, str) for c in choices.values()):
        return tuple(choices), tuple(choices.values())
    if choices is not None:
        raise DataError(
            "'choices' is neither an object nor a list of texts", where=where, remedy='write {"A": "text", "B": "text"}'
        )
    if labels is None:
        return (), ()
    if isinstance(labels, list) and all(isinstance(one, str) for one in labels):
        return tuple(labels), ()
    raise DataError("'labels' is not a list of texts", where=where, remedy='write ["A", "B"]')
