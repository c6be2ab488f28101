"""Labels: words of the item, hedges and negations, and sequences where punctuation is the answer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moco.core.types import AnswerSpec
from moco.tasks.graders import grade
from moco.tasks.graders.label import KIND, canonical, find


def spec(*labels: str) -> AnswerSpec:
    return AnswerSpec(kind="label", labels=labels)


CHOICES = spec("granted", "refused", "postponed")
TRUTH = spec("True", "False")
STANCE = spec("Support", "Oppose", "Either support or oppose")
SOUND = spec("sound", "unsound")
CAMEL = spec("PriorWork", "UsesData", "Aim")

SAID = [
    "{L}",
    "{L}.",
    "**{L}**",
    "Answer: {L}",
    "answer: **{L}**",
    "The answer is {L}.",
    "\\boxed{{{L}}}",
    "\\boxed{{\\text{{{L}}}}}",
    '{{"answer": "{L}"}}',
    "<answer>{L}</answer>",
    "#### {L}",
    "So, {L}.",
    "Therefore the motion is {L}.",
    "{L}, because the court said so.",
    "{L}: the court said so.",
    "It was {O} at first. In the end, the answer is {L}.",
    "<think>{O}</think>{L}",
    "Answer: {O}\nNo, wait.\nAnswer: {L}",
    "Label: {L}",
    "My verdict: {L}",
    "The answer is {L}, not {O}.",
]


@pytest.mark.parametrize("phrasing", SAID)
def test_phrasings_under_every_label(phrasing: str) -> None:
    for item in (CHOICES, TRUTH, SOUND, CAMEL):
        for i, label in enumerate(item.labels):
            for written in (label, label.upper()):
                reply = phrasing.format(L=written, O=item.labels[i - 1])
                assert find(reply, item).key == label, reply


@pytest.mark.parametrize(
    ("item", "reply", "key"),
    [
        (CHOICES, "", None),
        (CHOICES, "Nobody knows.", None),
        (CHOICES, "granted or refused", None),
        (CHOICES, "Answer: granted/refused", None),
        (CHOICES, "Answer: refused and granted", "granted,refused"),
        (CHOICES, "It is not granted.", None),
        (CHOICES, "<think>granted", None),
        (spec("yes", "no"), "No rain fell on that day.", None),
        (spec("yes", "no"), "I do not know.", None),
        (spec("yes", "no"), "No. Yes, that was tried.", "no"),
        (spec("yes", "no"), "No rain fell, so yes", "yes"),
        (spec("yes", "no"), "Sí", "yes"),
        (TRUTH, "The claim is not true.", "False"),
        (TRUTH, "It isn't false", "True"),
        (TRUTH, "not ( True ) or False is False, which is False.", "False"),
        (SOUND, "unsound", "unsound"),
        (SOUND, "The proof is not sound.", "unsound"),
        (SOUND, "The proof is **unsound**. A sound proof would be longer.", "unsound"),
        (STANCE, "Either support or oppose", "Either support or oppose"),
        (STANCE, "This would support the plan.", "Support"),
        (STANCE, "The rule opposes the plan.", "Oppose"),
        (CAMEL, "prior work", "PriorWork"),
        (spec("(A)", "(B)"), "The answer is (B).", "B"),
        (spec("(A)", "(B)"), ".", None),
    ],
)
def test_our_own_cases(item: AnswerSpec, reply: str, key: str | None) -> None:
    assert find(reply, item).key == key
    assert KIND.extract(reply, item) == key


def test_several_right_labels_are_a_set() -> None:
    assert grade("label", "Answer: refused, granted", ["granted", "refused"], CHOICES).score == 1
    assert grade("label", "Answer: granted", ["granted", "refused"], CHOICES).score == 0
    assert grade("label", "GRANTED", ["granted"], CHOICES).score == 1


@pytest.mark.parametrize(
    ("gold", "reply"),
    [
        ("} )", "So the answer is } )."),
        ("} )", "})"),
        ("} )", "\\boxed{} )}"),
        ("> ]", "<answer>> ]</answer>"),
        ("> ]", '{"answer": "> ]"}'),
        ("] )", "We close what is open.\n\n`] )`"),
        ("fig lime pear", "fig, lime, pear"),
        ("fig lime pear", "Answer: fig, lime, and pear."),
        ("fig lime pear", "1. fig\n2. lime\n3. pear"),
        ("fig lime pear", "The sorted list is: fig lime pear"),
        ("fig lime pear", '{"answer": ["fig", "lime", "pear"]}'),
    ],
)
def test_sequences(gold: str, reply: str) -> None:
    assert grade("label", reply, gold, spec()).score == 1
    assert grade("label", reply, " ".join(reversed(gold.split())), spec()).score == 0


def test_a_sequence_is_neither_empty_nor_cut() -> None:
    assert grade("label", ".", ") ]", spec()).score == 0
    assert grade("label", "Answer: ) ] )", ") ]", spec()).score == 0
    assert not grade("label", "", ") ]", spec()).parsed
    assert canonical(") ]", spec()) == ") ]"


@settings(max_examples=150, deadline=None)
@given(st.permutations(range(3)), st.sampled_from(SAID), st.integers(0, 2))
def test_the_order_of_labels_does_not_count(order: list[int], phrasing: str, right: int) -> None:
    labels = CHOICES.labels
    reply = phrasing.format(L=labels[right], O=labels[right - 1])
    assert find(reply, spec(*(labels[i] for i in order))).key == labels[right]


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=80), st.text("granted refused,./ or()[]{}<>\\box", max_size=60)))
def test_any_text_is_graded(text: str) -> None:
    for item, gold in ((CHOICES, "granted"), (spec(), ") ]")):
        got = grade("label", text, gold, item)
        assert got.score in (0.0, 1.0) and got.parsed == (got.extracted is not None)
