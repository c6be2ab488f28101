"""Loading a task by catalogue name or from a file.

Invariant: the same file and seed give the same task on every machine. Records that name no split are divided by the
hash of their group (else their question), so equal questions and groups never stand on both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from moco.core.errors import ConfigError, DataError, did_you_mean
from moco.core.registry import Registry, is_file_reference, load_file
from moco.core.seeds import derive, generator
from moco.tasks.check import NO_TEST, Report, check_file, check_table, joint_kind, known_kind, unfit
from moco.tasks.hub import Hub, hub_table
from moco.tasks.mapping import Fields
from moco.tasks.read import SUFFIXES
from moco.tasks.record import Prompt, Record, Task
from moco.tasks.shots import FewShot, with_shots


@dataclass(frozen=True)
class Source:
    """Where a catalogue task is read from, and how it is divided.

    ``data_dir`` holds original files or a released MoCo file; None asks the Hugging Face hub. ``split`` "moco" takes the
    released split where that file is given, "ours" the published protocol. ``variant`` names one of the task's own variants,
    ``revision`` a commit of the hub's data set (None: the entry's own, else the newest, which is recorded).
    """

    data_dir: Path | None = None
    split: Literal["ours", "moco"] = "ours"
    variant: str | None = None
    revision: str | None = None


@runtime_checkable
class TaskEntry(Protocol):
    """What a catalogue name stands for."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def description(self) -> str:
        """What it measures, in a sentence."""

    @property
    def licence(self) -> str: ...

    @property
    def source(self) -> str: ...

    def load(self, source: Source) -> Task:
        """The whole task; raises ConfigError for an option the task does not have, DataError for missing or faulty data."""


TASKS: Registry[TaskEntry] = Registry("task", "moco.tasks", named=lambda entry: str(getattr(entry, "name", "")))
DEV_SHARE = 0.2
"""How much of the records without a split becomes dev."""


def entry_of(name: str) -> TaskEntry | None:
    """What a task's name stands for, or ``path/to/file.py:ENTRY``; None for anything else, which may be a data file.

    Raises ConfigError for a file of Python that holds no such entry.
    """
    if not is_file_reference(name):
        return TASKS.get(name) if name in TASKS else None
    found = load_file(name, where=f"task {name}")
    if not isinstance(found, TaskEntry):
        raise ConfigError(f"'{name}' is no task", where=f"task {name}", remedy="name an Entry of moco.tasks.catalogue")
    return found


def load_task(
    name_or_path: str | Path,
    *,
    kind: str | None = None,
    limit: int | None = None,
    dev_share: float = DEV_SHARE,
    seed: int = 0,
    prompt: Prompt | None = None,
    source: Source | None = None,
    fields: Fields | None = None,
    hub: Hub | None = None,
    few_shot: FewShot | int | None = None,
) -> Task:
    """The task called ``name_or_path`` (or ``path/to/file.py:ENTRY``), or the one in that data file (any of ``read.SUFFIXES``).

    ``fields`` says which column of the file each of our fields is in; ``hub`` that the rows are a data set of the Hugging Face
    hub, with its own ``fields``, and then ``name_or_path`` is what the task is called.
    ``kind`` is that of records which name none. ``dev_share`` is the share of dev among records without a split, ``limit``
    the most records kept of dev and of test each, sampled by ``seed`` and left in the order of the file. ``source`` says
    where a catalogue task is read from. ``few_shot`` is how many worked examples stand before a question, and of what: None is
    the task's own number. They are chosen before ``limit``, so that they do not depend on it.

    Raises DataError for a faulty file, ConfigError for an unknown name or option.
    """
    _check_options(kind, limit, dev_share)
    text = str(name_or_path)
    catalogue = hub is None and not isinstance(name_or_path, Path) and not text.lower().endswith(SUFFIXES)
    entry = entry_of(text) if catalogue else None
    if entry is not None and fields:
        raise ConfigError("a mapping goes with a file", where=f"task {text}", remedy="leave it out: the task knows its columns")
    if entry is None and source not in (None, Source()) and (hub is not None or Path(text).exists()):
        raise ConfigError(
            "data_dir, split, variant and revision go with a task's name", where=text, remedy="leave them out, or name a task"
        )
    if hub is not None:
        task = _from_report(check_table(hub_table(hub), hub.name, hub.fields), text, kind, dev_share, seed)
    elif isinstance(name_or_path, Path) or text.lower().endswith(SUFFIXES):
        task = _from_file(Path(text).expanduser(), kind, dev_share, seed, fields)
    elif entry is not None:
        task = entry.load(source or Source())
        if kind is not None:
            task = replace(task, kind=known_kind(kind) or task.kind)
            check_kind([*task.dev, *task.test], task.kind, f"task {text}")
    elif Path(text).exists():
        task = _from_file(Path(text), kind, dev_share, seed, fields)
    else:
        raise ConfigError(
            f"unknown task '{text}'", remedy=did_you_mean(text, TASKS.names()) + "; a file ends in " + ", ".join(SUFFIXES)
        )
    if prompt is not None:
        task = replace(task, prompt=prompt)
    if few_shot is not None:
        task = with_shots(task, FewShot(few_shot) if isinstance(few_shot, int) else few_shot, examples_in)
    return task if limit is None else limited(task, limit, seed)


