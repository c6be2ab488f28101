r"""Mathematics: the final expression in normal form; equal strings, equal numbers, equal parts, and what math-verify calls equal.

Own rules decide first, because math-verify is wrong there: numbers by exact value, brackets by their kind (an interval is no
pair), bases by their subscript, lists in any order, words by their letters, an inequality as the interval it describes. What
they leave open goes to math-verify in a worker process. Invariant: ``same`` is symmetric, and scoring uses nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from moco.core.types import AnswerSpec, Key
from moco.tasks.graders import math_pool
from moco.tasks.graders.base import Found, Grade, braced
from moco.tasks.graders.kinds import ByRule
from moco.tasks.graders.math_find import find as _find
from moco.tasks.graders.math_text import normal, number, split_top, wordy

_BASE = re.compile(r"[\dA-F.]+_\{?\d+\}?")
_EQUALS = re.compile(r"(?<![<>!\\=])=(?!=)")
_NAME = re.compile(r"[a-zA-Z](?:_\w|'|\([a-zA-Z]\))?|\\[a-z]+")
_RELATION = re.compile(r"(\\leq|\\geq|<|>)")
_BOX = re.compile(r"\\f?box(?:ed)?\s*\{")
_DEPTH = 4


def find(text: str, spec: AnswerSpec) -> Found:
    """The normal form of the expression a reply gives and the rule that found it."""
    return _find(text)


def canonical(gold: str) -> Key:
    """The key of a gold answer; of a worked solution, of its last box."""
    boxes = list(_BOX.finditer(gold))
    return normal(braced(gold, boxes[-1].end() - 1) if boxes else gold)


def same(a: Key, b: Key, tolerance: float | None = None, depth: int = 0) -> bool:
    """Whether two keys are the same answer. Raises ConfigError where only math-verify could say and it is not installed."""
    decided = _decided(a, b, tolerance, depth)
    return math_pool.WORKERS.same(a, b) if decided is None else decided


def _decided(a: Key, b: Key, tolerance: float | None, depth: int) -> bool | None:
    """What own rules say; None where they say nothing."""
    if a == b:
        return True
    x, y = number(a), number(b)
    if x is not None and y is not None:
        return x == y or (tolerance is not None and abs(x - y) <= Fraction(tolerance) * max(abs(x), abs(y)))
    if depth > _DEPTH or len(a) > 2000 or len(b) > 2000:
        return False
    if bool(_BASE.fullmatch(a)) or bool(_BASE.fullmatch(b)):
        return False
    if _is_words(a) or _is_words(b):
        return False
    left, right = _sides(a), _sides(b)
    if len(left) != len(right):
        return same(left[-1], right[-1], tolerance, depth + 1)
    if len(left) == 2 and left[0] == right[0] and _NAME.fullmatch(left[0]):
        return same(left[1], right[1], tolerance, depth + 1)
    one, other = _shape(a), _shape(b)
    if one is not None and other is not None:
        return _same_parts(one, other, tolerance, depth)
    for shape, alone in ((one, y), (other, x)):
        if shape is not None and alone is not None:
            return False
    return None


def _is_words(key: Key) -> bool:
    return wordy(key) or key == r"\emptyset"


def _sides(key: Key) -> list[str]:
    """An equation as [left, right]; of a chain the first and the last; anything else as it is. Lists are no equations."""
    parts = _EQUALS.split(key)
    if len(parts) < 2 or len(split_top(key)) > 1:
        return [key]
    return [normal(parts[0]), normal(parts[-1])]


def _shape(key: Key) -> tuple[str, list[str]] | None:
    """('list', parts) in any order, ('()', '[)', ... parts) in order, ('union', parts); None for an expression without parts."""
    unions = split_top(key, r"\cup")
    if len(unions) > 1:
        return "union", [normal(part) for part in unions]
    if key.startswith(r"\{") and key.endswith(r"\}"):
        return "list", [normal(part) for part in split_top(key[2:-2])]
    parts = split_top(key)
    if len(parts) > 1:
        named = [_EQUALS.split(part) for part in parts]
        names = {pair[0] for pair in named}
        numbered = all("_" in name for name in names) and len({name[0] for name in names}) == 1
        if all(len(pair) == 2 and _NAME.fullmatch(pair[0]) for pair in named) and len(names) == len(named) and not numbered:
            return "()", [normal(value) for _, value in sorted(named)]
        return "list", [
            normal(pair[-1]) if len(pair) == 2 and _NAME.fullmatch(pair[0]) else normal("=".join(pair)) for pair in named
        ]
    interval = _interval(key)
    if interval is not None:
        return interval
    if len(key) > 2 and key[0] in "([" and key[-1] in ")]":
        inner = split_top(key[1:-1])
        if len(inner) > 1:
            return key[0] + key[-1], [normal(part) for part in inner]
    return None


def _interval(key: Key) -> tuple[str, list[str]] | None:
    """The interval that an inequality in one variable describes."""
    parts = _RELATION.split(key)
    if len(parts) == 3:
        low, relation, high = parts
        if _NAME.fullmatch(high) and not _NAME.fullmatch(low):
            low, high, relation = high, low, {"<": ">", ">": "<", r"\leq": r"\geq", r"\geq": r"\leq"}[relation]
        if not _NAME.fullmatch(low):
            return None
        closed = relation in (r"\leq", r"\geq")
        if relation in ("<", r"\leq"):
            return "(" + ("]" if closed else ")"), [r"-\infty", normal(high)]
        return ("[" if closed else "(") + ")", [normal(high), r"\infty"]
    if len(parts) == 5 and _NAME.fullmatch(parts[2]):
        low, first, _, second, high = parts
        if first in (">", r"\geq"):
            low, high, first, second = high, low, second, first
        open_, close = ("[" if "eq" in first else "("), ("]" if "eq" in second else ")")
        return open_ + close, [normal(low), normal(high)]
    return None


def _same_parts(one: tuple[str, list[str]], other: tuple[str, list[str]], tolerance: float | None, depth: int) -> bool:
    if one[0] != other[0] or len(one[1]) != len(other[1]):
        return False
    if one[0] not in ("list", "union"):
        return all(same(x, y, tolerance, depth + 1) for x, y in zip(one[1], other[1], strict=True))
    left = list(other[1])
    for part in one[1]:
        match = next((i for i, x in enumerate(left) if same(part, x, tolerance, depth + 1)), None)
        if match is None:
            return False
        del left[match]
    return True


def grade(text: str, gold: str | Sequence[str], spec: AnswerSpec) -> Grade:
    """1 if the expression is the same as one of ``gold``; a percentage also equals itself as a plain number and as a fraction."""
    found = find(text, spec)
    if found.key is None:
        return Grade(0.0, None, found.rule, False)
    golds = [canonical(one) for one in ([gold] if isinstance(gold, str) else gold)]
    right = any(same(one, found.key, spec.tolerance) or _percent(one, found.key) for one in golds)
    return Grade(float(right), found.key, found.rule, True)


def _percent(gold: Key, key: Key) -> bool:
    """Whether one side is a percentage and the other its value as a fraction."""
    if gold.endswith("%") == key.endswith("%"):
        return False
    x, y = number(gold), number(key)
    return x is not None and y is not None and (x == 100 * y if gold.endswith("%") else 100 * x == y)


@dataclass(eq=False)
class Math(ByRule):
    """The kind as voting and scoring use it. Comparing may wait for another process, so async code does it in a thread."""

    waits: bool = True

    def ready(self) -> None:
        """Raises ConfigError where math-verify is missing: before a run, not in the middle of it."""
        math_pool.ready()


KIND = Math("math", find, grade, lambda a, b, spec: same(a, b, spec.tolerance))
