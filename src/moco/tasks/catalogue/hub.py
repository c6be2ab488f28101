"""Rows from the Hugging Face hub, or from a local folder that looks like a repository of it, through ``datasets``.

Invariant: nothing from the repository is executed (data sets that are scripts are refused by ``datasets``), and the rows
come from one commit, whose id is returned. The token is the hub client's own (HF_TOKEN, or its login), never ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moco.core.errors import ConfigError
from moco.tasks.catalogue.entry import Hub, Native, Table
from moco.tasks.catalogue.reading import rows_of
from moco.tasks.hub_failures import INSTALL, hub_errors, hub_failure

if TYPE_CHECKING:
    from types import ModuleType


def rows_from_hub(
    hub: Hub, tables: Sequence[Table], revision: str | None, advice: str
) -> tuple[str, Iterator[tuple[Table, Native]]]:
    """The commit the rows are from, and the rows. ``advice`` is what else can be done, for the error.

    Raises ConfigError where ``datasets`` is not installed, DataError where the hub does not give the data.
    """
    library = _library()
    wanted = revision or hub.revision
    names = {hub.dataset.format(part=part) for table in tables for part in table.configs}
    commits = {name: _commit(name, wanted, hub, advice) for name in sorted(names)}
    told = next(iter(commits.values())) if len(commits) == 1 else ", ".join(f"{n}@{c[:12]}" for n, c in commits.items())

    def rows() -> Iterator[tuple[Table, Native]]:
        for table in tables:
            if table.hub_file:
                yield from _raw(hub, table, commits[hub.dataset], advice)
                continue
            for part in table.configs:
                name = hub.dataset.format(part=part)
                config = "" if "{part}" in hub.dataset else part
                yield from _table(library, name, commits[name], config, part, table, hub, advice)

    return told, rows()


def rows_from_folder(folder: Path, tables: Sequence[Table], hub: Hub, advice: str) -> Iterator[tuple[Table, Native]]:
    """The rows of a local copy of the repository; of a data set with one repository per subset, of those copies there are."""
    library = _library()
    for table in tables:
        for part in table.configs:
            if "{part}" not in hub.dataset:
                yield from _table(library, str(folder), None, part, part, table, hub, advice)
            elif (copy := folder / hub.dataset.format(part=part).rpartition("/")[2]).is_dir():
                yield from _table(library, str(copy), None, "", part, table, hub, advice)


def looks_like_repository(folder: Path) -> bool:
    """Whether ``folder`` is a copy of a data set's repository: a card with its configurations, or Parquet files."""
    card = folder / "README.md"
    if card.is_file() and card.read_text(encoding="utf-8", errors="replace").startswith("---"):
        return True
    return folder.is_dir() and next(folder.rglob("*.parquet"), None) is not None


def _library() -> ModuleType:
    try:
        import datasets
    except ImportError as error:
        raise ConfigError(
            "loading from the Hugging Face hub needs the extra 'data'", remedy=f"{INSTALL}, or give data_dir with the files"
        ) from error
    library: ModuleType = datasets
    return library


def _commit(dataset: str, revision: str | None, hub: Hub, advice: str) -> str:
    from huggingface_hub import HfApi

    try:
        return str(HfApi().dataset_info(dataset, revision=revision).sha)
    except hub_errors() as error:
        raise hub_failure(error, dataset, gated=hub.gated, otherwise=advice) from error


def _table(
    library: ModuleType, dataset: str, commit: str | None, config: str, part: str, table: Table, hub: Hub, advice: str
) -> Iterator[tuple[Table, Native]]:
    configs = [config]
    try:
        if config == "*":
            configs = list(library.get_dataset_config_names(dataset, revision=commit))
        for name in configs:
            loaded: Any = library.load_dataset(dataset, name or None, split=table.hub_split or table.split, revision=commit)
            for number, row in enumerate(loaded):
                yield table, Native(row, number, name or part, table.split)
    except hub_errors() as error:
        raise hub_failure(error, dataset, gated=hub.gated, otherwise=advice) from error


def _raw(hub: Hub, table: Table, commit: str, advice: str) -> Iterator[tuple[Table, Native]]:
    """The rows of one file of the repository, for those that ``datasets`` would have to run a script for."""
    from huggingface_hub import hf_hub_download

    try:
        path = Path(hf_hub_download(hub.dataset, table.hub_file, repo_type="dataset", revision=commit))
    except hub_errors() as error:
        raise hub_failure(error, hub.dataset, gated=hub.gated, otherwise=advice) from error
    for number, row in enumerate(rows_of(path, table.inner)):
        yield table, Native(row, number, "", table.split)
