"""Graders: one extractor and one equivalence per kind, for voting and for scoring alike.

Invariant: ``grade`` never raises on a reply, however broken; an unknown kind is the caller's mistake and does raise.
Kinds from outside the package come through ``moco.core.answering.KINDS``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from moco.core.answering import KINDS
from moco.core.types import AnswerSpec
from moco.tasks.graders import generation, multiple_choice, numeric, short_text
from moco.tasks.graders.base import Grade, cut_run_on, strip_think, visible

Grader = Callable[[str, str | Sequence[str], AnswerSpec], Grade]

GRADERS: dict[str, Grader] = {
    "multiple_choice": multiple_choice.grade,
    "numeric": numeric.grade,
    "short_text": short_text.grade,
    "generation": generation.grade,
}

__all__ = ["GRADERS", "Grade", "cut_run_on", "grade", "strip_think", "visible"]


def grade(kind: str, text: str, gold: str | list[str], spec: AnswerSpec) -> Grade:
    """Grade ``text`` against ``gold`` (a list means aliases; for multiple choice, the set of right labels).

    Raises ConfigError for a kind nobody registered.
    """
    if kind in GRADERS:
        return GRADERS[kind](text, gold, spec)
    other = KINDS.get(kind)
    key = other.extract(visible(text), spec)
    if key is None:
        return Grade(0.0, None, "none", False)
    golds = [gold] if isinstance(gold, str) else gold
    right = any(other.same(key, other.extract(one, spec) or one, spec) for one in golds)
    return Grade(float(right), key, "extract", True)
