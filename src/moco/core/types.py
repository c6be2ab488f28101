"""The plain types every room speaks: messages, requests, completions, answers. Frozen, hashable, free of torch."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from moco.core.errors import ConfigError, did_you_mean

Role = Literal["system", "user", "assistant"]
Finish = Literal["stop", "length", "error"]
Key = str
"""What an answer says, in canonical form; two equal keys are the same answer."""


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn. ``temperature`` 0 is greedy; ``top_k`` 0 and ``top_p`` 1 switch their cuts off."""

    max_tokens: int = 512
    temperature: float = 0.7
    top_p: float = 0.9
    top_k: int = 0
    min_p: float = 0.0
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        whole, real = numbers.Integral, numbers.Real
        for name, kind in (("max_tokens", whole), ("temperature", real), ("top_p", real), ("top_k", whole), ("min_p", real)):
            value = getattr(self, name)
            if not isinstance(value, kind) or isinstance(value, bool):
                remedy = f"give a {'whole number' if kind is whole else 'number'}"
                raise ConfigError(f"{name} is {value!r}", where="sampling", remedy=remedy)
        stop: Any = self.stop
        if isinstance(stop, str):  # one text, not its letters
            stop = (stop,)
        if not isinstance(stop, list | tuple) or not all(isinstance(s, str) and s for s in stop):
            raise ConfigError(f"stop is {self.stop!r}", where="sampling", remedy="give a text, or a list of texts")
        if self.max_tokens < 1:
            raise ConfigError(f"max_tokens is {self.max_tokens}", where="sampling", remedy="give at least 1")
        if not 0 <= self.temperature < float("inf"):
            raise ConfigError(f"temperature is {self.temperature}", where="sampling", remedy="give 0 (greedy) or more")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p is {self.top_p}", where="sampling", remedy="give more than 0 and at most 1")
        if self.top_k < 0 or not 0 <= self.min_p <= 1:
            raise ConfigError("top_k or min_p is out of range", where="sampling", remedy="top_k >= 0, 0 <= min_p <= 1")
        object.__setattr__(self, "stop", tuple(stop))

    def but(self, **changes: Any) -> Sampling:
        """A copy with ``changes``; None leaves a field as it is.

        Raises ConfigError for a field that does not exist.
        """
        known = {f.name for f in dataclasses.fields(self)}
        for name in changes:
            if name not in known:
                raise ConfigError(f"unknown sampling option '{name}'", where="sampling", remedy=did_you_mean(name, known))
        return dataclasses.replace(self, **{k: v for k, v in changes.items() if v is not None})

    def law(self) -> dict[str, Any]:
        """The fields that change the law of the text: at temperature 0 the cuts are without effect."""
        fields: dict[str, Any] = {"max_tokens": self.max_tokens, "temperature": self.temperature, "stop": list(self.stop)}
        if self.temperature > 0:
            fields |= {"top_p": self.top_p, "top_k": self.top_k, "min_p": self.min_p}
        return fields


@dataclass(frozen=True, slots=True)
class Tag:
    """Why a request was made, for the transcript; never part of any key."""

    stage: str = "answer"
    round: int = 0
    agent: str = ""
    sees: tuple[str, ...] = ()
    """Ids of the calls whose text is quoted in this request."""


