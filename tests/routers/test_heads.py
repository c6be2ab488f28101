"""Heads of the trained router against RouteLLM's numbers, slow references and hand cases; labels, folds, choice, gaps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit

from moco.routers import (
    HEADS,
    Outcomes,
    Rule,
    area_under,
    battles,
    best,
    cost_to_reach,
    elo,
    factor_scores,
    folds,
    gap_recovered,
    labels,
    learn,
    ratings,
    scores,
    share_threshold,
    similarity_weights,
    validate,
    win_rate,
)
from moco.routers.factors import _gradient, learn_at_rates, learn_factors
from moco.routers.validation import scale_of

BATTLES = [
    ("A", "B", 1),
    ("A", "C", 1),
    ("B", "C", 0.5),
    ("C", "A", 0),
    ("A", "B", 0),
    ("B", "A", 0.5),
    ("C", "B", 1),
    ("A", "C", 1),
]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def table_of(battles_: list[tuple[str, str, float]], weights: Any = None) -> np.ndarray[Any, Any]:
    won = np.zeros((3, 3))
    for (a, b, result), weight in zip(battles_, np.ones(len(battles_)) if weights is None else weights, strict=True):
        won["ABC".index(a), "ABC".index(b)] += weight * result
        won["ABC".index(b), "ABC".index(a)] += weight * (1 - result)
    return won


def outcomes_of(scores_: Any, costs: Any = None, rewards: Any = None) -> Outcomes:
    found = np.asarray(scores_, np.float64)
    priced = np.ones(found.shape) if costs is None else np.broadcast_to(np.asarray(costs, np.float64), found.shape)
    names = tuple("abcdefgh"[: found.shape[1]])
    return Outcomes(names, tuple(f"q{i}" for i in range(len(found))), found, priced, rewards)


def planted(n: int = 60, seed: int = 0) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Two clusters of questions; member 0 is right on the first, member 1 on the second, member 2 on a third of all."""
    random = rng(seed)
    side = np.arange(n) % 2
    x = np.where(side[:, None] == 0, [1.0, 0, 0], [0, 1.0, 0]) + 0.2 * random.standard_normal((n, 3))
    y = np.stack([side == 0, side == 1, random.random(n) < 1 / 3], axis=1).astype(float)
    return x / np.linalg.norm(x, axis=1, keepdims=True), y


# ratings


def test_ratings_are_the_maximum_of_the_likelihood() -> None:
    won = table_of(BATTLES, [1, 2, 3, 4, 5, 6, 7, 8])

    def loss(theta: np.ndarray[Any, Any]) -> float:
        return float(-(won * np.log(expit(theta[:, None] - theta[None, :]))).sum() + 1e-9 * theta @ theta)

    slow = minimize(loss, np.zeros(3), tol=1e-12).x
    assert ratings(won) == pytest.approx(slow - slow.mean(), abs=1e-4)
    assert elo(ratings(won)).mean() == pytest.approx(1000)


def test_two_members_have_the_odds_of_their_wins() -> None:
    won = np.array([[0.0, 3.0], [1.0, 0.0]])
    top, bottom = elo(ratings(won))
    assert 1 / (1 + 10 ** ((bottom - top) / 400)) == pytest.approx(0.75, abs=1e-5)
    assert np.isfinite(ratings(np.array([[0.0, 5.0], [0.0, 0.0]]))).all(), "who never loses has a finite rating"
    assert ratings(np.zeros((3, 3))).tolist() == [0, 0, 0]


def test_weights_of_similar_battles_by_hand() -> None:
    assert similarity_weights(np.array([0.5, 1.0, 0.0])) == pytest.approx([10 * 10**0.5, 100, 10])
    low = similarity_weights(np.array([-0.5, -0.1]))
    assert low[1] > low[0] > 0, "nearer weighs more also where nothing is alike"


# vectors of RouteLLM


@pytest.fixture
def vectors(shared: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shared / "vectors" / "api_trained_router.json").read_text())
    return found


def test_against_routellm_elo_and_similarity(vectors: dict[str, Any]) -> None:
    case = vectors["elo_mle"]
    battles_ = [(b["model_a"], b["model_b"], {"model_a": 1, "model_b": 0, "tie": 0.5}[b["winner"]]) for b in case["battles"]]
    for key, weights in (("unweighted", None), ("weighted", case["weights"])):
        assert elo(ratings(table_of(battles_, weights))) == pytest.approx([case[key][n] for n in "ABC"], abs=0.5)
    near = vectors["similarity_weights"]
    assert similarity_weights(np.array(near["similarities"])) == pytest.approx(near["weights"])


