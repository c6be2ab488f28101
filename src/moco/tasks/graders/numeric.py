"""Numbers: the last explicit answer, else the last number of the reply; compared by exact value.

Invariant: equal values are equal keys, whatever their notation; a moved decimal point or a lost sign never is.
A record's ``tolerance`` is relative to the larger of the two values, which keeps the comparison symmetric.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from moco.core.types import AnswerSpec, Key
from moco.tasks.graders.base import NOTHING, Found, Grade, braced, commitments, fold, readable
from moco.tasks.graders.kinds import ByRule
from moco.tasks.graders.numeric_read import last_number, nothing_else, read
from moco.tasks.graders.quantities import clean, quantities, value_of, word_number

_STOP = re.compile(r"\n|[.!?](?=\s|$)(?<!\w[ap]\.m\.)", re.IGNORECASE)
_BULLET = re.compile(r"(?m)^[ \t]*[-*•][ \t]+(?=\S)")
_CLOSE_TAG = re.compile(r"</\w+>")


def find(text: str, spec: AnswerSpec) -> Found:
    """The key of the number a reply gives and the rule that found it."""
    body = fold(readable(text)).strip().replace("__", "**")
    body = _BULLET.sub("", body)
    if not body:
        return NOTHING
    for place, rule in commitments(body):
        if rule == "box":
            key = read(braced(body, body.index("{", place)))
        else:
            key = read(_segment(body, place))
        if key == "":
            return Found(None, "hedge")
        if key is not None:
            return Found(key, rule)
    body = clean(body)
    key = last_number(body)
    if key is not None:
        return Found(key, "bare" if nothing_else(body) else "last number")
    key = word_number(body) if not any(c.isdigit() for c in body) else None
    return Found(key, "word") if key else NOTHING


def _segment(body: str, place: int) -> str:
    """What an answer cue introduces: the rest of its sentence, or the next line where the line is empty."""
    rest = body[place : place + 2000].lstrip(" \t\n*_:$\"'`([{")
    opened = min(len(body), place + 2000) - len(rest)
    if opened > place and body[opened - 1] in "([{":
        rest = body[opened - 1 : place + 2000]
    rest = _CLOSE_TAG.split(rest, maxsplit=1)[0]
    for stop in _STOP.finditer(rest):
        piece = rest[: stop.start()]
        if stop[0] == "." and re.search(r"\b[ap]\.?\s?m$", piece, re.IGNORECASE):
            return rest[: stop.end()]
        return piece
    return rest


@lru_cache(maxsize=8192)
def canonical(gold: str) -> Key:
    """The key of a gold answer; a gold that is no number is its own key."""
    text = clean(fold(gold).strip())
    found = quantities(text)
    if len(found) == 1 and found[0].key is not None:
        return found[0].key
    return read(text) or text


def _same(a: Key, b: Key, tolerance: float | None) -> bool:
    if a == b or a.rstrip("%") == b.rstrip("%"):
        return True
    if tolerance is None:
        return False
    if a[:1] in "[(" and b[:1] == a[:1]:
        xs, ys = a[1:-1].split(", "), b[1:-1].split(", ")
        return len(xs) == len(ys) and all(_same(x, y, tolerance) for x, y in zip(xs, ys, strict=True))
    x, y = value_of(a), value_of(b)
    if x is None or y is None:
        return False
    return abs(x - y) <= type(x)(tolerance) * max(abs(x), abs(y))


def equal(a: Key, b: Key, spec: AnswerSpec) -> bool:
    """Equal values; '50%' and '50' are one answer, values within the record's relative tolerance too."""
    return _same(a, b, spec.tolerance)


def grade(text: str, gold: str | Sequence[str], spec: AnswerSpec) -> Grade:
    """1 if the number equals one of ``gold``; a percentage also equals its value as a fraction (50% and 0.5)."""
    found = find(text, spec)
    if found.key is None:
        return Grade(0.0, None, found.rule, False)
    key = found.key
    right = any(_matches(key, canonical(one), spec) for one in ([gold] if isinstance(gold, str) else gold))
    return Grade(float(right), key, found.rule, True)


def _matches(key: Key, gold: Key, spec: AnswerSpec) -> bool:
    if equal(key, gold, spec):
        return True
    if key.endswith("%") == gold.endswith("%"):
        return False
    x, y = value_of(key), value_of(gold)
    if x is None or y is None:
        return False
    return x == 100 * y if key.endswith("%") else 100 * x == y


KIND = ByRule("numeric", find, grade, equal)
