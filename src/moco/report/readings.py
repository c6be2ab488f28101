"""Other figures of the same answers (em, f1, macro means, what abstaining is worth), where a task or a method gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from moco.report.columns import Column, fitted
from moco.report.text import clean

if TYPE_CHECKING:
    from rich.table import Table

EVERYWHERE = ("strict",)
"""Figures that nearly every cell has: alone they are no reason for a table."""


@dataclass(frozen=True)
class Reading:
    """Figures of one method or member on one task, means over its seeds; ``n`` counts the answers."""

    label: str
    task: str
    n: int
    mean: float | None
    figures: Mapping[str, float]


def readings(results: Mapping[str, Any]) -> list[Reading]:
    """One per method, member and task that has more to show than its mean, in the order of the run."""
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for cell in results["cells"]:
        if cell["role"] == "equal_tokens":
            continue
        groups.setdefault((cell["role"], cell["label"], cell["task"]), []).append(cell["summary"])
    out = []
    for (_, label, task), group in groups.items():
        names = sorted({name for summary in group for name in summary.get("figures", {})})
        if not set(names) <= set(EVERYWHERE):
            found = {name: _mean([s["figures"][name] for s in group if name in s.get("figures", {})]) for name in names}
            means = [s["mean"] for s in group if s["mean"] is not None]
            out.append(Reading(label, task, sum(s["n"] for s in group), _mean(means) if means else None, found))
    return out


def names_of(rows: Sequence[Reading]) -> list[str]:
    """The figures that any of ``rows`` has."""
    return sorted({name for row in rows for name in row.figures})


def table(rows: Sequence[Reading], width: int) -> Table:
    """The figures as a terminal of ``width`` characters shows them."""
    columns: list[Column[Reading]] = [Column("", lambda r: clean(r.label), 100, left=True)]
    if len({row.task for row in rows}) > 1:
        columns.append(Column("task", lambda r: clean(r.task), 95, left=True))
    columns += [Column("score", lambda r: shown(r.mean), 90), Column("n", lambda r: str(r.n), 60)]
    names = names_of(rows)
    columns += [Column(name.replace("_", "\n"), partial(_figure, name=name), 80 - place) for place, name in enumerate(names)]
    return fitted(columns, rows, width)


def _figure(row: Reading, name: str) -> str:
    return shown(row.figures.get(name))


def shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


__all__ = ["Reading", "names_of", "readings", "shown", "table"]
