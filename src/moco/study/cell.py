"""A cell: one method on one task with one seed, and its folder in the run directory.

The folder's name is slug + hash of what decides the answers, so a finished cell of an equal study is never run again.
`answers.jsonl` grows by whole lines; a torn last line is dropped when it is read.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from moco.collab.method import Method
from moco.collab.source import source_hash
from moco.core.seeds import digest
from moco.core.types import Call, Sampling
from moco.models.pool import Pool
from moco.study.outcomes import Outcome
from moco.tasks import Task


@dataclass(frozen=True)
class Cell:
    """What to run. ``role`` says why: a method of the study, a member alone, a reference alone, or the equal-token baseline."""

    label: str
    method: Method
    pool: Pool
    task: Task
    fit_on: Task | None
    seed: int
    sampling: Sampling
    role: str = "method"
    reference: str = ""
    """How the method is loaded again: its name, or path/to/file.py:Class."""
    rivals: tuple[str, ...] = ()
    """For the equal-token baseline: the methods whose tokens it matches."""

    @cached_property
    def id(self) -> str:
        """Slug and hash of method, options, members, task, fit data, sampling and seed."""
        parts = [
            self.method.info.name,
            source_hash(type(self.method)),
            self.method.options,
            self.pool.fingerprint,
            self.task.fingerprint,
            self.fit_on.fingerprint if self.fit_on is not None else None,
            asdict(self.sampling),
            self.seed,
        ]
        slug = re.sub(r"[^a-z0-9]+", "-", f"{self.label}-{self.task.name}-s{self.seed}".lower()).strip("-")
        return f"{slug[:80]}-{digest('cell', parts)[:10]}"


class CellFolder:
    """The files of one cell under ``cells/``."""

    def __init__(self, root: Path, cell_id: str) -> None:
        self.path = root / "cells" / cell_id
        self.answers, self.transcripts = self.path / "answers.jsonl", self.path / "transcripts.jsonl"
        self.summary, self.fitted = self.path / "summary.json", self.path / "fitted"
        self.stages = self.path / "stages.jsonl"
        self._open: list[IO[str]] = []

    @property
    def finished(self) -> bool:
        """Whether the cell is complete: its summary is written last, and only a cell without failed items counts.

        A summary that cannot be read is none: the cell is run again, mostly from the store.
        """
        try:
            return bool(json.loads(self.summary.read_text(encoding="utf-8"))["summary"]["failed"] == 0)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def kept(self) -> dict[str, Outcome]:
        """Outcomes of an earlier run by item id; failed ones are left out, to be tried again."""
        found = {}
        for line in read_lines(self.answers):
            try:
                outcome = Outcome.from_json(line)
            except (KeyError, TypeError):  # changed by hand, or by another version: asked again
                continue
            if not outcome.failed:
                found[outcome.id] = outcome
        return found

    def transcript(self, item: str) -> dict[str, Any] | None:
        """The transcript line of one item."""
        return next((line for line in read_lines(self.transcripts) if line["id"] == item), None)

    def begin(self, keep: Iterable[str]) -> None:
        """Open for appending, keeping only the lines of the items in ``keep``."""
        self.path.mkdir(parents=True, exist_ok=True)
        wanted = set(keep)
        for file in (self.answers, self.transcripts):
            lines = {line["id"]: line for line in read_lines(file) if line.get("id") in wanted}
            write_lines(file, lines.values())
        self._open = [file.open("a", encoding="utf-8") for file in (self.answers, self.transcripts)]

    def append(self, outcome: Outcome, calls: Sequence[Call]) -> None:
        """One answered item; both lines are handed to the system at once."""
        for file, line in zip(
            self._open, (outcome.to_json(), {"id": outcome.id, "calls": [asdict(c) for c in calls]}), strict=True
        ):
            file.write(json.dumps(line, ensure_ascii=True) + "\n")
            file.flush()

    def close(self) -> None:
        for file in self._open:
            file.close()
        self._open = []

    def finish(self, order: Sequence[str], about: Mapping[str, Any]) -> None:
        """Put the lines into the task's order and write the summary, last."""
        self.close()
        place = {item: i for i, item in enumerate(order)}
        for file in (self.answers, self.transcripts):
            lines = {line["id"]: line for line in read_lines(file)}
            write_lines(file, sorted(lines.values(), key=lambda line: place[line["id"]]))
        write_json(self.summary, about)


def read_lines(file: Path) -> list[dict[str, Any]]:
    """The whole lines of a JSONL file; a torn last line, left by a kill, is dropped."""
    if not file.exists():
        return []
    out = []
    for raw in file.read_bytes().split(b"\n"):
        if not raw.strip():
            continue
        try:
            line = json.loads(raw)
        except ValueError:
            line = None
        if not isinstance(line, dict):
            break  # everything after a torn line was written by nobody: items are appended one after another
        out.append(line)
    return out


def write_lines(file: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    write_text(file, "".join(json.dumps(line, ensure_ascii=True) + "\n" for line in lines))


def write_json(file: Path, data: Any) -> None:
    write_text(file, json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def write_text(file: Path, text: str) -> None:
    """Replace ``file`` as a whole: a reader sees the old or the new one, a kill leaves one of them.

    Who may read it is the umask's business, as for any file (a run is often shared with colleagues).
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}.{threading.get_ident()}")
    with temporary.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    os.replace(temporary, file)
