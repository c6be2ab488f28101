"""A finished run under other graders: what of a result is wording."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import moco
from moco.cli import main
from moco.core.errors import ConfigError, DataError
from moco.core.types import Request
from moco.models.member import SCHEMES
from moco.study import Study, load_run
from moco.study.rescore import rescore
from moco.testing import ScriptedModel

LETTERS = "ABCD"


def says(name: str, request: Request) -> str:
    """`formal` is right in the form asked for; `terse` three times in four, in a form that the released grader reads."""
    number = int("".join(c for c in request.messages[-1].content.split("\n")[0] if c.isdigit()))
    right = LETTERS[number % 4]
    if name == "formal":
        return f"Answer: {right}"
    return right if number % 8 < 6 else LETTERS[(number + 1) % 4]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(
        SCHEMES._items,
        "scripted",
        lambda ref, *, name, **_: ScriptedModel(name, lambda r: says(ref.split("/")[1], r), fingerprint=ref),
    )
    rows = [
        {
            "id": f"q{i}",
            "question": f"Question {i}?",
            "choices": dict(zip(LETTERS, ("soup", "tin", "rice", "cake"), strict=True)),
            "answer": LETTERS[i % 4],
            "split": "dev" if i < 8 else "test",
        }
        for i in range(40)
    ]
    (tmp_path / "toy.jsonl").write_text("\n".join(map(json.dumps, rows)))
    study = f"""
pool: [{{name: formal, model: scripted/formal}}, {{name: terse, model: scripted/terse}}]
tasks: [{{data: {tmp_path / "toy.jsonl"}}}]
methods: [majority_vote]
"""
    Study.from_yaml(study).run(tmp_path / "run")
    return tmp_path / "run"


def test_wording_turns_the_ranking_round_under_the_released_grader(run: Path) -> None:
    found = rescore(load_run(run), ["flexible", "moco", "strict"])
    rows = {row.label: row.readings for row in found.rows if row.role == "member"}
    assert rows["formal"]["flexible"].mean == 1 and rows["formal"]["moco"].mean == 0 and rows["formal"]["moco"].unparsed == 1
    assert rows["terse"]["flexible"].mean == rows["terse"]["moco"].mean == 0.75
    assert rows["formal"]["flexible"].rank < rows["terse"]["flexible"].rank
    assert rows["formal"]["moco"].rank > rows["terse"]["moco"].rank
    agreement = {tuple(entry["graders"]): entry for entry in found.agreement}
    assert agreement["flexible", "strict"]["tau"] == 1 and agreement["flexible", "moco"]["tau"] < 0.5
    assert {m["label"] for m in agreement["flexible", "moco"]["moved"]} >= {"formal"}
    assert all(row.n == 32 and not row.skipped for row in found.rows)


def test_flexible_is_what_the_run_itself_says_and_emergence_is_counted(run: Path) -> None:
    found = rescore(load_run(run), ["flexible"])
    board = {row["label"]: row["mean"] for row in load_run(run).results["leaderboard"]}
    for row in found.rows:
        assert abs(row.readings["flexible"].mean - board[row.label]) < 1e-6
        assert row.readings["flexible"].emergent == (0 if row.role == "method" else None)  # formal alone solves everything


def test_the_command_shows_and_refuses(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["rescore", str(run), "--grader", "flexible,moco"]) == 0
    out = capsys.readouterr().out
    assert "Kendall's tau" in out and "formal" in out and "emergent" in out
    assert main(["rescore", str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["graders"] == ["flexible", "strict", "moco"]
    assert main(["rescore", str(run), "--grader", "flexibel"]) == 2
    assert main(["rescore", str(run), "--grader", ","]) == 2
    assert "did you mean 'flexible'" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="unknown grader 'x'"):
        rescore(moco.load_run(run), ["x"])


def test_what_no_rule_grades_is_counted_and_a_run_of_nothing_else_is_refused(run: Path) -> None:
    items = run / "items.jsonl"
    text = items.read_text()
    items.write_text(text.replace('"multiple_choice"', '"generation"', 3))
    found = rescore(load_run(run), ["flexible"])
    assert found.left_out == {"toy": 3 * len(found.rows)} and found.to_json()["left_out"] == found.left_out
    items.write_text(text.replace('"multiple_choice"', '"generation"'))
    with pytest.raises(DataError, match="no answer of the run can be graded again"):
        rescore(load_run(run), ["flexible"])


def test_the_figure_that_a_run_scored_by_is_what_it_is_read_by(run: Path, tmp_path: Path) -> None:
    golds = ["B b", "C b", "D b"]  # an article is no word: half of the words of "B b" are right where B is said
    rows = [{"id": f"q{i}", "question": f"Question {i}?", "answer": golds, "split": "test"} for i in range(8)]
    (tmp_path / "texts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    study = f"""
pool: [{{name: formal, model: scripted/formal}}]
tasks: [{{data: {tmp_path / "texts.jsonl"}, kind: short_text, metric: f1}}]
methods: [single]
"""
    Study.from_yaml(study).run(tmp_path / "texts")
    done = load_run(tmp_path / "texts")
    board = {row["label"]: row["mean"] for row in done.results["leaderboard"]}
    found = rescore(done, ["flexible", "strict"]).rows
    assert found and all(0 < board[row.label] < 1 for row in found)
    for row in found:
        assert abs(row.readings["flexible"].mean - board[row.label]) < 1e-6
        assert row.readings["strict"].mean == row.readings["flexible"].mean
