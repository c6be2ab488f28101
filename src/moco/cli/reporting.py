"""``moco report``: the leaderboard of a run directory, for people and for programs."""

from __future__ import annotations

from pathlib import Path

import typer

from moco.cli.output import as_json, console, next_steps
from moco.core.errors import ConfigError


def report(
    run: Path = typer.Argument(..., help="A run directory, runs/NAME."),
    json: bool = typer.Option(False, "--json", help="The results as JSON."),
    md: bool = typer.Option(False, "--md", help="The leaderboard as a Markdown table."),
    csv: bool = typer.Option(False, "--csv", help="The leaderboard as CSV."),
) -> None:
    """The leaderboard of a run, with intervals and honest comparisons.

    Example:  moco report runs/demo --md
    """
    from moco.report.terminal import as_csv, as_markdown, render
    from moco.study import load_run

    if json + md + csv > 1:
        raise ConfigError("more than one format is asked for", where="moco report", remedy="give one of --json, --md, --csv")
    data = load_run(run)
    if json:
        as_json(data.results)
    elif md:
        typer.echo(as_markdown(data.results))
    elif csv:
        typer.echo(as_csv(data.results), nl=False)
    else:
        shown = console()
        for part in render(data.results, shown.width):
            shown.print(part)
        next_steps(f"moco report {run} --md", f'moco ask {run}/cells/ID "your question"')
