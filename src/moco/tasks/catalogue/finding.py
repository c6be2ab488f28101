"""Where the data of an entry are: original files, a released MoCo file, or a copy of the hub's repository in ``data_dir``.

Invariant: nothing outside ``data_dir`` is looked at, and what is found does not depend on the order a folder is listed in.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from moco.core.errors import DataError
from moco.tasks.catalogue.entry import Entry, Native, Table
from moco.tasks.catalogue.reading import READABLE, rows_of, text_of_file, value_of_file
from moco.tasks.hub_failures import INSTALL
from moco.tasks.released import looks_released


def places(entry: Entry, data_dir: Path) -> list[Path]:
    """The folders that may hold the entry's files: ``data_dir`` itself, and the ones named after the task inside it."""
    names = ("", entry.name, entry.folder, "data", f"{entry.folder or entry.name}/data")
    return list(dict.fromkeys(data_dir / name if name else data_dir for name in names))


def released_file(entry: Entry, data_dir: Path | None) -> Path | None:
    """The released MoCo file in ``data_dir`` (or ``data_dir`` itself, where it is that file)."""
    if data_dir is None:
        return None
    if data_dir.is_file():
        return data_dir if _is_released(data_dir, entry) else None
    for place in places(entry, data_dir):
        for name in _released_names(entry):
            path = place / name
            if path.is_file() and _is_released(path, entry):
                return path
    return None


def _is_released(path: Path, entry: Entry) -> bool:
    """By shape: an object with dev and test. Originals of that shape (human_interest) are told apart by their names."""
    if path.suffix.lower() != ".json":
        return False
    if path.name not in _released_names(entry) and any(table.inner and _matches(path.name, table) for table in entry.tables):
        return False
    return looks_released(text_of_file(path)[0])


def _released_names(entry: Entry) -> tuple[str, ...]:
    return tuple(dict.fromkeys((f"{entry.released_name or entry.name}.json", f"{entry.name}.json")))


def _matches(name: str, table: Table) -> bool:
    return any(fnmatch(name, pattern.rsplit("/", 1)[-1]) for pattern in table.files)


def original_files(entry: Entry, data_dir: Path, *, generic: bool = True) -> list[tuple[Table, Path]]:
    """The original files there are, by table; empty where there are none. One file of another name is the main table's.

    ``generic`` False leaves out patterns that begin with a star, which might catch the files of other tasks.
    """
    if data_dir.is_file():
        named = [table for table in entry.tables if _matches(data_dir.name, table)]
        main = [table for table in entry.tables if table.side != "dev"][:1]
        return [(table, data_dir) for table in (named or main)]
    for place in places(entry, data_dir):
        found = []
        for table in entry.tables:
            for pattern in table.files:
                if not generic and pattern.startswith("*"):
                    continue
                paths = sorted(path for path in place.glob(pattern) if _is_original(path, entry))
                if paths:
                    found += [(table, path) for path in paths]
                    break
        if found:
            return found
    return []


def _is_original(path: Path, entry: Entry) -> bool:
    return path.is_file() and path.name.endswith(READABLE) and path.name not in _released_names(entry)


def rows_from_files(files: Sequence[tuple[Table, Path]], entry: Entry) -> Iterator[tuple[Table, Path, Native]]:
    """Every row of ``files``, with the contents of the entry's files beside them."""
    beside: dict[Path, dict[str, object]] = {}
    for table, path in files:
        folder = path.parent
        if folder not in beside:
            beside[folder] = {name: value_of_file(folder / name) for name in entry.aside if (folder / name).is_file()}
        for number, row in enumerate(rows_of(path, table.inner)):
            yield table, path, Native(row, number, part_of(path), table.split, "", beside[folder])


def part_of(path: Path) -> str:
    """The stem of a file without what says that it was cut or packed: ``sat-en``, ``jec-qa-kd``."""
    return re.sub(r"\.(head|first)\d+$", "", path.name.removesuffix(".gz").rsplit(".", 1)[0])


def digest_of(path: Path) -> str:
    """The revision of a file: the head of its sha256."""
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"


def advice(entry: Entry, *, hub: bool = True) -> str:
    """What a user can do to get the data, in one sentence; ``hub`` False where the hub was tried in vain."""
    ways = []
    if entry.hub and hub:
        gate = f" ({entry.hub.gated})" if entry.hub.gated else ""
        ways.append(f"{INSTALL} and leave data_dir out, to read '{entry.hub.dataset}' from the hub{gate}")
    names = list(dict.fromkeys([*(table.files[0] for table in entry.tables if table.files), *entry.aside]))
    if names:
        origin = f" (from {entry.original})" if entry.original else ""
        ways.append(f"put {', '.join(names[:4])}{', ...' if len(names) > 4 else ''}{origin} into data_dir")
    if entry.beside is None:  # a task of one's own was never released
        ways.append(f"put the released {entry.released_name or entry.name}.json into data_dir")
    return ", or ".join(ways)


def nothing_found(entry: Entry, data_dir: Path) -> DataError:
    what = "there is no such folder" if not data_dir.exists() else f"there are no files of the task '{entry.name}'"
    return DataError(what, where=str(data_dir), remedy=advice(entry))
