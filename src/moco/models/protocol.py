"""What a model is to the rest of moco: something that turns a request into a completion.

Capabilities are probed or known by construction, never believed; a fingerprint names exactly what answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from moco.core.seeds import derive, digest
from moco.core.types import Completion, Request

CapabilityName = Literal[
    "TEXT",
    "PREFIX",
    "RAW",
    "IDS",
    "LOGPROBS",
    "SCORE",
    "LOGITS",
    "SESSION",
    "HIDDEN",
    "EMBED",
    "REWARD",
    "WEIGHTS",
    "TRAIN",
    "ADAPTERS",
    "STREAM",
]


@dataclass(frozen=True)
class Capabilities:
    """What a model can do. ``seed`` says at which grain the engine honours seeds."""

    names: frozenset[str] = frozenset({"TEXT"})
    seed: Literal["none", "batch", "request"] = "request"

    def __contains__(self, name: str) -> bool:
        return name in self.names


@dataclass(frozen=True)
class TokenScores:
    """Natural-log probabilities of a continuation's tokens, in order; ``end`` is that of the end of turn after it.

    ``read`` counts the tokens that were read for them, prompt and continuation, by all models that were asked.
    """

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    end: float = 0.0
    read: int = 0

    @property
    def total(self) -> float:
        return sum(self.logprobs)


@runtime_checkable
class Model(Protocol):
    """Anything that answers."""

    name: str

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def fingerprint(self) -> str:
        """Hash of everything that decides what is answered."""

    async def generate(self, request: Request) -> Completion:
        """Answer ``request``; raises BackendError."""

    async def score(self, request: Request, continuation: str) -> TokenScores:
        """Log-probabilities of ``continuation`` as the answer to ``request``; needs SCORE."""


Vectors = np.ndarray[Any, np.dtype[np.float32]]


@runtime_checkable
class Rewarding(Protocol):
    """A model with the capability REWARD."""

    async def reward(self, request: Request, text: str) -> float:
        """How good ``text`` is as the answer to ``request``: any finite number, more is better; raises BackendError."""


@runtime_checkable
class Embedding(Protocol):
    """A model with the capability EMBED."""

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """[text, dimension] float32, rows of length 1 (a text in which nothing is found: zeros); raises BackendError."""


@dataclass(frozen=True)
class StoreKey:
    """Where a completion lies: what was asked of whom (``content``), and with which seed."""

    content: str
    seed: int


def is_greedy(request: Request) -> bool:
    return request.sampling.temperature == 0


def store_key(
    fingerprint: str, engine: str, rendered: Any, request: Request, *, greedy: bool | None = None, collaboration: bool = False
) -> StoreKey:
    """The key of ``request`` at a model (DESIGN section 3, "Content, seed, key").

    ``rendered`` is the list of prompt token ids, or the canonical messages where the server renders. ``greedy`` (default:
    temperature 0) drops draw, replicate and seed, because every draw is then the same text. The spec enters only for a
    collaboration, which votes by it.
    """
    if greedy is None:
        greedy = is_greedy(request)
    parts: dict[str, Any] = {"model": fingerprint, "engine": engine, "prompt": rendered, "sampling": request.sampling.law()}
    if not greedy:
        parts |= {"draw": list(request.draw), "replicate": request.replicate}
    if collaboration:
        s = request.spec
        parts["spec"] = None if s is None else [s.kind, s.labels, s.choices, s.tolerance, s.question, s.answer_format]
    content = digest("content", parts)
    if greedy:
        return StoreKey(content, 0)
    return StoreKey(content, request.seed if request.seed is not None else derive(request.study_seed, content))


def canonical_prompt(request: Request) -> Any:
    """The prompt as JSON, for models that render by themselves."""
    return {
        "messages": [[m.role, m.content] for m in request.messages],
        "text": request.text,
        "ids": None if request.ids is None else list(request.ids),
        "prefix": request.prefix,
    }


@dataclass
class Counters:
    """What a model really did; for logs, tests and paid usage."""

    generated: int = 0
    batches: list[int] = field(default_factory=list)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    forwards: int = 0

    @property
    def mean_batch(self) -> float:
        """Rows per forward pass of the decode loop, averaged over batches that left the queue."""
        return sum(self.batches) / len(self.batches) if self.batches else 0.0
