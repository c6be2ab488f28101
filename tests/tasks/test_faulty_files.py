"""A corpus of faulty files: each fault is named by line and field, with a remedy, and loading stops at it."""

from __future__ import annotations

from pathlib import Path

import pytest

from moco.core.errors import DataError
from moco.tasks import check_file, load_task

OK = '{"id": "ok", "question": "What?", "answer": "this"}\n'

FAULTY: dict[str, tuple[str, str | bytes, list[tuple[int, str, str]]]] = {
    "not json": (".jsonl", OK + "{id: 1}\n", [(2, "", "is not JSON")]),
    "cut line": (".jsonl", OK + '{"id": "b", "question": "W', [(2, "", "is not JSON")]),
    "not an object": (".jsonl", OK + "[1, 2]\n", [(2, "", "is not an object")]),
    "unknown field": (
        ".jsonl",
        '{"id": "a", "questoin": "W?", "question": "W?", "answer": "x"}',
        [(1, "questoin", "not a known field")],
    ),
    "no question": (".jsonl", '\n\n{"id": "a", "answer": "x"}', [(3, "question", "is empty")]),
    "blank question": (".jsonl", '{"id": "a", "question": "  ", "answer": "x"}', [(1, "question", "is empty")]),
    "no answer": (".jsonl", '{"id": "a", "question": "W?", "kind": "numeric"}', [(1, "answer", "is missing")]),
    "null answer": (
        ".jsonl",
        '{"id": "a", "question": "W?", "choices": {"A": "x", "B": "y"}, "answer": null}',
        [(1, "answer", "is missing")],
    ),
    "empty answer": (".jsonl", '{"id": "a", "question": "W?", "answer": ""}', [(1, "answer", "is empty")]),
    "empty alias": (".jsonl", '{"id": "a", "question": "W?", "answer": ["x", " "]}', [(1, "answer", "empty alias")]),
    "no alias": (".jsonl", '{"id": "a", "question": "W?", "answer": []}', [(1, "answer", "is empty")]),
    "answer a number": (".jsonl", '{"id": "a", "question": "W?", "answer": 5}', [(1, "answer", "wrong type number")]),
    "answer an object": (".jsonl", '{"id": "a", "question": "W?", "answer": {"x": 1}}', [(1, "answer", "wrong type object")]),
    "answer not a choice": (
        ".jsonl",
        OK + '{"id": "a", "question": "W?", "choices": {"A": "x", "B": "y"}, "answer": "C"}',
        [(2, "answer", "not among the choices A, B")],
    ),
    "label not a choice": (
        ".jsonl",
        '{"id": "a", "question": "W?", "choices": {"A": "x", "B": "y"}, "labels": ["A", "Z"]}',
        [(1, "labels", "'Z' is not among")],
    ),
    "no choices": (
        ".jsonl",
        '{"id": "a", "question": "W?", "choices": {}, "answer": "A"}',
        [(1, "choices", "is empty"), (1, "answer", "not among")],
    ),
    "one choice": (".jsonl", '{"id": "a", "question": "W?", "choices": {"A": "x"}, "answer": "A"}', [(1, "choices", "holds 1")]),
    "empty choice": (
        ".jsonl",
        '{"id": "a", "question": "W?", "choices": {"A": "x", "B": ""}, "answer": "A"}',
        [(1, "choices", "'B' is empty")],
    ),
    "choices a list": (
        ".jsonl",
        '{"id": "a", "question": "W?", "choices": ["x", "y"], "answer": "x"}',
        [(1, "choices", "wrong type list")],
    ),
    "choice a number": (
        ".jsonl",
        '{"id": "a", "question": "W?", "choices": {"A": 1, "B": "2"}, "answer": "A"}',
        [(1, "choices", "entry at 'A'")],
    ),
    "missing choices": (
        ".jsonl",
        '{"id": "a", "question": "W?", "kind": "multiple_choice", "answer": "A"}',
        [(1, "choices", "is missing")],
    ),
    "id a number": (".jsonl", '{"id": 7, "question": "W?", "answer": "x"}', [(1, "id", "wrong type number")]),
    "empty id": (".jsonl", '{"id": "", "question": "W?", "answer": "x"}', [(1, "id", "wrong value")]),
    "same id": (".jsonl", OK + "\n" + OK, [(3, "id", "'ok' is also the id of line 1")]),
    "unknown split": (".jsonl", '{"id": "a", "question": "W?", "answer": "x", "split": "train"}', [(1, "split", "wrong value")]),
    "unknown kind": (
        ".jsonl",
        '{"id": "a", "question": "W?", "answer": "x", "kind": "numerics"}',
        [(1, "kind", "not a known kind")],
    ),
    "no tests": (".jsonl", '{"id": "a", "question": "W?", "kind": "code"}', [(1, "tests", "is missing")]),
    "negative tolerance": (
        ".jsonl",
        '{"id": "a", "question": "W?", "answer": "1", "tolerance": -1}',
        [(1, "tolerance", "wrong value")],
    ),
    "tolerance a text": (
        ".jsonl",
        '{"id": "a", "question": "W?", "answer": "1", "tolerance": "1"}',
        [(1, "tolerance", "wrong type text")],
    ),
    "nan": (".jsonl", '{"id": "a", "question": "W?", "answer": "1", "tolerance": NaN}', [(1, "", "NaN is not JSON")]),
    "meta a text": (".jsonl", '{"id": "a", "question": "W?", "answer": "x", "meta": "m"}', [(1, "meta", "wrong type text")]),
    "bad turn": (
        ".jsonl",
        '{"id": "a", "messages": [{"role": "bot", "content": "W?"}], "answer": "x"}',
        [(1, "messages", "turn 0")],
    ),
    "twice": (".jsonl", '{"id": "a", "question": "W?", "answer": "x", "answer": "y"}', [(1, "answer", "given twice")]),
    "surrogate": (".jsonl", '{"id": "a", "question": "W\\ud800?", "answer": "x"}', [(1, "question", "surrogate")]),
    "nul": (".jsonl", OK + '{"id": "a", "question": "W\\u0000?", "answer": "x"}', [(2, "question", "NUL")]),
    "latin-1": (".jsonl", OK.encode() + b'{"id": "a", "question": "caf\xe9?", "answer": "x"}', [(2, "", "0xe9 is not UTF-8")]),
    "utf-16": (".jsonl", OK.encode("utf-16"), [(1, "", "is not UTF-8")]),
    "deep": (".jsonl", '{"id": "a", "meta": ' + "[" * 100_000, [(1, "", "nested too deeply")]),
    "empty file": (".jsonl", "\n \n", [(0, "", "no records")]),
    "several": (
        ".jsonl",
        'x\n{"id": "a", "anser": "x", "question": ""}\n{"id": "b", "question": "W?", "answer": 1}',
        [(1, "", "is not JSON"), (2, "anser", "not a known field"), (2, "question", "is empty"), (3, "answer", "wrong type")],
    ),
    "json object": (".json", '{"data": []}', [(1, "", "not a list")]),
    "json open": (".json", '[\n{"id": "a", "question": "W?", "answer": "x"}\n', [(3, "", "not closed")]),
    "json comma": (".json", '[{"id": "a", "question": "W?", "answer": "x"}\n{"id": "b"}]', [(2, "", "',' is missing")]),
    "json tail": (".json", '[{"id": "a", "question": "W?", "answer": "x"}]\n]', [(2, "", "text after the list")]),
    "json record": (
        ".json",
        '[\n{"id": "a", "question": "W?", "answer": "x"},\n{"id": "b", "question": ""}]',
        [(3, "question", "is empty")],
    ),
    "csv nul": (".csv", "id,question,answer\na,W?,x\nb,W\0?,x\n", [(3, "", "NUL")]),
    "csv cells": (".csv", "id,question,answer\na,W, really?,x\n", [(2, "", "has 4 cells, the header 3")]),
    "csv quote": (".csv", 'id,question,answer\na,W?,x\nb,"W?,x\n', [(3, "", "is not CSV")]),
    "csv choices": (".csv", 'id,question,choices,answer\na,"two\nlines","{A: x}",A\n', [(2, "choices", "is not JSON")]),
    "csv column": (".csv", "id,quesion,answer\na,W?,x\n", [(2, "quesion", "not a known field"), (2, "question", "is empty")]),
    "csv twice": (".csv", "id,question,answer,answer\na,W?,x,y\n", [(1, "answer", "two columns")]),
}


