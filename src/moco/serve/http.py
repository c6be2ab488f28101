"""The routes: models, chat completions, health. Requests are answered on moco's own loop; errors have OpenAI's form.

Nothing of a request is logged or kept. Two equal requests are one answer only within the lifetime of the teams' store.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from moco._version import __version__
from moco.core.errors import (
    BackendError,
    ConfigError,
    ContextOverflow,
    MocoError,
    PoolError,
    RateLimited,
    Transient,
    did_you_mean,
)
from moco.core.runtime import RUNTIME
from moco.core.seeds import digest
from moco.core.types import AnswerSpec, Completion, Sampling, Usage
from moco.models.protocol import Model
from moco.serve.body import Asked, BadField, read

log = logging.getLogger("moco.serve")
LOOPBACK = {"127.0.0.1", "localhost", "[::1]", "::1", "testserver"}
MAX_BODY = 8 * 2**20


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
        refused = _refused(request, api_key)
        return refused if refused is not None else await go(request)

    @served.get("/health")
    async def health() -> dict[str, Any]:
        return {"status": "ok", "moco": __version__, "models": list(teams)}

    @served.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [_card(name, born) for name in teams]}

    @served.get("/v1/models/{name:path}")
    async def model(name: str) -> Any:
        return _card(name, born) if name in teams else _unknown_model(name, teams)

    @served.post("/v1/chat/completions")
    async def chat(request: Request) -> Any:
        try:
            asked = read(json.loads(await _body(request)), specs, sampling)
        except ValueError:
            return _error(400, "the body is not JSON", code="invalid_json")
        if asked.model not in teams:
            return _unknown_model(asked.model, teams)
        said = await RUNTIME.bridge(_answer(teams[asked.model], asked))
        return _response(asked.model, teams[asked.model], said)

    @served.exception_handler(MocoError)
    async def known(request: Request, error: Exception) -> Response:
        assert isinstance(error, MocoError)
        return _of(error)

    @served.exception_handler(HTTPException)
    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _error(error.status_code, str(error.detail))

    @served.exception_handler(404)
    async def missing(request: Request, error: Exception) -> Response:
        return _error(404, f"there is no {request.method} {request.url.path}", code="unknown_url")

    @served.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Response:
        log.error("a request failed", exc_info=error)
        return _error(500, f"{type(error).__name__} in the server", sort="server_error")

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


def _refused(request: Request, api_key: str | None) -> Response | None:
    """Why a request is not let in; without a key only loopback addresses are served, so that no web page reaches us."""
    if request.url.path == "/health":
        return None
    if api_key is not None:
        given = request.headers.get("authorization", "")
        right = hmac.compare_digest(given.encode("utf-8", "replace"), f"Bearer {api_key}".encode())
        return (
            None if right else _error(401, "the API key is missing or wrong", code="invalid_api_key", sort="authentication_error")
        )
    host = request.headers.get("host", "")
    name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
    return (
        None
        if name in LOOPBACK
        else _error(403, "this server answers on loopback only", code="wrong_host", sort="permission_error")
    )


def _card(name: str, born: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": born, "owned_by": "moco"}


def _response(name: str, team: Model, said: Sequence[Completion]) -> dict[str, Any]:
    usage = sum((c.usage for c in said), Usage())
    choices = [
        {
            "index": i,
            "message": {"role": "assistant", "content": c.text, "refusal": None},
            "finish_reason": "length" if c.finish == "length" else "stop",
            "logprobs": None,
        }
        for i, c in enumerate(said)
    ]
    about = [{"source": c.source, "confidence": c.confidence, "reason": dict(c.reason), "key": c.key} for c in said]
    return {
        "id": f"chatcmpl-{digest('response', name, [c.text for c in said], time.time_ns())[:24]}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": name,
        "choices": choices,
        "usage": {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        },
        "system_fingerprint": f"moco-{hashlib.sha256(team.fingerprint.encode()).hexdigest()[:12]}",
        "moco": {**about[0], "calls": usage.calls, **({"choices": about} if len(about) > 1 else {})},
    }


def _unknown_model(name: str, teams: Mapping[str, Model]) -> Response:
    return _error(404, f"unknown model '{name}'; {did_you_mean(name, teams)}", param="model", code="model_not_found")


def _of(error: MocoError) -> Response:
    """The HTTP form of what moco raised; paths and prompts of the server stay here."""
    text = error.what + (f"; {error.remedy}" if error.remedy else "")
    if isinstance(error, BadField):
        return _error(400, text, param=error.param, code=error.code)
    if isinstance(error, ContextOverflow):
        return _error(400, text, param="messages", code="context_length_exceeded")
    if isinstance(error, RateLimited):
        wait = {} if error.retry_after is None else {"retry-after": str(max(1, round(error.retry_after)))}
        return _error(429, text, sort="rate_limit_error", headers=wait)
    if isinstance(error, Transient):
        return _error(503, text, sort="server_error")
    if isinstance(error, BackendError):
        return _error(502, text, sort="server_error")
    if isinstance(error, ConfigError | PoolError):
        return _error(400, text)
    log.error("a request failed", exc_info=error)
    return _error(500, text, sort="server_error")


def _error(
    status: int,
    text: str,
    *,
    param: str | None = None,
    code: str | None = None,
    sort: str = "invalid_request_error",
    headers: Mapping[str, str] | None = None,
) -> Response:
    body = {"error": {"message": text, "type": sort, "param": param, "code": code}}
    return JSONResponse(body, status, headers=dict(headers or {}))
