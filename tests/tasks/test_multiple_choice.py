"""Multiple choice: phrasings of our own, and properties that no list of phrasings can cover."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moco.core.types import AnswerSpec
from moco.tasks.graders import grade
from moco.tasks.graders.multiple_choice import KIND, find

TEXTS = ("zinc", "iron oxide", "iron", "copper sulphate")


def spec(labels: tuple[str, ...] = ("A", "B", "C", "D"), texts: tuple[str, ...] = TEXTS) -> AnswerSpec:
    return AnswerSpec(kind="multiple_choice", labels=labels, choices=texts)


PHRASINGS = [
    "{L}",
    "{L}.",
    "({L})",
    "[{L}]",
    "{L}) {T}",
    "{L}: {T}",
    "**{L}**",
    "**{L}) {T}**",
    "{L} - {T}",
    "${L}$",
    '"{L}"',
    "({l})",
    "Answer: {L}",
    "answer = {L}",
    "ANSWER:{L}",
    "Answer: ({L})",
    "Answer: **{L}**",
    "Answer:\n{L}",
    "### Answer\n{L}",
    "The answer is {L}.",
    "The answer is ({L}).",
    "The answer is option {L}: {T}.",
    "The answer must be {L}",
    "The best answer is {L}.",
    "The answer, then, is {L}.",
    "I believe the answer to be {L}.",
    "The right choice here is ({L}).",
    "My choice would be {L}.",
    "I'd go with {L}.",
    "I choose {L}",
    "I would pick option {L}.",
    "It's {L}",
    "{L} is correct.",
    "{L} is the correct answer.",
    "I am confident that {L} is the answer.",
    "Option {L} is correct.",
    "Everything considered, option {L} is right.",
    "\\boxed{{{L}}}",
    "$\\boxed{{\\text{{{L}}}}}$",
    "The final answer is \\boxed{{{L}}}.",
    "<answer>{L}</answer>",
    '{{"answer": "{L}"}}',
    '{{"why": "because", "answer": "{L}"}}',
    "Die Antwort ist {L}.",
    "La réponse est {L}.",
    "La respuesta es {L}.",
    "ответ: {L}",
    "答案是{L}。",
    "正解は{L}です。",
    "选{L}",
    "{L}, because it is the only one left.",
    "{L}\n\nThat one is plain.",
    "Long thoughts first.\n\n{L}",
    "Long thoughts first. {L}.",
    "{T}",
    "It can only be {T}.",
    "Answer: {T}",
    "The answer is {T} ({L}).",
    "<think>surely another</think>{L}",
    "Hence {L}.",
    "Thus the answer is {L}",
    "So, {L}.",
    "The answer is {L}, not the others.",
]


@pytest.mark.parametrize("phrasing", PHRASINGS)
def test_phrasings_under_every_label(phrasing: str) -> None:
    for labels in (("A", "B", "C", "D"), ("P", "Q", "R", "S"), ("1", "2", "3", "4")):
        for label, text in zip(labels, TEXTS, strict=True):
            reply = phrasing.format(L=label, l=label.lower(), T=text)
            assert find(reply, spec(labels)).key == label, reply


PROSE = [
    "That gives us {L}.",
    "Locking in {L}.",
    "By elimination, {L}.",
    "I maintain {L}.",
    "I'm switching from {O} to {L}.",
    "Agent 1 chose {O}, but I'd keep {L}.",
    "My previous answer was {O}. I now choose {L}.",
    "Although {O} looks tempting, {L} fits best.",
    "If it were {O}, it would rust; so it is {L}.",
    "Between {O} and {L}, I prefer {L}.",
    "{L} seems to be the most plausible option.",
    "{O}: wrong\n{L}: right",
    "- [ ] {O}\n- [x] {L}",
    "{O} \u274c\n{L} \u2705",
]
NOTHING_SAID = [
    "Agent 1 says {O} and Agent 2 says {L}.",
    "I can't decide between {O} and {L}.",
    "{O} and {L} are both wrong.",
    "Why would anyone choose {L}?",
    "I would rule out {O} and {L}.",
    "If it were {L}, it would rust.",
    "Let's consider option {L}. It would rust and",
    "{L} is tempting.",
]


@pytest.mark.parametrize("labels", [("A", "B", "C", "D"), ("R", "S", "T", "U")])
def test_prose_under_every_letter(labels: tuple[str, ...]) -> None:
    for i, label in enumerate(labels):
        for other in labels[:i] + labels[i + 1 :]:
            for shape in PROSE:
                assert find(shape.format(L=label, O=other), spec(labels)).key == label, (shape, label, other)
            for shape in NOTHING_SAID:
                assert find(shape.format(L=label, O=other), spec(labels)).key is None, (shape, label, other)


@pytest.mark.parametrize(
    ("reply", "key"),
    [
        ("", None),
        ("   \n", None),
        ("I do not know.", None),
        ("A metal is needed here.", None),
        ("I think so.", None),
        ("Answer: A or B", None),
        ("The answer is not C.", None),
        ("Not C", None),
        ("Option D is incorrect.", None),
        ("E", None),
        ("It is zinc or copper sulphate.", None),
        ("<think>The answer is B", None),
        ("<think>Answer: A</think>\nAnswer: B", "B"),
        ("hidden by the template</think>Answer: C", "C"),
        ("Answer: A\nNo, that is wrong.\nAnswer: C", "C"),
        ("The answer is A. Wait, it is D.", "D"),
        ("The answer is not A. It is C.", "C"),
        ("Option A is wrong. Option C is correct. Option D is wrong.", "C"),
        ("Answer: C\n\nOption A is tempting.", "C"),
        ("A: no\nB: yes\nC: no\nD: no\nTherefore B", "B"),
        ("Answer: B\n\nQuestion: another one?\nAnswer: D", "B"),
        ("A chemist would say: the answer is D.", "D"),
        ("The answer is iron oxide, which holds iron.", "B"),
        ("iron oxide", "B"),
        ("iron", "C"),
        ("Either A or B might do, but the answer is B.", "B"),
        ("Answer: A, C", "A,C"),
        ("Answer: C and A", "A,C"),
        ("AC", "A,C"),
        ("b", "B"),
    ],
)
def test_our_own_cases(reply: str, key: str | None) -> None:
    found = find(reply, spec())
    assert found.key == key, found
    assert KIND.extract(reply, spec()) == key


def test_numbers_as_options_are_whole_numbers() -> None:
    item = spec(texts=("7", "17", "70", "1.7"))
    for reply, key in [("17", "B"), ("The result is 1.7.", "D"), ("Answer: 70", "C"), ("it comes to 7", "A"), ("0.17", None)]:
        assert find(reply, item).key == key, reply


def test_golds_are_labels_positions_or_sets() -> None:
    odd = spec(("1", "2", "3", "id"))
    assert grade("multiple_choice", "B", "2", odd).score == 1
    assert grade("multiple_choice", "D", "id", odd).score == 1
    assert grade("multiple_choice", "DB", ["B", "D"], spec()).score == 1
    assert grade("multiple_choice", "B", ["B", "D"], spec()).score == 0
    assert grade("multiple_choice", "A B C D", "A", spec()).score == 0


WORDS = st.text("bcdfghjklmnpqrstvwxz", min_size=3, max_size=8)
OPTIONS = st.lists(WORDS, min_size=4, max_size=4, unique=True).filter(
    lambda ws: not any(a != b and a in b for a in ws for b in ws)
)
SHAPES = st.sampled_from([p for p in PHRASINGS if "{T}" not in p])


@settings(max_examples=150, deadline=None)
@given(OPTIONS, SHAPES, st.integers(0, 3), st.permutations(range(4)))
def test_permuting_options_permutes_the_verdict(texts: list[str], shape: str, right: int, order: list[int]) -> None:
    labels = ("A", "B", "C", "D")
    new = tuple(texts[i] for i in order)
    moved = order.index(right)
    for item, place in ((spec(labels, tuple(texts)), right), (spec(labels, new), moved)):
        reply = shape.format(L=labels[place], l=labels[place].lower())
        assert find(reply, item).key == labels[place]
    by_text = f"Answer: {texts[right]}"
    assert find(by_text, spec(labels, new)).key == labels[moved]


@settings(max_examples=150, deadline=None)
@given(
    OPTIONS,
    st.sampled_from([*PHRASINGS, "I do not know.", "", "no idea, {L} or {T}", "Option {L} is wrong."]),
    st.integers(0, 3),
    st.sampled_from(["{L}. {T}", "{L}) {T}", "({L}) {T}", "- {L}: {T}", "[{L}] {T}"]),
    st.sampled_from(["\n", " ", "; "]),
    st.sampled_from(["", "Options:\n", "The choices were:\n"]),
)
def test_restating_the_options_changes_nothing(texts: list[str], shape: str, i: int, style: str, joint: str, head: str) -> None:
    item = spec(texts=tuple(texts))
    reply = shape.format(L="ABCD"[i], l="abcd"[i], T=texts[i])
    listing = joint.join(style.format(L=label, T=text) for label, text in zip("ABCD", texts, strict=True))
    before = find(reply, item)
    for longer in (f"{reply}\n\n{head}{listing}", f"{head}{listing}\n\n{reply}"):
        assert find(longer, item).key == before.key, longer


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_graded(text: str) -> None:
    got = grade("multiple_choice", text, "A", spec())
    assert got.score in (0.0, 1.0) and got.parsed == (got.extracted is not None)
