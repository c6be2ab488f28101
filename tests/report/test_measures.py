"""Baselines, the Pareto front, who solved what, and what only the collaboration solved: against counts made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from moco.report.html.evidence import CellEvidence, Evidence
from moco.report.html.measures import baselines, dev_score, emergence, equal_tokens, full_rows, pareto, partial_rows, strips


def cell(
    label: str,
    scores: list[float | None],
    role: str = "member",
    level: str = "routing",
    task: str = "t",
    seed: int = 0,
    **more: Any,
) -> CellEvidence:
    known = [s for s in scores if s is not None]
    place = {"id": f"{label}-{task}-{seed}", "label": label, "role": role, "level": level, "task": task, "seed": seed}
    about = {**place, "rivals": [], "summary": {"mean": sum(known) / len(known) if known else None}, **more}
    return CellEvidence(about, {f"q{i}": {"id": f"q{i}", "score": s} for i, s in enumerate(scores)})


CELLS = [
    cell("alpha", [1.0, 1.0, 0.0, 0.0, 1.0]),
    cell("beta", [0.0, 1.0, 0.0, 1.0, None]),
    cell("vote", [0.0, 1.0, 1.0, 1.0, 1.0], "method", "text"),
    cell("single", [1.0, 1.0, 1.0, 0.0, 1.0], "method", "baseline"),
    cell("alpha x2", [0.0, 1.0, 0.0, 0.0, 1.0], "equal_tokens", "text", rivals=["vote"]),
]


def results(cells: list[CellEvidence] = CELLS, tasks: tuple[str, ...] = ("t",)) -> dict[str, Any]:
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for c in cells:
        key = (c.about["role"], c.about["label"])
        made = rows.setdefault(
            key, {"role": key[0], "label": key[1], "level": c.about["level"], "tasks": {}, "tokens_per_query": 10.0}
        )
        made["tasks"][c.task] = c.about["summary"]["mean"]
    for made in rows.values():
        made["mean"] = sum(made["tasks"].values()) / len(made["tasks"])
    return {"tasks": dict.fromkeys(tasks), "leaderboard": list(rows.values()), "cells": [c.about for c in cells],
            "best_on_dev": {t: {"0": "alpha"} for t in tasks}, "comparisons": []}  # fmt: skip


def evidence(cells: list[CellEvidence] = CELLS) -> Evidence:
    return Evidence(cells, {"t": [f"q{i}" for i in range(5)]})


def test_baselines_are_the_members_chosen_on_dev_and_on_test() -> None:
    lines = {line.key: line.value for line in baselines(results())}
    assert lines == {"dev": pytest.approx(0.6), "oracle": pytest.approx(0.6)}
    other = {**results(), "best_on_dev": {"t": {"0": "beta"}}}
    assert {line.key: line.value for line in baselines(other)} == {"dev": pytest.approx(0.5), "oracle": pytest.approx(0.6)}


def test_a_baseline_that_is_missing_on_a_task_is_no_line() -> None:
    assert baselines(results(tasks=("t", "u"))) == []
    assert dev_score(results(), "u") is None
    assert baselines(results([c for c in CELLS if c.about["role"] == "method"])) == []


def test_equal_tokens_belongs_to_its_rivals_only() -> None:
    assert equal_tokens(results(), "vote") == pytest.approx(0.4)
    assert equal_tokens(results(), "single") is None


def test_rows_on_some_tasks_are_not_ranked_with_the_rest() -> None:
    two = results([*CELLS, cell("alpha", [1.0], task="u")], ("t", "u"))
    assert [r["label"] for r in full_rows(two)] == ["alpha"]
    assert {r["label"] for r in partial_rows(two)} == {"beta", "vote", "single", "alpha x2"}


def test_the_front_holds_what_nothing_beats_at_its_price() -> None:
    rows = [{"label": n, "mean": m, "tokens_per_query": t} for n, m, t in
            [("a", 0.5, 10), ("b", 0.4, 20), ("c", 0.6, 30), ("d", 0.6, 40), ("e", 0.55, 10), ("f", None, 1)]]  # fmt: skip
    assert [r["label"] for r in pareto(rows)] == ["e", "c"]


def test_emergence_counts_by_hand() -> None:
    (found,) = emergence(results(), evidence())
    # q4 is left out: beta failed it. q0 missed (alpha right), q1 and q3 right with a member, q2 emergent.
    assert (found.label, found.n, found.emergent, found.missed, found.kept) == ("vote", 4, 1, 1, 2)
    assert found.example == "#/vote-t-0/q2"


def test_emergence_needs_members_of_the_same_seed() -> None:
    lonely = [cell("vote", [1.0], "method", "text", seed=1), cell("alpha", [0.0], seed=0)]
    assert emergence(results(lonely), evidence(lonely)) == []
    assert not evidence(lonely).emergent(lonely[0], "q0")


def test_strips_of_large_runs_are_thinned_and_say_of_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moco.report.html.measures.STRIP", (2, 2000))
    monkeypatch.setattr("moco.report.html.measures.FIELDS", 10)
    (strip,) = strips(results(), evidence())
    assert len(strip.items) == 2 and strip.total == 5 and len(strip.emergent) == 2
    assert all(len(r.scores) == 2 for r in strip.rows)


def test_strips_put_the_hardest_item_first_and_keep_failures_apart() -> None:
    (strip,) = strips(results(), evidence())
    assert strip.items == ["q0", "q2", "q3", "q4", "q1"]  # 2, 2, 2, 3 and 4 solved it
    rows = {r.row["label"]: r for r in strip.rows}
    assert list(rows) == ["alpha", "beta", "vote", "single"]
    assert rows["beta"].scores[strip.items.index("q4")] is None and rows["beta"].mean == pytest.approx(0.5)
    assert [i for i, flag in zip(strip.items, strip.emergent, strict=True) if flag] == ["q2"]
    assert strip.ceiling == pytest.approx(3 / 4)
