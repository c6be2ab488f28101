"""The command ``moco``. Nothing here imports torch; each command imports what it needs when it is called."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (default: the process's own); returns the exit code."""
    from moco.cli.app import run
    from moco.cli.ending import ENDING

    if arguments is None:
        ENDING.listen()
    return run(arguments)


__all__ = ["main"]
