"""Prompt routing: a member reads the question and one description per member, and names who shall answer (arXiv 2601.21257).

Knows nothing of scores: a decision never changes the chosen member's prompt or seed, so its answer is the shared one.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from moco.collab.method import Method, register
from moco.collab.run import Examples, Run
from moco.core.errors import PoolError
from moco.core.query import Query
from moco.core.types import Answer, Request
from moco.discussion import Ranking, answer_of, rank_on_dev
from moco.discussion.selection import first_number
from moco.models.pool import Pool

ROUTE = """\
Below are the descriptions of several models. Choose the number of the model that should answer the query.
Models:
{models}
Query: {question}
Reply with the number of the model."""

Route = tuple[str, float | None, dict[str, object]]
"""Chosen member, confidence in [0, 1] where there is one, and the reason."""


@register("prompt_routing", level="routing", paper="arXiv:2601.21257", fit="optional")
class PromptRouting(Method):
    """The best member on dev (or a named one) picks by description; only the picked member answers."""

    cost = "1 router prefill (generate: 1 short call) + 1 call per query"
    fidelity = (
        "router: best on dev, ties to the lower cost, then the lower index",
        "decision=score: log-probability of each number including the end of turn, so that 1 never owns 10",
        "decision=generate: greedy, first whole number in 1..n; unreadable: the router itself",
        "deviates: the released code samples 512 tokens at temperature 0.7 and takes the largest number found as a substring",
        "tests: tests/methods/test_prompt_routing.py",
    )
    presets = {"moco": {"decision": "generate"}}

    descriptions: dict[str, str] = {}
    """Description by member name; by default the pool's."""
    router: str | None = None
    """Name of the routing member; None takes the best on dev."""
    decision: Literal["score", "generate"] = "score"
    """Compare the probabilities of the numbers, or let the router write one."""
    rotations: Annotated[int, Field(ge=1)] = 1
    """How many cyclic orders of the descriptions are scored and averaged (position bias)."""
    template: str = ROUTE
    """The routing prompt; {question} and {models} are filled in."""
    line: str = "{number}. {description}"
    """One line of the list of models."""
    reply: str = "Answer: {number}"
    """What a router's verdict looks like; it is scored, or read after its last fixed word."""
    max_tokens: Annotated[int, Field(ge=1)] = 64
    """Room for a written verdict; only its last line counts."""

    ranking_: Ranking | None = None

    def check(self, pool: Pool) -> None:
        super().check(pool)
        for index in range(len(pool) if len(pool) > 1 else 0):
            self.describe(pool, index)
        if self.decision == "score" and len(pool) > 1:
            for member in pool if self.router is None else [pool[self.router]]:
                if "SCORE" not in member.model.capabilities:
                    raise PoolError(
                        f"prompt_routing needs SCORE of member '{member.name}', which may be the router",
                        remedy="set decision: generate, or name a local router",
                    )

    async def fit(self, pool: Pool, dev: Examples, run: Run) -> None:
        if self.router is None and len(pool) > 1:
            self.ranking_ = await rank_on_dev(pool, dev, run)

    async def answer(self, query: Query, pool: Pool) -> Answer:
        if len(pool) == 1:
            return answer_of(await pool.ask(0, query), reason={"route": pool.names[0]})
        router = self.choose_router(pool)
        decide = self.by_score if self.decision == "score" else self.by_words
        chosen, confidence, why = await decide(query, pool, router)
        reason = {"router": router, "route": chosen, **why}
        return answer_of(await pool.ask(chosen, query), confidence=confidence, reason=reason)

    def choose_router(self, pool: Pool) -> str:
        if self.router is not None:
            return pool[self.router].name
        if self.ranking_ is None:
            return pool.names[0]
        ranked = self.ranking_
        return min(pool, key=lambda m: (-ranked.mean(m.name), m.cost, m.index)).name

    def prompt(self, query: Query, pool: Pool, order: list[int]) -> Request:
        """The routing request with the members listed in ``order``, greedy."""
        listed = [self.line.format(number=i, description=self.describe(pool, m)) for i, m in enumerate(order, 1)]
        text = self.template.format(question=query.question, models="\n".join(listed))
        return query.request(text, temperature=0, max_tokens=self.max_tokens)

    def describe(self, pool: Pool, index: int) -> str:
        member = pool[index]
        text = self.descriptions.get(member.name) or member.description
        if not text:
            raise PoolError(
                f"member '{member.name}' has no description",
                where="prompt_routing",
                remedy="write description: ... at the pool entry, or descriptions: {name: ...} at the method",
            )
        return text

    async def by_score(self, query: Query, pool: Pool, router: str) -> Route:
        """Route to the number with the highest log-probability, averaged over cyclic orders; ties to the lower index."""
        n = len(pool)
        scores = np.zeros(n)
        for turn in range(min(self.rotations, n)):
            order = [(i + turn) % n for i in range(n)]
            request = self.prompt(query, pool, order)
            for number, index in enumerate(order, 1):
                found = await pool.score(router, request, self.reply.format(number=number))
                scores[index] += found.total + found.end
        scores /= min(self.rotations, n)
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        best = int(np.argmax(scores))
        listed = {m.name: round(float(s), 6) for m, s in zip(pool, scores, strict=True)}
        return pool.names[best], float(shares[best]), {"scores": listed}

    async def by_words(self, query: Query, pool: Pool, router: str) -> Route:
        """Route to the number the router writes; an unreadable verdict falls back to the router."""
        verdict = await pool.ask(router, self.prompt(query, pool, list(range(len(pool)))), stage="route")
        mark = self.reply.partition("{number}")[0].strip()
        tail = verdict.text.rpartition(mark)[2] if mark and mark in verdict.text else verdict.text
        number = first_number(tail, len(pool))
        chosen = router if number is None else pool.names[number - 1]
        return chosen, None, {"parsed": number is not None, "verdict": verdict.text}
