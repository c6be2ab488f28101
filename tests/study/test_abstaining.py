"""Methods that may decline to answer: what abstaining is worth stands beside the score, and an abstention is never right."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import moco
from moco.core.types import Completion, Request, Sampling
from moco.models.pool import Pool
from moco.models.store import Store
from moco.study.abstaining import abstaining
from moco.study.outcomes import Outcome
from moco.study.summary import summarise
from moco.testing import ScriptedModel
from tests.methods.helpers import pool_of, task_of


def proposer(r: Request) -> str:
    """Always proposes A."""
    return "It is so." if "Say what is right" in r.messages[-1].content else "Answer: A"


def judge(r: Request) -> str:
    """Lets the answer to questions 0 and 1 stand."""
    text = r.messages[-1].content
    return ("HOLDS" if "question 0" in text or "question 1" in text else "FAILS") if "Does the proposed" in text else "Answer: B"


def test_the_figures_of_abstaining_stand_beside_the_score() -> None:
    # A is right on 0 and 2; 0 and 1 are answered: one right and one wrong answer, one right and one wrong abstention
    pool = pool_of(proposer, judge)
    result = moco.evaluate("multiagent_feedback", pool, task_of("ABAB"), mode="abstain", proposer="a", judge="b")
    assert result.mean == 0.25 and result.summary.unparsed == 0, "an abstention is not right, and no answer that was lost"
    assert [o.text for o in result.outcomes][2:] == ["I do not know."] * 2
    assert result.summary.figures == {
        "abstain_accuracy": 0.5,
        "abstain_precision": 0.5,
        "abstain_rate": 0.5,
        "abstain_recall": 0.5,
        "effective_reliability": 0.0,
        "proposed": 0.5,
        "reliable_accuracy": 0.5,
        "strict": 0.25,
    }
    assert json.loads(json.dumps(result.summary.to_json()))["figures"] == result.summary.figures
    (kept,) = [o for o in result.outcomes if o.id == "test2"]
    assert Outcome.from_json(json.loads(json.dumps(kept.to_json()))).metrics == {"abstained": 1.0, "proposed": 1.0}


def test_whoever_cannot_abstain_has_no_such_figures() -> None:
    for method, options in (("majority_vote", {}), ("multiagent_feedback", {"rounds": 1})):
        figures = moco.evaluate(method, pool_of(proposer, judge), task_of("ABAB"), **options).summary.figures
        assert set(figures) == {"strict"}


def outcome(abstained: bool, proposed: float, sure: float | None = None) -> Outcome:
    score = 0.0 if abstained else proposed
    return Outcome("x", "", None, score, confidence=sure, metrics={"abstained": float(abstained), "proposed": proposed})


def test_the_calibration_error_needs_a_confidence_of_every_answer() -> None:
    said = [outcome(False, 1, 1.0), outcome(False, 0, 0.5), outcome(True, 0, 0.0), outcome(True, 1, 0.75)]
    assert abstaining(said)["abstain_ece"] == pytest.approx(0.1875), "the scores 0, 0.5, 1, 0.25 speak for abstaining"
    assert "abstain_ece" not in abstaining([*said[:3], replace(said[3], confidence=None)])


def test_figures_without_ground_are_left_out_and_rewards_have_a_rate_alone() -> None:
    assert abstaining([outcome(False, 1)] * 2).keys() == {
        "reliable_accuracy",
        "effective_reliability",
        "abstain_accuracy",
        "abstain_rate",
    }
    assert abstaining([outcome(True, -3.0), outcome(False, 7.5)]) == {"abstain_rate": 0.5}
    assert abstaining([]) == {} and summarise([]).figures == {}


def test_a_free_text_that_is_held_back_is_graded_as_it_was_proposed(tmp_path: Path) -> None:
    records = [{"id": f"q{i}", "question": f"Which {i}?", "answer": "Paris", "kind": "short_text"} for i in range(2)]
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, records)))
    task = moco.load_task(str(tmp_path / "own.jsonl"))

    def says(r: Request) -> str | Completion:
        return "FAILS" if "Does the proposed" in r.messages[-1].content else "Paris"

    pool = Pool([ScriptedModel("a", says)], store=Store(None))
    result = moco.evaluate("multiagent_feedback", pool, task, mode="abstain", sampling=Sampling(temperature=0))
    assert result.mean == 0 and result.summary.figures["proposed"] == 1.0 and result.summary.figures["abstain_precision"] == 0.0
