"""Data sets of the Hugging Face hub as rows, by the ``datasets`` package (extra ``data``), at a pinned revision if one is given.

Invariant: nothing of a data set's repository is executed; class numbers come out as their names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moco.core.errors import ConfigError
from moco.tasks.hub_failures import INSTALL, hub_errors, hub_failure
from moco.tasks.mapping import Fields, check_fields, map_row
from moco.tasks.read import Table
from moco.tasks.rows import Fault, Row

OTHERWISE = "give a local file"


@dataclass(frozen=True)
class Hub:
    """A data set of the hub: ``name`` (owner/name), its ``config`` and ``revision``, and which of its splits are ours.

    ``splits`` maps ``dev`` and ``test`` to the data set's own, or is one split that moco divides.
    """

    name: str
    config: str | None = None
    revision: str | None = None
    splits: Mapping[str, str] = field(default_factory=dict)
    fields: Fields = field(default_factory=dict)


def hub_table(hub: Hub) -> Table:
    """The rows of ``hub`` in our fields, all from one commit, which is noted. Raises ConfigError where ``datasets`` is missing,
    DataError where the hub has it not."""
    check_fields(hub.fields)
    for ours in hub.splits:
        if ours not in ("dev", "test", "all"):
            raise ConfigError(f"'{ours}' is not one of our splits", where="splits", remedy="write {dev: NAME, test: NAME}")
    commit = commit_of(hub.name, hub.revision)
    rows: list[Row | Fault] = []
    number = 0
    for ours, theirs in (dict(hub.splits) or {"test": "test"}).items():
        for data in hub_rows(hub.name, hub.config, theirs, commit):
            number += 1
            mapped = map_row(Row(number, data), hub.fields)
            if isinstance(mapped, list):
                rows += mapped
                continue
            placed = {"id": f"{theirs}/{number}", **mapped.data} | ({} if ours == "all" else {"split": ours})
            rows.append(Row(number, placed, names=mapped.names))
    return Table(rows, unit="row", notes=(f"{hub.name} of the Hugging Face hub at {commit or 'no commit (a local copy)'}",))


def commit_of(name: str, revision: str | None) -> str | None:
    """The commit that ``revision`` is (None: the newest); as it is for a folder on this machine. Raises as ``hub_table``."""
    if Path(name).is_dir():
        return revision
    _library(name)
    from huggingface_hub import HfApi

    try:
        return str(HfApi().dataset_info(name, revision=revision).sha)
    except hub_errors() as error:
        raise hub_failure(error, name, otherwise=OTHERWISE) from error


def hub_rows(name: str, config: str | None, split: str, revision: str | None) -> Iterator[dict[str, Any]]:
    """The rows of one split as plain values; raises as ``hub_table`` does."""
    library = _library(name)
    try:
        loaded = library.load_dataset(name, config, split=split, revision=revision)
    except (*hub_errors(), library.exceptions.DatasetsError) as error:
        failure = hub_failure(error, name, otherwise=OTHERWISE)
        failure.where = f"{failure.where}, config {config or '(default)'}, split {split}"
        raise failure from error
    names = {key: feature for key, feature in loaded.features.items() if hasattr(feature, "int2str")}
    for row in loaded:
        for key, feature in names.items():
            if isinstance(row[key], int) and row[key] >= 0:
                row[key] = feature.int2str(row[key])
        yield row


def _library(name: str) -> Any:
    try:
        import datasets
    except ImportError as error:
        raise ConfigError("data sets of the hub need the package datasets", where=name, remedy=INSTALL) from error
    return datasets
