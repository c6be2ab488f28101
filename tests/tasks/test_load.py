"""Loading: three formats give one task; splits are disjoint and stable; prompts show no gold answer."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from moco.core.errors import ConfigError, DataError
from moco.core.types import Message
from moco.tasks import TASKS, Prompt, Record, Source, Task, check_file, load_task

ROWS: list[dict[str, Any]] = [
    {"id": f"q{i}", "question": f"What is {i} plus {i}?", "answer": str(2 * i), "kind": "numeric"} for i in range(200)
]
CHOICE = Record(id="c", question="Which {choices} rusts?", choices={"A": "zinc", "B": "iron"}, answer="B", split="test")


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows, indent=1), encoding="utf-8-sig")
    else:
        with path.open("w", newline="", encoding="utf-8-sig") as file:
            names = list(dict.fromkeys(name for row in rows for name in row))
            out = csv.DictWriter(file, names)
            out.writeheader()
            out.writerows({k: v if isinstance(v, str) else json.dumps(v) for k, v in row.items()} for row in rows)
    return path


def test_three_formats_are_one_task(tmp_path: Path) -> None:
    rows = [*ROWS, {"id": "c", "question": "Which,\nthen?", "choices": {"A": 'a "b"', "B": "c"}, "answer": "A", "meta": {"n": 1}}]
    tasks = [load_task(write(tmp_path / f"data{suffix}", rows)) for suffix in (".jsonl", ".json", ".csv")]
    assert len({task.fingerprint for task in tasks}) == 1
    assert tasks[0].kind == "mixed" and tasks[0].name == "data"


def test_split_by_hash_is_disjoint_and_stable(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", ROWS)
    task = load_task(path)
    assert task.kind == "numeric" and len(task.dev) + len(task.test) == 200 and 20 <= len(task.dev) <= 60
    assert not {r.id for r in task.dev} & {r.id for r in task.test}
    again = load_task(write(tmp_path / "data.jsonl", ROWS[::-1]))
    assert {r.id for r in again.dev} == {r.id for r in task.dev}
    assert {r.id for r in load_task(path, seed=1).dev} != {r.id for r in task.dev}
    assert len(load_task(path, dev_share=0).dev) == 0


def test_groups_and_equal_questions_stay_together(tmp_path: Path) -> None:
    rows = [{**row, "group": f"g{i // 10}"} for i, row in enumerate(ROWS)]
    rows += [{"id": f"again{i}", "question": row["question"], "answer": "0", "group": row["group"]} for i, row in enumerate(rows)]
    task = load_task(write(tmp_path / "data.jsonl", rows))
    assert not {r.group for r in task.dev} & {r.group for r in task.test}


def test_limit_samples_both_parts(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", ROWS)
    task, whole = load_task(path, limit=10), load_task(path)
    assert len(task.dev) == len(task.test) == 10
    assert [r for r in whole.test if r in task.test] == task.test != whole.test[:10]
    assert load_task(path, limit=10).fingerprint == task.fingerprint != load_task(path, limit=10, seed=3).fingerprint


def test_named_splits_are_kept_and_kinds_inferred(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "question": "W?", "answer": "Rome", "split": "dev"},
        {"id": "b", "question": "V?", "answer": "12", "split": "test"},
        {"id": "c", "question": "U?", "answer": "x", "split": "test", "kind": "f1_match"},
    ]
    task = load_task(write(tmp_path / "data.jsonl", rows[:2]))
    assert [r.id for r in task.dev] == ["a"] and task.kind == "short_text"
    assert {task.kind_of(r) for r in task.test} == {"short_text"}
    mixed = load_task(write(tmp_path / "data.jsonl", rows))
    assert mixed.kind == "mixed" and [mixed.kind_of(r) for r in mixed.test] == ["numeric", "short_text"]
    assert load_task(write(tmp_path / "data.jsonl", rows[:2]), kind="exact_match").kind == "short_text"
    with pytest.raises(DataError, match="field 'choices' is missing from a multiple-choice record"):
        load_task(write(tmp_path / "data.jsonl", rows[:2]), kind="multiple_choice")
    with pytest.raises(DataError, match="no record is in test"):
        load_task(write(tmp_path / "data.jsonl", rows[:1]))


def test_options_are_checked(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", ROWS)
    for wrong in ({"limit": 0}, {"dev_share": 1.0}, {"kind": "numeral"}):
        with pytest.raises(ConfigError):
            load_task(path, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="unknown task"):
        load_task("no such task")


def test_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        def load(self, source: Source) -> Task:
            return Task("mine", [], [CHOICE])

    monkeypatch.setattr(TASKS, "_items", dict(TASKS._items))
    TASKS.add("mine/choice", Entry())
    assert load_task("mine/choice").test == [CHOICE]
    with pytest.raises(ConfigError, match="did you mean 'mine/choice'"):
        load_task("mine/choise")


def test_messages_and_spec() -> None:
    task = Task(
        "t",
        [],
        [CHOICE],
        "multiple_choice",
        Prompt(system="Be brief.", answer_format={"multiple_choice": "End with 'Answer: X'."}),
    )
    assert task.messages(CHOICE) == (
        Message("system", "Be brief."),
        Message("user", "Which {choices} rusts?\nA. zinc\nB. iron\nEnd with 'Answer: X'."),
    )
    spec = task.spec_of(CHOICE)
    assert (spec.kind, spec.labels, spec.choices) == ("multiple_choice", ("A", "B"), ("zinc", "iron"))
    bare = Task("t", [], [CHOICE], prompt=Prompt("{question}\n{choices}"))
    assert bare.messages(CHOICE)[0].content.endswith("B. iron")
    assert bare.fingerprint != task.fingerprint
    own = Record(id="m", messages=[{"role": "user", "content": "Hi?"}], answer="yes")
    assert task.messages(own) == (Message("system", "Be brief."), Message("user", "Hi?")) and task.spec_of(own).question == "Hi?"


def test_no_gold_answer_is_shown() -> None:
    secret = Record(id="s", question="W?", answer=["xyzzy", "plugh"], source="xyzzy", meta={"xyzzy": 1})
    task = Task("t", [], [secret])
    assert "xyzzy" not in repr(task.spec_of(secret)) + repr(task.messages(secret))
    assert task.grade(secret, "Answer: plugh").score == 1


def test_odd_labels_are_shown_as_letters() -> None:
    odd = Record(id="o", question="W?", choices={"A": "u", "B": "v", "id": "w"}, answer="id")
    task = Task("t", [], [odd])
    assert "C. w" in task.messages(odd)[0].content and task.spec_of(odd).labels == ("A", "B", "C") and task.gold_of(odd) == "C"
    assert task.grade(odd, "Answer: C").score == 1 and task.grade(odd, "Answer: A").score == 0


def test_sets_of_labels() -> None:
    both = Record(id="b", question="W?", choices={"A": "u", "B": "v", "C": "w"}, labels=["C", "A"])
    task = Task("t", [], [both])
    assert task.grade(both, "Answer: A, C").score == 1 and task.grade(both, "Answer: A").score == 0


def test_a_record_in_both_parts_is_refused() -> None:
    with pytest.raises(ConfigError, match="in dev and in test"):
        Task("t", [CHOICE], [CHOICE])


def test_warnings_and_counts(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "question": "Who?", "answer": "x", "split": "dev"},
        {"id": "b", "question": "who? ", "answer": "x", "split": "test"},
        {"id": "c", "question": "WHO?", "answer": "x", "split": "dev"},
        {"id": "d", "question": "V?", "answer": "1", "split": "dev", "group": "g"},
        {"id": "e", "question": "U?", "answer": "1", "split": "test", "group": "g"},
    ]
    report = check_file(write(tmp_path / "data.jsonl", rows))
    assert report.ok and report.counts["records"] == 5 and report.counts["dev"] == 3 and report.counts["short_text"] == 5
    whats = [(warning.line, warning.what.rpartition(": ")[2]) for warning in report.warnings]
    assert whats == [(2, "dev/test overlap"), (3, "duplicate question"), (0, "dev/test overlap")]


def test_a_kind_has_to_suit_every_record_that_names_none(tmp_path: Path) -> None:
    rows = [{"id": "a", "question": "W?", "answer": "12"}, {"id": "b", "question": "V?", "answer": "Rome"}]
    path = write(tmp_path / "data.jsonl", rows)
    with pytest.raises(DataError, match="record 'a': field 'tests' is missing from a code record"):
        load_task(path, kind="code")
    with pytest.raises(DataError, match="record 'b': field 'answer' is no number: 'Rome'; because the kind numeric is given"):
        load_task(path, kind="numeric")
    with pytest.raises(DataError, match="field 'answer' '12' is not what a reply can be expected to do"):
        load_task(path, kind="noncompliance")
    assert load_task(path, kind="short_text").kind == "short_text"


@pytest.mark.parametrize("word", [f"W{n}?" for n in range(8)])
def test_a_file_that_checks_clean_has_a_test_part(word: str, tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", [{"id": "a", "question": word, "answer": "x"}])
    task = load_task(path)  # whatever the hash says: a single record is in test
    assert check_file(path).ok and (len(task.dev), len(task.test)) == (0, 1)
