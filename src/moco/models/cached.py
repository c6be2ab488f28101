"""A model behind the store: looked up first, asked once however many want it, kept when answered.

Single flight: equal requests that arrive while the first is being answered wait for its future, in other processes of the
machine for its row.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import numpy as np

from moco.core.errors import NotStored, PoolError
from moco.core.seeds import digest
from moco.core.types import Completion, Request, Usage
from moco.models.likelihood import asks_members, compares, likelihoods
from moco.models.protocol import Capabilities, Model, StoreKey, TokenScores, Vectors, canonical_prompt
from moco.models.session import Session
from moco.models.session_stateless import StatelessSession, open_session
from moco.models.store import Store

POLL_SECONDS = 0.05
"""How often the store is looked at while another process answers."""
_STORED_ONLY: ContextVar[bool] = ContextVar("stored_only", default=False)


@contextmanager
def stored_only() -> Iterator[None]:
    """Within, nothing is generated: a model behind a store raises NotStored for what the store has not."""
    token = _STORED_ONLY.set(True)
    try:
        yield
    finally:
        _STORED_ONLY.reset(token)


class Keyed(Model, Protocol):
    """A model that knows the store key of a request."""

    def key(self, request: Request) -> StoreKey: ...


class CachedModel:
    """``model`` behind ``store``. ``paid`` counts the tokens really generated since this object was made."""

    def __init__(self, model: Keyed, store: Store) -> None:
        self.model, self.store, self.name = model, store, model.name
        self.paid_calls = self.paid_tokens = 0
        self._flights: dict[StoreKey, asyncio.Future[Completion]] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"

    @property
    def description(self) -> str:
        """What the model says of itself; empty if nothing."""
        return str(getattr(self.model, "description", ""))

    @property
    def capabilities(self) -> Capabilities:
        return self.model.capabilities

    @property
    def fingerprint(self) -> str:
        return self.model.fingerprint

    def key(self, request: Request) -> StoreKey:
        return self.model.key(request)

    async def generate(self, request: Request) -> Completion:
        if compares(request) and not asks_members(self.model):
            return await likelihoods(self, request)
        return await self._once(self.key(request), lambda: self.model.generate(request))

    async def reward(self, request: Request, text: str) -> float:
        """The model's reward, a row of the store; raises PoolError for a model without REWARD, and what the model raises."""
        return float((await self.rewarded(request, text)).reason["reward"])

    async def rewarded(self, request: Request, text: str) -> Completion:
        """`reward` as ``reason["reward"]``, with one call and the tokens that were read for it, where the model counts them."""
        model = self._with("REWARD", "gives no rewards", "name a reward model")

        async def ask() -> Completion:
            reward, count = float(await model.reward(request, text)), getattr(model, "reward_tokens", None)
            read = 0 if count is None else count(request, text)
            return Completion("", usage=Usage(read, 0, 1), reason={"reward": reward})

        return await self._once(self._row("rewarded", canonical_prompt(request), text), ask)

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """The model's vectors, one row of the store per text (where reading it is cheaper than making it); errors as `reward`."""
        return (await self.embedded(texts))[0]

    async def embedded(self, texts: Sequence[str]) -> tuple[Vectors, Usage]:
        """`embed`, and what it costs: one call, and the tokens of each different text, where the model counts them.

        Nothing for vectors that are not kept: no model reads a text to hash it.
        """
        model = self._with("EMBED", "cannot embed texts", "name a sentence encoder, or hashed")
        if not getattr(model, "stored", True):
            return await model.embed(texts), Usage()

        async def one(text: str) -> Completion:
            async def ask() -> Completion:
                vector, count = np.asarray((await model.embed([text]))[0], "<f4"), getattr(model, "embed_tokens", None)
                kept = {"vector": base64.b64encode(vector.tobytes()).decode()}
                return Completion("", usage=Usage(0 if count is None else count(text), 0, 1), reason=kept)

            return await self._once(self._row("embedded", text), ask)

        distinct = list(dict.fromkeys(texts))
        rows = await asyncio.gather(*(one(text) for text in distinct))
        vectors = [np.frombuffer(base64.b64decode(row.reason["vector"]), "<f4").astype(np.float32) for row in rows]
        of = dict(zip(distinct, vectors, strict=True))
        found = np.stack([of[text] for text in texts]) if of else np.zeros((0, 0), np.float32)
        return found, Usage(sum(row.usage.prompt_tokens for row in rows), 0, 1 if rows else 0)

    def _with(self, capability: str, what: str, remedy: str) -> Any:
        if capability not in self.capabilities:
            raise PoolError(f"'{self.name}' {what}", why=f"it lacks the capability {capability}", remedy=remedy)
        return self.model

    def _row(self, sort: str, *about: Any) -> StoreKey:
        return StoreKey(digest(sort, self.fingerprint, getattr(self.model, "engine", ""), *about), 0)

    async def _once(self, key: StoreKey, ask: Callable[[], Awaitable[Completion]]) -> Completion:
        """What the store has under ``key``, else what ``ask`` gives, asked once however many want it."""
        found = self.store.get(key)
        if found is not None:
            return found
        if _STORED_ONLY.get():
            raise NotStored(f"the store has no such answer of '{self.name}'", remedy="allow it to be asked")
        while (flight := self._flights.get(key)) is not None:
            try:
                return await asyncio.shield(flight)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if not flight.cancelled() or (task is not None and task.cancelling()):
                    raise  # we were cancelled, not the one we waited for: else ask ourselves
        flight = asyncio.get_running_loop().create_future()
        self._flights[key] = flight
        try:
            completion = await self._answer(key, ask)
        except BaseException as error:
            if not isinstance(error, asyncio.CancelledError):
                flight.set_exception(error)
                flight.exception()  # mark as seen: nobody else may be waiting
            else:
                flight.cancel()
            raise
        else:
            flight.set_result(completion)
            return completion
        finally:
            del self._flights[key]

    async def _answer(self, key: StoreKey, ask: Callable[[], Awaitable[Completion]]) -> Completion:
        """Ask the model, or wait for the process that is already asking it."""
        while not self.store.claim(key):
            await asyncio.sleep(POLL_SECONDS)
        found = self.store.get(key, counted=False)  # it may have been answered between our look and our claim
        if found is not None:
            self.store.abandon(key)
            return found
        try:
            completion = await ask()
        except BaseException:
            self.store.abandon(key)
            raise
        self.store.put(key, completion)
        self.paid_calls += 1
        self.paid_tokens += completion.usage.prompt_tokens + completion.usage.completion_tokens
        return completion

    async def score(self, request: Request, continuation: str) -> TokenScores:
        """The model's log-probabilities of ``continuation``, a row of the store; raises what the model raises."""

        async def ask() -> Completion:
            found = await self.model.score(request, continuation)
            return Completion("", "", found.ids, found.logprobs, usage=Usage(found.read, 0, 1), reason={"end": found.end})

        row = await self._once(self._row("score", canonical_prompt(request), continuation), ask)
        return TokenScores(row.ids or (), row.logprobs or (), float(row.reason["end"]), row.usage.prompt_tokens)

    async def reading(
        self, sort: str, request: Request, about: Any, find: Callable[[Session], Awaitable[Completion]]
    ) -> Completion:
        """What ``find`` learns in a session that begins with ``request``, a row of the store under ``sort`` and ``about``."""

        async def read() -> Completion:
            async with await self.open(request) as session:
                return await find(session)

        return await self._once(self._row(sort, canonical_prompt(request), about), read)

    async def open(self, request: Request) -> Session:
        """A session of the model, not stored; one without SESSION gets a stateless one, whose calls are. Raises PoolError."""
        if "SESSION" in self.capabilities:
            return await open_session(self.model, request)
        return StatelessSession(self, request)
