"""Sessions: one answer written in turns, by a model and by others, while the model keeps what it has read.

Invariant: the text is the truth; token ids and key-value caches are copies of it. A session does what asking the model
again and again with the text so far as assistant prefix would do, only without reading that text again each time.

The rules, which every kind of session keeps:

* The prompt (with the request's ``prefix``) is encoded once and frozen. ``text`` and ``ids`` are those of the answer behind it.
* ``extend`` and ``append(ids=...)`` continue on the ids as they stand, so one call equals many, and equals ``generate``.
* ``append(text)`` and ``crop`` (a stop string crops too) change the text by hand: afterwards the ids are those of the whole
  answer text encoded behind the prompt; where the tokenizer would merge the two, the answer is encoded apart.
  Strings of control tokens inside the answer are plain text, whoever wrote them.
* ``verify`` and ``score`` are questions about text: they read the answer encoded in that way, and commit nothing.
* Tokens are drawn with the request's sampling and one uniform per (seed of the request, number of answer ids before the
  token): what comes next depends on request and ids alone, never on the calls that led there.
"""

from __future__ import annotations

import asyncio
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from moco.core.errors import ConfigError
from moco.core.types import Completion, Finish, Request, Usage
from moco.models.protocol import TokenScores

SegmentFinish = Literal["until", "eos", "stop", "length", "context"]


@dataclass(frozen=True, slots=True)
class Step:
    """One token as the model would write it next.

    ``piece``: the text it adds (decode difference, leading space kept; "" for an end token and for part of a character);
    ``id``: -1 where the engine does not say; ``logprob``: natural log of its probability at temperature 1 over the whole
    vocabulary; ``eos``: it ends the turn; ``index``: its place in this call, from 0.
    """

    piece: str
    id: int
    logprob: float
    eos: bool = False
    index: int = 0

    @property
    def prob(self) -> float:
        return math.exp(self.logprob)


Until = Callable[[Step], bool]


@dataclass(frozen=True, slots=True)
class Segment:
    """What one ``extend`` wrote.

    ``text``: what the answer grew by; ``steps``: the accepted tokens, those of a cut stop string included; ``finish``: why
    it ended; ``refused``: the token that ``until`` left out, or the end token; it is not part of the answer.
    """

    text: str
    steps: tuple[Step, ...]
    finish: SegmentFinish
    refused: Step | None = None


class Journal(Protocol):
    """Takes down a session's answers: ``begin`` at each prompt, ``end`` at ``close`` and before the next prompt."""

    def begin(self, request: Request) -> None: ...
    def end(self, completion: Completion) -> None: ...


class Session(ABC):
    """An answer under way; ``async with await model.open(request) as s``. Calls on one session run one after another.

    Raises BackendError as ``generate`` does; a prompt that does not fit is a ContextOverflow, while an ``extend`` that
    finds the context full ends with finish ``context``.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self.prepare: Callable[[Any], Request] | None = None
        """What makes a request of that which ``reopen`` is given; without it that is a Request."""
        self.journal: Journal | None = None
        """Where the answers are written down; forks write down nothing of their own."""
        self._lock = asyncio.Lock()
        self._finish: SegmentFinish | None = None
        self._scored: list[str] = []

    # what it is

    @property
    @abstractmethod
    def text(self) -> str:
        """The answer so far; part of a character is held back until it is whole."""

    @property
    @abstractmethod
    def ids(self) -> tuple[int, ...]:
        """Token ids of the answer; raises PoolError where the engine has none."""

    @property
    @abstractmethod
    def usage(self) -> Usage:
        """Logical cost of this answer and the forks of it, as from an empty store and with memory without bounds."""

    # what it does

    @abstractmethod
    async def peek(self) -> Step:
        """The token ``extend`` would write next; commits nothing."""

    @abstractmethod
    async def logits(self) -> NDArray[np.float32]:
        """Raw logits (vocabulary,) of the next token."""

    @abstractmethod
    async def extend(self, until: Until | None = None, n: int | None = None) -> Segment:
        """Write at most ``n`` tokens (default: until the answer has ``max_tokens``) and commit them.

        ``until(step)``, a pure function, judges each token before it is accepted; the one it is true of is left out. An end
        token ends without being asked about. Ends at the request's stop strings, which are cut from the text; they are
        searched in what was written without a break by ``extend``.
        """

    @abstractmethod
    async def verify(self, texts: Sequence[str]) -> list[Step]:
        """The Step before each of ``texts``, which follow one another behind the answer; commits nothing.

        Step i is what the model would write behind answer + texts[0] + ... + texts[i-1], all encoded anew.
        """

    @abstractmethod
    async def score(self, labels: Sequence[str], end_turn: bool = False) -> list[TokenScores]:
        """Log-probabilities of each label behind the answer, that of the turn's end too with ``end_turn`` (else 0)."""

    @abstractmethod
    async def append(self, text: str = "", *, ids: Sequence[int] | None = None) -> None:
        """Add text, or ids as they are, which others wrote; read when the model next has to."""

    @abstractmethod
    async def crop(self, chars: int) -> None:
        """Keep the first ``chars`` characters of the answer; more than there are keep all."""

    async def fork(self, draw: int = 0) -> Self:
        """A session in the same state. ``draw`` 0 writes on as this one would, others are independent samples."""
        request = self.request
        if draw:
            request = request.but(draw=(*request.draw, draw))
        async with self._lock:
            twin = self._fork(request)
            twin.prepare = self.prepare
            return twin

    @abstractmethod
    def _fork(self, request: Request) -> Self: ...

    async def reopen(self, request: Any) -> None:
        """Begin another answer: a new prompt, of which what is known already is not read again.

        Takes a Request, which stands as it is; in a session of a pool all that ``pool.open`` takes.
        """
        request = request if self.prepare is None else self.prepare(request)
        async with self._lock:
            self._report()
            self._reopen(request)
            self.request, self._finish = request, None
            if self.journal is not None:
                self.journal.begin(request)

    @abstractmethod
    def _reopen(self, request: Request) -> None: ...

    async def close(self) -> None:
        """End the session and free what it keeps; called by ``async with``."""
        async with self._lock:
            self._report()
            self._close()

    @abstractmethod
    def _close(self) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            self.journal = None  # what failed stays an open call of the transcript
        await self.close()

    # what it was

    def completion(self) -> Completion:
        """The answer so far as a Completion; its text is the visible one, or the scores where nothing was written."""
        visible, reasoning = self._visible()
        finish: Finish = "length" if self._finish in ("length", "context") else "stop"
        if not self.text and self._scored:
            visible = "\n".join(self._scored)
        return Completion(visible, reasoning=reasoning, finish=finish, usage=self.usage)

    def _visible(self) -> tuple[str, str]:
        return self.text, ""

    def _note(self, labels: Sequence[str], scores: Sequence[TokenScores]) -> None:
        self._scored += [f"{label}: {s.total + s.end:.4f}" for label, s in zip(labels, scores, strict=True)]

    def _report(self) -> None:
        if self.journal is not None:
            self.journal.end(self.completion())
        self._scored = []


def tokens_wanted(n: int | None, written: int, request: Request) -> int:
    """How many tokens an ``extend`` may write; raises ConfigError for a negative ``n``."""
    if n is None:
        return max(0, request.sampling.max_tokens - written)
    if n < 0:
        raise ConfigError(f"extend by {n} tokens", where="session", remedy="give 0 or more")
    return n


__all__ = ["Segment", "Session", "Step", "Until"]
