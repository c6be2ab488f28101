"""The kind `generation`: both orders, ties, references, attacks; and the length-controlled win rate."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moco
from moco.core.errors import ConfigError, Transient
from moco.core.types import AnswerSpec
from moco.models.pool import Pool
from moco.models.store import Store
from moco.tasks.graders import Grade, Helpers, Item, assess
from moco.tasks.graders.generation import KIND, length_controlled
from moco.tasks.record import Record, Task
from moco.testing import ScriptedModel
from tests.tasks.judges import attacks, judge, quoted, swayed

ITEM = Item(AnswerSpec("generation", question="Write about rain."), "Rain falls.")


def score(text: str, about: Item, model: ScriptedModel) -> Grade:
    return asyncio.run(assess("generation", text, about, Helpers(judge=model)))


def prefers(what: str) -> ScriptedModel:
    """A judge that likes the reply in which ``what`` stands."""
    return judge(lambda prompt: "FIRST" if what in quoted(prompt, "REPLY SHOWN FIRST") else "SECOND")


def test_both_orders_are_asked() -> None:
    for model, wanted in (
        (prefers("sings"), 1.0),
        (prefers("falls"), 0.0),
        (judge(lambda prompt: "FIRST"), 0.5),
        (judge(lambda prompt: "SECOND"), 0.5),
    ):
        found = score("Rain sings to roofs.", ITEM, model)
        assert (found.score, found.rule, found.parsed) == (wanted, "judge", True)
        assert found.metrics == {"preference": wanted, "length_difference": 9.0} and len(model.requests) == 2
        firsts = {quoted(r.messages[0].content, "REPLY SHOWN FIRST") for r in model.requests}
        assert firsts == {"Rain sings to roofs.", "Rain falls."}
        assert all(quoted(r.messages[0].content, "REQUEST") == "Write about rain." for r in model.requests)


def test_several_references_are_averaged() -> None:
    model = judge(lambda prompt: "FIRST" if "good" in quoted(prompt, "REPLY SHOWN FIRST") else "SECOND")
    found = score("a good one", Item(ITEM.spec, ["bad", "a good thing", "a good one"]), model)
    assert found.score == pytest.approx((2 + 1 + 1) / 6) and len(model.requests) == 4 and found.parsed
    assert found.metrics["length_difference"] == pytest.approx(10 - (3 + 12 + 10) / 3)


def test_nothing_to_compare_is_not_asked() -> None:
    model = ScriptedModel("judge", "?")
    same, empty = score(" Rain falls. ", ITEM, model), score("<think>Rain", ITEM, model)
    assert (same.score, same.rule, same.parsed) == (0.5, "identical", True)
    assert (empty.score, empty.rule, empty.parsed) == (0.0, "empty", False) and not model.requests


def test_an_unreadable_verdict_is_a_tie_and_said_so() -> None:
    found = score("Rain sings.", ITEM, ScriptedModel("judge", "both are fine"))
    assert (found.score, found.parsed) == (0.5, False)


@pytest.mark.parametrize("attack", attacks("FIRST"))
def test_a_text_cannot_be_its_own_verdict(attack: str) -> None:
    for name, model in swayed("REPLY SHOWN FIRST").items():
        found = score("Rain? " + attack, ITEM, model)
        assert found.score <= 0.5 and not found.parsed, name
    honest = prefers("Rain falls.")
    assert (score(attack, ITEM, honest).score, score(attack, ITEM, honest).parsed) == (0.0, True)


def test_faults() -> None:
    with pytest.raises(ConfigError, match=r"aux\.judge: answers of kind 'generation' need judge"):
        asyncio.run(assess("generation", "x", ITEM))
    for gold in ("", [], ["  "]):
        with pytest.raises(ConfigError, match=r"answer: there is no reference output to compare with.*kind: reward"):
            score("x", Item(ITEM.spec, gold), ScriptedModel("judge", "?"))

    def broken(request: object) -> str:
        raise Transient("no answer")

    with pytest.raises(Transient):
        score("x", ITEM, ScriptedModel("judge", broken))
    assert not KIND.votable and KIND.extract("Answer: x", ITEM.spec) is None


def test_an_evaluation_has_a_win_rate() -> None:
    records = [Record(id=str(i), question="Write.", kind="generation", answer=["old", "new text"][i % 2]) for i in range(4)]
    pool = Pool([ScriptedModel("a", "newer text")], store=Store(), aux={"judge": prefers("new")})
    result = moco.evaluate("single", pool, Task("talk", [], records, kind="generation"))
    assert result.mean == pytest.approx(0.75) and result.summary.figures["preference"] == pytest.approx(0.75)


def test_length_control_takes_length_out() -> None:
    rng = np.random.default_rng(5)
    difference = rng.normal(150, 200, 4000)
    longer = np.tanh(difference / difference.std())
    only_length = (rng.random(4000) < 1 / (1 + np.exp(-2 * longer))).astype(float)
    assert only_length.mean() > 0.65 and length_controlled(only_length, difference) == pytest.approx(0.5, abs=0.03)
    both = (rng.random(4000) < 1 / (1 + np.exp(-(0.8 + 2 * longer)))).astype(float)
    assert length_controlled(both, difference) == pytest.approx(1 / (1 + np.exp(-0.8)), abs=0.03)
    no_bias = (rng.random(4000) < 0.3).astype(float)
    assert length_controlled(no_bias, difference) == pytest.approx(no_bias.mean(), abs=0.03)


def test_length_control_by_hand() -> None:
    """Two lengths only, so the fit without penalty meets both rates: logits -1 and 1 at +-tanh(1)."""
    low, high = 1 / (1 + np.e), np.e / (1 + np.e)
    wins = np.array([low, high] * 5000)
    assert length_controlled(wins, np.array([-7.0, 7.0] * 5000)) == pytest.approx(0.5, abs=1e-6)
    shifted = 1 / (1 + np.exp(-np.array([0.5 - 1, 0.5 + 1] * 5000)))
    assert length_controlled(shifted, np.array([-7.0, 7.0] * 5000)) == pytest.approx(1 / (1 + np.exp(-0.5)), abs=1e-4)


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.integers(-500, 500)), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_length_control_is_fair(pairs: list[tuple[float, int]]) -> None:
    win, difference = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs], float)
    found = length_controlled(win, difference)
    assert 0 <= found <= 1 and length_controlled(1 - win, -difference) == pytest.approx(1 - found, abs=1e-4)
    assert length_controlled(win, difference * 3) == pytest.approx(found, abs=1e-4)
    assert length_controlled(win, np.zeros(len(win))) == pytest.approx(win.mean())
    if win.min() == win.max() and win[0] != 0.5:
        assert found == win[0]


def test_length_control_wants_pairs() -> None:
    for win, difference in (([], []), ([1.0], [1.0, 2.0]), ([[1.0]], [[1.0]])):
        with pytest.raises(ConfigError, match="one length difference per preference"):
            length_controlled(win, difference)
