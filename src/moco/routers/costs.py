"""What an answer costs: tokens times the price of whoever wrote them, in the unit of the members' ``cost``."""

from __future__ import annotations

from collections.abc import Sequence

from moco.core.types import Call, Usage
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
    names = set(inside.names)
    total = sum(
        spent(inside[c.member], c.usage, c.calls) if c.member in names else c.usage.prompt_tokens + c.usage.completion_tokens
        for c in calls
    )
    return member.cost * total


def members_of(member: Member) -> Pool | None:
    """The pool of a member that is a collaboration; None for any other."""
    inside = getattr(getattr(member.model, "model", None), "pool", None)
    return inside if isinstance(inside, Pool) else None


def tells_itself(member: Member) -> bool:
    """Whether ``member`` is a collaboration without tokens of its own: how sure it is, is what it says of itself."""
    return members_of(member) is not None and "LOGPROBS" not in member.model.capabilities
