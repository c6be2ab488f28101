"""The curve of a chain of any length and its two controls: by hand, between chance and oracle, and against slow searches."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moco.routers import ACCEPT, DEFER, Recorded, area, chain_curve, oracle_deferral, random_deferral, simulate

SURE = np.array([[0.9, 0.8, 0.4, 0.2]])


def two(cut: float = 0.5) -> Recorded:
    """Four questions; the first stage costs 3, the second 10."""
    scores = np.array([[1.0, 0, 1, 0], [1, 1, 0, 1]])
    return Recorded(scores, np.array([[3.0] * 4, [10.0] * 4]), SURE, (cut,))


def some(seed: int, stages: int, n: int = 40) -> Recorded:
    """A chain whose stages get better and dearer, with some unusable and some missing answers."""
    rng = np.random.default_rng(seed)
    scores = (rng.random((stages, n)) < np.linspace(0.3, 0.9, stages)[:, None]).astype(float)
    costs = rng.random((stages, n)) + np.arange(1, stages + 1)[:, None] ** 2
    sure = rng.random((stages - 1, n)).round(1)
    sure[rng.random(sure.shape) < 0.1] = -np.inf
    sure[rng.random(sure.shape) < 0.05] = np.nan
    return Recorded(scores, costs, sure, tuple(rng.random(stages - 1)))


def test_two_stages_by_hand() -> None:
    """By share passed on: 0 (3, .5); 1/4 (5.5, .75); 2/4 (8, .5); 3/4 (10.5, .75); all: the second alone, (10, .75)."""
    found = chain_curve([two()])
    assert set(found.points) == {(3.0, 0.5), (5.5, 0.75), (8.0, 0.5), (10.5, 0.75), (10.0, 0.75)}
    assert found.points[0] == (3.0, 0.5) and found.points[50] == (8.0, 0.5) and found.points[-1] == (10.0, 0.75)
    assert set(found.random) == {(3.0, 0.5), (5.5, 0.5625), (8.0, 0.625), (10.5, 0.6875), (13.0, 0.75)}
    assert set(found.oracle) == {(3.0, 0.5), (5.5, 0.75), (8.0, 1.0), (10.5, 1.0), (13.0, 0.75)}
    # areas from 3 to 10.5: own 4.6875, chance 4.453125, oracle 6.25 (trapezoids)
    assert found.worth == pytest.approx((4.6875 - 4.453125) / (6.25 - 4.453125))


def test_three_stages_by_hand() -> None:
    scores = np.array([[1.0, 0, 0, 0], [0, 1, 1, 0], [1, 1, 1, 1]])
    costs = np.array([[1.0] * 4, [2.0] * 4, [8.0] * 4])
    sure = np.array([[0.9, 0.7, 0.3, 0.1], [0.1, 0.8, 0.6, 0.4]])
    chain = Recorded(scores, costs, sure, (0.5, 0.5))
    assert chain.passed_on == (0.5, 0.5), "half of all, then half of the two that arrive"
    assert chain.at(0.5).share == (0.5, 0.25, 0.25) and chain.at(0.5).score == 0.75
    assert chain.at(0.5).cost == (1 + 1 + 3 + 11) / 4
    assert chain.at(0.25).share == (0.75, 0.25, 0.0), "a quarter of all is one question; a quarter of one is none"
    assert chain.at(0.0).share == (1.0, 0.0, 0.0) and chain.at(0.0).cost == 1.0
    assert chain.at(1.0).share == (0.0, 0.0, 1.0) and chain.at(1.0).cost == 8.0, "whom nobody believes is not asked"
    assert random_deferral(scores, (0.5, 0.25, 0.25)) == 0.5 * 0.25 + 0.25 * 0.5 + 0.25
    assert oracle_deferral(scores, (0.5, 0.25, 0.25)) == 0.75
    assert oracle_deferral(scores, (0.25, 0.5, 0.25)) == 1.0


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 200), st.integers(2, 4))
def test_a_curve_has_its_run_and_its_ends_and_no_point_beats_the_oracle(seed: int, stages: int) -> None:
    chain = some(seed, stages)
    found = chain_curve([chain])
    ran = simulate(chain.scores, chain.costs, chain.confidences, chain.thresholds)
    assert found.points[50] == (ran.cost, ran.score)
    last = chain.scores[-1].mean(), chain.costs[-1].mean()
    assert found.points[-1] == (pytest.approx(last[1]), pytest.approx(last[0]))
    for place in (0.0, 0.15, 0.3, 0.5, 0.7, 0.95, 1.0):
        at = chain.at(place)
        assert at.score <= oracle_deferral(chain.scores, at.share) + 1e-9
        assert random_deferral(chain.scores, at.share) <= oracle_deferral(chain.scores, at.share) + 1e-9
    assert found.worth is not None


@given(st.integers(0, 200), st.integers(2, 3))
def test_nobody_who_gave_no_answer_is_believed(seed: int, stages: int) -> None:
    chain = some(seed, stages)
    silent = np.isnan(chain.confidences)
    for place in (0.0, 0.2, 0.5, 0.9):
        share = chain.at(place).share
        assert share[0] <= 1 - silent[0].mean() + 1e-12
    accepting = Recorded(chain.scores, chain.costs, chain.confidences, (ACCEPT,) * (stages - 1))
    assert accepting.passed_on[0] == silent[0].mean()


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 300))
def test_the_oracle_is_the_best_of_all_ways_to_seat_the_questions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.random((3, 5)) if seed % 2 else rng.integers(0, 2, (3, 5)).astype(float)
    seats = rng.multinomial(5, [1 / 3] * 3)
    ways = (w for w in itertools.product(range(3), repeat=5) if list(np.bincount(w, minlength=3)) == seats.tolist())
    best = max(scores[list(way), range(5)].mean() for way in ways)
    assert oracle_deferral(scores, seats / 5) == pytest.approx(best, abs=1e-9)


def test_a_thousand_questions_with_scores_of_their_own_have_an_oracle_too() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random((2, 1000))
    gains = np.sort(scores[1] - scores[0])[::-1]
    assert oracle_deferral(scores, (0.7, 0.3)) == pytest.approx(scores[0].mean() + gains[:300].sum() / 1000)


def test_a_stage_that_was_skipped_costs_the_controls_nothing() -> None:
    found = chain_curve([two(DEFER)])
    assert found.points[50] == (10.0, 0.75)
    assert found.random[-1] == (10.0, 0.75) and found.oracle[-1] == (10.0, 0.75)


def test_seeds_are_averaged_each_on_its_own_path_and_weigh_by_their_questions() -> None:
    few = Recorded(np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]]), np.array([[0.3]]), (0.5,))
    found = chain_curve([two(0.5), few])
    assert found.points[50] == (pytest.approx((8.0 * 4 + 3.0) / 5), pytest.approx((0.5 * 4 + 1.0) / 5))
    alone = Recorded(np.ones((1, 4)), np.full((1, 4), 7.0), np.zeros((0, 4)), ())
    mixed = chain_curve([two(0.5), alone])
    assert mixed.points[0] == (5.0, 0.75) and mixed.points[-1] == (8.5, 0.875), "a chain of one always asks that one"


def test_confidences_without_worth_are_told_so() -> None:
    """The confidence is the score itself, then nothing at all, then its opposite."""
    rng = np.random.default_rng(1)
    right = rng.integers(0, 2, 400).astype(float)
    scores, costs = np.stack([right, np.ones(400)]), np.array([[1.0] * 400, [5.0] * 400])
    tie = rng.random(400) / 10
    good, none, bad = (Recorded(scores, costs, sure[None], (0.5,)) for sure in (right + tie, rng.random(400), tie - right))
    worth = [chain_curve([chain]).worth for chain in (good, none, bad)]
    assert worth[0] == pytest.approx(1.0, abs=0.02) and worth[1] == pytest.approx(0.0, abs=0.15) and (worth[2] or 0) < -0.9
    same = Recorded(np.ones((2, 4)), costs[:, :4], SURE, (0.5,))
    assert chain_curve([same]).worth is None, "where nobody errs there is nothing to gain"


def test_an_area_is_the_mean_score_over_costs() -> None:
    assert area([(0.0, 0.0), (2.0, 1.0)], 0.0, 2.0) == 0.5 and area([(0.0, 0.0), (2.0, 1.0)], 1.0, 2.0) == 0.75
    assert area([(0.0, 0.2), (0.0, 0.4), (1.0, 0.4)], 0.0, 1.0) == pytest.approx(0.4), "of equal costs the best"
