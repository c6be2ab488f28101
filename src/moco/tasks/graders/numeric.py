"""Numbers: the last explicit answer, else the last number of the reply; compared by exact value.

Invariant: equal values are equal keys, whatever their notation; a moved decimal point or a lost sign never is.
A record's ``tolerance`` is relative to the larger of the two values, which keeps the comparison symmetric.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from moco.core.types import AnswerSpec, Key
from moco.tasks.graders.base import NOTHING, Found, Grade, braced, commitments, fold, visible
from moco.tasks.graders.quantities import Quantity, clean, quantities, value_of, word_number

_STOP = re.compile(r"\n|[.!?](?=\s|$)(?<!\w[ap]\.m\.)", re.IGNORECASE)
_RANGE = re.compile(r"\s*(?:to|or|-|oder|ou)\s*$|\s*(?:to|or)\s+(?:about\s+|maybe\s+|perhaps\s+|\$)*$", re.IGNORECASE)
_BETWEEN = re.compile(r"\b(?:between|anywhere\s+from|zwischen|entre)\s*$", re.IGNORECASE)
_OPERATOR = re.compile(r"\s*(?:[-+*/x·÷]|\bplus\b|\bminus\b|\btimes\b)\s*[($]*$", re.IGNORECASE)
_BARE_LIST = re.compile(r"\s*[-+$]?\d[\d.]*(?:, ?[-+$]?\d[\d.]*){1,}\s*\.?\s*")
_EQUALS = re.compile(r"(?<![<>!=])=(?!=)|≈|\\approx")
_YEAR = re.compile(r"\b(?:in|since|by|of)\s+$", re.IGNORECASE)
_DRESS = " \t\n*_`\"'$€£¥.:()[]{}\\="
_UNIT = re.compile(r"(?:[^\W\d_]|[°%/^²³])+(?:\s+(?:[^\W\d_]|[/%])+)?")
_CLOSE_TAG = re.compile(r"</\w+>")


def find(text: str, spec: AnswerSpec) -> Found:
    """The key of the number a reply gives and the rule that found it."""
    body = fold(visible(text)).strip()
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
        return Found(key, "bare" if _nothing_else(body) else "last number")
    key = word_number(body) if not any(c.isdigit() for c in body) else None
    return Found(key, "word") if key else NOTHING


def last_number(body: str) -> str | None:
    """The key of the last number of cleaned ``body``, that of an equation or a range as its line means it; None without one."""
    lines = [line for line in body.split("\n") if any(c.isdigit() for c in line)]
    return _last(lines[-1]) if lines else None


def _nothing_else(body: str) -> bool:
    """Whether a reply is one quantity and nothing besides, signs and a short unit aside."""
    found = quantities(body)
    if len(found) != 1:
        return False
    before, after = body[: found[0].start].strip(_DRESS), body[found[0].end :].strip(_DRESS)
    return not before and (not after or bool(_UNIT.fullmatch(after)))


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


def read(segment: str) -> str | None:
    """The number a short segment states: '' for a hedge between several, None where there is none."""
    segment = clean(segment)
    if "," in segment and _BARE_LIST.fullmatch(segment):
        listed = quantities("[" + segment.strip().rstrip(".") + "]")
        single = quantities(segment)
        if not (len(single) == 1 and single[0].key is not None and ", " not in segment):
            return listed[0].key if listed else None
    sides = _EQUALS.split(segment)
    if len(sides) > 1:
        right = quantities(sides[-1])
        if right and not _is_expression(sides[-1], right):
            return right[0].key
        left = quantities(sides[0])
        if len(left) == 1:
            return left[0].key
    found = quantities(segment)
    if not found:
        return word_number(segment)
    if _BETWEEN.search(segment[: found[0].start]) and len(found) > 1:
        return ""
    if len(found) > 1:
        gap = segment[found[0].end : found[1].start]
        if _RANGE.fullmatch(gap) and found[0].key != found[1].key:
            return ""
        if _OPERATOR.fullmatch(gap) or (segment[found[1].start] in "-+" and not gap.strip()):
            return None
    return found[0].key


def _is_expression(text: str, found: list[Quantity]) -> bool:
    return len(found) > 1 and bool(_OPERATOR.fullmatch(text[found[0].end : found[1].start]))


def _last(line: str) -> str | None:
    """The last number of a line; of an equation whose right side is the working, the left side."""
    found = [q for q in quantities(line) if q.key is not None]
    if not found:
        return None
    sides = _EQUALS.split(line)
    if len(sides) == 2:
        left = quantities(sides[0])
        if len(left) == 1 and _is_expression(sides[1], quantities(sides[1])):
            return left[0].key
    if len(found) > 1 and _YEAR.search(line[: found[-1].start]) and re.fullmatch("(?:19|20)[0-9]{2}", found[-1].key or ""):
        return found[-2].key
    if len(found) > 1 and found[-2].key != found[-1].key and _RANGE.fullmatch(line[found[-2].end : found[-1].start]):
        return None
    if len(found) > 1 and _BETWEEN.search(line[: found[-2].start]):
        return None
    return found[-1].key


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


class Numeric:
    """The kind as voting and scoring use it."""

    name = "numeric"
    votable = True

    def extract(self, text: str, spec: AnswerSpec) -> Key | None:
        return find(text, spec).key

    def same(self, a: Key, b: Key, spec: AnswerSpec) -> bool:
        """Equal values; '50%' and '50' are one answer, values within the record's relative tolerance too."""
        return _same(a, b, spec.tolerance)

    def grade(self, text: str, gold: str | Sequence[str], spec: AnswerSpec) -> Grade:
        return grade(text, gold, spec)


KIND = Numeric()


def grade(text: str, gold: str | Sequence[str], spec: AnswerSpec) -> Grade:
    """1 if the number equals one of ``gold``; a percentage also equals its value as a fraction (50% and 0.5)."""
    found = find(text, spec)
    if found.key is None:
        return Grade(0.0, None, found.rule, False)
    key = found.key
    right = any(_matches(key, canonical(one), spec) for one in ([gold] if isinstance(gold, str) else gold))
    return Grade(float(right), key, found.rule, True)


def _matches(key: Key, gold: Key, spec: AnswerSpec) -> bool:
    if KIND.same(key, gold, spec):
        return True
    if key.endswith("%") == gold.endswith("%"):
        return False
    x, y = value_of(key), value_of(gold)
    if x is None or y is None:
        return False
    return x == 100 * y if key.endswith("%") else 100 * x == y
