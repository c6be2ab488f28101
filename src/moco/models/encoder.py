"""Checkpoints that read a text in one pass and write none: what reward models and embedders share.

Invariant: what a text gives depends on the text alone. Rows are sorted by length and padded on the right under a mask, so batch
mates change float32 results by about 1e-6 of their size; out of memory halves the batch. Weights are safetensors, no code of a
checkpoint is run, and nothing is loaded before the first text. All tensor work runs in the device's thread.
"""

from __future__ import annotations

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from moco.core.errors import BackendError, ConfigError, Fatal, PoolError
from moco.core.types import Completion, Request
from moco.models.batching import Batcher
from moco.models.decode import halving, not_numbers
from moco.models.hf import HFModel, need
from moco.models.protocol import Capabilities, Counters, StoreKey, TokenScores, Vectors
from moco.models.tokens import read_json

Row = tuple[tuple[int, ...], tuple[int, ...]]
"""Token ids of a text, special ones included, and the segment of each."""
OPTIONS = ("dtype", "device", "revision", "max_rows", "max_wait_s")
_OFFSET = frozenset({"roberta", "xlm-roberta", "camembert", "xlm-roberta-xl", "mpnet", "data2vec-text", "longformer", "ibert"})
"""Architectures whose places are numbered from behind the padding id, so that so many of them cannot be used."""