def limited(task: Task, limit: int, seed: int = 0) -> Task:
    """``task`` with at most ``limit`` records of dev and of test each, sampled by ``seed``; raises ConfigError for no limit."""
    _check_limit(limit)
    draw = sample_groups if task.whole_groups else sample
    return replace(task, dev=draw(task.dev, limit, seed, "dev"), test=draw(task.test, limit, seed, "test"))


def _check_limit(limit: Any) -> None:
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        remedy = "give a whole number of at least 1, or leave it out"
        raise ConfigError(f"limit is {limit!r}", where="limit", remedy=remedy)


def _check_options(kind: str | None, limit: int | None, dev_share: Any) -> None:
    known_kind(kind)
    if limit is not None:
        _check_limit(limit)
    if not isinstance(dev_share, int | float) or not 0 <= dev_share < 1:
        raise ConfigError(f"dev_share is {dev_share!r}", where="dev_share", remedy="give the share of dev, from 0 to below 1")


def _from_file(path: Path, kind: str | None, dev_share: float, seed: int, fields: Fields | None) -> Task:
    return _from_report(check_file(path, fields), path.stem, kind, dev_share, seed)


def _from_report(report: Report, name: str, kind: str | None, dev_share: float, seed: int) -> Task:
    """The task of a checked file; raises DataError for its first fault."""
    report.raise_first()
    path, table = report.path, report.table
    records = report.records
    dev, test = divided(records, dev_share, seed)
    wanted = known_kind(kind)
    if wanted is not None:
        check_kind(records, wanted, path)
    return Task(
        table.name or name,
        dev,
        test,
        wanted or joint_kind(records),
        prompt=table.prompt or Prompt(),
        worked=table.prompt.shots if table.prompt else (),
        metric=table.metric,
        notes=report.notes,
        licence=table.licence,
        source=path,
    )


def examples_in(path: Path) -> list[Record]:
    """The records of a file of worked examples, whatever their split; raises DataError for its first fault."""
    report = check_file(path)
    report.faults = [fault for fault in report.faults if fault.what != NO_TEST]
    report.raise_first()
    return report.records


def check_kind(records: Sequence[Record], kind: str, where: str) -> None:
    """Raises DataError where a record that names no kind has not what ``kind`` needs."""
    for record in records:
        for name, what, remedy in unfit(record, kind):
            raise DataError(
                f"record '{record.id}': field '{name}' {what}",
                where=where,
                why=f"the kind {kind} is given for records that name none",
                remedy=remedy,
            )


def divided(records: Sequence[Record], dev_share: float, seed: int) -> tuple[list[Record], list[Record]]:
    """dev and test: as the records say, the others by hash; where all of them would fall into dev, these are test."""
    sides = [record.split or side(record, dev_share, seed) for record in records]
    if "test" not in sides:
        sides = [record.split or "test" for record in records]
    placed = list(zip(records, sides, strict=True))
    return [r for r, where in placed if where == "dev"], [r for r, where in placed if where != "dev"]


def side(record: Record, dev_share: float, seed: int = 0) -> str:
    """``dev`` or ``test`` by hash: records of one group, or with one question, fall on the same side."""
    messages = [turn.get("content", "") for turn in record.messages or []]
    unit = record.group if record.group is not None else " ".join(record.question.casefold().split()) or messages
    return "dev" if derive("split", seed, unit) < dev_share * 2**63 else "test"


def sample(records: list[Record], limit: int, seed: int, name: str) -> list[Record]:
    """At most ``limit`` records, drawn by seed, in their old order."""
    if len(records) <= limit:
        return list(records)
    chosen = generator("limit", seed, name).permutation(len(records))[:limit]
    return [records[i] for i in sorted(int(i) for i in chosen)]


def sample_groups(records: list[Record], limit: int, seed: int, name: str) -> list[Record]:
    """Whole groups of at most ``limit`` records together (but at least one group), drawn by seed, in their old order."""
    groups: dict[str, list[int]] = {}
    for place, record in enumerate(records):
        groups.setdefault(record.group if record.group is not None else f"\0{place}", []).append(place)
    members = list(groups.values())
    kept: list[int] = []
    for i in generator("limit", seed, name).permutation(len(members)):
        if not kept or len(kept) + len(members[int(i)]) <= limit:
            kept += members[int(i)]
    return [records[place] for place in sorted(kept)]
