"""What a study claims: references that rest on something, equal tokens that are equal, failures that say whether they last."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from moco.core.errors import ContextOverflow, Transient
from moco.core.types import Request
from moco.models.member import SCHEMES
from moco.models.protocol import StoreKey
from moco.report.terminal import notes, paired_rows, render, warnings
from moco.study import Study, Unwatched
from moco.study.study import RunData
from moco.testing import ScriptedModel
from tests.study import test_runner as toy

_scheme = toy._scheme
STUDY = toy.STUDY.replace("seeds: [0, 1]", "seeds: [0]")


class Notes(Unwatched):
    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


def data_of(folder: Path, dev: bool) -> Path:
    file = toy.write_data(folder)
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    file.write_text("\n".join(json.dumps(row) for row in rows if dev or row["split"] == "test"))
    return file


def run(tmp_path: Path, text: str, *, dev: bool = True, watch: Unwatched | None = None) -> RunData:
    study = Study.from_yaml(text.replace("DATA", str(data_of(tmp_path, dev))))
    return study.run(tmp_path / "run", store=tmp_path / "s.sqlite", watch=watch)


def shown(data: RunData) -> str:
    from rich.console import Console

    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    for part in render(data.results, 160):
        console.print(part)
    return console.export_text()


def test_without_dev_questions_nothing_is_the_best_on_dev(tmp_path: Path) -> None:
    watch = Notes()
    data = run(tmp_path, STUDY, dev=False, watch=watch)
    results = data.results
    assert results["best_on_dev"] == {} and results["share_won"] is None
    assert {c["against"] for c in results["comparisons"]} == {"oracle_single"}
    assert {c["role"] for c in results["cells"]} == {"member", "method"}
    assert [line for line in watch.said if "no dev questions" in line and "toy" in line]
    text = shown(data)
    assert "vs oracle single" in text and "vs equal tokens" not in text
    assert any("none, for it has no dev questions" in line for line in notes(results))


def test_dev_questions_that_nobody_can_read_choose_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Short(ScriptedModel):
        def key(self, request: Request) -> StoreKey:
            number = int("".join(ch for ch in request.messages[-1].content.split("\n")[0] if ch.isdigit()))
            if number % 3 == 0:  # the dev part
                raise ContextOverflow("too long")
            return super().key(request)

    def build(reference: str, *, name: str, **options: object) -> ScriptedModel:
        short = reference.split("/")[1]
        return Short(name, lambda r: toy.letters(short, r), fingerprint=f"scripted {short}")

    monkeypatch.setitem(SCHEMES._items, "scripted", build)
    results = run(tmp_path, STUDY).results
    assert results["best_on_dev"] == {} and {c["against"] for c in results["comparisons"]} == {"oracle_single"}
    assert any("none, for it has no dev question that every member can read" in line for line in notes(results))


def test_with_dev_questions_there_are_all_references(tmp_path: Path) -> None:
    data = run(tmp_path, STUDY)
    assert {c["against"] for c in data.results["comparisons"]} == {"best_single_on_dev", "oracle_single", "equal_tokens"}
    text = shown(data)
    assert "vs best single" in text and "vs equal tokens" in text and "vs oracle single" not in text
    assert [r["label"] for r in paired_rows(data.results) if r["equal_tokens"]] == ["majority_vote"]


def test_equal_tokens_are_drawn_where_the_study_is_greedy(tmp_path: Path) -> None:
    data = run(tmp_path, STUDY + "sampling: {temperature: 0}\n")
    rows = {r["label"]: r for r in data.results["leaderboard"]}
    vote = rows["majority_vote"]
    (label,) = [c["reference"] for c in data.results["comparisons"] if c["against"] == "equal_tokens"]
    best = data.results["best_on_dev"]["toy"]["0"]
    assert label == f"{best} x3 (temperature 0.7)"
    assert rows[label]["calls_per_query"] == 3.0, "three draws, and no greedy call that stands for three"
    assert rows[label]["tokens_per_query"] >= vote["tokens_per_query"] * 0.99
    drawn = [r for r in toy.MODELS[best].requests if r.sampling.temperature == 0.7]
    assert len(drawn) == 3 * rows[label]["n"] and {r.sampling.temperature for r in toy.MODELS[best].requests} == {0, 0.7}
    once = f"{best} x1 (temperature 0.7)"
    assert rows[once]["role"] == "equal_tokens" and rows[once]["calls_per_query"] == 1.0
    assert any("temperature 0.7" in line for line in notes(data.results))
    first = (tmp_path / "run" / "results.json").read_bytes()
    run(tmp_path, STUDY + "sampling: {temperature: 0}\n")
    assert (tmp_path / "run" / "results.json").read_bytes() == first


def test_draws_are_counted_by_what_a_draw_costs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that says more when it draws than when it is greedy is drawn less often: the tokens are equal, not the calls."""

    def build(reference: str, *, name: str, **options: object) -> ScriptedModel:
        short = reference.split("/")[1]

        def reply(r: Request) -> str:
            return toy.letters(short, r) if r.sampling.temperature == 0 else "well " * 200 + toy.letters(short, r)

        return ScriptedModel(name, reply, fingerprint=f"scripted {short}")

    monkeypatch.setitem(SCHEMES._items, "scripted", build)
    data = run(tmp_path, STUDY + "sampling: {temperature: 0}\n")
    (label,) = [c["reference"] for c in data.results["comparisons"] if c["against"] == "equal_tokens"]
    assert label.endswith(" x1 (temperature 0.7)")
    assert [r["label"] for r in data.results["leaderboard"]].count(label) == 1


def test_a_question_that_fails_for_good_is_left_out_of_the_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCHEMES._items, "scripted", toy.build_failing(ContextOverflow("too long")))
    results = run(tmp_path, STUDY).results
    assert results["complete"] is False and results["failed_items"] == results["failed_for_good"] > 0
    vote = [c for c in results["comparisons"] if c["label"] == "majority_vote"]
    assert {(c["n"], c["left_out"]) for c in vote} == {(15, 1)}
    assert all(f["for_good"] for f in results["failures"])
    said = warnings(results)
    assert any("for good" in line for line in said) and not any("run the study again" in line for line in said)
    assert "toy: 1 question fails for good; paired tests without it stand on 15" in notes(results)
    again = run(tmp_path, STUDY).results
    assert again == results, "it fails alike"


def test_a_failure_that_may_pass_still_takes_the_cell_out_of_the_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCHEMES._items, "scripted", toy.build_failing(Transient("the line is down")))
    results = run(tmp_path, STUDY).results
    assert results["failed_items"] > 0 and results["failed_for_good"] == 0
    assert not [c for c in results["comparisons"] if c["label"] == "majority_vote"]
    assert any("run the study again" in line for line in warnings(results))
