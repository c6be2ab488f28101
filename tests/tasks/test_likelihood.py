"""Options compared by probability: figures by hand, what a model answers, and who cannot be asked."""

from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import moco
from moco.core.errors import ConfigError, PoolError
from moco.core.query import Query
from moco.core.types import AnswerSpec, Message, Request
from moco.models.pool import Pool
from moco.models.store import Store
from moco.study import Study, load_study
from moco.tasks import FewShot, Record, Task, check_file
from moco.tasks.catalogue import truthfulqa
from moco.tasks.catalogue.entry import Defect, Native
from moco.tasks.graders import grade
from moco.tasks.shots import with_shots
from moco.testing import ScriptedModel, TableModel

SPEC = AnswerSpec("likelihood", labels=("1", "2", "3"), choices=("aa", "b", "cccc"))
TOKENS = ["a", "b", "c", "?", "<eos>"]


def said(*values: float) -> str:
    return json.dumps(dict(zip(SPEC.labels, values, strict=True)))


def test_the_figures_by_hand() -> None:
    found = grade("likelihood", said(math.log(0.5), math.log(0.3), math.log(0.1)), ["2", "3"], SPEC)
    assert found.extracted == "1" and found.parsed and found.score == found.metrics["accuracy"] == 0
    assert found.metrics["mc2"] == pytest.approx((0.3 + 0.1) / 0.9)
    # per byte: log 0.5 / 2 = -0.35, log 0.3 / 1 = -1.2, log 0.1 / 4 = -0.58
    assert (
        found.metrics["accuracy_norm"] == 0 and grade("likelihood", said(-4, -3, -5), ["3"], SPEC).metrics["accuracy_norm"] == 1
    )
    assert grade("likelihood", said(-1, -2, -3), "1", SPEC).score == 1
    assert grade("likelihood", said(-1, -1, -3), "1", SPEC).extracted == "1"  # the first of equals


@pytest.mark.parametrize(
    "text", ["1", "Answer: 1", "{}", '{"1": -1, "2": -2}', '{"1": -1, "2": -2, "3": "x"}', '{"1": 1e999}', ""]
)
def test_any_other_text_is_unparsed(text: str) -> None:
    found = grade("likelihood", text, "1", SPEC)
    assert (found.parsed, found.score, found.metrics["mc2"]) == (False, 0, 0)


@given(st.lists(st.floats(-2000, 0), min_size=3, max_size=3), st.floats(-500, 500), st.permutations(range(3)))
def test_mass_is_a_share_that_no_shift_or_order_changes(values: list[float], shift: float, order: list[int]) -> None:
    mass = grade("likelihood", said(*values), ["1", "3"], SPEC).metrics["mc2"]
    rest = grade("likelihood", said(*values), ["2"], SPEC).metrics["mc2"]
    assert 0 <= mass <= 1 and mass + rest == pytest.approx(1)
    assert grade("likelihood", said(*(v + shift for v in values)), ["1", "3"], SPEC).metrics["mc2"] == pytest.approx(
        mass, abs=1e-9
    )
    moved = AnswerSpec("likelihood", labels=SPEC.labels, choices=tuple(SPEC.choices[i] for i in order))
    golds = [moved.labels[order.index(i)] for i in (0, 2)]
    assert grade("likelihood", said(*(values[i] for i in order)), golds, moved).metrics["mc2"] == pytest.approx(mass)


def table(name: str = "table", a: float = 0.5) -> TableModel:
    """Tokens are independent: a with probability ``a``, then b, c, ?, end share the rest as 4 : 2 : 1 : 1."""
    law = [a, *((1 - a) * part / 8 for part in (4, 2, 1, 1))]
    return TableModel(name, TOKENS, lambda ids: law)


def task_of(*records: Record) -> Task:
    return Task("t", [], list(records), "likelihood", metric="mc2")


RECORD = Record(id="q", question="ab?", choices={"1": "aa", "2": "b", "3": "cc"}, labels=["2", "3"], kind="likelihood")


