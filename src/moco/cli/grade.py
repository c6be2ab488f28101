"""``moco grade``: the graders as a filter, JSONL in, JSONL out."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import typer

from moco.core.errors import DataError

FIELDS = ("kind", "output", "gold", "choices", "labels", "tolerance")


def grade(
    kind: str | None = typer.Option(
        None, "--kind", help="Kind of the lines that name none: multiple_choice, numeric, short_text, ..."
    ),
) -> None:
    """Grade answers: JSONL on stdin, one verdict a line on stdout. Other fields, such as id, are passed through.

    Example:  echo '{"output": "Answer: 42", "gold": "42"}' | moco grade --kind numeric
    """
    for number, line in enumerate(sys.stdin, 1):
        if line.strip():
            typer.echo(json.dumps(verdict(line, number, kind), ensure_ascii=False))


def verdict(line: str, number: int, kind: str | None) -> dict[str, Any]:
    """The graded form of one input line; raises DataError naming the line."""
    from moco.core.errors import ConfigError
    from moco.core.types import AnswerSpec
    from moco.tasks.graders import grade as judge
    from moco.tasks.record import KIND_ALIASES

    where = f"line {number}"
    try:
        given = json.loads(line)
    except ValueError as error:
        raise DataError(f"not JSON: {error}", where=where, remedy="write one JSON object a line") from error
    if not isinstance(given, Mapping):
        raise DataError("not a JSON object", where=where, remedy='write {"output": "...", "gold": "..."}')
    named = given.get("kind") or kind
    if not isinstance(named, str):
        raise DataError("no kind is given", where=where, remedy='add "kind" to the line, or --kind to the command')
    output, gold = given.get("output"), _gold(given.get("gold"), where)
    if not isinstance(output, str):
        raise DataError("'output' is missing or not a text", where=where, remedy='write "output": "the reply to grade"')
    labels, texts = _options(given, where)
    tolerance = given.get("tolerance")
    if tolerance is not None and (isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or tolerance < 0):
        raise DataError(
            "'tolerance' is not a number of 0 or more", where=where, remedy="write a relative tolerance, such as 0.01"
        )
    spec = AnswerSpec(
        KIND_ALIASES.get(named, named), labels=labels, choices=texts, tolerance=None if tolerance is None else float(tolerance)
    )
    try:
        found = judge(spec.kind, output, gold, spec)
    except ConfigError as error:
        raise type(error)(error.what, where=where, why=error.why, remedy=error.remedy) from error
    passed = {k: v for k, v in given.items() if k not in FIELDS}
    return {
        **passed,
        "extracted": found.extracted,
        "score": found.score,
        "rule": found.rule,
        "parsed": found.parsed,
        **found.metrics,
    }


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
