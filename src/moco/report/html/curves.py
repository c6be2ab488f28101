"""Cost against quality of all routers of a task on the same answers: lines, points and labels in pixels. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from moco.report.html.evidence import Evidence
from moco.report.html.figures import Point, axis, labelled
from moco.study import RunData
from moco.study.tradeoffs import Curve, Tradeoff, compare_routers

STYLES = 8
"""Styles of lines; beyond, they begin again."""
DEAR = 10
"""Routers that cost more than so many times the dearest member are told, not drawn."""
SIZES = ((920, 440), (360, 400))
"""For wide and for narrow windows."""


@dataclass(frozen=True)
class Line:
    """A router's curve as a path; ``style`` is the number of its class, empty ``path`` where it has one point only.

    ``random`` and ``oracle`` are the controls of a cascade, empty for any other router.
    """

    curve: Curve
    style: int
    path: str
    x: float
    y: float
    random: str
    oracle: str


@dataclass(frozen=True)
class Plot:
    """One drawing in a box of ``width`` x ``height`` pixels; ``points`` are the members, then the routers as they ran."""

    width: int
    height: int
    left: int
    bottom: int
    lines: list[Line]
    oracle: str
    chance: str
    """The straight line between weak and strong: asking one of the two at random."""
    random: tuple[float, float]
    points: list[Point]
    xticks: list[tuple[float, str]]
    yticks: list[tuple[float, str]]


@dataclass(frozen=True)
class Drawn:
    """A task's tradeoff with its drawings, wide and narrow."""

    found: Tradeoff
    lines: list[Line]
    plots: list[Plot]
    dear: list[Curve]
    """Routers that are not in the drawings, because all others would stand on one line."""


def curves(run: RunData, evidence: Evidence) -> list[Drawn]:
    """The routers of a run by task; empty where no routing method was run beside its members."""
    found = compare_routers(run, [(cell.about, cell.outcomes) for cell in evidence.cells])
    out = []
    for tradeoff in found:
        plots = [draw(tradeoff, *size) for size in SIZES]
        drawn = {line.curve.label: line for line in plots[0].lines}
        every = enumerate(tradeoff.routers)
        lines = [drawn.get(r.label) or Line(r, i % STYLES, "", 0.0, 0.0, "", "") for i, r in every]
        out.append(Drawn(tradeoff, lines, plots, [line.curve for line in lines if line.curve.label not in drawn]))
    return out


def affordable(found: Tradeoff) -> list[tuple[int, Curve]]:
    """The routers that are drawn, with their places: those that cost less than `DEAR` times the dearest member."""
    limit = DEAR * max(cost for _, cost, _ in found.singles)
    return [(i, r) for i, r in enumerate(found.routers) if r.cost <= limit]


def draw(found: Tradeoff, width: int, height: int) -> Plot:
    """Mean score over mean cost per query, both linear; labels stand where they cover nothing, or are left out."""
    left, right, top, bottom = 40, 14, 14, height - 40
    routers = affordable(found)
    every = [found.oracle, *(r for _, r in routers)]
    spots = [*((c, s) for _, c, s in found.singles), found.random, *((r.cost, r.score) for r in every)]
    spots += [p for r in every for p in (*r.points, *r.random, *r.oracle)]
    across, up = axis([cost for cost, _ in spots]), axis([score for _, score in spots])

    def x(cost: float) -> float:
        return round(left + (width - left - right) * across.at(cost) / 100, 1)

    def y(score: float) -> float:
        return round(bottom - (bottom - top) * up.at(score) / 100, 1)

    def path(points: Sequence[tuple[float, float]]) -> str:
        return "M" + "L".join(f"{x(c)} {y(s)}" for c, s in points) if len(points) > 1 else ""

    def point(label: str, role: str, cost: float, score: float) -> Point:
        row: dict[str, Any] = {"label": label, "role": role, "mean": score, "cost": cost}
        return Point(row, x(cost), y(score), y(score), y(score), role == "method")

    single = {name: (cost, score) for name, cost, score in found.singles}
    points = [point(name, "member", *where) for name, where in single.items()]
    points += [point(r.label, "method", r.cost, r.score) for _, r in routers]
    marks = [(p.x - 6, p.y - 6, p.x + 6, p.y + 6) for p in points]
    lines = [Line(r, i % STYLES, path(r.points), x(r.cost), y(r.score), path(r.random), path(r.oracle)) for i, r in routers]
    return Plot(
        width,
        height,
        left,
        bottom,
        lines,
        path(found.oracle.points),
        path([single[found.weak], single[found.strong]]),
        (x(found.random[0]), y(found.random[1])),
        labelled(points, marks, [], (left, top - 8, width, bottom + 4)),
        [(x(v), f"{v:g}") for v in across.ticks],
        [(y(v), f"{v:.2f}") for v in up.ticks],
    )
