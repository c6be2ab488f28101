"""The joint search of order and thresholds: against a slow search, against FrugalGPT's numbers, and what it is worth held out."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from moco.core.errors import ConfigError
from moco.routers import Aim, Chain, Simulation, chains, held_out, search_chain, simulate
from tests.routers.test_thresholds import chain as outcomes
from tests.routers.test_thresholds import slow


@pytest.mark.parametrize("budget", [None, 2.0, 8.0])
def test_the_search_is_as_good_as_trying_every_order_and_every_cut(budget: float | None) -> None:
    scores, costs, confidences = outcomes(3, 10, seed=2)
    best = search_chain(scores, costs, confidences, Aim(budget), depth=2)
    found = best.run(scores, costs, confidences)
    wanted = [
        slow(scores[list(rows)], costs[list(rows)], confidences[list(rows)], budget)
        for length in (1, 2)
        for rows in itertools.permutations(range(3), length)
        if budget is None or min(costs[r].mean() for r in rows) <= budget
    ]
    assert found.score == pytest.approx(max(wanted))
    assert budget is None or found.cost <= budget + 1e-9


def test_a_cheaper_chain_is_taken_among_equals_and_what_is_enough_is_enough() -> None:
    scores = np.array([[1.0, 1, 0, 0], [1.0, 1, 1, 0], [1.0, 1, 1, 1]])
    costs = np.outer([1.0, 3.0, 9.0], np.ones(4))
    confidences = np.array([[0.9, 0.8, 0.2, 0.1], [0.9, 0.9, 0.9, 0.1], [0.5] * 4])
    every = search_chain(scores, costs, confidences, Aim(), 3).run(scores, costs, confidences)
    assert every.score == 1.0 and every.cost < 9.0
    enough = search_chain(scores, costs, confidences, Aim(enough=0.5), 3)
    assert enough == Chain((0,), ()), "one member that reaches it, the cheapest"
    three_quarters = search_chain(scores, costs, confidences, Aim(enough=0.75), 3)
    found = three_quarters.run(scores, costs, confidences)
    assert found.score == 0.75 and found.cost == pytest.approx(1 + 3 / 2) and three_quarters.members == (0, 1)


@pytest.mark.parametrize("kind", range(3))
def test_the_beam_finds_nearly_what_all_orders_hold(kind: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of twelve searches among six members at most one ends on another chain, and none loses more than two questions of 50."""
    losses = []
    for seed in range(4):
        scores, costs, confidences = outcomes(6, 50, seed=10 * kind + seed)
        costs = costs[np.random.default_rng(seed).permutation(6)] / costs.max()
        aim = (Aim(), Aim(0.1), Aim(cost_weight=0.5))[kind]
        every = search_chain(scores, costs, confidences, aim, 3)
        with monkeypatch.context() as few:
            few.setattr(chains, "ORDERS", 36)
            few.setattr(chains, "BEAM", 40)
            beam = search_chain(scores, costs, confidences, aim, 3)
        one, two = (aim.worth(f.score, f.cost)[0] for f in (c.run(scores, costs, confidences) for c in (every, beam)))
        losses.append(float(one - two))
    assert sum(loss > 0 for loss in losses) <= 1 and max(losses) <= 2 / 50


@pytest.mark.parametrize("seed", range(5))
def test_no_search_is_worse_than_any_member_alone_or_any_pair(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chains, "ORDERS", 0)
    monkeypatch.setattr(chains, "BEAM", 1)
    scores, costs, confidences = outcomes(7, 40, seed=seed)
    aim = Aim(cost_weight=1e-4)

    def worth(found: Simulation) -> float:
        return float(aim.worth(found.score, found.cost)[0])

    best = search_chain(scores, costs, confidences, aim, 4)
    for length in (1, 2):
        for rows in map(list, itertools.permutations(range(7), length)):
            part = scores[rows], costs[rows], confidences[rows]
            assert worth(best.run(scores, costs, confidences)) >= worth(simulate(*part, aim.cut(*part)))
    assert best == search_chain(scores, costs, confidences, aim, 4), "the same every time"


def test_longer_orders_put_a_member_in_at_any_place_best_parents_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chains._longer([(0, 1)], 3) == [(0, 1, 2), (0, 2, 1), (2, 0, 1)]
    monkeypatch.setattr(chains, "BEAM", 3)
    assert chains._longer([(0, 1), (1, 0)], 3) == [(0, 1, 2), (0, 2, 1), (2, 0, 1)]


def test_a_budget_below_everybody_is_refused() -> None:
    with pytest.raises(ConfigError, match="budget"):
        search_chain(*outcomes(3, 10), Aim(0.5), 3)


def test_the_estimate_has_no_part_in_the_choice() -> None:
    """Confidences that are noise look useful where they are chosen, and are worth a random deferral elsewhere."""
    random = np.random.default_rng(0)
    scores = (random.random((2, 60)) < 0.5).astype(float)
    costs, confidences = np.ones((2, 60)), random.random((2, 60))
    aim = Aim()
    chosen = search_chain(scores, costs, confidences, aim, 2).run(scores, costs, confidences).score
    parts = np.array_split(np.arange(60), 5)
    estimate = held_out(lambda s, c, v: search_chain(s, c, v, aim, 2), scores, costs, confidences, parts)
    assert estimate is not None and estimate[0] < chosen
    assert (
        held_out(lambda s, c, v: search_chain(s, c, v, aim, 2), scores[:, :1], costs[:, :1], confidences[:, :1], [np.arange(1)])
        is None
    )


def test_the_joint_search_is_never_worse_than_frugalgpts_chains(shared: Path) -> None:
    data = json.loads((shared / "vectors" / "api_cascade.json").read_text())
    quality, confidences = np.array(data["quality"]).T, 1 - np.array(data["distance_1_minus_score"]).T
    costs = np.outer(data["cost_per_call"], np.ones(quality.shape[1]))
    for case in data["cases"]:
        if not case["thresholds"]:
            continue
        found = search_chain(quality, costs, confidences, Aim(case["budget"]), 2).run(quality, costs, confidences)
        assert found.score >= case["accuracy"] - 1e-12 and found.cost <= case["budget"] + 1e-9
