"""What a router is told of members and tasks: texts by name, the pool's own where nobody gave another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from moco.core.errors import ConfigError, PoolError, did_you_mean
from moco.models.pool import Pool


def check_names(given: Mapping[str, str], known: Iterable[str], sort: str, where: str) -> None:
    """Raises ConfigError for a name in ``given`` that is no ``sort`` of ``known``: nobody would ever read its text."""
    choices = list(known)
    for name in given:
        if name not in choices:
            raise ConfigError(f"there is no {sort} '{name}'", where=where, remedy=did_you_mean(name, choices))


def descriptions_of(pool: Pool, given: Mapping[str, str], where: str, otherwise: str) -> list[str]:
    """Every member's description in pool order, the ``given`` one by name before the pool's.

    Raises ConfigError for the name of no member, PoolError for a member without any; ``otherwise`` is what else helps.
    """
    check_names(given, pool.names, "member", f"{where}.descriptions")
    found = [given.get(member.name) or member.description for member in pool]
    if "" in found:
        raise PoolError(
            f"member '{pool.names[found.index('')]}' has no description",
            where=where,
            remedy=f"write description: ... at the pool entry, or {otherwise}",
        )
    return found
