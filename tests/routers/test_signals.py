"""Signals of confidence: values by hand, order, and what happens to tokens that are no numbers."""

from __future__ import annotations

import asyncio
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moco.core.types import Completion, Request, Sampling, messages_of
from moco.models.pool import Pool
from moco.models.store import Store
from moco.routers import SIGNALS, UNSURE, even_odds, features, probability, signal

HAND = (-0.1, -2.3, -0.4)
logprobs = st.lists(st.floats(-30, 0), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("name", "alpha", "value"),
    [
        ("chow_sum", 0, -2.8),
        ("chow_average", 0, -0.933333),
        ("chow_quantile", 0, -2.3),
        ("chow_quantile", 0.5, -0.4),
        ("chow_quantile", 0.25, -1.35),
        ("chow_quantile", 1, -0.1),
        ("mean_prob", 0, 0.558472),
        ("min_prob", 0, 0.100259),
    ],
)
def test_values_by_hand(name: str, alpha: float, value: float) -> None:
    assert signal(name, HAND, alpha) == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("name", SIGNALS)
def test_no_token_and_no_number_are_unsure(name: str) -> None:
    assert signal(name, ()) == UNSURE
    assert signal(name, (-0.1, math.nan)) == UNSURE
    assert probability(name, UNSURE) is None


@given(logprobs)
def test_one_sure_token_is_certain_and_surer_tokens_never_lower_a_signal(values: list[float]) -> None:
    for name in SIGNALS:
        assert probability(name, signal(name, [0.0])) == 1.0
        assert signal(name, [v / 2 for v in values], 0.3) >= signal(name, values, 0.3) - 1e-12


@given(logprobs)
def test_a_signal_is_the_same_in_any_order_of_tokens(values: list[float]) -> None:
    for name in SIGNALS:
        assert signal(name, values, 0.7) == pytest.approx(signal(name, values[::-1], 0.7))


@given(logprobs, logprobs)
def test_probabilities_keep_the_order_of_a_signal(one: list[float], two: list[float]) -> None:
    for name in SIGNALS:
        a, b = signal(name, one), signal(name, two)
        p, q = probability(name, a), probability(name, b)
        assert p is not None and q is not None and 0 <= p <= 1 + 1e-12
        assert (a - b) * (p - q) >= 0


def test_even_odds_are_a_probability_of_one_half() -> None:
    for name in (*SIGNALS, "p_true", "self_consistency", "posthoc"):
        assert probability(name, even_odds(name)) == pytest.approx(0.5)


def test_features_are_quantiles_mean_sum_and_number() -> None:
    found = features(HAND)
    assert found.shape == (14,)
    assert found[0] == -2.3 and found[10] == -0.1 and found[5] == -0.4
    assert found[11:].tolist() == pytest.approx([-2.8 / 3, -2.8, 3])
    assert features(()).tolist() == [0.0] * 14
    assert np.isfinite(features((-math.inf, math.nan))).all()


def test_a_real_members_confidence_is_that_of_its_own_distribution_alone_and_in_a_batch() -> None:
    """At temperature 0.7 and top-p 0.9 log-probabilities are still those at temperature 1, the end token included."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from moco.playground.members import model_path

    texts = ["What is 17 + 25?", "Sort the list: d a c b e", "What is 3 + 4?", "Name a color of the town of Zagax and say why."]
    sampling = Sampling(max_tokens=24, temperature=0.7, top_p=0.9)

    async def said(questions: list[str]) -> list[Completion]:
        pool = Pool(["playground/alpha"], store=Store(None))
        asked = [Request(messages=messages_of(text), sampling=sampling) for text in questions]
        return [d.completion for d in await asyncio.gather(*(pool.ask(0, request) for request in asked))]

    together = asyncio.run(said(texts))
    tokenizer = transformers.AutoTokenizer.from_pretrained(model_path("alpha"))
    model = transformers.AutoModelForCausalLM.from_pretrained(model_path("alpha"), dtype=torch.float32).eval()
    for text, found in zip(texts, together, strict=True):
        (alone,) = asyncio.run(said([text]))
        assert alone.ids == found.ids and alone.logprobs is not None and found.logprobs is not None and found.ids is not None
        assert signal("chow_average", alone.logprobs) == pytest.approx(signal("chow_average", found.logprobs), abs=1e-5)
        head = tokenizer.apply_chat_template([{"role": "user", "content": text}], add_generation_prompt=True, tokenize=False)
        prompt = tokenizer(head, add_special_tokens=False).input_ids
        with torch.inference_mode():
            law = model(torch.tensor([prompt + list(found.ids)])).logits[0].log_softmax(-1)
        forced = [float(law[len(prompt) - 1 + i, token]) for i, token in enumerate(found.ids)]
        assert found.logprobs == pytest.approx(forced, abs=1e-4)
        assert found.finish == "length" or found.ids[-1] == model.generation_config.eos_token_id
