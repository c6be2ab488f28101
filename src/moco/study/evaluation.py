"""`moco.evaluate`: one method over one pool on one task, fitted on dev, answered on test, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from moco.collab import Fitted, Method, fit, load_method
from moco.core.runtime import RUNTIME
from moco.core.types import Call, Sampling
from moco.models.pool import Pool
from moco.study.outcomes import Outcome, answer_all, check_gradable
from moco.study.summary import Summary, summarise
from moco.tasks import Helpers, Task, load_task


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
    pool: Pool,
    task: Task | str,
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
    pool: Pool,
    task: Task | str,
    *,
    sampling: Sampling | None = None,
    seed: int = 0,
    limit: int | None = None,
    **options: Any,
) -> Result:
    """Fit ``method`` on the task's dev part and answer its test part.

    ``limit`` takes a seeded sample of the test items. Raises ConfigError, DataError, PoolError before anything is
    generated where the request is wrong.
    """
    return RUNTIME.run(_evaluate(method, pool, task, sampling or Sampling(), seed, limit, options))


async def _evaluate(
    method: Method | str, pool: Pool, task: Task | str, sampling: Sampling, seed: int, limit: int | None, options: dict[str, Any]
) -> Result:
    chosen = load_method(method, **options) if isinstance(method, str) else method
    data = load_task(task, limit=limit) if isinstance(task, str) else task
    check_gradable(data, Helpers.of(pool.aux).present)
    fitted = await fit(chosen, pool, data, sampling=sampling, seed=seed)
    transcripts: dict[str, tuple[Call, ...]] = {}

    def done(outcome: Outcome, calls: tuple[Call, ...]) -> None:
        transcripts[outcome.id] = calls

    helpers = Helpers.of(pool.aux, seed=seed)
    outcomes = await answer_all(fitted.as_model(), data, data.test, sampling, seed, done, helpers)
    pool.store.flush()
    return Result(chosen.info.name, data.name, summarise(outcomes, data), outcomes, fitted, transcripts)
