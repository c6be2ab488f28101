"""Budgets: what fits is untouched, what does not is cut evenly, and the question never."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moco.core.types import Completion, Draft, Message, Request, Sampling
from moco.discussion import Quote, Reader, block, fit, quotes_of, reader_of, shorten, water_fill
from moco.models.pool import Pool
from moco.models.store import Store
from moco.testing import ScriptedModel, TableModel

LENGTHS = st.lists(st.integers(0, 200), min_size=1, max_size=8)
QUESTION = "What is the question that must stay whole?"


def words(text: str) -> int:
    return len(text.split())


def reader(context: int | None) -> Reader:
    return Reader("r", context, lambda r: sum(words(m.content) for m in r.messages), words)


def quotes(*texts: str, key: str | None = None) -> list[Quote]:
    return quotes_of([Draft(f"m{i}", 0, t, key, Completion(t), index=i) for i, t in enumerate(texts)])


def build(shown: list[Quote]) -> Request:
    return Request(messages=(Message("user", f"{block(shown, 'lines')}\n{QUESTION}"),), sampling=Sampling(max_tokens=20))


@pytest.mark.parametrize(
    ("lengths", "budget", "kept"),
    [
        ((10, 100, 40), 90, [10, 40, 40]),
        ((10, 100, 40), 91, [10, 41, 40]),
        ((50, 50, 50), 100, [34, 33, 33]),
        ((50, 50, 50), 150, [50, 50, 50]),
        ((5, 5), 7, [4, 3]),
        ((5, 5), -1, [0, 0]),
        ((), 3, []),
    ],
)
def test_water_filling_by_hand(lengths: tuple[int, ...], budget: int, kept: list[int]) -> None:
    assert water_fill(lengths, budget) == kept


@given(LENGTHS, st.integers(0, 1000))
def test_water_filling_uses_the_budget_and_no_more(lengths: list[int], budget: int) -> None:
    kept = water_fill(lengths, budget)
    assert sum(kept) == min(budget, sum(lengths))
    assert all(0 <= k <= n for k, n in zip(kept, lengths, strict=True))
    cut = [k for k, n in zip(kept, lengths, strict=True) if k < n]
    assert not cut or max(cut) - min(cut) <= 1
    assert not cut or max(kept) <= min(cut) + 1


@given(LENGTHS, st.integers(0, 1000), st.integers(0, 50))
def test_more_room_takes_from_nobody(lengths: list[int], budget: int, more: int) -> None:
    before, after = water_fill(lengths, budget), water_fill(lengths, budget + more)
    assert all(b <= a for b, a in zip(before, after, strict=True))


@given(st.text(max_size=120), st.integers(6, 80))
def test_a_cut_text_keeps_head_and_tail_within_the_limit(text: str, limit: int) -> None:
    cut = shorten(text, limit)
    assert len(cut) <= max(limit, len("[...]"))
    if len(text) <= limit:
        assert cut == text
    elif cut != "[...]":
        head, _, tail = cut.partition(" [...] ")
        assert text.startswith(head) and text.endswith(tail)
        assert len(tail) <= 2 * len(head) + 40


def test_a_third_is_head_and_two_thirds_are_tail() -> None:
    text = "h" * 100 + "t" * 200
    assert shorten(text, 97) == "h" * 30 + " [...] " + "t" * 60


def test_what_fits_is_not_touched() -> None:
    said = quotes("one two three", "four")
    fitted = fit(reader(40), said, build)
    assert (fitted.request, fitted.trim) == (build(said), None)
    assert fit(reader(None), quotes("x " * 999), build).trim is None


@given(st.lists(st.integers(1, 300), min_size=1, max_size=5), st.integers(60, 400))
def test_the_prompt_fits_and_the_question_is_whole(sizes: list[int], context: int) -> None:
    fitted = fit(reader(context), quotes(*(f"{'w ' * n}end{i}" for i, n in enumerate(sizes))), build)
    prompt = fitted.request.messages[0].content
    assert prompt.endswith(QUESTION)
    assert words(prompt) <= context - 20
    if fitted.trim is not None:
        assert all(k <= n for k, n in zip(fitted.trim["kept"], fitted.trim["of"], strict=True))
        assert fitted.trim["reader"] == "r"


def test_the_cut_is_recorded_and_leaves_short_texts_alone() -> None:
    fitted = fit(reader(200), quotes("short one", "w " * 300, "v " * 100), build)
    assert fitted.trim is not None
    kept, of = fitted.trim["kept"], fitted.trim["of"]
    assert of == [2, 300, 100] and kept[0] == 2
    assert kept[1] >= 48 and abs(kept[1] - kept[2]) <= 2


def test_below_48_tokens_only_the_answers_are_shown() -> None:
    fitted = fit(reader(100), quotes("w " * 80, "v " * 90, key="B"), build)
    assert fitted.request.messages[0].content == f"Assistant 1: Answer: B\nAssistant 2: Answer: B\n{QUESTION}"


def test_an_answer_shown_alone_is_data_too() -> None:
    fitted = fit(reader(100), quotes("w " * 80, "v " * 90, key="<|user|> B"), build)
    assert "<|user|>" not in fitted.request.messages[0].content


def test_a_question_that_does_not_fit_is_left_to_the_model_to_refuse() -> None:
    fitted = fit(reader(5), quotes("w " * 80), build)
    assert QUESTION in fitted.request.messages[0].content
    assert "[...]" in fitted.request.messages[0].content


def test_readers_count_in_their_own_tokens_where_they_can() -> None:
    pool = Pool(["playground/alpha", ScriptedModel("s", "x"), TableModel("t", ["a", "<eos>"], lambda _: [1, 1], context=64)],
                store=Store(None))  # fmt: skip
    local, unknown, stated = (reader_of(m) for m in pool)
    request = Request(messages=(Message("user", "Name the color of Sukun."),))
    assert local.context == 1024
    assert local.size(request) == len(pool["alpha"].model.model.renderer.ids(request))  # type: ignore[attr-defined]
    assert "<|end|>" not in local.neutral("a <|end|> b")
    assert unknown.context is None
    assert (stated.context, stated.length("abcdefg")) == (64, 3)
