"""The leaderboard says what results.json says, and no text of a model moves the cursor."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moco.report.columns import span
from moco.report.exports import as_csv, as_markdown
from moco.report.terminal import best_single_mean, clean, notes, render, shorten, warnings


def row(label: str, role: str, mean: float | None, tasks: dict[str, float], **more: Any) -> dict[str, Any]:
    base = {"label": label, "level": "text" if role == "method" else "baseline", "role": role, "tasks": tasks,
            "mean": mean, "low": mean, "high": mean, "n": 40, "unparsed": 0.0, "truncated": 0.0, "tokens_per_query": 50.0,
            "calls_per_query": 2.0, "seeds_sd": None}  # fmt: skip
    return {**base, **more}


def compared(task: str, against: str, difference: float, p: float) -> dict[str, Any]:
    return {"label": "vote", "task": task, "against": against, "reference": "alpha", "n": 40, "difference": difference,
            "low": -0.1, "high": 0.2, "p": p, "p_holm": p, "test": "mcnemar", "wins": 5, "losses": 3, "ties": 32}  # fmt: skip


def results(tasks: int = 1) -> dict[str, Any]:
    names = [f"t{i}" for i in range(tasks)]
    score = dict.fromkeys(names, 0.5)
    return {
        "moco": "0", "tasks": {n: {"n": 40, "kinds": ["numeric"]} for n in names}, "seeds": [0, 1],
        "cells": [], "best_on_dev": {n: {"0": "alpha", "1": "alpha"} for n in names},
        "leaderboard": [row("vote", "method", 0.5, score, unparsed=0.25), row("alpha", "member", 0.45, score),
                        row("beta", "member", None, {})],
        "comparisons": [compared(n, a, 0.05, 0.03) for n in names for a in ("best_single_on_dev", "equal_tokens")],
        "share_won": {"won": 1, "n": 2, "share": 0.5, "low": 0.013, "high": 0.987, "p": 1.0, "ties": 0},
        "complete": False, "failed_items": 3,
    }  # fmt: skip


def printed(data: dict[str, Any], width: int = 200) -> str:
    from rich.console import Console

    file = io.StringIO()
    console = Console(file=file, width=width)
    for part in render(data, width):
        console.print(part)
    return file.getvalue()


def test_one_task_shows_difference_and_adjusted_p() -> None:
    text = printed(results())
    assert "+0.050 (p 0.030)" in text and "0.500 [0.500, 0.500]" in text and "25.0" in text and "no answers" in text


@pytest.mark.parametrize("tasks", [1, 2])
@pytest.mark.parametrize("width", [80, 100, 120, 180])
def test_the_tables_fit_the_terminal_and_cut_no_number(width: int, tasks: int) -> None:
    from rich.console import Console

    file = io.StringIO()
    console = Console(file=file, width=width)
    for part in render(results(tasks), width):
        console.print(part)
    text = file.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert "0.500 [0.500, 0.500]" in text and "query" in text and "…" not in text
    assert ("+0.050 (p 0.030)" if tasks == 1 else "+0.050 (2/2 up)") in text


def test_a_narrow_terminal_loses_whole_columns_of_low_rank_first() -> None:
    wide, narrow = printed(results(), 200), printed(results(), 80)
    assert "calls/" in wide and "●" in wide and "won/lost" in wide
    assert "calls/" not in narrow and "●" not in narrow and "won/lost" not in narrow
    assert "vs equal tokens" in narrow and "tokens/" in narrow


def test_a_long_label_is_folded_and_costs_no_column() -> None:
    data = results()
    data["leaderboard"][0]["label"] = "a_label_" * 12
    text = printed(data, 100)
    assert max(map(len, text.splitlines())) <= 100
    assert "vs best single" in text and "tokens/" in text


def test_a_fault_that_never_happened_is_a_line_and_no_column() -> None:
    text = printed(results())
    assert "no answer was truncated" in text and text.count("truncated") == 1 and "25.0" in text
    data = results()
    data["leaderboard"][0]["unparsed"] = 0.0
    assert "no answer was unparsed or truncated" in printed(data)


def test_several_tasks_show_each_comparison() -> None:
    text = printed(results(2))
    assert "+0.050 (2/2 up)" in text and text.count("5/3/32") == 4
    assert "| vote | t1 | alpha (equal tokens) |" in as_markdown(results(2))


def test_the_picture_marks_low_mean_high_and_the_best_single() -> None:
    assert span(0.0, 0.5, 1.0, (0.0, 1.0), None, 11) == "─────●─────"
    assert span(0.6, 0.8, 1.0, (0.0, 1.0), 0.3, 11) == "   │  ──●──"
    assert span(0.0, 0.5, 1.0, (0.0, 1.0), 0.3, 11) == "───┼─●─────"
    assert span(0.4, 0.4, 0.4, (0.4, 0.4), None, 3).strip() == "●"
    assert best_single_mean(results(2)) == pytest.approx(0.45)


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3).map(sorted), st.floats(0, 1), st.integers(14, 40))
def test_a_picture_has_its_width_and_one_dot(scores: list[float], mark: float, width: int) -> None:
    drawn = span(*scores, (0.0, 1.0), mark, width)
    assert len(drawn) == width and drawn.count("●") == 1


def test_notes_state_references_and_settings() -> None:
    text = "\n".join(notes(results()))
    assert "best single on dev, t0: alpha" in text and "oracle single" in text
    assert "1 of 2 (50.0 %), exact 95 % interval 1.3 % to 98.7 %" in text


def test_warnings_for_failures_and_unparsed_answers() -> None:
    first, second = warnings(results())
    assert "3 items failed" in first and "vote are unparsed" in second


def test_labels_cannot_act_in_any_format() -> None:
    data = results()
    data["leaderboard"][0]["label"] = "=evil|\x1b[2J[red]x"
    assert "\x1b[2J" not in printed(data) and "[red]x" in printed(data)
    assert "'=evil" in as_csv(data) and "\\|" in as_markdown(data)


@pytest.mark.parametrize(
    ("text", "left"),
    [("\x1b[31mred\x1b[0m", "red"), ("\x1b]0;title\x07a", "a"), ("\x1b]8;;http://x\x1b\\link", "link"), ("a\x9b2Jb", "ab"),
     ("a\rb", "a\nb"), ("tab\tkept\n", "tab\tkept\n"), ("a\u202eb", "ab"), ("\x1bPq\x1b\\z", "z"), ("\x00\x08x\x7f", "x")],
)  # fmt: skip
def test_clean(text: str, left: str) -> None:
    assert clean(text) == left


def test_shorten_keeps_both_ends() -> None:
    short = shorten("begin " + "x" * 500 + " end", 60)
    assert len(short) <= 60 and short.startswith("begin") and short.endswith("end")
