"""A group: models that decode one answer together, as a Model.

Invariant: each member reads the request by its own chat template; only what is written is common. Nothing is loaded before
the first request that has to be computed, and no member that the rule gives no say. All members lie on one device, whose
thread runs them in lock-step; ids and log-probabilities of an answer are those of the joint vocabulary, whose ids are the
first member's where it knows the token.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import moco._version as version
from moco.core.errors import BackendError, PoolError
from moco.core.seeds import digest
from moco.core.types import Completion, Request, Usage
from moco.decoding.decoder import JointDecoder, JointEmitted, JointRow
from moco.decoding.joint import JointStreams, Prompts
from moco.decoding.rule import Rule
from moco.decoding.vocabulary import JointCodec, align
from moco.models.batching import Batcher
from moco.models.cached import CachedModel
from moco.models.hf import file_hash
from moco.models.member import Member
from moco.models.protocol import Capabilities, Counters, StoreKey, TokenScores, store_key
from moco.models.running import Deliver, More
from moco.models.streams import LogitModel, Vocabulary

ScoreRow = tuple[Prompts, tuple[int, ...]]


class Group:
    """``models`` (with LOGITS, called ``names``) decoded together by ``rule``.

    Raises PoolError where they cannot be: another tokenizer, another device; ConfigError where the rule does not fit them.
    Reads tokenizers, no weights.
    """

    def __init__(self, rule: Rule, models: Sequence[LogitModel], names: Sequence[str], name: str = "") -> None:
        self.rule, self.counters = rule, Counters()
        self.chosen = tuple(rule.chosen(len(models)))
        self.count, self.models, self.names = len(models), [models[i] for i in self.chosen], [names[i] for i in self.chosen]
        self.name = name or f"{rule.name}({'+'.join(self.names)})"
        self.description = f"{rule.name} of {', '.join(self.names)}"
        devices = {n: m.device for n, m in zip(self.names, self.models, strict=True)}
        if len(set(devices.values())) > 1:
            raise PoolError(
                f"the members of a group lie on different devices: {devices}",
                where=self.name,
                why="they decode in lock-step, in one device's thread",
                remedy="give all of them the same device",
            )
        self.device = self.models[0].device
        self.alignment = align([m.vocabulary for m in self.models], self.names, union=rule.union)
        self.codec = JointCodec(self.alignment, [m.codec for m in self.models])

    # -- what it is

    @property
    def capabilities(self) -> Capabilities:
        known = {"TEXT", "PREFIX", "RAW", "LOGPROBS", "SCORE", "LOGITS"}
        return Capabilities(frozenset(known | ({"IDS"} if self.alignment.same else set())))

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the rule (with its source file), the members that take part, and moco's version."""
        source = inspect.getsourcefile(type(self.rule))
        code = file_hash(Path(source)) if source else ""
        members = [m.fingerprint for m in self.models]
        return digest("group", self.rule.describe(), code, list(self.chosen), self.count, members, version.__version__)

    @property
    def engine(self) -> str:
        """The members' engines: the same question on other hardware is another answer."""
        return f"joint-{'+'.join(sorted({m.engine for m in self.models}))}"

    @property
    def max_rows(self) -> int:
        return min(m.max_rows for m in self.models)

    @property
    def vocabulary(self) -> Vocabulary:
        return self.alignment.vocabulary

    def prompt(self, request: Request) -> Prompts:
        """The request as each member reads it; raises ContextOverflow naming the first whom it does not fit."""
        if request.ids is not None and not self.alignment.same:
            raise PoolError("token ids mean different tokens to the members", where=self.name, remedy="ask with messages or text")
        return tuple(m.prompt(request) for m in self.models)

    def room(self, request: Request) -> int:
        """Tokens that may be emitted: as many as fit every member."""
        return min(m.room(request) for m in self.models)

    def thinking(self, request: Request) -> bool:
        return self.models[0].thinking(request)

    def continuation(self, request: Request, text: str) -> tuple[int, ...]:
        """Joint ids of ``text`` as the answer; raises ContextOverflow if it does not fit a member."""
        ids, *_ = [m.continuation(request, text) for m in self.models]
        return ids

    def key(self, request: Request) -> StoreKey:
        return store_key(self.fingerprint, self.engine, list(self.prompt(request)), request)

    # -- answering

    @cached_property
    def _joint(self) -> JointStreams:
        return JointStreams(
            self.rule,
            self.alignment,
            self.codec,
            chosen=self.chosen,
            members=self.count,
            names=self.names,
            sources=[m.streams for m in self.models],
            max_rows=self.max_rows,
        )

    def streams(self) -> JointStreams:
        return self._joint

    @cached_property
    def _decoder(self) -> JointDecoder:
        return JointDecoder(self.streams, name=self.name, device=self.device, max_rows=self.max_rows, counters=self.counters)

    @cached_property
    def _generating(self) -> Batcher[JointRow, Any]:
        return Batcher(serve=self._serve, device=self.device, counters=self.counters, name=self.name)

    @cached_property
    def _scoring(self) -> Batcher[ScoreRow, TokenScores]:
        return Batcher(self._score, device=self.device, counters=self.counters, name=self.name)

    def _serve(self, rows: list[JointRow], deliver: Deliver, more: More) -> None:
        self._decoder.serve(rows, deliver, more)

    def _score(self, rows: list[ScoreRow]) -> Sequence[TokenScores | BackendError]:
        return self._decoder.score_rows(rows)

    async def generate(self, request: Request) -> Completion:
        """Answer ``request``; usage counts what each member read and was asked for.

        Raises ContextOverflow if the prompt leaves a member no room, Fatal if a member fails.
        """
        prompts = self.prompt(request)
        row = JointRow(next(_leaves(prompts)), request.sampling, self.key(request).seed, self.room(request), prompts=prompts)
        emitted: JointEmitted = await self._generating.submit(row)
        self.counters.generated += 1
        usage = sum((_usage(p, n) for p, n in zip(prompts, emitted.reach, strict=True)), Usage())
        noted = {name: round(value, 6) for name, value in sorted(emitted.notes.items())}
        return emitted.completion(usage, thinking=self.thinking(request), reason=noted)

    async def score(self, request: Request, continuation: str) -> TokenScores:
        """Joint log-probabilities of ``continuation`` as the answer to ``request``; raises ContextOverflow if it does not fit."""
        prompt, ids = self.prompt(request), self.continuation(request, continuation)
        read = sum(len(leaf) + len(ids) for leaf in _leaves(prompt))
        return replace(await self._scoring.submit((prompt, ids)), read=read)


def _leaves(prompt: Any) -> Iterator[tuple[int, ...]]:
    """The ids that the models of a prompt read, those of groups inside groups too."""
    if all(isinstance(part, int) for part in prompt):
        yield tuple(prompt)
    else:
        for part in prompt:
            yield from _leaves(part)


def _usage(prompt: Any, reach: int) -> Usage:
    """What a member cost that was asked for ``reach`` places behind ``prompt``."""
    if not reach:
        return Usage()
    read = [len(ids) for ids in _leaves(prompt)]
    return Usage(sum(read), reach * len(read), len(read))


def build_group(rule: Rule, members: Sequence[Member], name: str = "") -> Group:
    """The group of pool members, for ``pool.group``; raises PoolError naming a member that gives no logits."""
    models: list[Any] = []
    for member in members:
        if "LOGITS" not in member.model.capabilities:
            raise PoolError(
                f"member '{member.name}' gives no next-token distributions",
                where=name or rule.name,
                why="it lacks the capability LOGITS",
                remedy="use a local model for it, or a method of the text level",
            )
        model: Any = member.model
        while isinstance(model, CachedModel):
            model = model.model
        models.append(model)
    return Group(rule, models, [m.name for m in members], name)
