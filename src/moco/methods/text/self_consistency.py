"""Self-consistency: one member answers several times, its most frequent answer wins (arXiv 2203.11171).

The equal-effort baseline of every collaboration: what its best member does with the same number of tokens. Free text, which
cannot be counted: the member names the reply most in line with the others (universal, arXiv 2311.17311).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from moco.collab.method import Method, register
from moco.collab.run import Examples, Run
from moco.core.query import Query
from moco.core.types import Answer
from moco.discussion import Ranking, plurality, rank_on_dev
from moco.discussion.gathering import OnFailure, gather
from moco.discussion.selectors import MOST_CONSISTENT, select
from moco.models.pool import Pool


@register("self_consistency", level="text", paper="arXiv:2203.11171", fit="optional")
class SelfConsistency(Method):
    """One member answers k times; plurality, ties to the lowest draw; free text: the medoid, or the member's own choice."""

    cost = "draws calls per query; +1 for free text with universal, unless all draws say the same"
    fidelity = (
        "draw 0 is the shared first answer; k draws are a prefix of k + 1",
        "confidence is winners / k, unreadable and missing draws in the denominator; ties to the lowest draw",
        "default k = 5 (the paper goes up to 40); at temperature 0 all draws are one call, and the reason says so",
        "universal: the member names the most consistent reply (arXiv 2311.17311); unreadable verdict: medoid",
        "deviates: universal applies to free text alone; what can be counted is counted",
        "budget at equal tokens: the study adds such cells by itself, k from the tokens a method really used",
        "tests: tests/methods/test_self_consistency.py, tests/discussion/test_selectors.py",
    )
    presets = {"paper": {"draws": 40}}

    draws: Annotated[int, Field(ge=1, le=64)] = 5
    """How often the member answers."""
    member: str | None = None
    """Name of the member; None picks the best on dev."""
    universal: bool = False
    """Let the member choose where answers cannot be voted on."""
    on_failure: OnFailure = "fail"
    """Whether a failed draw fails the question, or is left out."""
    at_least: Annotated[int, Field(ge=1)] = 1
    """Least number of draws to go on with."""
    deadline: Annotated[float, Field(gt=0)] | None = None
    """Seconds after which a draw that has not come has failed."""
    consistent: Annotated[str, MOST_CONSISTENT.option] = MOST_CONSISTENT.text
    """The prompt of the choice: {replies} to {question}, and the {verdict}'s form."""

    ranking_: Ranking | None = None

    def check(self, pool: Pool) -> None:
        super().check(pool)
        if self.member is not None:
            pool[self.member]

    async def fit(self, pool: Pool, dev: Examples, run: Run) -> None:
        if self.member is None and len(pool) > 1:
            self.ranking_ = await rank_on_dev(pool, dev, run)

    async def answer(self, query: Query, pool: Pool) -> Answer:
        who = self.member or (self.ranking_.best(pool) if self.ranking_ else pool.names[0])
        greedy = query.request().sampling.temperature == 0
        draws, alone = 1 if greedy else self.draws, pool.only([who])
        came = await gather(
            query,
            alone,
            draws=draws,
            on_failure=self.on_failure,
            at_least=min(self.at_least, draws),
            deadline=self.deadline,
        )
        about = {**came.record, **({"note": "temperature 0: one draw"} if greedy and self.draws > 1 else {})}
        if self.universal and not query.votable:
            words = MOST_CONSISTENT.but(self.consistent)
            patience: dict[str, Any] = {"on_failure": self.on_failure, "deadline": self.deadline}
            answer = await select("usc", query, pool, came.drafts, who=who, consistent=words, **patience)
        else:
            answer = await plurality(query, came.drafts, tie="order")
        sure = None if answer.confidence is None else answer.confidence * len(came.drafts) / draws
        return replace(answer, confidence=sure, reason={**answer.reason, **about})
