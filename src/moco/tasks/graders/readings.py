"""Readings: other graders of the same answers, by name, to see how much of a result is wording.

Invariant: a reading is a pure function of reply, gold and spec, so a finished run can be read again without asking anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from moco.core.answering import KINDS
from moco.core.types import AnswerSpec
from moco.tasks.graders import RuleGraded, grade, released
from moco.tasks.graders.base import Grade

Reading = Callable[[str, str, str | list[str], AnswerSpec], Grade | None]


def _flexible(kind: str, text: str, gold: str | list[str], spec: AnswerSpec) -> Grade | None:
    return grade(kind, text, gold, spec) if isinstance(KINDS.get(kind), RuleGraded) else None


def _strict(kind: str, text: str, gold: str | list[str], spec: AnswerSpec) -> Grade | None:
    found = _flexible(kind, text, gold, spec)
    if found is None:
        return None
    return replace(found, score=found.strict, parsed=found.parsed and found.explicit)


def _released(kind: str, text: str, gold: str | list[str], spec: AnswerSpec) -> Grade | None:
    return released.grade(kind, text, gold, spec)


READINGS: dict[str, Reading] = {"flexible": _flexible, "strict": _strict, "moco": _released}
"""``flexible``: moco's own grade. ``strict``: the same, but an answer counts only in the form asked for. ``moco``: the grader
of the released MoCo code. Each returns None for a kind it cannot read again."""


def unknown_readings(names: Sequence[str]) -> list[str]:
    """The names in ``names`` that are no reading."""
    return [name for name in names if name not in READINGS]
