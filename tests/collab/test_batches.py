"""Methods are written for one query; many live queries leave the queue together, and give what each gives alone."""

from __future__ import annotations

import asyncio

import moco
from moco.collab import Fitted, bounded, request_for
from moco.models.store import Store


class ThreeSteps(moco.Method):
    """Answer, read the own answer, answer again, twice."""

    cost = "3 calls per query"

    async def answer(self, query: moco.Query, pool: moco.Pool) -> moco.Answer:
        draft = await pool.ask(0, query)
        for round in (1, 2):
            prompt = f"Question: {query.question}\nDraft: {draft.text}\nRevised answer:"
            draft = await pool.ask(0, query.request(prompt), stage="revise", round=round, sees=[draft])
        return moco.Answer(draft.text, draft.member)


moco.register("three_steps_of_the_tests", level="text")(ThreeSteps)


def test_five_hundred_live_queries_of_three_steps_fill_the_batches() -> None:
    pool = moco.Pool(["playground/alpha"], store=Store(None))
    counters = pool[0].model.model.counters  # type: ignore[attr-defined]
    task = moco.load_task("playground/mixed")
    team = Fitted(ThreeSteps(), pool).as_model()
    requests = [request_for(task, r, moco.Sampling(max_tokens=12)) for r in [*task.dev, *task.test][:500]]
    together = asyncio.run(bounded(team.generate, requests, lambda done: None))
    assert len(together) == 500
    rows = counters.completion_tokens / counters.forwards
    assert rows >= 32, f"{rows:.1f} rows per forward pass"
    fresh = Fitted(ThreeSteps(), moco.Pool(["playground/alpha"], store=Store(None))).as_model()
    for i in (0, 123, 499):
        assert asyncio.run(fresh.generate(requests[i])).text == together[i].text