class Encoder(ABC):
    """One checkpoint of a local folder or the hub. ``max_rows``: texts per pass; other options as of ``HFModel``.

    Raises PoolError where ``path`` cannot be a model.
    """

    capabilities: Capabilities
    purpose = "an encoder"

    def __init__(
        self,
        path: str | Path,
        *,
        name: str,
        dtype: str | None = None,
        device: str | None = None,
        revision: str | None = None,
        max_rows: int | None = None,
        max_wait_s: float | None = None,
    ) -> None:
        self.name = name
        self.files = HFModel(path, name=name, dtype=dtype, device=device, revision=revision)
        self.counters = Counters()
        self._max_rows, self._max_wait_s = max_rows, max_wait_s
        self._model: Any = None
        self._unfilled = False
        """Whether the checkpoint names no padding id."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Hash of all files, the dtype and what is read from the output."""

    @abstractmethod
    def _open(self) -> Any:
        """The model, loaded, with its loading report: ``(model, info)``."""

    @abstractmethod
    def _values(self, model: Any, ids: Any, mask: Any, segments: dict[str, Any]) -> Any:
        """What is read from the texts, (rows, values), from ids and mask (rows, columns)."""

    @property
    def engine(self) -> str:
        return self.files.engine

    @property
    def folder(self) -> Path:
        """Where the checkpoint that reads lies."""
        return self.files.folder

    @functools.cached_property
    def limit(self) -> int | None:
        """The most tokens of a text, special ones included; None where the checkpoint does not say."""
        config, settings = read_json(self.folder / "config.json"), read_json(self.folder / "tokenizer_config.json")
        inner = config.get("text_config") or config
        places = inner.get("max_position_embeddings") or inner.get("n_positions")
        if places and config.get("model_type") in _OFFSET:
            places -= int(inner.get("pad_token_id", 1) or 0) + 1
        known = [int(n) for n in (places, settings.get("model_max_length"), self._said_limit()) if n and n < 10**9]
        return min(known, default=None)

    def _said_limit(self) -> int | None:
        return None

    # -- it is a Model that writes nothing

    def _mute(self) -> NoReturn:
        raise ConfigError(f"'{self.name}' writes no text", why=f"it is {self.purpose}", remedy="use a causal language model")

    def key(self, request: Request) -> StoreKey:
        """Raises ConfigError: it is not asked for text."""
        self._mute()

    async def generate(self, request: Request) -> Completion:
        """Raises ConfigError: it writes no text."""
        self._mute()

    async def score(self, request: Request, continuation: str) -> TokenScores:
        """Raises ConfigError: it has no next-token distribution."""
        self._mute()

    # -- reading

    @functools.cached_property
    def passes(self) -> Batcher[Row, Vectors]:
        """Rows to their values (values,), batched."""
        return Batcher(
            self._run,
            device=self.files.device,
            counters=self.counters,
            name=self.name,
            max_wait_s=self._max_wait_s,
            max_rows=4096,
        )

    def load(self) -> Any:
        """The model, loaded on first use; called in the device's thread. Raises ConfigError, PoolError."""
        if self._model is None:
            need("torch", "transformers")
            from transformers.utils import logging as hf_logging

            hf_logging.disable_progress_bar()  # type: ignore[no-untyped-call,unused-ignore]
            level = hf_logging.get_verbosity()  # type: ignore[no-untyped-call,unused-ignore]
            hf_logging.set_verbosity_error()  # type: ignore[no-untyped-call,unused-ignore]
            try:
                model, info = self._open()
            except (OSError, ValueError) as error:
                remedy = "a checkpoint with safetensors weights that transformers knows is needed"
                raise PoolError(f"cannot load {self.purpose}: {error}", where=str(self.folder), remedy=remedy) from error
            finally:
                hf_logging.set_verbosity(level)  # type: ignore[no-untyped-call,unused-ignore]
            missing = sorted(key for key in info.get("missing_keys", ()) if not key.startswith("pooler."))
            if missing:
                raise PoolError(
                    f"the checkpoint lacks weights of {self.purpose}: {', '.join(missing[:3])}",
                    where=str(self.folder),
                    why="they would be random numbers",
                    remedy="name a checkpoint that was saved as one",
                )
            self._unfilled = model.config.get_text_config().pad_token_id is None
            self._model = model.to(self.files.device).eval()
        return self._model

    def unload(self) -> None:
        """Drop the weights; the next text loads them again. To be called in the device's thread."""
        self._model = None

    def options_of_loading(self) -> dict[str, Any]:
        """What ``from_pretrained`` gets beside the folder."""
        import torch

        return {
            "dtype": getattr(torch, self.files.dtype),
            "use_safetensors": True,
            "trust_remote_code": False,
            "output_loading_info": True,
        }

    def _run(self, rows: list[Row]) -> Sequence[Vectors | BackendError]:
        import torch

        model = self.load()
        out: list[Vectors | BackendError] = [Fatal("not read", where=self.name)] * len(rows)
        with torch.inference_mode():
            for chosen in self._batches(rows, int(model.config.get_text_config().vocab_size)):
                work = functools.partial(self._pass, model)
                found = halving([rows[i] for i in chosen], work, name=self.name, device=self.files.device)
                for i, result in zip(chosen, found, strict=True):
                    out[i] = result
        return out

    def _batches(self, rows: Sequence[Row], vocabulary: int) -> Iterator[list[int]]:
        """Numbers of ``rows``, short ones first, as many at a time as the bounds on rows and tokens allow.

        Where a filler has to be found there must be an id on which no row ends.
        """
        cuda = self.files.device_kind == "cuda"
        most, tokens = self._max_rows or (256 if cuda else 64), 1 << (17 if cuda else 14)
        most = min(most, vocabulary - 1) if self._unfilled else most
        batch: list[int] = []
        for i in sorted(range(len(rows)), key=lambda i: (len(rows[i][0]), rows[i])):
            if batch and (len(batch) >= most or (len(batch) + 1) * len(rows[i][0]) > tokens):
                yield batch
                batch = []
            batch.append(i)
        if batch:
            yield batch

    def _pass(self, model: Any, rows: list[Row]) -> list[Vectors | BackendError]:
        import torch

        filler = self._filler(model, rows)
        width = max(len(ids) for ids, _ in rows)
        ids = torch.full((len(rows), width), filler, dtype=torch.long)
        mask, segment = torch.zeros_like(ids), torch.zeros_like(ids)
        for place, (own, parts) in enumerate(rows):
            ids[place, : len(own)] = torch.tensor(own)
            mask[place, : len(own)] = 1
            segment[place, : len(own)] = torch.tensor(parts)
        device = self.files.device
        wanted = "token_type_ids" in inspect.signature(model.forward).parameters
        known = getattr(model.config, "type_vocab_size", 0) or 0
        segments = {"token_type_ids": segment.clamp(max=max(known - 1, 0)).to(device)} if wanted and known else {}
        values = self._values(model, ids.to(device), mask.to(device), segments).float().cpu().numpy()
        self.counters.forwards += 1
        self.counters.prompt_tokens += int(mask.sum())
        return [row if np.isfinite(row).all() else not_numbers(self.name) for row in values]

    def _filler(self, model: Any, rows: Sequence[Row]) -> int:
        """The id that fills short rows: the model's own, else one on which no row of the batch ends.

        Classifiers over a causal model read the last place that does not hold this id, so they are told which one it is.
        """
        config = model.config.get_text_config()
        if self._unfilled:
            ends = {ids[-1] for ids, _ in rows}
            config.pad_token_id = next(i for i in range(len(ends) + 1) if i not in ends)
        return int(config.pad_token_id)
