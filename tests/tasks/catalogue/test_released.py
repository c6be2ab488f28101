"""The released MoCo files as they are: recognised by shape, their defects dropped or mended, and always reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from moco.core.errors import DataError
from tests.tasks.catalogue.places import jsonl, load, noted, released

CHOICES = {"A": "lead", "B": "cork", "C": "iron"}


def choice(number: int, answer: str = "B", choices: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"id": number, "question": f"Which made-up thing {number} floats?", "choices": choices or CHOICES, "answer": answer}


def test_split_moco_keeps_the_lists_and_ours_divides_anew(tmp_path: Path) -> None:
    released(tmp_path / "medqa.json", [choice(i) for i in range(30)], [choice(i) for i in range(30, 60)])
    kept, ours = load("medqa", tmp_path, split="moco"), load("medqa", tmp_path)
    assert [r.id for r in kept.dev] == [f"medqa/dev/{i}" for i in range(30)] and len(kept.test) == 30
    assert len(ours.dev) + len(ours.test) == 60 and len(ours.test) > 30
    assert noted(kept, "released dev and test lists are kept") and noted(ours, "divided 60 records")


def test_released_lists_that_are_official_splits_stay_apart(tmp_path: Path) -> None:
    released(tmp_path / "arc_challenge.json", [choice(1), choice(2)], [choice(2), choice(3)])
    ours, kept = load("arc_challenge", tmp_path), load("arc_challenge", tmp_path, split="moco")
    assert [r.id for r in ours.dev] == ["arc_challenge/dev/1"] and "arc" not in noted(ours, "dropped 1 from dev")[:5]
    assert len(kept.dev) == 2 and "dev/2" in noted(kept, "1 records of dev have their question or group in test too")


def test_odd_keys_are_lettered_by_position_and_counted(tmp_path: Path) -> None:
    numbers = {"1": "a", "2": "b", "3": "c"}
    misspelt = {"A": "a", "B": "b", "C": "c", "id": "d"}
    rows = [choice(1, "2", numbers), choice(2, "id", misspelt), choice(3)]
    task = load("tablemwp_multiple_choice", released(tmp_path / "tablemwp_multiple_choice.json", [], rows), split="moco")
    assert [r.labels for r in task.test] == [["B"], ["D"], ["B"]]
    assert task.test[0].meta["native_label"] == "2" and list(task.test[1].choices or {}) == ["A", "B", "C", "D"]
    assert "(1, 2)" in noted(task, "mended 2: options had other keys")
    assert task.grade(task.test[1], "Answer: D").score == 1 and task.grade(task.test[1], "Answer: A").score == 0


@pytest.mark.parametrize(
    "row, reason",
    [
        (choice(9, "E"), "the gold answer is not among the options"),
        (choice(9, "A", {"A": "x", "B": None}), "an option is null or empty"),
        (choice(9, "A", {"A": "x", "B": " x", "C": "y"}), "two options have the same text and only one of them is gold"),
    ],
)
def test_a_choice_that_cannot_be_graded_is_dropped_with_its_id(tmp_path: Path, row: dict[str, Any], reason: str) -> None:
    task = load("medqa", released(tmp_path / "medqa.json", [choice(1)], [choice(2), row]), split="moco")
    assert len(task.test) == 1 and noted(task, reason) == f"dropped 1: {reason} (9)"


def test_equal_options_that_are_both_wrong_stay(tmp_path: Path) -> None:
    row = choice(9, "C", {"A": "x", "B": "x", "C": "y"})
    assert len(load("medqa", released(tmp_path / "medqa.json", [], [row]), split="moco").test) == 1


def test_null_golds_are_dropped_and_repeated_ids_made_unique(tmp_path: Path) -> None:
    dev = [{"id": "4", "input": f"What is {i}?", "output": str(i)} for i in range(3)]
    test = [{"id": "4", "input": "What is x?", "output": None}, {"id": "4", "input": "What is 9?", "output": "9"}]
    task = load("math", released(tmp_path / "math.json", dev, test, "exact_match"), split="moco")
    assert [r.id for r in task.dev] == ["math/dev/4", "math/dev/4#2", "math/dev/4#3"] and len(task.test) == 1
    assert noted(task, "dropped 1: the gold answer is null (4)") and "(4#2, 4#3)" in noted(task, "mended 2: the id repeats")


def test_aliases_are_read_as_json_and_never_cut_at_commas(tmp_path: Path) -> None:
    row = {"id": 3, "input": "Where was Ada Beispiel born?", "output": '["Muster", "Muster, Somewhere"]', "s_pop": 4}
    task = load("popqa", released(tmp_path / "popqa.json", [], [row], "f1_match"), split="moco")
    assert task.test[0].answer == ["Muster", "Muster, Somewhere"] and task.test[0].meta == {"s_pop": 4}
    assert task.grade(task.test[0], "Somewhere").score == 0 and task.grade(task.test[0], "in Muster").score == 1


def test_options_inside_a_blend_question_are_taken_out_and_its_variants_are_a_group(tmp_path: Path) -> None:
    text = "What is eaten? Without any explanation, choose only one from the given alphabet choices. A. x\nB. y\n\nAnswer:"
    rows = [{"id": "Al-1", "question": text, "choices": {"A": "x", "B": o}, "answer": "B"} for o in ("y", "z", "w")]
    others = [{**rows[0], "id": f"Al-{i}", "question": text.replace("eaten", f"drunk {i}")} for i in range(2, 20)]
    task = load("blend", released(tmp_path / "blend.json", rows[:1], rows[1:] + others))
    together = next(part for part in (task.dev, task.test) if any(r.group == "Al-1" for r in part))
    assert [r.question for r in together if r.group == "Al-1"] == ["What is eaten?"] * 3
    assert noted(task, "mended 21: options and 'Answer:' were part of the question")


def test_files_that_hold_another_task_are_called_what_they_are(tmp_path: Path) -> None:
    released(tmp_path / "alpacaeval.json", [], [{"id": 1, "input": "Name a colour.", "output": "Green."}], "reward_model")
    released(tmp_path / "culturalbench_hard.json", [], [{**choice(1), "country": "Madeupland"}])
    instance = "acl_arc_intent_classification:test:1"
    released(tmp_path / "sciriff.json", [], [{"id": instance, "input": "Intent?", "output": "Uses"}], "exact_match")
    alpaca, easy = load("alpacaeval", tmp_path, split="moco"), load("culturalbench_hard", tmp_path, split="moco")
    assert (alpaca.name, alpaca.kind) == ("alpaca_rm", "reward") and noted(alpaca, "none of the 805 AlpacaEval instructions")
    assert (easy.name, easy.kind, easy.whole_groups) == ("culturalbench_easy", "multiple_choice", False)
    assert load("sciriff", tmp_path).name == "sciriff_acl_arc"


def test_judgements_of_one_question_are_never_cut(tmp_path: Path) -> None:
    rows = [
        {
            "id": str(i),
            "question_id": str(i // 4),
            "input": f"True? {i}",
            "output": "True" if i % 4 == 0 else "False",
            "country": "X",
        }
        for i in range(80)
    ]
    task = load("culturebench", released(tmp_path / "culturebench.json", rows[:42], rows[42:], "exact_match"))
    assert task.whole_groups and task.dev and task.test
    assert not {r.group for r in task.dev} & {r.group for r in task.test}
    cut = load("culturebench", tmp_path / "culturebench.json", split="moco")
    assert "1 groups have fewer records" in noted(cut, "fewer records") and noted(cut, "in test too")


def test_programs_keep_their_check_and_empty_tests_are_dropped(tmp_path: Path) -> None:
    text = "Double it.\nYour code should pass this test case: assert twice(2) == 4"
    rows = [
        {"id": 1, "input": text, "test": "METADATA = {}\n\ndef check(candidate):\n    assert candidate(2) == 4\n"},
        {"id": 769, "input": text, "test": "METADATA = {}\n\ndef check(candidate):\n"},
    ]
    task = load("mbpp", released(tmp_path / "mbpp.json", [], rows, "coding"), split="moco")
    assert task.test[0].entry_point == "twice" and task.test[0].tests == rows[0]["test"]
    assert noted(task, "dropped 1: the test checks nothing (769)")


def test_split_moco_without_the_file_says_which_file(tmp_path: Path) -> None:
    jsonl(tmp_path / "test.jsonl", [{"question": "1+1?", "answer": "#### 2"}])
    with pytest.raises(DataError, match=r"gsm8k\.json"):
        load("gsm8k", tmp_path, split="moco")


def test_a_broken_released_file_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "medqa.json"
    path.write_text('{"name": "medqa",\n "dev": [\n  {"id": 1},\n  {"id": 2 "x"}\n ], "test": []}', encoding="utf-8")
    with pytest.raises(DataError, match=r"medqa\.json:4"):
        load("medqa", path)


def test_a_file_of_mostly_unreadable_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="2 of 3 rows cannot be read"):
        load("medqa", released(tmp_path / "medqa.json", [], [choice(1, "Z"), choice(2, "Y"), choice(3)]), split="moco")


def test_claims_about_one_abstract_are_a_group(tmp_path: Path) -> None:
    options = {"A": "support", "B": "refute"}
    rows = [
        {
            "id": i,
            "question": f"Paper: number {i // 2}.\nClaim: claim {i}.",
            "choices": options,
            "answer": "AB"[i % 2],
            "domain": "x",
        }
        for i in range(40)
    ]
    task = load("sciencemeter", released(tmp_path / "sciencemeter.json", rows[:20], rows[20:]))
    assert task.dev and not {r.group for r in task.dev} & {r.group for r in task.test}
    assert {r.kind for r in task.test} == {"label"} and task.test[0].labels in (["support"], ["refute"])
