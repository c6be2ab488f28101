"""The law: a fitted collaboration is a Model. It can be asked, served, evaluated, and be a member of another one."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import moco._version as version
from moco.collab.faults import blamed
from moco.collab.method import Method
from moco.collab.source import source_hash
from moco.collab.state import state_digest
from moco.core.errors import MethodError
from moco.core.query import Query
from moco.core.runtime import RUNTIME
from moco.core.seeds import derive, digest
from moco.core.types import Answer, Completion, Request, messages_of
from moco.models.cached import CachedModel
from moco.models.pool import Pool
from moco.models.protocol import Capabilities, StoreKey, TokenScores, canonical_prompt, is_greedy, store_key
from moco.models.transcript import Recorder


class Collaboration:
    """A method over a pool, as a Model. Wrap it with ``cached`` so that finished answers are rows of the store."""

    asks_members = True
    """Options whose probabilities are compared are its members' business."""

    def __init__(self, method: Method, pool: Pool, name: str = "") -> None:
        method.check(pool)
        self.method, self.pool = method, pool
        self.name = name or method.info.name
        self.description = f"{method.info.name} of {', '.join(pool.names)}"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(frozenset({"TEXT", "PREFIX", "RAW"}), seed="request")

    @cached_property
    def fingerprint(self) -> str:
        """Hash of method, source files (its own, the kits'), options, fitted state, members and moco version."""
        method = self.method
        return digest(
            "collaboration",
            method.info.name,
            source_hash(type(method)),
            method.options,
            state_digest(method.state),
            self.pool.fingerprint,
            version.__version__,
        )

    def key(self, request: Request) -> StoreKey:
        return store_key(
            self.fingerprint,
            "collaboration",
            canonical_prompt(request),
            request,
            greedy=self.method.info.greedy and is_greedy(request),
            collaboration=True,
        )

    async def generate(self, request: Request) -> Completion:
        """Answer ``request`` as the method says. An explicit seed s becomes H(s, content) for the members."""
        if request.seed is not None:
            content = self.key(request).content
            request = request.but(seed=None, study_seed=derive(request.seed, content))
        query, recorder = Query.of(request), Recorder()
        with blamed(self.method):
            answer = await self.method.answer(query, self.pool.bind(query, recorder))
        if not isinstance(answer, Answer):
            raise MethodError(
                f"{self.method.info.name}.answer returned a {type(answer).__name__}", remedy="return moco.Answer(text=...)"
            )
        return Completion(
            text=answer.text,
            finish=answer.finish,
            usage=recorder.usage,
            key=query.extract(answer.text),
            source=answer.source,
            confidence=answer.confidence,
            reason=dict(answer.reason),
            calls=recorder.calls,
        )

    async def score(self, request: Request, continuation: str) -> TokenScores:
        raise MethodError(f"{self.name} has no token probabilities", remedy="score with one of its members")

    def __call__(self, question: str) -> str:
        """Ask one plain question and wait for the text."""
        return RUNTIME.run(self.generate(Request(messages=messages_of(question)))).text


class Team(CachedModel):
    """A collaboration behind the store: what ``fitted.as_model()`` gives."""

    async def generate(self, request: Request) -> Completion:
        """The answer, with its key: a merge or a group is a plain model, which does not know what its text says."""
        completion = await super().generate(request)
        if completion.key is not None:
            return completion
        return replace(completion, key=Query.of(request).extract(completion.text))

    def __call__(self, question: str | Request) -> str:
        """Ask one question and wait for the text."""
        request = question if isinstance(question, Request) else Request(messages=messages_of(question))
        return RUNTIME.run(self.generate(request)).text
