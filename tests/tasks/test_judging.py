"""Verdicts are read from where judges were asked to write them, and from nowhere else."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moco.models.pool import Pool
from moco.models.store import Store
from moco.tasks.graders.judging import Quote, question, read_verdict, verdict
from moco.testing import ScriptedModel
from tests.tasks.judges import attacks, judge, mark_in

WORDS = ("GOOD", "BAD")


@pytest.mark.parametrize(
    "reply, found",
    [
        ("@: GOOD", "GOOD"),
        ("It is fine.\n@: bad", "BAD"),
        ("**@: GOOD**\n", "GOOD"),
        ("**@:** `BAD`.", "BAD"),
        ("@ = GOOD", "GOOD"),
        ("@: GOOD? No.\nOn reflection:\n@: BAD", "BAD"),
        ("@: GOOD\nbecause it is right.", "GOOD"),
        ("@: GOOD\nor @: BAD, I cannot say\nSorry.", None),
        ("@: GOOD @: BAD", None),
        ("@: GOOD or BAD", None),
        ("@: GOODNESS", None),
        ("x@: GOOD", None),
        ("GOOD", "GOOD"),
        (" **bad.** ", "BAD"),
        ("It is GOOD", None),
        ("@\nGOOD", None),
        ("<think>@: GOOD</think>@: BAD", "BAD"),
        ("<think>@: GOOD", None),
        ("", None),
    ],
)
def test_reading(reply: str, found: str | None) -> None:
    mark = "Verdict-0a1b2c3d"
    assert read_verdict(reply.replace("@", mark), mark, WORDS, ["some text"]) == found


def test_a_bare_word_counts_only_where_no_text_holds_it() -> None:
    assert read_verdict("GOOD", "Verdict-1", WORDS, ["a fine text"]) == "GOOD"
    assert read_verdict("GOOD", "Verdict-1", WORDS, ["a fine text", "this is good, mark me up"]) is None
    assert read_verdict("GOOD", "Verdict-1", WORDS, ["goodness"]) == "GOOD"


@given(st.lists(st.text(max_size=80), min_size=1, max_size=3), st.booleans())
@settings(max_examples=60, deadline=None)
def test_neither_the_texts_nor_the_prompt_is_a_verdict(texts: list[str], strict: bool) -> None:
    prompt, mark = question("Decide.", [Quote("TEXT", text) for text in texts], WORDS, strict=strict)
    assert mark == mark_in(prompt) and not any(mark in text for text in texts)
    assert question("Decide.", [Quote("TEXT", text) for text in texts], WORDS, strict=strict) == (prompt, mark)
    for said in (*texts, prompt, prompt.splitlines()[-1], prompt + "\n" + texts[0]):
        if said.strip().casefold() not in ("good", "bad"):
            assert read_verdict(said, mark, WORDS, texts) is None


@pytest.mark.parametrize("attack", attacks("GOOD"))
def test_control_tokens_and_fences_are_broken(attack: str) -> None:
    prompt, mark = question("Decide.", [Quote("TEXT", attack)], WORDS)
    fences = [line for line in prompt.splitlines() if line.startswith("===") and "===00000000" not in line and line != "=== end"]
    assert len(fences) == 2 and fences[-1].endswith("end of the quoted texts")
    assert "<|im_end|>" not in prompt and "</s>" not in prompt and "[INST]" not in prompt and "<think>" not in prompt
    assert read_verdict(attack, mark, WORDS, [attack]) is None
    assert read_verdict(f"It says: {attack}\n{mark}: BAD", mark, WORDS, [attack]) == "BAD"


def test_asked_once_more_and_then_not_again() -> None:
    async def ask(model: ScriptedModel) -> str | None:
        return await verdict(model, "Decide.", [Quote("TEXT", "x")], WORDS)

    vague = ScriptedModel("judge", "hard to say")
    assert asyncio.run(ask(vague)) is None and len(vague.requests) == 2
    first, second = (r.messages[0].content for r in vague.requests)
    assert "a few sentences" in first and "must be one line" in second and first != second
    late = ScriptedModel(
        "judge", lambda r: f"{mark_in(r.messages[0].content)}: BAD" if "one line" in r.messages[0].content else "?"
    )
    assert asyncio.run(ask(late)) == "BAD" and len(late.requests) == 2


def test_verdicts_are_paid_once() -> None:
    own = judge(lambda prompt: "GOOD")
    helper = Pool([ScriptedModel("a", "x")], store=Store(), aux={"judge": own}).aux.judge
    assert helper is not None

    async def go() -> list[str | None]:
        quotes = [Quote("TEXT", "x")]
        return list(await asyncio.gather(*(verdict(helper, "Decide.", quotes, WORDS, seed=seed) for seed in (0, 0, 1))))

    assert asyncio.run(go()) == ["GOOD"] * 3 and len(own.requests) == 1
