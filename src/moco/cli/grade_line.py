"""One line of ``moco grade``: what it has to hold, what is wrong with it otherwise, and its verdict.

Invariant: a line is graded as it is meant, or refused by its number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from moco.core.answering import KINDS
from moco.core.errors import ConfigError, DataError, did_you_mean
from moco.core.types import AnswerSpec
from moco.tasks.gold import unmatched
from moco.tasks.graders import Assessed, RuleGraded
from moco.tasks.record import KIND_ALIASES
from moco.tasks.rows import undecodable
from moco.tasks.strictjson import OddJson, parse

if TYPE_CHECKING:
    from moco.tasks.graders import Grade

FIELDS = ("kind", "output", "gold", "choices", "labels", "tolerance")
CHOSEN = ("multiple_choice", "likelihood")
CHOICES = 'write "choices": {"A": "text", "B": "text"}'


def known_kind(kind: str, where: str) -> str:
    """The kind's own name; raises ConfigError for one that is not known, or that no rule can grade."""
    name = KIND_ALIASES.get(kind, kind)
    if name not in KINDS:
        known = [one for one in KINDS.names() if _by_rule(one)]
        raise ConfigError(
            f"unknown kind '{kind}'",
            where=where,
            remedy=did_you_mean(kind, (*known, *(alias for alias, stands in KIND_ALIASES.items() if stands in known))),
        )
    if not _by_rule(name):
        raise ConfigError(
            f"answers of kind '{name}' are not graded by rule",
            where=where,
            why=f"they need {', '.join(getattr(KINDS.get(name), 'needs', ())) or 'somebody to ask'}",
            remedy="score them with `await task.score(record, text, helpers)`, or run a study",
        )
    return name


def _by_rule(name: str) -> bool:
    known = KINDS.get(name)
    return isinstance(known, RuleGraded) or not isinstance(known, Assessed)


def text_of(raw: bytes, number: int) -> str:
    """The text of a line; raises DataError for bytes that are not UTF-8."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            undecodable(raw, error).what, where=f"line {number}", remedy="send UTF-8, one JSON object a line"
        ) from error


def verdict(line: str, number: int, kind: str | None, strict: bool = False) -> dict[str, Any]:
    """The graded form of one input line; raises DataError or ConfigError naming the line."""
    from moco.tasks.graders import grade as judge

    where = f"line {number}"
    try:
        given = parse(line)
    except OddJson as error:
        what = f"'{error.field}' {error.what}" if error.field else error.what
        remedy = "write one JSON object a line" if error.what.startswith("is not JSON") else error.remedy
        raise DataError(what, where=where, remedy=remedy) from error
    if not isinstance(given, Mapping):
        raise DataError("not a JSON object", where=where, remedy='write {"output": "...", "gold": "..."}')
    output, gold = given.get("output"), _gold(given.get("gold"), where)
    if not isinstance(output, str):
        raise DataError("'output' is missing or not a text", where=where, remedy='write "output": "the reply to grade"')
    spec = _spec(given, kind, where)
    if (wrong := unmatched(gold, spec)) is not None:
        raise DataError(f"'gold' {wrong[0]}", where=where, remedy=wrong[1])
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
    named = given.get("kind") or kind
    if not named:
        raise DataError("no kind is given", where=where, remedy='add "kind" to the line, or --kind to the command')
    if not isinstance(named, str):
        raise DataError("'kind' is not a text", where=where, remedy='write "kind": "numeric", or another kind')
    named = known_kind(named, where)
    labels, texts = _options(given, where)
    if named in CHOSEN and (not labels or (named == "likelihood" and not texts)):
        raise DataError("'choices' is missing", where=where, remedy=CHOICES)
    if named in CHOSEN and len(labels) < 2:
        raise DataError("'choices' holds 1 option", where=where, remedy=CHOICES)
    tolerance = given.get("tolerance")
    if tolerance is not None and (isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not tolerance >= 0):
        raise DataError(
            "'tolerance' is not a number of 0 or more", where=where, remedy="write a relative tolerance, such as 0.01"
        )
    if tolerance is not None and not math.isfinite(tolerance):
        raise DataError("'tolerance' is infinite", where=where, remedy="write a relative tolerance, such as 0.01")
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


def _options(given: Mapping[str, Any], where: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Labels and option texts from ``choices`` (an object, or a list lettered from A) or ``labels``."""
    choices, labels = given.get("choices"), given.get("labels")
    if labels is not None and not (isinstance(labels, list) and all(isinstance(one, str) for one in labels)):
        raise DataError("'labels' is not a list of texts", where=where, remedy='write ["A", "B"]')
    if labels is not None and not all(one.strip() for one in labels):
        raise DataError("'labels' holds an empty label", where=where, remedy='write ["A", "B"]')
    if labels is not None and len(set(labels)) < len(labels):
        raise DataError("'labels' holds one label twice", where=where, remedy="write every label once")
    if isinstance(choices, list) and all(isinstance(c, str) for c in choices):
        if labels is not None and len(labels) != len(choices):
            what = f"'labels' holds {len(labels)} labels, and 'choices' {len(choices)} options"
            raise DataError(what, where=where, remedy="write a label for every option, or leave labels out")
        choices = dict(zip(labels or [chr(65 + i) for i in range(len(choices))], choices, strict=True))
    if isinstance(choices, Mapping) and all(isinstance(c, str) for c in choices.values()):
        if blank := [label for label, text in choices.items() if not label.strip() or not text.strip()]:
            raise DataError(f"option '{blank[0]}' of 'choices' is empty", where=where, remedy=CHOICES)
        return tuple(choices), tuple(choices.values())
    if choices is not None:
        raise DataError(
            "'choices' is neither an object nor a list of texts", where=where, remedy='write {"A": "text", "B": "text"}'
        )
    return tuple(labels or ()), ()
