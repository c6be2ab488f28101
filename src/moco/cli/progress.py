"""A study's progress on a terminal: a bar for all items with tokens per second, one for the cell, one for its fit.

Implements the runner's ``Watch``; its calls come from the runtime's thread, and rich's progress is safe for that.
"""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

LINE_SECONDS = 60.0
"""How often a log file, which shows no bars, is told how far a cell or its fit is."""
ROOMY = 100
"""Terminal width from which the pace has elapsed time and tokens per second beside the time left."""


class Pace(ProgressColumn):
    """Time elapsed, time left and tokens per second, on the line of the whole run only."""

    def __init__(self, bars: Bars, roomy: bool) -> None:
        super().__init__(table_column=Column(no_wrap=True))
        self.bars, self.roomy = bars, roomy

    def render(self, task: Task) -> Text:
        if not task.fields.get("whole"):
            return Text("")
        left = "-:--:--" if task.time_remaining is None else _clock(task.time_remaining)
        if not self.roomy:
            return Text(f"{left} left", style="cyan")
        return Text(f"{_clock(task.elapsed or 0)}, {left} left, {_short(self.bars.rate)} tokens/s", style="cyan")


class Bars:
    """Watch a run: ``with Bars(console) as watch: study.run(out, watch=watch)``."""

    def __init__(self, console: Console) -> None:
        self.console = console
        roomy = console.width >= ROOMY
        bar, pace = (20, 42) if roomy else (12, 12)
        room = min(52, max(16, console.width - bar - pace - 16))  # what is left beside spinner, counts and gaps
        described = Column(no_wrap=True, overflow="ellipsis", min_width=room, max_width=room)  # one width: the bars stand still
        self.progress = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description}", markup=False, table_column=described),
            BarColumn(bar_width=bar),
            MofNCompleteColumn(),
            Pace(self, roomy),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.items = self.progress.add_task("preparing", total=None, whole=True)
        self.here = self.progress.add_task("cell", total=None, visible=False)
        self.fitting = self.progress.add_task("fit", total=None, visible=False)
        self.cells = self.total = self.seen = self.tokens = 0
        self.name = ""
        self.done = self.items_here = 0
        self.every = LINE_SECONDS
        self.started = self.told = time.monotonic()

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
        self.done, self.items_here = kept, items
        self.name = f"{label} on {task}, seed {seed}"
        self.progress.update(self.fitting, visible=False)
        self.progress.update(self.items, description=self._overall(), advance=kept)
        self.progress.reset(self.here, description=f"  {self.name}", total=items, completed=kept, visible=True)
        if not self.console.is_terminal:
            self.told = time.monotonic()
            more = f" ({kept} kept)" if kept else ""
            self.console.print(f"[{self.seen}/{self.cells}] {self.name}: {items} items{more}", markup=False)

    def fit(self, name: str, done: int, total: int) -> None:
        self.progress.update(self.fitting, description=f"  {name}", completed=done, total=total, visible=done < total)
        self._line(f"{name}: {done} of {total}")

    def item(self, tokens: int) -> None:
        self.tokens += tokens
        self.done += 1
        self._line(f"{self.done} of {self.items_here} items of {self.name}")
        self.progress.update(self.items, advance=1, description=self._overall())
        self.progress.update(self.here, advance=1)

    def _line(self, text: str) -> None:
        """How far the work under way is, for whoever reads a log; not more often than ``every`` seconds."""
        now = time.monotonic()
        if self.console.is_terminal or now - self.told < self.every:
            return
        self.told = now
        self.console.print(f"  {text}, {_clock(now - self.started)}, {_short(self.rate)} tokens/s", markup=False)

    def _overall(self) -> str:
        return f"cell {self.seen} of {self.cells}, {_short(self.tokens)} tokens"

    @property
    def rate(self) -> float:
        """Tokens per second since the beginning."""
        return self.tokens / max(time.monotonic() - self.started, 1e-3)

    def note(self, text: str) -> None:
        self.console.print(text, markup=False)

    @property
    def summary(self) -> str:
        """What was done, in one line."""
        return f"{self.seen} cells, {_short(self.tokens)} tokens, {time.monotonic() - self.started:.0f} s"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _short(count: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f}"
