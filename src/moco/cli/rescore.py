"""``moco rescore``: the answers of a run under other graders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from moco.cli.output import as_json, console, next_steps
from moco.core.errors import ConfigError

if TYPE_CHECKING:
    from moco.study.rescore import Reading, Rescored


def rescore(
    run: Path = typer.Argument(..., help="A run directory, runs/NAME."),
    grader: str = typer.Option(
        "flexible,strict,moco", "--grader", help="Graders, with commas: flexible, strict, moco (the released code's)."
    ),
    json: bool = typer.Option(False, "--json", help="For programs."),
) -> None:
    """Grade the answers of a run again, in other ways, to see how much of a gain is wording. Nothing is asked again.

    flexible is moco's own grade; strict counts an answer only in the form asked for; moco is the released MoCo code's grader,
    faults included. Shown are scores with intervals, unparsed answers, ranks, and emergence: the share of answers that a
    method got right where no member alone did.

    Example:  moco rescore runs/demo --grader moco,strict,flexible
    """
    from moco.study import load_run
    from moco.study.rescore import rescore as read_again

    names = [name.strip() for name in grader.split(",") if name.strip()]
    if not names:
        raise ConfigError("--grader names none", where="--grader", remedy="write --grader flexible,strict,moco")
    found = read_again(load_run(run), list(dict.fromkeys(names)))
    if json:
        as_json(found.to_json())
        return
    _show(found)
    next_steps(f"moco rescore {run} --grader {','.join(found.graders)} --json")


def _show(found: Rescored) -> None:
    from rich import box
    from rich.table import Table

    shown = console()
    for task in dict.fromkeys(row.task for row in found.rows):
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=task, title_justify="left", show_lines=False)
        for column in ("", "n", *found.graders):
            table.add_column(column, no_wrap=True)
        rows = sorted((row for row in found.rows if row.task == task), key=lambda row: row.readings[found.graders[0]].rank)
        for row in rows:
            table.add_row(row.label, str(row.n), *(_cell(row.readings[name]) for name in found.graders))
        shown.print(table)
        for entry in found.agreement:
            if entry["task"] == task and entry["tau"] is not None:
                one, other = entry["graders"]
                moved = ", ".join(f"{m['label']} {m[one]} to {m[other]}" for m in entry["moved"]) or "nobody changes place"
                shown.print(f"{one} and {other}: Kendall's tau {entry['tau']:.2f}; {moved}", markup=False)
        shown.print()
    shown.print("#: rank on the task; emergent: answers right where no member alone was", markup=False)
    for task, count in found.left_out.items():
        shown.print(f"{task}: {count} answers are of kinds that these graders cannot read again; they are left out", markup=False)


def _cell(reading: Reading) -> str:
    emergent = "" if reading.emergent is None else f", emergent {reading.emergent:.0%}"
    score = f"{reading.mean:.3f} [{reading.low:.3f}, {reading.high:.3f}]"
    return f"{score}\n#{reading.rank}, unparsed {reading.unparsed:.0%}{emergent}"
