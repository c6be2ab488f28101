"""Own data in every format: equal records, whatever they are written in; columns of any name; released and original files."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moco.core.errors import ConfigError, DataError
from moco.tasks import Record, check_file, load_task
from moco.tasks.hub import Hub
from moco.tasks.released import entry_point, read_released
from moco.tasks.write import write_records

SHARED = Path(__file__).parents[3] / "shared" / "data"
RECORDS = [
    Record(id="a", question='Which, "really"?\nTwo lines', choices={"A": "x, y", "B": "ü"}, answer="B", split="dev"),
    Record(
        id="b", question="Capital?", answer=["Paris", "City of Paris"], kind="short_text", meta={"n": 1, "deep": {"k": [None]}}
    ),
    Record(id="c", question="2 + 2?", answer="4", tolerance=0.5, group="g", source="me", context=" with blanks "),
    Record(id="d", messages=[{"role": "user", "content": "[1]"}], answer="[1, 6]", kind="math"),
    Record(id="e", question="def f(x): ...", tests="assert f(1) == 2\n", entry_point="f", kind="code"),
    Record(id="f", question="Which two?", choices={"1": "p", "2": "q", "3": "r"}, labels=["1", "3"]),
]


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".parquet"])
def test_what_is_written_is_read_back(suffix: str, tmp_path: Path) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"data{suffix}"
    write_records(path, RECORDS)
    report = check_file(path)
    assert report.faults == [] and report.records == RECORDS
    assert list(tmp_path.iterdir()) == [path]


_TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=12)
_WORD = _TEXT.filter(str.strip)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.builds(
            Record,
            id=_WORD,
            question=_WORD,
            answer=_WORD.filter(lambda t: not t.lstrip().startswith("[")) | st.lists(_WORD, min_size=1, max_size=3),
            split=st.sampled_from(["dev", "test", None]),
            meta=st.dictionaries(_WORD, st.integers() | _TEXT | st.none() | st.booleans(), max_size=2),
        ),
        min_size=1,
        max_size=5,
        unique_by=lambda record: record.id,
    )
)
@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_any_record_survives_writing(tmp_path: Path, suffix: str, records: list[Record]) -> None:
    path = tmp_path / f"data{suffix}"
    write_records(path, records)
    assert check_file(path).records == records


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a format that moco writes"):
        write_records(tmp_path / "data.xlsx", RECORDS)
    with pytest.raises(ConfigError, match="cannot be written"):
        write_records(tmp_path / "nowhere" / "data.jsonl", RECORDS)
    assert list(tmp_path.iterdir()) == []


def test_real_lists_and_maps_of_parquet(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    choices = arrow.array(
        [[("A", "x"), ("B", "y")], [("A", "p"), ("B", "q"), ("C", "r")]], arrow.map_(arrow.string(), arrow.string())
    )
    table = arrow.table({"question": ["V?", "W?"], "choices": choices, "answer": ["A", "C"]})
    parquet.write_table(table, tmp_path / "maps.parquet")
    structs = arrow.table(
        {"question": ["V?", "W?"], "choices": [{"A": "x", "B": "y"}, {"A": "p", "B": "q", "C": "r"}], "answer": ["A", "C"]}
    )
    parquet.write_table(structs, tmp_path / "structs.parquet")
    wanted = [{"A": "x", "B": "y"}, {"A": "p", "B": "q", "C": "r"}]
    for name in ("maps", "structs"):
        report = check_file(tmp_path / f"{name}.parquet")
        assert [record.choices for record in report.records] == wanted, report.faults
        assert [record.id for record in report.records] == ["row-1", "row-2"]


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("row", "fields", "choices", "answer"),
    [
        ({"q": "W?", "opts": ["x", "y"], "gold": 1}, {"choices": "opts", "answer": "gold"}, {"A": "x", "B": "y"}, "B"),
        ({"q": "W?", "a": "x", "b": 7, "gold": "7"}, {"choices": ["a", "b"], "answer": "gold"}, {"A": "x", "B": "7"}, "B"),
        ({"q": "W?", "opts": ["x", "y"], "gold": "B"}, {"choices": "opts", "answer": "gold"}, {"A": "x", "B": "y"}, "B"),
        (
            {"q": "W?", "choices": {"text": ["x", "y"], "label": ["1", "2"]}, "answerKey": "2"},
            {"choices": "choices", "answer": "answerKey"},
            {"1": "x", "2": "y"},
            "2",
        ),
        ({"q": "W?", "answers": {"text": ["x", "y"]}}, {"answer": "answers.text"}, None, ["x", "y"]),
        ({"q": "W?", "answer": 4, "n": 1}, {"answer": "answer"}, None, "4"),
    ],
)
def test_columns_of_any_name(row: dict[str, Any], fields: Any, choices: Any, answer: Any, tmp_path: Path) -> None:
    path = lines(tmp_path / "data.jsonl", row)
    task = load_task(path, fields={"question": "q", "meta.n": "q", **fields}, dev_share=0)
    [record] = task.test
    assert (record.question, record.choices, record.answer, record.meta) == ("W?", choices, answer, {"n": "W?"})


def test_columns_of_csv_and_parquet_are_mapped_too(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("prompt,gold,answer\nW?,x,other\n", encoding="utf-8")
    fields = {"question": "prompt", "answer": "gold"}
    [record] = check_file(tmp_path / "data.csv", fields).records
    assert (record.question, record.answer) == ("W?", "x")
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table({"prompt": ["W?"], "gold": [7]}), tmp_path / "data.parquet")
    [record] = check_file(tmp_path / "data.parquet", fields).records
    assert (record.question, record.answer, record.id) == ("W?", "7", "row-1")


RELEASED = {
    "name": "mine",
    "task_type": "multiple_choice",
    "dev": [{"id": 1, "question": "V?", "choices": {"A": "x", "B": "y"}, "answer": "A", "country": "here"}],
    "test": [
        {"id": 1, "question": "W?", "choices": {"A": "x", "B": "y", "id": "z"}, "answer": "id"},
        {"id": 1, "question": "X\0?", "choices": {"1": "x", "2": "y"}, "answer": "2"},
        {"id": 2, "question": "Y?", "choices": {"A": "x", "B": "y"}, "answer": None},
        {"id": 3, "question": "Z?", "choices": {"A": "x", "B": "x"}, "answer": "B"},
    ],
}


def released(tmp_path: Path, **changed: Any) -> Path:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({**RELEASED, **changed}, indent=1), encoding="utf-8")
    return path


def test_a_released_file_is_read_as_it_is(tmp_path: Path) -> None:
    path = released(tmp_path)
    task = load_task(path)
    assert [record.id for record in task.dev] == ["mine/dev/1"]
    assert [record.id for record in task.test] == ["mine/test/1", "mine/test/1#1"]
    assert task.dev[0].meta == {"country": "here", "native_id": 1}
    assert [task.gold_of(record) for record in task.test] == ["C", "2"]  # odd labels are shown as letters
    assert task.test[1].question == "X?"
    report = check_file(path)
    assert report.ok and [(fault.field, fault.what) for fault in report.left_out] == [
        ("answer", "is missing; a multiple_choice record needs one"),
        ("choices", "options 'A' and 'B' are the same text, and only one of them is right"),
    ]
    text = path.read_text(encoding="utf-8").splitlines()
    assert all(text[fault.line - 1].strip() == "{" for fault in report.left_out)
    assert task.notes[:2] == (
        "1 items have an id that stands for another one too; their place is added to it",
        "NUL characters are removed from 1 items",
    )
    assert task.notes[2].startswith("2 items that cannot be graded are left out: 'answer' is missing")


@pytest.mark.parametrize(
    ("task_type", "row", "kind", "answer"),
    [
        ("exact_match", {"input": "W?", "output": "42"}, "numeric", "42"),
        ("exact_match", {"input": "W?", "output": '["a"]'}, "", None),
        ("f1_match", {"input": "W?", "output": '["US", "U.S., of A"]'}, "short_text", ["US", "U.S., of A"]),
        ("f1_match", {"input": "W?", "output": "[sic] no list"}, "short_text", "[sic] no list"),
        ("general_verifier", {"question": "W?", "answer": "4.0e4"}, "verifier", "4.0e4"),
        ("noncompliance", {"input": "W?", "category": "Incomplete requests"}, "noncompliance", None),
        ("reward_model", {"input": "W?", "output": "one reply"}, "reward", None),
        ("text_generation", {"input": "W?"}, "generation", None),
        ("generation_diversity", {"input": "W?", "output": "", "reference": ["a b", "c"]}, "diversity", ["a b", "c"]),
        (None, {"input": "W?", "category": "Incomplete requests"}, "noncompliance", None),
    ],
)
def test_every_released_task_type(task_type: str | None, row: dict[str, Any], kind: str, answer: Any, tmp_path: Path) -> None:
    path = released(tmp_path, task_type=task_type, dev=[], test=[{"id": 1, **row}])
    if task_type is None:
        path.write_text(json.dumps({"name": "mine", "dev": [], "test": [{"id": 1, **row}]}), encoding="utf-8")
    report = check_file(path)
    if not kind:  # a list in a text where a text is compared: named, never graded
        assert report.faults[0].what == "is a list written as a text"
        return
    [record] = report.records
    assert (record.effective_kind, record.answer) == (kind, answer)
    assert record.meta.get("category") == row.get("category")


def test_released_code_names_its_function(tmp_path: Path) -> None:
    test = "def check(candidate):\n    assert candidate(2) == 3\n"
    row = {"id": 1, "input": "def helper(): ...\n\ndef up(x):\n    ...", "test": test, "language": "python"}
    [record] = check_file(released(tmp_path, task_type="coding", dev=[], test=[row])).records
    assert (record.entry_point, record.effective_kind, record.tests) == ("up", "code", test)
    nameless = check_file(released(tmp_path, task_type="coding", dev=[], test=[{**row, "input": "Write it."}]))
    assert [(f.field, f.what) for f in nameless.faults] == [("test", "defines check() and names no function to call it with")]


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("Write f.\nYour code should pass this test case: assert up(1) == 2", "up"),
        ("Write f.\nYour code should pass: assert set(common([1], [1])) == set([1])", "common"),
        ("def a():\n  pass\n\ndef b(x):", "b"),
        ("Write something.", None),
    ],
)
def test_entry_points(question: str, name: str | None) -> None:
    assert entry_point(question) == name


def test_only_released_files_are_taken_for_released_ones(tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    path.write_text('[{"id": "a", "question": "W?", "answer": "x"}]', encoding="utf-8")
    with pytest.raises(DataError, match="is not a released MoCo data file"):
        read_released(path)
    assert load_task(path, dev_share=0).test[0].id == "a"


ORIGINAL: dict[str, tuple[str, str, str]] = {
    "gsm8k": (".jsonl", json.dumps({"question": "W?", "answer": "Two and two.\n#### 4"}), "GSM8K"),
    "arc_challenge": (".jsonl", json.dumps({"id": "a", "question": "W?", "choices": {}, "answerKey": "1"}), "ARC"),
    "bbh": (".json", json.dumps({"canary": "c", "examples": [{"input": "i", "target": "t"}]}), "BIG-Bench Hard"),
    "mmlu_redux": (".csv", "question;choices;answer;error_type;source;correct_answer\na;b;c;d;e;f\n", "MMLU-Redux"),
    "popqa": (".tsv", "id\tsubj\tprop\tquestion\tpossible_answers\n", "PopQA"),
    "pubmedqa": (".json", json.dumps({"7": {"QUESTION": "W?", "CONTEXTS": [], "final_decision": "yes"}}), "PubMedQA"),
    "theoremqa": (".json", json.dumps([{"Question": "W?", "Answer": "1", "Answer_type": "integer"}]), "TheoremQA"),
    "gpqa_diamond": (".csv", "Question,Correct Answer,Incorrect Answer 1\n", "GPQA"),
    "human_interest": (
        ".json",
        json.dumps({"dataset": "d", "dev": [{"prompt": "p", "id": 1}], "test": []}),
        "Model Swarms' human interest topics",
    ),
}


@pytest.mark.parametrize("task", ORIGINAL)
def test_original_files_are_told_from_ones_own(task: str, tmp_path: Path) -> None:
    suffix, content, title = ORIGINAL[task]
    path = tmp_path / f"some_{task}{suffix}"
    path.write_text(content, encoding="utf-8")
    [fault] = check_file(path).faults
    assert fault.what == f"looks like an original file of {title}"
    assert fault.remedy == f"use the task {task}: {{name: {task}, data_dir: {tmp_path}}}"
    with pytest.raises(DataError, match="looks like an original file"):
        load_task(path)


def test_an_original_file_may_be_mapped(tmp_path: Path) -> None:
    path = lines(tmp_path / "test.jsonl", {"question": "W?", "answer": "Two and two.\n#### 4"})
    assert check_file(path, {"answer": "answer"}).ok


class _Loaded(list[dict[str, Any]]):
    features = {"label": SimpleNamespace(int2str=lambda number: ["no", "yes"][number]), "text": None}


def fake_hub(monkeypatch: pytest.MonkeyPatch, asked: list[Any]) -> None:
    """``datasets`` as the hub reader calls it; the real one needs a network."""
    module = ModuleType("datasets")

    def load_dataset(name: str, config: str | None, *, split: str, revision: str | None) -> _Loaded:
        asked.append((name, config, split, revision))
        if split == "gone":
            raise ValueError("Unknown split 'gone'")
        return _Loaded([{"text": f"{split} {n}?", "label": n % 2} for n in range(2)])

    module.load_dataset = load_dataset  # type: ignore[attr-defined]
    module.exceptions = SimpleNamespace(DatasetsError=KeyError)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", module)
    monkeypatch.setattr("moco.tasks.hub.commit_of", lambda name, revision: revision or "newest")


def test_a_data_set_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    fake_hub(monkeypatch, asked)
    hub = Hub("owner/name", "main", "abc", {"dev": "train", "test": "validation"}, {"question": "text", "answer": "label"})
    task = load_task("name", hub=hub, kind="label")
    assert asked == [("owner/name", "main", "train", "abc"), ("owner/name", "main", "validation", "abc")]
    assert [(r.id, r.question, r.answer) for r in task.test] == [
        ("validation/3", "validation 0?", "no"),
        ("validation/4", "validation 1?", "yes"),
    ]
    assert len(task.dev) == 2 and task.name == "name" and task.notes == ("owner/name of the Hugging Face hub at abc",)


def test_what_the_hub_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_hub(monkeypatch, [])
    fields = {"question": "text", "answer": "label"}
    with pytest.raises(
        DataError,
        match=r"'owner/name' has not what was asked for; because Unknown split 'gone'; remedy: check config and split, or",
    ):
        load_task("name", hub=Hub("owner/name", splits={"test": "gone"}, fields=fields))
    with pytest.raises(ConfigError, match="'train' is not one of our splits"):
        load_task("name", hub=Hub("owner/name", splits={"train": "train"}, fields=fields))
    with pytest.raises(DataError, match=r"field 'question' is mapped to the column 'txt', which is not there.*'text'"):
        load_task("name", hub=Hub("owner/name", fields={"question": "txt", "answer": "label"}))
    assert load_task("name", hub=Hub("owner/name", fields=fields)).notes == ("owner/name of the Hugging Face hub at newest",)
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ConfigError, match=r"need the package datasets.*mocolab\[data\]"):
        load_task("name", hub=Hub("owner/name", fields=fields))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data files are not here")
def test_every_shared_file_is_named_or_read() -> None:
    files = [f for f in SHARED.rglob("*") if f.is_file() and f.suffix not in ("", ".md")]
    assert len(files) > 100
    for file in files:
        report = check_file(file)
        if file.parent.name == "uniform":
            assert report.ok and report.records, file
        elif file.name != "kaleidoscope_uniform.jsonl":  # whose id is a number
            assert [fault.what.startswith("looks like an original file of") for fault in report.faults] == [True], file
    doubts = {
        "arc_challenge": "labels are numbers here and letters in other records (26 such records)",
        "tablemwp_multiple_choice": "labels A, B, C, id are shown as A, B, C, D (103 such records)",
        "blend": "the question shows its options already, and they are shown below it again (400 records)",
    }
    for name, what in doubts.items():
        assert what in {doubt.what for doubt in check_file(SHARED / "uniform" / f"{name}.json").warnings}
    left = {f.name: len(check_file(f).left_out) for f in (SHARED / "uniform").iterdir()}
    assert {name: n for name, n in left.items() if n} == {"math.json": 6, "medmcqa.json": 1}
