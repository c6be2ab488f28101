"""Model folders of a few tensors, made on the spot, and the playground's members as the pool builds them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import moco
from moco.models.hf import HFModel
from moco.models.pool import Pool
from moco.models.store import Store
from moco.weights import Leaf

WEIGHTS = Path(moco.__path__[0]) / "playground" / "weights" / "dev"
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json")
Folder = Callable[..., Leaf]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """``folder(name, tensors)``: a leaf of that name; several dictionaries are several shards, ``config`` adds settings."""
    from safetensors.torch import save_file

    def make(name: str, *shards: Mapping[str, Any], files: str = "", **config: Any) -> Leaf:
        path = tmp_path / "models" / name
        path.mkdir(parents=True)
        for companion in TOKENIZER:
            shutil.copyfile(WEIGHTS / "base" / companion, path / companion)
        about = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "max_position_embeddings": 64, **config}
        (path / "config.json").write_text(json.dumps(about))
        names = [f"model-{i + 1:05}-of-{len(shards):05}.safetensors" for i in range(len(shards))]
        names = [files or "model.safetensors"] if len(shards) == 1 else names
        for file, tensors in zip(names, shards, strict=True):
            save_file(dict(tensors), path / file, metadata={"format": "pt"})
        if len(shards) > 1:
            where = {t: file for file, tensors in zip(names, shards, strict=True) for t in tensors}
            (path / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
        return Leaf(name, HFModel(path, name=name, device="cpu"))

    return make


def playground(*names: str, store: Store | None = None) -> Pool:
    """A pool of the playground's members, on the CPU."""
    entries = [{"model": f"playground/{name}", "device": "cpu"} for name in names]
    return Pool(entries, store=store or Store(None))
