"""Tables that fit: columns have a rank, and where a terminal is narrow those of lowest rank are left out, whole.

A number is never wrapped or cut; only the text of the first column is folded, from a third of the width on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

R = TypeVar("R")
GAP = 2
"""Characters between two columns."""
BAR = ("│", "┼")
"""The mark of a picture: free, and on an interval."""


@dataclass(frozen=True)
class Column(Generic[R]):
    """``show`` gives the cell of a row, ``left`` aligns texts. Columns of higher ``rank`` stay longer, equal ranks together."""

    title: str
    show: Callable[[R], str | Text]
    rank: int
    left: bool = False


def fitted(
    columns: Sequence[Column[R]], rows: Sequence[R], width: int, spare: Callable[[int], Column[R] | None] | None = None
) -> Table:
    """A table of at most ``width`` characters over ``rows``; two columns always stay.

    ``spare`` is told how many characters are left over and may add a column of that width behind the last.
    """
    from rich.console import Console

    ruler = Console(width=10_000)
    kept, widest = list(columns), max(16, width // 3)
    table = _table(kept, rows, widest)
    while len(kept) > 2 and ruler.measure(table).maximum > width:
        lowest = min(column.rank for column in kept)
        kept = [column for column in kept if column.rank > lowest]
        table = _table(kept, rows, widest)
    more = spare(width - ruler.measure(table).maximum - GAP) if spare is not None else None
    return table if more is None else _table([*kept, more], rows, widest)


def _table(columns: Sequence[Column[R]], rows: Sequence[R], widest: int) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True, header_style="bold")
    for number, column in enumerate(columns):
        justify: Literal["left", "right"] = "left" if column.left else "right"
        limit = None if number else widest
        table.add_column(Text(column.title), justify=justify, no_wrap=number > 0, overflow="fold", max_width=limit)
    for row in rows:
        cells = [column.show(row) for column in columns]
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells))
    return table


def span(low: float, mean: float, high: float, axis: tuple[float, float], mark: float | None, width: int) -> str:
    """An interval drawn in ``width`` characters over ``axis``: a line from low to high, a dot at the mean, a bar at ``mark``."""
    left, right = axis

    def place(value: float) -> int:
        share = (value - left) / (right - left) if right > left else 0.5
        return min(width - 1, max(0, round(share * (width - 1))))

    drawn = [" "] * width
    drawn[place(low) : place(high) + 1] = "─" * (place(high) - place(low) + 1)
    if mark is not None:
        drawn[place(mark)] = BAR[1] if drawn[place(mark)] == "─" else BAR[0]
    drawn[place(mean)] = "●"
    return "".join(drawn)