@dataclass(frozen=True, slots=True)
class AnswerSpec:
    """How an answer is extracted and compared. ``kind`` is one of the grader kinds; it holds no gold answer."""

    kind: str = "generation"
    labels: tuple[str, ...] = ()
    """Multiple choice: the labels, in order; label tasks: the label words."""
    choices: tuple[str, ...] = ()
    """Multiple choice: the option texts, parallel to ``labels``."""
    tolerance: float | None = None
    question: str = ""
    answer_format: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One question to one model. Exactly one of ``messages``, ``text`` (raw) and ``ids`` (raw tokens) is given.

    ``seed`` overrides the derived one; ``study_seed`` is what seeds are derived from. ``draw`` numbers independent
    samples (nested collaborations prefix theirs), ``replicate`` the pool entries that are the same model.
    """

    messages: tuple[Message, ...] = ()
    text: str | None = None
    ids: tuple[int, ...] | None = None
    prefix: str = ""
    sampling: Sampling = field(default_factory=Sampling)
    draw: tuple[int, ...] = ()
    replicate: int = 0
    spec: AnswerSpec | None = None
    seed: int | None = None
    study_seed: int = 0
    tag: Tag = field(default_factory=Tag, compare=False)

    def __post_init__(self) -> None:
        given = bool(self.messages) + (self.text is not None) + (self.ids is not None)
        if given != 1:
            raise ConfigError(f"a request holds {given} prompts", remedy="give exactly one of messages, text, ids")
        draw = tuple(self.draw)
        while draw and draw[0] == 0:  # leading zeros drop, so a member asked plainly is the shared one
            draw = draw[1:]
        object.__setattr__(self, "draw", draw)

    def but(self, **changes: Any) -> Request:
        return dataclasses.replace(self, **changes)

    @property
    def question(self) -> str:
        """The text shown to a person: the spec's question, else the last user message or the raw text."""
        if self.spec is not None and self.spec.question:
            return self.spec.question
        for message in reversed(self.messages):
            if message.role == "user":
                return message.content
        return self.text or ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Logical cost, as from an empty store. ``calls`` counts model calls."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    calls: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.calls + other.calls,
        )


@dataclass(frozen=True, slots=True)
class Call:
    """One request and its completion as a transcript keeps it; ``id`` is unique inside one answer."""

    id: str
    member: str
    prompt: str
    text: str
    tag: Tag = field(default_factory=Tag)
    draw: tuple[int, ...] = ()
    key: Key | None = None
    finish: Finish = "stop"
    usage: Usage = field(default_factory=Usage)
    content: str = ""
    calls: tuple[Call, ...] = ()
    """What a member that is a collaboration did inside."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model said. ``text`` is the visible answer, without the request's prefix.

    ``ids`` and ``logprobs`` (natural log, parallel) are those of the emitted tokens, where the engine gives them.
    ``key``, ``source``, ``confidence``, ``reason`` and ``calls`` come from collaborations.
    """

    text: str
    reasoning: str = ""
    ids: tuple[int, ...] | None = None
    logprobs: tuple[float, ...] | None = None
    finish: Finish = "stop"
    usage: Usage = field(default_factory=Usage)
    key: Key | None = None
    source: str | None = None
    confidence: float | None = None
    reason: Mapping[str, Any] = field(default_factory=dict)
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A member's answer inside a collaboration. ``key`` is what it says, None if nothing can be read from it."""

    member: str
    draw: int
    text: str
    key: Key | None
    completion: Completion
    call: str = ""
    """Id of the call in the transcript; quoting the draft puts it into ``Tag.sees``."""
    failed: str = ""
    index: int = 0
    """Place of the member in the pool."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a method returns: a real text and the reason for it."""

    text: str
    source: str | None = None
    confidence: float | None = None
    reason: Mapping[str, Any] = field(default_factory=dict)
    finish: Finish = "stop"
    """`length` where the text was cut off."""


def messages_of(text: str, system: str = "") -> tuple[Message, ...]:
    """A user message, behind a system message if one is given."""
    head = (Message("system", system),) if system else ()
    return (*head, Message("user", text))


def chat(turns: Sequence[Mapping[str, str]]) -> tuple[Message, ...]:
    """Messages from the OpenAI form ``[{"role": ..., "content": ...}]``; raises ConfigError for a malformed turn."""
    out = []
    for number, turn in enumerate(turns):
        role, content = turn.get("role"), turn.get("content")
        if role not in ("system", "user", "assistant") or not isinstance(content, str):
            raise ConfigError(
                f"turn {number} is not a chat message",
                where="messages",
                remedy='write {"role": "system|user|assistant", "content": "text"}',
            )
        out.append(Message(role, content))  # type: ignore[arg-type]
    return tuple(out)
