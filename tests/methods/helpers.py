"""Scripted pools and tiny tasks for the tests of methods."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from moco.collab import Fitted, fit, load_method
from moco.core.types import AnswerSpec, Completion, Request, Sampling, messages_of
from moco.models.pool import Pool
from moco.models.store import Store
from moco.tasks import Prompt, Record, Task
from moco.testing import ScriptedModel

CHOICE = AnswerSpec(
    kind="multiple_choice", labels=("A", "B", "C", "D"), choices=("soup", "tin", "rice", "cake"), question="Which?"
)
Said = str | Callable[[Request], str | Completion]


def pool_of(*said: Said, names: Sequence[str] | None = None, store: Store | None = None, **member: Any) -> Pool:
    """A pool of scripted members a, b, c, ... with descriptions."""
    names = names or [chr(97 + i) for i in range(len(said))]
    entries = [
        {"model": ScriptedModel(n, s), "name": n, "description": f"knows {n}", **member} for n, s in zip(names, said, strict=True)
    ]
    return Pool(entries, store=store or Store(None))


def scripted(pool: Pool, name: str) -> ScriptedModel:
    model = pool[name].model.model  # type: ignore[attr-defined]
    assert isinstance(model, ScriptedModel)
    return model


def request(text: str = "Which?", spec: AnswerSpec | None = CHOICE, temperature: float = 0.7, **changes: Any) -> Request:
    return Request(messages=messages_of(text), spec=spec, sampling=Sampling(temperature=temperature)).but(**changes)


def task_of(golds: Sequence[str], dev: Sequence[str] = ()) -> Task:
    """Multiple-choice items whose question names their number; ``dev`` are the golds of the dev part."""

    def records(answers: Sequence[str], split: str) -> list[Record]:
        choices = dict(zip(CHOICE.labels, CHOICE.choices, strict=True))
        return [
            Record.model_validate(
                {
                    "id": f"{split}{i}",
                    "question": f"{split} question {i}?",
                    "choices": choices,
                    "answer": a,
                    "kind": "multiple_choice",
                    "split": split,
                }
            )
            for i, a in enumerate(answers)
        ]

    return Task("toy", records(dev, "dev"), records(golds, "test"), "multiple_choice", Prompt())


def ask(method: str, pool: Pool, asked: Request | None = None, **options: Any) -> Completion:
    """The answer of an unfitted method."""
    return asyncio.run(Fitted(load_method(method, **options), pool).as_model().generate(asked or request()))


def fitted(method: str, pool: Pool, task: Task, seed: int = 0, temperature: float = 0.7, **options: Any) -> Fitted:
    return asyncio.run(fit(load_method(method, **options), pool, task, sampling=Sampling(temperature=temperature), seed=seed))
