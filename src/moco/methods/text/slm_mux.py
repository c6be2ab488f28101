"""SLM-MUX: every member answers several times; the member that agrees most with itself speaks (arXiv 2510.05077).

Nothing is exchanged: answers are compared within a member only, so a right minority is heard where the others waver. Knows
nothing of tasks: which answers are the same is the query's business, or a likeness of texts where nothing can be counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from moco.collab.method import Method, register
from moco.collab.run import Example, Examples, Run
from moco.core.errors import ConfigError
from moco.core.query import Query
from moco.core.types import Answer, Draft
from moco.discussion import Ranking, answer_of, rank_on_dev, ranking_of, unanimous
from moco.discussion.complements import Sampled, best_subset
from moco.discussion.consistency import Agreement, Denominator, InnerTie, agreement, closeness
from moco.discussion.gathering import Gathered, OnFailure, gather
from moco.discussion.votes import TOLERANCE, placing
from moco.models.pool import Pool

WARM = 0.3
"""Temperature where the request is greedy: equal draws would say nothing of how sure a member is."""


@register("slm_mux", level="text", paper="arXiv:2510.05077", fit="optional")
class SlmMux(Method):
    """Every member answers k times; the most self-consistent one wins with its majority answer."""

    cost = (
        "n x samples calls per query, n of them shared (shortcut: n where first draws agree, else n more); free text "
        "with an embedder: +n; fit: n calls per dev "
        "question (n x samples with dev_draws or select)"
    )
    fidelity = (
        "share of a member: its largest cluster of equal answers over k draws, unreadable and missing ones in the denominator",
        "denominator=usable is the ICLR release: one readable draw of five is certain there",
        "ties between members: dev accuracy, equal ones in pool order (older release: pool order); agree is ours",
        "ties inside a member: the earliest draw (older release); random (ICLR release), here seeded by the question",
        "select: exhaustive search over subsets for union accuracy - 0.5 x confident contradictions, on dev draws",
        "deviates: answers are read and compared by the grader (7 = 7.0, `A ` = `a`), where the original counts strings",
        "deviates: draws that say nothing are not confidently wrong (in the original's search an empty run is)",
        "deviates: temperature is the study's, so that draw 0 is the shared first answer; paper: 0.3; greedy requests: 0.3",
        "free text: neighbourhoods of embeddings (cosine >= 0.9) with aux.embedder, else of words (token F1 >= 0.5, ours)",
        "left out: confidence by verbal rating, log-probability, reward, hidden states and learned routers",
        "tests: tests/methods/test_slm_mux.py, tests/discussion/test_consistency.py",
    )
    presets = {"paper": {"temperature": 0.3}, "moco": {"denominator": "usable", "inner_tie": "random"}}

    samples: Annotated[int, Field(ge=1, le=64)] = 5
    """Draws per member."""
    temperature: Annotated[float, Field(gt=0)] | None = None
    """Temperature of the draws; None takes the request's, which shares draw 0 with other methods."""
    denominator: Denominator = "k"
    """What a share is of: all draws, or the readable ones."""
    tie: Literal["dev", "order", "random", "agree"] = "dev"
    """Between equally consistent members: best on dev, first, by chance, or whose answer most of them give (then dev)."""
    inner_tie: InnerTie = "first"
    """Between equally frequent answers of one member: the one drawn first, or by chance."""
    dev_draws: bool = False
    """Rank members by their majority answer over all draws on dev, not by their first one."""
    select: bool = False
    """Choose on dev which members take part."""
    penalty: Annotated[float, Field(ge=0)] = 0.5
    """Weight of confident contradictions in the choice of members."""
    robust: Annotated[int, Field(ge=1)] = 2
    """Right draws from which a member is reliably right on a dev question."""
    sizes: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = (2, 5)
    """Least and greatest number of members to choose."""
    near: Annotated[float, Field(gt=0, le=1)] | None = None
    """Likeness from which two free texts say the same; None: 0.9 for embeddings, 0.5 for words."""
    unanimous_shortcut: bool = False
    """Answer at once where all first draws agree (an approximation)."""
    on_failure: OnFailure = "fail"
    """Whether a failed draw fails the question, or counts as one that says nothing."""
    at_least: Annotated[int, Field(ge=1)] = 1
    """Least number of draws to go on with."""
    deadline: Annotated[float, Field(gt=0)] | None = None
    """Seconds after which a draw that has not come has failed."""

    ranking_: Ranking | None = None
    chosen_: tuple[str, ...] | None = None

    def check(self, pool: Pool) -> None:
        super().check(pool)
        if self.sizes[0] > self.sizes[1]:
            remedy = f"write sizes: [{self.sizes[1]}, {self.sizes[0]}]"
            raise ConfigError("the least number of members is above the greatest", where="slm_mux.sizes", remedy=remedy)
        if self.select and self.robust > self.samples:
            what = f"nobody can be right {self.robust} times in {self.samples} draws"
            raise ConfigError(what, where="slm_mux.robust", remedy=f"set samples: {self.robust}, or robust: {self.samples}")

    async def fit(self, pool: Pool, dev: Examples, run: Run) -> None:
        if not (self.dev_draws or self.select):
            self.ranking_ = await rank_on_dev(pool, dev, run)
            return

        async def one(pair: tuple[str, Example]) -> tuple[Sampled, float]:
            name, example = pair
            drafts = (await self.draw(example.query, pool.only([name]), self.samples)).drafts
            said = await self.consistent(example.query, pool, name, drafts)
            scores = [await example.score(d.text) for d in drafts]
            majority = scores[drafts.index(said.draft)] if said.draft is not None else 0.0
            return Sampled(await _same_keys(example.query, drafts), tuple(s >= 0.5 for s in scores)), majority

        found = await run.map(one, [(name, e) for name in pool.names for e in dev], "slm_mux: dev draws")
        table = [found[i * len(dev) : (i + 1) * len(dev)] for i in range(len(pool))]
        self.ranking_ = ranking_of(pool.names, np.array([[majority for _, majority in row] for row in table], np.float64))
        if self.select and len(pool) > 1:
            chosen, value = best_subset([[s for s, _ in row] for row in table], self.sizes, self.penalty, self.robust)
            self.chosen_ = tuple(pool.names[i] for i in chosen)
            run.log.append({"slm_mux": {"members": list(self.chosen_), "union": value.union, "contradicted": value.contradicted}})

    async def answer(self, query: Query, pool: Pool) -> Answer:
        team = pool if self.chosen_ is None else pool.only([n for n in pool.names if n in self.chosen_])
        if self.unanimous_shortcut:
            first = await self.draw(query, team, 1)
            if not first.dropped and await unanimous(query, first.drafts):
                best = min(range(len(first.drafts)), key=placing(first.drafts, self.ranking_))
                return answer_of(first.drafts[best], confidence=1.0, reason={"rule": "unanimous"})
        came = await self.draw(query, team, self.samples)
        table = [await self.consistent(query, pool, n, [d for d in came.drafts if d.member == n]) for n in team.names]
        about: dict[str, Any] = {
            "members": {a.member: {"key": a.key, "share": round(a.share, 6), "usable": a.usable} for a in table},
            "temperature": self.heat(query),
            **came.record,
        }
        top = max(a.share for a in table)
        tied = [a for a in table if a.draft is not None and top - a.share <= TOLERANCE]
        if not tied:
            best = min(range(len(came.drafts)), key=placing(came.drafts, self.ranking_))
            return answer_of(came.drafts[best], confidence=0.0, reason={**about, "fallback": True})
        winner = tied[0] if len(tied) == 1 else await self.decide(query, tied)
        assert winner.draft is not None
        tie = self.tie if len(tied) > 1 else None
        return answer_of(winner.draft, confidence=winner.share, reason={**about, "tie": tie, "fallback": False})

    def heat(self, query: Query) -> float:
        return self.temperature or query.request().sampling.temperature or WARM

    async def draw(self, query: Query, pool: Pool, draws: int) -> Gathered:
        return await gather(
            query,
            pool,
            draws=draws,
            on_failure=self.on_failure,
            at_least=self.at_least,
            deadline=self.deadline,
            temperature=self.heat(query),
        )

    async def consistent(self, query: Query, pool: Pool, name: str, drafts: Sequence[Draft]) -> Agreement:
        """How much one member agrees with itself."""
        if not query.votable:
            return await closeness(pool, name, drafts, self.samples, near=self.near, denominator=self.denominator)
        return await agreement(query, name, drafts, self.samples, denominator=self.denominator, inner_tie=self.inner_tie)

    async def decide(self, query: Query, tied: Sequence[Agreement]) -> Agreement:
        """One of equally consistent members; they come in pool order."""
        if self.tie == "random":
            by_name = sorted(tied, key=lambda a: (str(a.key), a.member))
            return by_name[int(query.rng("tie").integers(len(by_name)))]
        places = [self.ranking_.place(a.member) if self.ranking_ is not None and self.tie != "order" else 0 for a in tied]
        backing = [0] * len(tied)
        if self.tie == "agree":
            for group in await query.same_many([a.key for a in tied]):
                for i in group:
                    backing[i] = len(group)
        return tied[min(range(len(tied)), key=lambda i: (-backing[i], places[i], i))]


async def _same_keys(query: Query, drafts: Sequence[Draft]) -> tuple[str | None, ...]:
    """The drafts' keys, those that are the same answer written alike."""
    keys = [d.key for d in drafts]
    for group in await query.same_many(keys):
        for i in group:
            keys[i] = keys[group[0]]
    return tuple(keys)
