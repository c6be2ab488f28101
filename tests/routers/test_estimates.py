"""Logistic scorer, calibration and costs."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from moco.collab import Fitted, load_method
from moco.core.types import Usage
from moco.models.pool import Pool
from moco.models.store import Store
from moco.routers import (
    auroc,
    calibration_error,
    cross_fitted,
    fit_logistic,
    reliability,
    spent,
    told,
)
from moco.testing import ScriptedModel
from tests.methods.helpers import request


def data(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, 2)) * [1, 100] + [0, 1000]
    return x, (rng.random(n) < 1 / (1 + np.exp(-(1.5 * x[:, 0] - 0.5)))).astype(float)


def test_the_scorer_finds_the_law_behind_the_data() -> None:
    x, y = data(20000)
    found = fit_logistic(x, y)
    slope = np.array(found.weights) / np.array(found.scale)
    assert slope[0] == pytest.approx(1.5, abs=0.1) and abs(slope[1]) < 1e-3
    assert calibration_error(found.probability(x), y) < 0.02


def test_the_gradient_is_zero_at_the_solution() -> None:
    x, y = data()
    found = fit_logistic(x, y, l2=2.0)
    z = (x - np.array(found.centre)) / np.array(found.scale)
    slack = found.probability(x) - y
    assert np.allclose(z.T @ slack + 2.0 * np.array(found.weights), 0, atol=1e-2)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_labels_that_are_all_equal_give_a_finite_scorer(label: float) -> None:
    x, y = data(30)
    p = fit_logistic(x, np.full_like(y, label)).probability(x)
    assert np.isfinite(p).all() and (abs(p - label) < 0.1).all()


def test_out_of_fold_scores_never_saw_their_example() -> None:
    """Labels that are pure noise look learnable in sample; out of fold they are worth nothing."""
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((60, 14)), (rng.random(60) < 0.5).astype(float)
    within = auroc(fit_logistic(x, y).probability(x), y)
    held_out = auroc(cross_fitted(x, y, np.random.default_rng(2)), y)
    assert within is not None and held_out is not None
    assert within > 0.7 and held_out < 0.65
    assert cross_fitted(x[:1], y[:1], rng).tolist() == [0.5]


def test_auroc_by_hand() -> None:
    assert auroc([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0]) == 1.0
    assert auroc([0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0]) == 0.0
    assert auroc([0.5] * 4, [1, 0, 1, 0]) == 0.5
    assert auroc([-np.inf, 0.3, 0.4], [0, 1, 1]) == 1.0
    assert auroc([0.1, 0.2], [1, 1]) is None


def test_reliability_bins_hold_everything_once() -> None:
    bins = reliability([0.9, 0.1, 0.5, 0.3], [1, 0, 1, 0], bins=2)
    assert [b.n for b in bins] == [2, 2]
    assert [b.confidence for b in bins] == pytest.approx([0.2, 0.7]) and [b.score for b in bins] == [0.0, 1.0]
    assert calibration_error([0.9, 0.1, 0.5, 0.3], [1, 0, 1, 0], bins=2) == pytest.approx(0.25)


def test_an_answer_costs_the_tokens_of_whoever_wrote_it() -> None:
    pool = Pool(
        [{"model": ScriptedModel(n, "Answer: A"), "name": n, "cost": c} for n, c in (("a", 1), ("b", 10))], store=Store(None)
    )
    assert spent(pool["b"], Usage(3, 4, 1)) == 70
    panel = Pool([{"model": Fitted(load_method("majority_vote"), pool).as_model("panel"), "cost": 2}], store=Store(None))[0]
    said = asyncio.run(panel.model.generate(request()))
    alone = [c.usage.prompt_tokens + c.usage.completion_tokens for c in said.calls]
    assert spent(panel, said.usage, said.calls) == 2 * (alone[0] * 1 + alone[1] * 10)


@pytest.mark.parametrize(
    ("text", "left", "sure"),
    [
        ("It is soup. Answer: A\nConfidence: high", "It is soup. Answer: A", 1.0),
        ("Answer: A\n**Confidence: Low**.", "Answer: A", 0.0),
        ("Confidence: high\nHm.\nAnswer: A\nConfidence: low\n", "Hm.\nAnswer: A", 0.0),
        (
            "I write Confidence: low or Confidence: high. Answer: A",
            "I write Confidence: low or Confidence: high. Answer: A",
            None,
        ),
        ("I am unconfident. Answer: A", "I am unconfident. Answer: A", None),
        ("Confidence: highest", "Confidence: highest", None),
    ],
)
def test_a_told_confidence_is_a_line_of_its_own(text: str, left: str, sure: float | None) -> None:
    assert told(text) == (left, sure)
