"""Short text: aliases, containment bounded by words, and normalising that never empties a text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moco.core.types import AnswerSpec
from moco.tasks.graders import cut_run_on, grade, strip_think
from moco.tasks.graders.short_text import KIND, f1, normalise

SPEC = AnswerSpec(kind="short_text")


@pytest.mark.parametrize(
    ("reply", "gold", "score"),
    [
        ("Ada Lovelace", ["Ada Lovelace", "Countess of Lovelace"], 1),
        ("ada lovelace!", ["Ada Lovelace"], 1),
        ("It was Ada Lovelace who wrote it.", ["Ada Lovelace"], 1),
        ("Answer: Ada Lovelace\nShe was a countess.", ["Ada Lovelace"], 1),
        ("Not sure it was Babbage. Answer: Ada Lovelace", "Ada Lovelace", 1),
        ("Charles Babbage", ["Ada Lovelace"], 0),
        ("Charles Babbage helped. Answer: Grace Hopper", ["Charles Babbage"], 0),
        ("\\boxed{\\text{Ada Lovelace}}", ["Ada Lovelace"], 1),
        ("<think>Ada Lovelace</think>Grace Hopper", ["Ada Lovelace"], 0),
        ("<think>Ada Lovelace", ["Ada Lovelace"], 0),
        ("The Band", ["The Band"], 1),
        ("the", ["The"], 1),
        ("!", ["A"], 0),
        ("U.K.", ["UK"], 1),
        ("He asked us about it", ["US"], 0),
        ("Made in the US.", ["US"], 1),
        ("Sao Tome", ["São Tomé"], 1),
        ("L'Aquila", ["L’Aquila"], 1),
        ("17.89", ["1789"], 0),
        ("It fell in 1789.", ["1789"], 1),
        ("17890", ["1789"], 0),
        ("1,789", ["1789"], 1),
        ("Rome, Georgia", ["Rome", "Rome, Georgia"], 1),
        ("Georgia", ["Rome, Georgia"], 0),
        ("答案：巴黎", ["巴黎"], 1),
        ("首都是巴黎。", ["巴黎"], 1),
        ("4 2 7", ["4 2 7"], 1),
        ("4 2 7 1", ["4 2 7"], 0),
        ("-5", ["5"], 0),
        ("Romeo", ["Rome"], 0),
        ("", ["Rome"], 0),
    ],
)
def test_our_own_cases(reply: str, gold: str | list[str], score: int) -> None:
    got = grade("short_text", reply, gold, SPEC)
    assert got.score == score, got


def test_metrics_stand_beside_the_score() -> None:
    got = grade("short_text", "It was Ada Lovelace", ["Ada Lovelace"], SPEC)
    assert got.metrics["em"] == 0 and got.metrics["contains"] == 1 and got.metrics["f1"] == pytest.approx(2 / 3)
    assert f1("巴黎市", "巴黎") == pytest.approx(0.8)
    assert not grade("short_text", "I don't know", ["Rome"], SPEC).parsed


def test_votes_meet_on_the_same_text_only() -> None:
    assert KIND.extract("Answer: The Band.", SPEC) == KIND.extract("band", SPEC) == "band"
    assert KIND.extract("...", SPEC) is None
    assert not KIND.same("band", "rock band", SPEC)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40))
def test_normalising_is_idempotent_and_never_empties(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert bool(once) == bool(text.strip())


@settings(max_examples=200, deadline=None)
@given(st.text("abcXYZ éñ0159.,'-", max_size=30))
def test_gold_is_right_against_itself(text: str) -> None:
    if KIND.extract(text, SPEC) is not None:
        assert grade("short_text", text, text, SPEC).score == 1


def test_thinking_and_run_on() -> None:
    assert strip_think("<think>a<think>b</think>c</think>d") == "d"
    assert strip_think("a</think>b") == "b"
    assert strip_think("x <think>never closed") == ""
    assert strip_think("[THINK]a[/THINK]b") == "b"
    assert strip_think("1 < 2 and [3]") == "1 < 2 and [3]"
    assert cut_run_on("Rome\n\nQuestion: next?") == "Rome"
    assert cut_run_on("Question: what?\nAnswer: Rome") == "Question: what?\nAnswer: Rome"
    assert cut_run_on("Let me restate:\nQuestion: what?\nAnswer: Rome").endswith("Rome")


@pytest.mark.parametrize("unit", ["answer: x ", "\\boxed{", "#", "answer ", "A, ", "1,", "[1,", "<think>", " "])
def test_degenerate_replies_cost_little(unit: str) -> None:
    for kind in ("multiple_choice", "numeric", "short_text"):
        spec = AnswerSpec(kind=kind, labels=("A", "B"), choices=("zinc", "iron"))
        assert grade(kind, unit * 2000, "A", spec).score == 0 or unit == "A, "
