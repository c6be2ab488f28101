"""``moco data``: check, look at and convert data files of one's own; a catalogue task can be checked too."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from moco.cli.output import as_json, console, next_steps
from moco.core.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from moco.tasks import Report
    from moco.tasks.load import Source
    from moco.tasks.mapping import Fields

app = typer.Typer(no_args_is_help=True, help="Your own data: check it, look at it, convert it.")

FAULTY = 2
SHOWN = 100
"""How many faults and warnings are printed; --json has all of them."""
MAP = typer.Option([], "--map", metavar="FIELD=COLUMN", help="Which column a field is in; may be given several times.")
FEW_SHOT = typer.Option(None, "--few-shot", min=0, help="Worked examples before the question, instead of the task's own number.")
DATA_DIR = typer.Option(None, "--data-dir", help="Where the original files of a catalogue task lie.")
KIND = typer.Option(None, "--kind", help="Kind of records that name none.")


@app.command()
def check(
    data: str = typer.Argument(..., help="A data file (.jsonl, .json, .csv, .parquet, an lm-eval .yaml), or a task's name."),
    kind: str | None = KIND,
    mapped: list[str] = MAP,
    data_dir: Path | None = DATA_DIR,
    json: bool = typer.Option(False, "--json", help="For programs."),
) -> None:
    """Name every fault of a data file with line, field and remedy, and warn of duplicates and dev/test overlap.

    Example:  moco data check my.jsonl
    """
    report, is_task = _report(data, mapped, data_dir, kind)
    if json:
        as_json(
            {
                "path": report.path,
                "ok": report.ok,
                "counts": report.counts,
                "faults": [asdict(f) for f in report.faults],
                "left_out": [asdict(f) for f in report.left_out],
                "warnings": [asdict(w) for w in report.warnings],
                "notes": list(report.notes),
                "mapping": dict(report.mapping),
            }
        )
    else:
        _say(report)
        if report.ok:
            given = _given(mapped, kind, data_dir)
            entry = _entry(data, fields_of(mapped), kind, data_dir, is_task)
            next_steps(f"moco data show {shlex.quote(data)}{given}", f"put  - {entry}  under tasks: in a study")
    if not report.ok:
        if not json and report.mapping:
            from moco.tasks.columns import as_options

            entry = _entry(data, report.mapping, kind, data_dir, is_task)
            next_steps(
                f"moco data check {shlex.quote(data)} {as_options(report.mapping)}{_given([], kind, data_dir)}",
                f"put  - {entry}  under tasks: in a study, if that reads it rightly",
            )
        raise typer.Exit(FAULTY)


def _given(mapped: list[str], kind: str | None, data_dir: Path | None) -> str:
    """The options of this command line, as the next one needs them too."""
    words = [word for text in mapped for word in ("--map", text)]
    words += ["--kind", kind] if kind else []
    words += ["--data-dir", str(data_dir)] if data_dir else []
    return f" {shlex.join(words)}" if words else ""


def _entry(data: str, fields: Fields, kind: str | None, data_dir: Path | None, is_task: bool) -> str:
    """The entry of a study that reads the same."""
    from moco.tasks.columns import flow, plain

    if is_task:
        return flow({"name": data, "data_dir": str(data_dir)}) if data_dir else data
    given = {"data": data, "fields": plain(fields), "kind": kind}
    return flow({key: value for key, value in given.items() if value})


def _say(report: Report) -> None:
    lines = [f"fault: {_told(report, f)}" for f in report.faults] + [f"left out: {_told(report, f)}" for f in report.left_out]
    lines += [f"warning: {report.where(warning.line)}: {warning.what}" for warning in report.warnings]
    for line in lines[:SHOWN]:
        typer.echo(line)
    if len(lines) > SHOWN:
        typer.echo(f"... and {len(lines) - SHOWN} more (--json lists all)")
    for note in report.table.notes:
        typer.echo(f"note: {note}")
    counted = ", ".join(f"{n} {name}" for name, n in report.counts.items())
    left = len({fault.line for fault in report.left_out})
    out = f", {left} left out" if left else ""
    found = f"{len(report.faults)} faults, {len(report.warnings)} warnings{out}"
    typer.echo(f"{report.path}: {found}; {counted or 'no sound records'}")


def _told(report: Report, fault: Any) -> str:
    name = f"field '{fault.field}' " if fault.field else ""
    return f"{report.where(fault.line)}: {name}{fault.what}; remedy: {fault.remedy}"


def _report(data: str, mapped: list[str], data_dir: Path | None, kind: str | None) -> tuple[Report, bool]:
    """The report on a file, or on a catalogue task, and whether it is one."""
    from moco.tasks import Report, check_file
    from moco.tasks.doubts import warnings_of
    from moco.tasks.load import entry_of
    from moco.tasks.read import Table

    entry = entry_of(data) if not Path(data).is_file() else None
    if entry is None:
        if data_dir is not None:
            raise ConfigError("--data-dir goes with a task's name", where="--data-dir", remedy="leave it out")
        _check_source(data)
        return check_file(Path(data).expanduser(), fields_of(mapped), kind), False
    for option, given in (("--map", mapped), ("--kind", kind)):
        if given:
            raise ConfigError(f"{option} goes with a file, not with a task's name", where=option, remedy="leave it out")
    task = entry.load(_source(data_dir))
    records = [*task.dev, *task.test]
    placed = [r.model_copy(update={"split": "dev" if n < len(task.dev) else "test"}) for n, r in enumerate(records)]
    counts = Counter(name for r in placed for name in (str(r.split), task.kind_of(r), "records"))
    doubts = list(warnings_of(placed, range(1, len(placed) + 1), "record"))
    report = Report(data, warnings=doubts, counts=dict(counts), records=placed, unit="record", table=Table([], notes=task.notes))
    return report, True


def _source(data_dir: Path | None) -> Source:
    from moco.tasks import Source

    return Source(data_dir)


def _check_source(data: str) -> None:
    """Raises ConfigError for a name that is neither there nor ends as a data file does: a task's, most likely misspelt."""
    from moco.tasks import TASKS

    if not Path(data).expanduser().exists() and not data.lower().endswith(_suffixes()) and not Path(data).suffix:
        known = did_you_mean(data, TASKS.names()) if data not in TASKS else "use the task as it is"
        if "/" in data and data not in TASKS:
            known = f"a data set of the hub is read by moco data convert {data} FILE, or hub: {data} in a study"
        remedy = f"{known}; a file ends in {', '.join(_suffixes())}"
        raise ConfigError(f"there is no file '{data}'", where="command line", remedy=remedy)


