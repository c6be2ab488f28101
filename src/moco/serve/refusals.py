"""Errors in OpenAI's form, and who is let in at all."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Iterable, Mapping

from fastapi import Request, Response
from fastapi.responses import JSONResponse

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
from moco.serve.fields import BadField

log = logging.getLogger("moco.serve")
LOOPBACK = {"127.0.0.1", "localhost", "[::1]", "::1", "testserver"}


def turned_away(request: Request, api_key: str | None) -> Response | None:
    """Why a request is not let in; without a key only loopback addresses are served, so that no web page reaches us."""
    if request.url.path == "/health":
        return None
    if api_key is not None:
        given = request.headers.get("authorization", "")
        right = hmac.compare_digest(given.encode("utf-8", "replace"), f"Bearer {api_key}".encode())
        return (
            None
            if right
            else refusal(401, "the API key is missing or wrong", code="invalid_api_key", sort="authentication_error")
        )
    host = request.headers.get("host", "")
    name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
    return (
        None
        if name in LOOPBACK
        else refusal(403, "this server answers on loopback only", code="wrong_host", sort="permission_error")
    )


def unknown_model(name: str, known: Iterable[str]) -> Response:
    """Nobody of that name is served."""
    return refusal(404, f"unknown model '{name}'; {did_you_mean(name, known)}", param="model", code="model_not_found")


def refusal_of(error: MocoError) -> Response:
    """The HTTP form of what moco raised; paths and prompts of the server stay here."""
    text = error.what + (f"; {error.remedy}" if error.remedy else "")
    if isinstance(error, BadField):
        return refusal(400, text, param=error.param, code=error.code)
    if isinstance(error, ContextOverflow):
        return refusal(400, text, param="messages", code="context_length_exceeded")
    if isinstance(error, RateLimited):
        wait = {} if error.retry_after is None else {"retry-after": str(max(1, round(error.retry_after)))}
        return refusal(429, text, sort="rate_limit_error", headers=wait)
    if isinstance(error, Transient):
        return refusal(503, text, sort="server_error")
    if isinstance(error, BackendError):
        return refusal(502, text, sort="server_error")
    if isinstance(error, ConfigError | PoolError):
        return refusal(400, text)
    log.error("a request failed", exc_info=error)
    return refusal(500, text, sort="server_error")


def refusal(
    status: int,
    text: str,
    *,
    param: str | None = None,
    code: str | None = None,
    sort: str = "invalid_request_error",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error as OpenAI's clients read it."""
    body = {"error": {"message": text, "type": sort, "param": param, "code": code}}
    return JSONResponse(body, status, headers=dict(headers or {}))
