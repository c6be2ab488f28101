"""Embedders: sentence-transformers checkpoints run by transformers, pooled as their modules.json declares.

Source: arXiv 1908.10084 (pooling over the token vectors). Padding never enters a pool; a checkpoint that declares nothing is
averaged over its tokens. Vectors have length 1. A text longer than the checkpoint reads is read in windows whose vectors are
averaged by their tokens, so nothing of it is left out.
"""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from moco.core.errors import ContextOverflow, PoolError
from moco.core.seeds import digest
from moco.models.embedding_hashed import HASHED, HashedEmbedder
from moco.models.encoder import OPTIONS, Encoder, Row
from moco.models.hf import folder_hash
from moco.models.member import check_options
from moco.models.protocol import Capabilities, Vectors
from moco.models.tokens import Tokens, read_json

MODES = ("cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
"""Ways to pool, in the order in which several are put side by side."""


@dataclass(frozen=True)
class Recipe:
    """What a checkpoint declares: where its transformer lies, how it pools, its dense layers, what is put before a text."""

    transformer: str = ""
    modes: tuple[str, ...] = ("mean_tokens",)
    dense: tuple[str, ...] = ()
    prompt: str = ""
    lower: bool = False
    limit: int | None = None


class SentenceEncoder(Encoder):
    """A sentence encoder. Raises PoolError where a local folder declares something that cannot be run without its own code."""

    capabilities = Capabilities(frozenset({"EMBED"}))
    purpose = "a sentence encoder"

    def __init__(self, path: str | Path, *, name: str, **options: Any) -> None:
        super().__init__(path, name=name, **options)
        self._layers: list[tuple[Any, Any, Any]] | None = None
        if Path(path).is_dir():
            _ = self.recipe

    @functools.cached_property
    def recipe(self) -> Recipe:
        return recipe_of(self.files.folder)

    @property
    def folder(self) -> Path:
        return self.files.folder / self.recipe.transformer

    @functools.cached_property
    def tokens(self) -> Tokens:
        return Tokens(self.folder)

    def _said_limit(self) -> int | None:
        return self.recipe.limit

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hash of all files (weights, tokenizer, recipe) and the dtype."""
        return digest("embedder", folder_hash(self.files.folder), self.files.dtype)

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """[text, dimension] float32, rows of length 1; raises Fatal if the model fails."""
        rows = [self.windows(text) for text in texts]
        flat = [row for windows in rows for row in windows]
        found = iter(await asyncio.gather(*(self.passes.submit(row) for row in flat)))
        out = []
        for windows in rows:
            weights = np.array([len(ids) for ids, _ in windows], np.float32)
            mean = (np.stack([next(found) for _ in windows]) * (weights / weights.sum())[:, None]).sum(axis=0)
            out.append(mean / max(float(np.linalg.norm(mean)), 1e-12))
        return np.stack(out).astype(np.float32) if out else np.zeros((0, 0), np.float32)

    def embed_tokens(self, text: str) -> int:
        """Tokens that are read of ``text``."""
        return sum(len(ids) for ids, _ in self.windows(text))

    def windows(self, text: str) -> list[Row]:
        """``text`` as rows of at most ``limit`` tokens, each with the special tokens; an empty one is its end token."""
        text = self.recipe.prompt + (text.lower() if self.recipe.lower else text)
        whole, _ = self.tokens.wrapped(text)
        whole = whole or [self.tokens.eos[0] if self.tokens.eos else 0]
        if self.limit is None or len(whole) <= self.limit:
            return [_row(whole)]
        plain = self.tokens.encode(text)
        room = self.limit - (len(whole) - len(plain))
        starts = [p for p in range(len(whole) - len(plain) + 1) if whole[p : p + len(plain)] == plain]
        if room < 1 or not starts:
            raise ContextOverflow(
                f"a text of {len(whole)} tokens does not fit the {self.limit} tokens of the embedder", where=self.name
            )
        head, tail = whole[: starts[0]], whole[starts[0] + len(plain) :]
        return [_row([*head, *plain[at : at + room], *tail]) for at in range(0, len(plain), room)]

    def _open(self) -> Any:
        from transformers import AutoModel

        model, info = AutoModel.from_pretrained(str(self.folder), **self.options_of_loading())
        self._layers = [_dense(self.files.folder / part, self.files.device) for part in self.recipe.dense]
        return (model.get_encoder() if model.config.is_encoder_decoder else model), info

    def _values(self, model: Any, ids: Any, mask: Any, segments: dict[str, Any]) -> Any:
        import torch

        states = model(input_ids=ids, attention_mask=mask, **segments).last_hidden_state.float()
        pooled = torch.cat([_pooled(states, mask, mode) for mode in self.recipe.modes], dim=-1)
        for weight, bias, activation in self._layers or []:
            pooled = activation(torch.nn.functional.linear(pooled, weight, bias))
        return torch.nn.functional.normalize(pooled, dim=-1)


def _row(ids: Sequence[int]) -> Row:
    return tuple(ids), (0,) * len(ids)


def _pooled(states: Any, mask: Any, mode: str) -> Any:
    """(rows, dimension) of ``states`` (rows, columns, dimension), from the columns where ``mask`` is 1."""
    import torch

    rows, last = torch.arange(len(mask), device=mask.device), mask.sum(1) - 1
    if mode == "cls_token":
        return states[:, 0]
    if mode == "lasttoken":
        return states[rows, last]
    inside = mask[..., None].to(states.dtype)
    if mode == "max_tokens":
        return states.masked_fill(inside == 0, float("-inf")).amax(1)
    if mode == "weightedmean_tokens":
        inside = inside * torch.arange(1, mask.shape[1] + 1, device=mask.device, dtype=states.dtype)[None, :, None]
    total = inside.sum(1)
    return (states * inside).sum(1) / (total.sqrt() if mode == "mean_sqrt_len_tokens" else total)


def _dense(folder: Path, device: str) -> tuple[Any, Any, Any]:
    """Weight, bias and activation of a dense module."""
    import torch
    from safetensors.torch import load_file

    config = read_json(folder / "config.json")
    if not (folder / "model.safetensors").is_file():
        raise PoolError(
            "a dense layer has no safetensors weights", where=str(folder), remedy="save the checkpoint again with them"
        )
    weights = load_file(str(folder / "model.safetensors"))
    activation = str(config.get("activation_function", "Tanh")).rsplit(".", 1)[-1]
    known = {"Tanh": torch.tanh, "Identity": lambda x: x, "ReLU": torch.relu, "GELU": torch.nn.functional.gelu}
    if activation not in known:
        raise PoolError(f"a dense layer has the activation {activation}", where=str(folder), remedy=f"known: {', '.join(known)}")
    bias = weights.get("linear.bias")
    return weights["linear.weight"].float().to(device), None if bias is None else bias.float().to(device), known[activation]


def recipe_of(folder: Path) -> Recipe:
    """What the checkpoint in ``folder`` declares; the mean over tokens where it declares nothing.

    Raises PoolError for a module that is not one of transformer, pooling, dense and normalisation.
    """
    listed = read_modules(folder)
    if not listed:
        return Recipe()
    parts: dict[str, list[str]] = {}
    for module in listed:
        parts.setdefault(str(module.get("type", "")).rsplit(".", 1)[-1], []).append(str(module.get("path", "")))
    if unknown := set(parts) - {"Transformer", "Pooling", "Dense", "Normalize"}:
        raise PoolError(
            f"the checkpoint has a module '{min(unknown)}'",
            where=str(folder / "modules.json"),
            remedy="name an encoder of transformer, pooling, dense and normalisation modules",
        )
    transformer = parts.get("Transformer", [""])[0]
    said = read_json(folder / transformer / "sentence_bert_config.json")
    prompts = read_json(folder / "config_sentence_transformers.json")
    prompt = str((prompts.get("prompts") or {}).get(prompts.get("default_prompt_name")) or "")
    pooling = read_json(folder / parts["Pooling"][0] / "config.json") if "Pooling" in parts else {}
    if prompt and pooling.get("include_prompt") is False:
        raise PoolError("the checkpoint leaves its prompt out of the pool", where=str(folder), remedy="name another encoder")
    return Recipe(
        transformer,
        _modes(pooling, folder),
        tuple(parts.get("Dense", ())),
        prompt,
        bool(said.get("do_lower_case")),
        said.get("max_seq_length"),
    )


def _modes(pooling: dict[str, Any], folder: Path) -> tuple[str, ...]:
    chosen = tuple(mode for mode in MODES if pooling.get(f"pooling_mode_{mode}"))
    if named := pooling.get("pooling_mode"):
        wanted = [named] if isinstance(named, str) else list(named)
        chosen = tuple(
            mode for mode in MODES for one in wanted if mode in (one, f"{one}_tokens", f"{one}_token", f"{one}_len_tokens")
        )
        if len(chosen) < len(wanted):
            raise PoolError(f"the checkpoint pools by {named}", where=str(folder), remedy=f"known: {', '.join(MODES)}")
    if not chosen and pooling:
        raise PoolError("the checkpoint names no way to pool", where=str(folder), remedy=f"known: {', '.join(MODES)}")
    return chosen or ("mean_tokens",)


def read_modules(folder: Path) -> list[dict[str, Any]]:
    """The list in modules.json, empty where there is no such file; raises PoolError if it is broken."""
    try:
        listed = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise PoolError(f"cannot read the model file: {error}", where=str(folder / "modules.json")) from error
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise PoolError("is not a list of modules", where=str(folder / "modules.json"))
    return sorted(listed, key=lambda one: int(one.get("idx", 0)))


def build_model(reference: str, *, name: str, **options: Any) -> SentenceEncoder | HashedEmbedder:
    """The backend ``embedder``: what ``aux.embedder`` names, ``hashed``, a folder or a hub id, with the options of an encoder.

    Raises ConfigError naming an option that does not exist.
    """
    if reference in HASHED:
        check_options(options, (), name)
        return HashedEmbedder(name)
    check_options(options, OPTIONS, name)
    return SentenceEncoder(reference, name=name, **options)
