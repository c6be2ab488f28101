"""Majority vote: every member answers alone; the answer given most often wins (arXiv 2203.11171, across models).

Knows nothing of tasks: what an answer is and which answers are the same is the query's business. Free texts, which nobody
can count, go to a selector.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field

from moco.collab.method import Method, register
from moco.collab.run import Examples, Run
from moco.core.errors import PoolError
from moco.core.query import Query
from moco.core.types import Answer, Draft
from moco.discussion import Ranking, Tie, plurality, rank_on_dev
from moco.discussion.gathering import OnFailure, gather
from moco.discussion.selectors import BEST, MOST_CONSISTENT, Selector, select
from moco.discussion.votes import Unreadable
from moco.models.pool import Pool
from moco.routers import tells_itself


@register("majority_vote", level="text", paper="arXiv:2203.11171", fit="optional", members=(1, None))
class MajorityVote(Method):
    """Every member answers; the answer given most often wins; free text goes to the medoid, or to who is asked to choose."""

    cost = "n calls per query (n x draws); free text: +1 with usc or judge, +u with reward, unless all say the same"
    fidelity = (
        "plurality over clusters of equivalent answers; an unreadable answer abstains (it is no candidate)",
        "ties: best-ranked voter on dev; `order` is the rule of the debate code and AgentForest, `random` that of debate-or-vote",
        "unreadable=candidate lets `no answer` win, as AgentForest's plain counts do; drop leaves it out of the shares",
        "text: a real reply of the winning cluster, scored like any other; draws=k gives k ballots of weight 1/k",
        "weights=logodds is ln(p / (1 - p)), p = (right + 1) / (n + 2) in [0.01, 0.99]; below 0 only with two options",
        "weights=dev is the dev score above chance, 1 / number of options where there are options",
        "deviates: free text goes to a selector (the released code refuses it); AgentForest's summed BLEU is mean token F1",
        "deviates: equivalence is the grader's, so `1,000` and `1000` are one number, which AgentForest's GSM parser cannot read",
        "left out: free text by execution (clusters of what programs print)",
        "tests: tests/methods/test_majority_vote.py, tests/discussion/test_votes.py, tests/discussion/test_selectors.py",
    )
    presets = {"paper": {"tie": "order"}, "moco": {"tie": "random", "unreadable": "candidate"}}

    tie: Tie = "dev"
    """Who wins a tie: the cluster of the best-ranked voter, the larger sum of dev scores, the first member, or chance."""
    weights: Literal["uniform", "dev", "logodds", "confidence"] = "uniform"
    """Votes count alike, by dev score above chance, by log-odds of being right on dev, or by how sure a member is."""
    draws: Annotated[int, Field(ge=1)] = 1
    """Ballots per member, each of weight 1/draws."""
    require: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Least support of a winner; below it the best-ranked member's answer stands."""
    unreadable: Unreadable = "abstain"
    """What an answer that cannot be read is: an abstention, no ballot at all, or a vote for having no answer."""
    free_text: Selector = "medoid"
    """How free text is chosen: the most alike, the most consistent by a member's word, a judge's word, or the reward."""
    chooser: str | None = None
    """Name of the member that is asked for free text; None takes the study's judge (free_text=judge), else the best on dev."""
    on_failure: OnFailure = "fail"
    """Whether a member's failure fails the question, or its vote is left out."""
    at_least: Annotated[int, Field(ge=1)] = 1
    """Least number of ballots to go on with."""
    deadline: Annotated[float, Field(gt=0)] | None = None
    """Seconds after which a member that has not answered has failed."""
    consistent: Annotated[str, MOST_CONSISTENT.option] = MOST_CONSISTENT.text
    """The prompt of free_text=usc: {replies} to {question}, and the {verdict}'s form."""
    best: Annotated[str, BEST.option] = BEST.text
    """The prompt of free_text=judge, with the same places."""

    ranking_: Ranking | None = None
    chance_: float = 0.0
    """Mean score of guessing on dev."""

    def check(self, pool: Pool) -> None:
        super().check(pool)
        if self.chooser is not None:
            pool[self.chooser]
        if self.free_text == "reward":
            pool.helper("reward")
        if self.weights == "confidence":
            silent = [m.name for m in pool if not ("LOGPROBS" in m.model.capabilities or tells_itself(m))]
            if silent and len(silent) < len(pool):
                raise PoolError(
                    f"'{silent[0]}' does not say how sure it is, others do",
                    why="without a confidence its vote would outweigh every other (weights: confidence)",
                    remedy="leave it out, use a local model for it, or weigh by dev",
                )

    async def fit(self, pool: Pool, dev: Examples, run: Run) -> None:
        self.ranking_ = await rank_on_dev(pool, dev, run)
        self.chance_ = round(sum(chance(e.query) for e in dev) / len(dev), 9) if dev else 0.0

    async def answer(self, query: Query, pool: Pool) -> Answer:
        came = await gather(
            query,
            pool,
            draws=self.draws,
            on_failure=self.on_failure,
            at_least=self.at_least,
            deadline=self.deadline,
        )
        answer = await (self.count(query, came.drafts) if query.votable else self.choose(query, pool, came.drafts))
        return replace(answer, reason={**answer.reason, **came.record})

    async def count(self, query: Query, drafts: list[Draft]) -> Answer:
        weights = [self.weight(query, d) / self.draws for d in drafts]
        if not any(weights):
            weights = [1 / self.draws] * len(drafts)  # nobody was better than chance: then all are heard alike
        rules: dict[str, Any] = {"tie": self.tie, "require": self.require, "unreadable": self.unreadable}
        return await plurality(query, drafts, ranking=self.ranking_, weights=weights, **rules)

    async def choose(self, query: Query, pool: Pool, drafts: list[Draft]) -> Answer:
        return await select(
            self.free_text,
            query,
            pool,
            drafts,
            ranking=self.ranking_,
            who=self.chooser,
            judge=self.chooser,
            consistent=MOST_CONSISTENT.but(self.consistent),
            best=BEST.but(self.best),
            on_failure=self.on_failure,
            deadline=self.deadline,
        )

    def weight(self, query: Query, draft: Draft) -> float:
        """The say of a draft's member; uniform where nothing was learned."""
        if self.weights == "confidence":
            return sureness(draft)
        if self.weights == "uniform" or self.ranking_ is None:
            return 1.0
        mean = self.ranking_.mean(draft.member)
        if self.weights == "dev":
            return max(mean - self.chance_, 0.0)
        return log_odds(mean, self.ranking_.n, len(query.spec.labels))


def chance(query: Query) -> float:
    """What guessing scores: one over the number of options, 0 where there are none."""
    return 1 / len(query.spec.labels) if query.spec.labels else 0.0


def log_odds(mean: float, n: int, options: int = 0) -> float:
    """ln(p / (1 - p)) with p = (right + 1) / (n + 2) in [0.01, 0.99].

    The optimal weight of independent voters between two options; with more, a voter worse than a coin has none.
    """
    p = min(max((mean * n + 1) / (n + 2), 0.01), 0.99)
    odds = math.log(p / (1 - p))
    return odds if options == 2 else max(odds, 0.0)


def sureness(draft: Draft) -> float:
    """A collaboration's own confidence, else the mean probability of the tokens (geometric), else 1. In [0, 1]."""
    said = draft.completion
    if said.confidence is not None:
        return max(said.confidence, 0.0)
    return math.exp(sum(said.logprobs) / len(said.logprobs)) if said.logprobs else 1.0
