"""Single: one member and nothing else, the baseline every collaboration is compared with.

It shares prompt, sampling and grading with all methods, so its answer is what any router gives that always picks it.
"""

from __future__ import annotations

from moco.collab.method import Method, register
from moco.collab.run import Examples, Run
from moco.core.query import Query
from moco.core.types import Answer
from moco.discussion import Ranking, answer_of, rank_on_dev
from moco.models.pool import Pool


@register("single", level="baseline", paper="arXiv:2601.21257", fit="optional")
class Single(Method):
    """One member answers: the named one, else the best on dev, else (unfitted) the first."""

    cost = "1 call per query"
    fidelity = (
        "the request is the untouched task prompt: the store shares the answer with every other method",
        "deviates: sampling is the study's (the released code cut this baseline at 100 tokens, the others at 512)",
        "tests: tests/methods/test_single.py",
    )

    member: str | None = None
    """Name of the member; None picks the best on dev."""

    ranking_: Ranking | None = None

    async def fit(self, pool: Pool, dev: Examples, run: Run) -> None:
        if self.member is None and len(pool) > 1:
            self.ranking_ = await rank_on_dev(pool, dev, run)

    async def answer(self, query: Query, pool: Pool) -> Answer:
        who = self.member or (self.ranking_.best(pool) if self.ranking_ else pool.names[0])
        return answer_of(await pool.ask(who, query), reason={"member": who})
