"""Token streams: the one key-value engine below sessions and jointly decoded groups.

``Streams.open(prompts)`` gives a ``Batch`` of rows, each a growing list of token ids. What may be done with one:

* ``batch.logits()``: float32 (rows, width), natural-log scores of the token after each row's ids; computed when read.
* ``batch.push(new)``: 1+ ids behind each row (0 leaves a row as it is); rows may get different numbers; nothing is computed.
* ``batch.verify(new)``: push, and the logits before every new id and after the last, from one forward pass.
* ``batch.keep(rows)`` (repeats fork), ``batch.join(other)``, ``batch.crop(lengths)`` (roll back).
* ``batch.detach(row) -> Saved`` and ``streams.attach([saved, ...]) -> Batch``: a row put aside, with its cache, and taken up.

Invariant: the logits of a row depend on its ids alone (to rounding), whatever its mates, its pushes and its journeys. All of
it is synchronous and runs in the device's thread (``Batcher`` brings work there). After an exception, out of memory included,
a batch is broken: open its ids again. Models with the capability LOGITS are ``LogitModel``s; ``moco.testing.TableModel`` has
the same streams without torch.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from moco.core.types import Request
from moco.models.protocol import Model
from moco.models.running import Running

if TYPE_CHECKING:
    from moco.models.decode import Decoder

Logits = NDArray[np.float32]
P = ParamSpec("P")
R = TypeVar("R")
HOLES = 0.25
"""Share of a cache's columns that may be holes before it is packed."""


@dataclass(frozen=True)
class Vocabulary:
    """Token string to id, added tokens included; ``eos`` end an answer; ids from ``width`` on have no logit."""

    ids: Mapping[str, int]
    eos: tuple[int, ...]
    width: int
    specials: frozenset[str] = frozenset()


class Codec(Protocol):
    """Text to ids and back."""

    def encode(self, text: str) -> Sequence[int]: ...
    def decode(self, ids: Sequence[int]) -> str: ...
    def piece(self, before: Sequence[int], ids: Sequence[int]) -> str:
        """Text that ``ids`` add behind ``before``."""


class StreamBatch(Protocol):
    """See the module; ``ids`` are those of each row, prompt included."""

    def __len__(self) -> int: ...
    @property
    def ids(self) -> Sequence[Sequence[int]]: ...
    @property
    def joinable(self) -> bool: ...
    def logits(self) -> Logits: ...
    def push(self, new: Sequence[Sequence[int]]) -> None: ...
    def verify(self, new: Sequence[Sequence[int]]) -> list[Logits]: ...
    def keep(self, rows: Sequence[int]) -> None: ...
    def join(self, other: Any) -> None: ...
    def crop(self, lengths: Sequence[int]) -> None: ...
    def detach(self, row: int) -> Any: ...


class Streams(Protocol):
    """Where batches come from, of up to ``max_rows``. A prompt is what the model's ``prompt(request)`` gave."""

    @property
    def max_rows(self) -> int: ...
    def open(self, prompts: Sequence[Any]) -> Any: ...
    def attach(self, saved: Sequence[Any]) -> Any: ...


class LogitModel(Model, Protocol):
    """A model with the capability LOGITS. Only ``streams`` loads anything; it is called in the thread of ``device``."""

    @property
    def max_rows(self) -> int: ...
    @property
    def device(self) -> str: ...
    @property
    def engine(self) -> str: ...
    @property
    def vocabulary(self) -> Vocabulary: ...
    @property
    def codec(self) -> Codec: ...
    def prompt(self, request: Request) -> Any:
        """The rendered prompt, hashable JSON; raises ContextOverflow."""

    def room(self, request: Request) -> int: ...
    def thinking(self, request: Request) -> bool: ...
    def continuation(self, request: Request, text: str) -> tuple[int, ...]: ...
    def streams(self) -> Any: ...


def _quiet(work: Callable[P, R]) -> Callable[P, R]:
    @functools.wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        import torch

        with torch.inference_mode():
            return work(*args, **kwargs)

    return run


@dataclass(frozen=True)
class Saved:
    """One row put aside: its ``ids``, and for the first ``done`` of them keys and values (heads, done, size) per layer.

    Immutable, so that forks may share it. ``logits`` (width,) are those after ``done`` ids, of use if that is all of them.
    """

    ids: tuple[int, ...]
    done: int = 0
    layers: tuple[tuple[Any, Any], ...] = ()
    logits: Any = None

    @property
    def bytes(self) -> int:
        """Device memory held."""
        held = [t for pair in self.layers for t in pair] + ([] if self.logits is None else [self.logits])
        return sum(int(t.numel()) * int(t.element_size()) for t in held)

    def crop(self, n: int) -> Saved:
        """The first ``n`` ids (1 <= n); the last of them runs again when logits are read."""
        if n >= len(self.ids):
            return self
        done = min(self.done, n - 1)
        layers = tuple((k[:, :done].clone(), v[:, :done].clone()) for k, v in self.layers) if done else ()
        return Saved(self.ids[:n], done, layers, self.logits if done else None)

    def cold(self) -> Saved:
        """Without its cache: attached, it is prefilled anew."""
        return Saved(self.ids)

    def append(self, new: Sequence[int]) -> Saved:
        """With ``new`` ids behind, not yet computed."""
        return replace(self, ids=(*self.ids, *new))


