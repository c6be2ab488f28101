"""What a user sees when something is wrong: what, where, why, remedy, the right exit code and no traceback."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from moco.cli import app
from moco.core.errors import Fatal
from tests.cli.conftest import Moco


@pytest.mark.parametrize(
    "line",
    [
        ["run", "nowhere.yaml"],
        ["report", "nowhere"],
        ["ask", "nowhere", "hello"],
        ["methods", "majority_vot"],
        ["methods", "nowhere.py:Polite"],
        ["tasks", "playground/mathh"],
        ["tasks", "--prompt"],
        ["models", "playground/alhpa"],
        ["data", "check", "nowhere.jsonl"],
        ["data", "show", "nowhere.jsonl"],
        ["cache", "stats", "--store", "nowhere.sqlite"],
        ["new", "method", "Not A Name"],
        ["new", "method", "majority_vote"],
        ["playground", "matrix", "--member", "alhpa"],
        ["playground", "build", "--out", "x", "--world", "nowhere"],
    ],
)
def test_a_mistake_is_explained_with_exit_code_2(
    moco: Moco, line: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = moco(*line)
    assert said.code == 2
    assert said.err.startswith("error: ") and "remedy: " in said.err
    assert "Traceback" not in said.err and said.out == ""


@pytest.mark.parametrize("line", [["nosuch"], ["run"], ["run", "a.yaml", "--nosuch"], ["playground", "matrix", "--n", "0"]])
def test_a_mistyped_command_line_is_2(moco: Moco, line: list[str]) -> None:
    said = moco(*line)
    assert said.code == 2 and "Traceback" not in said.err


def test_a_faulty_study_names_the_place(moco: Moco, study: Path) -> None:
    said = moco("run", study, "sampling.temprature=0")
    assert said.code == 2 and "did you mean 'temperature'" in said.err
    said = moco("run", study, "methods.majority_vote.tye=dev", "--dry-run")
    assert said.code == 2 and "did you mean 'tie'" in said.err


def test_ask_refuses_what_it_cannot_ask(moco: Moco, study: Path, tmp_path: Path) -> None:
    assert "no method 'debat'" in moco("ask", study, "hello", "--method", "debat").err
    assert moco("ask", tmp_path, "hello").code == 2
    assert moco("ask", study, "hello", "--kind", "nmeric").code == 2


def test_report_takes_one_format(moco: Moco, tmp_path: Path) -> None:
    assert moco("report", tmp_path, "--md", "--csv").code == 2


@pytest.mark.parametrize(
    "text",
    ["not json", "[1]", '{"output": "x"}', '{"output": "x", "gold": "y"}', '{"output": 3, "gold": "y", "kind": "numeric"}',
     '{"output": "x", "gold": {}, "kind": "numeric"}', '{"output": "x", "gold": "y", "kind": "nope"}',
     '{"output": "x", "gold": "A", "kind": "multiple_choice", "choices": 3}',
     '{"output": "x", "gold": "1", "kind": "numeric", "tolerance": -1}',
     '{"output": "A", "gold": "Z", "kind": "multiple_choice", "choices": ["x", "y"]}',
     '{"output": "A", "gold": ["A", "Z"], "kind": "multiple_choice", "choices": ["x", "y"]}',
     '{"output": "1", "gold": "some", "kind": "numeric"}', '{"output": "1", "gold": NaN, "kind": "numeric"}',
     '{"output": "1", "gold": " ", "kind": "short_text"}', "[" * 100_000, '{"output": "1", "gold": "1", "kind": 5}',
     '{"output": "1", "gold": "1", "gold": "2", "kind": "numeric"}', '{"output": "1", "gold": ["1", ""], "kind": "short_text"}',
     '{"output": "1", "gold": "1", "kind": "numeric", "tolerance": 1e999}', '{"output": "x", "gold": "x", "kind": "code"}',
     '{"output": "x", "gold": "z", "kind": "label", "labels": ["x", "y"]}',
     '{"output": "x", "gold": "x", "kind": "label", "labels": ["x", " "]}',
     '{"output": "A", "gold": "A", "kind": "multiple_choice", "choices": ["x"]}',
     '{"output": "{}", "gold": "A", "kind": "likelihood", "labels": ["A", "B"]}',
     '{"output": "{}", "gold": "C", "kind": "likelihood", "choices": ["x", "y"]}',
     '{"output": "A", "gold": "A", "kind": "multiple_choice", "choices": ["x", ""]}',
     '{"output": "A", "gold": "A", "kind": "multiple_choice", "choices": ["x", "y"], "labels": ["A"]}',
     '{"output": "A", "gold": "A", "kind": "multiple_choice", "choices": ["x", "y"], "labels": ["A", "A"]}'],
)  # fmt: skip
def test_grade_names_the_line(moco: Moco, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n" + text))
    said = moco("grade")
    assert said.code == 2 and "where: line 2" in said.err


@pytest.mark.parametrize(
    "raw, what",
    [
        (b"", "there is nothing to grade"),
        (b"\n\r\n", "there is nothing to grade"),
        (b'\xff\xfe{\x00"\x00', "byte 0xff is not UTF-8: the file is UTF-16"),
        (b"\x1f\x8b\x08\x00", "is compressed with gzip, not text"),
        (b'{"output": "\xff"}', "byte 0xff is not UTF-8"),
    ],
)
def test_grade_says_what_came_in(moco: Moco, monkeypatch: pytest.MonkeyPatch, raw: bytes, what: str) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8"))
    said = moco("grade", "--kind", "numeric")
    assert said.code == 2 and f"error: {what}\n" in said.err and "remedy: " in said.err and said.out == ""


@pytest.mark.parametrize("kind, remedy", [("nmeric", "did you mean 'numeric'?"), ("code", "run a study")])
def test_a_kind_that_grade_cannot_grade_is_refused_before_anything_is_read(
    moco: Moco, monkeypatch: pytest.MonkeyPatch, kind: str, remedy: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    said = moco("grade", "--kind", kind)
    assert said.code == 2 and "where: --kind" in said.err and remedy in said.err


def test_a_faulty_line_ends_grading_after_the_verdicts_before_it(moco: Moco, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = b'\xef\xbb\xbf{"output": "5", "gold": "5"}\r\n\r\n'
    long = b'{"output": "' + b"so " * 100_000 + b'5", "gold": 5}\n'  # a line of several chunks
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(whole + long + b'{"output": "\xe9"}'), encoding="utf-8"))
    said = moco("grade", "--kind", "numeric")
    assert [json.loads(line)["score"] for line in said.out.splitlines()] == [1.0, 1.0]
    assert said.code == 2 and "where: line 4" in said.err
    monkeypatch.setattr("sys.stdin", None)
    assert "stdin is closed" in moco("grade").err


def test_serving_the_world_needs_a_key(moco: Moco, study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOCO_API_KEY", raising=False)
    said = moco("serve", study, "--host", "0.0.0.0")
    assert said.code == 2 and "MOCO_API_KEY" in said.err


def test_a_missing_extra_is_one_sentence(moco: Moco, study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "uvicorn" else found(name, *a))
    said = moco("serve", study)
    assert said.code == 2 and 'pip install "mocolab[serve]"' in said.err


def fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def broken(**_: Any) -> None:
        raise error

    monkeypatch.setattr("moco.cli.doctor.examine", broken)


def test_our_own_faults_are_1_and_tracebacks_only_with_debug(moco: Moco, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, ZeroDivisionError("surprise"))
    said = moco("doctor")
    assert said.code == 1 and "--debug" in said.err and "Traceback" not in said.err
    assert "Traceback" in moco("doctor", "--debug").err
    fail_with(monkeypatch, Fatal("the model is broken"))
    assert moco("doctor").code == 1


def test_ctrl_c_says_how_to_go_on(moco: Moco, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, KeyboardInterrupt())
    said = moco("doctor", "--json")
    assert said.code == app.INTERRUPTED == 130
    assert "moco doctor --json" in said.err


def test_an_incomplete_run_is_3(moco: Moco, finished: Path, study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from moco.study import RunData, Study

    def incomplete(self: Study, out: Path, **_: Any) -> RunData:
        data = RunData(finished)
        data.results |= {"complete": False, "failed_items": 2}
        return data

    monkeypatch.setattr(Study, "run", incomplete)
    said = moco("run", study)
    assert said.code == 3 and "2 items failed" in said.err and "2 items failed" in said.out
