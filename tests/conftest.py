"""Every test has its own home and store; nothing of the user's is read or written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import moco.models.member as member_module
import moco.models.pool as pool_module

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")

SHARED = Path(__file__).parents[2] / "shared"
"""Reference vectors, where they are at hand; tests that use them skip otherwise, saying so."""


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    home = tmp_path / "home"
    monkeypatch.setenv("MOCO_HOME", str(home))
    monkeypatch.setattr(pool_module, "_DEFAULT_STORE", [])
    built = dict(member_module._BUILT)
    yield home
    member_module._BUILT.clear()
    member_module._BUILT.update(built)


@pytest.fixture
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the reference vectors are not on this machine")
    return SHARED
