"""From numbers to drawing coordinates: axes, the heat map's steps, the cost plot with its labels, strips as runs.

Pure functions. Widths are shares (0 to 100) where a plot follows the window, pixels where it has a fixed shape. Scores
are drawn at their value and never clipped: every axis covers all intervals that are drawn on it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

Row = Mapping[str, Any]
STEPS = (0.02, 0.06, 0.12, 0.2)
"""Differences of scores from which on the heat map takes its next colour."""


@dataclass(frozen=True)
class Axis:
    """A linear axis from ``low`` to ``high``; ``ticks`` are values on round numbers."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """Where ``value`` lies, in percent of the axis, two decimals."""
        return round(100 * (value - self.low) / (self.high - self.low), 2)


def axis(values: Iterable[float]) -> Axis:
    """The smallest axis over ``values`` that begins and ends on a round number, with two to eight ticks."""
    found = list(values) or [0.0, 1.0]
    low, high = min(found), max(found)
    for step in (m * 10.0**e for e in range(-2, 12) for m in (1, 2, 5)):
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if last - first <= 7:
            break
    last = max(last, first + 1)
    return Axis(first * step, last * step, tuple(round(k * step, 6) for k in range(first, last + 1)))


def spread(row: Row) -> tuple[float, ...]:
    """Score and interval of a row, whatever of them there is."""
    return tuple(float(row[k]) for k in ("mean", "low", "high") if row[k] is not None)


def heat(difference: float | None) -> str:
    """The class of a heat map field: ``up1`` to ``up4``, ``down1`` to ``down4``, ``even``, or ``none`` without a reference."""
    if difference is None:
        return "none"
    step = sum(abs(difference) >= s for s in STEPS)
    return f"{'up' if difference > 0 else 'down'}{step}" if step else "even"


@dataclass(frozen=True)
class Point:
    """One row in the cost plot, pixels; ``low`` and ``high`` are the ends of its interval."""

    row: Row
    x: float
    y: float
    low: float
    high: float
    best: bool
    """On the Pareto front."""
    label: str = ""
    lx: float = 0.0
    ly: float = 0.0
    anchor: str = "start"
    led: bool = False
    """Whether the label stands so far away that a line must lead to it."""


@dataclass(frozen=True)
class Scatter:
    """The cost plot in a box of ``width`` x ``height`` pixels."""

    width: int
    height: int
    left: int
    bottom: int
    points: list[Point]
    xticks: list[tuple[float, str]]
    yticks: list[tuple[float, str]]
    front: str
    """Path of the Pareto front: a staircase, since nothing between two methods is on offer."""
    lines: list[tuple[str, str, float]] = field(default_factory=list)
    """Key, name and height of the baselines."""
    names: list[tuple[str, float, float, str]] = field(default_factory=list)
    """The baselines' names: text, x, y, anchor."""
    unnamed: int = 0
    """Points whose label found no place."""


LETTER, LINE = 6.8, 13
"""Pixels of a letter and of a line in the plot's labels."""
PLACES = (
    *((10, 4, "start"), (-10, 4, "end"), (8, -9, "start"), (8, 16, "start")),
    *((-8, -9, "end"), (-8, 16, "end"), (0, -12, "middle"), (0, 20, "middle")),
)
"""Where a label may stand: offsets from its point in pixels, and its anchor; the best place first."""
FAR = sorted(
    ((dx, dy, anchor) for side, anchor in ((1, "start"), (-1, "end")) for dx in (s * side for s in (16, 40, 70, 100))
     for dy in range(-112, 113, 14)),
    key=lambda place: place[0] ** 2 + (2 * place[1]) ** 2,
)  # fmt: skip
"""Places a line leads to, the nearest first."""


def scatter(
    rows: Sequence[Row], front: Sequence[Row], lines: Sequence[tuple[str, str, float]], width: int, height: int
) -> Scatter:
    """Score over tokens per query (logarithmic); labels are put where they cover nothing, the front's first."""
    left, right, top, bottom = 40, 14, 14, height - 40
    drawn = [r for r in rows if r["mean"] is not None]
    vertical = axis([v for r in drawn for v in spread(r)] + [value for _, _, value in lines])
    costs = [max(1.0, float(r["tokens_per_query"])) for r in drawn] or [1.0]
    first, last = math.log10(min(costs)), math.log10(max(costs))
    margin = max(0.08 * (last - first), 0.05)
    first, last = first - margin, last + margin

    def x(cost: float) -> float:
        return round(left + (width - left - right) * (math.log10(max(1.0, cost)) - first) / (last - first), 1)

    def y(score: float) -> float:
        return round(bottom - (bottom - top) * vertical.at(score) / 100, 1)

    labels = {id(r) for r in front}
    points = [
        Point(
            r,
            x(r["tokens_per_query"]),
            y(r["mean"]),
            y(r["low"] if r["low"] is not None else r["mean"]),
            y(r["high"] if r["high"] is not None else r["mean"]),
            id(r) in labels,
        )
        for r in drawn
    ]
    marks = [(p.x - 6, p.y - 6, p.x + 6, p.y + 6) for p in points]
    whiskers = [(p.x - 1, p.high, p.x + 1, p.low) for p in points]
    heights = [(key, name, y(value)) for key, name, value in lines]
    names, reserved = _named(heights, left, width, [*marks, *whiskers])
    points = labelled(points, [*marks, *reserved], whiskers, (left, top - 8, width, bottom + 4))
    ticks = [(x(v), f"{v:,.0f}".replace(",", " ")) for v in _decades(10**first, 10**last, 5 if width < 500 else 9)]
    return Scatter(
        width,
        height,
        left,
        bottom,
        points,
        ticks,
        [(y(v), f"{v:.2f}") for v in vertical.ticks],
        _staircase([p for p in points if p.best], width - right),
        heights,
        names,
        sum(not p.label for p in points),
    )


