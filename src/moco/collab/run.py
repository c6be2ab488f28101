"""What `fit` may use: labelled dev examples, random numbers, splits, bounded maps, scores of candidates, training.

`fit` is a function of the replies it gets: run again after a kill it is replayed from the store to the same state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from moco.core.builders import BUILDERS
from moco.core.errors import ConfigError
from moco.core.query import Query
from moco.core.seeds import canonical, derive, digest, generator
from moco.core.types import Request, Sampling
from moco.models.artifacts import Artifacts
from moco.models.cached import CachedModel
from moco.models.member import Member
from moco.models.pool import default_store
from moco.models.protocol import Model, canonical_prompt
from moco.models.store import Store
from moco.tasks import NOBODY, Helpers, Record, Task

if TYPE_CHECKING:
    from moco.weights import Plan, Slot

A = TypeVar("A")
B = TypeVar("B")
LIVE_QUERIES = 1024


@dataclass(frozen=True)
class Example:
    """A labelled dev question. ``score(text)`` is the task's own grade: in [0, 1], but for rewards, which are any real number."""

    query: Query
    gold: Any
    record: Record = field(repr=False)
    task: Task = field(repr=False)
    helpers: Helpers = field(default=NOBODY, repr=False)

    async def score(self, text: str) -> float:
        return (await self.task.score(self.record, text, self.helpers)).score


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

    def __init__(self, seed: int, sampling: Sampling, progress: Progress = silent, store: Store | None = None) -> None:
        self.seed, self.sampling, self.progress = seed, sampling, progress
        self.log: list[dict[str, Any]] = []
        self._store = store
        self._slot: Slot | None = None
        self._scores: dict[tuple[str, str, int], tuple[Example, float]] = {}
        """By fingerprint, sampling and example; the example is kept, so that its number stays its own."""

    @property
    def store(self) -> Store:
        """Where answers of candidates are kept: the pool's store, or the default one."""
        return self._store if self._store is not None else default_store()

    async def close(self) -> None:
        """Drop the weights that candidates were merged into."""
        if self._slot is not None:
            await self._slot.close()

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

    async def evaluate(
        self, refs: Sequence[Member | Model | Plan], examples: Examples, **sampling: Any
    ) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Scores of members, models and plans of merges on examples: array[ref, example], each in [0, 1].

        Each is asked the untouched task prompt, with the options of ``sampling`` replaced and, where tokens are drawn, with
        one seed per example for all refs, so that differences are paired. Plans are merged into one slot, one after
        another; models are asked at the same time. What was scored before in this run is not asked again. Raises
        PoolError for plans that cannot be merged, BackendError for a failed answer.
        """
        things = [self._thing(ref) for ref in refs]
        told = canonical(sampling)
        todo: dict[str, tuple[Model | Plan, list[Example]]] = {}
        for thing in things:
            missing = [e for e in examples if (thing.fingerprint, told, id(e)) not in self._scores]
            if missing:
                todo[thing.fingerprint] = (thing, missing)
        total, done = sum(len(missing) for _, missing in todo.values()), 0

        async def score(job: tuple[Model, str, Example]) -> None:
            nonlocal done
            model, fingerprint, example = job
            completion = await model.generate(_common(example.query.request(**sampling)))
            self._scores[fingerprint, told, id(example)] = (example, await example.score(completion.text))
            done += 1
            self.progress("evaluate", done, total)

        async def models() -> None:
            asked = [(thing, missing) for thing, missing in todo.values() if isinstance(thing, Model)]
            await bounded(score, [(m, m.fingerprint, e) for m, missing in asked for e in missing], _unwatched)

        async def candidates() -> None:
            for thing, missing in todo.values():
                if not isinstance(thing, Model):
                    async with self._leased(thing) as model:
                        await bounded(score, [(model, thing.fingerprint, e) for e in missing], _unwatched)

        await bounded(_start, [models, candidates], _unwatched)
        known = [[self._scores[thing.fingerprint, told, id(e)][1] for e in examples] for thing in things]
        return np.array(known, dtype=np.float64).reshape(len(refs), len(examples))

    async def train(self, base: Member | Model, spec: Mapping[str, Any], data: Sequence[Mapping[str, Any]]) -> str:
        """The artifact that training ``base`` on ``data`` (rows of JSON, say messages) makes; ``pool.model(id)`` asks it.

        ``spec`` is JSON too; its ``kind`` names the trainer. The artifact is known by fingerprint, spec, data and seed, so what
        was once trained is not trained again. Raises ConfigError where no such trainer is installed.
        """
        kind, model = f"train-{spec.get('kind', '')}", base.model if isinstance(base, Member) else base
        if kind not in BUILDERS:
            known = [name.removeprefix("train-") for name in BUILDERS if name.startswith("train-")]
            raise ConfigError(
                f"no trainer '{spec.get('kind', '')}' is installed",
                where="run.train",
                remedy=f"use one of {', '.join(known)}" if known else "install a package that registers one as moco.builders",
            )
        trainer = BUILDERS.get(kind)
        made_from = digest(kind, model.fingerprint, dict(spec), [dict(row) for row in data], self.seed)

        def write(folder: Path) -> None:
            trainer(model, spec, data, folder=folder, seed=self.seed, progress=self.progress)

        with self.step(kind, 1):
            return await asyncio.to_thread(Artifacts().put, f"{kind}-{base.name}", write, made_from)

    def _thing(self, ref: Member | Model | Plan) -> Model | Plan:
        """What is asked for ``ref``: a model, or a plan that really merges something."""
        if isinstance(ref, Member):
            return ref.model
        if isinstance(ref, Model):
            return ref
        return ref if ref.alone is None else CachedModel(ref.alone.model, self.store)

    def _leased(self, plan: Plan) -> AbstractAsyncContextManager[CachedModel]:
        from moco.weights import Slot, lease

        if self._slot is None:
            self._slot = Slot()
        return lease(plan, self.store, self._slot)

    @contextmanager
    def step(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """Progress of a named step; the given function is told how many are done."""
        self.progress(name, 0, total)
        yield lambda done: self.progress(name, done, total)
        self.progress(name, total, total)


def _common(request: Request) -> Request:
    """``request`` with a seed that depends on the prompt and the study's seed, not on who is asked."""
    if request.sampling.temperature == 0:
        return request  # nothing is drawn: the answer is the one that everybody shares
    return request.but(seed=derive("evaluate", request.study_seed, canonical_prompt(request)))


async def _start(work: Callable[[], Awaitable[None]]) -> None:
    await work()


def _unwatched(done: int) -> None:
    """Progress that is told elsewhere."""


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