class TokenStreams:
    """Streams over the model of ``decoder``."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder, self.max_rows = decoder, decoder.max_rows

    def open(self, prompts: Sequence[tuple[int, ...]]) -> Batch:
        """Rows that begin with ``prompts`` (never empty); equal ones are prefilled once."""
        return Batch(self.decoder, [list(p) for p in prompts])

    @_quiet
    def attach(self, saved: Sequence[Saved]) -> Batch:
        """Rows that go on where ``saved`` ones stopped."""
        warm = [i for i, s in enumerate(saved) if s.done]
        rows = [i for i, s in enumerate(saved) if not s.done]
        cold = self.open([saved[i].ids for i in rows])
        if not warm:
            return cold
        batch = Batch(self.decoder, [list(saved[i].ids) for i in warm])
        batch.warm([saved[i] for i in warm])
        if rows:
            batch.join(cold)
            order = [*warm, *rows]
            batch.keep([order.index(i) for i in range(len(saved))])
        return batch


class Batch:
    """Rows of token ids with a common cache; the first ``done[i]`` ids of row i are in it."""

    def __init__(self, decoder: Decoder, ids: list[list[int]]) -> None:
        self._decoder, self.ids, self.done = decoder, ids, [0] * len(ids)
        self._running: Running | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def joinable(self) -> bool:
        """Whether rows join, leave the middle and roll back without beginning again (no sliding window, no recurrence)."""
        return self._running is None or self._running.joinable

    def logits(self) -> Logits:
        """float32 (rows, width) of the token after each row; +inf and NaN are the caller's to refuse."""
        out: Logits = self.tensor().float().cpu().numpy()
        return out

    @_quiet
    def tensor(self) -> Any:
        """``logits`` as the model gives them: its dtype, on its device."""
        if self._running is None or any(self._pending()):
            self._settle(1)
        assert self._running is not None
        return self._running.logits

    def push(self, new: Sequence[Sequence[int]]) -> None:
        for row, ids in zip(self.ids, new, strict=True):
            row.extend(ids)

    @_quiet
    def verify(self, new: Sequence[Sequence[int]]) -> list[Logits]:
        """Per row float32 (len(new) + 1, width): before each new id, and after the last."""
        import torch

        if not any(len(n) for n in new):
            return [row[None] for row in self.logits()]
        running, pending = self._running, self._pending()
        before = None if running is None else running.logits
        self.push(new)
        out = self._settle(max(len(n) for n in new) + 1)
        found = []
        for i, n in enumerate(new):
            tail = out[i, out.shape[1] - len(n) - bool(pending[i] or self._running is not running) :]
            if len(tail) == len(n):
                assert before is not None
                tail = torch.cat([before[i : i + 1], tail])
            found.append(tail.float().cpu().numpy())
        return found

    @_quiet
    def keep(self, rows: Sequence[int]) -> None:
        """Only ``rows`` (indices; repeats fork), in that order."""
        self.ids, self.done = [list(self.ids[i]) for i in rows], [self.done[i] for i in rows]
        if self._running is not None:
            self._running.keep(rows)

    @_quiet
    def join(self, other: Batch) -> None:
        """Take the rows of ``other`` behind the own ones; ``other`` is used up."""
        both = (self._running, other._running)
        if any(r is not None and not r.joinable for r in both):
            self._forget()
            other._forget()
        elif any(r is not None for r in both):
            for batch in (self, other):
                if batch._running is None and len(batch):
                    batch._settle(1)
            if other._running is not None:
                if self._running is None:
                    self._running = other._running
                else:
                    self._running.join(other._running)
        self.ids, self.done = self.ids + other.ids, self.done + other.done

    @_quiet
    def crop(self, lengths: Sequence[int]) -> None:
        """Roll row i back to its first ``lengths[i]`` ids (at least 1)."""
        import torch

        if not any(n < len(row) for n, row in zip(lengths, self.ids, strict=True)):
            return
        self.done = [d if n >= len(row) else min(d, n - 1) for d, n, row in zip(self.done, lengths, self.ids, strict=True)]
        self.ids = [row[:n] for n, row in zip(lengths, self.ids, strict=True)]
        if self._running is None:
            return
        if not self._running.joinable or 0 in self.done:
            self._forget()
            return
        mask = self._running.mask
        limit = torch.tensor(self.done, device=mask.device)[:, None]
        self._running.mask = mask * (mask.cumsum(1) <= limit)
        self._pack()

    @_quiet
    def detach(self, row: int) -> Saved:
        """A copy of row ``row`` to put aside; it stays in the batch."""
        ids = tuple(self.ids[row])
        running = self._running
        if running is None or not running.joinable or not self.done[row]:
            return Saved(ids)
        columns = running.mask[row].bool()
        layers = tuple((x.keys[row][:, columns], x.values[row][:, columns]) for x in running.cache.layers)
        return Saved(ids, self.done[row], layers, running.logits[row].clone())

    def warm(self, saved: Sequence[Saved]) -> None:
        """Fill the cache of a fresh batch from rows put aside, one per row, all with a cache."""
        import torch
        from torch.nn.functional import pad

        width = max(s.done for s in saved)
        cache = self._cache()
        for layer in range(len(saved[0].layers)):
            keys, values = (torch.stack([pad(s.layers[layer][x], (0, 0, width - s.done, 0)) for s in saved]) for x in (0, 1))
            cache.update(keys, values, layer)
        mask = torch.zeros((len(saved), width), dtype=torch.long, device=self._decoder.device)
        for i, s in enumerate(saved):
            mask[i, width - s.done :] = 1
        self._running = Running(torch.stack([s.logits for s in saved]), mask, cache)
        self.done = [s.done for s in saved]

    # -- computing

    def _pending(self) -> list[int]:
        return [len(row) - d for row, d in zip(self.ids, self.done, strict=True)]

    def _cache(self) -> Any:
        from transformers import DynamicCache

        return DynamicCache(config=self._decoder.model.config)

    def _forget(self) -> None:
        self._running, self.done = None, [0] * len(self.ids)

    def _settle(self, keep: int) -> Any:
        """Run what is pending; logits (rows, up to ``keep``, width) of the last places, junk where nothing was."""
        import torch

        running, pending = self._running, self._pending()
        if running is not None and not running.joinable and set(pending) != {1}:
            self._forget()  # sliding windows and recurrent states take one token each, or begin again
            running, pending = None, self._pending()
        if running is None:
            out = self._prefill(keep)
        else:
            out = self._extend(running, pending, keep)
            last = out[:, -1]
            if 0 in pending:
                old = torch.tensor([n == 0 for n in pending], device=last.device)[:, None]
                last = torch.where(old, running.logits, last)
            running.logits = last
        self.done = [len(row) for row in self.ids]
        self._pack()
        return out

    def _prefill(self, keep: int) -> Any:
        first: dict[tuple[int, ...], int] = {}
        expand = [first.setdefault(tuple(row), len(first)) for row in self.ids]
        ids, mask = self._decoder.pad(list(first))
        cache = self._cache()
        out = self._decoder.call(ids, mask, (mask.cumsum(-1) - 1).clamp(min=0), cache, min(keep, ids.shape[1]))
        self._count(len(p) for p in first)
        self._running = Running(out[:, -1], mask, cache)
        if len(first) < len(self.ids):
            self._running.keep(expand)
            out = out[expand]
        return out

    def _extend(self, running: Running, pending: list[int], keep: int) -> Any:
        import torch

        # new ids lie at the right of a common block, so the last column is a real token in every row that has one
        width = max(pending)
        ids = torch.zeros((len(self), width), dtype=torch.long)
        new = torch.zeros((len(self), width), dtype=torch.long)
        for i, n in enumerate(pending):
            if n:
                ids[i, width - n :] = torch.tensor(self.ids[i][-n:])
                new[i, width - n :] = 1
        running.mask = mask = torch.cat([running.mask, new.to(running.mask.device)], dim=1)
        positions = (mask.cumsum(-1)[:, -width:] - 1).clamp(min=0)
        out = self._decoder.call(ids.to(mask.device), mask, positions, running.cache, min(keep, width))
        self._count(n for n in pending if n > 1)
        return out

    def _count(self, prompts: Iterable[int]) -> None:
        self._decoder.counters.forwards += 1
        self._decoder.counters.prompt_tokens += sum(prompts)

    def _pack(self) -> None:
        """Drop the holes of uneven pushes and roll-backs once they cost more than moving the rest."""
        running = self._running
        if running is None or not running.joinable or not self.ids:
            return
        width, need = running.mask.shape[1], max(self.done)
        if width - need <= 8 + HOLES * need:
            return
        columns = running.mask.argsort(dim=1, stable=True)[:, width - need :]
        running.mask = running.mask.gather(1, columns)
        for layer in running.cache.layers:
            wanted = columns[:, None, :, None].expand(-1, layer.keys.shape[1], -1, layer.keys.shape[3])
            layer.keys = layer.keys.gather(2, wanted)
            layer.values = layer.values.gather(2, wanted[..., :1].expand(-1, -1, -1, layer.values.shape[3]))
