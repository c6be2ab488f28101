"""What all commands print with: rich consoles, JSON for programs, and the next useful command.

Text that a model wrote is cleaned here before it reaches a terminal.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from moco.models.store import Store


def console(*, err: bool = False, width: int | None = None) -> Console:
    """A console on stdout or stderr; plain and 120 wide where that is no terminal."""
    from rich.console import Console

    made = Console(stderr=err, highlight=False, width=width)
    return made if made.is_terminal or width else Console(stderr=err, highlight=False, width=120)


def as_json(data: Any) -> None:
    """``data`` for a program: indented JSON on stdout."""
    typer.echo(json.dumps(data, indent=2, ensure_ascii=False, default=str))


def next_steps(*commands: str) -> None:
    """The next useful commands, on stderr, so that stdout stays the result."""
    for number, command in enumerate(commands):
        typer.echo(f"{'next: ' if number == 0 else '      '}{command}", err=True)


def open_store(path: Path | None) -> Store:
    """The store at ``path``, by default the one under the home folder."""
    from moco.models.pool import default_store
    from moco.models.store import Store

    return default_store() if path is None else Store(path)
