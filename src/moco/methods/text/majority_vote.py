"""Majority vote: every member answers alone; the answer given most often wins (arXiv 2203.11171, across models).

Knows nothing of tasks: what an answer is and which answers are the same is the query's business.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from moco.collab.method import Method, register
from moco.collab.run import Examples, Run
from moco.core.query import Query
from moco.core.types import Answer, Draft
from moco.discussion import Ranking, Tie, plurality, rank_on_dev
from moco.models.pool import Pool


@register("majority_vote", level="text", paper="arXiv:2203.11171", fit="optional", members=(1, None))
class MajorityVote(Method):
    """Every member answers; the answer given most often wins; free text goes to the medoid."""

    cost = "n calls per query (n x draws)"
    fidelity = (
        "plurality over clusters of equivalent answers; an unreadable answer abstains (it is no candidate)",
        "ties: best-ranked voter on dev; `order` is the rule of the debate code, `random` that of debate-or-vote",
        "text: a real reply of the winning cluster, scored like any other",
        "deviates: free text takes the medoid by token F1 where the released code refuses",
        "tests: tests/methods/test_majority_vote.py, tests/discussion/test_votes.py",
    )
    presets = {"paper": {"tie": "order"}, "moco": {"tie": "random"}}

    tie: Tie = "dev"
    """Who wins a tie: the cluster of the best-ranked voter, the larger sum of dev scores, the first member, or chance."""
    weights: Literal["uniform", "dev", "logodds"] = "uniform"
    """Votes count alike, by dev score above chance level 0, or by log-odds of being right on dev."""
    draws: Annotated[int, Field(ge=1)] = 1
    """Ballots per member, each of weight 1/draws."""
    require: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Least support of a winner; below it the best-ranked member's answer stands."""

    ranking_: Ranking | None = None

    async def fit(self, pool: Pool, dev: Examples, run: Run) -> None:
        self.ranking_ = await rank_on_dev(pool, dev, run)

    async def answer(self, query: Query, pool: Pool) -> Answer:
        drafts = await pool.ask_all(query, draws=self.draws)
        weights = [self.weight(d) / self.draws for d in drafts]
        return await plurality(query, drafts, ranking=self.ranking_, tie=self.tie, weights=weights, require=self.require)

    def weight(self, draft: Draft) -> float:
        """The say of a draft's member; uniform where nothing was learned."""
        if self.weights == "uniform" or self.ranking_ is None:
            return 1.0
        mean = self.ranking_.mean(draft.member)
        return max(mean, 0.0) if self.weights == "dev" else log_odds(mean, self.ranking_.n)


def log_odds(mean: float, n: int) -> float:
    """ln(p / (1 - p)) with p = (right + 1) / (n + 2) in [0.01, 0.99]; negative weights are 0."""
    p = min(max((mean * n + 1) / (n + 2), 0.01), 0.99)
    return max(math.log(p / (1 - p)), 0.0)
