"""Routers and other figures beside the leaderboard, in a terminal and in Markdown."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from moco.report import routers
from moco.report.exports import as_markdown
from moco.report.readings import readings
from moco.report.terminal import render
from moco.study.tradeoffs import Curve, Tradeoff


def found(*routed: Curve) -> Tradeoff:
    nothing: dict[str, float | None] = {"20": None, "50": None, "80": None}
    oracle = Curve("oracle", 5.5, 1.0, (), 1.2, {"20": 0.05, "50": 0.1, "80": 0.2})
    plain = Curve("plain|piped", 11.0, 0.75, (), None, nothing)
    singles = (("a", 1.0, 0.5), ("b", 10.0, 0.75), ("c", 4.0, 0.25))
    return Tradeoff("toy", 4, "a", "b", singles, (5.0, 0.5), oracle, (plain, *routed))


BEST = Curve("chain", 6.0, 0.9, (), 0.8, {"20": 0.1, "50": 0.25, "80": None}, worth=0.4)


def printed(part: Any, width: int = 120) -> str:
    console = Console(width=width, record=True, file=None, force_terminal=False)
    with console.capture() as caught:
        console.print(part)
    return caught.get()


def test_routers_stand_best_first_above_what_they_are_measured_by() -> None:
    rows = routers.lines([found(BEST)])
    assert [row.cells[0] for row in rows] == [
        "chain",
        "plain|piped",
        "oracle",
        "any member at random",
        "a (weak)",
        "b (strong)",
        "c (alone)",
    ]
    assert rows[0].cells == ("chain", "toy", "6", "0.900", "0.800", "0.100", "0.250", "-", "0.400")
    assert [row.rival for row in rows] == [False, False, *[True] * 5]
    text = printed(routers.table([found(BEST)], 120))
    assert "chain" in text and "0.400" in text and "toy" not in text, "of one task its name is not said"
    narrow = printed(routers.table([found(BEST), found()], 50), 50)
    assert "toy" in narrow and "0.900" in narrow and all(len(line) <= 50 for line in narrow.splitlines())


def test_markdown_keeps_its_columns() -> None:
    text = routers.as_markdown([found(BEST)])
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 9 and all(line.replace("\\|", "").count("|") == 10 for line in table)
    assert text.endswith("gains.") and routers.as_markdown([]) == ""


def results(**figures: float) -> dict[str, Any]:
    def cell(role: str, label: str, seed: int, **own: float) -> dict[str, Any]:
        summary = {"n": 4, "mean": 0.5 + seed / 10, "figures": own}
        return {"role": role, "label": label, "task": "toy", "seed": seed, "summary": summary}

    cells = [cell("method", "team", 0, strict=0.4, **figures), cell("method", "team", 1, strict=0.6, **figures)]
    cells += [cell("member", "a", 0, strict=0.5), cell("equal_tokens", "a x3", 0, strict=0.5, **figures)]
    return {
        "cells": cells,
        "tasks": {"toy": {"n": 4}},
        "seeds": [0, 1],
        "leaderboard": [],
        "comparisons": [],
        "best_on_dev": {},
        "share_won": None,
        "complete": True,
    }


def test_other_figures_are_shown_where_there_are_any() -> None:
    assert readings(results()) == [], "strict alone is in every cell"
    row = readings(results(abstain_rate=0.25))[0]
    assert (row.label, row.n, row.mean, dict(row.figures)) == ("team", 8, 0.55, {"abstain_rate": 0.25, "strict": 0.5})
    assert len(readings(results(abstain_rate=0.25))) == 1, "a row each for who has them, none for equal-token baselines"
    shown = "".join(printed(part) for part in render(results(abstain_rate=0.25), 100))
    assert "other figures of the same answers" in shown and "0.250" in shown
    assert "other figures" not in "".join(printed(part) for part in render(results(), 100))
    assert "| team | toy | 0.550 | 8 | 0.250 | 0.500 |" in as_markdown(results(abstain_rate=0.25))
