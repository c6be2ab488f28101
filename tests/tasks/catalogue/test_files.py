"""Original files byte by byte, where they are looked for, and what is said where they are not there."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from moco.core.errors import DataError
from moco.tasks import Source, load_task
from moco.tasks.catalogue.reading import rows_of, text_of_file
from tests.tasks.catalogue.places import jsonl, load, noted, released

HEAD = "question{0}choices{0}answer{0}error_type{0}correct_answer\n"
ROW = "Which caf\u00e9?{0}\"['w', 'x, y', 'y', 'z']\"{0}2{0}OK{0}\n"


@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "mac_roman"])
def test_mmlu_redux_in_its_delimiters_and_encodings(tmp_path: Path, delimiter: str, encoding: str) -> None:
    text = HEAD.format(delimiter) + "".join(ROW.format(delimiter).replace("Which", f"{i} which") for i in range(12))
    (tmp_path / "mmlu_made_up.csv").write_bytes(text.encode(encoding))
    task = load("mmlu_redux", tmp_path)
    record = (task.dev + task.test)[0]
    assert "caf\u00e9" in record.question and record.labels == ["C"] and record.meta["subject"] == "made_up"
    assert record.choices == {"A": "w", "B": "x, y", "C": "y", "D": "z"} and record.meta["native_label"] == 2


def test_text_is_read_in_the_first_encoding_that_fits(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes("a\r\ncaf\u00e9\r\n".encode("mac_roman"))
    assert text_of_file(path) == ("a\r\ncaf\u00e9\r\n", "mac_roman") and list(rows_of(path)) == [{"a": "caf\u00e9"}]


def test_carriage_returns_leave_texts_at_any_depth(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "x.jsonl", [{"code": "a\r\nb", "tests": ["c\r\nd"], "more": {"e": "f\rg"}}])
    assert list(rows_of(path)) == [{"code": "a\nb", "tests": ["c\nd"], "more": {"e": "f\ng"}}]


def test_the_shapes_json_comes_in(tmp_path: Path) -> None:
    def read(value: Any, inner: str = "") -> list[dict[str, Any]]:
        (tmp_path / "x.json").write_text(json.dumps(value), encoding="utf-8")
        return list(rows_of(tmp_path / "x.json", inner))

    assert read([{"a": 1}]) == [{"a": 1}]
    assert read({"7": {"a": 1}, "8": {"a": 2}}) == [{"a": 1, "_key": "7"}, {"a": 2, "_key": "8"}]
    assert read({"canary": "c", "examples": [{"a": 1}]}) == [{"a": 1, "_canary": "c"}]
    assert read({"dataset": "d", "dev": [{"a": 1}], "test": [{"a": 2}]}, "test") == [{"a": 2, "_dataset": "d"}]
    assert read({"problem": "p", "level": "1"}) == [{"problem": "p", "level": "1"}]
    for broken in (3, [1], {"dev": 3}):
        with pytest.raises(DataError):
            read(broken, "dev" if isinstance(broken, dict) else "")


def test_packed_files_lists_called_lines_and_pointers(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b'{"a": 1}\n\n{"a": 2}\n'))
    assert [row["a"] for row in rows_of(tmp_path / "a.jsonl.gz")] == [1, 2]
    (tmp_path / "b.jsonl").write_text('[{"a": 1},\n {"a": 2}]', encoding="utf-8")
    assert len(list(rows_of(tmp_path / "b.jsonl"))) == 2
    (tmp_path / "c.jsonl").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", encoding="utf-8")
    with pytest.raises(DataError, match="git lfs pull"):
        list(rows_of(tmp_path / "c.jsonl"))
    (tmp_path / "d.jsonl").write_text('{"a": 1}\n{"a": \n', encoding="utf-8")
    with pytest.raises(DataError, match=r"d\.jsonl:2"):
        list(rows_of(tmp_path / "d.jsonl"))


def test_tabs_and_json_lists_in_cells(tmp_path: Path) -> None:
    head = "id\tsubj\tprop\tobj\ts_pop\to_pop\tquestion\tpossible_answers\n"
    lines = [f'{i}\tX\tp\tY\t3\t4\tWhere is X {i}?\t"[""Muster"", ""Muster, There""]"\n' for i in range(20)]
    (tmp_path / "popQA.tsv").write_text(head + "".join(lines), encoding="utf-8")
    task = load("popqa", tmp_path)
    assert task.test[0].answer == ["Muster", "Muster, There"] and task.test[0].meta["s_pop"] == 3 and task.metric == "contains"


def rows(count: int, word: str = "test") -> list[dict[str, Any]]:
    return [{"question": f"Made up {word} {i}?", "answer": f"so #### {i}"} for i in range(count)]


def test_files_are_found_in_the_folder_or_under_the_name_of_the_task(tmp_path: Path) -> None:
    jsonl(tmp_path / "here" / "test.jsonl", rows(3))
    jsonl(tmp_path / "gsm8k" / "test.jsonl", rows(4))
    jsonl(tmp_path / "gsm8k" / "train.head5.jsonl", rows(5, "train"))
    assert len(load("gsm8k", tmp_path / "here").test) == 3
    whole = load("gsm8k", tmp_path)
    assert (len(whole.dev), len(whole.test)) == (5, 4) and noted(whole, "official splits kept")
    alone = load("gsm8k", tmp_path / "here" / "test.jsonl")
    assert len(alone.test) == 3 and noted(alone, "there is no dev: put train*.jsonl")


def test_the_task_does_not_depend_on_where_its_files_lie(tmp_path: Path) -> None:
    tasks = [load("gsm8k", jsonl(tmp_path / place / "test.jsonl", rows(6)).parent) for place in ("a", "b/c")]
    assert tasks[0] == tasks[1] and tasks[0].fingerprint == tasks[1].fingerprint
    assert "sha256:" in tasks[0].source and "MIT" in (tasks[0].test[0].source or "") and str(tmp_path) not in str(tasks[0])


def test_of_a_large_training_part_a_fixed_sample_is_dev(tmp_path: Path) -> None:
    jsonl(tmp_path / "test.jsonl", rows(2))
    jsonl(tmp_path / "train.jsonl", rows(1010, "train"))
    task = load("gsm8k", tmp_path)
    assert len(task.dev) == 1000 and noted(task, "lowest sha256(id)").startswith("left out 10: only the 1000 records of train")


def test_original_files_come_before_a_released_one_unless_the_split_is_moco(tmp_path: Path) -> None:
    jsonl(tmp_path / "test.jsonl", rows(3))
    released(tmp_path / "gsm8k.json", [], [{"id": 1, "input": "Q?", "output": "1"}], "exact_match")
    assert len(load("gsm8k", tmp_path).test) == 3 and len(load("gsm8k", tmp_path, split="moco").test) == 1


def test_files_of_other_tasks_are_not_taken_for_ours(tmp_path: Path) -> None:
    released(
        tmp_path / "sciencemeter.json",
        [],
        [{"id": 1, "question": "Q?", "choices": {"A": "support", "B": "refute"}, "answer": "A"}],
    )
    released(tmp_path / "culturalbench_hard.json", [], [{"id": 1, "question": "Q?"}])
    task = load("sciencemeter", tmp_path, split="moco")
    assert len(task.test) == 1 and task.test[0].labels == ["support"]
    assert "released sciencemeter.json" in load("sciencemeter", tmp_path).source


def test_missing_data_say_which_files_to_put_where_or_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load("gsm8k", tmp_path)
    said = str(caught.value)
    assert all(
        part in said for part in ('pip install "mocolab[data]"', "openai/gsm8k", "test*.jsonl", "gsm8k.json", str(tmp_path))
    )
    with pytest.raises(
        DataError, match=r"there is no such folder.*accept the terms at https://huggingface.co/datasets/Idavidrein/gpqa"
    ):
        load("gpqa_main", tmp_path / "nowhere")


def test_ids_and_keys_alone_are_no_task(tmp_path: Path) -> None:
    jsonl(tmp_path / "question-answers.jsonl", [{"id": "a", "answerKey": "B"}])
    with pytest.raises(DataError, match="ids and keys but no question text"):
        load("arc_challenge", tmp_path)


def test_the_official_test_of_pubmedqa_is_a_list_of_ids(tmp_path: Path) -> None:
    row = {"QUESTION": "Do they?", "CONTEXTS": ["One.", "Two."], "LONG_ANSWER": "They do.", "final_decision": "yes"}
    table = {str(i): {**row, "QUESTION": f"Do they {i}?"} for i in range(6)}
    (tmp_path / "ori_pqal.json").write_text(json.dumps(table), encoding="utf-8")
    (tmp_path / "test_ground_truth.json").write_text(json.dumps({"1": "yes", "4": "yes"}), encoding="utf-8")
    task = load("pubmedqa", tmp_path)
    assert [r.id for r in task.test] == ["pubmedqa/train/1", "pubmedqa/train/4"] and len(task.dev) == 4
    text = task.messages(task.test[0])[-1].content
    assert "One.\nTwo." in text and "They do." not in text


def test_tables_of_tabmwp_are_divided_by_options_and_units_are_asked_for(tmp_path: Path) -> None:
    base = {
        "question": "How much?",
        "choices": None,
        "answer": "3.30",
        "unit": "$",
        "table_title": "Prices",
        "table": "a | $1.10",
    }
    table = {"1": base, "2": {**base, "question": "Which?", "choices": ["a", "b"], "answer": "b", "unit": None}}
    (tmp_path / "problems_test1k.json").write_text(json.dumps(table), encoding="utf-8")
    number, choice = load("tablemwp_free_text", tmp_path), load("tablemwp_multiple_choice", tmp_path)
    assert number.test[0].question == "How much?\nGive the answer in this unit: $" and number.test[0].answer == "3.30"
    assert number.messages(number.test[0])[-1].content.startswith("Table: Prices\na | $1.10\nHow much?")
    assert choice.test[0].labels == ["B"] and len(choice.test) == 1
    assert number.grade(number.test[0], "Answer: $3.3").score == 1 and number.grade(number.test[0], "Answer: 33").score == 0


def test_topics_of_human_interest_are_part_of_the_ids(tmp_path: Path) -> None:
    for topic in ("policy", "plastic"):
        table = {"dataset": topic, "dev": [{"prompt": f"{topic} dev?", "id": 0}], "test": [{"prompt": f"{topic} test?", "id": 1}]}
        (tmp_path / f"human_{topic}.json").write_text(json.dumps(table), encoding="utf-8")
    task = load("human_interest", tmp_path)
    assert [r.id for r in task.test] == ["human_interest/test/plastic_1", "human_interest/test/policy_1"] and len(task.dev) == 2
    with pytest.raises(DataError, match="no reference reply that a judge could compare with"):
        load("human_interest", tmp_path, variant="judged")
    rows = [{"id": f"policy_{i}", "input": f"Q{i}?", "output": "A." if i else None} for i in range(4)]
    released(tmp_path / "human_interest.json", [], rows, "text_generation")
    judged = load("human_interest", tmp_path, split="moco", variant="judged")
    assert (judged.kind, judged.metric, len(judged.test)) == ("generation", "win rate", 3) and judged.test[0].answer == "A."
    assert len(load("human_interest", tmp_path, split="moco").test) == 4


def test_a_question_of_culturalbench_counts_only_whole(tmp_path: Path) -> None:
    lines = ["data_idx,question_idx,prompt_question,prompt_option,answer,country"]
    lines += [f"{i},{i // 4},What {i // 4}?,option {i},{i % 4 == 0},X" for i in range(80)]
    (tmp_path / "culturalbench_hard.csv").write_text("\n".join(lines), encoding="utf-8")
    task = load("culturalbench_hard", tmp_path)
    assert task.whole_groups and task.macro == "country" and {r.kind for r in task.test} == {"label"}
    assert len(task.test) % 4 == 0 and not {r.group for r in task.dev} & {r.group for r in task.test}
    few = load_task("culturalbench_hard", source=Source(data_dir=tmp_path), limit=10)
    assert len(few.test) == 8 and set(Counter(r.group for r in few.test).values()) == {4}
    assert len(load_task("culturalbench_hard", source=Source(data_dir=tmp_path), limit=1).test) == 4
