"""``moco serve``: a collaboration behind an OpenAI-compatible endpoint; on loopback unless an API key guards it."""

from __future__ import annotations

from pathlib import Path

import typer

from moco.core.errors import ConfigError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
KEY = "MOCO_API_KEY"


def serve(
    source: Path = typer.Argument(..., help="A study.yaml, or a finished cell runs/NAME/cells/ID."),
    method: str | None = typer.Option(None, "--method", help="Label of a method in the study; default: all its methods."),
    host: str = typer.Option("127.0.0.1", "--host", help="Address to listen on; other than loopback needs MOCO_API_KEY."),
    port: int = typer.Option(8000, "--port", min=0, max=65535, help="Port to listen on."),
) -> None:
    """Serve a collaboration as an OpenAI-compatible model. What is asked is never written to disk.

    Example:  moco serve study.yaml --port 8000
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

    from moco.cli.sources import load_source
    from moco.models.store import Store

    labels: list[str | None] = [method]
    if method is None and source.is_file():
        from moco.study import Study

        labels = [m.label for m in Study.from_yaml(source).config.methods]
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
    typer.echo(f"serving {names} at http://{host}:{port}/v1 (stop with Ctrl-C)", err=True)
    typer.echo(
        f"next: curl http://{host}:{port}/v1/chat/completions -H 'content-type: application/json' "
        f'-d \'{{"model": "{found[0].name}", "messages": [{{"role": "user", "content": "What is 17 + 25?"}}]}}\'',
        err=True,
    )
    uvicorn.run(made, host=host, port=port, log_level="warning")
