"""The released grader, rebuilt with its faults: what it was observed to say, it says here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from moco.core.types import AnswerSpec
from moco.tasks.graders import released

RIVERS = ("Po", "Rhine", "Don", "Ebro")
CHOICE = AnswerSpec("multiple_choice", tuple("ABCD"), RIVERS)
RANGE = AnswerSpec("numeric")


@pytest.mark.parametrize(
    "reply, letter",
    [
        ("C", "C"),
        ("(C)", "C"),
        ("C) Don", "C"),
        ("The answer is C.", "C"),
        ("Answer: C", None),  # the fault everybody meets first
        ("The correct answer is: C", None),
        ("**C**", None),
        (r"\boxed{C}", None),
        ("A river in Russia: the answer is C.", "A"),  # an article is taken for option A
        ("Not the Rhine. The answer is C.", "B"),  # an option text anywhere comes first
        ("", None),
    ],
)
def test_letters_are_read_by_prefix_and_texts_anywhere(reply: str, letter: str | None) -> None:
    found = released.grade("multiple_choice", reply, "C", CHOICE)
    assert (
        found is not None
        and found.extracted == letter
        and found.score == (letter == "C")
        and found.parsed == (letter is not None)
    )


def test_labels_that_are_no_letters_can_never_be_right() -> None:
    spec = AnswerSpec("multiple_choice", ("1", "2"), ("ice", "sand"))
    for reply in ("2", "B", "sand", "2. sand"):
        found = released.grade("multiple_choice", reply, "2", spec)
        assert found is not None and found.score == 0


@pytest.mark.parametrize(
    "reply, gold, score",
    [
        (r"\boxed{41}", "41", 1),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}", 0),  # cut at the first brace
        ("The answer is 41.", "41", 1),
        ("To find the answer, we multiply. The answer is 41.", "41", 0),  # the first 'answer' wins
        ("41 it is.\n#### 41", "41", 0),
        ("-41", "41", 1),  # punctuation does not count
        ("4.1", "41", 1),
        ("41.0", "41", 0),
        (".", "A", 1),  # an article is nothing, and so is a full stop
    ],
)
def test_exact_match_ignores_what_matters(reply: str, gold: str, score: float) -> None:
    found = released.grade("numeric", reply, gold, RANGE)
    assert found is not None and found.score == score


def test_aliases_are_cut_at_commas() -> None:
    found = released.grade("short_text", "Ohio", ["Dayton", "Dayton, Ohio"], AnswerSpec("short_text"))
    assert found is not None and found.score == 1
    assert released.grade("code", "def f(): ...", "", AnswerSpec("code")) is None


def test_it_says_what_the_released_code_said_on_every_case_that_was_run(shared: Path) -> None:
    counted = 0
    for case in json.loads((shared / "tasks" / "grader_cases.json").read_text(encoding="utf-8")):
        choices = case.get("choices") or {}
        spec = AnswerSpec(case["kind"], tuple(choices), tuple(choices.values()))
        found = released.grade(case["kind"], case["output"], case["gold"], spec)
        if found is None or case["upstream_says"] is None:
            continue
        counted += 1
        assert (round(found.score, 4), found.extracted) == (case["upstream_says"], case["upstream_extracted"]), case["id"]
    assert counted == 212


def test_a_perfect_answerer_scores_what_was_measured_on_medqa(shared: Path) -> None:
    """Percent right over the 1273 items, as the released code gave them, within half a point."""
    measured = json.loads((shared / "tasks" / "released_grader_measurements.json").read_text(encoding="utf-8"))
    expected = next(entry for entry in measured["by_phrasing"] if entry["task"] == "medqa")["percent"]
    items = [
        json.loads(line) for line in (shared / "data/raw/medqa/medagents_test.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    phrasings = {
        '"{L}) text"': "{L}) {text}",
        '"Answer: {L}"': "Answer: {L}",
        '"The answer is ({L})."': "The answer is ({L}).",
        '"The correct answer is: {L}"': "The correct answer is: {L}",
        '"\\boxed{{L}}"': "\\boxed{{{L}}}",
        '"The answer is **{L}) text**."': "The answer is **{L}) {text}**.",
        "bare option text": "{text}",
    }
    for name, form in phrasings.items():
        right = 0.0
        for item in items:
            letter, options = item["answer_idx"], item["options"]
            spec = AnswerSpec("multiple_choice", tuple(options), tuple(options.values()))
            found = released.grade("multiple_choice", form.format(L=letter, text=options[letter]), letter, spec)
            right += found.score if found is not None else 0
        assert abs(100 * right / len(items) - expected[name]) <= 0.5, name
