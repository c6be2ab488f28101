"""Loading an entry: find the data, convert every row, divide, report. The same steps for every task.

Invariant: the task depends on the data and the entry alone, never on the machine: paths enter no record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from moco.core.errors import ConfigError, DataError, did_you_mean
from moco.tasks.catalogue.dividing import divide, lowest, overlap
from moco.tasks.catalogue.entry import Converter, Entry, Hub, Native, Shots, Side, Table, Variant
from moco.tasks.catalogue.finding import advice, digest_of, nothing_found, original_files, released_file, rows_from_files
from moco.tasks.catalogue.hub import looks_like_repository, rows_from_folder, rows_from_hub
from moco.tasks.catalogue.making import Made, Report, convert, record_of
from moco.tasks.catalogue.released_rows import by_fields
from moco.tasks.record import Record, Shot, Task
from moco.tasks.released import read_released
from moco.tasks.shots import worked_reply

if TYPE_CHECKING:
    from pathlib import Path

    from moco.tasks.load import Source

Rows = Iterable[tuple[Table, str, Native]]
"""(table, origin of the row, row)."""


def load(entry: Entry, source: Source) -> Task:
    """See ``Entry.load``."""
    name, variant = chosen(entry, source.variant)
    entry = apply(entry, variant)
    data_dir = source.data_dir.expanduser() if source.data_dir else entry.beside
    if data_dir is not None and source.revision is not None:
        raise ConfigError(
            "revision is for the hub, and data_dir is read from disk", where=f"task {entry.name}", remedy="leave one of them out"
        )
    released = released_file(entry, data_dir)
    if variant is not None and not variant.in_released:
        if released is not None and (source.split == "moco" or released == data_dir):
            raise DataError(f"the released file has no variant '{name}'", where=str(released), remedy=advice(entry))
        released = None
    if source.split == "moco":
        if released is None:
            raise DataError(
                "split: moco needs the released file",
                where=str(data_dir or f"task {entry.name}"),
                why="its dev and test lists are what that split is",
                remedy=f"put {entry.released_name or entry.name}.json into data_dir, or leave split out",
            )
        return _from_released(entry, released, keep_lists=True, variant=name)
    if data_dir is None:
        return _from_hub(entry, name, source.revision)
    if not data_dir.exists():
        raise nothing_found(entry, data_dir)
    if released is not None and data_dir.is_file():
        return _from_released(entry, released, keep_lists=False, variant=name)
    files = original_files(entry, data_dir, generic=released is None)
    if files:
        return _from_files(entry, files, name)
    if released is not None:
        return _from_released(entry, released, keep_lists=False, variant=name)
    if entry.hub and looks_like_repository(data_dir):
        found = rows_from_folder(data_dir, entry.tables, entry.hub, advice(entry))
        rows = ((table, f"{_hub_name(entry.hub, row)} @ local copy", row) for table, row in found)
        return _task(entry, rows, f"{entry.hub.dataset} (local copy)", name)
    raise nothing_found(entry, data_dir)


def example(entry: Entry, wanted: str | None = None) -> Task:
    """The entry with its made-up examples instead of data: what the prompt looks like where there is none."""
    name, variant = chosen(entry, wanted)
    entry = apply(entry, variant)
    report = Report()
    made = [m for one in entry.examples for m in convert(entry.convert, replace(one.native, variant=name), "test", report)]
    records = [r for m in made if (r := record_of(m, entry.name, f"made up; {entry.licence}", report)) is not None]
    if not records:
        raise DataError(
            "the made-up example is of another form", where=f"task {entry.name}, variant {name}", remedy=advice(entry)
        )
    return Task(entry.name, [], records, entry.kind, entry.prompt, metric=entry.metric, licence=entry.licence, source="made up")


def chosen(entry: Entry, wanted: str | None) -> tuple[str, Variant | None]:
    """The variant's name and itself; raises ConfigError for one the task does not have."""
    if wanted is None:
        return next(iter(entry.variants.items()), ("", None))
    if wanted in entry.variants:
        return wanted, entry.variants[wanted]
    remedy = did_you_mean(wanted, entry.variants) if entry.variants else "leave it out"
    raise ConfigError(f"there is no variant '{wanted}'", where=f"task {entry.name}", remedy=remedy)


