"""Asking a model every item of a task and grading what it says: the one scoring path for single models and collaborations.

A failed item is recorded as failed, counted, and tried again on the next run; it is never scored as a wrong answer unsaid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from moco.collab.fitted import request_for
from moco.collab.run import bounded
from moco.core.answering import KINDS
from moco.core.errors import BackendError, ConfigError
from moco.core.types import Call, Sampling, Usage
from moco.models.protocol import Model
from moco.tasks import Record, Task


@dataclass(frozen=True)
class Outcome:
    """One answered and graded item; ``score`` is in [0, 1], None where the item failed."""

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

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Outcome:
        """The outcome of an answers.jsonl line; raises TypeError or KeyError for a line that is none."""
        return cls(**{**data, "usage": Usage(**data["usage"])})


def check_gradable(task: Task) -> None:
    """Raises ConfigError where the task holds answers that no rule can grade, before anything is asked."""
    for record in (*task.dev, *task.test):
        kind = task.kind_of(record)
        if kind not in KINDS or not KINDS.get(kind).votable:
            raise ConfigError(
                f"answers of kind '{kind}' cannot be graded",
                where=f"task {task.name}, record {record.id}",
                why="this version grades by rule only, without a judge",
                remedy="give the records an answer and one of the kinds " + ", ".join(k for k in KINDS if KINDS.get(k).votable),
            )


Done = Callable[[Outcome, tuple[Call, ...]], None]


async def answer_all(
    model: Model, task: Task, records: Sequence[Record], sampling: Sampling, seed: int, done: Done
) -> list[Outcome]:
    """Ask ``model`` every record; ``done`` is told each outcome, with its transcript, as it comes."""

    async def one(record: Record) -> Outcome:
        try:
            completion = await model.generate(request_for(task, record, sampling, seed))
        except BackendError as error:
            outcome = Outcome(record.id, "", None, None, parsed=False, finish="error", failed=str(error))
            done(outcome, ())
            return outcome
        grade = task.grade(record, completion.text)
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
        )
        done(outcome, completion.calls)
        return outcome

    return await bounded(one, list(records), lambda count: None)
