"""Sessions of engines that only continue an assistant prefix: every call sends the text again.

Invariant: the state is the text. What the engine cannot say raises PoolError, never a guess:

* ``extend`` needs PREFIX; with ``until``, like ``peek`` and ``verify``, it needs LOGPROBS and asks for one token at a time.
* ``score`` needs SCORE; ``logits``, ``ids`` and ``append(ids=...)`` need a model with SESSION.
* A call is a request of its own, with its own key and seed: at temperature 0 pieces equal the whole, above they are samples of
  the same law, the same each time. ``steps`` stay empty without ``until``. An engine does not tell an end token from a stop
  string: with stop strings in the request both end with ``stop``, without them with ``eos``; a stop string that lies across
  two calls is not found. A full context raises ContextOverflow.
* Thinking blocks are lost: ``generate`` gives the visible answer, and only that is sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Never

import numpy as np
from numpy.typing import NDArray

from moco.core.errors import PoolError
from moco.core.types import Completion, Request, Usage
from moco.models.protocol import Model, TokenScores
from moco.models.session import Segment, SegmentFinish, Session, Step, Until, tokens_wanted


class StatelessSession(Session):
    """A session over ``model.generate``; see the module for its limits. Raises PoolError if the model lacks PREFIX."""

    def __init__(self, model: Model, request: Request) -> None:
        super().__init__(request)
        self._model, self._root = model, True
        self._text, self._written, self._calls = "", 0, list[Usage]()
        self._need("PREFIX", "open a session")

    @property
    def text(self) -> str:
        return self._text

    @property
    def ids(self) -> tuple[int, ...]:
        self._lacks("SESSION", "say the token ids of a session")

    @property
    def usage(self) -> Usage:
        """Cost of all calls: this engine reads everything again in each of them."""
        return sum(self._calls, Usage())

    def _need(self, capability: str, what: str) -> None:
        if capability not in self._model.capabilities:
            self._lacks(capability, what)

    def _lacks(self, capability: str, what: str) -> Never:
        raise PoolError(
            f"member '{self._model.name}' cannot {what}",
            why=f"it lacks the capability {capability}",
            remedy="use a local model for it",
        )

    async def _ask(self, text: str, n: int) -> Completion:
        request = self.request
        asked = request.but(prefix=request.prefix + text, sampling=request.sampling.but(max_tokens=n))
        completion = await self._model.generate(asked)
        self._calls.append(completion.usage)
        return completion

    async def _step(self, text: str, index: int) -> tuple[Step, SegmentFinish | None]:
        """The token after ``text``, and how the answer ends with it, None if it goes on."""
        self._need("LOGPROBS", "say how sure it is of a token")
        said = await self._ask(text, 1)
        if not said.logprobs:
            self._lacks("LOGPROBS", "say how sure it is of a token")
        ended = said.finish == "stop"
        step = Step(said.text, said.ids[0] if said.ids else -1, said.logprobs[0], ended and not said.text, index)
        return step, self._ended() if ended else None

    def _ended(self) -> SegmentFinish:
        return "stop" if self.request.sampling.stop else "eos"

    async def peek(self) -> Step:
        async with self._lock:
            return (await self._step(self._text, 0))[0]

    async def logits(self) -> NDArray[np.float32]:
        self._lacks("SESSION", "give logits")

    async def extend(self, until: Until | None = None, n: int | None = None) -> Segment:
        async with self._lock:
            wanted = tokens_wanted(n, self._written, self.request)
            if not wanted:
                segment = Segment("", (), "length")
            elif until is None:
                segment = await self._whole(wanted)
            else:
                segment = await self._judged(until, wanted)
            self._text, self._finish = self._text + segment.text, segment.finish
            return segment

    async def _whole(self, n: int) -> Segment:
        said = await self._ask(self._text, n)
        self._written += said.usage.completion_tokens
        return Segment(said.text, (), self._ended() if said.finish == "stop" else "length")

    async def _judged(self, until: Until, n: int) -> Segment:
        text, steps = "", list[Step]()
        while len(steps) < n:
            step, ended = await self._step(self._text + text, len(steps))
            if ended is None and until(step):
                return Segment(text, tuple(steps), "until", step)
            if ended is not None:
                return Segment(text, tuple(steps), ended, step)
            text, self._written = text + step.piece, self._written + 1
            steps.append(step)
        return Segment(text, tuple(steps), "length")

    async def verify(self, texts: Sequence[str]) -> list[Step]:
        async with self._lock:
            asked = [self._step(self._text + "".join(texts[:i]), i) for i in range(len(texts))]
            return [step for step, _ in await asyncio.gather(*asked)]

    async def score(self, labels: Sequence[str], end_turn: bool = False) -> list[TokenScores]:
        async with self._lock:
            self._need("SCORE", "score texts")
            request = self.request.but(prefix=self.request.prefix + self._text)
            found = await asyncio.gather(*(self._model.score(request, label) for label in labels))
            scores = [TokenScores(s.ids, s.logprobs, s.end if end_turn else 0.0) for s in found]
            self._note(labels, scores)
            return scores

    async def append(self, text: str = "", *, ids: Sequence[int] | None = None) -> None:
        if ids is not None:
            self._lacks("SESSION", "take token ids")
        async with self._lock:
            self._text += text

    async def crop(self, chars: int) -> None:
        async with self._lock:
            self._text = self._text[: max(chars, 0)]

    def _fork(self, request: Request) -> StatelessSession:
        twin = StatelessSession(self._model, request)
        twin._text, twin._written, twin._finish = self._text, self._written, self._finish
        twin._calls, twin._root = self._calls, False
        return twin

    def _reopen(self, request: Request) -> None:
        self._text, self._written = "", 0
        self._calls = [] if self._root else self._calls

    def _close(self) -> None:
        """There is nothing to free."""


async def open_session(model: Model, request: Request) -> Session:
    """A session of ``model``: its own where it has SESSION, else a stateless one. Raises PoolError without PREFIX."""
    opener = getattr(model, "open", None)
    if opener is not None and "SESSION" in model.capabilities:
        session: Session = await opener(request)
        return session
    return StatelessSession(model, request)


__all__ = ["StatelessSession", "open_session"]
