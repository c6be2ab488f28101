"""`Run.evaluate`: members, models and plans on labelled examples; each pair is answered once, in this run and in the store."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any

import numpy as np
import pytest

import moco
from moco.collab import Example, Run, examples
from moco.core.errors import PoolError
from moco.core.types import Completion, Request, Sampling
from moco.models.hf import HFModel
from moco.models.pool import Pool
from moco.models.store import Store
from moco.testing import ScriptedModel
from moco.weights import MergedModel, Plan
from tests.methods.helpers import pool_of, task_of
from tests.weights.conftest import playground

SAMPLING = Sampling(max_tokens=24, temperature=0)


def dev(count: int = 3, sampling: Sampling = SAMPLING) -> list[Example]:
    return examples(moco.load_task("playground/geo"), sampling, limit=count)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Fingerprints of the models that were really asked, in order."""
    seen: list[str] = []
    generate = HFModel.generate

    async def counted(self: HFModel, request: Request) -> Completion:
        seen.append(self.fingerprint)
        return await generate(self, request)

    monkeypatch.setattr(HFModel, "generate", counted)
    return seen


def test_members_models_and_plans_are_scored_once_each(asked: list[str]) -> None:
    store = Store(None)
    pool, items = playground("alpha", "beta", store=store), dev()
    soup = Plan.linear(pool)
    run = Run(0, SAMPLING, store=store)
    refs: list[Any] = [pool["alpha"], soup, pool["beta"].model, Plan.linear(pool, [1, 1]), Plan.linear([pool["alpha"]] * 2)]
    scores = asyncio.run(run.evaluate(refs, items))
    assert scores.shape == (5, 3) and scores.dtype == np.float64
    assert scores[1].tolist() == scores[3].tolist() and scores[0].tolist() == scores[4].tolist()
    assert len(asked) == 9 and len(set(asked)) == 3, "three different models, three examples"
    assert asyncio.run(run.evaluate(refs[::-1], items)).tolist() == scores[::-1].tolist()
    assert asyncio.run(run.evaluate([soup], items[1:])).tolist() == [scores[1].tolist()[1:]]
    assert len(asked) == 9


def test_it_is_what_the_merged_model_scores() -> None:
    pool, items = playground("alpha", "beta"), dev()
    soup = Plan.linear(pool)
    found = asyncio.run(Run(0, SAMPLING, store=pool.store).evaluate([soup], items))

    async def by_hand() -> list[float]:
        model = pool.model(soup)
        return [await e.score((await model.generate(e.query.request())).text) for e in items]

    assert found.tolist() == [asyncio.run(by_hand())]


def test_a_warm_store_asks_and_loads_nothing(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    store, items = Store(None), dev()

    def once() -> list[list[float]]:
        pool = playground("alpha", "beta", store=store)
        run = Run(0, SAMPLING, store=store)
        return asyncio.run(run.evaluate([*pool, Plan.linear(pool)], items)).tolist()

    first, paid = once(), len(asked)
    monkeypatch.setattr(MergedModel, "load", None)
    assert once() == first and len(asked) == paid > 0


def test_candidates_go_one_after_another_each_with_all_examples_in_one_batch() -> None:
    pool, items, batches = playground("alpha", "beta", "gamma"), dev(5), []

    class Watched(MergedModel):
        def _serve(self, rows: Any, deliver: Any, more: Any) -> None:
            batches.append((self.name, len(rows)))
            super()._serve(rows, deliver, more)

    plans = [Plan.linear(list(pool)[:2]), Plan.linear(list(pool)[1:]), Plan.linear(pool)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("moco.weights.building.MergedModel", Watched)
        asyncio.run(Run(0, SAMPLING, store=pool.store).evaluate(plans, items))
    assert batches == [(plan.title, 5) for plan in plans]


def test_everybody_gets_the_same_seed_for_an_example_and_the_options_given() -> None:
    pool = pool_of("Answer: A", "Answer: B")
    items = examples(task_of("A", dev="AB"), Sampling(temperature=0.7))
    run = Run(0, Sampling(temperature=0.7))
    scores = asyncio.run(run.evaluate(list(pool), items))
    assert scores.tolist() == [[1, 0], [0, 1]]
    one, two = (m.model.model.requests for m in pool)  # type: ignore[attr-defined]
    seeds = [[r.seed for r in requests] for requests in (one, two)]
    assert seeds[0] == seeds[1] and None not in seeds[0] and len(set(seeds[0])) == 2
    cold = asyncio.run(run.evaluate(list(pool), items, temperature=0, max_tokens=9))
    assert cold.tolist() == scores.tolist()
    assert [(r.sampling.temperature, r.sampling.max_tokens, r.seed) for r in one[2:]] == [(0, 9, None)] * 2


def test_nothing_to_ask_is_no_error_and_progress_is_told() -> None:
    told: list[tuple[str, int, int]] = []
    pool = pool_of("Answer: A", "Answer: B")
    run = Run(0, SAMPLING, lambda *a: told.append(a))
    assert asyncio.run(run.evaluate([], [])).shape == (0, 0)
    assert asyncio.run(run.evaluate(list(pool), [])).shape == (2, 0)
    asyncio.run(run.evaluate(list(pool), examples(task_of("A", dev="AB"), SAMPLING)))
    assert told == [("evaluate", i, 4) for i in (1, 2, 3, 4)]


def test_one_failure_ends_it() -> None:
    def fails(request: Request) -> str:
        raise PoolError("gone")

    pool = Pool([ScriptedModel("a", "Answer: A"), ScriptedModel("b", fails)], store=Store(None))
    with pytest.raises(PoolError, match="gone"):
        asyncio.run(Run(0, SAMPLING, store=pool.store).evaluate(list(pool), examples(task_of("A", dev="AB"), SAMPLING)))
    mixed = playground("alpha", "mentor")
    with pytest.raises(PoolError, match="cannot merge alpha and mentor"):
        asyncio.run(Run(0, SAMPLING, store=mixed.store).evaluate([Plan.linear(mixed)], dev()))


def test_after_the_run_no_candidate_keeps_its_weights() -> None:
    pool = playground("alpha", "beta")
    run = Run(0, SAMPLING, store=pool.store)

    async def go() -> Any:
        await run.evaluate([Plan.linear(pool), Plan.linear(pool, [1, 2])], dev(1))
        assert run._slot is not None and run._slot.merges == 2
        network = weakref.ref(run._slot._network)
        assert network() is not None
        await run.close()
        return network

    assert asyncio.run(go())() is None