def test_against_routellm_similarity_weighted_win_rate(vectors: dict[str, Any]) -> None:
    case = vectors["sw_ranking_win_rate"]
    x, question = np.array(case["battle_embeddings"]), np.array([case["prompt_embedding"]])
    x, question = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (x, question))
    won = np.stack([table_of([battle]) for battle in BATTLES])
    found = HEADS["sw"].scores({"x": x, "battles": won}, question)
    assert win_rate(found, 0, np.array([2]), True)[0] == pytest.approx(case["strong_win_rate"], abs=1e-3)


def test_against_routellm_matrix_factorisation(vectors: dict[str, Any]) -> None:
    case = vectors["mf_win_rate"]
    members = np.array([case["P_strong"], case["P_weak"]])
    found = factor_scores(
        members, np.array(case["text_proj"]), np.array(case["classifier"][0]), np.array([case["prompt_embedding"]])
    )
    assert win_rate(found, 0, np.array([1]), True)[0] == pytest.approx(case["win_rate"], abs=1e-6)


def test_against_routellm_calibration_and_route(vectors: dict[str, Any]) -> None:
    case = vectors["calibrate_threshold"]
    for share, threshold in case["cases"]:
        assert share_threshold(case["scores"], share) == pytest.approx(threshold)
    for rate, threshold, who in vectors["route"]["cases"]:
        rule = Rule(np.ones(2), 0.0, 0, False, threshold)
        found = np.array([[rate, 1 - rate]])
        assert rule.decide(found, found)[0][0] == {"S": 0, "W": 1}[who]


def test_against_routellm_apgr_and_cpt(vectors: dict[str, Any]) -> None:
    case = vectors["apgr_and_cpt"]
    share, quality = np.array(case["curve"]["strong_percentage"]) / 100, np.array(case["curve"]["accuracy"])
    weak, strong = case["weak_accuracy"], case["strong_accuracy"]
    assert area_under(share, quality, weak) == pytest.approx(case["result"]["AUC"])
    assert gap_recovered(share, quality, weak, strong) == pytest.approx(case["result"]["APGR"])
    for name in ("20", "50", "80"):
        reached = cost_to_reach(share, quality, weak, strong, int(name) / 100)
        assert reached is not None and f"{reached:.2%}" == case["result"][f"{name}% qual"]


# the same by hand


def test_calibrated_thresholds_and_ties_of_routing_by_hand() -> None:
    rates = [0.2, 0.4, 0.6, 0.8]
    assert [share_threshold(rates, s) for s in (0, 0.5, 1)] == pytest.approx([0.8, 0.5, 0.2])
    assert (np.array(rates) >= share_threshold(rates, 0)).sum() == 1, "share 0 still gives it the surest question"
    found = np.array([[0.3, 0.9], [0.9, 0.3], [0.5, 0.5]])
    for threshold, who in ((0.0, [0, 0, 0]), (1.01, [1, 1, 1]), (0.5, [1, 0, 0])):
        assert Rule(np.ones(2), 0.0, 0, False, threshold).decide(found, found)[0].tolist() == who


def test_the_strong_member_is_measured_against_the_best_other() -> None:
    found = np.array([[0.6, 0.5, 0.9], [0.6, 0.5, 0.1]])
    chosen, rates = Rule(np.ones(3), 0.0, 0, False, 0.5).decide(found, found)
    assert chosen.tolist() == [2, 0] and rates is not None and rates == pytest.approx([0.35, 0.55])


def test_apgr_and_cpt_by_hand() -> None:
    share, quality = [0.0, 0.5, 1.0], [0.5, 0.8, 0.9]
    assert area_under(share, quality, 0.5) == pytest.approx((0.65 + 0.85) / 2)
    assert gap_recovered(share, quality, 0.5, 0.9) == pytest.approx(0.625)
    assert cost_to_reach(share, quality, 0.5, 0.9, 0.5) == pytest.approx(0.5 * 0.2 / 0.3)
    assert gap_recovered([0.0, 1.0], [0.5, 0.9], 0.5, 0.9) == pytest.approx(0.5), "routing at random"
    assert gap_recovered(share, quality, 0.9, 0.5) is None and cost_to_reach(share, [0.5, 0.5, 0.5], 0.5, 0.9, 0.2) is None


