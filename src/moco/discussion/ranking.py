"""The order of the members by their dev score: computed once from the shared first answers, used for ties and choices.

Ranking reads dev and nothing else; it is never computed again on test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from moco.core.errors import ContextOverflow, Fatal
from moco.models.pool import Pool


class Scored(Protocol):
    """A labelled dev example, as far as ranking needs it."""

    @property
    def query(self) -> Any: ...

    async def score(self, text: str) -> float: ...


class Runs(Protocol):
    """The part of `Run` that ranking uses."""

    log: list[dict[str, Any]]

    async def map(self, work: Callable[[Any], Awaitable[Any]], items: Iterable[Any], name: str = ...) -> list[Any]: ...


@dataclass(frozen=True)
class Ranking:
    """Dev scores by member: mean in [0, 1], standard error of the mean, and how many examples they stand on."""

    names: tuple[str, ...]
    """Best first; equal means keep pool order."""
    means: tuple[float, ...]
    errors: tuple[float, ...]
    n: int

    def place(self, name: str) -> int:
        """0 for the best; members that were not ranked come last."""
        return self.names.index(name) if name in self.names else len(self.names)

    def mean(self, name: str) -> float:
        return self.means[self.names.index(name)]

    def best(self, pool: Pool) -> str:
        """The best member that is in ``pool``."""
        return min(pool.names, key=self.place)


def ranking_of(names: Sequence[str], scores: np.ndarray[Any, Any]) -> Ranking:
    """From scores[member, example]."""
    n = scores.shape[1]
    means = scores.mean(axis=1) if n else np.zeros(len(names))
    errors = scores.std(axis=1, ddof=1) / np.sqrt(n) if n > 1 else np.zeros(len(names))
    order = sorted(range(len(names)), key=lambda i: (-round(float(means[i]), 12), i))
    return Ranking(
        tuple(names[i] for i in order),
        tuple(round(float(means[i]), 12) for i in order),
        tuple(round(float(errors[i]), 12) for i in order),
        n,
    )


async def dev_scores(pool: Pool, dev: Sequence[Scored], run: Runs) -> np.ndarray[Any, Any]:
    """scores[member, example] of everybody's shared first answer on dev.

    A question that a member will never answer (it does not fit, or is refused by the engine) scores 0 for it and is told in
    the run's log. A failure that may pass is raised: with it the ranking would be another one on the next run.
    """
    lost: Counter[str] = Counter()

    async def one(pair: tuple[str, Scored]) -> float:
        name, example = pair
        try:
            draft = await pool.ask(name, example.query)
        except (ContextOverflow, Fatal):
            lost[name] += 1
            return 0.0
        return await example.score(draft.text)

    scores = await run.map(one, [(name, e) for name in pool.names for e in dev], "rank on dev")
    if lost:
        run.log.append({"dev_unanswered": dict(sorted(lost.items()))})
    return np.array(scores, dtype=np.float64).reshape(len(pool), len(dev))


async def rank_on_dev(pool: Pool, dev: Sequence[Scored], run: Runs) -> Ranking:
    """Ask every member every dev question (paid once, shared by all methods) and rank by mean score."""
    return ranking_of(pool.names, await dev_scores(pool, dev, run))
