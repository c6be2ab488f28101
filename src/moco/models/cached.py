"""A model behind the store: looked up first, asked once however many want it, kept when answered.

Single flight: equal requests that arrive while the first is being answered wait for its future, in other processes of the
machine for its row.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import numpy as np

from moco.core.errors import PoolError
from moco.core.seeds import digest
from moco.core.types import Completion, Request, Usage
from moco.models.protocol import Capabilities, Model, StoreKey, TokenScores, Vectors, canonical_prompt
from moco.models.session import Session
from moco.models.session_stateless import StatelessSession, open_session
from moco.models.store import Store

POLL_SECONDS = 0.05
"""How often the store is looked at while another process answers."""


class Keyed(Model, Protocol):
    """A model that knows the store key of a request."""

    def key(self, request: Request) -> StoreKey: ...


class CachedModel:
    """``model`` behind ``store``. ``paid`` counts the tokens really generated since this object was made."""

    def __init__(self, model: Keyed, store: Store) -> None:
        self.model, self.store, self.name = model, store, model.name
        self.paid_calls = self.paid_tokens = 0
        self._flights: dict[StoreKey, asyncio.Future[Completion]] = {}

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
        return await self._once(self.key(request), lambda: self.model.generate(request))

    async def reward(self, request: Request, text: str) -> float:
        """The model's reward, a row of the store; raises PoolError for a model without REWARD, and what the model raises."""
        model = self._with("REWARD", "gives no rewards", "name a reward model")

        async def ask() -> Completion:
            return Completion("", reason={"reward": float(await model.reward(request, text))})

        return float((await self._once(self._row("reward", canonical_prompt(request), text), ask)).reason["reward"])

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """The model's vectors, one row of the store per text (where reading it is cheaper than making it); errors as `reward`."""
        model = self._with("EMBED", "cannot embed texts", "name a sentence encoder, or hashed")
        if not getattr(model, "stored", True):
            found: Vectors = await model.embed(texts)
            return found

        async def one(text: str) -> Vectors:
            async def ask() -> Completion:
                vector = np.asarray((await model.embed([text]))[0], "<f4")
                return Completion("", reason={"vector": base64.b64encode(vector.tobytes()).decode()})

            row = await self._once(self._row("embedding", text), ask)
            return np.frombuffer(base64.b64decode(row.reason["vector"]), "<f4").astype(np.float32)

        distinct = list(dict.fromkeys(texts))
        of = dict(zip(distinct, await asyncio.gather(*(one(text) for text in distinct)), strict=True))
        return np.stack([of[text] for text in texts]) if of else np.zeros((0, 0), np.float32)

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

    async def open(self, request: Request) -> Session:
        """A session of the model, not stored; one without SESSION gets a stateless one, whose calls are. Raises PoolError."""
        if "SESSION" in self.capabilities:
            return await open_session(self.model, request)
        return StatelessSession(self, request)
