"""`moco compare`: the same numbers as the run's own tests, the flipped questions by count, and names that are not there."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from moco.cli import main
from moco.core.errors import ConfigError, DataError
from moco.report.contest import headline, render
from moco.study import RunData
from moco.study.cell import CellFolder, write_json, write_lines
from moco.study.contest import Contest, contest
from moco.study.outcomes import Outcome


def toy(
    folder: Path, cells: dict[tuple[str, str, str, int], dict[str, float | None]], units: dict[str, str] | None = None
) -> RunData:
    """A run of cells by (role, label, task, seed), each with scores by item."""
    about = []
    for (role, label, task, seed), scores in cells.items():
        name = f"{label}-{task}-s{seed}"
        about.append({"id": name, "role": role, "label": label, "task": task, "seed": seed, "level": "text", "method": label})
        lines = [
            Outcome(
                i, f"so {label}", None if s is None else f"{label}:{s:g}", s, failed="" if s is not None else "gone"
            ).to_json()
            for i, s in scores.items()
        ]
        write_lines(CellFolder(folder, name).answers, lines)
    rows = {(c["role"], c["label"]) for c in about}
    tasks = list(dict.fromkeys(str(c["task"]) for c in about))
    items = [
        {"task": t, "id": i, "kind": "numeric", "question": f"Q {i}?", "gold": "g", **({"unit": units[i]} if units else {})}
        for t in tasks
        for i in dict.fromkeys(i for key, scores in cells.items() if key[2] == t for i in scores)
    ]
    write_lines(folder / "items.jsonl", items)
    board = [{"role": role, "label": label} for role, label in sorted(rows)]
    write_json(folder / "results.json", {"tasks": {t: {} for t in tasks}, "leaderboard": board, "cells": about})
    write_json(folder / "manifest.json", {})
    write_json(folder / "timing.json", {})
    return RunData(folder)


def shown(found: Contest, width: int = 100, limit: int | None = 5) -> str:
    from rich.console import Console

    file = io.StringIO()
    console = Console(file=file, width=width)
    for part in render(found, width, limit):
        console.print(part)
    return file.getvalue()


def test_the_numbers_are_those_of_the_runs_own_comparisons(run: RunData) -> None:
    compared = [c for c in run.results["comparisons"] if c["against"] == "oracle_single"]
    assert len(compared) > 10
    for known in compared:
        found = next(t for t in contest(run, known["label"], known["reference"]).to_json()["tasks"] if t["task"] == known["task"])
        assert {k: found[k] for k in ("n", "difference", "low", "high", "p", "test", "wins", "losses", "ties")} == {
            k: known[k] for k in ("n", "difference", "low", "high", "p", "test", "wins", "losses", "ties")
        }


def test_swapping_the_two_changes_signs_and_nothing_else(run: RunData) -> None:
    one, other = contest(run, "majority_vote", "alpha"), contest(run, "alpha", "majority_vote")
    assert one.overall is not None and other.overall is not None
    assert one.overall.p == other.overall.p and one.overall.difference == -other.overall.difference
    for a, b in zip(one.tasks, other.tasks, strict=True):
        assert (a.result.wins, a.result.losses, a.result.p) == (b.result.losses, b.result.wins, b.result.p)
    assert {(f.task, f.id) for f in one.flips} == {(f.task, f.id) for f in other.flips}


def test_questions_count_with_their_mean_over_common_seeds_and_failed_ones_are_left_out(tmp_path: Path) -> None:
    run = toy(
        tmp_path,
        {
            ("method", "vote", "t", 0): {"q0": 1.0, "q1": 1.0, "q2": 0.0, "q3": None},
            ("method", "vote", "t", 1): {"q0": 1.0, "q1": 0.0, "q2": 0.0, "q3": 1.0},
            ("member", "alpha", "t", 0): {"q0": 0.0, "q1": 1.0, "q2": 0.0, "q3": 0.0},
            ("member", "alpha", "t", 1): {"q0": 0.0, "q1": 1.0, "q2": 0.0, "q3": 0.0},
            ("member", "alpha", "t", 2): {"q0": 1.0, "q1": 1.0, "q2": 1.0, "q3": 1.0},
        },
    )
    found = contest(run, "vote", "alpha")
    (task,) = found.tasks
    assert found.seeds == (0, 1) and found.overall is None
    assert (task.result.n, task.left_out, task.a, task.b) == (3, 1, 0.5, pytest.approx(1 / 3))
    assert (task.result.wins, task.result.losses, task.result.ties) == (1, 1, 1)
    assert [(f.id, f.a_score, f.b_score) for f in found.flips] == [("q0", 1.0, 0.0), ("q1", 0.5, 1.0)]
    assert [s.extracted for s in found.flips[1].a] == ["vote:1", "vote:0"]
    text = shown(found)
    assert "vote:1 (1 of 2 seeds), vote:0 (1 of 2 seeds)" in text and "Q q1?" in text and "left" in text


def test_a_whole_group_is_as_good_as_its_worst_question(tmp_path: Path) -> None:
    cells: Any = {
        ("method", "vote", "t", 0): {"a1": 1.0, "a2": 0.0, "b1": 1.0, "b2": 1.0},
        ("member", "alpha", "t", 0): {"a1": 0.0, "a2": 0.0, "b1": 1.0, "b2": 0.0},
    }
    found = contest(toy(tmp_path, cells, {"a1": "a", "a2": "a", "b1": "b", "b2": "b"}), "vote", "alpha")
    (task,) = found.tasks
    assert (task.result.n, task.a, task.b) == (2, 0.5, 0.0) and [f.id for f in found.flips] == ["a1", "b2"]


def test_tasks_weigh_alike_and_holm_counts_them(tmp_path: Path) -> None:
    many, few = {f"q{i}": 1.0 for i in range(12)}, {f"r{i}": 0.0 for i in range(3)}
    cells: Any = {
        ("method", "vote", "big", 0): many,
        ("member", "alpha", "big", 0): {**dict.fromkeys(many, 0.0)},
        ("method", "vote", "small", 0): few,
        ("member", "alpha", "small", 0): dict.fromkeys(few, 1.0),
    }
    found = contest(toy(tmp_path, cells), "vote", "alpha")
    assert found.overall is not None and found.overall.difference == 0 and found.overall.p == 1
    big, small = found.tasks
    assert (big.result.p, small.result.p) == (2 / 2**12, 0.25) and (big.p_holm, small.p_holm) == (2 * big.result.p, 0.25)
    assert headline(found).startswith("vote against alpha over 2 tasks: +0.000 [")


@pytest.mark.parametrize("width", [80, 120])
def test_what_is_shown_fits_and_obeys_no_text(run: RunData, width: int) -> None:
    text = shown(contest(run, "majority_vote", "contrastive"), width, limit=None)
    assert "\x1b" not in text and "\u202e" not in text and max(map(len, text.splitlines())) <= width
    short = shown(contest(run, "majority_vote", "contrastive"), width, limit=1)
    assert "1 of them shown (--all" in " ".join(short.split()) and len(short) < len(text)


def test_names_that_are_not_there_are_refused(run: RunData, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="majority_vot"):
        contest(run, "majority_vot", "alpha")
    with pytest.raises(ConfigError, match="itself"):
        contest(run, "alpha", "alpha")
    with pytest.raises(DataError, match="share no answered question"):
        contest(toy(tmp_path, {("method", "x", "t", 0): {"q": 1.0}, ("member", "y", "t", 1): {"q": 1.0}}), "x", "y")
    assert main(["compare", str(run.path), "majority_vot", "alpha"]) == 2
    assert "did you mean 'majority_vote'" in capsys.readouterr().err


def test_the_command_prints_for_people_and_for_programs(run: RunData, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(run.path), "majority_vote", "alpha", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    wins = sum(f["a_score"] > f["b_score"] for f in told["flips"])
    assert wins == sum(t["wins"] for t in told["tasks"]) and told["a"] == {"label": "majority_vote", "role": "method"}
    assert main(["compare", str(run.path), "majority_vote", "alpha", "--limit", "1"]) == 0
    assert f"{wins} questions where majority_vote does better than alpha, 1 of them shown" in capsys.readouterr().out
