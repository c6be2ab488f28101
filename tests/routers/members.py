"""Scripted members that say how sure they are of each token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from moco.core.types import Completion, Request, Usage
from moco.models.pool import Pool
from moco.models.protocol import Capabilities
from moco.models.store import Store
from moco.testing import ScriptedModel
from tests.methods.helpers import scripted

Sure = float | Callable[[Request], float]


def number(r: Request) -> int:
    """Which question of ``task_of`` is asked; 0 for any other."""
    digits = [w.strip("?") for w in r.messages[-1].content.split() if w.strip("?").isdigit()]
    return int(digits[0]) if digits else 0


def member(name: str, text: str | Callable[[Request], str], sure: Sure, **changes: Any) -> ScriptedModel:
    """Says ``text`` in two tokens of log-probability ``sure``."""

    def reply(r: Request) -> Completion:
        said = text if isinstance(text, str) else text(r)
        value = sure if isinstance(sure, (int, float)) else sure(r)
        return Completion(said, **{"logprobs": (value, value), "usage": Usage(10, 2, 1), **changes})

    model = ScriptedModel(name, reply)
    model.capabilities = Capabilities(frozenset({"TEXT", "PREFIX", "RAW", "LOGPROBS"}))
    return model


def pool_with(*models: Any, costs: Sequence[float] = (), store: Store | None = None) -> Pool:
    costs = costs or [1.0] * len(models)
    return Pool([{"model": m, "name": m.name, "cost": c} for m, c in zip(models, costs, strict=True)], store=store or Store(None))


def three(*sure: Sure) -> Pool:
    return pool_with(*(member(n, f"Answer: {n.upper()}", s) for n, s in zip("abc", sure, strict=True)))


def heard(pool: Pool) -> list[int]:
    return [len(scripted(pool, n).requests) for n in pool.names]