@pytest.mark.parametrize("name", FAULTY)
def test_every_fault_is_named(name: str, tmp_path: Path) -> None:
    suffix, content, expected = FAULTY[name]
    path = tmp_path / f"data{suffix}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    report = check_file(path)
    assert not report.ok
    found = [(fault.line, fault.field) for fault in report.faults]
    for line, field, words in expected:
        assert any(f.line == line and f.field == field and words in f.what for f in report.faults), (field, words, report.faults)
    assert len(found) == len(expected), report.faults
    assert all(fault.remedy for fault in report.faults)
    with pytest.raises(DataError) as caught:
        load_task(path)
    first = report.faults[0]
    assert caught.value.where == (f"{path}:{first.line}" if first.line else str(path))
    assert first.what in str(caught.value) and caught.value.remedy == first.remedy
    if len(found) > 1:
        assert f"{len(found) - 1} more fault" in str(caught.value)


def test_suggestions(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"id": "a", "question": "W?", "anwser": "x", "kind": "numerc", "answer": "1"}', encoding="utf-8")
    remedies = [fault.remedy for fault in check_file(path).faults]
    assert remedies == ["did you mean 'answer'?", "did you mean 'numeric'?"]
    with pytest.raises(DataError, match=r"no such file.*data\.jsonl"):
        load_task(tmp_path / "dta.jsonl")
    with pytest.raises(DataError, match="not a known format"):
        check_file(_touch(tmp_path / "data.xlsx"))


def _touch(path: Path) -> Path:
    path.write_text("x", encoding="utf-8")
    return path
