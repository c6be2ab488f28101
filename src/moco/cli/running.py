"""``moco demo`` and ``moco run``: a study into its run directory, ending with the leaderboard."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from shlex import join, quote
from typing import TYPE_CHECKING

import typer

from moco.cli.output import as_json, console, next_steps

if TYPE_CHECKING:
    from moco.study import Study

INCOMPLETE = 3
CHANGED = "Go on where the run directory holds another study: its results are replaced."


@dataclass(frozen=True)
class Called:
    """A command as it was given, so that the commands to copy are whole."""

    line: str
    store: Path | None = None
    changed: bool = False

    def into(self, out: Path) -> str:
        """The same command, into ``out``."""
        return f"{self.line} -o {quote(str(out))}{self.storing}"

    @property
    def storing(self) -> str:
        return f" --store {quote(str(self.store))}" if self.store is not None else ""


def demo(
    out: Path = typer.Option(Path("runs/demo"), "--out", "-o", help="Run directory; the same one is continued."),
    store: Path | None = typer.Option(None, "--store", help="Cache file instead of the one under $MOCO_HOME."),
    changed: bool = typer.Option(False, "--changed", help=CHANGED),
) -> None:
    """The embedded playground: four tiny experts collaborate, in minutes on a laptop, ending with a leaderboard and a report.

    Example:  moco demo
    """
    from importlib.resources import files

    from moco.study import Study

    text = files("moco.cli").joinpath("demo.yaml").read_text(encoding="utf-8")
    _execute(Study.from_yaml(text), out, Called("moco demo", store, changed))


def run(
    study: Path = typer.Argument(..., help="The study file, study.yaml."),
    overrides: list[str] | None = typer.Argument(None, metavar="[KEY=VALUE]...", help="Changes, e.g. sampling.temperature=0"),
    out: Path | None = typer.Option(None, "--out", "-o", help="Run directory; default: runs/NAME OF THE STUDY FILE."),
    dry_run: bool = typer.Option(
        False, "--dry-run", help="Check everything that can be wrong and list the cells; generate nothing."
    ),
    store: Path | None = typer.Option(None, "--store", help="Cache file instead of the one under $MOCO_HOME."),
    json: bool = typer.Option(False, "--json", help="Print results.json (with --dry-run: the plan) on stdout."),
    weak: bool = typer.Option(
        False, "--allow-weak-sandbox", help="Run generated code under resource limits alone where there is no better sandbox."
    ),
    changed: bool = typer.Option(False, "--changed", help=CHANGED),
) -> None:
    """Run or continue a study: kill it at any time, the same command continues and pays for nothing twice.

    Example:  moco run study.yaml tasks.0.limit=50
    """
    from moco.study import Study

    if weak:
        from moco.tasks.sandbox import allow_weak

        allow_weak()
    loaded = Study.from_yaml(study, overrides or ())
    folder = out or Path("runs") / study.stem
    line = join(["moco", "run", str(study), *(overrides or ()), *(["--allow-weak-sandbox"] if weak else [])])
    called = Called(line, store, changed)
    if dry_run:
        _preview(loaded, folder, called, json)
    else:
        _execute(loaded, folder, called, json)


def _preview(study: Study, out: Path, called: Called, json: bool) -> None:
    plan = study.check(called.store)
    if json:
        as_json({**asdict(plan), "out": str(out)})
        return
    shown = console()
    seeds, times = ", ".join(map(str, plan.seeds)), f" x {len(plan.seeds)} seeds" if len(plan.seeds) > 1 else ""
    shown.print(f"{len(plan.members)} members: {', '.join(plan.members)}", markup=False)
    asked = (f"{name} ({n} test, {plan.dev[name]} dev questions)" for name, n in plan.tasks.items())
    shown.print(f"tasks: {', '.join(asked)}; seeds: {seeds}", markup=False)
    shown.print(f"{len(plan.cells)} cells; what a question costs each method:")
    for label, cost in plan.costs.items():
        shown.print(f"  {label}: {cost or 'it does not say'}", markup=False)
    if study.config.baselines:
        singles, dev = sum(plan.tasks.values()) * len(plan.members), sum(plan.dev.values()) * len(plan.members)
        shown.print(
            f"{(singles + dev) * len(plan.seeds)} calls for the members alone and their order on dev, which methods share; the"
            " equal-token baselines spend as much again as the methods"
        )
    shown.print("cells:")
    for cell in dict.fromkeys(plan.cells):
        shown.print(f"  {cell}{times}", markup=False)
    next_steps(called.into(out))


def _execute(study: Study, out: Path, called: Called, json: bool = False) -> None:
    from moco.cli.progress import Bars
    from moco.report.html import write_report
    from moco.report.terminal import render

    with Bars(console(err=True)) as watch:
        data = study.run(out, store=called.store, watch=watch, changed=called.changed)
    report = write_report(data, out / "report.html")  # before anything is printed, whose reader may be gone
    if json:
        as_json(data.results)
    else:
        shown = console()
        for part in render(data.results, shown.width, brief=True):
            shown.print(part)
    there = quote(str(out))
    typer.echo(f"{watch.summary}; results in {out}", err=True)
    typer.echo(f"report, one file for any browser: {report}", err=True)
    if not data.results["complete"]:
        lasting = data.results["failed_for_good"]
        passing = data.results["failed_items"] - lasting
        if passing:
            typer.echo(f"incomplete: {passing} items failed; the same command tries them again: {called.into(out)}", err=True)
        if lasting:
            typer.echo(
                f"incomplete: {lasting} items fail for good: the same command changes nothing, other members may", err=True
            )
        raise typer.Exit(INCOMPLETE)
    cells = [c for c in data.results["cells"] if c["role"] == "method" and c["level"] != "baseline"] or data.results["cells"]
    served = quote(str(out / "cells" / cells[0]["id"]))
    asking, serving = f'moco ask {served} "your question"{called.storing}', f"moco serve {served}"
    next_steps(f"moco report {there} --md", asking, serving)
