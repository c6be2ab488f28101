"""The state of a running decode: its rows (waiting, active), and for the active ones logits, mask and key-value cache.

Invariant: line i of logits, mask and cache belongs to the i-th active row; columns that are padding for every row are
dropped. Rows leave by ``keep`` and come by ``join``; neither changes what the other rows will emit.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from moco.core.errors import BackendError, Fatal
from moco.core.types import Completion, Finish, Sampling, Usage
from moco.models.rendering import split_reasoning
from moco.models.tokens import Tail

JOIN_STEPS = 8
"""Steps after which even a small group joins a running decode; larger ones join at once."""


class Pieces(Protocol):
    """What tells the text of emitted ids; see ``Tokens.piece``."""

    def piece(self, before: Sequence[int], ids: Sequence[int]) -> str: ...


@dataclass(frozen=True)
class Row:
    """One prompt (ids, never empty) to continue by at most ``limit`` tokens."""

    prompt: tuple[int, ...]
    sampling: Sampling
    seed: int
    limit: int


@dataclass
class Emitted:
    """What a row emitted: every token sampled, the end token and those inside a stop string included; ``text`` without them."""

    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    text: str = ""
    finish: Finish = "length"

    def completion(self, usage: Usage, *, thinking: bool, reason: Mapping[str, Any] | None = None) -> Completion:
        """What was emitted as an answer; ``thinking``: the prompt had opened a thinking block."""
        visible, reasoning = split_reasoning(self.text, opened=thinking)
        ids, logprobs = tuple(self.ids), tuple(self.logprobs)
        return Completion(
            visible, reasoning=reasoning, ids=ids, logprobs=logprobs, finish=self.finish, usage=usage, reason=reason or {}
        )


def take(
    emitted: Emitted, row: Row, tail: Tail | None, token: int, logprob: float, *, eos: Container[int], codec: Pieces
) -> bool:
    """Add a token to ``emitted``; False if the row has ended: end token, stop string (``tail`` finds it) or length."""
    emitted.ids.append(token)
    emitted.logprobs.append(logprob)
    if token in eos:
        emitted.finish = "stop"
        emitted.text = codec.piece(row.prompt, emitted.ids[:-1])
        return False
    cut = -1 if tail is None else tail.push(token)
    if tail is not None and cut >= 0:
        emitted.finish, emitted.text = "stop", tail.text[:cut]
        return False
    if len(emitted.ids) >= row.limit:
        emitted.text = codec.piece(row.prompt, emitted.ids)
        return False
    return True


Deliver = Callable[[int, "Emitted | BackendError"], None]
More = Callable[[int], Sequence[Row]]


def too_large(name: str) -> Fatal:
    """The error of a row that does not fit alone."""
    return Fatal("out of memory on a single row", where=name, remedy="use a smaller model, dtype or prompt")


class Work:
    """The rows of one ``serve``: all, by number; those not begun (``waiting``) and those running (``active``, in order)."""

    def __init__(self, rows: list[Row], deliver: Deliver, more: More, capacity: int) -> None:
        self.rows, self.deliver, self.more, self.capacity = rows, deliver, more, capacity
        self.waiting: list[int] = []
        self.active: list[int] = []
        self._steps = 0

    def wait(self, numbers: Iterable[int]) -> None:
        """Queue rows, short prompts first, so that a batch pads little."""
        self.waiting = sorted([*self.waiting, *numbers], key=lambda i: (len(self.rows[i].prompt), self.rows[i].prompt))

    def admit(self, joinable: bool) -> list[int]:
        """Numbers of the rows that begin now; they become active. Rows join in groups or every JOIN_STEPS steps."""
        self._steps += 1
        if not joinable or len(self.active) >= self.capacity:
            return []
        room = self.capacity - len(self.active)
        if brought := self.more(max(0, room - len(self.waiting))):
            start = len(self.rows)
            self.rows.extend(brought)
            self.wait(range(start, len(self.rows)))
        group = min(room, len(self.waiting))
        if not group or (group < len(self.active) / 4 and self._steps < JOIN_STEPS):
            return []
        self._steps = 0
        new, self.waiting = self.waiting[:group], self.waiting[group:]
        self.active += new
        return new

    def halve(self, name: str) -> None:
        """After out of memory: begin all running rows again, at most half as many at once; a single one fails."""
        if len(self.active) == 1:
            self.deliver(self.active.pop(), too_large(name))
        self.capacity = max(1, min(self.capacity, len(self.active)) // 2)
        again, self.active = self.active, []
        self.wait(again)


@dataclass
class Running:
    """``logits`` (rows, vocabulary); ``mask`` (rows, columns) 1 on tokens; ``cache`` a transformers DynamicCache."""

    logits: Any
    mask: Any
    cache: Any

    @property
    def joinable(self) -> bool:
        """Whether rows can join: every layer is a plain growing cache (no sliding window, no recurrent state)."""
        return all(type(layer).__name__ == "DynamicLayer" for layer in self.cache.layers)

    def keep(self, rows: Sequence[int]) -> None:
        """Only ``rows`` (indices; repeats allowed), in that order."""
        import torch

        chosen = torch.tensor(rows, dtype=torch.long, device=self.mask.device)
        self.cache.batch_select_indices(chosen)
        self.mask, self.logits = self.mask[chosen], self.logits[chosen]
        self._trim()

    def join(self, other: Running) -> None:
        """Add the rows of ``other`` behind the own ones; the narrower of the two is padded on the left."""
        import torch

        width = max(self.mask.shape[1], other.mask.shape[1])

        def both(mine: Any, theirs: Any, axis: int) -> Any:
            # pad() names axes from the last one backwards
            lead = [0, 0] * (mine.dim() - 1 - axis)
            padded = [torch.nn.functional.pad(x, [*lead, width - x.shape[axis], 0]) for x in (mine, theirs)]
            return torch.cat(padded, dim=0)

        for mine, theirs in zip(self.cache.layers, other.cache.layers, strict=True):
            mine.keys = both(mine.keys, theirs.keys, 2)
            mine.values = both(mine.values, theirs.values, 2)
        self.mask = both(self.mask, other.mask, 1)
        self.logits = torch.cat([self.logits, other.logits], dim=0)
        self._trim()

    def _trim(self) -> None:
        if not self.joinable or not len(self.mask):
            return
        lead = int((self.mask.cumsum(1) == 0).sum(1).min())
        if lead:
            self.mask = self.mask[:, lead:]
            for layer in self.cache.layers:
                layer.keys, layer.values = layer.keys[:, :, lead:], layer.values[:, :, lead:]
