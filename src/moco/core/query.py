"""What a method sees of a question: what may be shown to a model, and how an answer is read and compared. Never gold."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from moco.core.answering import KINDS, clusters
from moco.core.seeds import generator
from moco.core.types import AnswerSpec, Key, Message, Request, messages_of


class Query:
    """One question as a method gets it. Build it at the border with ``Query.of(request)``."""

    __slots__ = ("_request", "spec")

    def __init__(self, request: Request) -> None:
        self._request = request
        self.spec: AnswerSpec = request.spec if request.spec is not None else AnswerSpec(question=request.question)

    @classmethod
    def of(cls, request: Request | str) -> Query:
        return cls(request if isinstance(request, Request) else Request(messages=messages_of(request)))

    @property
    def question(self) -> str:
        """The question with its options, without the instruction on how to write the answer."""
        asked = self.spec.question or self._request.question
        if self.spec.kind != "multiple_choice" or not self.spec.choices:
            return asked
        options = zip(self.spec.labels, self.spec.choices, strict=True)
        return "\n".join([asked, *(f"{label}. {text}" for label, text in options)])

    @property
    def answer_format(self) -> str:
        """How the final answer must be written; empty where any text will do."""
        return self.spec.answer_format

    @property
    def messages(self) -> tuple[Message, ...]:
        return self._request.messages

    @property
    def seed(self) -> int:
        """The study's seed."""
        return self._request.study_seed

    def request(self, prompt: str | None = None, **sampling: Any) -> Request:
        """The untouched task prompt, or ``prompt`` as a user message in its place, with sampling options replaced."""
        base = self._request
        if prompt is not None:
            head = tuple(m for m in base.messages if m.role == "system")
            # a member that is a collaboration votes as before, but what it is asked is the prompt as it stands
            spec = None if base.spec is None else replace(base.spec, question=prompt, choices=())
            base = base.but(messages=(*head, Message("user", prompt)), text=None, ids=None, prefix="", spec=spec)
        return base.but(sampling=base.sampling.but(**sampling)) if sampling else base

    @property
    def votable(self) -> bool:
        """Whether answers have keys that can be compared."""
        return KINDS.get(self.spec.kind).votable

    def extract(self, text: str) -> Key | None:
        """What ``text`` answers, in canonical form; None if that cannot be read."""
        return KINDS.get(self.spec.kind).extract(text, self.spec)

    async def same_many(self, keys: Sequence[Key | None]) -> list[list[int]]:
        """Clusters of indices with the same answer, by lowest index; None is in none."""
        if getattr(KINDS.get(self.spec.kind), "waits", False):
            return await asyncio.to_thread(clusters, keys, self.spec)
        return clusters(keys, self.spec)

    def rng(self, purpose: str) -> np.random.Generator:
        """Random numbers of this question and purpose: the same whatever was asked before."""
        r = self._request
        prompt = [r.text, r.ids, [[m.role, m.content] for m in r.messages]]
        return generator("query", r.study_seed if r.seed is None else r.seed, list(r.draw), prompt, purpose)
