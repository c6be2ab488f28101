"""The leaderboard, the heat map and the headline as the template wants them: rows with numbers, places and addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moco.report.html.figures import Axis, axis, heat, spread
from moco.report.html.measures import Line, Results, Row, baselines, dev_score, equal_tokens, full_rows, partial_rows
from moco.report.html.texts import address

AGAINST = {
    "best_single_on_dev": "best single on dev",
    "oracle_single": "oracle single (best on test)",
    "equal_tokens": "self-consistency at equal tokens",
}
BRIEFLY = {"best_single_on_dev": "best single on dev", "oracle_single": "oracle single", "equal_tokens": "equal tokens"}
SIGNIFICANT = 0.05
Comparison = Mapping[str, Any]


@dataclass(frozen=True)
class Board:
    """Leaderboard rows on one axis; ``partial`` rows were not run on every task and are not ranked."""

    axis: Axis
    lines: list[Line]
    rows: list[Row]
    partial: list[Row]
    same: dict[str, float]
    """Label to the score of self-consistency with as many tokens."""
    paired: dict[str, list[Comparison]]
    """Label to its comparisons with the best single on dev, task by task."""
    links: dict[tuple[str, str], str]
    """Role and label to the address of its first cell."""
    marks: dict[tuple[str, str], str]
    """Role and label to the name of its mark: its level, or what it stands for."""


def board(results: Results) -> Board:
    rows = full_rows(results)
    lines = baselines(results)
    same = {r["label"]: s for r in rows if r["role"] == "method" and (s := equal_tokens(results, r["label"])) is not None}
    drawn = [v for r in rows for v in spread(r)] + [line.value for line in lines] + list(same.values())
    paired: dict[str, list[Comparison]] = {}
    for comparison in results["comparisons"]:
        if comparison["against"] == "best_single_on_dev":
            paired.setdefault(comparison["label"], []).append(comparison)
    links: dict[tuple[str, str], str] = {}
    for cell in results["cells"]:
        links.setdefault((cell["role"], cell["label"]), address(cell["id"]))
    marks = {(r["role"], r["label"]): mark(r) for r in results["leaderboard"]}
    return Board(axis(drawn), lines, rows, partial_rows(results), same, paired, links, marks)


LEVELS = ("routing", "text", "logit", "weight")


def mark(row: Row) -> str:
    """``routing``, ``text``, ``logit``, ``weight``; ``member`` for a model alone, ``baseline`` for all others."""
    if row["role"] == "member":
        return "member"
    return str(row["level"]) if row["role"] == "method" and row["level"] in LEVELS else "baseline"


@dataclass(frozen=True)
class Field:
    """One method on one task, mean over its seeds; ``difference`` is to the best single on dev, where there is one."""

    score: float
    difference: float | None
    shade: str
    paired: Comparison | None
    link: str


@dataclass(frozen=True)
class HeatMap:
    """Fields by row and task; None where the row was not run on the task."""

    tasks: list[str]
    rows: list[tuple[Row, str, list[Field | None]]]
    reference: bool
    """Whether colours are differences to the best single on dev."""


def heat_map(results: Results) -> HeatMap:
    tasks = list(results["tasks"])
    reference = {t: dev_score(results, t) for t in tasks}
    paired = {(c["label"], c["task"]): c for c in results["comparisons"] if c["against"] == "best_single_on_dev"}
    first: dict[tuple[str, str, str], str] = {}
    for cell in results["cells"]:
        first.setdefault((cell["role"], cell["label"], cell["task"]), cell["id"])
    rows = []
    for role in ("method", "member"):
        for row in results["leaderboard"]:
            if row["role"] != role:
                continue
            fields: list[Field | None] = []
            for task in tasks:
                if task not in row["tasks"]:
                    fields.append(None)
                    continue
                score, base = row["tasks"][task], reference[task]
                gap = None if base is None else score - base
                known = paired.get((row["label"], task)) if role == "method" else None
                fields.append(Field(score, gap, heat(gap), known, address(first[role, row["label"], task])))
            rows.append((row, mark(row), fields))
    return HeatMap(tasks, rows, any(v is not None for v in reference.values()))


def comparisons(results: Results) -> list[tuple[str, str, Sequence[Comparison]]]:
    """Key, name and rows of every family of tests, best difference first."""
    out: list[tuple[str, str, Sequence[Comparison]]] = []
    for key, name in AGAINST.items():
        rows = [c for c in results["comparisons"] if c["against"] == key]
        if rows:
            out.append((key, name, sorted(rows, key=lambda c: (c["task"], -c["difference"], c["label"]))))
    return out


@dataclass(frozen=True)
class Headline:
    """The best collaboration on all tasks and its comparisons; None where the run holds no collaboration."""

    best: Row | None
    tied: list[str]
    """Other collaborations with the same score."""
    alone: Row | None
    """The best member alone where it is as good as that or better."""
    versus: list[tuple[str, Comparison]]
    """Name of the reference and the comparison, where there is one task; else empty."""
    counts: list[tuple[str, int, int, int]]
    """Name of the reference, settings significantly better, significantly worse, settings tested, over all collaborations."""


def headline(results: Results) -> Headline:
    ranked = [r for r in full_rows(results) if r["role"] == "method" and r["level"] != "baseline" and r["mean"] is not None]
    best = ranked[0] if ranked else None
    tied = [str(r["label"]) for r in ranked[1:] if r["mean"] == ranked[0]["mean"]]
    members = [r for r in full_rows(results) if r["role"] == "member" and r["mean"] is not None]
    alone = max(members, key=lambda r: float(r["mean"]), default=None)
    if best is not None and alone is not None and alone["mean"] < best["mean"]:
        alone = None
    versus, counts = [], []
    for key, _, rows in comparisons(results):
        name = BRIEFLY[key]
        if best is not None and len(results["tasks"]) == 1:
            versus += [(name, c) for c in rows if c["label"] == best["label"]]
        sure = [c for c in rows if c["p_holm"] < SIGNIFICANT]
        counts.append((name, sum(c["difference"] > 0 for c in sure), sum(c["difference"] < 0 for c in sure), len(rows)))
    return Headline(best, tied, alone, versus, counts)
