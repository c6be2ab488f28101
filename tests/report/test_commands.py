"""The ways to a report: at the end of a run, from the command, from Python; and the seam they go through."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import moco
from moco.cli import main
from moco.core.errors import ConfigError, DataError
from moco.study import RunData

STUDY = """\
pool: [playground/alpha, playground/beta]
tasks: [{data: DATA, kind: numeric}]
methods: [majority_vote]
sampling: {max_tokens: 8, temperature: 0}
"""


def test_a_run_ends_with_its_report_and_its_questions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        {"id": f"q{i}", "question": f"What is {i} + 2?", "answer": str(i + 2), "split": "dev" if i < 2 else "test"}
        for i in range(4)
    ]
    (tmp_path / "sums.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    (tmp_path / "study.yaml").write_text(STUDY.replace("DATA", str(tmp_path / "sums.jsonl")), encoding="utf-8")
    out = tmp_path / "run"
    assert main(["run", str(tmp_path / "study.yaml"), "-o", str(out)]) == 0
    assert str(out / "report.html") in capsys.readouterr().err
    first = (out / "report.html").read_bytes()
    assert b"majority_vote" in first and b"What is 3 + 2?" in first
    kept = RunData(out).items
    assert {(item["gold"], item["kind"]) for task in kept.values() for item in task.values()} == {
        ("4", "numeric"),
        ("5", "numeric"),
    }
    assert main(["run", str(tmp_path / "study.yaml"), "-o", str(out)]) == 0
    assert (out / "report.html").read_bytes() == first
    study = moco.Study.from_yaml(tmp_path / "study.yaml")
    study.run(out)
    assert study.report(tmp_path / "elsewhere.html").read_bytes() == first


def test_the_command_writes_a_file_and_says_where(
    run: RunData, page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "new" / "out.html"
    assert main(["report", str(run.path), "--html", str(file)]) == 0
    assert file.read_text(encoding="utf-8") == page and str(file) in capsys.readouterr().err


def test_the_command_refuses_a_folder_and_two_formats(run: RunData, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run.path), "--html", str(tmp_path)]) == 2
    assert "is a folder" in capsys.readouterr().err
    assert main(["report", str(run.path), "--md", "--html", str(tmp_path / "x.html")]) == 2
    assert main(["report", str(run.path), "--html", "/proc/none/x.html"]) == 2
    assert "cannot write" in capsys.readouterr().err


def test_a_study_reports_the_run_directory_its_report_lies_in(run: RunData, page: str) -> None:
    study = moco.Study.from_yaml("pool: [playground/alpha]\ntasks: [playground/math]\nmethods: [single]\n")
    file = study.report(run.path / "report.html")
    assert file.read_text(encoding="utf-8") == page
    file.unlink()


def test_a_study_refuses_unknown_endings_and_folders_without_a_run(run: RunData, tmp_path: Path) -> None:
    study = moco.Study.from_yaml("pool: [playground/alpha]\ntasks: [playground/math]\nmethods: [single]\n")
    with pytest.raises(ConfigError) as ending:
        study.report(run.path / "report.pdf")
    assert "html" in ending.value.remedy
    with pytest.raises(DataError):
        study.report(tmp_path / "report.html")
