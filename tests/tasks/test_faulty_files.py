"""A corpus of faulty files: each fault is named by line and field, with a remedy, and loading stops at it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moco.core.errors import ConfigError, DataError
from moco.tasks import Fault, Report, check_file, load_task
from tests.tasks.faulty import ANSWER, FAULTY, ID, LISTED, QUESTION, Said

NUMBER = "write a number, or give kind short_text"
COMPLY = "write comply or noncomply, or a category of CoCoNot"
UNPACK = "give the file the suffix of its format, or unpack it"
MORE: dict[str, tuple[str, str | bytes, list[Said]]] = {
    "a number in words of its own": (
        ".jsonl",
        '{"id": "a", "question": "W?", "answer": "Paris", "kind": "numeric"}',
        [(1, "answer", "is no number: 'Paris'", NUMBER)],
    ),
    "nothing that can be expected": (
        ".jsonl",
        '{"id": "a", "question": "W?", "answer": "refuse", "kind": "noncompliance"}',
        [(1, "answer", "'refuse' is not what a reply can be expected to do", COMPLY)],
    ),
    "a comma after the last record": (
        ".json",
        '[{"id": "a", "question": "W?", "answer": "x"},\n]',
        [(2, "", "is not JSON: no record comes after the last comma", "remove the comma")],
    ),
    "a number for a label": (
        ".jsonl",
        '{"id": "a", "question": "W?", "answer": 1, "choices": {"A": "x", "B": "y"}}',
        [
            (
                1,
                "answer",
                "has the wrong type number",
                "write one of the labels, A, B, or count options from 0: --map answer=answer",
            )
        ],
    ),
    "only dev": (
        ".jsonl",
        '{"id": "a", "question": "W?", "answer": "x", "split": "dev"}',
        [(0, "split", "no record is in test", 'give records "split": "test", or leave split out')],
    ),
    "packed with xz": (".jsonl", b"\xfd7zXZ\x00\x00\x04", [(0, "", "is compressed with xz, not .jsonl", UNPACK)]),
    "a database": (".csv", b"SQLite format 3\x00\x10\xff", [(0, "", "is an SQLite database, not .csv", UNPACK)]),
}
OK = '{"id": "ok", "question": "What?", "answer": "this"}\n'


def test_the_corpus_is_large() -> None:
    assert len(FAULTY) + len(MORE) + len(PARQUET) + len(MAPPED) + len(DOUBTFUL) >= 100


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def assert_says(report: Report, expected: list[Said]) -> None:
    """Exactly the ``expected`` faults, in their order."""
    found = report.faults
    assert len(found) == len(expected), found
    for fault, (line, field, what, remedy) in zip(found, expected, strict=True):
        assert (fault.line, fault.field, fault.remedy) == (line, field, remedy)
        assert fault.what.startswith(what[:-1]) if what.endswith("*") else fault.what == what


@pytest.mark.parametrize("name", {**FAULTY, **MORE})
def test_every_fault_is_named(name: str, tmp_path: Path) -> None:
    suffix, content, expected = {**FAULTY, **MORE}[name]
    path = write(tmp_path / f"data{suffix}", content)
    report = check_file(path)
    assert not report.ok
    assert_says(report, expected)
    with pytest.raises(DataError) as caught:
        load_task(path)
    first = report.faults[0]
    assert caught.value.where == (f"{path}:{first.line}" if first.line else str(path))
    assert first.what in str(caught.value) and caught.value.remedy == first.remedy
    if len(expected) > 1:
        assert f"{len(expected) - 1} more fault" in str(caught.value)


PARQUET: dict[str, tuple[dict[str, list[Any]], list[Said]]] = {
    "question a number": (
        {"id": ["a", "b"], "question": [1, 2], "answer": ["x", "y"]},
        [
            (
                0,
                "question",
                "has the wrong type number (in all 2 rows)",
                f"{QUESTION}, or read it as it is: --map question=question",
            )
        ],
    ),
    "answer a number": (
        {"question": ["W?"], "answer": [4.5]},
        [(1, "answer", "has the wrong type number", 'write the number as a text, "4.5"')],
    ),
    "no gold": (
        {"question": ["V?", "W?"], "answer": ["x", None]},
        [(2, "answer", "is null", "write the right answer, or leave the record out")],
    ),
    "choices a list": (
        {"question": ["W?"], "choices": [["x", "y"]], "answer": ["x"]},
        [(1, "choices", "has the wrong type list", LISTED)],
    ),
    "choices no json": (
        {"question": ["W?"], "choices": ["{A: x}"], "answer": ["A"]},
        [
            (
                *(1, "choices", "is not JSON: Expecting property name enclosed in double quotes"),
                'write JSON in the cell, {"A": "text"}',
            )
        ],
    ),
    "gold not a choice": (
        {"question": ["W?"], "choices": ['{"A": "x", "B": "y"}'], "answer": ["C"]},
        [(1, "answer", "'C' is not among the choices A, B", ANSWER)],
    ),
    "unknown column": (
        {"quesion": ["W?"], "answer": ["x"]},
        [
            (1, "quesion", "is not a known field", "did you mean 'question'?"),
            (1, "question", "is empty and there are no messages", QUESTION),
        ],
    ),
    "same id": (
        {"id": ["a", "a"], "question": ["V?", "W?"], "answer": ["x", "y"]},
        [(2, "id", "'a' is also the id of row 1", ID)],
    ),
    "empty": ({"id": [], "question": []}, [(0, "", "the file holds no records", "write one record a line")]),
}


@pytest.mark.parametrize("name", PARQUET)
def test_parquet_faults_name_the_row(name: str, tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns, expected = PARQUET[name]
    path = tmp_path / "data.parquet"
    parquet.write_table(arrow.table(columns), path)
    report = check_file(path)
    assert_says(report, expected)
    if expected[0][0]:
        with pytest.raises(DataError, match=rf"data\.parquet: row {expected[0][0]}: "):
            load_task(path)


@pytest.mark.parametrize("cut", ["whole file", "footer", "text"])
def test_a_torn_parquet_file(cut: str, tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "data.parquet"
    parquet.write_table(arrow.table({"question": ["W?"], "answer": ["x"]}), path)
    raw = path.read_bytes()
    path.write_bytes({"whole file": b"", "footer": raw[:-9], "text": b"id,question\n"}[cut])
    [fault] = check_file(path).faults
    assert fault.line == 0 and fault.what.startswith("is not Parquet: ")
    assert fault.remedy == "write the file again; a copy that was cut short has no footer"


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ConfigError, match=r'Parquet files need pyarrow.*pip install "mocolab\[data\]"'):
        check_file(write(tmp_path / "data.parquet", b"PAR1"))


MAPPED: dict[str, tuple[str, dict[str, str | list[str]], list[Said]]] = {
    "missing column": (
        '{"prompt": "W?", "gold": "x"}\n',
        {"question": "prompt", "answer": "golds"},
        [(1, "answer", "is mapped to the column 'golds', which is not there", "did you mean 'gold'?")],
    ),
    "missing path": (
        '{"prompt": "W?", "answers": {"text": ["x"]}}\n',
        {"question": "prompt", "answer": "answers.texts"},
        [(1, "answer", "is mapped to the column 'answers.texts', which is not there", "did you mean 'answers.text'?")],
    ),
    "missing option": (
        '{"question": "W?", "a": "x", "b": "y", "answer": 0}\n',
        {"choices": ["a", "c"]},
        [(1, "choices", "is mapped to the column 'c', which is not there", "known: a, answer, b, question")],
    ),
    "number out of range": (
        '{"question": "W?", "options": ["x", "y"], "cop": 2}\n',
        {"choices": "options", "answer": "cop"},
        [(1, "cop", "'2' is not among the choices A, B", ANSWER)],
    ),
    "hidden label": (
        '{"question": "W?", "options": ["x", "y"], "cop": -1}\n',
        {"choices": "options", "answer": "cop"},
        [(1, "cop", "'-1' is not among the choices A, B", ANSWER)],
    ),
    "null gold": (
        '{"question": "W?", "gold": null}\n',
        {"answer": "gold"},
        [(1, "gold", "is null", "write the right answer, or leave the record out")],
    ),
}


@pytest.mark.parametrize("name", MAPPED)
def test_faults_of_mapped_columns_name_the_column(name: str, tmp_path: Path) -> None:
    content, fields, expected = MAPPED[name]
    report = check_file(write(tmp_path / "data.jsonl", content), fields)
    assert_says(report, expected)


@pytest.mark.parametrize(
    ("fields", "what", "remedy"),
    [
        ({"anser": "gold"}, "'anser' is not a field of a record", "did you mean 'answer'?"),
        ({"answer": ""}, "'answer' names no column", "write answer: COLUMN"),
        ({"answer": ["a", "b"]}, "'answer' takes one column", "a list of columns goes with choices only"),
        ({"choices": []}, "'choices' names no column", "write choices: COLUMN"),
    ],
)
def test_a_faulty_mapping(fields: dict[str, Any], what: str, remedy: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        check_file(write(tmp_path / "data.jsonl", OK), fields)
    assert (caught.value.what, caught.value.where, caught.value.remedy) == (what, "fields", remedy)


DOUBTFUL: dict[str, tuple[list[str], list[tuple[int, str]]]] = {
    "duplicate": (
        ['"question": "What is 2 + 2?", "answer": "4"', '"question": "what  is 2 + 2 ？", "answer": "4"'],
        [(2, "the question of line 1 again: duplicate question")],
    ),
    "overlap": (
        ['"question": "W", "answer": "x", "split": "dev"', '"question": "W.", "answer": "x", "split": "test"'],
        [(2, "the question of line 1 again, there in dev, here in test: dev/test overlap")],
    ),
    "overlap with another answer": (
        ['"question": "W", "answer": "x", "split": "dev"', '"question": "W.", "answer": "y", "split": "test"'],
        [(2, "the question of line 1 again, with another answer, there in dev, here in test: dev/test overlap")],
    ),
    "same question about another text": (
        ['"question": "W", "answer": "x", "context": "one"', '"question": "W", "answer": "x", "context": "two"'],
        [],
    ),
    "same question with other options": (
        [
            '"question": "W", "answer": "A", "choices": {"A": "x", "B": "y"}',
            '"question": "W", "answer": "A", "choices": {"A": "x", "B": "z"}',
        ],
        [],
    ),
    "group": (
        [
            '"question": "V", "answer": "x", "split": "dev", "group": "g"',
            '"question": "W", "answer": "x", "split": "test", "group": "g"',
        ],
        [(0, "group 'g' is in dev and in test: dev/test overlap")],
    ),
    "identical wrong options": (
        ['"question": "W", "answer": "C", "choices": {"A": "x", "B": "x", "C": "y"}'],
        [(1, "options 'A' and 'B' are the same text")],
    ),
    "some without an answer": (
        ['"question": "V", "answer": "x"', '"question": "W"'],
        [(2, "has no answer and no kind, so it is read as generation (1 such records)")],
    ),
    "labels of another kind": (
        [
            '"question": "V", "answer": "A", "choices": {"A": "x", "B": "y"}',
            '"question": "W", "answer": "id", "choices": {"A": "x", "id": "z"}',
            '"question": "X", "answer": "1", "choices": {"1": "x", "2": "z"}',
        ],
        [
            (2, "labels A, id are shown as A, B (1 such records)"),
            (3, "labels are numbers here and letters in other records (1 such records)"),
        ],
    ),
    "options in the question": (
        ['"question": "W\\nA. x\\nB. y", "answer": "A", "choices": {"A": "x", "B": "y"}'],
        [(1, "the question shows its options already, and they are shown below it again (1 records)")],
    ),
}


@pytest.mark.parametrize("name", DOUBTFUL)
def test_what_is_legal_but_suspicious_is_a_warning(name: str, tmp_path: Path) -> None:
    rows, expected = DOUBTFUL[name]
    content = "".join(f'{{"id": "q{n}", {row}}}\n' for n, row in enumerate(rows))
    report = check_file(write(tmp_path / "data.jsonl", content))
    assert report.ok, report.faults
    assert [(doubt.line, doubt.what) for doubt in report.warnings] == expected


def test_files_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="is a folder, not a file; remedy: name one file in it"):
        check_file(tmp_path)
    write(tmp_path / "data.jsonl", OK)
    with pytest.raises(DataError, match=r"there is no such file; remedy: did you mean 'data.jsonl'\?"):
        load_task(tmp_path / "dta.jsonl")
    for suffix, remedy in (
        (".txt", "use .jsonl, .json, .csv, .parquet"),
        (".xlsx", "save it as CSV in UTF-8"),
        (".ndjson", "give it the suffix .jsonl"),
        (".gz", "unpack it first"),
    ):
        with pytest.raises(DataError, match=re.escape(f"'{suffix}' is not a known format; remedy: {remedy}")):
            check_file(write(tmp_path / f"data{suffix}", "x"))
    with pytest.raises(DataError, match="the name has no suffix, so the format is not known"):
        check_file(write(tmp_path / "data", "x"))

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DataError, match="the file cannot be read: Permission denied; remedy: check its permissions"):
        check_file(tmp_path / "data.jsonl")


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    report = check_file(write(tmp_path / "data.jsonl", b"\xef\xbb\xbf" + OK.encode()))
    assert report.ok and report.records[0].id == "ok"


def test_a_fault_is_plain_data() -> None:
    assert Fault(3, "answer", "is empty", "write one") == Fault(3, "answer", "is empty", "write one")


SEEDS = {
    ".jsonl": OK.encode() * 2,
    ".json": b'{"name": "t", "task_type": "coding", "dev": [], "test": [{"id": 1, "input": "def f(x):", "test": "check(f)"}]}',
    ".csv": b'id,question,choices,answer\na,W?,"{""A"": ""x"", ""B"": ""y""}",A\n',
}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("suffix", SEEDS)
@given(data=st.data())
def test_no_content_makes_checking_fail(suffix: str, tmp_path: Path, data: st.DataObject) -> None:
    """Bytes are cut, doubled, swapped or made up; whatever comes out is a report, and loading agrees with it."""
    raw = bytearray(SEEDS[suffix])
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(raw)))
        until = data.draw(st.integers(at, min(len(raw), at + 12)))
        raw[at:until] = data.draw(
            st.binary(max_size=6) | st.sampled_from([b"null", b"[", b"}", b'"', b"\n", b"1e999", b"\\ud800", b"{}"])
        )
    path = tmp_path / f"data{suffix}"
    path.write_bytes(bytes(raw))
    report = check_file(path)
    if report.ok and not any(record.split == "dev" for record in report.records):
        assert load_task(path, dev_share=0).test == report.records
    elif not report.ok:
        with pytest.raises(DataError):
            load_task(path)
