"""How full the batches are: live queries of a three-step method on one playground model.

Prints the mean number of rows in a forward pass for several numbers of live queries, and the ratio of wall time against the same
queries asked one after another (measured side by side in this run).
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import moco
from moco.collab import Fitted, bounded, request_for
from moco.models.store import Store


@moco.register("three_steps", level="text")
class ThreeSteps(moco.Method):
    """Answer, read the own answer, answer again, twice."""

    cost = "3 calls per query"

    async def answer(self, query: moco.Query, pool: moco.Pool) -> moco.Answer:
        draft = await pool.ask(0, query)
        for round in (1, 2):
            prompt = f"Question: {query.question}\nDraft: {draft.text}\nRevised answer:"
            draft = await pool.ask(0, query.request(prompt), stage="revise", round=round, sees=[draft])
        return moco.Answer(draft.text, draft.member)


def measure(live: int, serial: bool = False) -> tuple[float, float, int]:
    """Seconds per query, mean rows in a forward pass, and answered queries."""
    pool = moco.Pool([{"model": "playground/alpha", "name": "alpha"}], store=Store(None))
    counters = pool[0].model.model.counters  # type: ignore[attr-defined]
    task = moco.load_task("playground/mixed")
    team = Fitted(ThreeSteps(), pool).as_model()
    requests = [request_for(task, r, moco.Sampling(max_tokens=48)) for r in [*task.dev, *task.test][:live]]

    async def run() -> tuple[float, float, int]:
        await team.generate(requests[0].but(draw=(9,)))  # loads the weights
        tokens, forwards, begun = counters.completion_tokens, counters.forwards, time.perf_counter()
        await bounded(team.generate, requests, lambda done: None, 1 if serial else 1024)
        seconds = (time.perf_counter() - begun) / len(requests)
        return seconds, (counters.completion_tokens - tokens) / (counters.forwards - forwards), len(requests)

    return asyncio.run(run())


def main() -> None:
    alone, rows, n = measure(32, serial=True)
    sys.stdout.write(f"one after another: {n} queries, {rows:.1f} rows per forward pass, {alone * 1000:.1f} ms per query\n")
    for live in (64, 250, 500):
        seconds, rows, n = measure(live)
        sys.stdout.write(f"{n} live queries: {rows:.1f} rows per forward pass, {alone / seconds:.1f} times as fast per query\n")


if __name__ == "__main__":
    main()
