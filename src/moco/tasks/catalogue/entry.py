"""What a catalogue name stands for: facts about a data set as data, and the function from a native row to records.

Invariant: an entry is immutable, and two loads of it from equal sources give equal tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from moco.tasks.record import Prompt, Task

if TYPE_CHECKING:
    from moco.tasks.catalogue.making import Made
    from moco.tasks.load import Source

Side = Literal["dev", "test", "shots", "unused", ""]


class Defect(Exception):
    """A row that cannot be graded rightly; its id and this text are reported, and it is dropped."""


class LeaveOut(Exception):
    """A row that the task leaves out by design (a picture is needed, the label is hidden); counted by this text."""


@dataclass(frozen=True)
class Native:
    """A row as its source has it, and where it stood."""

    data: Mapping[str, Any]
    number: int = 0
    """Its place in its table or file, from 0."""
    part: str = ""
    """The configuration on the hub or the stem of the file: often a subject or a subtask."""
    split: str = "test"
    variant: str = ""
    aside: Mapping[str, Any] = field(default_factory=dict)
    """Files beside the table that the converter needs (official test ids), by name."""


Converter = Callable[[Native], Iterable[dict[str, Any]]]
"""A native row to the fields of its records (an ``id`` within its split, and whatever ``Record`` has). Beside them it may
give ``side`` (where its split is not the table's) and ``mended`` (what was wrong in the source). Raises Defect, LeaveOut."""


@dataclass(frozen=True)
class Table:
    """One table of a data set, on the hub and as a file.

    ``side`` is where its records go; "" divides them by the published protocol. ``configs`` are the hub's configurations,
    ("*",) all of them; ``hub_split`` its split there where that is not ``split``, ``hub_file`` one raw file of the
    repository where that is a loading script, which is never run. ``files`` are patterns of the original files, the first
    that is there; ``inner`` is the key of a list inside a JSON file. ``keep`` is how many records are taken of a large part:
    those with the lowest sha256(id).
    """

    split: str = "test"
    side: Side = ""
    files: tuple[str, ...] = ()
    configs: tuple[str, ...] = ("",)
    inner: str = ""
    keep: int | None = None
    hub_split: str = ""
    hub_file: str = ""


@dataclass(frozen=True)
class Hub:
    """A data set on the Hugging Face hub. Without a ``revision`` the newest is resolved when it is loaded, and recorded.

    ``{part}`` in ``dataset`` stands for each of the table's configs, where a data set is one repository per subset.
    ``gated`` says what has to be accepted, and where.
    """

    dataset: str
    revision: str | None = None
    gated: str = ""


@dataclass(frozen=True)
class Variant:
    """Another cut of the same data: what it is, and what differs. Fields left None are the entry's own."""

    what: str
    hub: Hub | None = None
    tables: tuple[Table, ...] | None = None
    kind: str | None = None
    metric: str | None = None
    prompt: Prompt | None = None
    called: str = ""
    """The name of the task, where the entry's own would mislead."""
    macro: str | None = None
    convert: Converter | None = None
    whole_groups: bool | None = None
    in_released: bool = True
    """Whether the released MoCo file holds what this variant needs."""
    notes: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Shots:
    """Worked examples before the question: the first ``count`` records of side ``shots``, which are ``where``."""

    count: int
    where: str


@dataclass(frozen=True)
class Example:
    """A made-up native row, as documentation and as the converter's test: never an item of the data set."""

    native: Native
    released: Mapping[str, Any] = field(default_factory=dict)
    """The same row as the released MoCo files have it."""


@dataclass(frozen=True)
class Entry:
    """One task of the catalogue. Field by field what ``moco tasks NAME`` prints."""

    name: str
    kind: str
    metric: str
    measures: str
    licence: str
    convert: Converter
    tables: tuple[Table, ...]
    paper: str = ""
    hub: Hub | None = None
    original: str = ""
    """Where the original files are, in words: repository and path."""
    folder: str = ""
    """The folder of the original files inside ``data_dir``, where that is not the task's name."""
    beside: Path | None = None
    """The folder of files that the package of the entry brings, for a task of one's own: read where no ``data_dir`` is given."""
    aside: tuple[str, ...] = ()
    """Original files that are no tables but are needed beside them."""
    prompt: Prompt = field(default_factory=Prompt)
    shots: Shots | None = None
    variants: Mapping[str, Variant] = field(default_factory=dict)
    """The first one is the default."""
    examples: tuple[Example, ...] = ()
    macro: str = ""
    whole_groups: bool = False
    notes: tuple[str, ...] = ()
    """What everybody who reports a figure of this task should know."""
    released: Converter | None = None
    """A row of the released MoCo file to records; None reads it by its fields."""
    released_name: str = ""
    """The released file without .json, where that is not the task's name."""
    released_as: Variant | None = None
    """What the released file of this name really holds, where that is another task."""
    released_official: bool = False
    """Whether the released dev and test lists are (parts of) the official splits, and so stay apart."""
    arrange: Callable[[list[Made]], str] | None = None
    """Sets sides where they depend on several tables at once (nested sets); a note on how, or ""."""

    def load(self, source: Source) -> Task:
        """The whole task from ``source``.

        Raises ConfigError for a variant or split it does not have; DataError where there are no data, saying what to do
        to get them, and where most rows cannot be read.
        """
        from moco.tasks.catalogue.loading import load

        return load(self, source)

    @property
    def description(self) -> str:
        return self.measures

    @property
    def source(self) -> str:
        return self.hub.dataset if self.hub else self.original or "files of its own"

    def about(self) -> dict[str, Any]:
        """What is known of the task without reading any data; JSON."""
        return {
            "name": self.name,
            "kind": self.kind,
            "metric": self.metric,
            "measures": self.measures,
            "licence": self.licence,
            "paper": self.paper or None,
            "sources": self.sources(),
            "gated": self.hub.gated if self.hub and self.hub.gated else None,
            "variants": {name: v.what for name, v in self.variants.items()},
            "splits": [
                {"split": split, "side": side or "by protocol", "keep": keep}
                for split, side, keep in dict.fromkeys((t.split, t.side, t.keep) for t in self.tables)
            ],
            "macro": self.macro or None,
            "whole_groups": self.whole_groups,
            "system": self.prompt.system,
            "template": self.prompt.template,
            "answer_format": dict(self.prompt.answer_format) or self.prompt.format_for(self.kind),
            "shots": {
                "count": self.shots.count if self.shots else 0,
                "from": self.shots.where if self.shots else None,
                "per": self.prompt.shots_by or None,
            },
            "notes": list(self.notes),
        }

    def sources(self) -> dict[str, Any]:
        """Every place the task can be read from."""
        found: dict[str, Any] = {}
        if self.hub:
            configs = sorted({c for t in self.tables for c in t.configs if c})
            found["hub"] = {
                "dataset": self.hub.dataset,
                "configs": "all" if configs == ["*"] else configs,
                "revision": self.hub.revision or "the newest, recorded when it is loaded; `revision` pins another",
            }
        patterns = sorted({p for t in self.tables for p in t.files} | set(self.aside))
        if patterns:
            found["files"] = {"patterns": patterns, "from": self.original or None}
        if self.beside:
            found["package"] = "its own files"
        else:
            found["released"] = f"{self.released_name or self.name}.json"
        return found
