"""``moco playground``: who of the tiny experts knows what, and how they are trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from moco.cli.output import as_json, console, next_steps

if TYPE_CHECKING:
    from moco.playground.training import Progress

app = typer.Typer(no_args_is_help=True, help="Tiny real language models that any laptop runs.")


@app.command()
def matrix(
    n: int = typer.Option(40, "--n", min=1, help="Test questions per task."),
    member: list[str] | None = typer.Option(None, "--member", help="Only this member; may be repeated."),
    task: list[str] | None = typer.Option(None, "--task", help="Only this task; may be repeated."),
    store: Path | None = typer.Option(None, "--store", help="Cache file instead of the one under $MOCO_HOME."),
    json: bool = typer.Option(False, "--json", help="For programs."),
) -> None:
    """Accuracy of every member alone on every task, with 95 % intervals.

    Example:  moco playground matrix --n 100
    """
    from moco.cli.output import open_store
    from moco.core.types import Sampling
    from moco.models.pool import Pool
    from moco.playground import MEMBERS
    from moco.playground.members import member as known
    from moco.study.evaluation import evaluate
    from moco.tasks import TASKS, load_task

    names = [known(m.removeprefix("playground/")).name for m in member or MEMBERS]
    tasks = task or [t for t in TASKS.names() if t.startswith("playground/")]
    opened = open_store(store)
    loaded = {t: load_task(t, limit=n) for t in tasks}
    rows: list[dict[str, Any]] = []
    status = console(err=True)
    with status.status("asking") as spinner:
        for name in names:
            pool = Pool([f"playground/{name}"], store=opened)
            for title, data in loaded.items():
                spinner.update(f"{name} on {title}")
                found = evaluate("single", pool, data, sampling=Sampling(max_tokens=96, temperature=0.0)).summary
                rows.append(
                    {"member": name, "task": title, "n": found.n, "mean": found.mean, "low": found.low, "high": found.high}
                )
    if json:
        as_json(rows)
        return
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=f"accuracy alone, n={n} per task, greedy, 95 % intervals")
    table.add_column("member")
    for title in tasks:
        table.add_column(title.removeprefix("playground/"), justify="right")
    for name in names:
        own = {r["task"]: r for r in rows if r["member"] == name}
        table.add_row(name, *(_cell(own[t]) for t in tasks))
    console().print(table)
    next_steps("moco demo")


def _cell(row: dict[str, Any]) -> str:
    if row["mean"] is None:
        return "failed"
    return f"{row['mean']:.2f} ({row['low']:.2f}-{row['high']:.2f})"


@app.command()
def build(
    out: Path = typer.Option(..., "--out", "-o", help="Folder for the weights; an interrupted build in it is continued."),
    world: str = typer.Option("release", "--world", help="Which world's facts: dev or release."),
    scale: float = typer.Option(1.0, "--scale", help="Multiplies every token budget; 1 is the whole recipe."),
    member: list[str] | None = typer.Option(None, "--member", help="Only this member; may be repeated."),
) -> None:
    """Train the playground's models from scratch: about 50 CPU-minutes at scale 1.

    Example:  moco playground build --out weights --world release
    """
    from moco.models.hf import need
    from moco.playground.world import make_world

    make_world(world)
    need("torch", "transformers", "tokenizers", "safetensors")
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    from moco.playground.recipe import build as train

    status = console(err=True)
    bars = Bars(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn(), console=status
    )
    rows: dict[str, Any] = {}

    def heard(progress: Progress) -> None:
        row = rows.setdefault(progress.name, None)
        if row is None:
            row = rows[progress.name] = bars.add_task(progress.name, total=progress.tokens_in_all)
        text = f"{progress.name}  loss {progress.loss:.3f}  {progress.tokens_per_second:.0f} tokens/s"
        bars.update(row, completed=progress.tokens, description=text)

    with bars:
        made = train(out, world=world, scale=scale, members=member, on_progress=heard)
    for name, folder in made.items():
        typer.echo(f"{name}: {folder}")
    next_steps(f"name {next(iter(made.values()))} as a model in a study's pool", "moco playground matrix")
