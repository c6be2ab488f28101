"""One sandbox per level for all tests; a level that this machine does not have is skipped, saying why."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from moco.tasks.sandbox import Level, Sandbox, finding


@pytest.fixture(scope="session")
def sandbox_at() -> Iterator[Callable[[Level], Sandbox]]:
    """The sandbox at a level."""
    made: dict[Level, Sandbox] = {}

    def at(level: Level) -> Sandbox:
        if level != "rlimit" and not finding(level).holds:
            pytest.skip(f"level {level} is not here: {finding(level).why}")
        if level not in made:
            made[level] = Sandbox(level=level, allow_weak=level == "rlimit", workers=2)
        return made[level]

    yield at
    for sandbox in made.values():
        sandbox.close()
