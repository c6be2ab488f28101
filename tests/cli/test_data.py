"""``moco data`` and ``moco convert`` as a user types them, wrong lines included."""

from __future__ import annotations

import json
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


def test_a_file_with_columns_of_its_own_is_told_how_to_map_them(moco: Moco, tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"prompt": "W?", "completion": "x"}\n', encoding="utf-8")
    said = moco("data", "check", path)
    assert said.code == 2 and f"next: moco data check {path} --map question=COLUMN" in " ".join((said.out + said.err).split())
    assert moco("data", "check", path, "--map", "question=prompt", "--map", "answer=completion").code == 0


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