def test_a_model_answers_with_the_probabilities_of_its_options() -> None:
    store = Store(None)
    pool = Pool([table()], store=store)
    task = task_of(RECORD)
    result = moco.evaluate("single", pool, task)
    [outcome] = result.outcomes
    p = {"1": 0.25, "2": 0.25, "3": 0.125**2}
    assert json.loads(outcome.text) == pytest.approx({label: math.log(value) for label, value in p.items()}, abs=1e-6)
    assert outcome.score == pytest.approx((0.25 + 0.125**2) / (0.5 + 0.125**2), abs=1e-5)
    assert outcome.metrics["accuracy"] == 0 and outcome.parsed and outcome.finish == "stop"
    assert (outcome.usage.prompt_tokens, outcome.usage.completion_tokens, outcome.usage.calls) == (3 * 3 + 2 + 1 + 2, 0, 3)
    assert task.messages(RECORD)[-1].content == "ab?"  # no option is shown
    paid = pool[0].model.paid_calls  # type: ignore[attr-defined]
    moco.evaluate("single", pool, task)
    assert paid == 3 == pool[0].model.paid_calls  # type: ignore[attr-defined]


def test_members_vote_by_their_likeliest_option() -> None:
    pool = Pool([table("one", 0.6), table("two", 0.1), table("three", 0.15)], store=Store(None))
    [outcome] = moco.evaluate("majority_vote", pool, task_of(RECORD)).outcomes
    assert outcome.extracted == "2" and json.loads(outcome.text)["2"] == pytest.approx(math.log(0.45), abs=1e-6)


def test_who_cannot_be_asked_is_named() -> None:
    spec = task_of(RECORD).spec_of(RECORD)
    scripted = Pool([ScriptedModel("scripted", "2")], store=Store(None))
    with pytest.raises(PoolError, match="'scripted' gives no probabilities of options; because it lacks the capability SCORE"):
        moco.evaluate("single", scripted, task_of(RECORD))
    query = Query.of(Request(messages=(Message("user", "ab?"),), spec=spec))
    member = Pool([table()], store=Store(None))[0].model
    with pytest.raises(ConfigError, match=r"this request has none.*in words of its own"):
        asyncio.run(member.generate(query.request("put otherwise")))


def test_a_study_says_so_before_it_asks_anybody(tmp_path: Path) -> None:
    rows = [RECORD.model_copy(update={"id": f"q{i}", "question": f"Made up {i}?"}) for i in range(4)]
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps(r.model_dump(exclude_defaults=True)) + "\n" for r in rows), encoding="utf-8")
    attacked = "{name: liar, model: playground/alpha, adversary: contrary}"
    text = f"pool: [playground/alpha, {attacked}]\ntasks: [{{data: {data}}}]\nmethods: [single]\n"
    with pytest.raises(PoolError) as caught:
        Study(load_study(text)).check(tmp_path / "store.sqlite")
    assert "gives no probabilities of options" in caught.value.what and caught.value.where.startswith("pool, task data")


def test_a_worked_example_is_a_right_option() -> None:
    dev = [RECORD.model_copy(update={"id": f"d{i}", "question": f"{'ab' * i}?"}) for i in range(2, 6)]
    task = with_shots(Task("t", dev, [RECORD], "likelihood"), FewShot(2), lambda path: [RECORD])
    assert [shot.reply for shot in task.prompt.shots] == ["b", "b"]


def test_a_record_needs_options_and_right_ones(tmp_path: Any) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"id": "a", "question": "W?", "answer": "x", "kind": "likelihood"}\n', encoding="utf-8")
    [fault] = check_file(path).faults
    assert (fault.field, fault.what) == ("choices", "is missing from a likelihood record")


def test_the_variants_of_truthfulqa() -> None:
    lists = {"choices": ["True.", "Also true.", "False."], "labels": [1, 1, 0]}
    rows = {
        "hub": {"question": "W?", "mc2_targets": lists},
        "file": {"question": "W?", "mc2_targets": dict(zip(lists["choices"], lists["labels"], strict=True))},
        "csv": {"Question": "W?", "Best Answer": "True.", "Correct Answers": "True.; Also true.", "Incorrect Answers": "False."},
    }
    for data in rows.values():
        [made] = truthfulqa.compared(Native(data, 3, variant="mc2"))
        assert made["choices"] == {"1": "True.", "2": "Also true.", "3": "False."} and made["labels"] == ["1", "2"]
    [made] = truthfulqa.compared(Native(rows["csv"], 3, variant="mc1"))
    assert made["choices"] == {"1": "True.", "2": "False."} and made["labels"] == ["1"]
    with pytest.raises(Defect, match="all right, or all wrong"):
        truthfulqa.compared(Native({"question": "W?", "mc2_targets": {"True.": 1}}, variant="mc2"))
