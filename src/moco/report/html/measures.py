"""What the plots show beyond results.json: baselines as lines, the Pareto front, who solved what, emergence. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moco.report.html.evidence import CellEvidence, Evidence
from moco.report.html.texts import address, spaced

STRIP, FIELDS = (50, 2000), 120_000
"""Fewest and most items of a task in the who-solved-what strips, and the fields of all strips that a page should hold."""
Results = Mapping[str, Any]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Line:
    """A baseline drawn through the whole leaderboard."""

    key: str
    name: str
    value: float


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def full_rows(results: Results) -> list[Row]:
    """Leaderboard rows on every task: only their means may be ranked against each other."""
    return [r for r in results["leaderboard"] if len(r["tasks"]) == len(results["tasks"])]


def partial_rows(results: Results) -> list[Row]:
    return [r for r in results["leaderboard"] if len(r["tasks"]) < len(results["tasks"])]


def baselines(results: Results) -> list[Line]:
    """Best single on dev and oracle single, each chosen task by task and averaged over tasks, as the comparisons choose them."""
    dev: list[float] = []
    oracle: list[float] = []
    for task in results["tasks"]:
        members = {r["label"]: r["tasks"][task] for r in results["leaderboard"] if r["role"] == "member" and task in r["tasks"]}
        value = dev_score(results, task)
        if value is not None:
            dev.append(value)
        if members:
            oracle.append(max(members.values()))
    out = []
    for key, name, found in (("dev", "best single on dev", dev), ("oracle", "oracle single", oracle)):
        value = _mean(found) if len(found) == len(results["tasks"]) else None
        if value is not None:
            out.append(Line(key, name, value))
    return out


def dev_score(results: Results, task: str) -> float | None:
    """Score on ``task`` of the member that was best on dev, chosen seed by seed; None where no member was asked alone."""
    chosen = results["best_on_dev"].get(task, {})
    cells = [
        c for c in results["cells"] if c["role"] == "member" and c["task"] == task and chosen.get(str(c["seed"])) == c["label"]
    ]
    return _mean([c["summary"]["mean"] for c in cells if c["summary"]["mean"] is not None])


def equal_tokens(results: Results, label: str) -> float | None:
    """Mean of self-consistency with as many tokens as ``label`` used, over tasks; None unless there is one on every task."""
    means = []
    for task in results["tasks"]:
        found = [
            c["summary"]["mean"]
            for c in results["cells"]
            if c["role"] == "equal_tokens" and c["task"] == task and label in c["rivals"] and c["summary"]["mean"] is not None
        ]
        value = _mean(found)
        if value is None:
            return None
        means.append(value)
    return _mean(means)


def pareto(rows: Sequence[Row]) -> list[Row]:
    """Rows with a score that no other row reaches with as few tokens, cheapest first."""
    front: list[Row] = []
    ordered = sorted((r for r in rows if r["mean"] is not None), key=lambda r: (r["tokens_per_query"], -r["mean"], r["label"]))
    for row in ordered:
        if not front or row["mean"] > front[-1]["mean"]:
            front.append(row)
    return front


@dataclass(frozen=True)
class StripRow:
    """One member or method on one task: the mean score over seeds of each item in the strip's order, None where it failed."""

    row: Row
    scores: list[float | None]
    cell: str
    """Id of its first cell."""
    mean: float | None
    """Mean score over the items it did not fail."""


@dataclass(frozen=True)
class Strip:
    """Who solved what on one task; items hardest first."""

    task: str
    items: list[str]
    total: int
    rows: list[StripRow]
    emergent: list[bool]
    """Items that some collaboration solved and, with the same seed, no member alone."""
    ceiling: float | None
    """Share of answers that at least one member got right: no choice among the members' own answers can pass it."""


def strips(results: Results, evidence: Evidence) -> list[Strip]:
    """One strip per task, members first, then methods, in the leaderboard's order."""
    groups: dict[tuple[str, str, str], list[CellEvidence]] = {}
    for cell in evidence.cells:
        groups.setdefault((cell.about["role"], cell.about["label"], cell.task), []).append(cell)
    most = max(STRIP[0], min(STRIP[1], FIELDS // max(1, len(groups))))
    ranked = [row for role in ("member", "method") for row in results["leaderboard"] if row["role"] == role]
    out = []
    for task in results["tasks"]:
        found = [(row, groups[row["role"], row["label"], task]) for row in ranked if (row["role"], row["label"], task) in groups]
        every = evidence.items[task]
        kept = [every[i] for i in spaced(every, most)]
        scores = {item: [_over_seeds(cells, item) for _, cells in found] for item in kept}
        order = sorted(kept, key=lambda i: (sum(s for s in scores[i] if s is not None), i))
        rows = []
        for k, (row, cells) in enumerate(found):
            own = [scores[i][k] for i in order]
            rows.append(StripRow(row, own, cells[0].id, _mean([s for s in own if s is not None])))
        marked = [any(evidence.emergent(c, i) for _, cells in found for c in cells) for i in order]
        judged = [evidence.some_member(p, i) for p in evidence.alone if p[0] == task for i in every]
        known = [j for j in judged if j is not None]
        out.append(Strip(task, order, len(every), rows, marked, sum(known) / len(known) if known else None))
    return out


def _over_seeds(cells: Sequence[CellEvidence], item: str) -> float | None:
    found = [score for score in (cell.score(item) for cell in cells) if score is not None]
    return sum(found) / len(found) if len(found) == len(cells) else None


@dataclass(frozen=True)
class Emergence:
    """How one collaboration's answers relate to its members', over pairs of item and seed where nothing failed."""

    label: str
    level: str
    emergent: int
    """Right where every member alone was wrong; not corrected for the chances that more draws give."""
    missed: int
    """Wrong where some member alone was right."""
    kept: int
    """Right where some member alone was right."""
    n: int
    example: str
    """Address of one emergent answer in the page, or nothing."""


def emergence(results: Results, evidence: Evidence) -> list[Emergence]:
    """Emergent and missed answers of every collaboration, in the leaderboard's order."""
    out = []
    for row in results["leaderboard"]:
        emergent = missed = kept = n = 0
        example = ""
        for cell in evidence.cells:
            if not cell.collaborates or cell.about["label"] != row["label"] or row["role"] != "method":
                continue
            for item in cell.outcomes:
                some = evidence.some_member(cell.pairing, item)
                if some is None or cell.score(item) is None:
                    continue
                own = cell.solved(item)
                n, emergent, missed, kept = n + 1, emergent + (own > some), missed + (some > own), kept + (own and some)
                if own and not some:
                    example = example or address(cell.id, item)
        if n:
            out.append(Emergence(row["label"], row["level"], emergent, missed, kept, n, example))
    return out
