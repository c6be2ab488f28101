"""What every backend must keep, over the backends that run here; a new backend adds its constructor to BACKENDS."""

from __future__ import annotations

import asyncio
import dataclasses
import math
from collections.abc import Callable
from typing import Any

import pytest

from moco.core.errors import ContextOverflow
from moco.core.types import AnswerSpec, Message, Request, Sampling, Tag, messages_of
from moco.models.protocol import Model
from moco.testing import ScriptedModel, TableModel
from tests.models.conftest import load

WORDS = [" a", " b", " c", " stop", "\n", "Q", "<eos>"]
BACKENDS: dict[str, Callable[[], Any]] = {
    "hf-alpha": lambda: load("alpha"),
    "hf-foreign": lambda: load("foreign"),
    "table": lambda: TableModel("table", WORDS, lambda ids: [3, 2, 1 + len(ids) % 3, 0.5, 1, 0.1, 0.2], context=1024),
}
QUESTION = Request(messages=messages_of("Q: What is 2 + 3?"), sampling=Sampling(max_tokens=24))


@pytest.fixture(params=BACKENDS)
def model(request: pytest.FixtureRequest) -> Any:
    return BACKENDS[request.param]()


def ask(model: Any, *requests: Request) -> list[Any]:
    async def go() -> list[Any]:
        return await asyncio.gather(*(model.generate(r) for r in requests))

    return asyncio.run(go())


def same(a: Any, b: Any) -> bool:
    """Equal but for the last digits of log-probabilities, which may depend on the batch."""
    close = a.logprobs == pytest.approx(b.logprobs, abs=1e-4)
    return bool(close and dataclasses.replace(a, logprobs=None) == dataclasses.replace(b, logprobs=None))


def test_is_a_model(model: Any) -> None:
    assert isinstance(model, Model)
    assert {"TEXT", "PREFIX", "LOGPROBS", "SCORE"} <= model.capabilities.names
    assert model.fingerprint == model.fingerprint and len(model.fingerprint) == 64


def test_equal_requests_give_equal_completions_and_draws_differ(model: Any) -> None:
    hot = QUESTION.but(sampling=Sampling(max_tokens=24, temperature=1.5, top_p=1.0))
    first, again, *others = ask(model, hot, hot, *(hot.but(draw=(i,)) for i in range(1, 6)))
    assert same(first, again)
    assert len({c.text for c in [first, *others]}) > 1
    assert same(ask(model, hot.but(seed=7))[0], ask(model, hot.but(seed=7))[0])
    assert any(c.text != first.text for c in ask(model, hot.but(replicate=1), hot.but(study_seed=1)))


def test_completion_parts_are_parallel(model: Any) -> None:
    (c,) = ask(model, QUESTION)
    assert c.ids is not None and c.logprobs is not None
    assert len(c.ids) == len(c.logprobs) == c.usage.completion_tokens <= 24
    assert all(math.isfinite(x) and x <= 1e-6 for x in c.logprobs)
    assert c.usage.calls == 1 and c.usage.prompt_tokens > 0
    assert c.finish == ("length" if len(c.ids) == 24 else "stop") or c.finish == "stop"


def test_greedy_ignores_draw_and_seed(model: Any) -> None:
    cold = QUESTION.but(sampling=Sampling(max_tokens=16, temperature=0))
    a, b = ask(model, cold, cold.but(draw=(3,), seed=5, replicate=2))
    assert same(a, b) and model.key(cold) == model.key(cold.but(draw=(3,), seed=5, replicate=2))


def test_score_of_what_greedy_said_is_its_logprobs(model: Any) -> None:
    request = Request(text="Q a b", sampling=Sampling(max_tokens=8, temperature=0))
    (c,) = ask(model, request)
    prefix_kept = [i for i in c.ids if i not in _ends(model)]
    scores = asyncio.run(model.score(request, c.text))
    if list(scores.ids) == prefix_kept:  # else the text has another tokenisation
        assert scores.logprobs == pytest.approx(c.logprobs[: len(scores.ids)], abs=1e-4)
    assert scores.end <= 0 and scores.total == pytest.approx(sum(scores.logprobs))


def _ends(model: Any) -> tuple[int, ...]:
    return (model.eos,) if isinstance(model, TableModel) else model.tokens.eos


