"""Greedy soup: members are averaged one by one, best on dev first, and kept where dev does not fall (arXiv 2203.05482).

Invariant: the search sees dev scores only and keeps names, never weights; no candidate is scored twice or written to disk.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from moco.collab.method import Method, register
from moco.collab.run import Examples, Run
from moco.core.errors import MethodError
from moco.models.pool import Pool
from moco.models.protocol import Model
from moco.weights import Plan, check

Scores = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Step:
    """A candidate: the soup with ``name`` added, its mean score, and whether it was kept."""

    name: str
    score: float
    accepted: bool


@dataclass(frozen=True)
class Search:
    """What the search did: members in the order of their visit, their own mean scores and those of the candidates."""

    ingredients: tuple[str, ...]
    score: float
    """Of the soup, on ``n`` examples; the best of many, so a little too high."""
    order: tuple[str, ...]
    singles: dict[str, float]
    steps: tuple[Step, ...]
    n: int


@register("greedy_soup", level="weight", paper="arXiv:2203.05482", fit="required", needs={"*": {"WEIGHTS"}})
class GreedySoup(Method):
    """The average of those members that keep the dev score from falling answers."""

    cost = "fit: (2n - 1) x dev calls at most; 1 call per query, of the merged model"
    fidelity = (
        "recipe 1 of the paper: members by falling dev score, each joins the average if the score does not fall",
        "the accepted candidate's average is uniform and recomputed from the members in float32, never updated in place",
        "`paper`: accept where the score is at least as high; the official code (`accept: gt, ties: reversed`) wants it higher",
        "deviates: dev is answered at temperature 0 (the released code samples without a seed, so acceptance is partly noise)",
        "deviates: equal scores are visited in pool order (official code: reversed, see `ties`)",
        "deviates: candidates live in one slot in memory (the released code writes a float16 checkpoint for each)",
        "tests: tests/methods/test_greedy_soup.py, tests/weights/test_linear.py",
    )
    presets = {"moco": {"temperature": None, "dtype": "float16"}}

    accept: Literal["ge", "gt"] = "ge"
    """A candidate is kept at a score no lower (ge) or higher (gt) than the soup's; with few examples the two differ often."""
    min_gain: Annotated[float, Field(ge=0)] = 0.0
    """Gain in mean score that a candidate must have."""
    min_gain_se: Annotated[float, Field(ge=0)] = 0.0
    """Gain it must exceed, in paired standard errors; 0 asks for none."""
    order: Literal["score", "random"] = "score"
    """Members by falling dev score, or in seeded random order (ablation)."""
    ties: Literal["order", "reversed"] = "order"
    """Members of equal score: in pool order, or the other way round."""
    max_ingredients: Annotated[int, Field(ge=1)] | None = None
    """Most members of the soup; None for all."""
    select: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of dev on which is scored; the rest is left to other uses."""
    temperature: Annotated[float, Field(ge=0)] | None = 0.0
    """Sampling on dev; None takes the study's, with one seed per example for all candidates."""
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """What the average is rounded to; None keeps the dtype of each tensor of the donor."""

    search_: Search | None = None

    def compatible(self, pool: Pool) -> None:
        check(self.plan(pool, pool.names))

    async def fit(self, pool: Pool, dev: Examples, run: Run) -> None:
        self.compatible(pool)
        examples = list(dev) if self.select == 1 else run.split(dev, self.select).select
        run.log.append({"greedy_soup": {"examples": [e.record.id for e in examples]}})
        sampling = {} if self.temperature is None else {"temperature": self.temperature}
        singles = await run.evaluate(list(pool), examples, **sampling)

        async def scored(names: Sequence[str]) -> Scores:
            scores: Scores = (await run.evaluate([self.plan(pool, names)], examples, **sampling))[0]
            return scores

        shuffled = run.rng("order").permutation(len(pool)).tolist() if self.order == "random" else None
        self.search_ = await self.search(pool.names, singles, scored, shuffled)

    async def search(
        self,
        names: Sequence[str],
        singles: Scores,
        scored: Callable[[Sequence[str]], Awaitable[Scores]],
        order: Sequence[int] | None = None,
    ) -> Search:
        """One greedy pass over the members called ``names``.

        ``singles``: their scores [member, example]; ``scored(names)``: the scores [example] of those members' average;
        ``order``: members as they are visited (default: by score). Raises MethodError for scores that are no numbers.
        """
        means = [_mean(s) for s in singles]
        late = -1 if self.ties == "reversed" else 1
        falling = sorted(range(len(names)), key=lambda i: (-means[i], late * i))
        visit = order if order is not None else falling
        first, *others = visit
        soup, best, steps = [names[first]], singles[first], []
        for i in others:
            if self.max_ingredients is not None and len(soup) >= self.max_ingredients:
                break
            candidate = await scored([*soup, names[i]])
            kept = self.accepts(best, candidate)
            steps.append(Step(names[i], _mean(candidate), kept))
            if kept:
                soup, best = [*soup, names[i]], candidate
        alone = dict(zip(names, means, strict=True))
        return Search(tuple(soup), _mean(best), tuple(names[i] for i in visit), alone, tuple(steps), singles.shape[1])

    def accepts(self, soup: Scores, candidate: Scores) -> bool:
        """Whether ``candidate`` replaces ``soup``, both scores [example] on the same examples."""
        gain = round(_mean(candidate) - _mean(soup) - self.min_gain, 12)
        if self.min_gain_se and len(soup) > 1:
            error = float((candidate - soup).std(ddof=1)) / math.sqrt(len(soup))
            return gain >= 0 and gain > self.min_gain_se * error
        return gain > 0 if self.accept == "gt" else gain >= 0

    def plan(self, pool: Pool, names: Sequence[str]) -> Plan:
        """The average of the members called ``names``."""
        return Plan.linear([pool[name] for name in names], dtype=self.dtype)

    def as_model(self, pool: Pool) -> Model:
        if self.search_ is None:
            raise MethodError("greedy_soup has not been fitted", remedy="fit it on a task with a dev split")
        return pool.model(self.plan(pool, self.search_.ingredients))


def _mean(scores: Scores) -> float:
    """Mean score, to 12 digits, so that equal sums are equal in any order; raises MethodError if it is no number."""
    if not len(scores) or not np.isfinite(mean := float(scores.mean())):
        raise MethodError("dev gave no score", where="greedy_soup", remedy="use a task whose dev part can be graded")
    return round(mean, 12)
