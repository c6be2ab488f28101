"""Numbers in many notations; a moved decimal point, a lost sign or an extra element is never right."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moco.core.types import AnswerSpec
from moco.tasks.graders import grade
from moco.tasks.graders.numeric import KIND, canonical, find
from moco.tasks.graders.quantities import word_number

SPEC = AnswerSpec(kind="numeric")

EQUAL = {
    "27": [
        "27",
        "27.",
        "Answer: 27",
        "Answer: 27 pears",
        "The answer is **27**.",
        "= 27",
        "#### 27",
        "\\boxed{27}",
        "x = 27",
        "3 * 9 = 27",
        "Answer: 3 * 9 = 27",
        "<answer>27</answer>",
        '{"answer": 27}',
        "twenty-seven",
        "٢٧",
        "２７",
        "27km",
        "27,0",
        "2.7e1",
        "54/2",
        "The answer is 27, i.e. 3 more than 24.",
        "Answer: 26\nNo.\nAnswer: 27",
        "\\(27\\)",
        "27 (since 3 x 9 = 27)",
        "<think>26</think>27",
        "Answer: 27\n\nQuestion: what next?\nAnswer: 5",
        "The answer is $27$ dollars",
        "3^3",
        "27%",
    ],
    "-8": [
        "-8",
        "−8",
        "minus 8",
        "negative eight",
        "-$8",
        "$-8",
        "Answer: –8",
        "2 - 10 = -8",
        "(-8)",
        "x=-8",
        "-8.0",
        "-16/2",
        "-8°C",
    ],
    "1250000": [
        "1,250,000",
        "1 250 000",
        "1.250.000",
        "1'250'000",
        "12,50,000",
        "1.25 million",
        "1.25e6",
        "1.25 x 10^6",
        "$1,250,000.00",
    ],
    "0.25": [
        ".25",
        "1/4",
        "¼",
        "\\frac{1}{4}",
        "\\dfrac14",
        "25%",
        "25 percent",
        "2.5e-1",
        "2.5 × 10⁻¹",
        "0,25",
        "2.5 \\times 10^{-1}",
    ],
    "3.5": ["3 1/2", "3½", "3\\frac{1}{2}", "7/2", "3,5", "3.50", "$3.50"],
    "[2, 5]": ["[2, 5]", "[2,5]", "\\boxed{[2,5]}", "Answer: [2.0, 5]", "[5, 2]"],
    "9:05 A.M.": ["9:05 A.M.", "9:05 am", "The answer is 9:05 a.m."],
}


@pytest.mark.parametrize(("gold", "reply"), [(gold, reply) for gold, replies in EQUAL.items() for reply in replies])
def test_equal_values_however_written(gold: str, reply: str) -> None:
    got = grade("numeric", reply, gold, SPEC)
    assert got.score == 1, got


@pytest.mark.parametrize(
    ("gold", "reply"),
    [
        ("27", "2.7"),
        ("27", "270"),
        ("27", "-27"),
        ("27", "27-30"),
        ("27", "Answer: between 26 and 28"),
        ("27", ""),
        ("27", "no idea"),
        ("-8", "8"),
        ("8", "-8"),
        ("0.3", "3/10/2020"),
        ("1.5e-3", "1.5e3"),
        ("[2, 5]", "[2, 5, 1]"),
        ("[2, 5]", "(2, 5)"),
        ("9:05 A.M.", "9:05 P.M."),
        ("9:05 A.M.", "90:5 A.M."),
        ("27", "Answer: 27\nAnswer: 28"),
        ("27", "<think>27"),
        ("27", "v1.27.3"),
        ("5", "Answer: 4 or 5"),
        ("1234", "1,23,4"),
    ],
)
def test_other_values(gold: str, reply: str) -> None:
    assert grade("numeric", reply, gold, SPEC).score == 0


def test_tolerance_is_relative_and_symmetric() -> None:
    loose = AnswerSpec(kind="numeric", tolerance=0.01)
    assert KIND.same("100", "100.9", loose) and KIND.same("100.9", "100", loose)
    assert not KIND.same("100", "102", loose) and not KIND.same("100", "100.9", SPEC)
    assert KIND.same("[1, 2]", "[1.001, 2]", loose)


def test_a_percentage_is_its_value_when_scored_but_not_when_voted() -> None:
    assert KIND.same("50%", "50", SPEC) and not KIND.same("50%", "0.5", SPEC)
    assert grade("numeric", "50%", "0.5", SPEC).score == 1
    assert word_number("none at all") is None


VALUES = st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=Decimal(-(10**9)), max_value=Decimal(10**9))
FRAMES = st.sampled_from(["{}", "Answer: {}", "The answer is {}.", "\\boxed{{{}}}", "So we get {} apples.", "#### {}", "x = {}"])


@settings(max_examples=200, deadline=None)
@given(VALUES, FRAMES)
def test_a_value_is_itself_and_no_other(value: Decimal, frame: str) -> None:
    gold = format(value, "f")
    assert grade("numeric", frame.format(gold), gold, SPEC).score == 1
    assert grade("numeric", frame.format(format(value, ",f")), gold, SPEC).score == 1
    if value:
        for other in (-value, value * 10, value / 10):
            assert grade("numeric", frame.format(format(other, "f")), gold, SPEC).score == 0


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_keys_are_canonical(value: Decimal) -> None:
    key = canonical(format(value, "f"))
    assert canonical(key) == key == find(key, SPEC).key
    assert Decimal(key) == value


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(max_size=60), st.text("0123456789.,-+/%$eE^()[]{}: x\\frac", max_size=30)))
def test_any_text_is_graded(text: str) -> None:
    got = grade("numeric", text, "1", SPEC)
    assert got.score in (0.0, 1.0)
    if got.extracted is not None:
        assert KIND.same(got.extracted, got.extracted, SPEC)
