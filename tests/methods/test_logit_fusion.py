"""Logit fusion as a method: its options, its weights from dev, and that it is a Model like any other."""

from __future__ import annotations

import asyncio

import pytest

from moco.collab import Fitted, load_method
from moco.core.errors import ConfigError, PoolError
from moco.core.types import Request, Sampling, messages_of
from moco.decoding import Group, LogitMean, ProbMean
from moco.models.cached import CachedModel
from moco.models.pool import Pool
from moco.models.store import Store
from moco.testing import TableModel
from tests.decoding.helpers import ask as ask_model
from tests.decoding.helpers import table
from tests.methods.helpers import ask, fitted, pool_of, request, task_of

WORDS = ["Answer: ", "A", "B", "C", "D", "<eos>"]


def sayer(name: str, letter: str, sure: float = 9.0) -> TableModel:
    """Says "Answer: " and then most likely ``letter``."""

    def law(ids: tuple[int, ...]) -> list[float]:
        if ids and ids[-1] == 0:
            return [0.01, *(sure if w == letter else 1.0 for w in "ABCD"), 0.01]
        return [0.01] * 5 + [1.0] if ids and ids[-1] < 5 else [1.0] + [0.01] * 5

    return TableModel(name, WORDS, law)


def team(*members: TableModel) -> Pool:
    return Pool(list(members), store=Store(None))


def made(pool: Pool, **options: object) -> Group:
    group: object = Fitted(load_method("logit_fusion", **options), pool).as_model()
    while isinstance(group, CachedModel):
        group = group.model
    assert isinstance(group, Group)
    return group


COLD = request(temperature=0)


def test_the_members_write_what_their_mean_says() -> None:
    pool = team(sayer("a", "A", 9), sayer("b", "B", 5), sayer("c", "B", 5))
    answer = ask("logit_fusion", pool, COLD)
    assert (answer.text, answer.finish) == ("Answer: B", "stop")
    assert answer.usage.calls == 3 and answer.usage.completion_tokens == 9
    assert ask("logit_fusion", pool, COLD, weights=[3, 1, 1]).text == "Answer: A"


def test_a_mixture_lets_one_propose_where_a_product_lets_all_veto() -> None:
    words = ["A", "B", "<eos>"]
    laws = {"a": [0.9, 0.1, 1e-6], "b": [1e-6, 0.1, 1e-6], "c": [1e-6, 0.1, 1e-6]}
    pool = team(*(TableModel(n, words, lambda ids, p=p: p) for n, p in laws.items()))
    once = COLD.but(sampling=Sampling(1, 0.0))
    assert ask("logit_fusion", pool, once).text == "B"
    assert ask("logit_fusion", pool, once, rule="prob", weights=[8, 1, 1]).text == "A"


def test_options_become_the_rule() -> None:
    pool = team(table("one"), table("two", 4))
    assert made(pool).rule == LogitMean() == made(pool, preset="moco").rule == made(pool, preset="paper").rule
    assert made(pool, rule="prob", weights=[1, 3], missing="renorm").rule == ProbMean((1.0, 3.0), "renorm")


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_identical_members_are_the_single_model(temperature: float) -> None:
    asked = Request(messages=messages_of("abc"), seed=2, sampling=Sampling(30, temperature))
    (alone,) = ask_model(table("one"), asked)
    for options in ({}, {"rule": "prob"}, {"weights": [1, 2, 5]}):
        got = ask("logit_fusion", Pool([table("one")] * 3, store=Store(None)), asked, **options)
        assert (got.ids, got.text, got.finish) == (alone.ids, alone.text, alone.finish)


def test_weights_from_dev_follow_the_scores() -> None:
    members = [sayer("a", "A", 60), sayer("b", "B", 20)]
    assert ask("logit_fusion", team(*members), COLD).text == "Answer: A"
    done = fitted("logit_fusion", team(*members), task_of("A", dev="BBBBBBBBBA"), weights="dev", temperature=0)
    shares = done.method.shares(done.pool)  # type: ignore[attr-defined]
    assert shares == pytest.approx((1 / (1 + 2.718281828**8), 1 / (1 + 2.718281828**-8)))
    assert done.as_model()(COLD) == "Answer: B"
    unfitted = load_method("logit_fusion", weights="dev")
    assert unfitted.shares(team(*members)) is None  # type: ignore[attr-defined]


def test_a_member_of_weight_zero_is_not_run() -> None:
    idle = table("idle")
    asked = Request(text="abc", seed=1, sampling=Sampling(20))
    got = ask("logit_fusion", team(table("one"), idle), asked, weights=[1, 0])
    assert got.ids == ask_model(table("one"), asked)[0].ids and idle.counters.forwards == 0


@pytest.mark.parametrize("weights", [[1.0], [0.0, 0.0], [1.0, 1.0, 1.0]])
def test_weights_must_fit_the_pool(weights: list[float]) -> None:
    with pytest.raises(ConfigError, match="weights"):
        ask("logit_fusion", team(table("one"), table("two", 4)), COLD, weights=weights)


@pytest.mark.parametrize("options", [{"rule": "max"}, {"weights": [-1.0, 2.0]}, {"tau": 0}, {"missing": "guess"}])
def test_wrong_options_are_named(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=rf"logit_fusion.{next(iter(options))}"):
        load_method("logit_fusion", **options)


def test_members_without_logits_and_other_tokenizers_are_refused_before_anything_runs() -> None:
    with pytest.raises(PoolError, match="needs LOGITS of member 'a'"):
        ask("logit_fusion", pool_of("x", "y"))
    with pytest.raises(PoolError, match="'alpha' and 'foreign' have different tokenizers"):
        ask("logit_fusion", Pool(["playground/alpha", "playground/foreign"], store=Store(None)))


def test_it_has_logits_and_scores_and_can_be_a_member_of_itself() -> None:
    one, two, three = sayer("a", "A"), sayer("b", "B"), sayer("c", "B")
    inner = Fitted(load_method("logit_fusion"), team(one, two)).as_model("panel")
    assert {"LOGITS", "SCORE", "TEXT"} <= inner.capabilities.names and inner.name == "panel"
    outer = Pool([inner, three], store=Store(None))
    nested = ask("logit_fusion", outer, COLD)
    assert nested.text == ask("logit_fusion", team(one, two, three), COLD, weights=[1, 1, 2]).text == "Answer: B"
    scores = asyncio.run(inner.score(COLD, "Answer: A"))
    assert scores.ids == (0, 1) and max(scores.logprobs) <= 0


def test_its_answers_are_cached_and_a_sampled_one_has_draws() -> None:
    pool = team(table("one"), table("two", 4))
    team_model = Fitted(load_method("logit_fusion"), pool).as_model()
    hot = Request(text="abc", sampling=Sampling(20, 1.0))
    first = asyncio.run(team_model.generate(hot))
    forwards = pool["one"].model.model.counters.forwards  # type: ignore[attr-defined]
    assert asyncio.run(Fitted(load_method("logit_fusion"), pool).as_model().generate(hot)) == first
    assert pool["one"].model.model.counters.forwards == forwards  # type: ignore[attr-defined]
    assert asyncio.run(team_model.generate(hot.but(draw=(1,)))).ids != first.ids
