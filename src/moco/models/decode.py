"""The decode loop: batches of prompts through a transformers causal model with our own cache, stops and sampler.

Invariant: what a row emits depends on its prompt, sampling and seed alone. Left padding, masks and explicit positions keep
batch mates apart; finished rows leave and waiting ones join between steps; equal prompts are prefilled once; out of memory
halves the number of rows and goes on.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import numpy as np

from moco.core.errors import BackendError, Fatal
from moco.models.protocol import Counters, TokenScores
from moco.models.running import Deliver, Emitted, More, Row, Running, Work, take, too_large
from moco.models.sampler import Ints, Params, draw, draw_torch
from moco.models.tokens import Tail, Tokens

log = logging.getLogger("moco.decode")
SCORE_ENTRIES = 1 << 26
"""Logits held at once while scoring (rows x positions x vocabulary)."""


def is_oom(error: BaseException) -> bool:
    """Whether ``error`` is an accelerator or the host out of memory."""
    return isinstance(error, MemoryError) or "out of memory" in str(error).lower() or type(error).__name__ == "OutOfMemoryError"


def _free(device: str) -> None:
    if device.startswith("cuda"):
        import torch

        torch.cuda.empty_cache()


def persist(work: Work, loop: Callable[[Work], None], *, name: str, device: str) -> None:
    """``loop(work)`` until no row waits; out of memory begins the running rows again, half as many at once.

    Raises Fatal if the model fails as a whole.
    """
    while work.waiting:
        try:
            loop(work)
        except (RuntimeError, MemoryError) as error:
            if not is_oom(error):
                raise Fatal(f"model '{name}' failed: {error}", where=name) from error
            _free(device)
            log.warning("%s: out of memory with %d rows, halving", name, len(work.active))
            work.halve(name)


def halving(rows: list[Any], work: Callable[[list[Any]], list[Any]], *, name: str, device: str) -> list[Any]:
    """``work(rows)``, in halves where memory runs out; a row too large alone gives its error in place of a result."""
    try:
        return work(rows)
    except (RuntimeError, MemoryError) as error:
        if not is_oom(error):
            raise Fatal(f"model '{name}' failed: {error}", where=name) from error
        if len(rows) == 1:
            return [too_large(name)]
    log.warning("%s: out of memory with %d rows, halving", name, len(rows))
    _free(device)
    half = (len(rows) + 1) // 2
    parts = (rows[:half], rows[half:])
    return [result for part in parts for result in halving(part, work, name=name, device=device)]


def not_numbers(name: str) -> Fatal:
    """The error of a row whose logits hold NaN or infinity."""
    return Fatal(f"model '{name}' gave logits that are not numbers", where=name, remedy="use float32, or check the weights")


def _attention(device: str) -> AbstractContextManager[Any]:
    """On CUDA without cuDNN's attention: it plans anew for every length of the cache, which every step of a decode changes
    (bfloat16 on an H200: 2,550 tokens/s in a fresh process with it, 14,980 without; `benchmarks/devices.py`)."""
    if not device.startswith("cuda"):
        return nullcontext()
    from torch.nn.attention import SDPBackend, sdpa_kernel

    kept = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
    return cast(AbstractContextManager[Any], sdpa_kernel(kept))


def _cache_name(model: Any) -> str:
    """What ``model`` calls its cache: transformers renamed ``past_key_values`` to ``cache`` in its fifth series."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    forward = getattr(inner, "forward", None)
    return "cache" if forward is not None and "cache" in inspect.signature(forward).parameters else "past_key_values"


