"""``moco run`` as it is copied, planned and logged: whole commands, what a plan says, and lines for a log file."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from moco.cli.progress import Bars
from tests.cli.conftest import Moco


def test_the_commands_to_copy_are_whole(study: Path, moco: Moco, tmp_path: Path) -> None:
    out, store = tmp_path / "a run", tmp_path / "a store.sqlite"
    said = moco("run", study, "seeds=[0]", "-o", out, "--store", store, "--dry-run")
    assert said.code == 0
    again = f"moco run {study} 'seeds=[0]' -o '{out}' --store '{store}'"
    assert said.err.strip() == f"next: {again}"
    said = moco("run", study, "seeds=[0]", "tasks.0.limit=2", "-o", out, "--store", store)
    assert f"--store '{store}'" in said.err.partition("moco ask")[2].partition("\n")[0]


def test_a_plan_says_what_is_asked_how_often(study: Path, moco: Moco, tmp_path: Path) -> None:
    said = moco("run", study, "seeds=[0,1]", "-o", tmp_path / "none", "--dry-run")
    assert "8 test, 4 dev questions" in said.out and "seeds: 0, 1" in said.out
    assert "majority_vote: n calls per query" in said.out
    assert "48 calls for the members alone" in " ".join(said.out.split()), "2 members x 12 questions x 2 seeds"
    plan = json.loads(moco("run", study, "seeds=[0,1]", "-o", tmp_path / "none", "--dry-run", "--json").out)
    assert plan["seeds"] == [0, 1] and plan["dev"] == {"sums": 4} and plan["tasks"] == {"sums": 8}
    assert set(plan["costs"]) == {"single", "majority_vote"}
    assert not (tmp_path / "none").exists()


def test_another_study_in_the_folder_is_refused_by_name(study: Path, finished: Path, moco: Moco, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    before = (out / "results.json").read_bytes()
    store = study.parent / "cache.sqlite"
    said = moco("run", study, "tasks.0.limit=3", "-o", out, "--store", store)
    assert said.code == 2 and "another study" in said.err and "tasks.sums.limit: null is now 3" in said.err
    assert "--changed" in said.err and (out / "results.json").read_bytes() == before
    assert moco("run", study, "tasks.0.limit=3", "-o", out, "--store", store, "--changed").code == 0
    assert (out / "results.json").read_bytes() != before


def test_a_run_that_is_not_finished_is_told_by_every_command(finished: Path, moco: Moco, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    (out / "results.json").unlink()
    for line in (("report", out), ("rescore", out, "--grader", "strict")):
        said = moco(*line)
        assert said.code == 2 and "error: the run is not finished" in said.err and "because" not in said.out
        assert "4 of 4 cells" in said.err and "Errno" not in said.err
    said = moco("report", tmp_path)
    assert said.code == 2 and "run the study first" in said.err


def test_a_run_is_shown_before_its_end(finished: Path, moco: Moco, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    results = json.loads((out / "results.json").read_text())
    (out / "results.json").unlink()
    partial = {**results, "comparisons": [], "share_won": None, "complete": False, "unfinished": {"cells": 4, "of": 5}}
    (out / "partial.json").write_text(json.dumps(partial))
    said = moco("report", out)
    assert said.code == 0 and "unfinished: 4 of 5 cells so far" in said.out and "majority_vote" in said.out
    assert moco("report", out, "--md").code == 0 and moco("report", out, "--csv").code == 0
    assert moco("report", out, "--html", out / "report.html").code == 0


@pytest.mark.parametrize("every", [0.0, 1e9])
def test_a_log_file_is_told_how_far_a_cell_is(every: float) -> None:
    file = io.StringIO()
    with Bars(Console(file=file, width=120)) as watch:
        watch.every = every
        watch.plan(1, 3)
        watch.fit("rank on dev", 1, 4)
        watch.cell("vote", "toy", 0, 3, 1)
        watch.item(10)
        watch.item(10)
    lines = file.getvalue()
    assert "[1/1] vote on toy, seed 0: 3 items (1 kept)" in lines
    assert ("2 of 3 items of vote on toy, seed 0" in lines) is (every == 0)
    assert ("rank on dev: 1 of 4" in lines) is (every == 0)


def test_bars_on_a_terminal_need_no_lines() -> None:
    file = io.StringIO()
    with Bars(Console(file=file, width=120, force_terminal=True)) as watch:
        watch.every = 0.0
        watch.plan(1, 3)
        watch.cell("vote", "toy", 0, 3, 0)
        watch.item(10)
    assert "1 of 3 items of vote" not in file.getvalue()
