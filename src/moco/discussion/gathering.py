"""First answers, also where members fail, are late or say nothing: who is missing is on record.

A draft that says nothing is a draft: it abstains. A member that gave none has been dropped, and only where that is allowed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from moco.core.errors import Transient
from moco.core.query import Query
from moco.core.types import Draft
from moco.models.pool import Pool

T = TypeVar("T")
OnFailure = Literal["fail", "drop"]
"""What a member's failure does: fail the question (it is tried again on the next run), or leave the member out of it."""


@dataclass(frozen=True)
class Gathered:
    """``drafts`` in pool order, then by draw, and who gave none: ``b``, or ``b#2`` for its third draw."""

    drafts: list[Draft]
    dropped: tuple[str, ...] = ()

    @property
    def record(self) -> dict[str, list[str]]:
        """What a reason says of it; nothing where all answered."""
        return {"dropped": list(self.dropped)} if self.dropped else {}


async def gather(
    query: Query,
    pool: Pool,
    *,
    draws: int = 1,
    on_failure: OnFailure = "fail",
    at_least: int = 1,
    deadline: float | None = None,
    **sampling: Any,
) -> Gathered:
    """Every member's answers to the untouched task, shared with all methods that ask for the same draws.

    ``at_least`` is the least number of drafts to go on with, ``deadline`` is in seconds from now. Raises BackendError.
    """
    own = {name: value for name, value in sampling.items() if value is not None}
    drafts = await pool.ask_all(query, draws=draws, on_failure=on_failure, at_least=at_least, deadline=deadline, **own)
    came = {(d.member, d.draw) for d in drafts}
    missing = [voter(name, draw) for name in pool.names for draw in range(draws) if (name, draw) not in came]
    return Gathered(drafts, tuple(missing))


def voter(member: str, draw: int) -> str:
    """A ballot's name."""
    return member if draw == 0 else f"{member}#{draw}"


async def within(deadline: float | None, call: Awaitable[T], who: str) -> T:
    """What ``call`` gives; raises Transient where that takes more than ``deadline`` seconds (None: it may take for ever)."""
    try:
        return await asyncio.wait_for(call, deadline)
    except TimeoutError as error:
        remedy = "raise the deadline, or set on_failure: drop"
        raise Transient(f"'{who}' did not answer within {deadline} s", remedy=remedy) from error
