"""``moco data`` and ``moco convert`` as a user types them, wrong lines included."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from moco.tasks import load_task
from tests.cli.conftest import Moco

OK = '{"id": "a", "question": "W?", "answer": "x", "split": "test"}\n'
RELEASED = {
    "name": "mine",
    "task_type": "exact_match",
    "dev": [{"id": 1, "input": "V?", "output": "x"}],
    "test": [
        {"id": 1, "input": "W?", "output": "y"},
        {"id": 2, "input": "X?", "output": None},
        {"id": 3, "input": "Y?", "output": "z"},
    ],
}
CONFIG = {
    "method": "text_majority_vote",
    "task": "mine",
    "task_type": "exact_match",
    "gpu_ids": [0],
    "model_names": ["playground/alpha", "playground/beta"],
    "hyperparameters": {"max_response_length": 16, "batch_size": 32, "tie": "dev-based"},
}


def test_checking_says_place_field_and_remedy(moco: Moco, tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(OK + '{"id": "b", "question": "W?", "answer": 4}\n', encoding="utf-8")
    said = moco("data", "check", path)
    assert said.code == 2
    assert f"fault: {path}:2: field 'answer' has the wrong type number; remedy: write the number as a text, \"4\"" in said.out
    assert f"{path}: 1 faults, 0 warnings; 1 test, 1 short_text, 1 records" in said.out


def test_checking_for_programs(moco: Moco, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(RELEASED, indent=1), encoding="utf-8")
    said = moco("data", "check", path, "--json")
    found = json.loads(said.out)
    assert said.code == 0 and found["ok"] and found["counts"]["records"] == 3
    [left] = found["left_out"]
    assert (left["field"], left["what"]) == ("output", "is null") and left["line"] > 1
    assert found["notes"] == [f"1 items that cannot be graded are left out: 'output' is null (1: line {left['line']})"]
    said = moco("data", "check", path)
    assert "left out: " in said.out and "1 left out; 1 dev" in said.out


OWN = "prompt,gold,topic\n" + "".join(f"What is {i} + 1?,{i + 1},sums\n" for i in range(60))


def test_a_file_with_columns_of_its_own_is_told_how_to_map_them(moco: Moco, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(OWN, encoding="utf-8")
    mapping = ["--map", "question=prompt", "--map", "answer=gold", "--map", "meta.topic=topic"]
    entry = f"- {{data: {path}, fields: {{question: prompt, answer: gold, meta.topic: topic}}}} under tasks: in a study"
    said = moco("data", "check", path)
    assert said.code == 2 and said.out.count("fault: ") == 3, "one for each column"
    assert "field 'gold' is not a known field (in all 60 lines); remedy: if it is the right answer, say so:" in said.out
    told = " ".join(said.err.split())
    assert f"next: moco data check {path} {' '.join(mapping)}" in told and entry in told
    assert json.loads(moco("data", "check", path, "--json").out)["mapping"]["answer"] == "gold"

    said = moco("data", "check", path, *mapping)
    told = " ".join(said.err.split())
    assert said.code == 0 and f"next: moco data show {path} {' '.join(mapping)}" in told and entry in told
    assert f"next: moco data check {path} {' '.join(mapping)}" in moco("data", "show", path, *mapping).err
    record = load_task(path, fields={"question": "prompt", "answer": "gold", "meta.topic": "topic"}).test[0]
    assert record.meta == {"topic": "sums"}

    study = tmp_path / "study.yaml"
    study.write_text(f"pool: [playground/alpha]\ntasks: [{{data: {path}}}]\nmethods: [single]\n", encoding="utf-8")
    said = moco("run", study, "--dry-run")
    assert said.code == 2 and "fields: {question: prompt, answer: gold, meta.topic: topic} in a study" in said.err


def test_a_mistyped_column_is_said_once_and_corrected(moco: Moco, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(OWN, encoding="utf-8")
    said = moco("data", "check", path, "--map", "question=promt", "--map", "answer=gold")
    assert said.out.count("fault: ") == 1 and "column 'promt', which is not there (in all 60 lines)" in said.out
    assert "--map question=prompt --map answer=gold" in said.err
    said = moco("data", "check", path, "--map", "question=prompt")
    assert (
        said.code == 0
        and "warning: " in said.out
        and "no record has an answer; columns that are not mapped: gold, topic" in said.out
    )


@pytest.mark.parametrize(
    ("text", "proposed"),
    [
        ("question,A,B,C,answerKey\nW?,x,y,z,B\n", "--map choices=A,B,C --map answer=answerKey"),
        (
            "query,option_1,option_2,correct\nW?,x,y,x\n",
            "--map question=query --map choices=option_1,option_2 --map answer=correct",
        ),
        ("what is asked,it is\nWhich one is it?,x\n", "--map 'question=what is asked' --map 'answer=it is'"),
        ("quesion,answer\nW?,x\n", "--map question=quesion"),
    ],
)
def test_what_is_proposed_reads_the_file(text: str, proposed: str, moco: Moco, tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(text + text.splitlines()[1].replace("W", "V") + "\n", encoding="utf-8")
    said = moco("data", "check", path)
    assert said.code == 2 and f"{path} {proposed}" in said.err
    assert moco("data", "check", path, *shlex.split(proposed)).code == 0


def test_values_that_a_mapping_reads_are_one_fault_a_column(moco: Moco, tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text('{"question": "1 + 1?", "answer": 2}\n{"question": "1 + 2?", "answer": 3}\n', encoding="utf-8")
    said = moco("data", "check", path)
    assert (
        'number (in all 2 lines); remedy: write the number as a text, "2", or read it as it is: --map answer=answer' in said.out
    )
    assert moco("data", "check", path, "--map", "answer=answer").code == 0


def test_a_column_that_some_rows_lack_is_said_once_with_its_lines(moco: Moco, tmp_path: Path) -> None:
    path = tmp_path / "my data.jsonl"
    path.write_text('{"prompt": "V?", "gold": "x"}\n{"prompt": "W?"}\n{"prompt": "X?", "gold": "y"}\n', encoding="utf-8")
    said = moco("data", "check", path)
    assert said.out.count("fault: ") == 2 and f"{path}:1: field 'gold' is not a known field (in 2 lines: 1, 3)" in said.out
    assert f"next: moco data check '{path}' --map question=prompt --map answer=gold" in said.err
    path.write_text(OK + '{"question": "V?", "anser": "x"}\n{"question": "W?", "anser": "x"}\n', encoding="utf-8")
    said = moco("data", "check", path)
    assert "(in 2 lines: 2, 3); remedy: did you mean 'answer'?" in said.out and "--map" not in said.out + said.err


def test_a_kind_is_counted_and_checked(moco: Moco, tmp_path: Path) -> None:
    path = tmp_path / "mixed.jsonl"
    path.write_text('{"question": "1 + 1?", "answer": "2"}\n{"question": "Capital?", "answer": "Rome"}\n', encoding="utf-8")
    assert "2 no split, 2 short_text, 2 records" in moco("data", "check", path).out, "as it is read, not answer by answer"
    said = moco("data", "check", path, "--kind", "numeric")
    assert said.code == 2 and f"{path}:2: field 'answer' is no number: 'Rome'; the kind numeric is given" in said.out
    said = moco("data", "check", path, "--kind", "f1_match")
    assert said.code == 0 and "2 short_text" in said.out and "--kind f1_match" in said.err and "kind: f1_match}" in said.err
    assert "did you mean 'numeric'?" in moco("data", "check", path, "--kind", "nmeric").err


def test_many_faults_are_cut_on_the_screen_only(moco: Moco, tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text("x\n" * 150, encoding="utf-8")
    said = moco("data", "check", path)
    assert said.out.count("fault: ") == 100 and "... and 50 more (--json lists all)" in said.out
    assert len(json.loads(moco("data", "check", path, "--json").out)["faults"]) == 150


def test_checking_a_catalogue_task(moco: Moco, tmp_path: Path) -> None:
    said = moco("data", "check", "playground/math")
    assert said.code == 0 and "playground/math: 0 faults" in said.out and "- playground/math  under tasks:" in said.out + said.err
    (tmp_path / "test.jsonl").write_text('{"question": "How many?", "answer": "#### 3"}\n', encoding="utf-8")
    said = moco("data", "check", "gsm8k", "--data-dir", tmp_path)
    told = " ".join((said.out + said.err).split())
    assert f"moco data show gsm8k --data-dir {tmp_path}" in told and f"- {{name: gsm8k, data_dir: {tmp_path}}}" in told
    said = moco("data", "check", "playground/math", "--map", "question=q")
    assert said.code == 2 and "--map goes with a file, not with a task's name" in said.err


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".parquet"])
def test_converting_with_a_mapping(suffix: str, moco: Moco, tmp_path: Path) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    old, new = tmp_path / "old.csv", tmp_path / f"new{suffix}"
    old.write_text("prompt,one,two,gold,topic\nW?,x,y,1,t\n", encoding="utf-8")
    line = ["--map", "question=prompt", "--map", "choices=one,two", "--map", "answer=gold", "--map", "meta.topic=topic"]
    said = moco("data", "convert", old, new, *line)
    assert said.code == 2 and "field 'gold' '1' is not among the choices A, B" in said.err and not new.exists()
    old.write_text("prompt,one,two,gold,topic\nW?,x,y,y,t\n", encoding="utf-8")
    said = moco("data", "convert", old, new, *line, "--kind", "multiple_choice")
    assert said.code == 0 and f"{new}: 1 records" in said.out
    [record] = load_task(new, dev_share=0).test
    assert (record.question, record.answer, record.kind, record.meta) == ("W?", "B", "multiple_choice", {"topic": "t"})
    assert moco("data", "convert", old, new, *line).code == 2
    assert moco("data", "convert", old, new, *line, "--force").code == 0


def test_converting_a_released_file(moco: Moco, tmp_path: Path) -> None:
    old, new = tmp_path / "mine.json", tmp_path / "mine.jsonl"
    old.write_text(json.dumps(RELEASED), encoding="utf-8")
    said = moco("data", "convert", old, new)
    assert said.code == 0 and "note: 1 items that cannot be graded are left out" in said.out
    before, after = load_task(old), load_task(new)
    assert (before.dev, before.test, before.kind) == (after.dev, after.test, after.kind)
    shown = moco("data", "show", old, "--n", "1")
    assert "note: 1 items that cannot be graded" in shown.out and "--- mine/test/1" in shown.out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["check", "OK", "--map", "question"], "'question' is not FIELD=COLUMN"),
        (["check", "OK", "--map", "qestion=q"], "'qestion' is not a field of a record"),
        (["check", "OK", "--map", "id=a", "--map", "id=b"], "'id' is mapped twice"),
        (["check", "OK", "--data-dir", "x"], "--data-dir goes with a task's name"),
        (["check", "nowhere.jsonl"], "there is no such file"),
        (["check", "gms8k"], "did you mean 'gsm8k'?"),
        (["check", "gsm8k", "--data-dir", "."], "there are no files of the task 'gsm8k'"),
        (["show", "."], "is a folder, not a file"),
        (["show", "OK", "--kind", "code"], "field 'tests' is missing from a code record"),
        (["convert", "gsm8k", "out.jsonl"], "there is no file 'gsm8k'"),
        (["convert", "OK", "out.jsonl", "--kind", "code"], "field 'tests' is missing from a code record"),
        (["convert", "OK", "out.jsonl", "--kind", "numeric"], "field 'answer' is no number: 'x'"),
        (["check", "nowhere/at/all.jsonl"], "name an existing file"),
        (["check", "/dev/null"], "is a pipe or a device"),
        (["show", "OK", "--data-dir", "x"], "data_dir, split, variant and revision go with a task's name"),
        (["show", "playground/math", "--map", "question=q"], "a mapping goes with a file"),
        (["convert", "OK", "out.xlsx"], "'.xlsx' is not a format that moco writes"),
        (["convert", "OK", "out.csv", "--kind", "numerc"], "unknown kind 'numerc'"),
        (["convert", "OK", "out.csv", "--revision", "abc"], "--revision goes with a hub data set"),
        (["convert", "owner/name", "out.csv", "--split", "test"], "'test' is not OURS=THEIRS"),
    ],
)
def test_wrong_lines(line: list[str], said: str, moco: Moco, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ok.jsonl").write_text(OK, encoding="utf-8")
    result = moco("data", *("ok.jsonl" if word == "OK" else word for word in line))
    assert result.code == 2 and said in result.err and "remedy: " in result.err
    assert not list(tmp_path.glob("out*"))


def test_a_released_config_becomes_a_study(moco: Moco, tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(json.dumps(RELEASED), encoding="utf-8")
    old = tmp_path / "old.json"
    old.write_text(json.dumps(CONFIG), encoding="utf-8")
    said = moco("convert", old)
    assert said.code == 0 and said.out.startswith(f"# converted from {old}\n# batch_size: 32 has no place")
    study = tmp_path / "study.yaml"
    study.write_text(said.out, encoding="utf-8")
    assert moco("run", study, "--dry-run").code == 0
    assert moco("run", old, "--dry-run").code == 0  # as it is


def test_a_faulty_config(moco: Moco, tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    old.write_text(json.dumps({**CONFIG, "hyperparameters": {"tei": 1}}, indent=1), encoding="utf-8")
    for line in (("convert", old), ("run", old, "--dry-run")):
        said = moco(*line)
        assert (
            said.code == 2 and "unknown hyperparameter 'tei' of majority_vote" in said.err and "did you mean 'tie'?" in said.err
        )
        assert f"where: {old}:" in said.err and said.out == ""
    said = moco("convert", tmp_path / "gone.json")
    assert said.code == 2 and "the config cannot be read" in said.err
