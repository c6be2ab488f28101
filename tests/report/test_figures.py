"""Drawings say what the numbers say: axes cover, labels cover nothing, strips lose no item."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moco.report.html.figures import LETTER, LINE, STEPS, axis, heat, marks, runs, scatter

SHARE = st.floats(0, 1, allow_nan=False)


@given(st.lists(st.floats(-300, 300, allow_nan=False), min_size=1))
def test_an_axis_covers_its_values_with_few_round_ticks(values: list[float]) -> None:
    made = axis(values)
    assert all(-1e-6 <= made.at(v) <= 100 + 1e-6 for v in values)
    assert 2 <= len(made.ticks) <= 9
    assert made.at(made.ticks[0]) == pytest.approx(0, abs=0.01) and made.at(made.ticks[-1]) == pytest.approx(100, abs=0.01)


def test_an_axis_without_values_is_the_unit_interval() -> None:
    assert (axis([]).low, axis([]).high) == (0.0, 1.0)


def test_heat_steps_by_the_size_of_the_difference_and_tells_its_sign() -> None:
    assert heat(None) == "none" and heat(0.0) == heat(-0.019) == "even"
    assert [heat(s) for s in STEPS] == ["up1", "up2", "up3", "up4"]
    assert [heat(-s) for s in STEPS] == ["down1", "down2", "down3", "down4"]


def row(label: str, mean: float, tokens: float, role: str = "method") -> dict[str, Any]:
    return {
        "label": label,
        "mean": mean,
        "low": max(0.0, mean - 0.05),
        "high": min(1.0, mean + 0.05),
        "tokens_per_query": tokens,
        "role": role,
    }


ROWS = st.lists(st.builds(row, st.text("abcdefgh_", min_size=1, max_size=30), SHARE, st.floats(0, 1e6)), max_size=25)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.lists(SHARE, max_size=2), st.sampled_from([(920, 440), (360, 400)]))
def test_everything_lies_in_the_box_and_no_label_covers_another(
    rows: list[dict[str, Any]], lines: list[float], size: tuple[int, int]
) -> None:
    made = scatter(rows, rows[:2], [(f"k{i}", "best single on dev", v) for i, v in enumerate(lines)], *size)
    assert len(made.points) == len(rows)
    for p in made.points:
        assert made.left <= p.x <= made.width and 0 <= p.high <= p.y <= p.low <= made.height
    boxes = []
    for p in made.points:
        if p.label:
            wide = LETTER * len(p.label)
            begin = p.lx - {"start": 0.0, "middle": wide / 2, "end": wide}[p.anchor]
            boxes.append((begin, p.ly - LINE, begin + wide, p.ly))
            assert begin >= made.left - 1 and begin + wide <= made.width + 1
    for i, a in enumerate(boxes):
        assert not any(a[0] < b[2] - 1 and b[0] < a[2] - 1 and a[1] < b[3] - 1 and b[1] < a[3] - 1 for b in boxes[i + 1 :])


def test_a_lonely_point_has_its_label_and_the_front_is_a_staircase() -> None:
    cheap, dear, worse = row("cheap", 0.4, 10), row("dear", 0.6, 100), row("worse", 0.5, 200)
    made = scatter([cheap, dear, worse], [cheap, dear], [("dev", "best single", 0.4)], 920, 440)
    assert [p.label for p in made.points] == ["cheap", "dear", "worse"] and [p.best for p in made.points] == [True, True, False]
    assert re.fullmatch(r"M[\d. ]+H[\d.]+V[\d.]+H[\d.]+", made.front)
    assert made.names[0][0] == "best single" and made.xticks


def test_rows_without_a_score_are_not_drawn() -> None:
    made = scatter([{**row("a", 0.5, 10), "mean": None, "low": None, "high": None}], [], [], 360, 400)
    assert made.points == [] and made.front == ""


@given(st.lists(st.one_of(st.none(), SHARE)))
def test_a_strip_holds_every_item_once(scores: list[float | None]) -> None:
    lengths = [int(n) for path in runs(scores).values() for n in re.findall(r"h(\d+)v", path)]
    assert sum(lengths) == len(scores)
    places = sorted(int(x) for path in runs(scores).values() for x in re.findall(r"M(\d+) ", path))
    assert len(set(places)) == len(places)


def test_shades_and_marks() -> None:
    assert runs([0.0, 0.0, 1.0, None, 0.5, 0.2]) == {
        "none": "M0 0h2v1h-2z", "full": "M2 0h1v1h-1z", "failed": "M3 0h1v1h-1z", "half": "M4 0h1v1h-1z", "some": "M5 0h1v1h-1z",
    }  # fmt: skip
    assert marks([False, True]) == "M1 0h1v1h-1z"