class Decoder:
    """Runs rows through ``model`` (transformers, in eval mode). Not thread-safe: one device thread calls it.

    ``forward(input_ids, mask, positions, cache, keep)`` -> logits (rows, keep, vocabulary) can be replaced in tests.
    """

    def __init__(
        self,
        model: Any,
        tokens: Tokens,
        *,
        name: str,
        device: str = "cpu",
        max_rows: int = 128,
        counters: Counters | None = None,
        forward: Callable[..., Any] | None = None,
    ) -> None:
        self.model, self.tokens, self.name, self.device, self.max_rows = model, tokens, name, device, max_rows
        self.counters = counters if counters is not None else Counters()
        self._eos = frozenset(tokens.eos)
        self._cache_name = _cache_name(model)
        self.call: Callable[..., Any] = forward or self.forward

    def forward(self, ids: Any, mask: Any, positions: Any, cache: Any, keep: int) -> Any:
        """Logits (rows, keep, vocabulary) of the last ``keep`` places; fills ``cache``, unless None."""
        with _attention(self.device):
            out = self.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                use_cache=cache is not None,
                logits_to_keep=keep,
                **{self._cache_name: cache},
            )
        return out.logits

    # -- generation

    def run(self, rows: Sequence[Row]) -> list[Emitted | BackendError]:
        """One result per row, in order; a row that cannot be answered gives its error instead of raising it."""
        out: list[Emitted | BackendError] = [Fatal("not decoded", where=self.name)] * len(rows)
        self.serve(rows, out.__setitem__)
        return out

    def serve(self, rows: Sequence[Row], deliver: Deliver, more: More = lambda n: ()) -> None:
        """Decode ``rows`` and those that ``more`` brings while it runs; ``deliver(i, result)`` as each ends.

        Rows are numbered from 0, those of ``more(n)`` (at most ``n``, asked between steps) on from ``len(rows)``. Raises
        Fatal if the model fails as a whole.
        """
        import torch

        work = Work(list(rows), deliver, more, self.max_rows)
        work.wait(range(len(rows)))
        with torch.inference_mode():
            persist(work, self._loop, name=self.name, device=self.device)

    def _loop(self, work: Work) -> None:
        import torch

        running: Running | None = None
        emitted: dict[int, Emitted] = {}
        tails: dict[int, Tail] = {}
        while True:
            new = work.admit(running is None or running.joinable)
            if new:
                for i in new:
                    emitted[i], row = Emitted(), work.rows[i]
                    if row.sampling.stop:
                        tails[i] = Tail(self.tokens, row.prompt, row.sampling.stop)
                joining = self._prefill([work.rows[i] for i in new])
                if running is None:
                    running = joining
                else:
                    running.join(joining)
            if running is None:
                return
            live = [work.rows[i] for i in work.active]
            # NaN and +inf both surface in the maximum
            bad = ~np.isfinite(running.logits.float().amax(dim=-1).cpu().numpy())
            params = Params.of([r.sampling for r in live], [r.seed for r in live])
            ids, logprobs = self._draw(running.logits, params, np.array([len(emitted[i].ids) for i in work.active], np.int64))
            keep = []
            for place, i in enumerate(work.active):
                if bad[place]:
                    work.deliver(i, not_numbers(self.name))
                elif self._take(emitted[i], live[place], tails.get(i), int(ids[place]), float(logprobs[place])):
                    keep.append(place)
                else:
                    work.deliver(i, emitted[i])
            if len(keep) < len(live):
                work.active[:] = [work.active[place] for place in keep]
                if not keep:
                    running = None
                    continue
                running.keep(keep)
            current = torch.from_numpy(ids[keep])[:, None].to(self.device)
            mask = running.mask = torch.cat([running.mask, running.mask.new_ones((len(keep), 1))], dim=1)
            running.logits = self.call(current, mask, mask.sum(-1, keepdim=True) - 1, running.cache, 1)[:, -1]
            self.counters.forwards += 1

    def _prefill(self, rows: list[Row]) -> Running:
        from transformers import DynamicCache

        first: dict[tuple[int, ...], int] = {}
        expand = [first.setdefault(r.prompt, len(first)) for r in rows]
        ids, mask = self.pad(list(first))
        cache: Any = DynamicCache(config=self.model.config)
        logits = self.call(ids, mask, (mask.cumsum(-1) - 1).clamp(min=0), cache, 1)[:, -1]
        self.counters.forwards += 1
        self.counters.prompt_tokens += sum(len(p) for p in first)
        running = Running(logits, mask, cache)
        if len(first) < len(rows):
            running.keep(expand)
        return running

    def pad(self, prompts: Sequence[tuple[int, ...]]) -> tuple[Any, Any]:
        """Ids and mask (rows, columns) of ``prompts``, padded on the left."""
        import torch

        width = max(len(p) for p in prompts)
        ids = torch.zeros((len(prompts), width), dtype=torch.long)
        mask = torch.zeros((len(prompts), width), dtype=torch.long)
        for i, prompt in enumerate(prompts):
            ids[i, width - len(prompt) :] = torch.tensor(prompt)
            mask[i, width - len(prompt) :] = 1
        return ids.to(self.device), mask.to(self.device)

    def _draw(self, logits: Any, params: Params, positions: Ints) -> Any:
        if self.device.startswith("cuda"):
            return draw_torch(logits, params, positions)
        with np.errstate(invalid="ignore"):
            return draw(logits.float().cpu().numpy(), params, positions)

    def _take(self, emitted: Any, row: Row, tail: Tail | None, token: int, logprob: float) -> bool:
        self.counters.completion_tokens += 1
        return take(emitted, row, tail, token, logprob, eos=self._eos, codec=self.tokens)

    # -- scoring

    def score_rows(self, rows: Sequence[tuple[tuple[int, ...], tuple[int, ...]]]) -> list[TokenScores | BackendError]:
        """Log-probabilities of each (prompt ids, continuation ids), and of any end-of-turn id after it; in order."""
        import torch

        out: list[TokenScores | BackendError] = [Fatal("not scored", where=self.name)] * len(rows)
        order = sorted(range(len(rows)), key=lambda i: len(rows[i][0]) + len(rows[i][1]))
        widest = max((len(c) for _, c in rows), default=0) + 1
        size = max(1, min(self.max_rows, SCORE_ENTRIES // (widest * max(len(self.tokens), 1))))
        with torch.inference_mode():
            for start in range(0, len(order), size):
                chosen = order[start : start + size]
                for i, result in zip(
                    chosen, halving([rows[i] for i in chosen], self._score, name=self.name, device=self.device), strict=True
                ):
                    out[i] = result
        return out

    def _score(self, rows: list[tuple[tuple[int, ...], tuple[int, ...]]]) -> list[TokenScores | BackendError]:
        import torch

        ids, mask = self.pad([p + c for p, c in rows])
        keep = max(len(c) for _, c in rows) + 1
        logits = self.call(ids, mask, (mask.cumsum(-1) - 1).clamp(min=0), None, keep)
        self.counters.forwards += 1
        logprobs = torch.log_softmax(logits.cpu().double() if self.device == "mps" else logits.double(), dim=-1)
        out: list[TokenScores | BackendError] = []
        for place, (_, continuation) in enumerate(rows):
            own = logprobs[place, keep - len(continuation) - 1 :]
            wanted = torch.tensor(continuation, dtype=torch.long, device=own.device)[:, None]
            values = own[:-1].gather(-1, wanted)[:, 0].cpu().tolist()
            ends = torch.tensor(self.tokens.eos, dtype=torch.long, device=own.device)
            end = float(torch.logsumexp(own[-1][ends], dim=0)) if len(ends) else 0.0
            if np.isnan([*values, end]).any():
                out.append(not_numbers(self.name))
            else:
                out.append(TokenScores(continuation, tuple(values), end))
        return out
