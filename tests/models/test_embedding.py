"""Embedders: pooled as declared, padding left out, windows for long texts; the hashed default; the store."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moco.core.errors import ConfigError, PoolError
from moco.core.types import Request, Usage
from moco.models.embedding import SentenceEncoder, recipe_of
from moco.models.embedding_hashed import HashedEmbedder, hashed
from moco.models.pool import Pool
from moco.models.store import Store
from moco.testing import ScriptedModel
from tests.models.encoders import save_bert, save_llama_reward

TEXTS = ["the river is long .", "blue", "which city do you mean ? paris , rome .", "1 2 3 4 5 1 2 3 4 5", "no no no", ""]
FULL = ["Transformer", "Pooling", "Normalize"]


def embed(model: Any, texts: list[str]) -> Any:
    return asyncio.run(model.embed(texts))


def states(folder: Path, text: str) -> Any:
    """(tokens, dimension) of the last hidden state of ``text`` alone, as transformers gives it."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    model, tokenizer = AutoModel.from_pretrained(str(folder)).eval(), AutoTokenizer.from_pretrained(str(folder))
    with torch.no_grad():
        return model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].numpy()


POOLS = {
    "pooling_mode_mean_tokens": lambda h: h.mean(0),
    "pooling_mode_cls_token": lambda h: h[0],
    "pooling_mode_max_tokens": lambda h: h.max(0),
    "pooling_mode_lasttoken": lambda h: h[-1],
    "pooling_mode_mean_sqrt_len_tokens": lambda h: h.sum(0) / len(h) ** 0.5,
    "pooling_mode_weightedmean_tokens": lambda h: (h * np.arange(1, len(h) + 1)[:, None]).sum(0) / np.arange(1, len(h) + 1).sum(),
}


@pytest.mark.parametrize("mode", POOLS)
def test_pools_as_declared_without_padding(tmp_path: Path, mode: str) -> None:
    folder = save_bert(tmp_path / "e", modules=FULL, **{mode: True})
    found = embed(SentenceEncoder(folder, name="e", device="cpu"), TEXTS)
    assert found.dtype == np.float32 and found.shape == (len(TEXTS), 32)
    for text, vector in zip(TEXTS, found, strict=True):
        wanted = POOLS[mode](states(folder, text))
        assert vector == pytest.approx(wanted / np.linalg.norm(wanted), abs=1e-5)


def test_several_pools_stand_side_by_side(tmp_path: Path) -> None:
    folder = save_bert(tmp_path / "e", modules=FULL, pooling_mode_mean_tokens=True, pooling_mode_cls_token=True)
    h = states(folder, TEXTS[0])
    wanted = np.concatenate([h[0], h.mean(0)])
    assert embed(SentenceEncoder(folder, name="e"), TEXTS[:1])[0] == pytest.approx(wanted / np.linalg.norm(wanted), abs=1e-5)


def test_dense_layers_and_checkpoints_without_a_recipe(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    plain = save_bert(tmp_path / "plain")
    mean = states(plain, TEXTS[0]).mean(0)
    assert embed(SentenceEncoder(plain, name="e"), TEXTS)[0] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)
    folder = save_bert(tmp_path / "dense", modules=["Transformer", "Pooling", "Dense"], pooling_mode="mean")
    weights = load_file(str(folder / "2_Dense" / "model.safetensors"))
    out = np.tanh(weights["linear.weight"] @ states(folder, TEXTS[0]).mean(0) + weights["linear.bias"])
    found = embed(SentenceEncoder(folder, name="e"), TEXTS)
    assert found.shape[1] == 8 and found[0] == pytest.approx(out / np.linalg.norm(out), abs=1e-5)


def test_does_not_depend_on_the_batch(tmp_path: Path) -> None:
    model = SentenceEncoder(save_bert(tmp_path / "e"), name="e", device="cpu")
    together = embed(model, TEXTS)
    assert model.counters.forwards == 1
    alone = np.stack([embed(model, [text])[0] for text in TEXTS])
    assert np.abs(together - alone).max() < 1e-5 and np.abs(embed(model, TEXTS[::-1])[::-1] - alone).max() < 1e-5
    assert ((together @ together.T).argsort(1) == (alone @ alone.T).argsort(1)).all()


def test_a_long_text_is_read_to_its_end(tmp_path: Path) -> None:
    folder = save_bert(tmp_path / "e")
    model = SentenceEncoder(folder, name="e")
    head, tail = "the river is long . " * 6, "rome " * 7
    assert [len(ids) for ids, _ in model.windows(head + tail)] == [32, 9]
    assert all(ids[0] == 2 and ids[-1] == 3 for ids, _ in model.windows(head + tail))
    one, two = states(folder, head).mean(0), states(folder, tail).mean(0)
    mean = 32 * one / np.linalg.norm(one) + 9 * two / np.linalg.norm(two)
    assert embed(model, [head + tail])[0] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)
    (folder / "modules.json").write_text('[{"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"}]')
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 12, "do_lower_case": true}')
    assert max(len(ids) for ids, _ in SentenceEncoder(folder, name="e").windows(head)) == 12


