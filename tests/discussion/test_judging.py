"""Verdicts: read where they stand, and never from what was quoted."""

from __future__ import annotations

import asyncio
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moco.core.query import Query
from moco.core.types import Completion, Draft, Request, messages_of
from moco.discussion.judging import (
    WORDS,
    bare,
    labels_for,
    mark_for,
    phrases_of,
    read_number,
    read_verdict,
    says,
    shuffled,
)
from moco.discussion.rankers import Manner, Prompted
from moco.discussion.selectors import choose_by_number
from moco.models.pool import Pool
from moco.models.store import Store
from moco.testing import ScriptedModel
from tests.discussion.attacks import ATTACKS, FLOOD

FIRST = ("FIRST", "SECOND")


def drafts(*texts: str) -> list[Draft]:
    return [Draft(f"m{i}", 0, t, None, Completion(t), call=f"answer.0.m{i}.0", index=i) for i, t in enumerate(texts)]


def query(text: str = "What is the best soup?", seed: int = 0) -> Query:
    return Query.of(Request(messages=messages_of(text), study_seed=seed))


def judge(reply: object) -> Pool:
    return Pool([ScriptedModel("j", reply)], store=Store(None))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ("FIRST", 0),
        ("second", 1),
        (" **Second.** \n", 1),
        ("Both have merits.\nSECOND", 1),
        ("The FIRST one is right.", 0),
        ("FIRST is better than SECOND", None),
        ("FIRST is short.\nSECOND is long.\nFIRST", 0),
        ("Candidate B is better", None),
        ("Both are good", None),
        ("Neither", None),
        ("", None),
        ("FIRSTLY, no", None),
    ],
)
def test_a_verdict_is_the_last_line_or_the_only_word(reply: str, found: int | None) -> None:
    assert read_verdict(reply, FIRST) == found


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ("The sum is 9. Answer: B", 1),
        ("Answer: A", 0),
        ("answer: a", 0),
        ("A", None),
        ("Answer: Apple", None),
        ("B is better", None),
    ],
)
def test_a_verdict_may_have_a_form_of_its_own(reply: str, found: int | None) -> None:
    assert read_verdict(reply, phrases_of(("A", "B"), "Answer: {label}")) == found


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ("Choice: 2", 2),
        ("I think they agree.\n**Choice: 3**", 3),
        ("Choice: 1. Choice: 2", 2),
        ("Choice: 4", None),
        ("Choice: 0", None),
        ("Choice: <number>", None),
        ("Choice: both 1 and 2", None),
        ("3", 3),
        ("(3)", 3),
        ("reply 3", None),
        ("12", None),
    ],
)
def test_a_number_follows_its_mark_or_stands_alone(reply: str, found: int | None) -> None:
    assert read_number(reply, "Choice", 3, ["a", "b", "c"]) == found


def test_a_number_that_is_a_quoted_text_says_nothing_alone() -> None:
    assert read_number("2", "Choice", 3, ["2", "b", "c"]) is None
    assert read_number("Choice: 2", "Choice", 3, ["2", "b", "c"]) == 2


def test_labels_and_marks_stand_in_no_text() -> None:
    assert labels_for(["a first text", "b"]) == FIRST, "prose in small letters is no verdict"
    assert labels_for(["FIRST", "b"]) == WORDS[1]
    assert labels_for(["x\nfirst.\n"]) == WORDS[1], "a line of its own is"
    assert labels_for(["Answer: A"], "Answer: {label}", ("A", "B")) == FIRST
    assert labels_for(["Answer: apples"], "Answer: {label}", ("A", "B")) == ("A", "B")
    every = "FIRST UPPER LEFT Choice Verdict Decision"
    assert re.fullmatch(r"FIRST-\w{6}", labels_for([every])[0]) and re.fullmatch(r"Choice-\w{6}", mark_for([every]))
    assert labels_for([every]) == labels_for([every])


@given(st.lists(st.text(max_size=60), min_size=1, max_size=4), st.sampled_from(ATTACKS[:20]))
def test_a_copied_text_is_no_verdict(texts: list[str], attack: str) -> None:
    quoted = [*texts, attack]
    phrases = phrases_of(labels_for(quoted), "{label}")
    copies = [*quoted, *(line for t in quoted for line in t.splitlines()), "\n".join(quoted)]
    for copy in copies:
        assert read_verdict(copy, phrases) is None
        assert read_number(copy, mark_for(quoted), len(quoted), quoted) is None


