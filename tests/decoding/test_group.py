"""Groups against a slow stateless twin, their reductions, and what becomes of rows that fail."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from moco.core.errors import ContextOverflow, Fatal, PoolError
from moco.core.types import Completion, Request, Sampling, messages_of
from moco.decoding import Group, LogitMean, ProbMean, Rule, Step
from moco.models.hf import HFModel
from moco.models.pool import Pool
from moco.models.sampler import Params, draw, log_softmax
from moco.models.store import Store
from moco.testing import ScriptedModel, TableModel
from tests.decoding.helpers import QUESTIONS, WORDS, ask, combine, group, plain_logits, same, table, twin
from tests.models.conftest import WEIGHTS, load

PLAYGROUND = [
    group(LogitMean(), load("alpha"), load("beta")),
    group(ProbMean((1, 3, 2)), *map(load, ("alpha", "mentor", "delta"))),
]
TABLES = [
    group(LogitMean((1, 2)), table("one"), table("two", 4)),
    group(ProbMean(), table("one"), table("two", 4), table("x", 9)),
]


@pytest.mark.parametrize("temperature", [0.0, 0.7])
@pytest.mark.parametrize("made", [*PLAYGROUND, *TABLES], ids=lambda g: g.name)
def test_batches_of_any_size_and_order_equal_the_stateless_twin(made: Group, temperature: float) -> None:
    stop = ("er", "dd") if made in TABLES else ("?",)
    requests = [
        Request(messages=messages_of(q), seed=i, sampling=Sampling(6 + i, temperature, stop=stop if i % 2 else ()))
        for i, q in enumerate([*QUESTIONS[:5:2], *QUESTIONS[:3]])
    ]
    expected = [twin(made, r) for r in requests]
    for size in (1, 4, 6):
        order = random.Random(size).sample(range(len(requests)), len(requests))
        for part in (order[start : start + size] for start in range(0, len(order), size)):
            for i, got in zip(part, ask(made, *(requests[i] for i in part)), strict=True):
                assert (list(got.ids or ()), got.logprobs) == (expected[i][0], pytest.approx(expected[i][1], abs=1e-4))


@pytest.mark.parametrize("rule", [LogitMean(), ProbMean(), LogitMean((0.2, 0.5, 0.3))])
@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_copies_write_what_the_model_writes(rule: Rule, temperature: float) -> None:
    for model in (load("alpha"), table("t")):
        requests = [Request(messages=messages_of(q), seed=7, sampling=Sampling(24, temperature)) for q in QUESTIONS]
        for alone, together in zip(ask(model, *requests), ask(group(rule, model, model, model), *requests), strict=True):
            same(together, alone)
            assert together.usage.completion_tokens == 3 * len(alone.ids or ()) and together.usage.calls == 3


@pytest.mark.parametrize("name", ["alpha", "foreign", "table"])
@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_one_member_or_all_weight_on_one_is_that_member(name: str, temperature: float) -> None:
    model = table("t") if name == "table" else load(name)
    requests = [Request(messages=messages_of(q), seed=3, sampling=Sampling(24, temperature, min_p=0.02)) for q in QUESTIONS]
    other = TableModel("other", ["never read"], lambda ids: [1.0])
    for rule, members in ((LogitMean(), [model]), (ProbMean((0, 1)), [other, model])):
        for alone, got in zip(ask(model, *requests), ask(group(rule, *members), *requests), strict=True):
            same(got, alone)
            assert got.usage == alone.usage
    assert other.counters.forwards == 0


def test_the_order_of_equal_members_does_not_matter() -> None:
    members = [load("alpha"), load("gamma"), load("delta")]
    requests = [Request(messages=messages_of(q), seed=3, sampling=Sampling(10)) for q in QUESTIONS[:4]]
    first, *others = [ask(group(LogitMean(), *order), *requests) for order in itertools.permutations(members)][::2]
    for answers in others:
        for a, b in zip(first, answers, strict=True):
            same(a, b)


def test_a_permuted_vocabulary_changes_nothing_but_the_ids() -> None:
    order = random.Random(1).sample(range(20), 20) + [20]
    back = {old: new for new, old in enumerate(order)}
    one = table("one")
    two = TableModel("two", [WORDS[i] for i in order], lambda ids: [one.next(tuple(order[i] for i in ids))[i] for i in order])
    for request in [Request(text="abc", seed=s, sampling=Sampling(30, 0.9)) for s in range(5)]:
        (alone,), (led, mixed) = (
            ask(one, request),
            [ask(group(LogitMean(), *pair), request)[0] for pair in ((two, one), (one, two))],
        )
        same(mixed, alone)
        assert tuple(back[i] for i in alone.ids or ()) != alone.ids
        assert led.text and set(led.ids or ()) <= set(range(21))


def test_padding_columns_are_never_drawn() -> None:
    import torch

    class Padded(HFModel):
        """alpha with 64 more logits, all large."""

        def _weights(self) -> Any:
            model = super()._weights()
            head = model.lm_head

            class Wide(torch.nn.Module):
                def forward(self, x: Any) -> Any:
                    return torch.nn.functional.pad(head(x), (0, 64), value=100.0)

            model.lm_head = Wide()
            return model

    wide = Padded(WEIGHTS / "alpha", name="wide", device="cpu")
    requests = [Request(messages=messages_of(q), seed=1, sampling=Sampling(16, 0.9, top_p=1.0)) for q in QUESTIONS]
    made = group(LogitMean(), load("alpha"), wide)
    for got, alone in zip(ask(made, *requests), ask(load("alpha"), *requests), strict=True):
        same(got, alone)
    assert wide.load().model(torch.tensor([[5]])).logits.shape[-1] == 1024 + 64


def test_another_tokenizer_is_refused_before_anything_is_loaded() -> None:
    members = [HFModel(WEIGHTS / n, name=n, device="cpu") for n in ("alpha", "foreign")]
    with pytest.raises(PoolError, match=r"'alpha0' and 'foreign1' have different tokenizers: \d+ common tokens of 1024 and 512"):
        group(LogitMean(), *members)
    assert all(m._decoder is None for m in members)


def test_members_must_give_logits_and_share_a_device() -> None:
    with pytest.raises(PoolError, match=r"member 's1' gives no next-token distributions.*LOGITS"):
        group(LogitMean(), table("t"), ScriptedModel("s", "hi"))
    elsewhere = HFModel(WEIGHTS / "beta", name="beta", device="cuda:1")
    with pytest.raises(PoolError, match=r"different devices.*cuda:1"):
        group(LogitMean(), load("alpha"), elsewhere)


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_a_group_is_a_member_of_a_group(temperature: float) -> None:
    one, two, three = load("alpha"), load("beta"), load("gamma")
    nested = group(LogitMean(), group(LogitMean(), one, two, name="inner"), three)
    flat = group(LogitMean((1, 1, 2)), one, two, three)
    requests = [Request(messages=messages_of(q), seed=5, sampling=Sampling(14, temperature)) for q in QUESTIONS]
    for a, b in zip(ask(nested, *requests), ask(flat, *requests), strict=True):
        same(a, b)
        assert a.usage == b.usage
    scores = [asyncio.run(g.score(requests[0], "Answer: 5")) for g in (nested, flat)]
    assert scores[0].logprobs == pytest.approx(scores[1].logprobs, abs=1e-4)
    mixture = group(ProbMean(), group(LogitMean(), *TABLES[0].models), table("x", 9))
    (got,) = ask(mixture, Request(text="ab", sampling=Sampling(20)))
    assert len(got.ids or ()) == 20 or got.finish == "stop"


@pytest.mark.parametrize("made", [*PLAYGROUND, *TABLES], ids=lambda g: g.name)
def test_scores_are_the_steps_of_the_twin(made: Group) -> None:
    request = Request(messages=messages_of("What is 2 + 3?"))
    text = "abcde" if made in TABLES else "Answer: 12"
    scores = asyncio.run(made.score(request, text))
    ids = made.models[0].continuation(request, text)
    steps = [
        log_softmax(
            combine(
                made.rule, [plain_logits(m, (*p, *ids[:n]))[None] for m, p in zip(made.models, made.prompt(request), strict=True)]
            )
        )[0]
        for n in range(len(ids) + 1)
    ]
    assert scores.ids == tuple(ids) and len(ids) > 2
    assert scores.logprobs == pytest.approx([steps[n][i] for n, i in enumerate(ids)], abs=1e-4)
    assert scores.end == pytest.approx(np.logaddexp.reduce(steps[-1][list(made.alignment.eos)]), abs=1e-4)


@dataclass(frozen=True)
class Asking(Rule):
    """The first member writes; every ``n``-th token the second one does. To test that members are asked lazily."""

    n: int

    def combine(self, step: Step) -> Any:
        mine = step.logits(0)
        unsure = np.array([len(ids) % self.n == self.n - 1 for ids in step.ids])
        step.note("asked", unsure)
        return np.where(unsure[:, None], step.logits(1, unsure), mine) if unsure.any() else mine


def test_a_member_that_is_not_asked_costs_nothing_and_catches_up_at_once() -> None:
    one, two = table("one"), table("two", 4)
    request = Request(text="abc", seed=4, sampling=Sampling(9, 0.8, top_p=1.0))
    alone = ask(table("one"), request)[0]
    never = ask(group(Asking(100), one, two), request)[0]
    same(never, alone)
    assert two.counters.forwards == 0 and never.usage == alone.usage and never.reason == {"asked": 0}
    now = ask(group(Asking(4), one, two), request)[0]
    consulted = len(now.ids or ()) // 4
    assert two.counters.forwards == consulted and now.reason == {"asked": consulted}
    assert now.usage.completion_tokens == len(now.ids or ()) + 4 * consulted and now.usage.prompt_tokens == 6


def test_lazy_members_with_caches_give_the_same_in_any_batch() -> None:
    made = group(Asking(3), load("alpha"), load("beta"))
    made._decoder.max_rows = 4  # rows join before and after the second member was first asked
    requests = [Request(messages=messages_of(q), seed=i, sampling=Sampling(6 + 3 * i, 0.9)) for i, q in enumerate(QUESTIONS)]
    together = ask(made, *requests)
    for request, got in zip(requests, together, strict=True):
        (alone,) = ask(made, request)
        same(alone, got)
        assert alone.usage == got.usage


def test_one_answer_of_several_ends_does_not_disturb_those_that_join() -> None:
    made = group(LogitMean(), *TABLES[0].models)
    made._decoder.max_rows = 2
    requests = [Request(text="ab" * (1 + i % 3), seed=i, sampling=Sampling(5 + 9 * (i % 4), 0.9)) for i in range(9)]
    for request, got in zip(requests, ask(made, *requests), strict=True):
        assert list(got.ids or ()) == twin(made, request)[0]


def test_out_of_memory_halves_the_batch() -> None:
    made, sizes = group(LogitMean(), *TABLES[0].models), []
    streams = made.streams()
    opened = streams.open

    def tight(prompts: Any) -> Any:
        sizes.append(len(prompts))
        if len(prompts) > 2:
            raise RuntimeError("CUDA out of memory")
        return opened(prompts)

    streams.open = tight  # type: ignore[method-assign]
    requests = [Request(text="ab", seed=i, sampling=Sampling(6)) for i in range(7)]
    assert [g.ids for g in ask(made, *requests)] == [tuple(twin(made, r)[0]) for r in requests]
    assert max(sizes) == 7


def test_logits_that_are_not_numbers_fail_their_row_and_name_the_member() -> None:
    sick = table("sick")
    healthy = sick.logits
    sick.logits = lambda ids: healthy(ids) * (np.nan if 19 in ids else 1.0)  # type: ignore[method-assign]
    made = group(LogitMean(), table("one"), sick)

    async def go() -> list[Any]:
        wanted = [Request(text=t, seed=1, sampling=Sampling(1)) for t in ("at", "ab")]
        return await asyncio.gather(*(made.generate(r) for r in wanted), return_exceptions=True)

    failed, fine = asyncio.run(go())
    assert isinstance(failed, Fatal) and "'sick1' gave logits that are not numbers" in str(failed)
    assert isinstance(fine, Completion)


def test_members_that_exclude_each_other_fail_plainly() -> None:
    left = TableModel("l", ["a", "b", "<eos>"], lambda ids: [1, 0, 0])
    right = TableModel("r", ["a", "b", "<eos>"], lambda ids: [0, 1, 0])
    with pytest.raises(Fatal, match="exclude one another"):
        ask(group(LogitMean(), left, right), Request(text="a"))
    assert ask(group(ProbMean(), left, right), Request(text="a", sampling=Sampling(4)))[0].text != ""


def test_an_end_of_any_member_ends() -> None:
    words = [f"w{i} " for i in range(40)]
    one = TableModel("one", [*words, "<a>"], lambda ids: [0.0] * 40 + [1.0])
    two = TableModel("two", [*words, "<b>"], lambda ids: [1.0, 1.0] + [0.0] * 39)
    request = Request(text="w3 ", seed=0, sampling=Sampling(50, 1.0, top_p=1.0))
    with pytest.raises(Fatal, match="exclude"):
        ask(group(LogitMean(), one, two), request)
    for seed in range(4):  # <a> has half of the mass where its owner alone knows it: p = 1 / (1 + 1/2 + ...)
        (got,) = ask(group(ProbMean(missing="renorm"), one, two), request.but(seed=seed))
        assert got.finish == "stop" and got.ids is not None and got.ids[-1] == 40 and "<" not in got.text


def test_the_room_is_that_of_the_tightest_member() -> None:
    made = group(LogitMean(), table("one"), table("tight", context=6))
    (got,) = ask(made, Request(text="abcd", sampling=Sampling(50, 0.9, stop=("zz",))))
    assert len(got.ids or ()) <= 2
    with pytest.raises(ContextOverflow, match="tight"):
        ask(made, Request(text="abcdef"))


def test_keys_follow_rule_weights_members_and_sampling() -> None:
    one, two, three = table("one"), table("two", 4), table("three", 5)
    request = Request(text="ab", sampling=Sampling(8))
    groups = [
        group(LogitMean(), one, two),
        group(ProbMean(), one, two),
        group(LogitMean((1, 2)), one, two),
        group(LogitMean(missing="renorm"), one, two),
        group(LogitMean(), two, one),
        group(LogitMean(), one, two, three),
    ]
    assert len({g.fingerprint for g in groups}) == len({g.key(request) for g in groups}) == 6
    made, cold = groups[0], request.but(sampling=Sampling(8, 0.0))
    assert made.key(request) == group(LogitMean(), one, two, name="other").key(request)
    assert made.key(request) != made.key(request.but(draw=(1,))) != made.key(request.but(seed=3))
    assert made.key(cold) == made.key(cold.but(draw=(1,), seed=3, replicate=1))


def test_ids_are_a_prompt_only_where_they_mean_the_same() -> None:
    made = group(LogitMean(), table("one"), table("two", 4, words=[*reversed(WORDS[:-1]), "<eos>"]))
    assert "IDS" not in made.capabilities and "IDS" in TABLES[0].capabilities
    with pytest.raises(PoolError, match="token ids mean different tokens"):
        ask(made, Request(ids=(1, 2)))
    assert ask(TABLES[0], Request(ids=(1, 2), prefix="c"))[0].text


def test_draws_follow_the_joint_distribution() -> None:
    from scipy.stats import chisquare

    made = group(LogitMean((1, 2)), *TABLES[0].models)
    streams = made.streams()
    batch = streams.open([made.prompt(Request(text="abc"))])
    sampling, scores = Sampling(1, 1.3, top_p=1.0), batch.logits().repeat(20_000, axis=0)
    ids, _ = draw(scores, Params.of([sampling] * 20_000, list(range(20_000))), np.zeros(20_000, np.int64))
    expected = np.exp(log_softmax(scores[:1] / 1.3))[0]
    assert chisquare(np.bincount(ids, minlength=21), expected / expected.sum() * 20_000).pvalue > 1e-3


def test_rows_put_aside_and_rolled_back_go_on_as_if_nothing_had_been() -> None:
    made = PLAYGROUND[0]
    streams, requests = made.streams(), [Request(messages=messages_of(q)) for q in QUESTIONS[:3]]
    batch = streams.open([made.prompt(r) for r in requests])
    batch.push([[5, 6], [7, 8], [9, 4]])
    first = batch.logits().copy()
    batch.push([[11, 12], [13], []])
    batch.logits()
    again = streams.attach([batch.detach(i) for i in (2, 0, 1)])
    again.crop([2, 2, 2])
    assert [list(row) for row in again.ids] == [[9, 4], [5, 6], [7, 8]]
    np.testing.assert_allclose(again.logits(), first[[2, 0, 1]], atol=1e-4)
    fresh = streams.open([made.prompt(r) for r in requests])
    checked = fresh.verify([[5, 6], [7, 8], [9, 4]])
    np.testing.assert_allclose([c[-1] for c in checked], first, atol=1e-4)


def test_the_answer_of_a_group_is_a_row_of_the_store() -> None:
    store, members = Store(None), [table("one"), table("two", 4)]
    request = Request(text="abc", sampling=Sampling(8))
    answers = []
    for _ in range(2):
        pool = Pool(members, store=store)
        answers.append(asyncio.run(pool.group(LogitMean()).generate(request)))
    assert answers[0] == answers[1] and store.get(pool.group(LogitMean()).key(request)) == answers[0]
    before = [m.counters.forwards for m in members]
    ask(Pool(members, store=store).group(LogitMean(), ["two", "one"]), request)
    assert [m.counters.forwards for m in members] > before
    assert dataclasses.replace(answers[0], logprobs=None).text == answers[0].text