def apply(entry: Entry, variant: Variant | None) -> Entry:
    """The entry with what the variant changes."""
    if variant is None:
        return entry
    fields = ("hub", "tables", "kind", "metric", "prompt", "macro", "convert", "whole_groups", "notes")
    changes: dict[str, Any] = {name: getattr(variant, name) for name in fields if getattr(variant, name) is not None}
    if variant.called:
        changes["name"] = variant.called
    return replace(entry, released_name=entry.released_name or entry.name, folder=entry.folder or entry.name, **changes)


def _from_hub(entry: Entry, variant: str, revision: str | None) -> Task:
    if entry.hub is None:
        raise DataError(f"'{entry.name}' is not on the hub", where=f"task {entry.name}", remedy=advice(entry))
    hub = entry.hub
    commit, found = rows_from_hub(hub, entry.tables, revision, advice(entry, hub=False))
    rows = ((table, f"{_hub_name(hub, row)} @ {commit}", row) for table, row in found)
    return _task(entry, rows, f"{hub.dataset} @ {commit}", variant)


def _hub_name(hub: Hub, row: Native) -> str:
    return " ".join(part for part in (hub.dataset.format(part=row.part), row.part, row.split) if part)


def _from_files(entry: Entry, files: list[tuple[Table, Path]], variant: str) -> Task:
    revisions = {path: f"{path.name} @ {digest_of(path)}" for _, path in files}
    rows = ((table, revisions[path], row) for table, path, row in rows_from_files(files, entry))
    told = ", ".join(sorted(revisions.values())) if len(revisions) <= 3 else f"{len(revisions)} original files"
    found = {table.split for table, _ in files}
    missing = [table for table in entry.tables if table.side == "dev" and table.files and table.split not in found]
    lacking = [f"there is no dev: put {' or '.join(t.files)} beside the other files" for t in missing]
    return _task(entry, rows, f"{entry.original}: {told}" if entry.original else told, variant, lacking)


def _from_released(entry: Entry, path: Path, *, keep_lists: bool, variant: str) -> Task:
    """A released MoCo file. ``keep_lists`` takes its dev and test as they are; else they are pooled and divided anew, unless
    they are official splits."""
    released = read_released(path)
    if released.faults:
        fault = released.faults[0]
        raise DataError(fault.what, where=f"{path}:{fault.line}", remedy=fault.remedy)
    official = keep_lists or entry.released_official
    split = "" if official else "released"
    tables: dict[str, Table] = {
        "dev": Table("dev", "dev" if official else ""),
        "test": Table("test", "test" if official else ""),
    }
    origin = f"released {path.name} @ {digest_of(path)}"
    rows = (
        (tables[row.split], origin, Native(row.data, row.index, str(row.data.get("domain", "")), split or row.split))
        for row in released.rows
    )
    known = {entry.name, entry.released_name or entry.name}
    entry = apply(entry, entry.released_as)
    notes = [f"the file calls itself '{released.name}'"] if released.name not in known else []
    if entry.released_as:
        notes.append(entry.released_as.what)
    if keep_lists:
        notes.append("the released dev and test lists are kept")
    entry = replace(entry, convert=entry.released or partial(_generic, kind=entry.kind), arrange=None, shots=None)
    return _task(entry, rows, origin, variant, notes, keep_lists=keep_lists)


def _generic(row: Native, kind: str) -> list[dict[str, Any]]:
    return [by_fields(row, kind)]


