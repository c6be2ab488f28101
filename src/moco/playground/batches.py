"""From examples to weighted token batches: one-turn chats, bucketed by length, reproducible from any point."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from moco.playground.corpus import SYSTEM_SHARE, SYSTEM_TEXTS, Sampler
from moco.playground.exercise import MARK, Exercise, without_marks
from moco.playground.tokenizer import FOREIGN, SHARED

PROMPT_WEIGHT = 0.1
LABEL_WEIGHT = 5.0
LONGEST = 640
MICRO_BATCH_TOKENS = 2048


@dataclass(frozen=True)
class Chat:
    """One chat as ids, with the loss weight of every token."""

    ids: list[int]
    weights: list[float]


class Encoder:
    """Renders chats as the chat template does, but a thousand at a time."""

    def __init__(self, tokenizer: Any) -> None:
        vocabulary = tokenizer.get_vocab()
        style = SHARED if SHARED.special[0] in vocabulary else FOREIGN
        _, self._begin, self._end, self._system, self._user, self._assistant = (int(vocabulary[token]) for token in style.special)
        self._core = tokenizer.backend_tokenizer

    def _encode(self, texts: Sequence[str]) -> list[Any]:
        return list(self._core.encode_batch(list(texts), add_special_tokens=False))

    def encode(self, examples: Sequence[Exercise], rng: random.Random) -> list[Chat]:
        """Prompts weigh little, answers one, labels more; a few chats get a system text."""
        prompts = self._encode([without_marks(example.prompt) for example in examples])
        targets = self._encode([example.plain_target for example in examples])
        systems = [encoding.ids for encoding in self._encode(SYSTEM_TEXTS)]
        encoded = []
        for example, prompt, target in zip(examples, prompts, targets, strict=True):
            before = [self._begin]
            if rng.random() < SYSTEM_SHARE:
                before += [self._system, *rng.choice(systems), self._end]
            before += [self._user, *prompt.ids, self._end, self._assistant]
            weights = [PROMPT_WEIGHT] * len(before) + _target_weights(example.target, target.offsets) + [1.0]
            encoded.append(Chat([*before, *target.ids, self._end], weights))
        return encoded


def _target_weights(target: str, offsets: Sequence[tuple[int, int]]) -> list[float]:
    pieces = target.split(MARK)
    if len(pieces) == 1:
        return [1.0] * len(offsets)
    marked, position = set(), 0
    for piece in pieces[:-1]:
        position += len(piece)
        marked.add(position)
    return [LABEL_WEIGHT if any(start <= mark < end for mark in marked) else 1.0 for start, end in offsets]


@dataclass
class Cursor:
    """Where a stream of batches stands: all that is needed to continue it."""

    chunk: int = 0
    batch: int = 0


class BatchStream:
    """An endless stream of (ids, weights). Chunk k depends on the seed and k alone, so any point can be reached."""

    def __init__(
        self, encoder: Encoder, sampler: Sampler, seed: str, *, examples_in_all: float, chunk: int, cursor: Cursor
    ) -> None:
        self._encoder, self._sampler, self._seed = encoder, sampler, seed
        self._examples_in_all, self._chunk = examples_in_all, chunk
        self.cursor = cursor

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            batches = self._chunk_batches(self.cursor.chunk)
            while self.cursor.batch < len(batches):
                self.cursor.batch += 1
                yield _padded(batches[self.cursor.batch - 1])
            self.cursor.chunk, self.cursor.batch = self.cursor.chunk + 1, 0

    def _chunk_batches(self, index: int) -> list[list[Chat]]:
        rng = random.Random(f"{self._seed} chunk {index}")
        start = index * self._chunk
        examples = [self._sampler(rng, min(1.0, (start + offset) / self._examples_in_all)) for offset in range(self._chunk)]
        sequences = [item for item in self._encoder.encode(examples, rng) if len(item.ids) <= LONGEST]
        keyed = [(len(item.ids) + rng.random() * 4, item) for item in sequences]
        batches: list[list[Chat]] = []
        longest = 0
        for _, item in sorted(keyed, key=lambda pair: pair[0]):
            longest = max(longest, len(item.ids))
            if not batches or longest * (len(batches[-1]) + 1) > MICRO_BATCH_TOKENS:
                batches.append([])
                longest = len(item.ids)
            batches[-1].append(item)
        rng.shuffle(batches)
        return batches


def _padded(batch: Sequence[Chat]) -> tuple[Tensor, Tensor]:
    """Padded on the right: causal attention then needs no mask, and padding has no weight."""
    width = max(len(item.ids) for item in batch)
    ids = torch.zeros(len(batch), width, dtype=torch.long)
    weights = torch.zeros(len(batch), width)
    for row, item in enumerate(batch):
        ids[row, : len(item.ids)] = torch.tensor(item.ids)
        weights[row, 1 : len(item.ids)] = torch.tensor(item.weights[1:])
    return ids, weights
