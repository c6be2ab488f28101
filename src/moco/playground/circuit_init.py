"""A hand-made start for label lookup, in the weights of an ordinary Llama or Qwen2 model.

Label lookup is a two-step circuit: a head carries the label of a line to the tokens of its text, and a later head
matches the wanted text with the same text in the list and copies what the first head put there. Neither step earns
anything without the other, so from a random start training sits on a plateau at chance for longer than the whole
budget of the playground. Here the first steps of the circuit are written into the weights before training:

* All embeddings share a direction u. Layer 0's head j attends, through u and the rotary position code alone, to the
  token j+1 places before, and writes what it read into a plane of its own.
* Two heads in each later layer match 'what the previous token was' with 'what this token is' (or was), and copy what
  stands before the matched text back to where the embeddings live.

Everything else keeps its random start, and training then changes all weights.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

EMBEDDING_STD = 0.1
SHARED_PART = 0.7  # share of u in an embedding, in units of the mean norm
PEAK = 8.0  # nats by which the attended distance beats its neighbours
SLOWEST = 0.03  # rotary frequencies below this cannot tell neighbours apart
MATCH_SCALE = 1.2
WRITE_SCALE = 0.15


def _plane(generator: torch.Generator, hidden: int, size: int, without: Tensor) -> Tensor:
    """``size`` orthonormal rows, the shared direction removed."""
    rows: Tensor = torch.linalg.qr(torch.randn(hidden, size, generator=generator))[0].T
    rows -= torch.outer(rows @ without, without)
    return rows


def prepare(model: Any, *, previous: int, label_plane: int, seed: int, matching: int = 2) -> None:
    """Set ``previous`` previous-token heads in layer 0 and ``matching`` heads in every later layer.

    ``label_plane``: which previous-token plane the matching heads copy. In 'B . tin' the label stands two tokens
    before the text (plane 1); where spaces are tokens, three before (plane 2).
    """
    with torch.no_grad():
        _prepare(model, previous, label_plane, seed, matching)


def _prepare(model: Any, previous: int, label_plane: int, seed: int, matching: int) -> None:
    config = model.config
    hidden, heads = config.hidden_size, config.num_attention_heads
    size = hidden // heads
    if heads != config.num_key_value_heads:
        raise ValueError("the prepared heads need one key head for each query head")
    generator = torch.Generator().manual_seed(seed)
    embeddings = model.model.embed_tokens.weight
    embeddings.mul_(EMBEDDING_STD / config.initializer_range)
    shared = torch.randn(hidden, generator=generator)
    shared /= shared.norm()
    embeddings.sub_((embeddings @ shared)[:, None] * shared)
    embeddings.add_(shared * embeddings.norm(dim=1).mean() * SHARED_PART)
    after_norm = math.sqrt(hidden) * SHARED_PART / math.sqrt(1 + SHARED_PART**2)

    frequencies = model.model.rotary_emb.inv_freq.float()
    read: list[Tensor] = []
    written: list[Tensor] = []
    for head in range(previous):
        rows = slice(head * size, (head + 1) * size)
        query, key = _position_code(frequencies, head + 1, size)
        source, target = (_plane(generator, hidden, size, shared) for _ in range(2))
        attention = model.model.layers[0].self_attn
        attention.q_proj.weight[rows] = torch.outer(query, shared) / after_norm
        attention.k_proj.weight[rows] = torch.outer(key, shared) / after_norm
        attention.v_proj.weight[rows] = source
        attention.o_proj.weight[:, rows] = target.T * WRITE_SCALE
        read.append(source)
        written.append(target)

    for layer in model.model.layers[1:]:
        attention = layer.self_attn
        for head in range(matching):
            rows = slice(head * size, (head + 1) * size)
            attention.q_proj.weight[rows] = written[0] * MATCH_SCALE
            attention.k_proj.weight[rows] = (read[0] if head % 2 == 0 else written[0]) * MATCH_SCALE
            attention.v_proj.weight[rows] = written[label_plane]
            attention.o_proj.weight[:, rows] = read[label_plane].T * WRITE_SCALE


def _position_code(frequencies: Tensor, offset: int, size: int) -> tuple[Tensor, Tensor]:
    """Query and key vectors whose rotated product peaks ``offset`` tokens back."""
    amplitude = torch.ones(size // 2)
    amplitude[frequencies < SLOWEST] = 0
    amplitude /= amplitude.norm()
    gap = float((amplitude**2 * (1 - torch.cos(frequencies))).sum())
    amplitude *= math.sqrt(PEAK / max(gap, 1e-3) * math.sqrt(size))
    angle = frequencies * offset
    query = torch.cat([amplitude, torch.zeros(size // 2)])
    key = torch.cat([amplitude * torch.cos(angle), amplitude * torch.sin(angle)])
    return query, key
