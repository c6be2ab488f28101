"""Pools with what a method needs: texts for most, distributions for the logit level, weights for the weight level."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from moco.collab import METHODS
from moco.core.types import Request
from moco.models.pool import Pool
from moco.models.store import Store
from moco.testing import TableModel
from tests.methods.helpers import pool_of

OPTIONS: dict[str, dict[str, Any]] = {
    "prompt_routing": {"decision": "generate"},
    "cascade": {"confidence": "self_consistency", "order": ["a", "b", "c"]},
}
"""Options without which a method cannot work on scripted members."""
WORDS = ["Answer: ", "A", "B", "C", "D", "?", "<eos>"]
EXPERTS = ("alpha", "beta", "gamma")


def needs(name: str) -> frozenset[str]:
    """Capabilities that ``name`` asks of any member."""
    return frozenset().union(*METHODS.get(name).info.needs.values())


def varied(letters: str) -> Callable[[Request], str]:
    """A member whose answer depends on the request alone."""

    def reply(r: Request) -> str:
        text = r.messages[-1].content
        return f"I think so. Answer: {letters[(len(text) + sum(r.draw)) % len(letters)]}"

    return reply


def leaning(letters: str) -> Callable[[tuple[int, ...]], Sequence[float]]:
    """A law that says "Answer: ", then most likely one of ``letters``, as the prompt's length has it, then ends; never "D"."""

    def law(ids: tuple[int, ...]) -> Sequence[float]:
        if not ids or ids[-1] not in (0, 1, 2, 3, 4):
            return [20, 1, 1, 1, 0, 0.5, 0.5]
        if ids[-1] == 0:
            liked = WORDS.index(letters[len(ids) % len(letters)])
            return [0.1, *(6 if i == liked else 1 for i in range(1, 4)), 0, 0.1, 0.1]
        return [0.1, 0.1, 0.1, 0.1, 0, 0.1, 30]

    return law


def team(name: str, *, store: Store | None = None, names: Sequence[str] = ("a", "b", "c")) -> Pool:
    """Three different members for the method ``name``; ``names`` orders and names them (a, b, c are always the same models)."""
    letters = {"a": "ABC", "b": "BCA", "c": "CCA"}
    if "WEIGHTS" in needs(name):
        experts = dict(zip("abc", EXPERTS, strict=True))
        return Pool([{"name": n, "model": f"playground/{experts[n]}"} for n in names], store=store or Store(None))
    if "LOGITS" in needs(name):
        tables = {n: TableModel(n, WORDS, leaning(letters[n])) for n in names}
        return Pool([{"name": n, "model": tables[n]} for n in names], store=store or Store(None))
    return pool_of(*(varied(letters[n]) for n in names), names=list(names), store=store)


def twins(name: str) -> Pool:
    """Three entries that are one and the same model."""
    if "WEIGHTS" in needs(name):
        return Pool([{"name": n, "model": "playground/alpha"} for n in "abc"], store=Store(None))
    if "LOGITS" in needs(name):
        same = TableModel("same", WORDS, leaning("A"))
        return Pool([{"name": n, "model": same} for n in "abc"], store=Store(None))
    return pool_of(*["It is soup. Answer: A"] * 3)