def _decades(low: float, high: float, most: int) -> list[float]:
    """Round values between ``low`` and ``high``: 1-2-5 per decade, or fewer where these are more than ``most``."""
    for steps in ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 5), (1, 3), (1,)):
        found = [s * 10.0**e for e in range(13) for s in steps if low <= s * 10.0**e <= high]
        if len(found) <= most:
            return found
    return found[:: math.ceil(len(found) / most)]


def _staircase(best: Sequence[Point], end: float) -> str:
    ordered = sorted(best, key=lambda p: p.x)
    if not ordered:
        return ""
    path = f"M{ordered[0].x} {ordered[0].y}"
    for point in ordered[1:]:
        path += f"H{point.x}V{point.y}"
    return path + f"H{end}"


Box = tuple[float, float, float, float]


def _named(
    lines: Sequence[tuple[str, str, float]], left: float, width: float, marks: Sequence[Box]
) -> tuple[list[tuple[str, float, float, str]], list[Box]]:
    """The names above their lines, where they cover no mark if there is such a place; lines of one height share a text."""
    texts: list[tuple[str, float]] = []
    for _, name, y in sorted(lines, key=lambda line: -line[2]):
        if texts and texts[-1][1] - y < LINE:
            texts[-1] = (f"{texts[-1][0]}, {name}", texts[-1][1])
        else:
            texts.append((name, y))
    names: list[tuple[str, float, float, str]] = []
    boxes: list[Box] = []
    for text, y in texts:
        wide, spare = LETTER * len(text), width - left - 12 - LETTER * len(text)
        places = [left + 6 + spare * k / 8 for k in (8, 0, 7, 1, 6, 2, 5, 3, 4)]
        found = [(x, y - 5 - LINE, x + wide, y - 2) for x in places]
        free = [box for box in found if not any(_cover(box, m) for m in (*marks, *boxes))]
        box = (free or found)[0]
        boxes.append(box)
        names.append((text, round(box[0], 1), round(y - 5, 1), "start"))
    return names, boxes


def labelled(points: Sequence[Point], reserved: Sequence[Box], whiskers: Sequence[Box], frame: Box) -> list[Point]:
    """Every point with its label where it covers no mark and no other label, led to by a line where that is far away;
    without one where there is no such place."""
    taken = list(reserved)
    placed: dict[int, Point] = {}
    order = sorted(range(len(points)), key=lambda i: (not points[i].best, points[i].row["role"] != "method", i))
    for i in order:
        p, text = points[i], _short(str(points[i].row["label"]))
        wide = LETTER * len(text)
        others = [b for k, b in enumerate(whiskers) if k != i]
        above, below = min(p.high - p.y, 0.0) - 7, max(p.low - p.y, 0.0) + 15
        beyond = [
            (0.0, above, "middle"),
            (0.0, below, "middle"),
            (6.0, above, "end"),
            (6.0, below, "end"),
            (-6.0, above, "start"),
        ]
        for k, (dx, dy, anchor) in enumerate((*PLACES, *beyond, *FAR)):
            begin = p.x + dx - (wide if anchor == "end" else wide / 2 if anchor == "middle" else 0)
            box = (begin, p.y + dy - LINE + 3, begin + wide, p.y + dy + 3)
            inside = frame[0] <= box[0] and box[2] <= frame[2] and frame[1] <= box[1] and box[3] <= frame[3]
            if inside and not any(_cover(box, b) for b in (*taken, *others)):
                taken.append(box)
                led = k >= len(PLACES) + len(beyond)
                placed[i] = replace(p, label=text, lx=round(p.x + dx, 1), ly=round(p.y + dy, 1), anchor=anchor, led=led)
                break
    return [placed.get(i, p) for i, p in enumerate(points)]


def _cover(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _short(text: str, most: int = 26) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def runs(scores: Sequence[float | None]) -> dict[str, str]:
    """A strip as one SVG path per shade, items one unit wide: ``full``, ``half``, ``some``, ``none``, ``failed``."""
    paths: dict[str, str] = {}
    at = 0
    for shade, group in groupby(scores, _shade):
        n = len(list(group))
        paths[shade] = paths.get(shade, "") + f"M{at} 0h{n}v1h-{n}z"
        at += n
    return paths


def _shade(score: float | None) -> str:
    if score is None:
        return "failed"
    return "full" if score > 0.999 else "half" if score >= 0.5 else "some" if score > 0.001 else "none"


def marks(flags: Sequence[bool]) -> str:
    """One SVG path with a unit mark at every set flag."""
    return "".join(f"M{i} 0h1v1h-1z" for i, flag in enumerate(flags) if flag)
