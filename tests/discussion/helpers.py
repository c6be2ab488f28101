"""Helpers that are not members: a judge is any model, these two give rewards and embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from moco.core.types import Request
from moco.models.protocol import Capabilities
from moco.testing import ScriptedModel


class Rewarding(ScriptedModel):
    """Gives a reward for a text."""

    def __init__(self, reward_of: Callable[[str], float]) -> None:
        super().__init__("rewarding", "no words")
        self.capabilities = Capabilities(frozenset({"TEXT", "REWARD"}))
        self.reward_of = reward_of

    async def reward(self, request: Request, text: str) -> float:
        return self.reward_of(text)


class Embedding(ScriptedModel):
    """Gives a vector for a text."""

    def __init__(self, vector_of: Callable[[str], Sequence[float]]) -> None:
        super().__init__("embedding", "no words")
        self.capabilities = Capabilities(frozenset({"TEXT", "EMBED"}))
        self.vector_of = vector_of

    async def embed(self, texts: Sequence[str]) -> np.ndarray:  # type: ignore[type-arg]
        return np.array([self.vector_of(t) for t in texts], np.float32)
