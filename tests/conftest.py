"""Every test has its own home and store, and leaves no method registered; nothing of the user's is read or written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import moco.models.member as member_module
import moco.models.pool as pool_module
from moco.collab import METHODS

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("moco", derandomize=True, deadline=None)
settings.load_profile("moco")
"""The same examples on every machine, however slow; ``--hypothesis-profile default`` looks for new ones."""

SHARED = Path(__file__).parents[2] / "shared"
"""Reference vectors, where they are at hand; tests that use them skip otherwise, saying so."""


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    home = tmp_path / "home"
    monkeypatch.setenv("MOCO_HOME", str(home))
    monkeypatch.setattr(pool_module, "_DEFAULT_STORE", [])
    kept: list[tuple[dict[Any, Any], dict[Any, Any]]] = [(table, dict(table)) for table in (member_module._BUILT, METHODS._items)]
    yield home
    for table, before in kept:
        table.clear()
        table.update(before)


@pytest.fixture
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the reference vectors are not on this machine")
    return SHARED
