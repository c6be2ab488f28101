"""`moco.evaluate`: one method over one pool on one task, fitted on dev, answered on test, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moco.collab import Fitted, Method, fit, load_method
from moco.core.errors import ConfigError
from moco.core.runtime import RUNTIME
from moco.core.types import Call, Sampling
from moco.models.pool import Pool
from moco.study.outcomes import Outcome, answer_all, check_gradable
from moco.study.summary import Summary, summarise
from moco.tasks import Helpers, Task, load_task
from moco.tasks.load import limited


@dataclass(frozen=True)
class Result:
    """What an evaluation found. ``transcripts`` are by item id."""

    method: str
    task: str
    summary: Summary
    outcomes: list[Outcome] = field(repr=False)
    fitted: Fitted = field(repr=False)
    transcripts: dict[str, tuple[Call, ...]] = field(repr=False)

    @property
    def mean(self) -> float | None:
        return self.summary.mean

    def __str__(self) -> str:
        s = self.summary
        if s.mean is None or s.low is None or s.high is None:
            return f"{self.method} on {self.task}: no item was answered ({s.failed} failed)"
        extra = f", {s.failed} failed" if s.failed else ""
        return (
            f"{self.method} on {self.task}: {s.mean:.3f} [{s.low:.3f}, {s.high:.3f}], n={s.n}, "
            f"unparsed {s.unparsed:.1%}, truncated {s.truncated:.1%}, {s.usage.calls / max(s.n, 1):.1f} calls per query{extra}"
        )


async def aevaluate(
    method: Method | str,
    pool: Pool | Iterable[Any],
    task: Task | str | Path,
    *,
    sampling: Sampling | None = None,
    seed: int = 0,
    limit: int | None = None,
    **options: Any,
) -> Result:
    """Fit ``method`` on the task's dev part and answer its test part; see ``evaluate``."""
    return await RUNTIME.bridge(_evaluate(method, pool, task, sampling or Sampling(), seed, limit, options))


def evaluate(
    method: Method | str,
    pool: Pool | Iterable[Any],
    task: Task | str | Path,
    *,
    sampling: Sampling | None = None,
    seed: int = 0,
    limit: int | None = None,
    **options: Any,
) -> Result:
    """Fit ``method`` on the task's dev part and answer its test part.

    ``method`` is a name, with its ``options``, or a `Method`, which has them already. ``pool`` may be a list of what `Pool`
    takes, ``task`` a name or a data file. ``limit`` is the most items of dev and of test each, a seeded sample as in a study,
    whatever ``task`` is. Raises ConfigError, DataError, PoolError before anything is generated where the request is wrong.
    """
    return RUNTIME.run(_evaluate(method, pool, task, sampling or Sampling(), seed, limit, options))


async def _evaluate(
    method: Method | str,
    members: Pool | Iterable[Any],
    task: Task | str | Path,
    sampling: Sampling,
    seed: int,
    limit: int | None,
    options: dict[str, Any],
) -> Result:
    if not isinstance(sampling, Sampling):
        raise ConfigError(
            f"sampling is a {type(sampling).__name__}", where="evaluate", remedy="give moco.Sampling(temperature=0)"
        )
    if not isinstance(seed, int):
        raise ConfigError(f"seed is {seed!r}", where="evaluate", remedy="give a whole number")
    chosen, data = _method(method, options), _task(task, limit)
    pool = members if isinstance(members, Pool) else Pool(members)
    check_gradable(data, Helpers.of(pool.aux).present)
    fitted = await fit(chosen, pool, data, sampling=sampling, seed=seed)
    transcripts: dict[str, tuple[Call, ...]] = {}

    def done(outcome: Outcome, calls: tuple[Call, ...]) -> None:
        transcripts[outcome.id] = calls

    helpers = Helpers.of(pool.aux, seed=seed)
    outcomes = await answer_all(fitted.as_model(), data, data.test, sampling, seed, done, helpers)
    pool.store.flush()
    return Result(chosen.info.name, data.name, summarise(outcomes, data), outcomes, fitted, transcripts)


def _method(method: Method | str, options: Mapping[str, Any]) -> Method:
    """The method with its options; raises ConfigError for options beside an object, which has its own."""
    if isinstance(method, str):
        return load_method(method, **options)
    if not isinstance(method, Method):
        made = method.info.name if isinstance(method, type) and issubclass(method, Method) and hasattr(method, "info") else ""
        raise ConfigError(
            f"the method is {'a class' if isinstance(method, type) else f'a {type(method).__name__}'}",
            where="evaluate",
            remedy=f"give its name, '{made}', or an object of it" if made else "give a method's name, or a Method",
        )
    if options:
        given = ", ".join(f"{name}={value!r}" for name, value in options.items())
        raise ConfigError(
            f"{given} beside a {method.info.name} that is already made",
            where="evaluate",
            why="an object has its own options, and these would be without effect",
            remedy=f"load_method('{method.info.name}', {given}), or give the method by name",
        )
    return method


def _task(task: Task | str | Path, limit: int | None) -> Task:
    """The task, at most ``limit`` items of each part."""
    if isinstance(task, str | Path):
        return load_task(task, limit=limit)
    if not isinstance(task, Task):
        raise ConfigError(
            f"the task is a {type(task).__name__}",
            where="evaluate",
            remedy="give its name, a data file, or what load_task gives",
        )
    return task if limit is None else limited(task, limit)
