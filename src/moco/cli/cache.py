"""``moco cache``: the store of completions, looked at, checked, emptied."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from moco.cli.output import as_json, next_steps

if TYPE_CHECKING:
    from moco.models.store import Store

app = typer.Typer(no_args_is_help=True, help="The store of everything that was ever answered.")

_STORE = typer.Option(None, "--store", help="Cache file instead of the one under $MOCO_HOME.")


def _open(path: Path | None) -> Store:
    """An existing store; a path the user names must exist, so that a typo does not make a new one."""
    from moco.cli.output import open_store
    from moco.core.errors import ConfigError

    if path is not None and not path.is_file():
        raise ConfigError("there is no such store", where=str(path), remedy="name an existing cache file, or leave --store out")
    return open_store(path)


@app.command()
def stats(store: Path | None = _STORE, json: bool = typer.Option(False, "--json", help="For programs.")) -> None:
    """Rows and bytes of the store.

    Example:  moco cache stats
    """
    found = _open(store).stats()
    if json:
        as_json(found)
        return
    typer.echo(f"{found['path']}: {found['rows']} completions, {found['bytes'] / 1e6:.1f} MB")
    next_steps("moco cache verify")


@app.command()
def verify(store: Path | None = _STORE, json: bool = typer.Option(False, "--json", help="For programs.")) -> None:
    """Read every row against its checksum; damaged rows are removed and will be answered again.

    Example:  moco cache verify
    """
    rows, damaged = _open(store).verify()
    if json:
        as_json({"rows": rows, "damaged": damaged})
        return
    typer.echo(f"{rows} rows read, {damaged} damaged" + (" and removed" if damaged else ""))
    next_steps("moco cache stats")


@app.command()
def clear(
    store: Path | None = _STORE,
    yes: bool = typer.Option(False, "--yes", "-y", help="Do not ask."),
    json: bool = typer.Option(False, "--json", help="For programs."),
) -> None:
    """Remove every row. What is needed again has to be answered, and paid, again.

    Example:  moco cache clear --yes
    """
    opened = _open(store)
    rows = opened.stats()["rows"]
    if not yes:
        typer.confirm(f"remove {rows} completions from {opened.path}?", abort=True, err=True)
    removed = opened.clear()
    if json:
        as_json({"removed": removed})
        return
    typer.echo(f"{removed} completions removed")
    next_steps("moco demo")
