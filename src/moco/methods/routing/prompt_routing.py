"""Prompt routing: a member reads the question and one description per member, and names who shall answer (arXiv 2601.21257).

Knows nothing of scores: a decision never changes the chosen member's prompt or seed, so its answer is the shared one.
"""

from __future__ import annotations

import itertools
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from moco.collab.method import Method, register
from moco.collab.run import Examples, Run
from moco.core.errors import ConfigError, PoolError
from moco.core.query import Query
from moco.core.types import Answer, Request
from moco.discussion import Ranking, answer_of, rank_on_dev
from moco.discussion.budget import reader_of
from moco.discussion.selection import first_number
from moco.discussion.template import Template
from moco.models.pool import Pool
from moco.routers import descriptions_of, dev_costs, fixed_words, relative, shown_question

ROUTE = Template(
    """\
Below are the descriptions of several models. Choose the number of the model that should answer the query.
Models:
{models}
Query: {question}
Reply with the number of the model.""",
    ("models", "question"),
    needs=("models", "question"),
)
LINE = Template("{number}. {description}", ("number", "description"), needs=("number", "description"))
REPLY = Template("Answer: {number}", ("number",), needs=("number",))

Floats = np.ndarray[Any, np.dtype[np.float64]]
Route = tuple[str, float | None, dict[str, object]]
"""Chosen member, confidence in [0, 1] where there is one, and the reason."""


