"""The kind `verifier`: certain matches need no judge, others are judged; what the judge sees; attacks."""

from __future__ import annotations

import asyncio

import pytest

from moco.core.errors import ConfigError, RateLimited
from moco.core.types import AnswerSpec
from moco.tasks.graders import Grade, Helpers, Item, assess
from moco.tasks.graders.verifier import KIND
from moco.tasks.record import Record, Task
from moco.testing import ScriptedModel
from tests.tasks.judges import attacks, judge, quoted, swayed

OPEN = Item(AnswerSpec("verifier", question="How fast is light?"), "299792458 m/s")
CHOICE = Item(AnswerSpec("verifier", labels=("A", "B", "C"), choices=("red", "blue", "green"), question="Which colour?"), "B")
ALL = Item(CHOICE.spec, ["A", "B"])


def score(text: str, about: Item, model: ScriptedModel | None = None) -> Grade:
    return asyncio.run(assess("verifier", text, about, Helpers(judge=model or ScriptedModel("judge", "?"))))


@pytest.mark.parametrize(
    "about, text",
    [
        (OPEN, "299792458 m/s"),
        (OPEN, "It is known.\nAnswer: 299792458 m/s."),
        (OPEN, "So \\boxed{299792458 m/s}"),
        (CHOICE, "B"),
        (CHOICE, "Answer: **B**"),
        (CHOICE, "The answer is blue."),
        (CHOICE, "Answer: B. blue"),
        (Item(OPEN.spec, ["c", "299792458 m/s"]), "Answer: c"),
    ],
)
def test_to_the_letter_needs_no_judge(about: Item, text: str) -> None:
    model = ScriptedModel("judge", "?")
    found = score(text, about, model)
    assert (found.score, found.rule, found.parsed, found.metrics["judged"]) == (1.0, "exact", True, 0.0) and not model.requests


@pytest.mark.parametrize(
    "about, text",
    [
        (OPEN, "299,792,458 m/s"),
        (OPEN, "It is not 299792458 m/s"),
        (OPEN, "Answer: -299792458 m/s"),
        (OPEN, "299792458 M/S"),
        (CHOICE, "b"),
        (CHOICE, "Answer: C"),
        (ALL, "A"),
        (Item(OPEN.spec, "*"), "**"),
    ],
)
def test_all_else_is_judged(about: Item, text: str) -> None:
    for verdict, wanted in (("EQUIVALENT", 1.0), ("DIFFERENT", 0.0)):
        model = judge(lambda prompt, v=verdict: v)  # type: ignore[misc]
        found = score(text, about, model)
        assert (found.score, found.rule, found.parsed, found.metrics) == (wanted, "judge", True, {"judged": 1.0})
        assert len(model.requests) == 1


def test_the_judge_sees_question_gold_and_reply() -> None:
    model = judge(lambda prompt: "EQUIVALENT")
    score("<think>C?</think>I say the sky's colour.", CHOICE, model)
    prompt = model.requests[0].messages[0].content
    assert quoted(prompt, "RIGHT ANSWER") == "B. blue" and quoted(prompt, "OPTIONS") == "A. red\nB. blue\nC. green"
    assert quoted(prompt, "QUESTION") == "Which colour?" and quoted(prompt, "REPLY") == "I say the sky's colour."
    score("x", Item(OPEN.spec, ["c", "\\frac{1}{2} of {2c}"], context="On light."), model)
    prompt = model.requests[1].messages[0].content
    assert quoted(prompt, "RIGHT ANSWERS, any one of them is enough") == "c\n\\frac{1}{2} of {2c}"
    assert quoted(prompt, "CONTEXT") == "On light." and "OPTIONS" not in prompt
    score("red", ALL, model)
    assert quoted(model.requests[2].messages[0].content, "RIGHT ANSWERS, all of them wanted") == "A. red\nB. blue"


@pytest.mark.parametrize("attack", attacks("EQUIVALENT"))
def test_a_text_cannot_be_its_own_verdict(attack: str) -> None:
    for name, model in swayed("REPLY").items():
        found = score("It is 3 m/s. " + attack, OPEN, model)
        assert (found.score, found.parsed, len(model.requests)) == (0.0, False, 2), name
    honest = judge(lambda prompt: "DIFFERENT", say=f"It says {attack.replace('{', '{{').replace('}', '}}')}\n" + "{mark}: {word}")
    assert (score(attack, OPEN, honest).score, score(attack, OPEN, honest).parsed) == (0.0, True)


def test_faults() -> None:
    def limited(request: object) -> str:
        raise RateLimited("later")

    with pytest.raises(RateLimited):
        score("fast", OPEN, ScriptedModel("judge", limited))
    with pytest.raises(ConfigError, match=r"aux\.judge: answers of kind 'verifier' need judge"):
        asyncio.run(assess("verifier", "x", OPEN))
    with pytest.raises(ConfigError, match="no answer to compare with"):
        score("fast", Item(OPEN.spec))
    model = ScriptedModel("judge", "?")
    assert not score("<think>so", OPEN, model).parsed and not model.requests


def test_votes_go_by_label_or_by_the_answer_line() -> None:
    assert KIND.extract("I think so. Answer: B", CHOICE.spec) == "B" and KIND.same("B", "B", CHOICE.spec)
    one, two = KIND.extract("Answer: Paris.", OPEN.spec), KIND.extract("So the answer is paris", OPEN.spec)
    assert one is not None and two is not None and KIND.same(one, two, OPEN.spec)
    assert KIND.extract("Some long talk about Paris", OPEN.spec) is None


def test_odd_labels_are_graded_as_they_were_shown() -> None:
    record = Record(id="1", question="Which?", kind="verifier", choices={"first": "red", "second": "blue"}, answer="second")
    task = Task("t", [], [record], kind="verifier")
    model = judge(lambda prompt: "EQUIVALENT")
    found = asyncio.run(task.score(record, "The latter", Helpers(judge=model)))
    assert found.score == 1.0 and quoted(model.requests[0].messages[0].content, "RIGHT ANSWER") == "B. blue"
