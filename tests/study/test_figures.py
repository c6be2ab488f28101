"""What stands beside a mean: whole groups, macro means, other readings."""

from __future__ import annotations

from pathlib import Path

import pytest

from moco.core.errors import ConfigError
from moco.study.config import TaskConfig
from moco.study.figures import figures, macro_f1, units
from moco.study.loading import load_one
from moco.study.outcomes import Outcome
from moco.study.summary import summarise
from moco.tasks import Record, Task


def record(name: str, **more: object) -> Record:
    return Record.model_validate({"id": name, "question": f"{name}?", "answer": "x", "kind": "short_text", **more})


def outcome(name: str, score: float | None, rule: str = "whole reply", **metrics: float) -> Outcome:
    failed = "" if score is not None else "down"
    return Outcome(name, "text", "x", score, rule, parsed=score is not None, failed=failed, metrics=metrics)


def test_a_group_is_as_good_as_its_worst_item_and_counts_once() -> None:
    task = Task("t", [], [record(f"{g}{i}", group=g) for g in "abc" for i in range(2)] + [record("alone")], whole_groups=True)
    outcomes = [outcome("a0", 1), outcome("a1", 1), outcome("b0", 1), outcome("b1", 0), outcome("c0", 1), outcome("c1", None)]
    outcomes.append(outcome("alone", 1))
    assert units(outcomes, task) == {"a": 1, "b": 0, "c": None, "alone": 1}
    found = summarise(outcomes, task)
    assert (found.n, found.asked, found.failed) == (3, 6, 1) and found.mean == 2 / 3
    assert found.figures["per_item"] == 5 / 6
    assert summarise(outcomes).n == 6  # without a task every item counts for itself


def test_macro_means_weigh_subjects_alike() -> None:
    task = Task("t", [], [record("a", meta={"s": "x"}), record("b", meta={"s": "x"}), record("c", meta={"s": "y"})], macro="s")
    found = figures([outcome("a", 1, f1=1.0), outcome("b", 0, f1=0.5), outcome("c", 0, f1=0.0)], task)
    assert found == {"macro_s": 0.25, "f1": 0.5, "strict": 0}
    assert figures([outcome("a", None)], task) == {}


def test_macro_f1_weighs_rare_labels_as_much_as_common_ones() -> None:
    always = [("yes", "yes", True)] * 8 + [("no", "yes", False)] * 2
    assert abs(macro_f1(always) - (16 / 18) / 2) < 1e-12
    assert macro_f1([("yes", "Yes", True), ("no", None, False)]) == 0.5
    assert macro_f1([("yes", "yes", True), ("no", "no", True)]) == 1


def test_the_strict_reading_counts_answers_in_the_form_asked_for() -> None:
    task = Task("t", [], [record("a"), record("b"), record("c")])
    found = figures([outcome("a", 1, rule="answer"), outcome("b", 1), outcome("c", 0, rule="answer")], task)
    assert found["strict"] == 1 / 3


def test_a_metric_may_be_the_score() -> None:
    exact = Task("t", [], [record("a", answer=["Rome"])], metric="em")
    contained = Task("t", [], [record("a", answer=["Rome"])])
    said = "It was Rome, of course."
    assert contained.grade(contained.test[0], said).score == 1 and exact.grade(exact.test[0], said).score == 0
    assert exact.fingerprint != contained.fingerprint


@pytest.mark.parametrize(
    ("kind", "metric", "remedy"),
    [("short_text", "contain", "did you mean 'contains'?"), ("numeric", "f1", "leave 'metric'"), ("short_text", "x", "known: ")],
)
def test_a_metric_that_the_kind_does_not_have_is_refused(kind: str, metric: str, remedy: str, tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text('{"question": "2 + 2?", "answer": "4", "split": "test"}\n', encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_one(TaskConfig(data=str(path), kind=kind, metric=metric))
    assert f"'{metric}'" in caught.value.what and caught.value.where == "metric" and remedy in caught.value.remedy
    assert load_one(TaskConfig(data=str(path), kind="short_text", metric="f1")).metric == "f1"
