"""``moco serve``: collaborations behind an OpenAI-compatible endpoint; on loopback unless an API key guards it."""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from moco.core.errors import ConfigError

if TYPE_CHECKING:
    import socket

LOOPBACK = ("127.0.0.1", "localhost", "::1")
ANYWHERE = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}
"""Addresses to listen on that are none to ask at, and what one asks at instead."""
KEY = "MOCO_API_KEY"


def serve(
    source: Path = typer.Argument(..., help="A study.yaml, a finished run's folder, or a finished cell runs/NAME/cells/ID."),
    method: str | None = typer.Option(None, "--method", help="Label of a method in the study or run; default: all its methods."),
    host: str = typer.Option("127.0.0.1", "--host", help="Address to listen on; other than loopback needs MOCO_API_KEY."),
    port: int = typer.Option(8000, "--port", min=0, max=65535, help="Port to listen on; 0: any free one."),
    quiet: bool = typer.Option(False, "--quiet", help="No line per request on stderr."),
) -> None:
    """Serve collaborations as OpenAI-compatible models. What is asked is never written to disk.

    Each method is a model, called by its label. A study's are fitted first. A run's are there already: those of its first task
    and first seed; any other cell is served by its own folder.

    Example:  moco serve runs/first --port 8000
    """
    import os

    key = os.environ.get(KEY) or None
    if host not in LOOPBACK and key is None:
        raise ConfigError(
            f"listening on {host} needs an API key",
            where="--host",
            why="anybody who reaches this address could use the models",
            remedy=f"set {KEY}, or stay on 127.0.0.1",
        )
    from moco.serve import app, require_extra

    require_extra()
    import uvicorn

    from moco.cli.sources import load_source, methods_of
    from moco.models.store import Store

    labels = [method] if method is not None else methods_of(source)
    with listening(host, port) as place:  # before anything is fitted: a taken port is said at once, early callers wait
        store = Store(None)
        found = []
        for label in labels:
            typer.echo(f"preparing {label or source}", err=True)
            found.append(load_source(source, label, store))
        made = app(
            {s.name: s.team for s in found},
            specs={s.name: s.spec for s in found if s.spec is not None},
            sampling={s.name: s.sampling for s in found},
            api_key=key,
        )
        names = ", ".join(s.name for s in found)
        address = url(host, int(place.getsockname()[1]))
        typer.echo(f"serving {names} at {address}/v1 (stop with Ctrl-C)", err=True)
        typer.echo(f"next: {curl(address, found[0].name, key is not None)}", err=True)
        if not quiet:
            _log_requests()
        with contextlib.suppress(KeyboardInterrupt):  # that is how one stops it
            uvicorn.Server(uvicorn.Config(made, log_level="warning")).run(sockets=[place])


def listening(host: str, port: int) -> socket.socket:
    """A socket bound to ``host`` and ``port``; raises ConfigError, saying what to do, where that cannot be had."""
    import errno
    import os
    import socket

    place = None
    try:
        every = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = min(every, key=lambda one: one[0] != socket.AF_INET)  # localhost is both
        place = socket.socket(family, kind, protocol)
        if os.name != "nt":  # there it would let two servers share a port
            place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind(address)
        place.listen(2048)
    except OSError as error:
        if place is not None:
            place.close()
        where, taken = f"{host}:{port}", error.errno == errno.EADDRINUSE
        if taken or error.errno == errno.EACCES:
            what = "something is listening there already" if taken else "this port is not ours to use"
            raise ConfigError(what, where=where, remedy="give another --port, or 0 for any free one") from error
        raise ConfigError(
            f"cannot listen there: {error.strerror or error}", where=where, remedy="give an address of this machine"
        ) from error
    return place


def url(host: str, port: int) -> str:
    """Where a server that listens on ``host`` is asked from this machine."""
    name = ANYWHERE.get(host, host)
    return f"http://{f'[{name}]' if ':' in name else name}:{port}"


def curl(address: str, model: str, guarded: bool) -> str:
    """A command that asks ``model``; the key is named, never shown."""
    import json

    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "What is 17 + 25?"}]}, ensure_ascii=False)
    key = f'-H "authorization: Bearer ${KEY}" ' if guarded else ""
    return f"curl {address}/v1/chat/completions -H 'content-type: application/json' {key}-d {shlex.quote(body)}"


def _log_requests() -> None:
    """One line per request on stderr: when, what, whom, status, seconds; never what was asked."""
    import logging

    told = logging.StreamHandler()
    told.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    log = logging.getLogger("moco.serve")
    log.addHandler(told)
    log.setLevel(logging.INFO)
    log.propagate = False
