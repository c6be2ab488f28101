"""The routes: models, chat completions, completions, health. Requests are answered on moco's own loop.

Nothing that is asked is logged or kept: of a request only who was asked, the status and the seconds are, to the logger
``moco.serve``. Two equal requests are one answer only within the lifetime of the teams' store.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException as Refused

from moco._version import __version__
from moco.core.errors import ConfigError, MocoError, did_you_mean
from moco.core.runtime import RUNTIME
from moco.core.types import AnswerSpec, Completion, Sampling
from moco.models.protocol import Model
from moco.serve.body import Asked, read_chat, read_completion
from moco.serve.refusals import refusal, refusal_of, turned_away, unknown_model
from moco.serve.replies import Reply, Sort, card

log = logging.getLogger("moco.serve")
MAX_BODY = 8 * 2**20
READERS = {"chat": read_chat, "text": read_completion}


def make(
    teams: Mapping[str, Model], specs: Mapping[str, AnswerSpec], sampling: Mapping[str, Sampling], api_key: str | None
) -> FastAPI:
    """The app; see ``moco.serve.app``."""
    if not teams:
        raise ConfigError("there is nothing to serve", where="teams", remedy="give at least one model")
    for name in (*specs, *sampling):
        if name not in teams:
            raise ConfigError(f"no team is called '{name}'", where="specs", remedy=did_you_mean(name, teams))
    served = FastAPI(title="moco", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    born = int(time.time())

    @served.middleware("http")
    async def guard(request: Request, go: Callable[[Request], Awaitable[Response]]) -> Response:
        begun, status = time.monotonic(), 500
        try:
            refused = turned_away(request, api_key)
            response = refused if refused is not None else await go(request)
            status = response.status_code
            return response
        finally:
            asked = getattr(request.state, "model", "-")
            path = quote(request.url.path)
            log.info("%s %s %s %d %.2f s", request.method, path, asked, status, time.monotonic() - begun)

    @served.get("/health")
    async def health() -> dict[str, Any]:
        return {"status": "ok", "moco": __version__, "models": list(teams)}

    @served.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [card(name, born) for name in teams]}

    @served.get("/v1/models/{name:path}")
    async def model(name: str) -> Any:
        return card(name, born) if name in teams else unknown_model(name, teams)

    async def answered(request: Request, sort: Sort) -> Any:
        try:
            asked = READERS[sort](json.loads(await _body(request)), specs, sampling)
        except ValueError:
            return refusal(400, "the body is not JSON", code="invalid_json")
        if asked.model not in teams:
            return unknown_model(asked.model, teams)
        request.state.model = asked.model
        team = teams[asked.model]
        mark = f"moco-{hashlib.sha256(team.fingerprint.encode()).hexdigest()[:12]}"
        reply = Reply(sort, asked.model, mark, await RUNTIME.bridge(_answer(team, asked)))
        if not asked.stream:
            return reply.whole()
        events = list(reply.events(asked.usage))  # all of them before the first is sent: a fault still has a status of its own
        return StreamingResponse(iter(events), media_type="text/event-stream", headers={"cache-control": "no-cache"})

    @served.post("/v1/chat/completions")
    async def chat(request: Request) -> Any:
        return await answered(request, "chat")

    @served.post("/v1/completions")
    async def completions(request: Request) -> Any:
        return await answered(request, "text")

    @served.exception_handler(MocoError)
    async def known(request: Request, error: Exception) -> Response:
        assert isinstance(error, MocoError)
        return refusal_of(error)

    @served.exception_handler(Refused)
    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        if error.status_code == 404:
            return refusal(404, f"there is no {request.method} {request.url.path}", code="unknown_url")
        if error.status_code == 405:
            allowed = (error.headers or {}).get("allow", "POST")
            what = f"{request.url.path} does not take {request.method}, but {allowed}"
            return refusal(405, what, code="method_not_allowed", headers=error.headers)
        return refusal(error.status_code, str(error.detail))

    @served.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Response:
        log.error("a request failed", exc_info=error)
        return refusal(500, f"{type(error).__name__} in the server", sort="server_error")

    return served


async def _answer(team: Model, asked: Asked) -> list[Completion]:
    """All choices at once; the first failure is raised when the others are done."""
    done = await asyncio.gather(*(team.generate(r) for r in asked.requests), return_exceptions=True)
    for one in done:
        if isinstance(one, BaseException):
            raise one
    return [one for one in done if isinstance(one, Completion)]


async def _body(request: Request) -> bytes:
    """The body, refused as soon as it is too large."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY:
            raise HTTPException(413, f"the body is larger than {MAX_BODY // 2**20} MiB")
        parts.append(part)
    return b"".join(parts)