def test_stop_strings_are_trimmed(model: Any) -> None:
    request = QUESTION.but(sampling=Sampling(max_tokens=24, temperature=0))
    (free,) = ask(model, request)
    middle = free.text[len(free.text) // 2 : len(free.text) // 2 + 2]
    (cut,) = ask(model, request.but(sampling=request.sampling.but(stop=(middle, "never there"))))
    assert cut.text == free.text[: free.text.index(middle)]
    assert cut.finish == "stop" and len(cut.ids) < len(free.ids) + 1
    assert free.ids[: len(cut.ids)] == cut.ids


def test_prompt_too_long_overflows_and_a_tight_one_is_capped(model: Any) -> None:
    context = model.context if isinstance(model, TableModel) else model.renderer.context
    with pytest.raises(ContextOverflow, match=f"{context}.*{context}"):
        ask(model, Request(ids=(3,) * context))
    (c,) = ask(model, Request(ids=(3,) * (context - 2), sampling=Sampling(max_tokens=50, temperature=0)))
    assert len(c.ids) <= 2 and (c.finish == "length" or c.ids[-1] in _ends(model))


MATTERS: dict[str, Request] = {
    "messages": QUESTION.but(messages=messages_of("Q: What is 2 + 4? a")),
    "prefix": QUESTION.but(prefix=" a"),
    "max_tokens": QUESTION.but(sampling=Sampling(max_tokens=25)),
    "temperature": QUESTION.but(sampling=Sampling(max_tokens=24, temperature=0.8)),
    "top_p": QUESTION.but(sampling=Sampling(max_tokens=24, top_p=0.8)),
    "top_k": QUESTION.but(sampling=Sampling(max_tokens=24, top_k=5)),
    "min_p": QUESTION.but(sampling=Sampling(max_tokens=24, min_p=0.1)),
    "stop": QUESTION.but(sampling=Sampling(max_tokens=24, stop=("x",))),
    "draw": QUESTION.but(draw=(1,)),
    "replicate": QUESTION.but(replicate=1),
    "seed": QUESTION.but(seed=4),
    "study_seed": QUESTION.but(study_seed=4),
}
DOES_NOT: dict[str, Request] = {
    "tag": QUESTION.but(tag=Tag("judge", 2, "critic", ("c1",))),
    "spec": QUESTION.but(spec=AnswerSpec("exact", question="other", answer_format="one word")),
    "leading zeros of draw": QUESTION.but(draw=(0, 0)),
    "list for tuple": QUESTION.but(sampling=Sampling(max_tokens=24, stop=[])),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("field", MATTERS)
def test_key_misses_when_what_matters_changes(model: Any, field: str) -> None:
    assert model.key(MATTERS[field]) != model.key(QUESTION)


@pytest.mark.parametrize("field", DOES_NOT)
def test_key_hits_when_what_does_not_matter_changes(model: Any, field: str) -> None:
    assert model.key(DOES_NOT[field]) == model.key(QUESTION)


def test_keys_of_different_models_differ() -> None:
    keys = {BACKENDS[b]().key(QUESTION) for b in BACKENDS} | {load("beta").key(QUESTION), load("base").key(QUESTION)}
    assert len(keys) == len(BACKENDS) + 2


def test_scripted_model_counts_and_replies() -> None:
    model = ScriptedModel("s", lambda r: r.question.upper())
    (c,) = ask(model, Request(messages=(Message("user", "hi you"),)))
    assert c.text == "HI YOU" and c.usage.completion_tokens == 2 and len(model.requests) == 1
    assert model.key(QUESTION) != ScriptedModel("t", "x").key(QUESTION)
    assert model.key(QUESTION) == ScriptedModel("s", "y").key(QUESTION)


def test_table_model_follows_its_table() -> None:
    model = TableModel("t", ["a", "b", "<eos>"], lambda ids: [0, 1, 0] if len(ids) < 3 else [0, 0, 1])
    (c,) = ask(model, Request(text="ax", sampling=Sampling(max_tokens=9)))
    assert c.text == "bb" and c.ids == (1, 1, 2) and c.finish == "stop" and sum(c.logprobs) == pytest.approx(0)
    assert asyncio.run(model.score(Request(text="a"), "b")).total == pytest.approx(0)
