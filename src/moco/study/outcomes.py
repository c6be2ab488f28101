"""Asking a model every item of a task and grading what it says: the one scoring path for single models and collaborations.

A failed item is recorded as failed, counted, and tried again on the next run; it is never scored as a wrong answer unsaid.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from moco.collab.fitted import request_for
from moco.collab.run import bounded
from moco.core.answering import KINDS
from moco.core.errors import BackendError, ConfigError, ContextOverflow, Fatal, MocoError
from moco.core.types import Call, Sampling, Usage
from moco.models.protocol import Model
from moco.study.abstaining import graded_proposal
from moco.tasks import NOBODY, Helpers, Record, Task, needs_of


@dataclass(frozen=True)
class Outcome:
    """One answered and graded item; ``score`` is in [0, 1] (a reward: any number), None where the item failed.

    ``failed`` says why it did; ``for_good`` that the same would fail again (too long for a member, refused by the engine).
    ``metrics`` are the other figures of the grade (em, f1, ...) by name; ``cost`` is tokens times the members' ``cost``.
    """

    id: str
    text: str
    extracted: str | None
    score: float | None
    rule: str = ""
    parsed: bool = True
    finish: str = "stop"
    usage: Usage = field(default_factory=Usage)
    source: str | None = None
    confidence: float | None = None
    reason: dict[str, Any] = field(default_factory=dict)
    failed: str = ""
    for_good: bool = False
    metrics: dict[str, float] = field(default_factory=dict)
    cost: float | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Outcome:
        """The outcome of an answers.jsonl line; raises TypeError or KeyError for a line that is none."""
        return cls(**{**data, "usage": Usage(**data["usage"])})


def check_gradable(task: Task, present: Collection[str] = ()) -> None:
    """Raises ConfigError where the task holds answers that cannot be graded, before anything is asked.

    ``present`` names the helpers at hand: ``judge``, ``reward``, ``embedder``.
    """
    at_hand = {"sandbox", *present}
    first: dict[str, str] = {}
    for record in (*task.dev, *task.test):
        kind = task.kind_of(record)
        first.setdefault(kind, record.id)
        check = getattr(KINDS.get(kind), "check", None) if kind in KINDS else None
        if check is not None:
            with placed(f"task {task.name}, record {record.id}"):
                check(task.item_of(record))
    for kind, record_id in first.items():
        where = f"task {task.name}, record {record_id}"
        if kind not in KINDS:
            raise ConfigError(
                f"answers of kind '{kind}' cannot be graded",
                where=where,
                remedy=f"give the records one of the kinds {known_kinds()}",
            )
        missing = [name for name in needs_of(kind) if name not in at_hand]
        if missing:
            raise ConfigError(
                f"answers of kind '{kind}' cannot be graded without a {missing[0]}",
                where=where,
                why="no rule can grade them",
                remedy=f"name one in the study, aux: {{{missing[0]}: MODEL}}, or give the records an answer and another kind",
            )
        ready = getattr(KINDS.get(kind), "ready", None)
        if ready is not None:
            with placed(where):
                ready()


def known_kinds() -> str:
    """The kinds of answers there are, for a message."""
    return ", ".join(KINDS.names())


@contextmanager
def placed(place: str) -> Iterator[None]:
    """Says which entry of the study, or which record, a fault lies in."""
    try:
        yield
    except MocoError as error:
        error.where = f"{place} ({error.where})" if error.where else place
        raise


Done = Callable[[Outcome, tuple[Call, ...]], None]


async def answer_all(
    model: Model,
    task: Task,
    records: Sequence[Record],
    sampling: Sampling,
    seed: int,
    done: Done,
    helpers: Helpers = NOBODY,
    failures: tuple[type[MocoError], ...] = (BackendError,),
) -> list[Outcome]:
    """Ask ``model`` every record; ``done`` is told each outcome, with its transcript, as it comes.

    An item whose answer ``helpers`` could not grade has failed as one that could not be answered has. ``failures`` are the errors
    that fail their item; others are raised and end it all.
    """

    async def one(record: Record) -> Outcome:
        try:
            completion = await model.generate(request_for(task, record, sampling, seed))
            grade = await task.score(record, completion.text, helpers)
            held = await graded_proposal(task, record, completion, grade.score, helpers)
        except failures as error:
            for_good = isinstance(error, ContextOverflow | Fatal)
            outcome = Outcome(record.id, "", None, None, parsed=False, finish="error", failed=str(error), for_good=for_good)
            done(outcome, ())
            return outcome
        outcome = Outcome(
            record.id,
            completion.text,
            grade.extracted,
            grade.score,
            grade.rule,
            grade.parsed,
            completion.finish,
            completion.usage,
            completion.source,
            completion.confidence,
            dict(completion.reason),
            metrics={**grade.metrics, **held},
        )
        done(outcome, completion.calls)
        return outcome

    return await bounded(one, list(records), lambda count: None)
