"""Every file of the collection beside the repository through its entry, with exact counts; skipped where it is not there."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import pytest

from moco.core.answering import KINDS
from moco.core.errors import DataError
from moco.tasks import Task
from moco.tasks.catalogue.dividing import asked
from moco.tasks.catalogue.making import Made
from moco.tasks.graders import RuleGraded
from tests.tasks.catalogue.places import SHARED, load, noted

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is not here; the project's own cases still run")

# task, options, rows read, dev, test, dropped
RAW = [
    ("agieval", {}, 2340, 488, 1848, 4),
    ("agieval", {"variant": "all"}, 3543, 732, 2807, 4),
    ("alpacaeval", {}, 805, 150, 655, 0),
    ("bbh", {}, 6511, 1270, 5236, 5),
    ("blend", {"variant": "short_answer"}, 500, 104, 391, 0),
    ("coconot", {}, 1380, 285, 1095, 0),
    ("gsm8k", {}, 2319, 1000, 1319, 0),
    ("human_interest", {}, 800, 400, 400, 0),
    ("humaneval", {}, 164, 35, 129, 0),
    ("mbpp", {}, 974, 90, 500, 0),
    ("mbpp", {"variant": "all"}, 974, 0, 974, 0),
    ("medmcqa", {}, 600, 0, 600, 0),
    ("medqa", {}, 1273, 0, 1273, 0),
    ("mmlu_redux", {}, 5700, 1054, 4274, 2),
    ("mmlu_redux", {"variant": "corrected"}, 5700, 1076, 4379, 3),
    ("mmlu_redux", {"variant": "original"}, 5700, 1120, 4577, 3),
    ("pubmedqa", {}, 1000, 500, 500, 0),
    ("sciencemeter", {}, 60, 50, 310, 0),
    ("tablemwp_free_text", {}, 2000, 725, 751, 0),
    ("tablemwp_multiple_choice", {}, 2000, 275, 249, 0),
    ("theoremqa", {}, 800, 154, 593, 0),
    ("truthfulqa", {}, 817, 138, 679, 0),
    ("truthfulqa", {"variant": "mc1"}, 817, 138, 679, 0),
    ("truthfulqa", {"variant": "mc2"}, 817, 138, 679, 0),
]
# released file, dev and test lists as loaded by `split: moco`, dropped, mended (with the reason)
RELEASED = [
    ("arc_challenge", 200, 200, 0, {"other keys": 26}),
    ("blend", 200, 200, 0, {"part of the question": 400}),
    ("culturalbench_hard", 200, 200, 0, {}),
    ("culturebench", 200, 200, 0, {}),
    ("infinite_chat_diversity", 26, 25, 0, {}),
    ("math", 197, 197, 6, {"the id repeats": 20}),
    ("medmcqa", 199, 200, 1, {}),
    ("medqa", 200, 200, 0, {}),
    ("popqa", 200, 200, 0, {}),
    ("sciencemeter", 200, 200, 0, {}),
    ("sciriff", 114, 139, 0, {}),
    ("tablemwp_multiple_choice", 124, 125, 0, {"other keys": 103}),
    ("wikidyk", 200, 200, 0, {}),
]
FIXTURES = [
    ("arc_challenge", "arc_challenge_hf.jsonl", 3),
    ("culturalbench_hard", "culturalbench_hard.csv", 4),
    ("gpqa_main", "gpqa_main.csv", 2),
    ("infinite_chat_open", "infinite_chats_eval.jsonl", 2),
    ("infinite_chat_diversity", "infinite_chats_eval.jsonl", 2),
    ("kaleidoscope", "kaleidoscope_uniform.jsonl", 1),
    ("medmcqa", "medmcqa_hf.jsonl", 1),
    ("medqa", "medqa_us_4_options.jsonl", 1),
    ("popqa", "popQA.tsv", 2),
    ("sciriff", "sciriff_4096.jsonl", 1),
]
GRADED = ("multiple_choice", "label", "numeric", "math", "short_text")
OWN_GOLD_FAILS = {"blend/test/US/Kik-in-11", "wikidyk/dev/3125"}
"""Golds with a point inside ('St. Peters', 'LSU vs. Alabama') that end an answer line there."""


@cache
def raw(name: str, *options: tuple[str, str]) -> Task:
    return load(name, SHARED / "raw", **dict(options))


def dropped(task: Task) -> int:
    return sum(
        int(note.split(":")[0].split()[1]) for note in task.notes if note.startswith("dropped ") and "from dev" not in note
    )


@pytest.mark.parametrize("name, options, read, dev, test, lost", RAW)
def test_original_files_load_with_exact_counts(
    name: str, options: dict[str, str], read: int, dev: int, test: int, lost: int
) -> None:
    task = raw(name, *options.items())
    assert task.notes[0] == f"read {read} rows: {dev} dev, {test} test"
    assert (len(task.dev), len(task.test), dropped(task)) == (dev, test, lost)
    ids = [record.id for record in task.dev + task.test]
    assert len(set(ids)) == len(ids) and all(record.source and task.licence in record.source for record in task.test)


def test_what_is_left_out_is_counted() -> None:
    assert noted(raw("theoremqa"), "picture").startswith("left out 53")
    assert noted(raw("mbpp"), "training split").startswith("left out 374")
    faulty = [int(n.split()[2].rstrip(":")) for n in raw("mmlu_redux").notes if "marked as faulty" in n]
    assert sum(faulty) == 370
    assert Counter(r.meta["subset"] for r in raw("agieval").dev + raw("agieval").test)["logiqa-en"] == 651
    kinds = Counter(raw("theoremqa").kind_of(r) for r in raw("theoremqa").test + raw("theoremqa").dev)
    assert kinds["multiple_choice"] + kinds["label"] + kinds["numeric"] == 747


def test_a_gold_letter_under_a_two_column_layout_is_the_printed_one() -> None:
    valves = next(r for r in raw("agieval").dev + raw("agieval").test if r.id == "agieval/test/logiqa-en/108")
    assert (valves.choices or {})[(valves.labels or [""])[0]] == "No.2 valve and No.3 valve."


def test_both_files_of_truthfulqa_give_the_same_right_answers() -> None:
    from_csv = load("truthfulqa", SHARED / "raw" / "truthfulqa" / "TruthfulQA.csv")
    right = {r.question: (r.choices or {})[(r.labels or [""])[0]] for r in raw("truthfulqa").dev + raw("truthfulqa").test}
    again = {r.question: (r.choices or {})[(r.labels or [""])[0]] for r in from_csv.dev + from_csv.test}
    shared = right.keys() & again.keys()
    assert len(from_csv.dev + from_csv.test) == 817 and len(shared) > 780
    assert sum(right[q].rstrip(".") == again[q].rstrip(".") for q in shared) / len(shared) > 0.95


def test_the_leaderboard_file_of_arc_has_no_questions() -> None:
    with pytest.raises(DataError, match="1172 of 1172 rows cannot be read: the file has ids and keys but no question text"):
        load("arc_challenge", SHARED / "raw")


@pytest.mark.parametrize("name, dev, test, lost, mended", RELEASED)
def test_released_files_load_as_they_are_with_their_defects_told(
    name: str, dev: int, test: int, lost: int, mended: dict[str, int]
) -> None:
    task = load(name, SHARED / "uniform", split="moco")
    assert (len(task.dev), len(task.test), dropped(task)) == (dev, test, lost)
    for reason, count in mended.items():
        assert noted(task, reason).startswith(f"mended {count}:")
    ours = load(name, SHARED / "uniform")
    sides = [{asked(Made(r.model_dump(), r.id, "")) for r in part} for part in (ours.dev, ours.test)]
    assert not sides[0] & sides[1] and ours.test


def test_questions_in_dev_and_test_of_released_files_are_told() -> None:
    assert "8 records of dev" in noted(load("sciriff", SHARED / "uniform", split="moco"), "in test too")
    assert len(load("sciriff", SHARED / "uniform").dev) == 106


@pytest.mark.parametrize("name, file, count", FIXTURES)
def test_made_up_files_in_native_form_load(name: str, file: str, count: int) -> None:
    task = load(name, SHARED / "fixtures" / file)
    assert len(task.dev) + len(task.test) == count


@pytest.mark.parametrize(
    "name, options",
    [(name, options) for name, options, *_ in RAW] + [(name, {"split": "moco"}) for name, *_ in RELEASED],
)
def test_every_gold_is_right_against_itself(name: str, options: dict[str, Any]) -> None:
    task = load(name, SHARED / "uniform", **options) if options.get("split") else raw(name, *options.items())
    wrong = []
    for record in task.dev + task.test:
        kind = task.kind_of(record)
        if kind not in GRADED or kind not in KINDS.names() or not isinstance(KINDS.get(kind), RuleGraded):
            continue
        gold = task.gold_of(record)
        text = gold if isinstance(gold, str) else ", ".join(gold) if record.labels else gold[0]
        reply = f"Answer: \\boxed{{{text}}}" if kind == "math" else f"Answer: {text}"
        if task.grade(record, reply).score != 1.0 and record.id not in OWN_GOLD_FAILS:
            wrong.append((record.id, text))
    assert not wrong
