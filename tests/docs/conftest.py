"""One home for all examples, so that what one page paid for the next one has; methods an example registers leave again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from moco.collab import METHODS


@pytest.fixture(scope="session")
def examples_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("examples-home")


@pytest.fixture
def example_folder(examples_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to run a page's examples in; it is the current one."""
    folder = tmp_path / "examples"
    folder.mkdir()
    monkeypatch.setenv("MOCO_HOME", str(examples_home))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(folder)
    METHODS.names()
    before = dict(METHODS._items)
    yield folder
    METHODS._items.clear()
    METHODS._items.update(before)