def fields_of(mapped: list[str]) -> dict[str, str | list[str]]:
    """``field=column`` and ``choices=one,two`` as a mapping; raises ConfigError for anything else."""
    from moco.tasks.mapping import check_fields

    out: dict[str, str | list[str]] = {}
    for text in mapped:
        name, equals, column = text.partition("=")
        if not equals or not name or not column:
            raise ConfigError(f"'{text}' is not FIELD=COLUMN", where="--map", remedy="write --map question=prompt")
        if name in out:
            raise ConfigError(f"'{name}' is mapped twice", where="--map", remedy="keep one of them")
        out[name] = column.split(",") if name == "choices" and "," in column else column
    check_fields(out, "--map")
    return out


@app.command()
def show(
    task: str = typer.Argument(..., help="A data file, or a task's name."),
    n: int = typer.Option(3, "--n", min=1, help="How many records."),
    kind: str | None = KIND,
    mapped: list[str] = MAP,
    data_dir: Path | None = DATA_DIR,
    few_shot: int | None = FEW_SHOT,
    json: bool = typer.Option(False, "--json", help="For programs."),
) -> None:
    """The first test records with their prompts, as a model gets them.

    Example:  moco data show my.jsonl --n 1
    """
    from moco.tasks import load_task

    loaded = load_task(task, kind=kind, fields=fields_of(mapped), source=_source(data_dir), few_shot=few_shot)
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
    for note in loaded.notes:
        shown.print(f"note: {note}", markup=False)
    shown.print(f"{loaded.name}: {len(loaded.dev)} dev, {len(loaded.test)} test", markup=False)
    called = shlex.quote(task)
    own = f"moco data check {called}{_given(mapped, kind, data_dir)}"
    next_steps(own if Path(task).is_file() else f"moco tasks {called} --prompt{_given([], None, data_dir)}")


@app.command()
def convert(
    source: str = typer.Argument(..., metavar="IN", help="A data file that moco reads, or a hub data set, owner/name."),
    out: Path = typer.Argument(..., metavar="OUT", help="The new file: .jsonl, .json, .csv or .parquet."),
    mapped: list[str] = MAP,
    kind: str | None = typer.Option(None, "--kind", help="Kind of records that name none; written into them."),
    force: bool = typer.Option(False, "--force", help="Replace OUT where it exists."),
    config: str | None = typer.Option(None, "--config", help="Of a hub data set: its configuration."),
    revision: str | None = typer.Option(None, "--revision", help="Of a hub data set: the commit."),
    splits: list[str] = typer.Option([], "--split", metavar="OURS=THEIRS", help="Of a hub data set: dev=train, test=test."),
) -> None:
    """Write a data file of any readable format as records of ours; nothing is written where it has faults.

    Example:  moco data convert old.csv new.jsonl --map question=prompt --map answer=solution
    """
    from moco.tasks.converting import convert_data

    if out.exists() and not force:
        raise ConfigError(f"'{out}' is there already", where=str(out), remedy="choose another name, or add --force")
    hub = None
    if not Path(source).exists() and re.fullmatch(r"[\w.-]+/[\w.-]+", source) and not source.lower().endswith(_suffixes()):
        from moco.tasks.hub import Hub

        hub = Hub(source, config, revision, _pairs(splits), fields_of(mapped))
    elif config or revision or splits:
        wrong = "--config" if config else "--revision" if revision else "--split"
        raise ConfigError(f"{wrong} goes with a hub data set", where=wrong, remedy="leave it out, or give owner/name")
    else:
        _check_source(source)
    report = convert_data(Path(source), out, fields_of(mapped), kind, hub)
    for note in report.notes:
        typer.echo(f"note: {note}")
    typer.echo(f"{out}: {len(report.records)} records")
    next_steps(f"moco data check {out}")


def _suffixes() -> tuple[str, ...]:
    from moco.tasks.read import SUFFIXES

    return SUFFIXES


def _pairs(splits: list[str]) -> dict[str, str]:
    out = {}
    for text in splits:
        ours, equals, theirs = text.partition("=")
        if not equals or not ours or not theirs:
            raise ConfigError(f"'{text}' is not OURS=THEIRS", where="--split", remedy="write --split test=test")
        out[ours] = theirs
    return out
