"""``moco report``: the leaderboard of a run directory, for people and for programs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import typer

from moco.cli.output import as_json, console, next_steps
from moco.core.errors import ConfigError

if TYPE_CHECKING:
    from moco.study import RunData


class CsvTable(StrEnum):
    """The tables of --csv."""

    leaderboard = "leaderboard"
    paired = "paired"
    cells = "cells"


def report(
    run: Path = typer.Argument(..., help="A run directory, runs/NAME."),
    json: bool = typer.Option(False, "--json", help="The results as JSON."),
    md: bool = typer.Option(False, "--md", help="Leaderboard, paired tests and other figures as Markdown."),
    csv: bool = typer.Option(False, "--csv", help="One table as CSV, with every column in full."),
    table: CsvTable = typer.Option(CsvTable.leaderboard, "--table", help="With --csv: which table."),
    latex: bool = typer.Option(False, "--latex", help="Leaderboard and paired tests as LaTeX tables (booktabs)."),
    html: Path | None = typer.Option(None, "--html", metavar="FILE", help="Write plots, tests and transcripts as one HTML file."),
) -> None:
    """The leaderboard of a run, with intervals and honest comparisons, and its routers by cost and quality.

    Example:  moco report runs/demo --md
    """
    from moco.report import routers
    from moco.report.exports import as_csv, as_markdown
    from moco.report.latex import as_latex
    from moco.report.terminal import render
    from moco.study import load_run
    from moco.study.tradeoffs import tradeoffs

    if json + md + csv + latex + (html is not None) > 1:
        remedy = "give one of --json, --md, --csv, --latex, --html"
        raise ConfigError("more than one format is asked for", where="moco report", remedy=remedy)
    if table is not CsvTable.leaderboard and not csv:
        raise ConfigError(
            f"--table {table.value} is of --csv",
            where="moco report",
            remedy=f"add --csv: moco report {run} --csv --table {table.value}",
        )
    data = load_run(run, unfinished=True)
    if json:
        as_json(data.results)
    elif md:
        typer.echo("\n\n".join(part for part in (as_markdown(data.results), routers.as_markdown(tradeoffs(data))) if part))
    elif csv:
        typer.echo(as_csv(data.results, table.value), nl=False)
    elif latex:
        typer.echo(as_latex(data.results))
    elif html is not None:
        typer.echo(f"report, one file for any browser: {_written(data, html)}", err=True)
    else:
        shown = console()
        for part in render(data.results, shown.width):
            shown.print(part)
        if found := tradeoffs(data):
            shown.print("\n[bold]routers on the same answers[/bold]\n")
            shown.print(routers.table(found, shown.width))
            shown.print(f"\n{routers.LEGEND}", markup=False)
        where, best = quote(str(run)), [row["label"] for row in data.results["leaderboard"]][:2]
        whole = len(best) > 1 and "unfinished" not in data.results
        versus = [f"moco compare {where} {' '.join(map(quote, best))}"] if whole else []
        page = quote(str(run / "report.html"))
        next_steps(f"moco report {where} --html {page}", *versus, f'moco ask {where}/cells/ID "your question"')


def _written(run: RunData, file: Path) -> Path:
    from moco.report.html import write_report

    if file.is_dir():
        raise ConfigError(f"{file} is a folder", where="--html", remedy=f"name a file, such as {file / 'report.html'}")
    try:
        return write_report(run, file)
    except OSError as error:
        why = error.strerror or str(error)
        raise ConfigError(f"cannot write {file}", where="--html", why=why, remedy="name a file that can be written") from error
