"""Routers on the same answers, in a terminal and in Markdown: cost, score, and how much of the gap they close."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moco.report.columns import Column, fitted
from moco.report.readings import shown
from moco.report.text import clean

if TYPE_CHECKING:
    from rich.table import Table

    from moco.study.tradeoffs import Tradeoff

HEAD = ("router", "task", "cost", "score", "APGR", "CPT 20 %", "CPT 50 %", "CPT 80 %", "worth")
LEGEND = (
    "cost is tokens per query times the members' cost; APGR is the share of the gap between the weak and the strong member that "
    "is closed over all costs between theirs (0.5: one of the two at random), CPT the share of the way in cost at which so much "
    "of the gap is closed, worth how much of what an oracle gains over passing on at random a cascade's confidence gains"
)


@dataclass(frozen=True)
class Line:
    """A router, the oracle, chance, or a member alone on one task, as text, one per column of `HEAD`."""

    cells: tuple[str, ...]
    rival: bool = False
    """Whether it is there to be compared with."""


def lines(found: Sequence[Tradeoff]) -> list[Line]:
    """Task by task the routers, best first, then what they are measured by."""
    out = []
    for task in found:
        name = clean(task.task)
        for router in (*sorted(task.routers, key=lambda r: -r.score), task.oracle):
            measures = (router.apgr, *router.cpt.values(), router.worth)
            cells = (clean(router.label), name, f"{router.cost:.0f}", shown(router.score), *map(shown, measures))
            out.append(Line(cells, router is task.oracle))
        rivals = [("any member at random", *task.random)]
        for who, cost, score in task.singles:
            role = "weak" if who == task.weak else "strong" if who == task.strong else "alone"
            rivals.append((f"{clean(who)} ({role})", cost, score))
        out += [Line((who, name, f"{cost:.0f}", shown(score), *["-"] * 5), True) for who, cost, score in rivals]
    return out


def table(found: Sequence[Tradeoff], width: int) -> Table:
    """The lines as a terminal of ``width`` characters shows them."""
    from rich.text import Text

    several = len(found) > 1

    def column(place: int, rank: int, left: bool = False) -> Column[Line]:
        return Column(HEAD[place], lambda row: Text(row.cells[place], style="bright_black" if row.rival else ""), rank, left)

    columns = [column(0, 100, left=True), *([column(1, 95, left=True)] if several else [])]
    columns += [column(place, rank) for place, rank in ((2, 90), (3, 99), (4, 85), (5, 40), (6, 60), (7, 50), (8, 70))]
    return fitted(columns, lines(found), width)


def as_markdown(found: Sequence[Tradeoff]) -> str:
    """The lines as a Markdown table with its legend; empty where there are none."""
    if not found:
        return ""
    rows = [HEAD, ("---", "---", *["---:"] * 7), *(tuple(c.replace("|", "\\|") for c in line.cells) for line in lines(found))]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + f"\n\n{LEGEND[0].upper()}{LEGEND[1:]}."


__all__ = ["LEGEND", "as_markdown", "lines", "table"]