def test_below_its_first_cost_a_router_is_worth_the_weak_member() -> None:
    """From 0.2 on 0.8, at 0.6 and beyond 0.9: 0.2 x 0.5 + 0.4 x 0.85 + 0.4 x 0.9."""
    dear = [0.2, 0.6], [0.8, 0.9]
    assert area_under(*dear, 0.5) == pytest.approx(0.1 + 0.34 + 0.36)
    assert gap_recovered(*dear, 0.5, 0.9) == pytest.approx((0.8 - 0.5) / 0.4)
    assert cost_to_reach(*dear, 0.5, 0.9, 0.2) == 0.2, "not for less than it costs"
    assert gap_recovered([1.2], [0.9], 0.5, 0.9) == 0.0, "for that the strong member itself can be had"
    assert area_under([-0.5, 0.5], [0.4, 0.8], 0.1) == pytest.approx(0.35 + 0.4), "cheaper than the weak one counts from 0"


@given(st.lists(st.tuples(st.integers(0, 10), st.floats(0, 1)), min_size=1, max_size=12), st.floats(0.05, 1))
def test_what_cpt_promises_is_on_the_curve(points: list[tuple[int, float]], share: float) -> None:
    cost, quality = [c / 10 for c, _ in points], [q for _, q in points]
    reached = cost_to_reach(cost, quality, 0.0, 1.0, share)
    assert (reached is None) == (max(quality) < share - 1e-12)
    assert min(quality) - 1e-9 <= area_under(cost, quality, quality[0]) <= max(quality) + 1e-9


# choice


def test_utility_prefers_the_better_then_the_cheaper_then_the_first() -> None:
    quality = np.array([[0.5, 0.5, 0.5], [0.9, 0.5, 0.8]])
    assert best(quality, np.array([1.0, 0.5, 0.5])).tolist() == [1, 0]
    assert best(quality, np.ones(3)).tolist() == [0, 0]
    assert best(quality, np.array([1.0, 0.5, 0.7]), 0.5).tolist() == [1, 2]
    assert best(quality, np.array([1.0, 0.5, 0.7]), np.inf).tolist() == [1, 1], "cost alone"


@given(st.integers(0, 1000), st.floats(0, 3), st.floats(0, 3))
def test_a_larger_weight_never_costs_more(seed: int, one: float, two: float) -> None:
    quality, costs = rng(seed).random((8, 4)), rng(seed + 1).random(4)
    low, high = sorted((one, two))
    assert (costs[best(quality, costs, high)] <= costs[best(quality, costs, low)] + 1e-8).all()


def test_win_rates_from_expected_scores_are_exact_for_right_and_wrong() -> None:
    """P(strong right and weak wrong) + P(equal) / 2 is (1 + difference of the means) / 2, whatever the joint law."""
    joint = {(1, 1): 0.3, (1, 0): 0.4, (0, 1): 0.1, (0, 0): 0.2}
    strong, weak = (sum(p for pair, p in joint.items() if pair[i]) for i in (0, 1))
    wins = joint[1, 0] + 0.5 * (joint[1, 1] + joint[0, 0])
    assert win_rate(np.array([[strong, weak]]), 0, np.array([1]), False)[0] == pytest.approx(wins)


# labels, battles, folds