def _task(entry: Entry, rows: Rows, origin: str, variant: str, notes: Iterable[str] = (), *, keep_lists: bool = False) -> Task:
    report = Report()
    made = _made(entry, rows, variant, report)
    dropped = sum(len(ids) for ids in report.dropped.values())
    if report.read and dropped * 2 > report.read:
        reason, ids = max(report.dropped.items(), key=lambda item: len(item[1]))
        raise DataError(
            f"{dropped} of {report.read} rows cannot be read: {reason}",
            where=f"task {entry.name}, {origin}, {ids[0]}",
            why="the files are not in a form that is known",
            remedy=advice(entry),
        )
    origins = {id(m): where for m, where in made}
    said = list(notes)
    if entry.arrange is not None and (how_arranged := entry.arrange([m for m, _ in made])):
        said.append(how_arranged)
    rows_made = [m for m, _ in made if m.side != "unused"]
    _make_unique(rows_made, report)
    if keep_lists:
        shared = overlap(rows_made)
        dev, test = ([m for m in rows_made if m.side == side] for side in ("dev", "test"))
        if shared:
            told = ", ".join(shared[:40]) + (", ..." if len(shared) > 40 else "")
            said.append(f"{len(shared)} records of dev have their question or group in test too, and stay ({told})")
    else:
        dev, test, how = divide(rows_made, entry.name, arranged=entry.arrange is not None)
        said += how
    taught = _shots(entry, [m for m in rows_made if m.side == "shots"], report)
    records = [[_record(entry, m, origins[id(m)], report) for m in part] for part in (dev, test)]
    dev_records, test_records = ([r for r in part if r is not None] for part in records)
    if not test_records:
        raise DataError("there are no test records", where=f"task {entry.name}, {origin}", remedy=advice(entry))
    if entry.whole_groups and (smaller := _cut_groups(test_records)):
        said.append(f"{len(smaller)} groups have fewer records than the others: {', '.join(smaller[:40])}")
    counts = f"read {report.read} rows: {len(dev_records)} dev, {len(test_records)} test"
    task = Task(
        entry.name,
        dev_records,
        test_records,
        entry.kind,
        entry.prompt,
        metric=entry.metric,
        whole_groups=entry.whole_groups and all(r.group is not None for r in test_records),
        macro=entry.macro,
        notes=(counts, *said, *report.notes(), *entry.notes),
        licence=entry.licence,
        source=origin,
    )
    return _taught(task, entry.shots, taught) if entry.shots else task


def _made(entry: Entry, rows: Rows, variant: str, report: Report) -> list[tuple[Made, str]]:
    """Every converted row with its origin; of a table with ``keep`` only those."""
    by_table: dict[Table, list[tuple[Made, str]]] = {}
    converter: Converter = entry.convert
    for table, origin, row in rows:
        side: Side = table.side
        found = convert(converter, replace(row, variant=variant), side, report)
        by_table.setdefault(table, []).extend((m, origin) for m in found)
    out: list[tuple[Made, str]] = []
    for table, found_here in by_table.items():
        if table.keep is not None and len(found_here) > table.keep:
            kept = {id(m) for m in lowest([m for m, _ in found_here], table.keep, entry.name)}
            what = f"only the {table.keep} records of {table.split} with the lowest sha256(id) are taken"
            report.left_out.setdefault(what, []).extend(m.key for m, _ in found_here if id(m) not in kept)
            found_here = [(m, origin) for m, origin in found_here if id(m) in kept]
        out += found_here
    return out


def _make_unique(rows: list[Made], report: Report) -> None:
    seen: set[tuple[str, str]] = set()
    count: dict[tuple[str, str], int] = {}
    for made in rows:
        key = (made.split, made.key)
        if key in seen:
            native = made.key
            while (made.split, made.key) in seen:
                count[key] = count.get(key, 1) + 1
                made.key = f"{native}#{count[key]}"
            report.note(report.mended, "the id repeats; later ones carry #2, #3, ...", made.key)
        seen.add((made.split, made.key))


def _cut_groups(records: list[Record]) -> list[str]:
    sizes = Counter(record.group for record in records if record.group is not None)
    return [str(group) for group, size in sizes.items() if size < max(sizes.values())]


def _record(entry: Entry, made: Made, origin: str, report: Report) -> Record | None:
    return record_of(made, entry.name, f"{origin}; {entry.licence}", report)


def _shots(entry: Entry, rows: list[Made], report: Report) -> list[Record]:
    found = [_record(entry, m, entry.shots.where, report) for m in rows] if entry.shots else []
    return [record for record in found if record is not None]


def _taught(task: Task, shots: Shots, records: list[Record]) -> Task:
    """``task`` with the entry's own worked examples: all there are, and the first ones in the prompt."""
    replies = [(record, worked_reply(task, record)) for record in records]
    worked = tuple(Shot(record, reply) for record, reply in replies if reply is not None)
    return replace(task, worked=worked, prompt=replace(task.prompt, shots=worked[: shots.count]))
