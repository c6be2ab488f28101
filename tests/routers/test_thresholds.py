"""Thresholds: shares they promise, the search against FrugalGPT's numbers and against a slow search, edges."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moco.core.errors import ConfigError
from moco.routers import ACCEPT, DEFER, Aim, optimize, quantile_threshold, rate_thresholds, simulate, stopping_stage
from moco.routers.thresholds import _cuts

shares = st.floats(0, 1)
distinct = st.lists(st.floats(-50, 0), min_size=1, max_size=60, unique=True)


@given(distinct, shares)
def test_the_promised_share_is_deferred_within_one(values: list[float], quantile: float) -> None:
    deferred = np.mean(np.array(values) < quantile_threshold(values, quantile))
    assert abs(deferred - quantile) <= 1 / len(values) + 1e-9


@given(st.lists(st.one_of(st.floats(-50, 0), st.just(-math.inf)), min_size=1, max_size=40), shares, shares)
def test_a_larger_quantile_never_defers_less(values: list[float], one: float, two: float) -> None:
    low, high = sorted((one, two))
    assert quantile_threshold(values, low) <= quantile_threshold(values, high)
    assert not math.isnan(quantile_threshold(values, high))


def test_linear_interpolation_and_the_ends() -> None:
    values = [0.4, 0.1, 0.3, 0.2]
    assert quantile_threshold(values, 0.5) == pytest.approx(0.25)
    assert (quantile_threshold(values, 0), quantile_threshold(values, 1)) == (ACCEPT, DEFER)


def test_a_rounding_error_does_not_pass_on_what_equals_the_threshold() -> None:
    shares = [0.4] * 55 + [0.6] + [0.8] * 45  # the quantile 0.55 of 101 is exactly the place of 0.6, which floats miss
    assert 100 * 0.55 > 55
    assert quantile_threshold(shares, 0.55) == 0.6


def test_constant_confidences_are_all_accepted_and_unusable_ones_never() -> None:
    assert quantile_threshold([0.7] * 9, 0.8) <= 0.7
    mixed = [-math.inf] * 6 + [0.1, 0.2, 0.3, 0.4]
    assert quantile_threshold(mixed, 0.3) == 0.1, "six are deferred whatever is asked for; the others need not be"
    assert quantile_threshold([-math.inf] * 4, 0.3) == DEFER


def chain(stages: int, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    skill = rng.random((stages, n)) * np.linspace(0.6, 1, stages)[:, None]
    scores = (skill > 0.4).astype(float)
    confidences = skill + 0.2 * rng.standard_normal((stages, n))
    return scores, np.outer(5.0 ** np.arange(stages), np.ones(n)), confidences


def test_the_first_sure_stage_answers_and_costs_add_up() -> None:
    confidences = np.array([[0.9, 0.1, 0.1, 0.5], [0.0, 0.8, 0.2, 0.9], [0.0, 0.0, 0.0, 0.0]])
    assert stopping_stage(confidences, (0.5, 0.5)).tolist() == [0, 1, 2, 0]
    scores = np.array([[1.0, 0, 0, 1], [1, 1, 0, 1], [1, 1, 1, 1]])
    costs = np.array([[1.0] * 4, [2.0] * 4, [4.0] * 4])
    found = simulate(scores, costs, confidences, (0.5, 0.5))
    assert found.share == (0.5, 0.25, 0.25) and found.score == 1.0
    assert found.cost == pytest.approx((1 + 3 + 7 + 1) / 4)
    assert simulate(scores, costs, confidences, (DEFER, 0.5)).cost == pytest.approx((6 + 2 + 6 + 2) / 4), "not asked in vain"


@given(st.integers(0, 50), st.floats(0, 1), st.floats(0, 1))
def test_raising_the_first_threshold_never_answers_more_there(seed: int, one: float, two: float) -> None:
    _, _, confidences = chain(3, 40, seed)
    low, high = sorted((one, two))
    before, after = (stopping_stage(confidences, (t, 0.5)) == 0 for t in (low, high))
    assert not (after & ~before).any()


def test_later_thresholds_come_from_arrivals_only() -> None:
    _, _, confidences = chain(3, 101)
    cuts = rate_thresholds(confidences, [0.5, 0.4])
    arrived = confidences[0] < cuts[0]
    assert arrived.mean() == pytest.approx(0.5, abs=1 / 101)
    assert cuts[1] == quantile_threshold(confidences[1][arrived], 0.4)
    assert cuts[1] != quantile_threshold(confidences[1], 0.4)


def slow(scores, costs, confidences, budget):  # type: ignore[no-untyped-def]
    """Every pair of cuts at or between seen values, one by one."""

    def options(row):  # type: ignore[no-untyped-def]
        return [ACCEPT, *sorted({*row.tolist()}), *((a + b) / 2 for a, b in itertools.pairwise(sorted(row.tolist()))), DEFER]

    worths = []
    for cuts in itertools.product(*(options(row) for row in confidences[:-1])):
        total = spent = 0.0
        for i in range(scores.shape[1]):
            for stage, cut in enumerate((*cuts, ACCEPT)):
                spent += costs[stage, i] if cut != DEFER else 0.0
                if confidences[stage, i] >= cut:
                    total += scores[stage, i]
                    break
        if budget is None or spent / scores.shape[1] <= budget:
            worths.append(total / scores.shape[1])
    return max(worths)


@pytest.mark.parametrize(("stages", "budget"), [(2, None), (2, 3.0), (3, None), (3, 8.0)])
def test_the_search_is_as_good_as_a_slow_one(stages: int, budget: float | None) -> None:
    scores, costs, confidences = chain(stages, 12, seed=3)
    found = simulate(scores, costs, confidences, optimize(scores, costs, confidences, Aim(budget)))
    assert found.score == pytest.approx(slow(scores, costs, confidences, budget))
    assert budget is None or found.cost <= budget


def one_by_one(scores: np.ndarray, costs: np.ndarray, confidences: np.ndarray, aim: Aim, grid: int) -> tuple[float, ...]:
    """What `optimize` finds all at once: one simulation per combination of cuts, and for long chains one stage at a time."""
    cuts = [_cuts(row, grid).tolist() for row in confidences[:-1]]

    def worth(thresholds: tuple[float, ...]) -> tuple[float, ...]:
        found = simulate(scores, costs, confidences, thresholds)
        value, saving = aim.worth(found.score, found.cost)
        return (float(value), float(saving), *(-t for t in thresholds))

    if len(cuts) <= 2:
        return max(itertools.product(*cuts), key=worth)
    best = tuple(DEFER if stage < costs.mean(axis=1).argmin() else ACCEPT for stage in range(len(cuts)))
    while True:
        before = best
        for stage, options in enumerate(cuts):
            best = max((*(best[:stage] + (t,) + best[stage + 1 :] for t in options), best), key=worth)
        if best == before:
            return best


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5), st.booleans(), st.booleans(), st.sampled_from([0, 1, 2, 3]))
def test_all_at_once_finds_what_one_by_one_finds(seed: int, stages: int, right: bool, priced: bool, kind: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 30))
    scores = (rng.random((stages, n)) < 0.5).astype(float) if right else rng.random((stages, n))
    costs = rng.integers(1, 400, (stages, n)) * 0.3 if priced else np.outer(rng.integers(1, 30, stages), np.ones(n))
    confidences = np.round(rng.random((stages, n)) * 6) / 6  # many equals
    confidences[rng.random((stages, n)) < 0.1] = -np.inf
    cheap = float(costs.mean(axis=1).min())
    aim = (Aim(), Aim(cheap * 1.5), Aim(cost_weight=0.3 / cheap), Aim(enough=0.5))[kind]
    assert optimize(scores, costs, confidences, aim, 6) == one_by_one(scores, costs, confidences, aim, 6)


def test_equals_are_equal_however_they_were_added_up() -> None:
    cost = 0.1 + 0.2
    assert cost != 0.3 and Aim(0.3).worth(1.0, cost) == Aim(0.3).worth(1.0, 0.3)
    assert Aim(3e-9).worth(1.0, 3.001e-9)[0] == -np.inf, "however small costs are, too dear is too dear"
    assert Aim(enough=0.5).worth(0.7, 2.0) == Aim(enough=0.5).worth(0.5, 2.0) > Aim(enough=0.5).worth(0.9, 3.0)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 30), st.floats(1, 200))
def test_a_long_chain_is_never_worse_than_the_best_single_within_the_budget(seed: int, budget: float) -> None:
    scores, costs, confidences = chain(4, 30, seed)
    found = simulate(scores, costs, confidences, optimize(scores, costs, confidences, Aim(budget), grid=8))
    assert found.cost <= budget + 1e-9
    assert found.score >= scores[0].mean() - 1e-9


def test_equal_scores_go_to_the_cheaper_chain_and_cost_counts() -> None:
    scores = np.ones((2, 10))
    costs, confidences = np.array([[1.0] * 10, [9.0] * 10]), np.random.default_rng(0).random((2, 10))
    assert optimize(scores, costs, confidences) == (ACCEPT,)
    scores[0, 0] = 0.0
    worth_it = simulate(scores, costs, confidences, optimize(scores, costs, confidences))
    assert worth_it.score == 1.0
    assert optimize(scores, costs, confidences, Aim(cost_weight=1.0)) == (ACCEPT,)


def test_a_budget_that_nobody_meets_is_refused() -> None:
    scores, costs, confidences = chain(2, 10)
    with pytest.raises(ConfigError, match=r"budget of 0\.5 .* cheapest member costs \(1\)"):
        optimize(scores, costs, confidences, Aim(0.5))


def test_against_the_search_of_frugalgpt(shared: Path) -> None:
    """Its thresholds are on distance = 1 - score, strict, the last one 1; ours on confidence, the last one always accepting."""
    data = json.loads((shared / "vectors" / "api_cascade.json").read_text())
    quality, distance = np.array(data["quality"]).T, np.array(data["distance_1_minus_score"]).T
    for case in data["cases"]:
        rows = case["chain"]
        scores, confidences = quality[rows], 1 - distance[rows]
        costs = np.outer(np.array(data["cost_per_call"])[rows], np.ones(scores.shape[1]))
        if not case["thresholds"]:
            with pytest.raises(ConfigError, match="budget"):
                optimize(scores, costs, confidences, Aim(case["budget"]))
            continue
        theirs = tuple(np.nextafter(1 - t, 2) for t in case["thresholds"][:-1])
        official = simulate(scores, costs, confidences, theirs)
        assert official.score == pytest.approx(case["accuracy"], abs=1e-12)
        ours = simulate(scores, costs, confidences, optimize(scores, costs, confidences, Aim(case["budget"])))
        assert ours.score >= official.score - 1e-12 and ours.cost <= case["budget"] + 1e-9
