"""What stands first: title, sampling, who is best and whether that beats a member alone; a cell's changed options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from moco.report.html import render_report
from moco.report.html.board import headline
from moco.report.html.figures import scatter
from moco.report.html.options import changed
from moco.study import RunData
from moco.study.cell import write_json
from tests.report.synthetic import build, island


def row(label: str, mean: float, role: str = "method", level: str = "text") -> dict[str, Any]:
    return {"label": label, "role": role, "level": level, "mean": mean, "tasks": {"t": mean}, "low": mean, "high": mean}


def results(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"leaderboard": list(rows), "tasks": {"t": {"n": 4}}, "comparisons": [], "cells": [], "best_on_dev": {}}


def test_equal_collaborations_are_tied_and_a_member_as_good_is_named() -> None:
    alone = row("alpha", 0.9, "member", "baseline")
    found = headline(results(row("elo", 0.9), row("knn", 0.9), alone, row("single", 0.9, level="baseline"), row("mlp", 0.8)))
    assert found.best is not None and found.best["label"] == "elo" and found.tied == ["knn"]
    assert found.alone is not None and found.alone["label"] == "alpha"
    better = headline(results(row("elo", 0.95), alone, row("beta", 0.5, "member")))
    assert better.tied == [] and better.alone is None


def test_the_first_screen_says_so(tmp_path: Path) -> None:
    run = build(tmp_path / "ties", tasks=1, seeds=(0,), items=6, methods=("majority_vote", "cascade"), fail=False)
    for one in run.results["leaderboard"]:
        one["mean"] = 0.5
    page = render_report(run)
    assert "best collaborations, tied" in page and "no better than alpha alone (0.500)" in page


def test_a_study_without_a_name_is_called_by_its_folder_and_defaults_are_told(tmp_path: Path) -> None:
    run = build(tmp_path / "spring", tasks=1, seeds=(0,), items=4, methods=("majority_vote",))
    run.manifest["config"] = {"name": "", "sampling": {"temperature": 0, "max_tokens": None, "stop": ["\n"]}}
    write_json(run.path / "manifest.json", run.manifest)
    page = render_report(RunData(run.path))
    assert '<h1 id="title">spring</h1>' in page and "<title>spring · moco report</title>" in page
    assert "max_tokens 512 (default)" in page and "temperature 0 ·" in page and "top_p 0.9 (default)" in page and "stop" in page


def test_options_that_differ_from_the_defaults_are_known_for_registered_methods_only(tmp_path: Path) -> None:
    options = {"draws": 7, "at_least": 1, "member": None, "universal": False}
    assert changed({"reference": "self_consistency", "options": options}) == ["draws"]
    assert changed({"reference": "cascade", "options": {"thresholds": [0.5], "quantile": 0.5}}) == ["thresholds"]
    assert changed({"reference": str(tmp_path / "own.py:Own"), "options": options}) is None
    assert changed({"options": options}) is None and changed({"reference": "gone_with_its_plugin", "options": options}) is None
    run = build(tmp_path / "run", tasks=1, seeds=(0,), items=4, methods=("majority_vote",))
    cell = next(c["id"] for c in run.results["cells"] if c["label"] == "majority_vote")
    file = run.cell(cell).summary
    write_json(file, json.loads(file.read_text()) | {"reference": "majority_vote", "options": {"tie": "order", "at_least": 1}})
    told = {c["id"]: c["changed"] for c in island(render_report(run))["about"]}
    assert told.pop(cell) == ["tie"] and set(map(str, told.values())) == {"None"}


@pytest.mark.parametrize("size", [(920, 440), (360, 400)])
def test_points_of_equal_cost_and_score_all_have_their_names(size: tuple[int, int]) -> None:
    def point(label: str, cost: float, mean: float) -> dict[str, Any]:
        numbers = {"mean": mean, "low": mean - 0.1, "high": mean + 0.1, "tokens_per_query": cost}
        return {"label": label, "role": "method", **numbers}

    crowd = [point(f"router {i}", 35, 0.7) for i in range(8)]
    made = scatter([*crowd, point("cascade", 90, 0.6)], crowd[:1], [("dev", "best single on dev", 0.7)], *size)
    assert all(p.label for p in made.points) and made.unnamed == 0 and any(p.led for p in made.points)
    many = scatter([point(f"a rather long name {i}", 35, 0.7) for i in range(60)], [], [], *size)
    assert many.unnamed == sum(not p.label for p in many.points) > 0, "what finds no place is counted"
