"""The embedder that needs no download: hashed words and pieces of words, the same numbers on every machine.

Feature hashing (arXiv 0902.2206). It compares wording, not meaning: texts that share words and stems are close, a paraphrase in
other words is far. What it finds is named ``hashed`` wherever it decides something.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NoReturn

import numpy as np

from moco.core.errors import ConfigError
from moco.core.seeds import digest
from moco.core.types import Completion, Request
from moco.models.protocol import Capabilities, StoreKey, TokenScores, Vectors

HASHED = ("hashed", "hash")
"""References that name it."""
BUCKETS = 2048
"""Length of a vector."""
_WORD = re.compile(r"\w+|[^\w\s]")


def grams(text: str) -> Iterator[str]:
    """Words, pairs of neighbours, and each word's pieces of 3 to 5 characters, its ends marked; without case."""
    words = _WORD.findall(text.lower())
    for i, word in enumerate(words):
        yield f"w {word}"
        if i:
            yield f"p {words[i - 1]} {word}"
        ended = f"^{word}$"
        yield from (f"c {ended[at : at + n]}" for n in (3, 4, 5) for at in range(len(ended) - n + 1))


def hashed(texts: Sequence[str], buckets: int = BUCKETS) -> Vectors:
    """[text, bucket] unit vectors of the ``grams``, each counted as 1 + log and signed, in the bucket its CRC-32 names.

    The sign makes grams that meet in a bucket cancel rather than add up. A text without grams is a row of zeros.
    """
    out = np.zeros((len(texts), buckets), np.float64)
    for row, text in zip(out, texts, strict=True):
        for gram, count in sorted(Counter(grams(text)).items()):
            code = zlib.crc32(gram.encode("utf-8", "surrogatepass"))
            row[(code >> 1) % buckets] += (1.0 if code & 1 else -1.0) * (1.0 + np.log(count))
    length = np.linalg.norm(out, axis=1, keepdims=True)
    return (out / np.where(length > 0, length, 1.0)).astype(np.float32)


class HashedEmbedder:
    """The hashed vectors as a Model with EMBED; not kept in the store, because a text is hashed sooner than a row is read."""

    capabilities = Capabilities(frozenset({"EMBED"}))
    stored = False
    engine = "hashed"

    def __init__(self, name: str = "hashed") -> None:
        self.name = name

    @property
    def fingerprint(self) -> str:
        return digest("hashed", BUCKETS, 1)

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """[text, 2048] float32, rows of length 1."""
        return hashed(texts)

    def _mute(self) -> NoReturn:
        raise ConfigError(f"'{self.name}' writes no text", why="it is an embedder", remedy="use a causal language model")

    def key(self, request: Request) -> StoreKey:
        """Raises ConfigError: it is not asked for text."""
        self._mute()

    async def generate(self, request: Request) -> Completion:
        """Raises ConfigError: it writes no text."""
        self._mute()

    async def score(self, request: Request, continuation: str) -> TokenScores:
        """Raises ConfigError: it has no next-token distribution."""
        self._mute()
