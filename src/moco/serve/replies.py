"""What a server says of answers, in OpenAI's forms: whole, or as the events of a stream.

A collaboration knows its text when it has finished (a vote may yet go to another member), so a stream is the finished answer in
pieces: the framing is a stream's, the time to the first word is the answer's.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from moco.core.seeds import digest
from moco.core.types import Completion, Usage

Sort = Literal["chat", "text"]
_PIECE = re.compile(r"\s*\S+|\s+")
_NAMES: Mapping[Sort, tuple[str, str, str]] = {
    "chat": ("chatcmpl", "chat.completion", "chat.completion.chunk"),
    "text": ("cmpl", "text_completion", "text_completion"),
}
"""Prefix of the id, and the object of a reply and of an event."""


def card(name: str, born: int) -> dict[str, Any]:
    """A model in the list of models."""
    return {"id": name, "object": "model", "created": born, "owned_by": "moco"}


@dataclass(frozen=True)
class Reply:
    """The finished ``said`` of model ``name``, one per choice; ``mark`` is its fingerprint."""

    sort: Sort
    name: str
    mark: str
    said: Sequence[Completion]

    def whole(self) -> dict[str, Any]:
        """The answer as one object."""
        choices = [self._choice(i, c.text, _finish(c)) for i, c in enumerate(self.said)]
        return {**self._head(event=False), "choices": choices, "usage": self._usage(), "moco": self._about()}

    def events(self, usage: bool) -> Iterator[str]:
        """The answer as server-sent events: every choice in pieces of a word, the last with ``moco``; then usage if wanted."""
        head = {**self._head(event=True), **({"usage": None} if usage else {})}
        for index, one in enumerate(self.said):
            if self.sort == "chat":
                yield _event({**head, "choices": [_part(index, {"role": "assistant", "content": ""}, None)]})
            for piece in _PIECE.findall(one.text):
                yield _event({**head, "choices": [self._piece(index, piece, None)]})
            last = {"moco": {**self._about(), "stream": "finished"}} if index == len(self.said) - 1 else {}
            yield _event({**head, "choices": [self._piece(index, None, _finish(one))], **last})
        if usage:
            yield _event({**head, "choices": [], "usage": self._usage()})
        yield "data: [DONE]\n\n"

    def _head(self, *, event: bool) -> dict[str, Any]:
        prefix, whole, chunk = _NAMES[self.sort]
        id_ = digest("response", self.name, [c.text for c in self.said], time.time_ns())[:24]
        return {
            "id": f"{prefix}-{id_}",
            "object": chunk if event else whole,
            "created": int(time.time()),
            "model": self.name,
            "system_fingerprint": self.mark,
        }

    def _choice(self, index: int, text: str, finish: str) -> dict[str, Any]:
        if self.sort == "text":
            return {"index": index, "text": text, "finish_reason": finish, "logprobs": None}
        message = {"role": "assistant", "content": text, "refusal": None}
        return {"index": index, "message": message, "finish_reason": finish, "logprobs": None}

    def _piece(self, index: int, text: str | None, finish: str | None) -> dict[str, Any]:
        if self.sort == "text":
            return {"index": index, "text": text or "", "finish_reason": finish, "logprobs": None}
        return _part(index, {} if text is None else {"content": text}, finish)

    def _usage(self) -> dict[str, int]:
        total = sum((c.usage for c in self.said), Usage())
        prompt, written = total.prompt_tokens, total.completion_tokens
        return {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}

    def _about(self) -> dict[str, Any]:
        """What OpenAI's form has no place for: of the first choice, of all choices, and the calls to the members."""
        keys = ("source", "confidence", "reason", "key")
        about = [{k: dict(c.reason) if k == "reason" else getattr(c, k) for k in keys} for c in self.said]
        calls = sum(c.usage.calls for c in self.said)
        return {**about[0], "calls": calls, **({"choices": about} if len(about) > 1 else {})}


def _part(index: int, delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
    return {"index": index, "delta": delta, "finish_reason": finish, "logprobs": None}


def _finish(said: Completion) -> str:
    return "length" if said.finish == "length" else "stop"


def _event(data: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(data, allow_nan=False)}\n\n"
