"""``moco compare``: two rows of a leaderboard against each other, question by question."""

from __future__ import annotations

from pathlib import Path

import typer

from moco.cli.output import as_json, console, next_steps


def compare(
    run: Path = typer.Argument(..., help="A run directory, runs/NAME."),
    first: str = typer.Argument(..., metavar="METHOD", help="A label of the leaderboard: a method, a member, or a baseline."),
    second: str = typer.Argument(..., metavar="METHOD", help="The label that it is compared with."),
    limit: int = typer.Option(5, "--limit", min=0, help="How many flipped questions are shown each way."),
    every: bool = typer.Option(False, "--all", help="Show every flipped question."),
    json: bool = typer.Option(False, "--json", help="For programs: everything, every flipped question with all answers."),
) -> None:
    """Two methods of a run on the same questions: the paired test, and every question that flipped.

    Exact McNemar for right and wrong, sign flips otherwise; per task and over the tasks. A difference is the first minus the
    second. Members and equal-token baselines may be named too, as the leaderboard calls them.

    Example:  moco compare runs/demo majority_vote alpha
    """
    from moco.report.contest import render
    from moco.study import load_run
    from moco.study.contest import contest

    found = contest(load_run(run), first, second)
    if json:
        as_json(found.to_json())
        return
    shown = console()
    for part in render(found, shown.width, None if every else limit):
        shown.print(part)
    next_steps(f"moco report {run} --html {run / 'report.html'}")
