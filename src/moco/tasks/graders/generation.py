"""Open generation: nothing is extracted and nothing is voted on; a judge or a reward model scores it elsewhere.

Invariant: ``extract`` is always None, so that methods fall back to their free-text rule instead of comparing strings.
"""

from __future__ import annotations

from collections.abc import Sequence

from moco.core.types import AnswerSpec, Key
from moco.tasks.graders.base import Grade, visible


class Generation:
    """The kind as voting and scoring use it."""

    name = "generation"
    votable = False

    def extract(self, text: str, spec: AnswerSpec) -> Key | None:
        return None

    def same(self, a: Key, b: Key, spec: AnswerSpec) -> bool:
        return a == b


KIND = Generation()


def grade(text: str, gold: str | Sequence[str], spec: AnswerSpec) -> Grade:
    """Not a number: a rule cannot judge open text. ``parsed`` says whether there is visible text at all."""
    return Grade(float("nan"), None, "not graded by rule", bool(visible(text).strip()))
