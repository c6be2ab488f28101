"""Token streams against a stateless twin: whatever was pushed, joined, rolled back or put aside, equal ids, equal logits."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from moco.models.decode import Decoder
from moco.models.streams import Saved, TokenStreams
from moco.testing import TableModel
from tests.models.conftest import load

TABLE = TableModel("t", [*"abcdefgh", "<eos>"], lambda ids: [1 + (sum(ids) * (i + 3) + len(ids)) % 7 for i in range(9)])


def plain(name: str, ids: Sequence[int]) -> Any:
    """float32 logits after every id of one row, by one forward pass without cache, mask or padding."""
    if name == "table":
        return np.array([TABLE.logits(ids[: n + 1]) for n in range(len(ids))], np.float32)
    import torch

    with torch.inference_mode():
        return load(name).load().model(torch.tensor([list(ids)])).logits[0].float().numpy()


def fresh(name: str, forward: Callable[..., Any] | None = None) -> Any:
    if name == "table":
        return TABLE.streams()
    model = load(name)
    return TokenStreams(Decoder(model.load().model, model.tokens, name=name, forward=forward))


def right(name: str, batch: Any) -> None:
    expected = np.array([plain(name, row)[-1] for row in batch.ids])
    got = batch.logits()
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, atol=1e-4)


MODELS = pytest.mark.parametrize("name", ["alpha", "foreign", "table"])


@MODELS
@pytest.mark.parametrize("seed", range(6))
def test_any_course_of_events_leaves_the_logits_of_the_ids(name: str, seed: int) -> None:
    rng, top = random.Random(seed), 8 if name == "table" else 300

    def some(low: int, high: int) -> list[int]:
        return [rng.randrange(3, top) for _ in range(rng.randint(low, high))]

    streams = fresh(name)
    batch = streams.open([some(1, 12) for _ in range(4)])
    expected = [list(row) for row in batch.ids]
    for _ in range(14):
        n = len(batch)
        match rng.choice(["push", "push", "push", "verify", "keep", "join", "crop", "aside", "read"]):
            case "push":
                new = [some(0, 4) for _ in range(n)]
                batch.push(new)
                expected = [row + more for row, more in zip(expected, new, strict=True)]
            case "verify":
                new = [some(0, 3) for _ in range(n)]
                got = batch.verify(new)
                expected = [row + more for row, more in zip(expected, new, strict=True)]
                for row, more, logits in zip(expected, new, got, strict=True):
                    np.testing.assert_allclose(logits, plain(name, row)[len(row) - len(more) - 1 :], atol=1e-4)
            case "keep":
                rows = [rng.randrange(n) for _ in range(rng.randint(1, 5))]
                batch.keep(rows)
                expected = [list(expected[i]) for i in rows]
            case "join":
                other = streams.open([some(1, 20)])
                if rng.random() < 0.5:
                    other.logits()
                expected += [list(row) for row in other.ids]
                batch.join(other)
            case "crop":
                lengths = [rng.randint(1, len(row)) for row in expected]
                batch.crop(lengths)
                expected = [row[:m] for row, m in zip(expected, lengths, strict=True)]
            case "aside":
                saved = [batch.detach(i) for i in range(n)]
                cut = [s.crop(rng.randint(1, len(s.ids))) if rng.random() < 0.4 else s for s in saved]
                cut = [s.cold() if rng.random() < 0.3 else s.append(some(0, 2)) for s in cut]
                expected = [list(s.ids) for s in cut]
                batch = streams.attach(cut)
            case _:
                right(name, batch)
        assert [list(row) for row in batch.ids] == expected
    right(name, batch)


def test_nothing_is_computed_before_it_is_read_and_once_then() -> None:
    calls: list[tuple[int, int]] = []
    decoder = load("alpha").load()

    def counted(ids: Any, *rest: Any) -> Any:
        calls.append(tuple(ids.shape))
        return decoder.forward(ids, *rest)

    batch = fresh("alpha", counted).open([(5, 6, 7), (8, 9), (5, 6, 7)])
    batch.push([[4], [4, 5], [4]])
    assert calls == []
    batch.logits(), batch.logits()
    assert calls == [(2, 4)], "equal rows are prefilled once, with what was pushed meanwhile"
    batch.push([[4], [], [9, 9]])
    batch.push([[4], [], []])
    batch.keep([0, 2])
    batch.logits()
    assert calls[1:] == [(2, 2)]


def test_a_saved_row_holds_real_places_only_and_forks_share_it() -> None:
    streams = fresh("alpha")
    batch = streams.open([(5,) * 40, (6, 7, 8)])
    batch.logits()
    saved = batch.detach(1)
    keys, values = saved.layers[0]
    assert saved.done == 3 and keys.shape[1] == values.shape[1] == 3
    layers, width = len(saved.layers), saved.logits.numel()
    assert saved.bytes == layers * (keys.numel() + values.numel()) * 4 + width * 4
    assert saved.crop(2).bytes < saved.bytes and saved.cold().bytes == 0 and saved.crop(9) is saved
    forks = streams.attach([saved, saved, saved.append([9])])
    forks.push([[1], [2], []])
    right("alpha", forks)
    assert saved.ids == (6, 7, 8)


def test_the_holes_of_uneven_pushes_are_packed() -> None:
    batch = fresh("alpha").open([(5, 6), (7, 8)])
    for step in range(40):
        batch.push([[9, 10, 11], [12]] if step % 2 else [[9], [12, 13, 14]])
        batch.logits()
        batch.crop([len(row) - 1 for row in batch.ids])
    assert batch._running.mask.shape[1] <= 1.25 * max(map(len, batch.ids)) + 9
    right("alpha", batch)


@pytest.mark.parametrize("operation", ["step", "uneven", "join", "crop", "aside"])
def test_models_whose_cache_cannot_be_cut_begin_again(operation: str) -> None:
    import torch
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        sliding_window=4,
    )
    model = MistralForCausalLM(config).eval()
    streams = TokenStreams(Decoder(model, load("alpha").tokens, name="sliding"))
    batch = streams.open([(5, 6, 7, 8, 9, 10), (11, 12, 13)])
    batch.logits()
    assert not batch.joinable
    for _ in range(3):
        batch.push([[3], [4]])
        batch.logits()
    match operation:
        case "uneven":
            batch.push([[3, 4, 5], []])
        case "join":
            batch.join(streams.open([(20, 21)]))
        case "crop":
            batch.crop([7, 6])
        case "aside":
            saved = batch.detach(0)
            assert isinstance(saved, Saved) and not saved.layers
            batch = streams.attach([saved, batch.detach(1)])
    with torch.inference_mode():
        expected = [model(torch.tensor([row])).logits[0, -1].numpy() for row in batch.ids]
    np.testing.assert_allclose(batch.logits(), np.array(expected), atol=1e-4)
