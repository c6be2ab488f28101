"""What all commands print with: rich consoles, JSON for programs, and the next useful command.

Text that a model wrote is cleaned here before it reaches a terminal.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from moco.models.store import Store


def console(*, err: bool = False, width: int | None = None) -> Console:
    """A console on stdout or stderr; plain where that is no terminal, and then as wide as ``COLUMNS`` says or 120."""
    from rich.console import Console

    named = os.environ.get("COLUMNS", "")
    told = int(named) if named.isdecimal() else 0  # 0 is what some terminals say that do not know
    made = Console(stderr=err, highlight=False, width=width or told or None)
    if made.is_terminal or width or told:
        return made
    return Console(stderr=err, highlight=False, width=120)


def as_json(data: Any) -> None:
    """``data`` for a program: indented JSON on stdout."""
    typer.echo(json.dumps(data, indent=2, ensure_ascii=False, default=str))


def next_steps(*commands: str) -> None:
    """The next useful commands, on stderr, so that stdout stays the result."""
    for number, command in enumerate(commands):
        head = "next: " if number == 0 else "      "
        typer.echo(typer.style(head, dim=True) + typer.style(command, fg="cyan"), err=True)  # plain where nobody sees colours


def open_store(path: Path | None) -> Store:
    """The store at ``path``, by default the one under the home folder."""
    from moco.models.pool import default_store
    from moco.models.store import Store

    return default_store() if path is None else Store(path)
