"""The model shapes of the pool."""

from __future__ import annotations

import copy
from typing import Any

import torch

HIDDEN = 128
FEED_FORWARD = 352
HEADS = 4
CONTEXT = 1024


def _common(vocabulary: int, layers: int) -> dict[str, Any]:
    return {
        "vocab_size": vocabulary,
        "hidden_size": HIDDEN,
        "num_hidden_layers": layers,
        "intermediate_size": FEED_FORWARD,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "max_position_embeddings": CONTEXT,
        "tie_word_embeddings": True,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "initializer_range": 0.02,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
    }


def llama(vocabulary: int, seed: int, layers: int = 5) -> Any:
    """The base's shape."""
    from transformers import LlamaConfig, LlamaForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LlamaForCausalLM(LlamaConfig(**_common(vocabulary, layers)))


def qwen(vocabulary: int, seed: int, layers: int = 4) -> Any:
    """The foreign member's shape: another family, with biases."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Qwen2ForCausalLM(Qwen2Config(**_common(vocabulary, layers)))


def deepened(model: Any) -> Any:
    """A model of twice the depth that computes the same: each layer is followed by a copy that adds nothing yet."""
    deep = copy.deepcopy(model)
    layers: list[Any] = []
    for layer in deep.model.layers:
        silent = copy.deepcopy(layer)
        silent.self_attn.o_proj.weight.data.zero_()
        silent.mlp.down_proj.weight.data.zero_()
        layers += [layer, silent]
    for index, layer in enumerate(layers):
        layer.self_attn.layer_idx = index
    deep.model.layers = torch.nn.ModuleList(layers)
    deep.config.num_hidden_layers = len(layers)
    if getattr(deep.config, "layer_types", None):
        deep.config.layer_types = ["full_attention"] * len(layers)
    return deep
