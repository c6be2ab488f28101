"""Methods are written for one query; many live queries leave the queue together, and give what each gives alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import moco
from moco.collab import Fitted, bounded, request_for
from moco.models.store import Store

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "batches.py"
"""The method that `make bench` measures: answer, then revise the own answer twice."""


def test_five_hundred_live_queries_of_three_steps_fill_the_batches() -> None:
    pool = moco.Pool(["playground/alpha"], store=Store(None))
    counters = pool[0].model.model.counters  # type: ignore[attr-defined]
    task = moco.load_task("playground/mixed")
    method = moco.load_method(f"{BENCHMARK}:ThreeSteps")
    team = Fitted(method, pool).as_model()
    requests = [request_for(task, r, moco.Sampling(max_tokens=12)) for r in [*task.dev, *task.test][:500]]
    together = asyncio.run(bounded(team.generate, requests, lambda done: None))
    assert len(together) == 500
    rows = counters.completion_tokens / counters.forwards
    assert rows >= 32, f"{rows:.1f} rows per forward pass"
    fresh = Fitted(method, moco.Pool(["playground/alpha"], store=Store(None))).as_model()
    for i in (0, 123, 499):
        assert asyncio.run(fresh.generate(requests[i])).text == together[i].text