@register("prompt_routing", level="routing", paper="arXiv:2601.21257", fit="optional")
class PromptRouting(Method):
    """The best member on dev (or a named one) picks by description; only the picked member answers."""

    cost = "1 router prefill (generate: 1 short call; pairwise: n x (n - 1) prefills) + 1 call per query"
    fidelity = (
        "router: best on dev, ties to the lower cost, then the lower index",
        "decision=score: log-probability of each number including the end of turn, so that 1 never owns 10",
        "decision=generate: greedy, first whole number in 1..n after `Answer:`; unreadable: the router itself",
        "deviates: 64 tokens instead of 8 for a written verdict: small members repeat the question before they answer",
        "decision=pairwise: ours; two descriptions at a time, in both orders, mean probability of being preferred",
        "label_order=permute averages over cyclic orders of the list; permute:p over p of them",
        "a question that repeats words of the prompt is fenced by a mark of its own, a plain one is not (fence=always: all are)",
        "deviates: the released code samples 512 tokens at temperature 0.7 and takes the largest number found as a substring",
        "tests: tests/methods/test_prompt_routing.py",
    )
    presets = {"moco": {"decision": "generate"}}

    descriptions: dict[str, str] = {}
    """Description by member name; by default the pool's."""
    router: str | None = None
    """Name of the routing member; None takes the best on dev. A named one needs no dev, and then reasons hold no costs."""
    decision: Literal["score", "generate", "pairwise"] = "score"
    """Compare the probabilities of the numbers, let the router write one, or compare two members at a time."""
    label_order: Annotated[str, Field(pattern=r"^(fixed|permute(:[1-9][0-9]*)?)$")] = "fixed"
    """`score`: the list as the pool has it, or averaged over all cyclic orders (`permute`) or p of them (`permute:p`)."""
    template: Annotated[str, ROUTE.option] = ROUTE.text
    """The routing prompt; {question} and {models} are filled in."""
    line: Annotated[str, LINE.option] = LINE.text
    """One line of the list of models."""
    reply: Annotated[str, REPLY.option] = REPLY.text
    """What a router's verdict looks like; it is scored, or read after its last fixed word."""
    fence: Literal["auto", "always"] = "auto"
    """Put the question between fences where it repeats words of the prompt, or always (the embedded routers know plain ones)."""
    max_tokens: Annotated[int, Field(ge=1)] = 64
    """Room for a written verdict; only its last line counts."""

    ranking_: Ranking | None = None
    costs_: tuple[float, ...] = ()

    def check(self, pool: Pool) -> None:
        super().check(pool)
        if len(pool) > 1:
            self.described(pool)
        if self.decision != "score" and self.label_order != "fixed":
            raise ConfigError(
                "label_order goes with decision: score", where="prompt_routing", remedy="set it, or drop label_order"
            )
        if self.decision != "generate" and len(pool) > 1:
            for member in pool if self.router is None else [pool[self.router]]:
                if "SCORE" not in member.model.capabilities:
                    raise PoolError(
                        f"prompt_routing needs SCORE of member '{member.name}', which may be the router",
                        remedy="set decision: generate, or name a local router",
                    )

    def compatible(self, pool: Pool) -> None:
        """Whether every member that may route has room for the descriptions; raises PoolError where they alone are too long."""
        for member in pool if self.router is None else [pool[self.router]]:
            reader = reader_of(member)
            if reader.context is None or len(pool) < 2:
                continue
            size = reader.size(self.prompt(Query.of(""), pool, member.name, list(range(len(pool)))))
            if size >= reader.context:
                raise PoolError(
                    f"the routing prompt takes {size} tokens before any question, '{member.name}' reads {reader.context}",
                    where="prompt_routing",
                    remedy="shorten the descriptions, or name a router with a longer context",
                )

    async def fit(self, pool: Pool, dev: Examples, run: Run) -> None:
        if self.router is None and len(pool) > 1:
            self.ranking_ = await rank_on_dev(pool, dev, run)
            self.costs_ = tuple(relative(await dev_costs(pool, dev, run)).tolist())

    async def answer(self, query: Query, pool: Pool) -> Answer:
        if len(pool) == 1:
            return answer_of(await pool.ask(0, query), reason={"route": pool.names[0]})
        router = self.choose_router(pool)
        decide = {"score": self.by_score, "generate": self.by_words, "pairwise": self.by_pairs}[self.decision]
        chosen, confidence, why = await decide(query, pool, router)
        reason = {"router": router, "route": chosen, **why}
        if self.costs_:
            reason["costs"] = {name: round(cost, 6) for name, cost in zip(pool.names, self.costs_, strict=True)}
        return answer_of(await pool.ask(chosen, query), confidence=confidence, reason=reason)

    def choose_router(self, pool: Pool) -> str:
        if self.router is not None:
            return pool[self.router].name
        if self.ranking_ is None:
            return pool.names[0]
        ranked = self.ranking_
        return min(pool, key=lambda m: (-ranked.mean(m.name), m.cost, m.index)).name

    def prompt(self, query: Query, pool: Pool, router: str, order: list[int]) -> Request:
        """The request to ``router`` with the members listed in ``order``, greedy."""
        line, about = LINE.but(self.line), self.described(pool)
        models = [line.fill(number=str(i), description=about[m]) for i, m in enumerate(order, 1)]
        text = ROUTE.but(self.template).fill(question=self.shown(query, pool, router), models="\n".join(models))
        return query.request(text, temperature=0, max_tokens=self.max_tokens)

    def described(self, pool: Pool) -> list[str]:
        return descriptions_of(pool, self.descriptions, "prompt_routing", "descriptions: {name: ...} at the method")

    def shown(self, query: Query, pool: Pool, router: str) -> str:
        """The question as ``router`` sees it."""
        route, reply = ROUTE.but(self.template), REPLY.but(self.reply)
        words = fixed_words(lambda hole: f"{route.fill(question=hole, models=hole)}\n{reply.fill(number=hole)}")
        return shown_question(query.question, words, reader_of(pool[router]).neutral, always=self.fence == "always")

    async def by_score(self, query: Query, pool: Pool, router: str) -> Route:
        """Route to the number with the highest log-probability, averaged over cyclic orders; ties to the lower index."""
        n, orders = len(pool), self.orders(len(pool))
        scores = np.zeros(n)
        for turn in range(orders):
            order = [(i + turn) % n for i in range(n)]
            scores[order] += await self.label_scores(query, pool, router, order)
        scores /= orders
        best = int(np.argmax(np.round(scores, 9)))
        return pool.names[best], float(shares(scores)[best]), {"scores": listed(pool, scores)}

    async def by_pairs(self, query: Query, pool: Pool, router: str) -> Route:
        """Route to the member with the highest mean probability of being preferred to another one; ties to the lower index."""
        n = len(pool)
        scores = np.zeros(n)
        for one, two in itertools.combinations(range(n), 2):
            for order in ([one, two], [two, one]):
                scores[order] += shares(await self.label_scores(query, pool, router, order)) / (2 * (n - 1))
        best = int(np.argmax(np.round(scores, 12)))
        return pool.names[best], float(scores[best]), {"scores": listed(pool, scores)}

    async def label_scores(self, query: Query, pool: Pool, router: str, order: list[int]) -> Floats:
        """(number,) log-probability of each number, its end of turn included, with the members listed in ``order``."""
        request = self.prompt(query, pool, router, order)
        found = [await pool.score(router, request, REPLY.but(self.reply).fill(number=str(i))) for i in range(1, len(order) + 1)]
        return np.array([f.total + f.end for f in found])

    def orders(self, n: int) -> int:
        """How many cyclic orders are scored."""
        if self.label_order == "fixed":
            return 1
        wanted = self.label_order.partition(":")[2]
        return min(int(wanted), n) if wanted else n

    async def by_words(self, query: Query, pool: Pool, router: str) -> Route:
        """Route to the number the router writes; an unreadable verdict falls back to the router."""
        verdict = await pool.ask(router, self.prompt(query, pool, router, list(range(len(pool)))), stage="route")
        mark, said = self.reply.partition("{number}")[0].strip(), verdict.text.replace(self.shown(query, pool, router), "")
        tail = said.rpartition(mark)[2] if mark else said  # all of it where the mark is not there
        number = first_number(tail, len(pool))
        chosen = router if number is None else pool.names[number - 1]
        return chosen, None, {"parsed": number is not None, "verdict": verdict.text}


def shares(scores: Floats) -> Floats:
    """Log-probabilities as shares of their sum; alike where the router gives none of them any probability."""
    odds = np.exp(scores - scores.max()) if np.isfinite(scores.max()) else np.ones(len(scores))
    out: Floats = odds / odds.sum()
    return out


def listed(pool: Pool, scores: Floats) -> dict[str, float]:
    """Every candidate with its score, for the record."""
    return {m.name: round(float(s), 6) for m, s in zip(pool, scores, strict=True)}
