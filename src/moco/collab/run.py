"""What `fit` may use: labelled dev examples, random numbers, splits, bounded maps, scores of candidates.

`fit` is a function of the replies it gets: run again after a kill it is replayed from the store to the same state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np

from moco.core.query import Query
from moco.core.seeds import generator
from moco.core.types import Sampling
from moco.models.member import Member
from moco.models.protocol import Model
from moco.tasks import Record, Task

A = TypeVar("A")
B = TypeVar("B")
LIVE_QUERIES = 1024


@dataclass(frozen=True)
class Example:
    """A labelled dev question. ``score(text)`` is the task's own grade, between 0 and 1."""

    query: Query
    gold: Any
    record: Record = field(repr=False)
    task: Task = field(repr=False)

    async def score(self, text: str) -> float:
        return self.task.grade(self.record, text).score


Examples = Sequence[Example]


class Progress(Protocol):
    """Told how far long work is; ``done`` counts up to ``total``."""

    def __call__(self, name: str, done: int, total: int) -> None: ...


def silent(name: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


@dataclass
class Split:
    """A recorded division of dev: ``fit`` and ``select`` share no example."""

    fit: list[Example]
    select: list[Example]


class Run:
    """The services of one `fit`."""

    def __init__(self, seed: int, sampling: Sampling, progress: Progress = silent) -> None:
        self.seed, self.sampling, self.progress = seed, sampling, progress
        self.log: list[dict[str, Any]] = []

    def rng(self, purpose: str) -> np.random.Generator:
        """Random numbers of this run's seed and ``purpose`` (Philox)."""
        return generator("fit", self.seed, purpose)

    def split(self, dev: Examples, select: float = 0.2) -> Split:
        """Divide ``dev`` at random into fit and select (share ``select``, at least one of each where possible)."""
        order = self.rng("split").permutation(len(dev))
        count = min(max(1, round(select * len(dev))), max(0, len(dev) - 1))
        chosen = set(order[:count].tolist())
        parts = Split([e for i, e in enumerate(dev) if i not in chosen], [e for i, e in enumerate(dev) if i in chosen])
        self.log.append({"split": {"fit": len(parts.fit), "select": len(parts.select)}})
        return parts

    async def map(self, work: Callable[[A], Awaitable[B]], items: Iterable[A], name: str = "fit") -> list[B]:
        """``work`` over ``items``, at most about a thousand at a time; results in order of the items."""
        things = list(items)
        return await bounded(work, things, lambda done: self.progress(name, done, len(things)))

    async def evaluate(self, refs: Sequence[Member | Model], examples: Examples) -> np.ndarray[Any, Any]:
        """Scores of models on examples, array[ref, example]; each is asked the untouched task prompt."""

        async def one(pair: tuple[Member | Model, Example]) -> float:
            ref, example = pair
            model = ref.model if isinstance(ref, Member) else ref
            return await example.score((await model.generate(example.query.request())).text)

        scores = await self.map(one, [(r, e) for r in refs for e in examples], "evaluate")
        return np.array(scores, dtype=np.float64).reshape(len(refs), len(examples))

    @contextmanager
    def step(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """Progress of a named step; the given function is told how many are done."""
        self.progress(name, 0, total)
        yield lambda done: self.progress(name, done, total)
        self.progress(name, total, total)


async def bounded(
    work: Callable[[A], Awaitable[B]], items: Sequence[A], done: Callable[[int], None], limit: int = LIVE_QUERIES
) -> list[B]:
    """``work`` over ``items`` with at most ``limit`` live; the first failure cancels the rest and is raised."""
    gate, finished = asyncio.Semaphore(limit), 0

    async def one(item: A) -> B:
        nonlocal finished
        async with gate:
            result = await work(item)
        finished += 1
        done(finished)
        return result

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in items]
    except BaseExceptionGroup as failures:
        raise _first(failures) from None  # one failure says enough; its siblings were cancelled or say the same
    return [t.result() for t in tasks]


def _first(failure: BaseException) -> BaseException:
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure
