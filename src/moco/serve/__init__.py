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
) -> FastAPI:
    """An ASGI app that answers as each of ``teams``, by name.

    ``specs`` say how a team's answers are read unless a request brings its own; ``sampling`` is used where a request
    says nothing. With ``api_key`` every call but /health needs ``Authorization: Bearer KEY``; without it only requests
    addressed to loopback are served. Raises ConfigError for no team or an unknown name.
    """
    require_extra()
    from moco.serve.http import make

    return make(teams, specs or {}, sampling or {}, api_key)


__all__ = ["INSTALL", "app", "require_extra"]
