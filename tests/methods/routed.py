"""Members that each know one kind of question, and tasks on which it matters who is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from moco.collab import Fitted
from moco.core.types import Completion, Request, Usage
from moco.models.pool import Pool
from moco.models.store import Store
from moco.tasks import Prompt, Record, Task
from moco.testing import ScriptedModel

TOWNS = [a + b for a in ("Za", "Ku", "Su", "Vo", "Ra", "To") for b in ("gax", "zam", "kun", "kel")]
RIVERS = [f"Name the river of the town {town}." for town in TOWNS]
SUMS = [f"What is {a} plus {b} altogether?" for a, b in zip(range(10, 130, 5), range(11, 35), strict=True)]
RIGHT = "A"


def knows(word: str, tokens: int = 2) -> Callable[[Request], Completion]:
    """Right on questions that contain ``word``, wrong on all others; costs ``tokens`` tokens besides a prompt of 10."""

    def reply(r: Request) -> Completion:
        right = word in r.messages[-1].content
        return Completion(f"Answer: {RIGHT if right else 'B'}", usage=Usage(10, tokens, 1))

    return reply


def specialists(costs: Sequence[float] = (1, 1), store: Store | None = None, names: str = "rs", aux: Any = None) -> Pool:
    """``r`` knows rivers, ``s`` sums, ``k`` everything."""
    words = {"r": "river", "s": "plus", "k": " "}
    about = {"r": "knows rivers and towns", "s": "knows sums of numbers", "k": "knows everything"}
    entries = [
        {"model": ScriptedModel(n, knows(words[n])), "name": n, "cost": c, "description": about[n]}
        for n, c in zip(names, costs, strict=True)
    ]
    pool = Pool(entries, store=store or Store(None))
    if aux is not None:
        pool.aux = type(pool.aux)(**aux)
    return pool


def two_kinds(dev: int = 12, test: int = 4, gold: str = RIGHT, answers: Callable[[int], str] | None = None) -> Task:
    """Rivers and sums in turn; ``gold`` is the right letter of the test part, ``answers`` those of dev by number."""
    questions = [q for pair in zip(RIVERS, SUMS, strict=True) for q in pair]

    def records(split: str, count: int, start: int) -> list[Record]:
        return [
            Record.model_validate(
                {
                    "id": f"{split}{i}",
                    "question": questions[(start + i) % len(questions)],
                    "choices": {"A": "one", "B": "two", "C": "three"},
                    "answer": (answers(i) if answers else RIGHT) if split == "dev" else gold,
                    "kind": "multiple_choice",
                    "split": split,
                }
            )
            for i in range(count)
        ]

    return Task("two kinds", records("dev", dev, 0), records("test", test, dev), "multiple_choice", Prompt())


def routes(done: Fitted, task: Task, part: str = "test") -> list[Completion]:
    """What a fitted router answers to every question of ``part``."""
    model = done.as_model()
    records = task.test if part == "test" else task.dev
    asked = [Request(messages=task.messages(r), spec=task.spec_of(r)) for r in records]
    return [asyncio.run(model.generate(r)) for r in asked]
