"""``moco demo`` and ``moco run``: a study into its run directory, ending with the leaderboard."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import typer

from moco.cli.output import as_json, console, next_steps

if TYPE_CHECKING:
    from moco.study import Study

INCOMPLETE = 3


def demo(
    out: Path = typer.Option(Path("runs/demo"), "--out", "-o", help="Run directory; the same one is continued."),
    store: Path | None = typer.Option(None, "--store", help="Cache file instead of the one under $MOCO_HOME."),
) -> None:
    """The embedded playground: four tiny experts collaborate, in minutes on a laptop, ending with a leaderboard and a report.

    Example:  moco demo
    """
    from importlib.resources import files

    from moco.study import Study

    text = files("moco.cli").joinpath("demo.yaml").read_text(encoding="utf-8")
    _execute(Study.from_yaml(text), out, store, "moco demo")


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
    if dry_run:
        _preview(loaded, study, folder, json)
    else:
        _execute(loaded, folder, store, f"moco run {quote(str(study))}", json)


def _preview(study: Study, file: Path, out: Path, json: bool) -> None:
    plan = study.check()
    if json:
        as_json({"cells": plan.cells, "members": plan.members, "tasks": plan.tasks, "out": str(out)})
        return
    shown = console()
    shown.print(f"{len(plan.members)} members: {', '.join(plan.members)}", markup=False)
    shown.print(f"tasks: {', '.join(f'{name} ({n} items)' for name, n in plan.tasks.items())}", markup=False)
    shown.print(f"{len(plan.cells)} cells, and the equal-token baselines once the methods' tokens are known:")
    for cell in plan.cells:
        shown.print(f"  {cell}", markup=False)
    next_steps(f"moco run {quote(str(file))} -o {quote(str(out))}")


def _execute(study: Study, out: Path, store: Path | None, command: str, json: bool = False) -> None:
    from moco.cli.progress import Bars
    from moco.report.html import write_report
    from moco.report.terminal import render

    with Bars(console(err=True)) as watch:
        data = study.run(out, store=store, watch=watch)
    report = write_report(data, out / "report.html")  # before anything is printed, whose reader may be gone
    if json:
        as_json(data.results)
    else:
        shown = console()
        for part in render(data.results, shown.width):
            shown.print(part)
    there = quote(str(out))
    typer.echo(f"{watch.summary}; results in {out}", err=True)
    typer.echo(f"report, one file for any browser: {report}", err=True)
    if not data.results["complete"]:
        failed = data.results.get("failed_items", 0)
        typer.echo(f"incomplete: {failed} items failed; the same command tries them again: {command} -o {there}", err=True)
        raise typer.Exit(INCOMPLETE)
    cells = [c for c in data.results["cells"] if c["role"] == "method" and c["level"] != "baseline"] or data.results["cells"]
    served = quote(str(out / "cells" / cells[0]["id"]))
    next_steps(f"moco report {there} --md", f'moco ask {served} "your question"', f"moco serve {served}")
