"""The recipe: corpus targets, prepared heads, and a smoke build that may be killed and continued."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from moco.core.errors import ConfigError
from moco.playground.corpus import EXPERT_CARD_SHARE, Material, expert_mix, first_stage, second_stage
from moco.playground.exercise import MARK, final_answer, without_marks
from moco.playground.recipe import STAGES, build
from moco.playground.world import make_world

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

SCALE = 0.0007


class Stop(Exception):
    """Stands for a kill."""


def weights(path: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(path / "model.safetensors"))


def test_targets_end_in_the_answer() -> None:
    material, rng = Material(make_world()), random.Random(2)
    expert = expert_mix(material, ("math", "bio"), 0.6, EXPERT_CARD_SHARE)
    seen = set()
    for mix in (first_stage(material), second_stage(material), expert):
        for step in range(3000):
            example = mix(rng, step / 3000)
            seen.add(example.task)
            assert MARK not in example.prompt
            if "Answer: " in example.target and example.task not in ("criticise", "look"):
                assert final_answer(example.target) == example.answer
            if example.kind == "multiple_choice" and MARK in example.target:
                assert without_marks(example.target).endswith(f"Answer: {example.answer}") or not example.answer
    assert {"add", "sort", "bio_qa", "bio_mc", "bio_desc", "card", "judge", "route", "look", "pick"} <= seen


def test_corpus_is_deterministic() -> None:
    material = Material(make_world())

    def draw() -> list[str]:
        rng = random.Random(3)
        return [first_stage(material)(rng, 0.5).prompt for _ in range(200)]

    assert draw() == draw()


def test_prepared_heads_attend_one_and_two_tokens_back() -> None:
    from moco.playground.architecture import llama
    from moco.playground.circuit_init import prepare

    model = llama(200, seed=1)
    prepare(model, previous=2, label_plane=1, seed=2)
    model.set_attn_implementation("eager")
    ids = torch.randint(0, 200, (1, 40), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        attention = model(ids, output_attentions=True).attentions[0][0]
    for head in (0, 1):
        row = torch.arange(5, 40)
        assert float(attention[head, row, row - head - 1].mean()) > 0.8  # chance is below 0.1


def test_deepening_changes_nothing_at_first() -> None:
    from moco.playground.architecture import deepened, llama

    model = llama(64, seed=1, layers=2)
    deep = deepened(model)
    ids = torch.arange(12)[None]
    with torch.no_grad():
        assert torch.allclose(model(ids).logits, deep(ids).logits, atol=1e-5)
    assert deep.config.num_hidden_layers == 4


def test_plain_attention_equals_the_library_kernel() -> None:
    from moco.playground import training  # registers it
    from moco.playground.architecture import llama

    assert training.CHUNK_EXAMPLES
    model, ids = llama(64, seed=1, layers=2), torch.arange(30)[None]
    with torch.no_grad():
        model.set_attn_implementation("sdpa")
        expected = model(ids).logits
        model.set_attn_implementation("moco_playground")
        assert torch.allclose(model(ids).logits, expected, atol=1e-5)


def test_a_killed_build_continues_to_the_same_weights(tmp_path: Path) -> None:
    whole = build(tmp_path / "whole", scale=SCALE, members=["alpha"], checkpoint_steps=1)["alpha"]

    def stopper(name: str) -> Any:
        def listen(progress: Any) -> None:
            if progress.name == name:
                raise Stop

        return listen

    # Killed after the last step of each model in turn, when only the checkpoint has been written.
    for name in ("base-stage-1", "base", "alpha"):
        with pytest.raises(Stop):
            build(tmp_path / "killed", scale=SCALE, members=["alpha"], on_progress=stopper(name), checkpoint_steps=2)
    resumed = build(tmp_path / "killed", scale=SCALE, members=["alpha"], checkpoint_steps=2)["alpha"]
    first, second = weights(whole), weights(resumed)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not list((tmp_path / "killed" / ".work").glob("*.checkpoint"))

    changed = (resumed / "model.safetensors").stat().st_mtime_ns
    build(tmp_path / "killed", scale=SCALE, members=["alpha"])
    assert (resumed / "model.safetensors").stat().st_mtime_ns == changed
    with pytest.raises(ConfigError, match="other settings"):
        build(tmp_path / "killed", world="release", scale=SCALE, members=["alpha"])


def test_mentor_and_foreign_build_and_load(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    built = build(tmp_path, world="release", scale=0.0004, members=["mentor", "foreign"])
    for name, path in built.items():
        model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(path)
        assert len(tokenizer) == model.config.vocab_size
        text = tokenizer.apply_chat_template([{"role": "user", "content": "2 + 2 = ?"}], tokenize=False)
        assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text
        assert json.loads((path / "config.json").read_text())["num_hidden_layers"] == (10 if name == "mentor" else 4)


def test_shipped_members_load_and_answer() -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from moco.playground import MEMBERS, model_path, records, render

    asked = [record for record in records("geo") if record["split"] == "dev"][:8]
    right = {}
    for name, entry in MEMBERS.items():
        path = model_path(name)
        model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(path)
        assert len(tokenizer) == model.config.vocab_size
        assert abs(model.num_parameters() / entry.parameters - 1) < 0.01
        chats = [[{"role": "user", "content": render(record)}] for record in asked]
        batch = tokenizer.apply_chat_template(
            chats, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
        )
        written = model.generate(**batch, max_new_tokens=40, do_sample=False)[:, batch["input_ids"].shape[1] :]
        texts = tokenizer.batch_decode(written, skip_special_tokens=True)
        right[name] = sum(final_answer(text) == record["answer"] for text, record in zip(texts, asked, strict=True))
    assert min(right[name] for name in ("alpha", "delta", "mentor")) >= 7
    assert max(right[name] for name in ("base", "beta", "gamma", "foreign")) <= 4


def test_scale_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="scale"):
        build(tmp_path, scale=0.0)
    assert set(STAGES) >= {"base", "alpha", "mentor", "foreign"}
