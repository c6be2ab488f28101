"""Teams of scripted members behind a real server on loopback, asked with the official client."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
import uvicorn

from moco import serve
from moco.core.types import Completion, Request
from moco.models.pool import Pool
from moco.models.store import Store
from moco.testing import ScriptedModel


class Server:
    """One app on a free loopback port, in a thread of its own."""

    def __init__(self, app: Any) -> None:
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]}, daemon=True)

    def start(self) -> Server:
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)
        return self

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(timeout=10)
        self.socket.close()

    def client(self, key: str = "none") -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0, timeout=60)

    def post(self, body: Any, **headers: str) -> httpx.Response:
        return httpx.post(f"{self.url}/v1/chat/completions", json=body, headers=headers, timeout=60)


@pytest.fixture
def serving() -> Iterator[Callable[..., Server]]:
    """``serving({"panel": team}, specs=...)`` starts a server that ends with the test."""
    started: list[Server] = []

    def start(teams: Any, **options: Any) -> Server:
        server = Server(serve.app(teams, **options)).start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


def scripted(store: Store | None = None, **replies: str | Callable[[Request], str | Completion]) -> Pool:
    """A pool of scripted members with these replies."""
    return Pool([ScriptedModel(name, reply) for name, reply in replies.items()], store=store or Store(None))
