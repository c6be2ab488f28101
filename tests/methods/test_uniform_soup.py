"""The uniform soup: the average of all members as one model, under the law."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from moco.collab import Fitted, load_method
from moco.core.errors import PoolError
from moco.models.pool import Pool
from moco.models.store import Store
from moco.weights import Plan
from tests.methods.helpers import ask, pool_of, request
from tests.weights.conftest import playground

COLD = request("What is 3 + 4?", spec=None, temperature=0).but(sampling=request(temperature=0).sampling.but(max_tokens=12))


def test_it_is_the_merged_model_and_shares_its_answers() -> None:
    pool = playground("alpha", "beta", "gamma")
    team, merged = Fitted(load_method("uniform_soup"), pool).as_model("soup"), pool.model(Plan.linear(pool))
    assert team.name == "soup" and merged.name == "linear(alpha,beta,gamma)"
    assert team.fingerprint == merged.fingerprint and team.key(COLD) == merged.key(COLD)
    assert {"WEIGHTS", "SCORE", "TEXT"} <= team.capabilities.names
    first = team(COLD)
    assert asyncio.run(merged.generate(COLD)).text == first
    assert (team.paid_calls, merged.paid_calls) == (1, 0)


@pytest.mark.parametrize("names", [["alpha"], ["alpha", "alpha", "alpha"]])
def test_a_soup_of_one_model_is_that_model(names: list[str]) -> None:
    pool = playground(*names)
    team = Fitted(load_method("uniform_soup"), pool).as_model("soup")
    assert team.fingerprint == pool[0].model.fingerprint and team.key(COLD) == pool[0].model.key(COLD)
    assert team.name == "soup" and pool[0].model.name == "alpha", "the member keeps its name"
    assert team(COLD) == asyncio.run(pool[0].model.generate(COLD)).text


def test_a_soup_is_an_ingredient() -> None:
    pool = playground("alpha", "beta", "gamma")
    inner = Fitted(load_method("uniform_soup"), pool.only(["alpha", "beta"])).as_model("inner")
    outer = Pool([inner, pool["gamma"].model], store=Store(None))
    nested = Plan.linear([Plan.linear(list(pool)[:2]), pool["gamma"]])
    assert outer.names == ["inner", "gamma"]
    assert Fitted(load_method("uniform_soup"), outer).as_model().fingerprint == pool.model(nested).fingerprint


def test_options_are_those_of_the_plan() -> None:
    pool = playground("alpha", "beta")
    chosen = Fitted(load_method("uniform_soup", donor="beta", dtype="bfloat16"), pool).as_model()
    assert chosen.fingerprint == pool.model(Plan.linear(pool, donor="beta", dtype="bfloat16")).fingerprint
    released = Fitted(load_method("uniform_soup", preset="moco"), pool).as_model()
    assert released.fingerprint == pool.model(Plan.linear(pool, dtype="float16")).fingerprint


def test_members_that_cannot_be_averaged_are_refused() -> None:
    with pytest.raises(PoolError, match="cannot merge alpha and foreign"):
        ask("uniform_soup", playground("alpha", "foreign"))
    with pytest.raises(PoolError, match=r"needs WEIGHTS of member 'a'"):
        ask("uniform_soup", pool_of("hi", "ho"))


def test_saved_it_holds_no_weights(tmp_path: Path) -> None:
    done = Fitted(load_method("uniform_soup"), playground("alpha", "beta"))
    done.save(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"method.json", "state.json"}
    again = Fitted.load(tmp_path, playground("alpha", "beta")).as_model("again")
    assert again.fingerprint == done.as_model().fingerprint and again.name == "again"
