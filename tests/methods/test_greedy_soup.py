"""The greedy soup: the official script's choices, the rules of acceptance, and what a fit asks and keeps."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moco
from moco.collab import Fitted, Run, examples, fit, load_method
from moco.core.errors import ConfigError, MethodError, PoolError
from moco.core.types import Sampling
from moco.methods.weight.greedy_soup import GreedySoup, Search
from moco.models.store import Store
from moco.weights import Plan, linear
from tests.methods.helpers import ask, fitted, task_of
from tests.weights.conftest import playground

Points = np.ndarray[Any, Any]


def soup_of(models: Points, score: Any, **options: Any) -> tuple[Search, list[tuple[str, ...]]]:
    """The search over tensors ``models[i]`` called m0, m1, ..., where ``score(tensor)`` gives scores [example]."""
    names, tried = [f"m{i}" for i in range(len(models))], []

    async def scored(chosen: Sequence[str]) -> Points:
        tried.append(tuple(chosen))
        picked = [models[names.index(n)] for n in chosen]
        return np.array(score(linear(picked, [1.0] * len(picked))), dtype=float)

    singles = np.array([score(m) for m in models], dtype=float)
    method = load_method("greedy_soup", **options)
    assert isinstance(method, GreedySoup)
    return asyncio.run(method.search(names, singles, scored)), tried


def near(target: Points) -> Any:
    """A concave score of a tensor with one example: minus the mean squared distance to ``target``."""
    return lambda w: [1 - float(np.mean((np.asarray(w, dtype=np.float64) - target) ** 2))]


def test_the_official_scripts_run(shared: Path) -> None:
    found = json.loads((shared / "vectors" / "weight_greedy_soup.json").read_text())
    target = np.float32(found["inputs"]["target"])
    models = np.float32(found["inputs"]["models"])

    def score(w: Points) -> list[float]:
        return [round(100 - 100 * float(np.mean((w.astype(np.float64) - target) ** 2)), 3)]

    search, _ = soup_of(models, score, accept="gt", ties="reversed")
    assert list(search.ingredients) == [n.replace("model_", "m") for n in found["ingredients_in_order"]]
    np.testing.assert_allclose([s.score for s in search.steps], found["candidate_scores"], atol=1e-3)
    assert search.score == pytest.approx(found["final_score"], abs=1e-3)
    final = linear([models[int(n[1:])] for n in search.ingredients], [1.0] * len(search.ingredients))
    np.testing.assert_allclose(final, np.float32(found["final_soup"]), atol=1e-5)


def test_by_hand() -> None:
    models = np.float32([[2.0], [-1.0], [0.5], [5.0]])
    search, tried = soup_of(models, near(np.zeros(1)))
    assert tried == [("m2", "m1"), ("m2", "m1", "m0"), ("m2", "m1", "m3")]
    assert search.ingredients == ("m2", "m1")
    assert [(s.name, s.accepted) for s in search.steps] == [("m1", True), ("m0", False), ("m3", False)]
    assert search.order == ("m2", "m1", "m0", "m3")
    assert search.singles["m0"] == -3
    assert search.score == 1 - 0.0625


MODELS = st.lists(st.lists(st.integers(-8, 8), min_size=2, max_size=2), min_size=1, max_size=6)


@settings(deadline=None, max_examples=60)
@given(MODELS, st.sampled_from(["ge", "gt"]))
def test_it_is_never_worse_than_the_best_member_and_never_falls(values: list[list[int]], accept: str) -> None:
    models = np.float32(values)
    search, tried = soup_of(models, near(np.float32([1, 2])), accept=accept)
    climbed = [max(search.singles.values()), *(s.score for s in search.steps if s.accepted)]
    assert search.score == climbed[-1] >= climbed[0]
    assert climbed == sorted(climbed)
    assert accept == "ge" or len(set(climbed)) == len(climbed)
    assert len(tried) == len(set(tried)) == len(models) - 1, "one pass, nothing twice"


@settings(deadline=None, max_examples=60)
@given(MODELS.filter(lambda v: len(v) > 1), st.randoms(use_true_random=False))
def test_the_order_of_the_pool_does_not_matter_where_scores_differ(values: list[list[int]], random: Any) -> None:
    models, score = np.float32(values), near(np.float32([0.3, 0.7]))
    if len({score(m)[0] for m in models}) < len(models):
        return
    order = random.sample(range(len(models)), len(models))
    one, _ = soup_of(models, score, accept="gt", min_gain=1e-4)
    two, _ = soup_of(models[order], score, accept="gt", min_gain=1e-4)
    assert [f"m{order[int(n[1:])]}" for n in two.ingredients] == list(one.ingredients)


def test_equal_models_join_under_ge_and_not_under_gt() -> None:
    models = np.float32([[1.0], [1.0], [1.0]])
    assert soup_of(models, near(np.zeros(1)))[0].ingredients == ("m0", "m1", "m2")
    assert soup_of(models, near(np.zeros(1)), ties="reversed")[0].ingredients == ("m2", "m1", "m0")
    assert soup_of(models, near(np.zeros(1)), accept="gt")[0].ingredients == ("m0",)


def test_a_gain_can_be_asked_for() -> None:
    models = np.float32([[1.0], [-0.9]])

    def score(w: Points) -> list[float]:
        return [1 - abs(float(w[0])), 0.5, 0.5]

    assert len(soup_of(models, score)[0].ingredients) == 2
    gain = (0.95 - 0.1) / 3
    assert len(soup_of(models, score, min_gain=gain - 1e-6)[0].ingredients) == 2
    assert len(soup_of(models, score, min_gain=gain + 1e-6)[0].ingredients) == 1
    assert len(soup_of(models, score, min_gain_se=0.9)[0].ingredients) == 2, "one of three changed: gain = its standard error"
    assert len(soup_of(models, score, min_gain_se=1.1)[0].ingredients) == 1


def test_a_soup_can_be_kept_small() -> None:
    search, tried = soup_of(np.float32([[1.0]] * 5), near(np.zeros(1)), max_ingredients=2)
    assert search.ingredients == ("m0", "m1") and len(tried) == 1


def test_scores_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(MethodError, match="no score"):
        soup_of(np.float32([[1.0], [2.0]]), lambda w: [float("nan")])
    with pytest.raises(MethodError, match="no score"):
        soup_of(np.float32([[1.0]]), lambda w: [])


def trained(pool: moco.Pool, **options: Any) -> Fitted:
    task = moco.load_task("playground/geo", limit=6)
    work = fit(load_method("greedy_soup", **options), pool, task, sampling=Sampling(max_tokens=24, temperature=0.7), dev_limit=6)
    return asyncio.run(work)


def search_of(done: Fitted) -> Search:
    search = done.method.state["search_"]
    assert isinstance(search, Search)
    return search


def test_a_fit_scores_what_evaluate_scores_and_serves_the_soup(tmp_path: Path) -> None:
    pool = playground("alpha", "beta", "delta")
    done = trained(pool)
    search = search_of(done)
    cold = Sampling(max_tokens=24, temperature=0)
    items = examples(moco.load_task("playground/geo", limit=6), cold, limit=6)
    singles = asyncio.run(Run(0, cold, store=pool.store).evaluate(list(pool), items)).mean(axis=1)
    assert search.singles == pytest.approx(dict(zip(pool.names, singles, strict=True)))
    assert [search.singles[n] for n in search.order] == sorted(search.singles.values(), reverse=True)
    assert search.n == 6 and len(search.steps) == 2
    assert search.score >= max(singles)
    soup = Plan.linear([pool[n] for n in search.ingredients])
    assert done.as_model("soup").fingerprint == pool.model(soup).fingerprint
    assert len(done.log[0]["greedy_soup"]["examples"]) == 6
    done.save(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"method.json", "state.json"}, "names, no weights"
    again = Fitted.load(tmp_path, playground("alpha", "beta", "delta"))
    assert search_of(again) == search
    assert again.as_model().fingerprint == done.as_model().fingerprint


def test_a_fit_on_a_warm_store_asks_nothing() -> None:
    store = Store(None)
    first = trained(playground("alpha", "beta", store=store))
    pool = playground("alpha", "beta", store=store)
    paid = [m.model.paid_calls for m in pool]  # type: ignore[attr-defined]
    counted = pool[0].model.model.counters.generated  # type: ignore[attr-defined]
    assert search_of(trained(pool)) == search_of(first)
    assert [m.model.paid_calls for m in pool] == paid  # type: ignore[attr-defined]
    assert pool[0].model.model.counters.generated == counted  # type: ignore[attr-defined]


def test_identical_members_are_the_member() -> None:
    pool = playground("alpha", "alpha")
    done = trained(pool)
    assert search_of(done).ingredients == ("alpha", "alpha-2")
    assert done.as_model().fingerprint == pool[0].model.fingerprint


def test_part_of_dev_and_a_random_order_are_seeded_and_recorded() -> None:
    pool = playground("alpha", "beta")
    done = trained(pool, select=0.5, order="random", temperature=None)
    assert done.log[0] == {"split": {"fit": 3, "select": 3}}
    assert len(done.log[1]["greedy_soup"]["examples"]) == search_of(done).n == 3
    assert search_of(trained(pool, select=0.5, order="random", temperature=None)) == search_of(done)


def test_what_cannot_be_a_soup_is_refused_before_anything_is_asked() -> None:
    pool = playground("alpha", "mentor")
    with pytest.raises(PoolError, match=r"cannot merge alpha and mentor.*tensor"):
        trained(pool)
    with pytest.raises(ConfigError, match="no dev data"):
        fitted("greedy_soup", playground("alpha"), task_of("A"))
    with pytest.raises(MethodError, match="has not been fitted"):
        ask("greedy_soup", playground("alpha", "beta"))