def test_prompts_and_recipes_that_cannot_be_run(tmp_path: Path) -> None:
    folder = save_bert(tmp_path / "e", modules=FULL, pooling_mode_mean_tokens=True)
    (folder / "config_sentence_transformers.json").write_text('{"prompts": {"q": "tell me : "}, "default_prompt_name": "q"}')
    wanted = states(folder, "tell me : blue").mean(0)
    assert embed(SentenceEncoder(folder, name="e"), ["blue"])[0] == pytest.approx(wanted / np.linalg.norm(wanted), abs=1e-5)
    listed = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps([*listed, {"idx": 3, "path": "3", "type": "own_code.Surprise"}]))
    with pytest.raises(PoolError, match="has a module 'Surprise'"):
        SentenceEncoder(folder, name="e")
    (folder / "modules.json").write_text("[1")
    with pytest.raises(PoolError, match=r"modules\.json"):
        recipe_of(folder)
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode": "sum"}')
    with pytest.raises(PoolError, match="pools by sum"):
        recipe_of(folder)


def test_a_causal_model_embeds_by_its_states(tmp_path: Path) -> None:
    folder = save_llama_reward(tmp_path / "lm", causal=True)
    found = embed(SentenceEncoder(folder, name="e"), TEXTS)
    h = states(folder, TEXTS[0]).mean(0)
    assert found[0] == pytest.approx(h / np.linalg.norm(h), abs=1e-5) and np.isfinite(found).all()


def test_a_pool_keeps_vectors_in_its_store(tmp_path: Path) -> None:
    folder, file = save_bert(tmp_path / "e"), tmp_path / "store.sqlite"
    store = Store(file)
    model: Any = Pool([ScriptedModel("a", "x")], store=store, aux={"embedder": str(folder)}).aux.embedder
    first = embed(model, [*TEXTS, *TEXTS])
    assert model.paid_calls == len(TEXTS) and (first[: len(TEXTS)] == first[len(TEXTS) :]).all()
    read = model.model.counters.prompt_tokens
    assert read == model.paid_tokens == sum(model.model.embed_tokens(text) for text in TEXTS) > 0
    store.close()
    again: Any = Pool([ScriptedModel("a", "x")], store=Store(file), aux={"embedder": str(folder)}).aux.embedder
    assert (embed(again, TEXTS) == first[: len(TEXTS)]).all() and again.paid_calls == 0 and again.model.counters.forwards == 0
    assert asyncio.run(again.embedded(TEXTS))[1] == Usage(read, 0, 1), "it costs the same, as from an empty store"
    assert embed(again, []).shape == (0, 0)


def test_the_hashed_embedder_needs_nothing() -> None:
    store = Store()
    pool = Pool([ScriptedModel("a", "x")], store=store, aux={"embedder": "hashed"})
    model: Any = pool.aux.embedder
    found = embed(model, ["The river is long.", "the RIVER is long .", "rivers are long", "a blue city", ""])
    near = found @ found.T
    assert found.dtype == np.float32 and near[0, 1] == pytest.approx(1.0, abs=1e-6) and not found[4].any()
    assert near[0, 1] > near[0, 2] > near[0, 3] and store.written == 0
    assert (
        Pool([ScriptedModel("a", "x")], store=store, aux={"embedder": {"model": "hash"}}).aux.embedder.fingerprint
        == model.fingerprint
    )  # type: ignore[union-attr]
    assert hashed(["17"])[0] @ hashed(["42"])[0] < 0.5, "numbers are words like others"
    with pytest.raises(ConfigError, match="writes no text; because it is an embedder"):
        asyncio.run(model.generate(Request(text="x")))
    with pytest.raises(ConfigError, match="unknown option 'dtype'"):
        Pool([ScriptedModel("a", "x")], store=store, aux={"embedder": {"model": "hashed", "dtype": "float32"}})
    with pytest.raises(PoolError, match="cannot be the embedder; because it lacks the capability EMBED"):
        Pool([ScriptedModel("a", "x")], store=store, aux={"embedder": "playground/alpha"})


def test_the_hash_stays_the_same() -> None:
    """Fitted states keep distances in this space: a change of the hash needs another fingerprint."""
    vector = hashed(["the river"])[0]
    places = [4, 17, 38, 101, 165, 397, 462, 488, 522, 582, 621, 665, 1342, 1533, 1539, 1715, 1858, 1879, 1883, 1947, 1965]
    assert np.flatnonzero(vector).tolist() == places and np.abs(vector[places]) == pytest.approx(21**-0.5, abs=1e-6)
    assert [place for place in places if vector[place] > 0] == [397, 522, 621, 665, 1342, 1715, 1858]


@given(st.lists(st.text(max_size=40), max_size=6))
@settings(max_examples=50, deadline=None)
def test_hashed_rows_have_length_one_and_stand_alone(texts: list[str]) -> None:
    found = asyncio.run(HashedEmbedder().embed(texts))
    lengths = np.linalg.norm(found, axis=1) if texts else np.zeros(0)
    assert ((np.abs(lengths - 1) < 1e-5) | (lengths == 0)).all()
    for text, row in zip(texts, found, strict=True):
        assert (hashed([text])[0] == row).all()


def test_scripted_embedders_are_stored() -> None:
    model = ScriptedModel("e", embed=lambda text: [len(text), 3.0])
    helper: Any = Pool([ScriptedModel("a", "x")], store=Store(), aux={"embedder": model}).aux.embedder
    assert embed(helper, ["abcd", "abcd"]).tolist() == [[pytest.approx(0.8), pytest.approx(0.6)]] * 2
    assert model.counters.generated == 1
