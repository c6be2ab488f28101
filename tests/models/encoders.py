"""Tiny random checkpoints that read a text in one pass, made by the tests that use them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "<|bos|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>"]
SAID = "the a river is long short blue what which city do you mean paris rome tell me no yes : . , ? ! 1 2 3 4 5"
WORDS = [*SPECIAL, *SAID.split()]
TEMPLATE = (
    "{{ '<|bos|>' }}{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def save_tokenizer(folder: Path, *, template: str | None = None, pairs: bool = False, length: int = 64) -> None:
    """A tokenizer over WORDS; ``pairs`` puts [CLS] and [SEP] around texts."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    if pairs:
        core.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
    ends: dict[str, Any] = (
        {"bos_token": "<|bos|>", "eos_token": "<|end|>"} if template else {"cls_token": "[CLS]", "sep_token": "[SEP]"}
    )
    own = {"additional_special_tokens": ["<|user|>", "<|assistant|>", "<|system|>"]} if template else {}
    maker: Any = PreTrainedTokenizerFast
    tokenizer = maker(tokenizer_object=core, pad_token="[PAD]", unk_token="[UNK]", model_max_length=length, **ends, **own)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(str(folder))


def save_llama_reward(folder: Path, *, pad: int | None = None, labels: int = 1, causal: bool = False) -> Path:
    """A classifier over a causal model with a chat template (or, ``causal``, a language model that is none)."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

    torch.manual_seed(7)
    config: Any = LlamaConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        pad_token_id=pad,
        bos_token_id=4,
        eos_token_id=5,
        num_labels=labels,
    )
    model: Any = (LlamaForCausalLM if causal else LlamaForSequenceClassification)(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(8.0)
    model.save_pretrained(str(folder))
    save_tokenizer(folder, template=TEMPLATE)
    return folder


def save_bert(folder: Path, *, labels: dict[int, str] | None = None, modules: list[str] | None = None, **pooling: Any) -> Path:
    """A classifier with named ``labels``, or an encoder, as sentence-transformers saves it where ``modules`` are given."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertModel

    torch.manual_seed(11)
    named = {"id2label": labels, "label2id": {v: k for k, v in labels.items()}} if labels else {}
    config: Any = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=32,
        **named,
    )
    model: Any = BertForSequenceClassification(config) if labels else BertModel(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(4.0)
    model.save_pretrained(str(folder))
    save_tokenizer(folder, pairs=True, length=32)
    listed = []
    for number, kind in enumerate(modules or ()):
        path = "" if kind == "Transformer" else f"{number}_{kind}"
        listed.append({"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"})
        if path:
            (folder / path).mkdir()
        if kind == "Pooling":
            (folder / path / "config.json").write_text(json.dumps({"word_embedding_dimension": 32, **pooling}))
        if kind == "Dense":
            save_dense(folder / path)
    if listed:
        (folder / "modules.json").write_text(json.dumps(listed))
    return folder


def save_dense(folder: Path) -> None:
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(3)
    weights = {"linear.weight": torch.randn(8, 32), "linear.bias": torch.randn(8)}
    save_file(weights, str(folder / "model.safetensors"))
    (folder / "config.json").write_text(
        '{"in_features": 32, "out_features": 8, "activation_function": "torch.nn.modules.activation.Tanh"}'
    )
