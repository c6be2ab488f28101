"""How much a member agrees with itself: the share of its draws that say the same (arXiv 2510.05077).

The denominator is the number of draws asked for: what cannot be read, or never came, speaks against the member.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from moco.core.query import Query
from moco.core.types import Draft, Key
from moco.discussion.similarity import token_f1
from moco.models.pool import Pool

Denominator = Literal["k", "usable"]
InnerTie = Literal["first", "random"]
Matrix = np.ndarray[Any, np.dtype[np.float64]]
NEAR_VECTORS, NEAR_WORDS = 0.9, 0.5
"""From which likeness on two free texts say the same: cosine of embeddings, token F1."""


@dataclass(frozen=True)
class Agreement:
    """What a member says most often: the draft to show (None: nothing usable), its key, and its share of the draws."""

    member: str
    draft: Draft | None
    key: Key | None
    share: float
    usable: int


async def agreement(
    query: Query, member: str, drafts: Sequence[Draft], k: int, *, denominator: Denominator = "k", inner_tie: InnerTie = "first"
) -> Agreement:
    """Of the draws of one member (those that came, of ``k``); among equally frequent answers that of the earliest draw."""
    groups = await query.same_many([d.key for d in drafts])
    usable = sum(d.key is not None for d in drafts)
    if not groups:
        return Agreement(member, None, None, 0.0, usable)
    most = max(len(g) for g in groups)
    tied = sorted((g for g in groups if len(g) == most), key=lambda g: min(drafts[i].draw for i in g))
    place = 0 if inner_tie == "first" else int(query.rng(f"inner tie {member}").integers(len(tied)))
    first = min((drafts[i] for i in tied[place]), key=lambda d: d.draw)
    return Agreement(member, first, first.key, most / (k if denominator == "k" else usable), usable)


async def likeness(pool: Pool, texts: Sequence[str]) -> tuple[Matrix, float]:
    """(text, text) likenesses in [-1, 1] and from where on two are near: by the study's embedder, else by words.

    Raises PoolError where the embedder gives no embeddings.
    """
    if pool.aux.embedder is None:
        return np.array([[token_f1(a, b) for b in texts] for a in texts], np.float64).reshape(len(texts), -1), NEAR_WORDS
    vectors, _ = await pool.helper("embedder").embed("embedder", list(texts))
    return cosines(np.asarray(vectors, np.float64)), NEAR_VECTORS


def cosines(vectors: Matrix) -> Matrix:
    """Cosine of every two rows; a row of zeros is like nothing."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(norms == 0, 1.0, norms)
    out: Matrix = unit @ unit.T
    return out


def neighbourhoods(similar: Matrix, near: float) -> tuple[list[int], list[float]]:
    """For every text how many are near it, itself included, and the sum of its likenesses to the others."""
    others = similar - np.diag(np.diag(similar))
    close = (similar >= near) & ~np.eye(len(similar), dtype=bool)
    return [int(n) + 1 for n in close.sum(axis=1)], [float(x) for x in others.sum(axis=1)]


async def closeness(
    pool: Pool, member: str, drafts: Sequence[Draft], k: int, *, near: float | None = None, denominator: Denominator = "k"
) -> Agreement:
    """Of free texts: the draft with most others near it, ties to the higher summed likeness, then to the earliest draw."""
    said = sorted((d for d in drafts if d.text.strip()), key=lambda d: d.draw)
    if not said:
        return Agreement(member, None, None, 0.0, 0)
    similar, usual = await likeness(pool, [d.text for d in said])
    sizes, central = neighbourhoods(similar, usual if near is None else near)
    best = max(range(len(said)), key=lambda i: (sizes[i], round(central[i], 9), -i))
    return Agreement(member, said[best], None, sizes[best] / (k if denominator == "k" else len(said)), len(said))