def test_labels_by_every_rule_of_ties() -> None:
    table = [[1, 1, 0], [0, 0, 0], [1, 0, 0], [1, 1, 1]]
    costs, rewards = [2.0, 1.0, 1.0], np.array([[5.0, 1, 0], [0, 0, 9], [0, 9, 0], [3, 3, 1]])
    assert labels(outcomes_of(table, costs), "soft").tolist() == [[0.5, 0.5, 0], [0, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert labels(outcomes_of(table, costs), "cost").tolist() == [[0, 1, 0], [0, 0.5, 0.5], [1, 0, 0], [0, 0.5, 0.5]]
    assert labels(outcomes_of(table, costs, rewards)).tolist() == [[1, 0, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]]
    assert labels(outcomes_of(table, costs, rewards), "cost")[0].tolist() == [0, 1, 0]


def test_battles_by_hand() -> None:
    assert battles(np.array([[1.0, 0.0, 1.0]]))[0].tolist() == [[0, 1, 0.5], [0, 0, 0], [0.5, 1, 0]]


@given(st.integers(2, 30), st.integers(2, 6), st.integers(0, 20))
def test_folds_hold_every_example_once_and_share_the_kinds(n: int, count: int, seed: int) -> None:
    found = outcomes_of(rng(seed).integers(0, 2, (n, 2)))
    parts = folds(found, count, rng(seed))
    assert sorted(i for part in parts for i in part) == list(range(n))
    first = [float((found.scores[p, 0] > found.scores[p, 1]).sum()) for p in parts]
    assert max(first) - min(first) <= 2, "each part has about as many questions that the first member wins"


def test_rewards_are_brought_to_a_common_range_and_costs_to_the_dearest() -> None:
    found = outcomes_of([[-2.0, 6.0], [2.0, 2.0]], [[1.0, 3.0]])
    assert found.quality.tolist() == [[0, 1], [0.5, 0.5]]
    assert found.relative_costs == pytest.approx([1 / 3, 1])
    assert outcomes_of([[0.2, 0.4]]).quality.tolist() == [[0.2, 0.4]], "scores in [0, 1] stay as they are"
    assert outcomes_of([[1.0, 0.0]], [[0.0, 0.0]]).relative_costs.tolist() == [1, 1]


# heads


@pytest.mark.parametrize("name", ["knn", "logistic", "mf", "sw", "mlp"])
def test_every_head_finds_who_knows_what(name: str) -> None:
    if name in ("logistic", "mlp"):
        pytest.importorskip("sklearn")
    x, y = planted()
    new, truth = planted(40, seed=9)
    learned = learn(HEADS[name], x, y, rng(), {"rate": 0.01} if name == "mf" else {})
    chosen = best(scores(HEADS[name], learned, new), np.ones(3))
    assert truth[np.arange(40), chosen].mean() >= 0.95


def test_elo_ignores_the_question_and_ranks_by_wins() -> None:
    x, y = planted()
    y[:, 0] = 1.0
    found = scores(HEADS["elo"], learn(HEADS["elo"], x, y, rng(), {}), x)
    assert (found == found[0]).all() and found[0].argmax() == 0


@pytest.mark.parametrize("name", list(HEADS))
def test_a_member_that_is_always_right_is_always_chosen(name: str) -> None:
    if name in ("logistic", "mlp"):
        pytest.importorskip("sklearn")
    x, _ = planted(30)
    y = np.tile([0.0, 1.0, 0.0], (30, 1))
    learned = learn(HEADS[name], x, y, rng(), {})
    assert "constant" in learned
    assert (best(scores(HEADS[name], learned, x), np.ones(3)) == 1).all()


@pytest.mark.parametrize("name", list(HEADS))
def test_permuting_the_members_permutes_the_scores(name: str) -> None:
    if name in ("logistic", "mlp"):
        pytest.importorskip("sklearn")
    x, y = planted()
    order = [2, 0, 1]
    plain = scores(HEADS[name], learn(HEADS[name], x, y, rng(), {}), x)
    permuted = scores(HEADS[name], learn(HEADS[name], x, y[:, order], rng(), {}), x)
    assert np.allclose(permuted, plain[:, order], atol=1e-9)


@pytest.mark.parametrize("name", list(HEADS))
def test_a_seed_gives_the_same_arrays(name: str) -> None:
    if name in ("logistic", "mlp"):
        pytest.importorskip("sklearn")
    x, y = planted()
    one, two = (learn(HEADS[name], x, y, rng(3), {}) for _ in range(2))
    assert one.keys() == two.keys() and all((one[k] == two[k]).all() for k in one)
    assert all(isinstance(v, np.ndarray) and v.dtype != object for v in one.values()), "plain arrays, nothing to unpickle"


def test_one_neighbour_knows_what_it_has_seen() -> None:
    x, y = planted()
    learned = learn(HEADS["knn"], x, y, rng(), {"neighbours": 1})
    chosen = best(scores(HEADS["knn"], learned, x), np.ones(3))
    assert (y[np.arange(len(y)), chosen] == y.max(axis=1)).all()


def test_neighbours_against_a_slow_search() -> None:
    x, y = planted(20, seed=4)
    new, _ = planted(5, seed=5)
    for weighted in (0, 1):
        found = scores(HEADS["knn"], learn(HEADS["knn"], x, y, rng(), {"neighbours": 3, "weighted": weighted}), new)
        for row, question in zip(found, new, strict=True):
            near = sorted(range(20), key=lambda i: -float(x[i] @ question))[:3]
            weights = np.array([max(float(x[i] @ question), 0) if weighted else 1.0 for i in near])
            assert row == pytest.approx((y[near] * weights[:, None]).sum(axis=0) / weights.sum(), abs=1e-6)


def test_the_gradient_of_the_factorisation_is_that_of_its_loss() -> None:
    random = rng(1)
    params = {
        "members": random.standard_normal((3, 4)),
        "projection": random.standard_normal((4, 5)),
        "classifier": random.standard_normal(4),
    }
    x, winner, loser = random.standard_normal((6, 5)), np.array([0, 1, 2, 0, 1, 2]), np.array([1, 2, 0, 2, 0, 1])

    def loss() -> float:
        found = factor_scores(params["members"], params["projection"], params["classifier"], x)
        rows = np.arange(6)
        return float(np.logaddexp(0, -(found[rows, winner] - found[rows, loser])).mean())

    gradient = _gradient(params, x, np.eye(3)[winner] - np.eye(3)[loser])
    for name, value in params.items():
        for place in np.ndindex(value.shape):
            kept, step = value[place], 1e-6
            value[place] = kept + step
            above = loss()
            value[place] = kept - step
            slope = (above - loss()) / (2 * step)
            value[place] = kept
            assert gradient[name][place] == pytest.approx(slope, abs=1e-6)


def test_rates_learned_together_are_those_learned_alone() -> None:
    x, y = planted(40)
    settings_ = [{"rate": rate, "epochs": 7} for rate in (3e-4, 3e-3)]
    for together, setting in zip(learn_at_rates(x, y, rng(3), settings_), settings_, strict=True):
        alone = learn_factors(x, y, rng(3), **setting)  # type: ignore[arg-type]
        for name, value in alone.items():
            assert together[name] == pytest.approx(value, abs=1e-12)


def test_soft_scores_count_as_both_labels() -> None:
    pytest.importorskip("sklearn")
    x = np.tile([1.0, 0.0], (40, 1)) + 0.01 * rng().standard_normal((40, 2))
    learned = learn(HEADS["logistic"], x, np.tile([0.25, 0.6], (40, 1)) + 0.01 * rng(2).random((40, 2)), rng(), {"strength": 1.0})
    assert scores(HEADS["logistic"], learned, x)[0] == pytest.approx([0.255, 0.605], abs=0.02)


def test_scores_that_count_against_themselves_are_read_as_the_mean_quality() -> None:
    quality = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    scale = scale_of(-5 * quality + 3, quality)
    assert scale.quality(-5 * quality + 3) == pytest.approx(np.full((3, 2), 1 / 3), abs=0.01)
    assert scale.quality(np.array([1.0]))[0] > scale.quality(np.array([0.0]))[0], "more is still more"


def test_equal_win_rates_are_equal_whatever_differences_they_come_from() -> None:
    found = np.array([[0.2, 0.0], [0.8, 0.6], [0.2, 0.4]])  # mean scores of five neighbours
    rates = win_rate(found, 0, np.ones(3, np.int64), False)
    assert (1 + found[0, 0] - found[0, 1]) / 2 != (1 + (found[1, 0] - found[1, 1])) / 2 and rates[0] == rates[1]
    chosen, _ = Rule(np.ones(2), 0.0, 0, False, share_threshold(rates, 0.5)).decide(found, found)
    assert chosen.tolist() == [0, 0, 1], "both are as far ahead, so both go to the strong one"


# validation


def test_held_out_scores_come_from_heads_that_have_not_seen_the_question() -> None:
    """Noise cannot be told: one neighbour routes its own dev perfectly, and held out no better than chance."""
    random = rng(0)
    x = random.standard_normal((200, 4))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    y = np.eye(2)[random.integers(0, 2, 200)]
    found = validate(HEADS["knn"], x, y, outcomes_of(y), [{"neighbours": 1}], seed=1)
    assert y[np.arange(200), best(found.held, np.ones(2))].mean() == pytest.approx(0.5, abs=0.1)
    assert found.tried[0][1] == pytest.approx(0.5, abs=0.1)


def test_the_setting_with_the_best_held_out_routing_is_chosen() -> None:
    x, y = planted(300)
    flip = rng(3).random(300) < 0.3
    y[flip, 0], y[flip, 1] = y[flip, 1], y[flip, 0].copy()
    found = validate(HEADS["knn"], x, y, outcomes_of(y), [{"neighbours": 1}, {"neighbours": 15}], seed=1)
    assert dict(found.setting) == {"neighbours": 15}
    values = {s["neighbours"]: v for s, v in found.tried}
    assert values[15] > values[1]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 50))
def test_log_odds_become_qualities_without_changing_the_order(seed: int) -> None:
    x, y = planted(30, seed)
    found = validate(HEADS["sw"], x, y, outcomes_of(y), [{}], seed=seed)
    quality = found.quality(found.held)
    assert ((quality > 0) & (quality < 1)).all()
    assert (quality.argmax(axis=1) == found.held.argmax(axis=1)).all()
