"""A collaboration behind an OpenAI-compatible endpoint. Importing this needs no extra; making an app needs ``serve``."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import TYPE_CHECKING

from moco.core.errors import ConfigError
from moco.core.types import AnswerSpec, Sampling

if TYPE_CHECKING:
    from fastapi import FastAPI

    from moco.models.protocol import Model

MEMORY = 256 * 2**20
"""Bytes of finished answers a server keeps in memory, unless told otherwise."""
INSTALL = 'pip install "mocolab[serve]"'


def require_extra() -> None:
    """Raises ConfigError with the install line where fastapi or uvicorn is missing."""
    missing = [name for name in ("fastapi", "uvicorn") if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"serving needs {' and '.join(missing)}, not installed here", where="moco serve", remedy=INSTALL)


def app(
    teams: Mapping[str, Model],
    *,
    specs: Mapping[str, AnswerSpec] | None = None,
    sampling: Mapping[str, Sampling] | None = None,
    api_key: str | None = None,
    memory: int | None = MEMORY,
) -> FastAPI:
    """An ASGI app that answers as each of ``teams``, by name.

    ``specs`` say how a team's answers are read unless a request brings its own; ``sampling`` is used where a request
    says nothing. With ``api_key`` every call but /health needs ``Authorization: Bearer KEY``; without it only requests
    addressed to loopback are served. ``memory`` bounds what the teams' stores keep in memory, in bytes of JSON; the least
    recently used answers go first and are computed again when asked for (None: no bound). Raises ConfigError for no team,
    an unknown name or a bound below 1.
    """
    require_extra()
    from moco.models.store import Store
    from moco.serve.http import make

    if memory is not None and memory < 1:
        raise ConfigError(f"memory is {memory} bytes", where="memory", remedy="give at least 1, or None for no bound")
    stores = {id(s): s for team in teams.values() if isinstance(s := getattr(team, "store", None), Store)}
    for store in stores.values():
        store.bound(memory)
    return make(teams, specs or {}, sampling or {}, api_key)


__all__ = ["INSTALL", "MEMORY", "app", "require_extra"]
