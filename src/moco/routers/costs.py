"""What an answer costs: tokens times the price of whoever wrote them, in the unit of the members' ``cost``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from moco.core.errors import ContextOverflow, Fatal
from moco.core.types import Call, Usage
from moco.discussion.ranking import Runs, Scored
from moco.models.member import Member
from moco.models.pool import Pool


def spent(member: Member, usage: Usage, calls: Sequence[Call] = ()) -> float:
    """Cost of one answer of ``member``: its ``cost`` x (prompt + completion tokens), as from an empty store.

    A collaboration (its ``calls`` are given) costs what its members cost, times its own ``cost``; calls of helpers that are
    not its members count with price 1.
    """
    inside = members_of(member)
    if inside is None or not calls:
        return member.cost * (usage.prompt_tokens + usage.completion_tokens)
    return member.cost * paid(inside, calls)


def paid(pool: Pool, calls: Sequence[Call]) -> float:
    """Cost of the calls of one answer of a collaboration over ``pool``, in the unit of `spent`."""
    names = set(pool.names)
    return sum(
        spent(pool[c.member], c.usage, c.calls) if c.member in names else c.usage.prompt_tokens + c.usage.completion_tokens
        for c in calls
    )


def members_of(member: Member) -> Pool | None:
    """The pool of a member that is a collaboration; None for any other."""
    inside = getattr(getattr(member.model, "model", None), "pool", None)
    return inside if isinstance(inside, Pool) else None


def tells_itself(member: Member) -> bool:
    """Whether ``member`` is a collaboration without tokens of its own: how sure it is, is what it says of itself."""
    return members_of(member) is not None and "LOGPROBS" not in member.model.capabilities


async def dev_costs(pool: Pool, dev: Sequence[Scored], run: Runs) -> tuple[float, ...]:
    """Every member's mean cost of its shared first answer on dev, in pool order; an answer it cannot give costs nothing."""

    async def one(pair: tuple[Member, Scored]) -> float:
        member, example = pair
        try:
            said = (await pool.ask(member, example.query)).completion
        except (ContextOverflow, Fatal):
            return 0.0
        return spent(member, said.usage, said.calls)

    flat = await run.map(one, [(m, e) for m in pool for e in dev], "costs on dev")
    return tuple(np.array(flat, np.float64).reshape(len(pool), len(dev)).mean(axis=1).tolist())


def relative(costs: Any) -> Any:
    """(member,) ``costs``, the dearest member's being 1; ones where nothing costs anything."""
    found = np.asarray(costs, np.float64)
    return found / found.max() if found.max() > 0 else np.ones(len(found))
