"""The two means against their definitions and against the released code and a reference filter (vectors)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moco.core.errors import ConfigError
from moco.core.types import Sampling
from moco.decoding import LogitMean, ProbMean, Rule, Step, log_softmax
from moco.models.sampler import Params, law
from tests.decoding.helpers import combine

NUMBERS = arrays.arrays(np.float32, (3, 2, 6), elements=st.floats(-20, 20, width=32))
WEIGHTS = st.lists(st.floats(0.01, 5), min_size=3, max_size=3).map(tuple)


def probs(scores: Any) -> Any:
    return np.exp(log_softmax(np.asarray(scores, np.float32)))


@given(NUMBERS, WEIGHTS)
@settings(max_examples=50, deadline=None)
def test_mean_of_logits_is_mean_of_logprobs(x: Any, weights: tuple[float, ...]) -> None:
    rule = LogitMean(weights)
    fused = combine(rule, x)
    assert fused.dtype == np.float32
    w = np.array(weights) / sum(weights)
    np.testing.assert_allclose(fused, np.einsum("m,mrv->rv", w, x.astype(np.float64)), atol=2e-5)
    np.testing.assert_allclose(probs(fused), probs(combine(rule, log_softmax(x))), atol=1e-5)
    moved = x + np.array([3, -7, 11], np.float32)[:, None, None]
    np.testing.assert_allclose(probs(fused), probs(combine(rule, moved)), atol=1e-5)


@given(NUMBERS, WEIGHTS)
@settings(max_examples=50, deadline=None)
def test_mean_of_probabilities_is_the_mixture(x: Any, weights: tuple[float, ...]) -> None:
    w = np.array(weights) / sum(weights)
    mixture = np.einsum("m,mrv->rv", w, np.exp(log_softmax(x).astype(np.float64)))
    np.testing.assert_allclose(np.exp(combine(ProbMean(weights), x)), mixture, atol=1e-6)


@given(NUMBERS, st.permutations(range(3)))
@settings(max_examples=30, deadline=None)
def test_the_order_of_members_does_not_matter(x: Any, order: list[int]) -> None:
    for rule in (LogitMean(), ProbMean()):
        np.testing.assert_allclose(probs(combine(rule, x)), probs(combine(rule, x[order])), atol=1e-6)


@pytest.mark.parametrize("rule", [LogitMean((0.2, 0.3, 0.5)), ProbMean((0.2, 0.3, 0.5))])
def test_copies_are_the_model(rule: Rule) -> None:
    x = np.random.default_rng(3).normal(size=(1, 4, 9)).astype(np.float32).repeat(3, axis=0)
    np.testing.assert_allclose(probs(combine(rule, x)), probs(x[0]), atol=1e-6)


@pytest.mark.parametrize("kind", [LogitMean, ProbMean])
def test_a_member_without_weight_is_never_asked(kind: type[Rule]) -> None:
    rule = kind((0.0, 2.0, 0.0))  # type: ignore[call-arg]
    asked: list[int] = []
    x = np.random.default_rng(3).normal(size=(3, 4, 9)).astype(np.float32)

    def pull(member: int) -> Any:
        asked.append(member)
        return x[member]

    fused = rule.combine(Step([[]] * 4, 3, dict.fromkeys(range(3), np.ones(9, bool)), pull))
    np.testing.assert_allclose(probs(fused), probs(x[1]), atol=1e-6)
    assert asked == [1] == list(rule.chosen(3))


def test_renorm_averages_over_those_who_have_the_token() -> None:
    x = np.log(np.array([[[0.5, 0.5, 1e-9]], [[0.2, 0.2, 0.6]]], np.float32))
    known = [[True, True, False], [True, True, True]]
    mixed = np.exp(combine(ProbMean((0.25, 0.75), missing="renorm"), x, known))
    np.testing.assert_allclose(mixed, [[0.25 * 0.5 + 0.75 * 0.2] * 2 + [0.6]], atol=1e-6)
    mean = combine(LogitMean((0.25, 0.75), missing="renorm"), x, known)
    np.testing.assert_allclose(mean, [[0.25 * np.log(0.5) + 0.75 * np.log(0.2)] * 2 + [np.log(0.6)]], atol=1e-6)


def test_zeros_of_a_member_veto_in_the_geometric_mean_only() -> None:
    with np.errstate(divide="ignore"):
        x = np.log(np.array([[[1.0, 0.0, 0.0]], [[0.5, 0.5, 0.0]]], np.float32))
    assert probs(combine(LogitMean(), x)).tolist() == [[1, 0, 0]]
    np.testing.assert_allclose(np.exp(combine(ProbMean(), x)), [[0.75, 0.25, 0]], atol=1e-6)


@pytest.mark.parametrize("weights", [(1.0,), (1.0, -0.5, 1.0), (0.0, 0.0, 0.0), (float("nan"), 1.0, 1.0)])
def test_weights_that_are_no_shares_are_refused(weights: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="weights"):
        LogitMean(weights).chosen(3)


def test_only_asking_rows_are_charged() -> None:
    x = np.zeros((2, 3, 4), np.float32)
    step = Step([[]] * 3, 2, dict.fromkeys(range(2), np.ones(4, bool)), lambda m: x[m])
    step.logits(0)
    step.logits(1, np.array([False, False, False]))
    assert set(step.asked) == {0}
    step.logits(1, np.array([True, False, False]))
    step.note("unsure", [1, 0, 0])
    step.note("unsure", [1, 0, 2])
    assert step.asked[1].tolist() == [True, False, False] and [n["unsure"] for n in step.notes] == [2, 0, 2]


def sampled(fused: Any, temperature: float = 1.0, top_p: float = 1.0, top_k: int = 0) -> Any:
    sampling = Sampling(temperature=temperature, top_p=top_p, top_k=top_k)
    return law(np.asarray(fused), Params.of([sampling] * len(fused), [0] * len(fused)))


def check(case: dict[str, Any]) -> None:
    inputs, outputs = case["inputs"], case["outputs"]
    if "average_logits" in case["function"]:
        fused = combine(LogitMean(), inputs["logits"])
        np.testing.assert_allclose(fused, outputs["fused"], atol=1e-5)
        if "probs" in outputs:
            np.testing.assert_allclose(probs(fused), outputs["probs"], atol=1e-6)
        return
    fused = combine(LogitMean(), inputs["logits"]) if inputs.get("rule") == "mean" else np.array(inputs["logits"])
    got = sampled(fused, inputs.get("temperature", 1.0), inputs.get("top_p", 1.0), inputs.get("top_k", 0))
    assert [np.flatnonzero(row).tolist() for row in got] == outputs["kept"]
    if "probs" in outputs:
        np.testing.assert_allclose(got, outputs["probs"], atol=1e-6)


def test_vectors_of_the_released_code(shared: Path) -> None:
    cases = json.loads((shared / "vectors" / "logit_fusion.json").read_text())["cases"]
    for case in cases:
        check(case)
    assert len(cases) == 12


OWN = [
    {"function": "average_logits", "inputs": {"logits": [[[1, 3]], [[2, -1]]]}, "outputs": {"fused": [[1.5, 1.0]]}},
    {  # mean (2, 1, 0): at temperature 0.5 p = (.867, .117, .016); the first token above 0.9 is the second
        "function": "filter",
        "inputs": {"logits": [[[3, 1, -1]], [[1, 1, 1]]], "rule": "mean", "temperature": 0.5, "top_p": 0.9},
        "outputs": {"kept": [[0, 1]], "probs": [[1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2)), 0]]},
    },
    {"function": "filter", "inputs": {"logits": [[0.1, 0.3, 0.2]], "top_k": 1}, "outputs": {"kept": [[1]]}},
]


@pytest.mark.parametrize("case", OWN)
def test_small_cases_computed_by_hand(case: dict[str, Any]) -> None:
    check(case)
