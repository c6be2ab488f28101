"""Graders: one extractor and one equivalence per kind, for voting and for scoring alike.

A kind is one module with a ``KIND`` (``moco.core.answering.AnswerKind``), registered under ``moco.kinds``. A kind that a rule
grades adds ``grade(text, gold, spec)``; one that has to ask somebody (a judge, a reward model, a sandbox) adds
``async assess(text, item, helpers)`` and names in ``needs`` which helpers it cannot do without. A kind may also have ``ready()``,
which raises before a run what would fail in it, ``waits = True`` where its rules may wait for another process, and ``metrics``,
the names of those figures of its grades that a study may take as the score (``metric``; more is better).

Invariant: neither raises on a reply, however broken; a missing helper and an unknown kind are the caller's mistakes and do raise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol, cast, runtime_checkable

from moco.core.answering import KINDS, AnswerKind
from moco.core.errors import ConfigError
from moco.core.types import AnswerSpec
from moco.tasks.graders.base import Grade, cut_run_on, strip_think, visible
from moco.tasks.graders.item import NOBODY, Helpers, Item

__all__ = ["Grade", "Helpers", "Item", "NOBODY", "assess", "cut_run_on", "grade", "needs_of", "strip_think", "visible"]


@runtime_checkable
class RuleGraded(Protocol):
    """A kind whose answers a rule grades."""

    def grade(self, text: str, gold: str | Sequence[str], spec: AnswerSpec) -> Grade: ...


@runtime_checkable
class Assessed(Protocol):
    """A kind whose answers somebody has to be asked about."""

    needs: tuple[str, ...]

    async def assess(self, text: str, item: Item, helpers: Helpers) -> Grade: ...


def grade(kind: str, text: str, gold: str | list[str], spec: AnswerSpec) -> Grade:
    """Grade ``text`` by rule against ``gold`` (a list means aliases; for multiple choice, the set of right labels).

    Raises ConfigError for a kind nobody registered, and for one that no rule can grade.
    """
    known = KINDS.get(kind)
    if hasattr(known, "grade"):  # what isinstance would ask of the protocol, in a tenth of the time
        return cast(RuleGraded, known).grade(text, gold, spec)
    if isinstance(known, Assessed):
        raise ConfigError(
            f"answers of kind '{kind}' are not graded by rule",
            why=f"they need {', '.join(known.needs) or 'somebody to ask'}",
            remedy="score them with `await task.score(record, text, helpers)`, or run a study",
        )
    return _by_equality(known, text, gold, spec)


async def assess(kind: str, text: str, item: Item, helpers: Helpers = NOBODY) -> Grade:
    """Grade ``text`` as an answer to ``item``, by rule or by asking ``helpers``.

    Raises ConfigError for an unknown kind or a missing helper, BackendError where a helper cannot answer.
    """
    known = KINDS.get(kind)
    if not isinstance(known, Assessed):
        if getattr(known, "waits", False):
            return await asyncio.to_thread(grade, kind, text, item.gold, item.spec)
        return grade(kind, text, item.gold, item.spec)
    missing = [name for name in known.needs if name not in helpers.present]
    if missing:
        raise ConfigError(
            f"answers of kind '{kind}' need {missing[0]}",
            where=f"aux.{missing[0]}",
            why="no rule can grade them",
            remedy=f"name one in the study: aux: {{{missing[0]}: MODEL}}",
        )
    return await known.assess(text, item, helpers)


def needs_of(kind: str) -> tuple[str, ...]:
    """The helpers a kind cannot be graded without; empty for kinds that a rule grades. Raises ConfigError for an unknown kind."""
    known: Any = KINDS.get(kind)
    return known.needs if isinstance(known, Assessed) else ()


def _by_equality(known: AnswerKind, text: str, gold: str | list[str], spec: AnswerSpec) -> Grade:
    """How a kind from outside that brings no grader is graded: right where it is the same answer as a gold one."""
    key = known.extract(visible(text), spec)
    if key is None:
        return Grade(0.0, None, "none", False)
    golds = [gold] if isinstance(gold, str) else gold
    right = any(known.same(key, known.extract(one, spec) or one, spec) for one in golds)
    return Grade(float(right), key, "extract", True)
