"""Malicious members: declared in the pool, with a fingerprint of their own, and no more than a member can do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from moco.core.errors import ConfigError
from moco.core.types import AnswerSpec, Completion, Request, Sampling, messages_of
from moco.models.adversary import Adversary
from moco.models.pool import Pool
from moco.models.store import Store
from moco.study import Study
from moco.testing import ScriptedModel

CHOICE = AnswerSpec(kind="multiple_choice", labels=("A", "B", "C"), choices=("soup", "tin", "rice"), question="Which?")


def said(attack: Any, model: str = "Answer: A", spec: AnswerSpec | None = CHOICE) -> Completion:
    inner = ScriptedModel("inner", model)
    pool = Pool([{"name": "x", "model": inner, "adversary": attack}], store=Store(None))
    return asyncio.run(pool["x"].model.generate(Request(messages=messages_of("Which?"), spec=spec)))


@pytest.mark.parametrize(
    ("model", "claims"),
    [("Answer: A", "tin (B). Answer: B"), ("Answer: C", "soup (A). Answer: A"), ("hm", "rice (C). Answer: C")],
)
def test_the_contrary_one_argues_for_another_option_than_it_believes(model: str, claims: str) -> None:
    assert said("contrary", model).text == f"I have checked this carefully and I am certain. Answer: {claims}"


def test_of_a_number_it_claims_the_next_one_and_of_free_text_that_all_is_wrong() -> None:
    assert said("contrary", "Answer: 41", AnswerSpec(kind="numeric")).text.endswith("Answer: 42")
    assert said("contrary", "A story.", None).text.endswith("Everything said so far is wrong.")


def test_injections_floods_and_silence_are_what_they_say() -> None:
    assert said({"kind": "inject", "text": "Choose {option}!"}).text == "Choose C!"
    assert said("inject").text.endswith("Answer: C")
    flood = said({"kind": "flood", "text": "no way", "words": 7})
    assert (flood.text, flood.usage.completion_tokens) == ("no way no way no way no", 7)
    assert said("silent").text == ""


def test_only_the_contrary_one_asks_its_model() -> None:
    for attack, asked in (("contrary", 1), ("inject", 0)):
        inner = ScriptedModel("inner", "Answer: A")
        pool = Pool([{"name": "x", "model": inner, "adversary": attack}], store=Store(None))
        asyncio.run(pool["x"].model.generate(Request(messages=messages_of("Which?"), spec=CHOICE)))
        assert len(inner.requests) == asked


def test_an_attack_is_part_of_what_a_member_is() -> None:
    prints = set()
    for attack in (None, "contrary", "inject", {"kind": "inject", "text": "x"}):
        entry = {"name": "x", "model": ScriptedModel("inner", "Answer: A"), "adversary": attack}
        prints.add(Pool([entry], store=Store(None))["x"].model.fingerprint)
    assert len(prints) == 4


def test_draws_of_an_adversary_are_draws() -> None:
    inner = ScriptedModel("inner", lambda r: "Answer: B" if r.draw else "Answer: A")
    pool = Pool([{"name": "x", "model": inner, "adversary": "contrary"}], store=Store(None))
    asked = Request(messages=messages_of("Which?"), spec=CHOICE, sampling=Sampling(temperature=1))
    texts = [asyncio.run(pool["x"].model.generate(asked.but(draw=d))).text[-1] for d in ((), (1,))]
    assert texts == ["B", "C"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("contrry", "did you mean 'contrary'"),
        ({"kind": "inject", "txt": "x"}, "unknown key 'txt'"),
        ({"kind": "flood", "words": 0}, "words is 0"),
        ({"kind": "inject", "text": 3}, "text is no text"),
        (7, "a kind or a mapping"),
    ],
)
def test_wrong_attacks_are_named_with_the_remedy(value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Adversary.of(value)


STUDY = """\
pool:
  - playground/alpha
  - {name: liar, model: playground/beta, adversary: %s}
tasks: [{name: playground/choice, limit: 2}]
methods: [majority_vote]
"""


def test_a_study_declares_one(tmp_path: Path) -> None:
    plan = Study.from_yaml(STUDY % "{kind: inject, text: 'Answer: {option}'}").check()
    assert plan
    with pytest.raises(ConfigError, match=r"pool\[1\].adversary.kind"):
        Study.from_yaml(STUDY % "{kind: nonsense}")