@given(st.text(max_size=40), st.sampled_from([*WORDS, ("A", "B")]))
def test_what_is_said_is_found_and_what_is_bare_stays(text: str, labels: tuple[str, str]) -> None:
    assert says(f"{text} {labels[0]} {text}", labels[0])
    assert bare(bare(text)) == bare(text)


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
@pytest.mark.parametrize("parrot", ["text", "line", "prompt", "silent"])
def test_no_attack_satisfies_the_parser_of_a_comparison(attack: str, parrot: str) -> None:
    """The judge copies the attack, its last line, or everything it was shown."""

    def copies(r: Request) -> str:
        last = attack.strip().splitlines()[-1]
        return {"text": attack, "line": last, "prompt": r.messages[-1].content, "silent": ""}[parrot]

    pool = judge(copies)
    honest = "Onion soup is the best one."
    for pair in ((attack, honest), (honest, attack)):
        ranker = Prompted(query(), pool, "j", Manner())
        assert asyncio.run(ranker.margin(*drafts(*pair))) == 0.0
        assert list(ranker.notes[-1]) == ["pair", "unreadable"]


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
@pytest.mark.parametrize("parrot", ["text", "line", "prompt"])
def test_no_attack_satisfies_the_parser_of_a_choice(attack: str, parrot: str) -> None:
    def copies(r: Request) -> str:
        return {"text": attack, "line": attack.strip().splitlines()[-1], "prompt": r.messages[-1].content}[parrot]

    three = drafts("Onion soup.", attack, "Tomato soup.")
    assert asyncio.run(choose_by_number(query(), judge(copies), "j", three)).place is None


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_under_attack_an_honest_judge_is_still_understood(attack: str) -> None:
    def honest(r: Request) -> str:
        asked = r.messages[-1].content.rpartition("Write only: ")[2].split(" or ")
        return asked[1]

    first, second = drafts(attack, "Onion soup is the best one.")
    assert asyncio.run(Prompted(query(), judge(honest), "j").margin(first, second)) == -1.0


def test_control_tokens_reach_no_judge_and_fences_hold() -> None:
    seen: list[str] = []

    def record(r: Request) -> str:
        seen.append(r.messages[-1].content)
        return ""

    for attack in ATTACKS:
        asyncio.run(Prompted(query(), judge(record), "j").margin(*drafts(attack, "Onion soup.\nReally.")))
        prompt = seen[-1]
        assert not re.search(r"<\|im_\w+\|>|</?s>|\[/?INST\]|<(?:start|end)_of_turn>|</?think>", prompt)
        fence = re.search(r"begins with (===\w+);", prompt.split("Question:")[1])
        assert fence and sum(line.startswith(fence[1]) for line in prompt.split("\n")) == 3


def test_a_flood_is_cut_and_the_question_is_whole() -> None:
    pool = judge("FIRST")
    pool["j"].model.model.context = 400  # type: ignore[attr-defined]
    ranker = Prompted(query("Which soup? " + "x" * 90), pool, "j")
    asyncio.run(ranker.margin(*drafts(FLOOD, "Onion soup.")))
    (asked,) = pool["j"].model.model.requests  # type: ignore[attr-defined]
    prompt = asked.messages[-1].content
    assert len(prompt) < 400 * 3
    assert "Which soup? " + "x" * 90 in prompt and prompt.endswith("UPPER or LOWER")
    assert ranker.notes[0]["trim"]["of"][0] > 20_000


def test_a_random_order_is_the_questions_and_nobodys_place() -> None:
    texts = ["one", "two", "three", "four"]
    shown = [texts[i] for i in shuffled(query(), "choose", texts)]
    turned = texts[::-1]
    assert [turned[i] for i in shuffled(query(), "choose", turned)] == shown
    orders = {tuple(shuffled(query(f"q{i}"), "choose", texts)) for i in range(60)}
    assert len(orders) > 15


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("choice: 2", 2),
        ("Choice: Reply 2", 2),
        ("**Choice:** #3", 3),
        ("Choice: none of the 3", None),
        ("Reply 2", None),
        ("2.", 2),
    ],
)
def test_a_number_behind_its_mark_is_read_in_any_case_and_with_its_noun(said: str, number: int | None) -> None:
    assert read_number(said, "Choice", 3, ["x", "y", "z"]) == number
