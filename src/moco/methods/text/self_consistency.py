"""Self-consistency: one member answers several times, its most frequent answer wins (arXiv 2203.11171).

The equal-effort baseline of every collaboration: what its best member does with the same number of tokens.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from moco.collab.method import Method, register
from moco.collab.run import Examples, Run
from moco.core.query import Query
from moco.core.types import Answer, Draft
from moco.discussion import Ranking, answer_of, medoid, plurality, rank_on_dev
from moco.discussion.selection import choose_by_number
from moco.models.pool import Pool


@register("self_consistency", level="text", paper="arXiv:2203.11171", fit="optional")
class SelfConsistency(Method):
    """One member answers k times; plurality, ties to the lowest draw."""

    cost = "draws calls per query (+1 with universal)"
    fidelity = (
        "draw 0 is the shared first answer; k draws are a prefix of k + 1",
        "confidence is winners / k, unreadable draws in the denominator",
        "default k = 5 (the paper goes up to 40); at temperature 0 all draws are one call",
        "universal=True: the member names the most consistent reply (arXiv 2311.17311); unreadable verdict: medoid",
        "tests: tests/methods/test_self_consistency.py",
    )
    presets = {"paper": {"draws": 40}}

    draws: Annotated[int, Field(ge=1, le=64)] = 5
    """How often the member answers."""
    member: str | None = None
    """Name of the member; None picks the best on dev."""
    universal: bool = False
    """Let the member choose where answers cannot be voted on."""

    ranking_: Ranking | None = None

    async def fit(self, pool: Pool, dev: Examples, run: Run) -> None:
        if self.member is None and len(pool) > 1:
            self.ranking_ = await rank_on_dev(pool, dev, run)

    async def answer(self, query: Query, pool: Pool) -> Answer:
        who = self.member or (self.ranking_.best(pool) if self.ranking_ else pool.names[0])
        draws = 1 if query.request().sampling.temperature == 0 else self.draws
        drafts = await pool.only([who]).ask_all(query, draws=draws)
        if self.universal and not query.votable and len(drafts) > 1:
            return await self.most_consistent(query, pool, who, drafts)
        return await plurality(query, drafts, tie="order")

    async def most_consistent(self, query: Query, pool: Pool, who: str, drafts: list[Draft]) -> Answer:
        """The reply the member finds most in line with the others."""
        chosen = await choose_by_number(query, pool, who, drafts)
        rule = "universal" if chosen is not None else "medoid"
        index = chosen if chosen is not None else medoid([d.text for d in drafts])
        return answer_of(drafts[index], reason={"rule": rule, "of": len(drafts)})
