"""Encoder-decoder checkpoints, such as the GenFuser of LLM-Blender (arXiv 2306.02561): beam search by transformers, no sampling.

Knows nothing of chats: a prompt is one raw text, whose special tokens the caller placed. Texts with equal room for an answer are
read together under a mask, which changes float32 results by rounding only. Nothing is cut: what does not fit overflows.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from moco.core.errors import BackendError, ConfigError, ContextOverflow, Fatal, PoolError
from moco.core.seeds import digest
from moco.core.types import Completion, Request, Usage
from moco.models.batching import Batcher
from moco.models.decode import halving
from moco.models.hf import HFModel, folder_hash, need
from moco.models.member import check_options
from moco.models.protocol import Capabilities, Counters, StoreKey, TokenScores, store_key
from moco.models.rendering import Renderer
from moco.models.tokens import Tokens

Row = tuple[tuple[int, ...], int]
"""Source ids, and how many tokens may be written."""


class Seq2Seq:
    """A checkpoint of a local folder or the hub. ``beams``: width of the search (1: greedy); ``context``: source tokens it reads.

    Options ``dtype``, ``device`` and ``revision`` as of ``HFModel``. Raises PoolError if ``path`` cannot be a model.
    """

    capabilities = Capabilities(frozenset({"TEXT", "RAW"}))

    def __init__(
        self,
        path: str | Path,
        *,
        name: str,
        beams: int = 4,
        context: int = 1024,
        max_rows: int = 16,
        dtype: str | None = None,
        device: str | None = None,
        revision: str | None = None,
    ) -> None:
        self.name, self.beams, self.context, self.max_rows = name, beams, context, max_rows
        self.files = HFModel(path, name=name, dtype=dtype, device=device, revision=revision)
        self.counters = Counters()
        self._model: Any = None

    @property
    def tokens(self) -> Tokens:
        return self.files.tokens

    @functools.cached_property
    def renderer(self) -> Renderer:
        """For readers that measure texts; its context is that of the source."""
        return Renderer(self.tokens, self.context, name=self.name)

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hash of all files, the dtype and the width of the search."""
        return digest("seq2seq", folder_hash(self.files.folder), self.files.dtype, self.beams)

    def source(self, request: Request) -> tuple[int, ...]:
        """Source ids; raises ContextOverflow where they are too many, ConfigError for what it cannot be asked."""
        if request.sampling.temperature > 0:
            raise ConfigError(f"'{self.name}' decodes by search and draws nothing", where="seq2seq", remedy="set temperature: 0")
        if request.ids is not None:
            return request.ids
        text = request.text if request.text is not None else "\n\n".join(m.content for m in request.messages)
        ids = tuple(self.tokens.encode(text))
        if len(ids) > self.context:
            what = f"source of {len(ids)} tokens, room for {self.context}"
            raise ContextOverflow(what, where=self.name, remedy="ask something shorter")
        return ids

    def key(self, request: Request) -> StoreKey:
        return store_key(self.fingerprint, self.files.engine, list(self.source(request)), request)

    async def generate(self, request: Request) -> Completion:
        """The best text of the search; finish is "length" where it did not end by itself."""
        source = self.source(request)
        ids, ended = await self._writing.submit((source, request.sampling.max_tokens))
        self.counters.generated += 1
        return Completion(
            self.tokens.decode(ids).strip(), ids=ids, finish="stop" if ended else "length", usage=Usage(len(source), len(ids), 1)
        )

    async def score(self, request: Request, continuation: str) -> TokenScores:
        """Raises ConfigError: it is asked for text only."""
        raise ConfigError(f"'{self.name}' gives no scores", where="seq2seq", remedy="use a causal language model")

    @functools.cached_property
    def _writing(self) -> Batcher[Row, tuple[tuple[int, ...], bool]]:
        return Batcher(self._run, device=self.files.device, counters=self.counters, name=self.name)

    def load(self) -> Any:
        """The model, loaded on first use; called in the device's thread. Raises ConfigError, PoolError."""
        if self._model is None:
            need("torch", "transformers")
            import torch
            from transformers import AutoModelForSeq2SeqLM
            from transformers.utils import logging as hf_logging

            hf_logging.disable_progress_bar()  # type: ignore[no-untyped-call,unused-ignore]
            try:
                model: Any = AutoModelForSeq2SeqLM.from_pretrained(
                    str(self.files.folder), dtype=getattr(torch, self.files.dtype), use_safetensors=True
                )
            except (OSError, ValueError) as error:
                remedy = "an encoder-decoder checkpoint with safetensors weights is needed"
                raise PoolError(f"cannot load the model: {error}", where=str(self.files.folder), remedy=remedy) from error
            self._model = model.to(self.files.device).eval()
        return self._model

    def _run(self, rows: list[Row]) -> Sequence[Any]:
        model = self.load()
        out: list[Any] = [Fatal("not written", where=self.name)] * len(rows)
        order = sorted(range(len(rows)), key=lambda i: (rows[i][1], len(rows[i][0]), rows[i]))
        while order:
            chosen = [i for i in order[: self.max_rows] if rows[i][1] == rows[order[0]][1]]
            order = order[len(chosen) :]
            work = functools.partial(self._write, model)
            found = halving([rows[i] for i in chosen], work, name=self.name, device=self.files.device)
            for i, result in zip(chosen, found, strict=True):
                out[i] = result
        return out

    def _write(self, model: Any, rows: list[Row]) -> list[tuple[tuple[int, ...], bool] | BackendError]:
        import torch

        pad, width = int(model.config.pad_token_id or 0), max(len(ids) for ids, _ in rows)
        ids = torch.full((len(rows), width), pad, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for place, (own, _) in enumerate(rows):
            ids[place, : len(own)] = torch.tensor(own)
            mask[place, : len(own)] = 1
        device, most = self.files.device, rows[0][1]
        with torch.inference_mode():
            written = model.generate(
                input_ids=ids.to(device),
                attention_mask=mask.to(device),
                num_beams=self.beams,
                do_sample=False,
                max_new_tokens=most,
            ).tolist()
        self.counters.forwards += 1
        ends = set(self.tokens.eos)
        return [self._trimmed(row[1:], ends, pad) for row in written]  # the first token only starts the decoder

    def _trimmed(self, row: list[int], ends: set[int], pad: int) -> tuple[tuple[int, ...], bool]:
        """Ids up to and with the end, and whether there was one."""
        for place, token in enumerate(row):
            if token in ends:
                return tuple(row[: place + 1]), True
        while row and row[-1] == pad:
            row = row[:-1]
        return tuple(row), False


def build_model(reference: str, *, name: str, **options: Any) -> Seq2Seq:
    """The backend ``seq2seq``; raises ConfigError naming an option that does not exist."""
    check_options(options, ("beams", "context", "max_rows", "dtype", "device", "revision"), name)
    return Seq2Seq(reference, name=name, **options)
