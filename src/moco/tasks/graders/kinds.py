"""What kinds of answers have in common: one that a rule reads and grades, and one whose replies are not voted on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from moco.core.types import AnswerSpec, Key
from moco.tasks.graders.base import Found, Grade

Gold = str | Sequence[str]


def equal_keys(a: Key, b: Key, spec: AnswerSpec) -> bool:
    """The equivalence of answers that have one canonical form."""
    return a == b


@dataclass(eq=False)
class ByRule:
    """A kind as voting and scoring use it: ``find`` reads a reply, ``judge`` grades it, ``equal`` says whether two keys are one
    answer. ``metrics`` are the figures of its grades that a study may take as the score."""

    name: str
    find: Callable[[str, AnswerSpec], Found]
    judge: Callable[[str, Gold, AnswerSpec], Grade]
    equal: Callable[[Key, Key, AnswerSpec], bool] = equal_keys
    metrics: tuple[str, ...] = ()
    votable: bool = True

    def extract(self, text: str, spec: AnswerSpec) -> Key | None:
        return self.find(text, spec).key

    def same(self, a: Key, b: Key, spec: AnswerSpec) -> bool:
        return self.equal(a, b, spec)

    def grade(self, text: str, gold: Gold, spec: AnswerSpec) -> Grade:
        return self.judge(text, gold, spec)


class Unvoted:
    """A kind as scoring uses it; methods fall back to their free-text rule."""

    votable = False

    def extract(self, text: str, spec: AnswerSpec) -> Key | None:
        return None

    def same(self, a: Key, b: Key, spec: AnswerSpec) -> bool:
        return a == b
