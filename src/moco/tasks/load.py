"""Loading a task by catalogue name or from a file.

Invariant: the same file and seed give the same task on every machine. Records that name no split are divided by the
hash of their group (else their question), so equal questions and groups never stand on both sides.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Protocol

from moco.core.errors import ConfigError, DataError, did_you_mean
from moco.core.registry import Registry
from moco.core.seeds import derive, generator
from moco.tasks.check import check_file
from moco.tasks.read import SUFFIXES
from moco.tasks.record import KIND_ALIASES, KIND_NAMES, Prompt, Record, Task


class TaskEntry(Protocol):
    """What a catalogue name stands for."""

    def load(self) -> Task:
        """The whole task."""


TASKS: Registry[TaskEntry] = Registry("task", "moco.tasks")
DEV_SHARE = 0.2
"""How much of the records without a split becomes dev."""


def load_task(
    name_or_path: str | Path,
    *,
    kind: str | None = None,
    limit: int | None = None,
    split: float = DEV_SHARE,
    seed: int = 0,
    prompt: Prompt | None = None,
) -> Task:
    """The task called ``name_or_path``, or the one in that .jsonl, .json or .csv file.

    ``kind`` is that of records which name none. ``split`` is the share of dev among records without a split, ``limit``
    the most records kept of dev and of test each, sampled by ``seed`` and left in the order of the file.
    Raises DataError for a faulty file, ConfigError for an unknown name or option.
    """
    _check_options(kind, limit, split)
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.lower().endswith(SUFFIXES):
        task = _from_file(Path(text).expanduser(), kind, split, seed)
    elif text in TASKS:
        task = TASKS.get(text).load()
        if kind is not None:
            task = replace(task, kind=kind)
    elif Path(text).is_file():
        task = _from_file(Path(text), kind, split, seed)
    else:
        raise ConfigError(
            f"unknown task '{text}'", remedy=did_you_mean(text, TASKS.names()) + "; a file ends in " + ", ".join(SUFFIXES)
        )
    if prompt is not None:
        task = replace(task, prompt=prompt)
    if limit is not None:
        task = replace(task, dev=sample(task.dev, limit, seed, "dev"), test=sample(task.test, limit, seed, "test"))
    return task


def _check_options(kind: str | None, limit: int | None, split: float) -> None:
    if kind is not None and KIND_ALIASES.get(kind, kind) not in KIND_NAMES:
        raise ConfigError(f"unknown kind '{kind}'", where="kind", remedy=did_you_mean(kind, (*KIND_NAMES, *KIND_ALIASES)))
    if limit is not None and limit < 1:
        raise ConfigError(f"limit is {limit}", where="limit", remedy="give at least 1, or leave it out")
    if not 0 <= split < 1:
        raise ConfigError(f"split is {split}", where="split", remedy="give the share of dev, from 0 to below 1")


def _from_file(path: Path, kind: str | None, split: float, seed: int) -> Task:
    report = check_file(path)
    report.raise_first()
    records = report.records
    dev: list[Record] = []
    test: list[Record] = []
    for record in records:
        where = record.split or side(record, split, seed)
        (dev if where == "dev" else test).append(record)
    if not test:
        raise DataError("no record is in test", where=str(path), remedy='give records "split": "test", or leave split out')
    kinds = {record.kind for record in records if record.kind}
    wanted = KIND_ALIASES.get(kind, kind) if kind is not None else None
    if wanted == "multiple_choice" and any(record.choices is None and not record.kind for record in records):
        bad = next(record for record in records if record.choices is None and not record.kind)
        raise DataError(
            f"record '{bad.id}' has no choices", where=str(path), why="the task's kind is multiple_choice", remedy="add choices"
        )
    if wanted is None:
        effective = {record.effective_kind for record in records}
        wanted = effective.pop() if len(effective) == 1 else _joint(effective) if not kinds else "mixed"
    return Task(path.stem, dev, test, wanted)


def _joint(kinds: set[str]) -> str:
    """One kind for a file that names none: answers of which only some are numbers are short texts."""
    return "short_text" if kinds == {"numeric", "short_text"} else "mixed"


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
