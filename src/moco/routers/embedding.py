"""Questions as vectors: hashed word and character n-grams by default, a sentence encoder or a member where one is named.

The default needs no download and no torch. What is hashed (`moco.models.embedding_hashed`) is weighted by how rare it is on dev
and projected on the main directions of dev (latent semantic analysis), so that heads stay small; the same text gives the same
vector on every machine up to rounding.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moco.core.errors import ConfigError, PoolError
from moco.core.types import Usage
from moco.models.embedding_hashed import hashed
from moco.models.pool import Pool
from moco.routers.costs import spent
from moco.routers.worker import aside

Floats = np.ndarray[Any, np.dtype[np.float64]]
DIRECTIONS = 128
"""Most directions of dev that are kept."""
NGRAMS = "ngrams"
AUX = "aux.embedder"


def counted(texts: Sequence[str]) -> Floats:
    """[text, bucket] hashed n-grams in which every digit is a 0: how long a number is may tell who can reckon with it, which one
    it is does not."""
    return np.asarray(hashed([re.sub(r"\d", "0", text) for text in texts]), np.float64)


def normalised(vectors: Floats) -> Floats:
    """Rows of length 1; a row of zeros stays one."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    out: Floats = vectors / np.where(length > 0, length, 1.0)
    return out


@dataclass(frozen=True)
class Space:
    """Where questions lie, as `learn_space` found it on dev: who embeds, and for n-grams how rare each bucket is.

    ``source`` is ``ngrams``, ``aux.embedder`` or the name of a member; ``model`` the fingerprint of what embeds, empty for
    n-grams. ``rarity`` is (bucket,), ``basis`` [bucket, direction]; both are empty where a model embeds. ``price`` is the
    mean cost (`spent`) of placing a text of dev.
    """

    source: str
    model: str
    rarity: Any
    basis: Any
    price: float = 0.0

    @property
    def described(self) -> str:
        """The choice in a few words, for reasons and logs."""
        if self.source != NGRAMS:
            return self.source
        return f"hashed n-grams, {self.basis.shape[1]} directions of dev"

    async def embed(self, pool: Pool, texts: Sequence[str]) -> Floats:
        """[text, direction] unit vectors; raises PoolError where what embedded dev is not in ``pool`` any more.

        Where a model embeds it is a call of the transcript, with the tokens it read.
        """
        if self.source == NGRAMS:
            return self.place(counted(texts))
        view = _embedder(pool, self.source)
        if view[0].model.fingerprint != self.model:
            raise PoolError(f"'{self.source}' is not the embedder that was fitted", remedy="fit again, or name the same embedder")
        return (await _embedded(view, self.source, texts))[0]

    def place(self, counts: Floats) -> Floats:
        """Unit vectors of hashed ``counts`` [text, bucket]."""
        return normalised(normalised(counts * self.rarity) @ self.basis)


async def learn_space(pool: Pool, texts: Sequence[str], source: str = "auto") -> tuple[Space, Floats]:
    """The space of the dev ``texts``, and their unit vectors [text, direction].

    ``source``: ``auto`` takes ``aux.embedder`` where the pool has one and n-grams else; ``ngrams``; ``aux.embedder``; or a
    member, whose hidden states are averaged. Raises PoolError where the named one cannot embed.
    """
    if source == "auto":
        source = NGRAMS if pool.aux.embedder is None else AUX
    if source != NGRAMS:
        view, empty = _embedder(pool, source), np.zeros(0)
        found, usage = await _embedded(view, source, texts)
        price = spent(view[0], usage) / max(len(set(texts)), 1)
        return Space(source, view[0].model.fingerprint, empty, empty.reshape(0, 0), price), found
    return await aside(_directions, texts)


def _directions(texts: Sequence[str]) -> tuple[Space, Floats]:
    """The space of n-grams, and where ``texts`` lie in it."""
    counts = counted(texts)
    rarity = np.log((1 + len(texts)) / (1 + (counts != 0).sum(axis=0))) + 1.0
    _, strength, directions = np.linalg.svd(normalised(counts * rarity), full_matrices=False)
    kept = min(DIRECTIONS, int((strength > 1e-6 * max(strength[:1].tolist(), default=1.0)).sum()))
    directions = directions[:kept]
    largest = np.abs(directions).argmax(axis=1)
    directions *= np.sign(directions[np.arange(kept), largest])[:, None]  # the sign of a direction is the library's whim
    space = Space(NGRAMS, "", rarity, np.ascontiguousarray(directions.T))
    return space, space.place(counts)


def check_source(pool: Pool, source: str) -> None:
    """Raises PoolError, before anything runs, where ``source`` cannot embed."""
    if source == "auto" and pool.aux.embedder is not None:
        source = AUX
    if source not in ("auto", NGRAMS):
        _embedder(pool, source)


def _embedder(pool: Pool, source: str) -> Pool:
    """A view of ``pool`` whose only member is the embedder."""
    if source == AUX and pool.aux.embedder is None:
        raise PoolError("the study names no embedder", remedy="add aux: {embedder: ...}, or set embedding: ngrams")
    view = pool.helper("embedder") if source == AUX else pool.only([source])
    if "EMBED" not in view[0].model.capabilities:
        raise PoolError(
            f"'{source}' cannot embed texts", why="it lacks the capability EMBED", remedy="use a sentence encoder, or ngrams"
        )
    return view


async def _embedded(view: Pool, source: str, texts: Sequence[str]) -> tuple[Floats, Usage]:
    """What the one member of ``view`` makes of ``texts``, [text, direction], as unit vectors, and what reading them costs.

    Raises ConfigError for anything that is not one finite vector per text.
    """
    made, usage = await view.embed(0, list(texts))
    found = np.asarray(made, np.float64)
    if found.ndim != 2 or len(found) != len(texts) or not np.isfinite(found).all():
        raise ConfigError(
            f"'{source}' gave an array of shape {found.shape} for {len(texts)} texts",
            where="embedding",
            remedy="an embedder gives one finite vector per text",
        )
    return normalised(found), usage
