"""What a user should know of a fit: said aloud by the program's log, and kept in the run's."""

from __future__ import annotations

import logging

from moco.discussion.ranking import Runs

FEW = 10
"""Dev questions below which a router has hardly learned anything; also what a graph needs."""
log = logging.getLogger("moco.routers")


def caution(run: Runs, method: str, what: str) -> None:
    """Warn of ``what``, which is wrong with what ``method`` learned."""
    run.log.append({method: {"caution": what}})
    log.warning("%s: %s", method, what)


def few(run: Runs, method: str, count: int) -> str:
    """A note for reasons where ``count`` dev questions are too few to learn from, after warning of it; else empty."""
    if count >= FEW:
        return ""
    note = f"learned from {count} dev question{'s' if count != 1 else ''}"
    caution(run, method, f"it {note}, which is hardly better than chance; give the task at least {FEW}")
    return note
