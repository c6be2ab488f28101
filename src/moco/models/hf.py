"""Models of a local folder or the Hugging Face hub, run in this process by transformers and our own decode loop.

Invariant: nothing is loaded before the first request that has to be computed; keys and fingerprints need the tokenizer
and file hashes only, never torch on a CPU machine. Weights are safetensors. All tensor work runs in the device's thread.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from moco.core.errors import BackendError, ConfigError, PoolError
from moco.core.seeds import digest
from moco.core.types import Completion, Request, Usage
from moco.models.batching import Batcher
from moco.models.decode import Decoder
from moco.models.member import check_options
from moco.models.protocol import Capabilities, Counters, StoreKey, TokenScores, store_key
from moco.models.rendering import Renderer
from moco.models.running import Deliver, Emitted, More, Row
from moco.models.session_local import LocalSession, Place
from moco.models.streams import TokenStreams, Vocabulary
from moco.models.tokens import Tokens, read_json

ScoreRow = tuple[tuple[int, ...], tuple[int, ...]]
_INSTALL = 'pip install "mocolab[local]"'
_hashes: dict[tuple[str, int, int], str] = {}


SMALL = 30_000_000
"""Parameters below which more than two threads on the CPU cost more than they give (kernels shorter than waking them up)."""


def file_hash(path: Path) -> str:
    """SHA-256 (hex) of a file, remembered in this process by path, mtime and size."""
    stat = path.stat()
    mark = (str(path), stat.st_mtime_ns, stat.st_size)
    if mark not in _hashes:
        with path.open("rb") as file:
            _hashes[mark] = hashlib.file_digest(file, "sha256").hexdigest()
    return _hashes[mark]


def folder_hash(folder: Path) -> str:
    """Hash of the names, sizes and contents of all files in ``folder``; hidden files and folders are left out."""
    inside = ((p.relative_to(folder), p) for p in folder.rglob("*") if p.is_file())
    files = sorted((name.as_posix(), p) for name, p in inside if not any(part.startswith(".") for part in name.parts))
    return digest("folder", [[name, p.stat().st_size, file_hash(p)] for name, p in files])


def default_device() -> str:
    """cuda, mps or cpu, the best there is; asks torch only where an accelerator can be."""
    signs = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
    if sys.platform != "darwin" and not any(Path(sign).exists() for sign in signs):
        return "cpu"
    need("torch")
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def check_device(device: str) -> None:
    """Raises ConfigError where ``device`` is none, or none of this machine; asks torch as `default_device` does."""
    kind, _, number = device.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (":" in device and not (kind == "cuda" and number.isdecimal())):
        raise ConfigError(f"unknown device '{device}'", where="device", remedy="write cpu, cuda, cuda:1 or mps")
    best = default_device()
    if kind not in ("cpu", best):
        remedy = f"write device: {best}, or leave it out: the best there is, is taken"
        raise ConfigError(f"this machine has no {kind}", where="device", remedy=remedy)
    if number:
        import torch

        if int(number) >= torch.cuda.device_count():
            remedy = f"the last one is cuda:{torch.cuda.device_count() - 1}"
            raise ConfigError(f"this machine has no '{device}'", where="device", remedy=remedy)


def need(*modules: str) -> None:
    missing = [m for m in modules if importlib.util.find_spec(m) is None]
    if missing:
        raise ConfigError(f"{', '.join(missing)} is not installed", where="hf backend", remedy=_INSTALL)


class HFModel:
    """A causal language model as a member.

    ``path``: folder or hub id (``owner/name``, with ``revision``); ``adapter``: folder of a PEFT adapter; ``dtype``:
    "float32" | "bfloat16" | "float16" (default: bfloat16 on cuda, else float32); ``device``: "cpu", "cuda", "cuda:1",
    "mps" (default: the best there is); ``max_rows``: rows decoded at once; ``session_bytes``: memory for the caches of idle
    sessions (default: 1 GiB, on cuda 8). Nothing is loaded or fetched here; raises PoolError if ``path`` cannot be a model.
    """

    capabilities = Capabilities(frozenset({"TEXT", "PREFIX", "RAW", "IDS", "LOGPROBS", "SCORE", "LOGITS", "SESSION", "WEIGHTS"}))

    def __init__(
        self,
        path: str | Path,
        *,
        name: str,
        adapter: str | Path | None = None,
        dtype: str | None = None,
        device: str | None = None,
        max_rows: int | None = None,
        trust_remote_code: bool = False,
        revision: str | None = None,
        max_wait_s: float | None = None,
        session_bytes: int | None = None,
    ) -> None:
        self.name, self.path, self.revision, self.trust_remote_code = name, str(path), revision, trust_remote_code
        self.adapter = None if adapter is None else Path(adapter)
        self._device, self._dtype, self._max_rows, self._max_wait_s = device, dtype, max_rows, max_wait_s
        self._session_bytes = session_bytes
        self.counters = Counters()
        self._decoder: Decoder | None = None
        if adapter is not None:  # its weights are not those of its files
            self.capabilities = Capabilities(self.capabilities.names - {"WEIGHTS"}, self.capabilities.seed)
        if dtype not in (None, "float32", "bfloat16", "float16"):
            raise ConfigError(f"unknown dtype '{dtype}'", where=name, remedy="float32, bfloat16 or float16")
        if not Path(self.path).is_dir() and not self._is_hub_id():
            raise PoolError(f"there is no model folder '{self.path}'", where=name, remedy="give a folder or a hub id owner/name")
        if self.adapter is not None and not self.adapter.is_dir():
            raise PoolError(f"there is no adapter folder '{self.adapter}'", where=name)

    def _is_hub_id(self) -> bool:
        parts = self.path.split("/")
        return len(parts) == 2 and all(parts) and self.path[0] not in "./~"

    # -- what can be known without weights

    @functools.cached_property
    def folder(self) -> Path:
        """Where the files lie; a hub model is downloaded on first use. Raises PoolError if that fails."""
        if Path(self.path).is_dir():
            return Path(self.path).resolve()
        need("huggingface_hub")
        from huggingface_hub import snapshot_download

        wanted = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt", *(["*.py"] if self.trust_remote_code else [])]
        try:
            return Path(snapshot_download(self.path, revision=self.revision, allow_patterns=wanted))
        except Exception as error:  # the hub client raises many unrelated types
            remedy = "check the id and the network"
            raise PoolError(f"cannot fetch '{self.path}': {error}", where=self.name, remedy=remedy) from error

    @property
    def options(self) -> dict[str, Any]:
        """What it was made with besides path and name: a model of other weights is made like it with the same."""
        return {
            "adapter": self.adapter,
            "dtype": self._dtype,
            "device": self._device,
            "max_rows": self._max_rows,
            "trust_remote_code": self.trust_remote_code,
            "revision": self.revision,
            "max_wait_s": self._max_wait_s,
            "session_bytes": self._session_bytes,
        }

    @functools.cached_property
    def device(self) -> str:
        return self._device or default_device()

    @property
    def device_kind(self) -> str:
        return self.device.split(":")[0]

    @property
    def dtype(self) -> str:
        return self._dtype or ("bfloat16" if self.device_kind == "cuda" else "float32")

    @functools.cached_property
    def config(self) -> dict[str, Any]:
        """The model's config.json; raises PoolError if there is none."""
        if not (found := read_json(self.folder / "config.json")):
            raise PoolError("the folder has no config.json", where=str(self.folder))
        return found

    @functools.cached_property
    def tokens(self) -> Tokens:
        return Tokens(self.folder)

    @functools.cached_property
    def renderer(self) -> Renderer:
        return Renderer(self.tokens, self.tokens.context, name=self.name)

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hash of all files (weights, tokenizer, template), dtype and adapter; the name does not enter."""
        adapter = None if self.adapter is None else folder_hash(self.adapter)
        return digest("hf", folder_hash(self.folder), self.dtype, self.renderer.style, adapter)

    @property
    def engine(self) -> str:
        return f"hf-{self.device_kind}"

    def key(self, request: Request) -> StoreKey:
        """Store key of ``request``; raises what rendering raises (ContextOverflow, ConfigError)."""
        return store_key(self.fingerprint, self.engine, list(self.renderer.ids(request)), request)

    # -- what a model with LOGITS gives (moco.models.streams.LogitModel)

    @property
    def max_rows(self) -> int:
        """Rows decoded at once."""
        return self._max_rows or (256 if self.device_kind == "cuda" else 128)

    @property
    def codec(self) -> Tokens:
        return self.tokens

    @functools.cached_property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary(self.tokens.vocabulary(), self.tokens.eos, self.tokens.width, self.tokens.specials)

    def prompt(self, request: Request) -> tuple[int, ...]:
        return self.renderer.ids(request)

    def room(self, request: Request) -> int:
        return self.renderer.room(request)

    def thinking(self, request: Request) -> bool:
        return self.renderer.thinking(request)

    def continuation(self, request: Request, text: str) -> tuple[int, ...]:
        """Ids of ``text`` as the answer to ``request``; raises ContextOverflow if both do not fit."""
        prompt, ids = self.renderer.ids(request), self.renderer.continuation(request, text)
        self.renderer.ids(request.but(messages=(), text=None, ids=prompt + ids, prefix=""))
        return ids

    def streams(self) -> TokenStreams:
        """Token streams over the weights, loaded on first use; called in the device's thread."""
        return TokenStreams(self.load())

    # -- answering

    @functools.cached_property
    def _generating(self) -> Batcher[Row, Emitted]:
        return Batcher(serve=self._serve, device=self.device, counters=self.counters, name=self.name, max_wait_s=self._max_wait_s)

    @functools.cached_property
    def _scoring(self) -> Batcher[ScoreRow, TokenScores]:
        return Batcher(self._score, device=self.device, counters=self.counters, name=self.name, max_wait_s=self._max_wait_s)

    @functools.cached_property
    def _sessions(self) -> Place:
        budget = self._session_bytes if self._session_bytes is not None else (8 if self.device_kind == "cuda" else 1) << 30
        return Place(self, budget=budget, counters=self.counters, max_wait_s=self._max_wait_s)

    async def open(self, request: Request) -> LocalSession:
        """A session that begins with ``request``; raises ContextOverflow if the prompt leaves no room."""
        return await self._sessions.open(request)

    async def generate(self, request: Request) -> Completion:
        """Answer ``request``.

        ``ids`` and ``logprobs`` hold every sampled token, the end token included. Raises ContextOverflow if the prompt
        leaves no room, Fatal if the model fails; where only part of ``max_tokens`` fits, the finish is "length".
        """
        prompt = self.renderer.ids(request)
        row = Row(prompt, request.sampling, self.key(request).seed, self.renderer.room(request))
        emitted = await self._generating.submit(row)
        self.counters.generated += 1
        return emitted.completion(Usage(len(prompt), len(emitted.ids), 1), thinking=self.renderer.thinking(request))

    async def score(self, request: Request, continuation: str) -> TokenScores:
        """Log-probabilities of ``continuation`` as the answer to ``request``; raises ContextOverflow if both do not fit."""
        prompt, ids = self.renderer.ids(request), self.continuation(request, continuation)
        return replace(await self._scoring.submit((prompt, ids)), read=len(prompt) + len(ids))

    def _serve(self, rows: list[Row], deliver: Deliver, more: More) -> None:
        self.load().serve(rows, deliver, more)

    def _score(self, rows: list[ScoreRow]) -> Sequence[TokenScores | BackendError]:
        return self.load().score_rows(rows)

    def load(self) -> Decoder:
        """The decoder, loaded on first use; called in the device's thread. Raises ConfigError, PoolError."""
        if self._decoder is None:
            self._decoder = Decoder(
                self._weights(), self.tokens, name=self.name, device=self.device, max_rows=self.max_rows, counters=self.counters
            )
        return self._decoder

    def unload(self) -> None:
        """Drop the weights; the next request loads them again. To be called in the device's thread."""
        self._decoder = None

    def _weights(self) -> Any:
        need("torch", "transformers", *(["peft"] if self.adapter else []))
        import torch
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging as hf_logging

        hf_logging.disable_progress_bar()  # type: ignore[no-untyped-call,unused-ignore]
        try:
            model: Any = AutoModelForCausalLM.from_pretrained(
                str(self.folder), dtype=getattr(torch, self.dtype), use_safetensors=True, trust_remote_code=self.trust_remote_code
            )
            if self.adapter is not None:
                peft: Any = importlib.import_module("peft")
                model = peft.PeftModel.from_pretrained(model, str(self.adapter))
        except (OSError, ValueError) as error:
            remedy = "a causal model with safetensors weights is needed"
            raise PoolError(f"cannot load the model: {error}", where=str(self.folder), remedy=remedy) from error
        if self.device == "cpu" and "OMP_NUM_THREADS" not in os.environ and model.num_parameters() < SMALL:
            torch.set_num_threads(min(2, torch.get_num_threads()))
        return model.to(self.device).eval()


OPTIONS = ("adapter", "dtype", "device", "max_rows", "trust_remote_code", "revision", "max_wait_s", "session_bytes")
"""What a pool entry may say of how its model is loaded."""


def build_model(reference: str, *, name: str, **options: Any) -> HFModel:
    """The backend ``hf`` of a pool entry: a folder or hub id, with the options of ``HFModel``.

    Raises ConfigError naming an option that does not exist.
    """
    check_options(options, OPTIONS, name)
    return HFModel(reference, name=name, **options)
