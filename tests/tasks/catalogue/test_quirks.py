"""What is odd about each data set, one small made-up case each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from moco.core.errors import DataError
from moco.tasks.catalogue import (
    Defect,
    LeaveOut,
    Native,
    bbh,
    blend,
    gpqa,
    kaleidoscope,
    medmcqa,
    mmlu_redux,
    theoremqa,
    truthfulqa,
    wildchat,
)
from moco.tasks.catalogue.agieval import options_of
from moco.tasks.catalogue.agieval import rows as agieval_rows
from moco.tasks.catalogue.hendrycks_math import last_box
from moco.tasks.catalogue.making import json_list, keyed
from moco.tasks.catalogue.mbpp import split_of
from tests.tasks.catalogue.places import jsonl, load, noted


@pytest.mark.parametrize(
    "given, order",
    [
        (["(A)one", "(B)two", "(C)three"], ["one", "two", "three"]),
        (["(A)one", "(C)three", "(B)two"], ["one", "two", "three"]),
        (["A one", "B two"], ["one", "two"]),
        (["A．one", "B、two", "C: three"], ["one", "two", "three"]),
        (["(A)one", "(C)two", "(C)three"], ["one", "two", "three"]),
        (["Apples", "Bees"], ["Apples", "Bees"]),
        (["(A) -1", "(B) (2)"], ["-1", "(2)"]),
    ],
)
def test_printed_letters_order_the_options_where_each_is_there_once(given: list[str], order: list[str]) -> None:
    assert options_of(given) == order


def test_agieval_has_one_letter_several_or_an_answer_to_fill_in() -> None:
    base: dict[str, Any] = {"passage": "", "question": "Which?", "options": ["(A)x", "(B)y", "(C)z"], "answer": None}
    one = agieval_rows(Native({**base, "label": "B"}, 1, "sat-math"))[0]
    many = agieval_rows(Native({**base, "label": ["C", "A"]}, 1, "jec-qa-kd"))[0]
    cloze = agieval_rows(Native({**base, "options": None, "label": None, "answer": "$5$"}, 1, "gaokao-mathcloze"))[0]
    assert one["labels"] == ["B"] and many["labels"] == ["A", "C"] and one["context"] is None
    assert cloze["kind"] == "math" and cloze["answer"] == "$5$"
    hub = {
        "query": "A passage. Q: Which? Answer Choices: (A)x (B)y\nA: Among A through B, the answer is",
        "choices": ["(A)x", "(B)y"],
    }
    read = agieval_rows(Native({**hub, "gold": [1]}, 0, "sat-en"))[0]
    assert (read["context"], read["question"], read["labels"]) == ("A passage.", "Which?", ["B"])


@pytest.mark.parametrize(
    "spelt, mark",
    [
        ("OK ", "ok"),
        ("Ok", "ok"),
        ("wrong_groundtruth ", "wrong ground truth"),
        ("Wrong Groundtruth", "wrong ground truth"),
        ("No correct Answer", "no correct answer"),
        ("Multiple correct answers", "multiple correct answers"),
        ("bad_options_clarity", "bad options clarity"),
        (None, "ok"),
    ],
)
def test_error_types_in_all_spellings(spelt: str | None, mark: str) -> None:
    assert mmlu_redux.error_of(spelt) == mark


@pytest.mark.parametrize(
    "corrected, places",
    [
        ("C", [2]),
        ("0", [0]),
        ("A,B", [0, 1]),
        ("(0, 1)", [0, 1]),
        ("2 and 3", [2, 3]),
        ("0 1 3", [0, 1, 3]),
        ("1 or 2", []),
        ("6", []),
        ("depends on interpretation", []),
        ("A better one", []),
        (None, []),
        ("", []),
    ],
)
def test_corrections_that_name_options_and_prose_that_does_not(corrected: str | None, places: list[int]) -> None:
    assert mmlu_redux.places_of(corrected, 4) == places


def redux(error: str, corrected: str, variant: str) -> dict[str, Any]:
    data = {"question": "Q?", "choices": "['w', 'x', 'y', 'z']", "answer": "0", "error_type": error, "correct_answer": corrected}
    return mmlu_redux.rows(Native(data, 3, "mmlu_anatomy", variant=variant))[0]


def test_the_variants_of_mmlu_redux() -> None:
    assert redux("ok", "3", "ok")["labels"] == ["A"] and redux("Wrong Groundtruth", "C", "original")["labels"] == ["A"]
    assert redux("Wrong Groundtruth", "C", "corrected")["labels"] == ["C"]
    assert redux("multiple correct answers", "B,D", "corrected")["labels"] == ["B", "D"]
    for error, corrected, variant in (
        ("expert", "", "ok"),
        ("Wrong Groundtruth", "", "corrected"),
        ("no correct answer", "2", "corrected"),
    ):
        with pytest.raises(LeaveOut, match="marked as faulty"):
            redux(error, corrected, variant)


@pytest.mark.parametrize(
    "solution, box",
    [
        (r"so \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        (r"first \boxed{1}, then \boxed{2}", "2"),
        (r"it is \boxed 7$", "7"),
        (r"\fbox{12}", "12"),
        (r"\boxed{\{1,2\}}", r"\{1,2\}"),
    ],
)
def test_the_last_box_with_balanced_braces(solution: str, box: str) -> None:
    assert last_box(solution) == box


@pytest.mark.parametrize("solution", ["no box", r"\boxed{open", r"\boxed "])
def test_a_solution_without_an_answer_is_a_defect(solution: str) -> None:
    with pytest.raises(Defect):
        last_box(solution)


def test_the_target_forms_of_bbh() -> None:
    options = "Which?\nOptions:\n(A) x\n(B) y"
    choice = bbh.answered(options, "(B)", "snarks")
    assert (choice["question"], choice["labels"], choice["choices"]) == ("Which?", ["B"], {"A": "x", "B": "y"})
    yes = bbh.answered("Did it?\nOptions:\n- Yes\n- No", "No", "navigate")
    assert (yes["question"], yes["labels"], list(yes["choices"])) == ("Did it?", ["No"], ["Yes", "No"])
    assert bbh.answered("P \nIs it?\nOptions:\n- valid \n- invalid", "invalid", "formal_fallacies")["labels"] == ["invalid"]
    assert bbh.answered("2 * 4 =", "-8", "multistep_arithmetic_two")["kind"] == "numeric"
    brackets = bbh.answered("Complete: ( [", "] )", "dyck_languages")
    assert brackets["kind"] == "label" and brackets["answer"] == "] )" and "choices" not in brackets
    with pytest.raises(Defect, match="cut at the commas"):
        bbh.answered("Which?\nOptions:\n(A) Monsters\n(B) Inc", "Monsters, Inc", "movie_recommendation")


def test_the_right_answer_of_truthfulqa_is_moved_the_same_way_every_time() -> None:
    def row(number: int) -> dict[str, Any]:
        data = {"question": f"Made up {number}?", "mc1_targets": {"right": 1, "wrong": 0, "worse": 0, "worst": 0}}
        return truthfulqa.rows(Native(data, number))[0]

    made = [row(i) for i in range(60)]
    assert all(one["choices"][one["labels"][0]] == "right" for one in made)
    assert {one["labels"][0] for one in made} == {"A", "B", "C", "D"} and made == [row(i) for i in range(60)]
    as_csv = {"Question": "Made up 7?", "Best Answer": "right", "Incorrect Answers": "wrong; worse; worst", "Category": "x"}
    as_hub = {"question": "Made up 7?", "mc1_targets": {"choices": ["right", "wrong", "worse", "worst"], "labels": [1, 0, 0, 0]}}
    assert truthfulqa.rows(Native(as_csv, 7))[0]["labels"] == made[7]["labels"] == truthfulqa.rows(Native(as_hub, 7))[0]["labels"]


def test_mbpp_is_split_by_number_and_its_setup_code_runs_first(tmp_path: Path) -> None:
    assert [split_of(n)[0] for n in (1, 10, 11, 510, 511, 600, 601, 974)] == (
        ["prompt", "prompt", "test", "test", "validation", "validation", "train", "train"]
    )
    base = {
        "text": "Double it.",
        "code": "def f(x):\r\n    return 2 * x",
        "test_setup_code": "",
        "test_list": ["assert f(1) == 2"],
    }
    rows = [{**base, "task_id": n, "text": f"Double {n}."} for n in (1, 2, 3, 4, 600, 700)]
    rows += [{**base, "task_id": 11, "test_setup_code": "import math"}]
    task = load("mbpp", jsonl(tmp_path / "mbpp.jsonl", rows).parent)
    assert [r.id for r in task.test] == ["mbpp/test/11"] and [r.id for r in task.dev] == ["mbpp/validation/600"]
    assert task.test[0].tests == "import math\nassert f(1) == 2" and task.test[0].entry_point == "f"
    assert "assert f(1) == 2" in task.test[0].question
    shots = task.prompt.shots
    assert [shot.record.id for shot in shots] == [f"mbpp/prompt/{n}" for n in (1, 2, 3)]
    assert shots[0].reply == "```python\ndef f(x):\n    return 2 * x\n```" and len(task.messages(task.test[0])) == 7
    everything = load("mbpp", tmp_path, variant="all")
    assert len(everything.test) == 7 and noted(task, "left out 1: it belongs to the training split")


def question(number: int) -> dict[str, Any]:
    wrong = {f"Incorrect Answer {i}": f"wrong {i}" for i in (1, 2, 3)}
    return {"Question": f"Made up {number}?\n", "Correct Answer": "right\n", **wrong, "Record ID": f"rec{number}"}


def test_no_dev_question_of_gpqa_is_in_any_of_the_nested_tests(tmp_path: Path) -> None:
    for name, numbers in (("extended", range(60)), ("main", range(40)), ("diamond", range(15))):
        rows = [question(n) for n in numbers]
        head = ",".join(f'"{column}"' for column in rows[0])
        lines = [",".join(f'"{value}"' for value in row.values()) for row in rows]
        (tmp_path / f"gpqa_{name}.csv").write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    tasks = {name: load(f"gpqa_{name}", tmp_path) for name in ("diamond", "main", "extended")}
    keys = {name: [{r.id.rpartition("/")[2] for r in part} for part in (t.dev, t.test)] for name, t in tasks.items()}
    assert keys["diamond"][0] == keys["main"][0] == keys["extended"][0] <= {f"rec{n}" for n in range(40, 60)}
    assert keys["diamond"][1] == {f"rec{n}" for n in range(15)} and keys["main"][1] == {f"rec{n}" for n in range(40)}
    assert keys["extended"][1] == {f"rec{n}" for n in range(60)} - keys["extended"][0] and 4 <= len(keys["main"][0]) <= 16
    assert noted(tasks["main"], "dev is half, by hash")
    first = tasks["diamond"].test[0]
    assert first.question == "Made up 0?" and (first.choices or {})[(first.labels or [""])[0]] == "right"


def test_one_gpqa_file_alone_is_divided_alike_in_every_set() -> None:
    row = gpqa.rows(Native(question(3), 0, "gpqa_main"))[0]
    assert row["id"] == "rec3" and list(row["choices"]) == ["A", "B", "C", "D"]


def test_medmcqa_counts_from_one_in_the_originals_and_from_zero_on_the_hub() -> None:
    data = {"id": "x", "question": "Q?", "opa": "a", "opb": "b", "opc": "c", "opd": "d", "cop": 1}
    assert medmcqa.rows(Native(data, part="validation"))[0]["labels"] == ["B"]
    assert medmcqa.rows(Native(data, part="dev"))[0]["labels"] == ["A"]
    with pytest.raises(LeaveOut, match="hidden"):
        medmcqa.rows(Native({**data, "cop": -1}))
    with pytest.raises(DataError, match="count options from 1"):
        medmcqa.rows(Native({**data, "cop": 0}, part="dev"))


def test_theoremqa_answers_by_sort_and_questions_with_pictures() -> None:
    def made(answer: Any, sort: str, text: str = "Q?") -> dict[str, Any]:
        return theoremqa.rows(Native({"Question": text, "Answer": answer, "Answer_type": sort, "Picture": None, "id": "x"}))[0]

    assert made(True, "bool")["labels"] == ["True"] and made(False, "bool")["labels"] == ["False"]
    assert (made(3, "integer")["answer"], made(3, "integer")["tolerance"]) == ("3", None)
    assert made(3.54e-07, "float")["tolerance"] == 0.04 and float(made(3.54e-07, "float")["answer"]) == 3.54e-07
    assert made([1, -2], "list of integer")["answer"] == "[1, -2]"
    option = made("(c)", "option", "Which holds? (a) x; (b) y; (c) z. Which one is correct?")
    assert (option["labels"], option["choices"]) == (["C"], {"A": "x", "B": "y", "C": "z"})
    assert made("(b)", "option", "Given the figure, which?")["kind"] == "label"
    with pytest.raises(LeaveOut, match="picture"):
        theoremqa.rows(Native({"Question": "Q?", "Answer": 1, "Answer_type": "integer", "Picture": "x.png"}))


def test_wildchat_keeps_the_first_english_message_of_clean_conversations(tmp_path: Path) -> None:
    def talk(number: int, text: str = "", **marks: Any) -> dict[str, Any]:
        turn = {
            "content": text or f"Question {number}?",
            "role": "user",
            "language": "English",
            "toxic": False,
            "redacted": False,
        }
        both = [{**turn, **marks}, {"content": "Reply.", "role": "assistant"}]
        return {"conversation_hash": f"h{number}", "language": "English", "model": "m", "conversation": both}

    rows = [talk(i) for i in range(30)] + [talk(40, language="German"), talk(41, toxic=True), talk(42, redacted=True)]
    rows += [talk(43, "question 1?"), {"conversation_hash": "e", "conversation": []}]
    task = load("wildchat", jsonl(tmp_path / "wildchat.jsonl", rows))
    assert len(task.dev) + len(task.test) == 30 and task.test[0].answer == "Reply."
    for reason in ("not in English", "toxic", "redacted", "same message stands before", "user's message"):
        assert noted(task, reason).startswith("left out 1")
    assert wildchat.ENTRY.tables[0].keep == 2000


def test_a_valence_is_read_by_its_longest_form() -> None:
    forms = ("Support", "opposes", "Either support or oppose", "either")
    assert [kaleidoscope.label_of(t) for t in forms] == ["support", "oppose", "either", "either"]
    with pytest.raises(Defect):
        kaleidoscope.label_of("neutral")


def test_blend_short_answers_are_all_that_annotators_gave() -> None:
    notes = [{"answers": ["tee"], "en_answers": ["tea"], "count": 2}, {"answers": ["tee"], "en_answers": ["milk"]}]
    row = Native({"_key": "Al-1", "question": "Was?", "en_question": "What?", "annotations": notes}, 0, "X_data")
    assert blend.short(row)[0]["answer"] == ["tee", "tea", "milk"]
    with pytest.raises(LeaveOut):
        blend.short(Native({**row.data, "annotations": []}, 0, "X_data"))


def test_aliases_and_keys() -> None:
    assert json_list('["a, b", "a, b", " c "]') == ["a, b", "c"] and json_list("a, b") == ["a, b"] and json_list(["x"]) == ["x"]
    for nothing in (None, "", [], '[""]', '["open'):
        with pytest.raises(Defect):
            json_list(nothing)
    assert keyed({"1": "x", "2": "y"}, 2)["labels"] == ["B"]
    with pytest.raises(Defect):
        keyed({"1": "x"}, None)
