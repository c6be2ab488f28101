"""``moco data``: check and look at data files of one's own."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from moco.cli.output import as_json, console, next_steps

app = typer.Typer(no_args_is_help=True, help="Your own data: check it, look at it.")

FAULTY = 2


@app.command()
def check(
    file: Path = typer.Argument(..., help="A .jsonl, .json or .csv file."),
    json: bool = typer.Option(False, "--json", help="For programs."),
) -> None:
    """Name every fault of a data file with line, field and remedy, and warn of duplicates and dev/test overlap.

    Example:  moco data check my.jsonl
    """
    from moco.tasks import check_file

    report = check_file(file)
    if json:
        faults, warnings = [asdict(f) for f in report.faults], [asdict(w) for w in report.warnings]
        as_json({"path": str(file), "ok": report.ok, "counts": report.counts, "faults": faults, "warnings": warnings})
    else:
        for fault in report.faults:
            where = f"{file}:{fault.line}" if fault.line else str(file)
            name = f"field '{fault.field}' " if fault.field else ""
            typer.echo(f"fault: {where}: {name}{fault.what}; remedy: {fault.remedy}")
        for warning in report.warnings:
            typer.echo(f"warning: {file}:{warning.line}: {warning.what}")
        counted = ", ".join(f"{n} {name}" for name, n in report.counts.items())
        typer.echo(f"{file}: {len(report.faults)} faults, {len(report.warnings)} warnings; {counted or 'no sound records'}")
        if report.ok:
            next_steps(f"moco data show {file}", f"put  - {{data: {file}}}  under tasks: in a study")
    if not report.ok:
        raise typer.Exit(FAULTY)


@app.command()
def show(
    task: str = typer.Argument(..., help="A data file, or a task's name."),
    n: int = typer.Option(3, "--n", min=1, help="How many records."),
    kind: str | None = typer.Option(None, "--kind", help="Kind of records that name none."),
    json: bool = typer.Option(False, "--json", help="For programs."),
) -> None:
    """The first test records with their prompts, as a model gets them.

    Example:  moco data show my.jsonl --n 1
    """
    from moco.tasks import load_task

    loaded = load_task(task, kind=kind)
    rows: list[dict[str, Any]] = [
        {
            "id": record.id,
            "kind": loaded.kind_of(record),
            "gold": record.gold,
            "messages": [{"role": m.role, "content": m.content} for m in loaded.messages(record)],
        }
        for record in loaded.test[:n]
    ]
    if json:
        as_json(rows)
        return
    shown = console()
    for row in rows:
        shown.print(f"--- {row['id']} ({row['kind']}), gold: {row['gold']!r}", markup=False, style="bold")
        for turn in row["messages"]:
            shown.print(f"[{turn['role']}] {turn['content']}", markup=False)
    shown.print(f"{loaded.name}: {len(loaded.dev)} dev, {len(loaded.test)} test", markup=False)
    next_steps(f"moco data check {task}" if Path(task).is_file() else f"moco tasks {task} --prompt")
