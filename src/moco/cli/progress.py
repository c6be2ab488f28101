"""A study's progress on a terminal: a bar for all items with tokens per second, one for the cell, one for its fit.

Implements the runner's ``Watch``; its calls come from the runtime's thread, and rich's progress is safe for that.
"""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Bars:
    """Watch a run: ``with Bars(console) as watch: study.run(out, watch=watch)``."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.items = self.progress.add_task("preparing", total=None)
        self.here = self.progress.add_task("cell", total=None, visible=False)
        self.fitting = self.progress.add_task("fit", total=None, visible=False)
        self.cells = self.total = self.seen = self.tokens = 0
        self.name = ""
        self.started = time.monotonic()

    def __enter__(self) -> Bars:
        self.progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.progress.stop()

    def plan(self, cells: int, items: int) -> None:
        """More work is known: cells and items add up."""
        self.cells += cells
        self.total += items
        self.progress.update(self.items, total=self.total)

    def cell(self, label: str, task: str, seed: int, items: int, kept: int) -> None:
        self.seen += 1
        self.name = f"[{self.seen}/{self.cells}] {label} on {task}, seed {seed}"
        self.progress.update(self.fitting, visible=False)
        self.progress.update(self.items, description=self._overall(), advance=kept)
        self.progress.reset(self.here, description=f"  {self.name}", total=items, completed=kept, visible=True)
        if not self.console.is_terminal:
            more = f" ({kept} kept)" if kept else ""
            self.console.print(f"{self.name}: {items} items{more}", markup=False)

    def fit(self, name: str, done: int, total: int) -> None:
        self.progress.update(self.fitting, description=f"  {name}", completed=done, total=total, visible=done < total)

    def item(self, tokens: int) -> None:
        self.tokens += tokens
        self.progress.update(self.items, advance=1, description=self._overall())
        self.progress.update(self.here, advance=1)

    def _overall(self) -> str:
        rate = self.tokens / max(time.monotonic() - self.started, 1e-3)
        return f"{self.cells} cells, {_short(self.tokens)} tokens, {_short(rate)} tokens/s"

    def note(self, text: str) -> None:
        self.console.print(text, markup=False)

    @property
    def summary(self) -> str:
        """What was done, in one line."""
        return f"{self.seen} cells, {_short(self.tokens)} tokens, {time.monotonic() - self.started:.0f} s"


def _short(count: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f}"
