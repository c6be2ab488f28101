"""Signals of confidence: values by hand, order, and what happens to tokens that are no numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
