"""Whether models can be merged: architecture, tensor names, shapes and tokenizers, told from headers before loading.

Invariant: no silent intersection, truncation or untying; what differs is named. Equal token ids must mean equal strings.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moco.core.errors import PoolError
from moco.core.seeds import digest
from moco.models.hf import file_hash
from moco.models.tokens import read_json
from moco.weights.plan import Leaf, Plan
from moco.weights.sources import BYTES, Meta, SafetensorsDir

BUFFERS = ("rotary_emb.inv_freq", ".masked_bias", "position_ids")
"""Endings of tensors that old checkpoints hold and that are no parameters; they are left out."""
MEANING = (
    "hidden_act",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "rope_theta",
    "rope_scaling",
    "rms_norm_eps",
    "layer_norm_eps",
    "sliding_window",
)
"""Configuration that decides what equal tensors compute."""
TOKENIZER = ("tokenizer.model", "vocab.json", "merges.txt", "vocab.txt")
"""Files that are the tokenizer where there is no tokenizer.json."""


def mergeable(config: dict[str, Any], metas: dict[str, Meta]) -> dict[str, Meta]:
    """The tensors that are merged: without known buffers and without the alias of a tied output layer."""
    kept = {name: meta for name, meta in metas.items() if not name.endswith(BUFFERS)}
    if config.get("tie_word_embeddings") and any(name.endswith("embed_tokens.weight") for name in kept):
        kept.pop("lm_head.weight", None)
    return kept


def tensors_of(leaf: Leaf) -> dict[str, Meta]:
    """The tensors of ``leaf`` that are merged, in file order; raises PoolError for quantised or unreadable weights."""
    found = mergeable(leaf.model.config, SafetensorsDir(leaf.model.folder).metas)
    packed = next((name for name, meta in found.items() if meta.dtype not in BYTES), None)
    if packed is not None or leaf.model.config.get("quantization_config"):
        why = "its config.json says so" if packed is None else f"tensor '{packed}' is {found[packed].dtype}"
        raise PoolError(f"the weights of '{leaf.name}' are quantised", where=leaf.name, why=why, remedy="dequantise them first")
    return found


def tokenizer_hash(folder: Path) -> str:
    """Hash of what maps text to ids and back: vocabulary, merges, added tokens; not of how texts are split or padded."""
    if not (found := read_json(folder / "tokenizer.json")):
        return digest([[name, file_hash(folder / name)] for name in TOKENIZER if (folder / name).is_file()])
    model = found.get("model", {})
    merges = [m if isinstance(m, str) else " ".join(m) for m in model.get("merges") or []]
    added = sorted([t["id"], t["content"]] for t in found.get("added_tokens") or [])
    return digest(model.get("type"), model.get("vocab"), merges, added)


def check(plan: Plan) -> dict[str, Meta]:
    """Whether the leaves of ``plan`` can be merged; returns the donor's tensors.

    Raises PoolError that names both models and the first tensor, setting or file that differs.
    """
    first = plan.donor
    wanted = tensors_of(first)
    seen = {first.fingerprint}
    for leaf in plan.leaves:
        if leaf.fingerprint not in seen:
            seen.add(leaf.fingerprint)
            _compare(first, wanted, leaf)
    return wanted


def _compare(first: Leaf, wanted: dict[str, Meta], other: Leaf) -> None:
    one, two = first.model.config, other.model.config
    pair = f"{first.name} and {other.name}"
    found = tensors_of(other)
    tensor = _tensor(first.name, wanted, other.name, found)
    for key in ("architectures", "model_type"):
        if one.get(key) != two.get(key):
            more = f"; {tensor}" if tensor else ""
            raise _differ(pair, f"they are of different architectures: {one.get(key)} and {two.get(key)}{more}")
    if bool(one.get("tie_word_embeddings")) != bool(two.get("tie_word_embeddings")):
        raise _differ(pair, "one ties its output layer to its embeddings, the other does not")
    if tensor:
        raise _differ(pair, tensor)
    for key in MEANING:
        if _setting(one, key) != _setting(two, key):
            what = f"'{key}' is {_setting(one, key)} in {first.name}, {_setting(two, key)} in {other.name}"
            raise _differ(pair, what)
    if tokenizer_hash(first.model.folder) != tokenizer_hash(other.model.folder):
        raise _differ(pair, "their tokenizers differ", "merge models of one vocabulary")


def _tensor(one: str, wanted: dict[str, Meta], two: str, found: dict[str, Meta]) -> str:
    """What is said of the first tensor that differs between the models called ``one`` and ``two``; empty if none does."""
    for name, meta in wanted.items():
        if name not in found:
            return f"tensor '{name}' is in {one} only; {_names(set(wanted) ^ set(found))}"
        if meta.shape != found[name].shape:
            return f"tensor '{name}' is {list(meta.shape)} in {one}, {list(found[name].shape)} in {two}"
        if meta.floating != found[name].floating:
            return f"tensor '{name}' is {meta.dtype} in {one}, {found[name].dtype} in {two}"
    extra = [name for name in found if name not in wanted]
    return f"tensor '{extra[0]}' is in {two} only; {_names(set(extra))}" if extra else ""


def _setting(config: dict[str, Any], key: str) -> Any:
    """A setting by its old name, also where newer files keep it under ``rope_parameters``."""
    rope = config.get("rope_parameters") or {}
    if key == "rope_theta":
        return config.get(key, rope.get(key))
    if key == "rope_scaling":
        scaling = config.get(key) or {k: v for k, v in rope.items() if k != "rope_theta"}
        kind = scaling.get("rope_type", scaling.get("type", "default"))
        return None if kind == "default" else {**scaling, "rope_type": kind}
    return config.get(key)


def _names(names: set[str]) -> str:
    shown = sorted(names)[:3]
    return f"{len(names)} names differ: {', '.join(shown)}{' ...' if len(names) > len(shown) else ''}"


def _differ(pair: str, what: str, remedy: str = "merge models of one architecture, fine-tuned from one checkpoint") -> PoolError:
    return PoolError(f"cannot merge {pair}: {what}", where="weights", remedy=remedy)
