"""Models of the playground for the backend tests: loaded once per session, run on the CPU in float32."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

import moco
from moco.models.hf import HFModel

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: threads cost tiny models more than they give
WEIGHTS = Path(moco.__path__[0]) / "playground" / "weights" / "dev"


@cache
def load(name: str) -> HFModel:
    return HFModel(WEIGHTS / name, name=name, device="cpu")


@pytest.fixture
def member() -> Callable[[str], HFModel]:
    """``member("alpha")``: the playground model of that name, shared by the session."""
    return load


@pytest.fixture
def weights() -> Path:
    return WEIGHTS
