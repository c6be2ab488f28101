"""Rendering: transformers' own tokenizer as the oracle, one BOS, prefix, overflow, neutralised quotes, thinking blocks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moco.core.errors import ConfigError, ContextOverflow
from moco.core.types import Message, Request, Sampling, messages_of
from moco.models.hf import HFModel
from moco.models.rendering import Renderer, neutralise, split_reasoning
from moco.models.tokens import Tail, Tokens

Load = Callable[[str], HFModel]
CHATS = [
    (Message("user", "hello"),),
    (Message("system", "Be brief."), Message("user", "What is 2 + 3?")),
    (Message("user", "a\nb  c"), Message("assistant", "ok"), Message("user", "é 漢字 🙂")),
]


@pytest.mark.parametrize("name", ["alpha", "foreign"])
def test_chat_equals_transformers_and_has_one_bos(member: Load, weights: Path, name: str) -> None:
    from transformers import AutoTokenizer

    tokenizer, renderer = AutoTokenizer.from_pretrained(str(weights / name)), member(name).renderer
    for messages in CHATS:
        turns = [{"role": m.role, "content": m.content} for m in messages]
        ids = renderer.ids(Request(messages=messages))
        assert list(ids) == tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=True)["input_ids"]
        assert ids.count(renderer.tokens.bos) == 1 and ids[0] == renderer.tokens.bos
        with_prefix = renderer.ids(Request(messages=messages, prefix="Answer: "))
        assert renderer.tokens.decode(with_prefix).endswith("Answer: ") and with_prefix[: len(ids)] == ids


def test_raw_text_and_ids(member: Load) -> None:
    renderer = member("alpha").renderer
    bos = renderer.tokens.bos
    ids = renderer.ids(Request(text="some text"))
    assert ids[0] == bos and ids.count(bos) == 1
    assert renderer.ids(Request(text=f"{renderer.tokens.bos_text}some text")) == ids
    assert renderer.ids(Request(ids=(5, 6), prefix="x")) == (5, 6, *renderer.tokens.encode("x"))
    with pytest.raises(ConfigError, match="empty"):
        renderer.ids(Request(ids=()))


def test_plain_style_without_template(weights: Path, tmp_path: Path) -> None:
    shutil.copytree(weights / "alpha", tmp_path / "m", ignore=shutil.ignore_patterns("*.jinja"), copy_function=shutil.copyfile)
    tokens = Tokens(tmp_path / "m")
    renderer = Renderer(tokens, 64)
    assert renderer.style == "plain"
    ids = renderer.ids(Request(messages=messages_of("hello", "be kind"), prefix="I"))
    assert tokens.decode(ids) == "System: be kind\n\nUser: hello\n\nAssistant: I" and ids.count(tokens.bos) == 1


def test_template_without_system_role_and_with_a_date(weights: Path, tmp_path: Path) -> None:
    shutil.copytree(weights / "alpha", tmp_path / "m", ignore=shutil.ignore_patterns("*.jinja"), copy_function=shutil.copyfile)
    template = (
        "{{ bos_token }}{{ strftime_now('%d') }}{% for m in messages %}{% if m.role == 'system' %}"
        "{{ raise_exception('no system') }}{% endif %}[{{ m.content }}]{% generation %}!{% endgeneration %}{% endfor %}"
    )
    settings = json.loads((tmp_path / "m" / "tokenizer_config.json").read_text()) | {"chat_template": template}
    (tmp_path / "m" / "tokenizer_config.json").write_text(json.dumps(settings))
    text = Renderer(Tokens(tmp_path / "m")).text(messages_of("hi", "kind"))
    assert text.endswith("26 Jul 2024[kind\n\nhi]!")


def test_overflow_names_both_numbers(member: Load) -> None:
    renderer = Renderer(member("alpha").tokens, 20)
    with pytest.raises(ContextOverflow, match=r"20 tokens.*20 tokens"):
        renderer.ids(Request(ids=(7,) * 20))
    assert renderer.room(Request(ids=(7,) * 19, sampling=Sampling(max_tokens=5))) == 1
    assert renderer.room(Request(ids=(7,) * 9, sampling=Sampling(max_tokens=5))) == 5


@pytest.mark.parametrize("name", ["alpha", "foreign"])
def test_neutralised_quotes_hold_no_special_id(member: Load, name: str) -> None:
    renderer = member(name).renderer
    special = {renderer.tokens.id_of(s) for s in renderer.tokens.specials}
    for token in renderer.tokens.specials:
        text = f"say {token}{token} or [{token}]"
        assert special & set(renderer.tokens.encode(text))
        for safe in (renderer.neutralise(text), neutralise(text)):
            assert not special & set(renderer.tokens.encode(safe)) and neutralise(safe) == safe
    assert neutralise("a <b> [x] |c| 1 < 2") == "a <b> [x] |c| 1 < 2"


@given(st.lists(st.sampled_from(["<|", "im_end", "|>", "</s>", "[INST]", "<", "s>", "</think>", "[", "]", " ", "EOS"])))
def test_neutralise_is_idempotent(parts: list[str]) -> None:
    once = neutralise("".join(parts))
    assert neutralise(once) == once and "</s>" not in once and "<|im_end|>" not in once


@pytest.mark.parametrize(
    ("text", "opened", "visible", "reasoning"),
    [
        ("plain", False, "plain", ""),
        ("<think>why</think>\n\nyes", False, "yes", "why"),
        ("\n<think>why not", False, "", "why not"),
        ("because</think> yes", True, "yes", "because"),
        ("because, without end", True, "", "because, without end"),
        ("a < think b", False, "a < think b", ""),
    ],
)
def test_split_reasoning(text: str, opened: bool, visible: str, reasoning: str) -> None:
    assert split_reasoning(text, opened=opened) == (visible, reasoning)


@given(text=st.text(max_size=30), stop=st.text(min_size=1, max_size=3))
def test_tail_grows_to_the_text_and_finds_the_first_stop(text: str, stop: str) -> None:
    from tests.models.conftest import load

    tokens = load("alpha").tokens
    ids = tokens.encode(text)
    whole = tokens.decode(ids)
    tail, cut = Tail(tokens, (), (stop,)), -1
    for i in ids:
        if (cut := tail.push(i)) >= 0:
            break
    if "\ufffd" not in whole:
        assert tail.text[:cut] == whole[: whole.find(stop)] if stop in whole else cut == -1 and tail.text == whole
