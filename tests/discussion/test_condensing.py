"""Quotes that no cut makes fit: read in groups, condensed by their reader, then read; the question is whole in every prompt."""

from __future__ import annotations

import re
from typing import Any

import pytest

from moco.core.errors import Transient
from moco.core.types import AnswerSpec, Call, Completion, Request
from moco.discussion.condensing import WORST
from moco.models.pool import Pool
from tests.methods.helpers import ask, pool_of, request

FREE = AnswerSpec(kind="generation", question="Which?")
WINDOW, ROOM = 400, 60
MARK = re.compile(r"<<\w>>")


def speaker(name: str, length: int = 60) -> Any:
    """Writes one long sentence that begins and ends with its mark; says what it read when it condenses."""

    def reply(r: Request) -> str:
        prompt = r.messages[-1].content
        if "in a few short sentences" in prompt:
            return "They say " + "".join(dict.fromkeys(MARK.findall(prompt)))
        return f"<<{name}>> {'because ' * length}<<{name}>>"

    return reply


def crowd(n: int, length: int = 60, window: int = WINDOW) -> Pool:
    pool = pool_of(*(speaker(chr(97 + i), length) for i in range(n)))
    for member in pool:
        member.model.model.context = window  # type: ignore[attr-defined]
    return pool


def stage(answer: Completion, name: str) -> list[Call]:
    return [c for c in answer.calls if c.tag.stage == name]


def asked() -> Request:
    return request(spec=FREE, sampling=request().sampling.but(max_tokens=ROOM))


CASES: list[tuple[str, dict[str, Any], str]] = [
    ("multiagent_refine", {"rounds": 1}, "summarize"),
    ("multiagent_refine", {"history": "last", "aggregate": "agent"}, "revise"),
    ("structured_interaction", {"topology": "complete", "rounds": 2, "format": "relcom", "aggregate": "agent"}, "revise"),
    ("multiagent_feedback", {"feedback_count": 9, "aggregate": "agent", "review": "Which? {answer}"}, "revise"),
    ("mixture_of_agents", {"layers": 1}, "aggregate"),
    ("llm_blender", {"top_k": 9}, "fuse"),
]


@pytest.mark.parametrize(("method", "options", "last"), CASES, ids=[f"{m}-{s}" for m, _, s in CASES])
def test_a_crowd_is_condensed_in_groups_and_nobody_is_left_out(method: str, options: dict[str, Any], last: str) -> None:
    window = WINDOW if options.get("format") != "relcom" else WINDOW + 200  # its own words are longer
    answer = ask(method, crowd(9, window=window), asked(), **options)
    digests = {c.id: c for c in stage(answer, "condense")}
    quoting = stage(answer, last)
    assert digests and quoting
    for call in quoting:
        own = [digests[i] for i in call.tag.sees if i in digests]
        assert len(own) > 1 and {c.member for c in own} == {call.member}, "the reader itself condenses"
        assert all(c.text in call.prompt for c in own)
        read = set().union(*(MARK.findall(c.text) for c in own))
        assert len(read) >= 8, "every other member's text was read by somebody"
    for call in [*digests.values(), *quoting]:
        assert "Which?" in call.prompt and -(-len(call.prompt) // 3) + 4 <= window - ROOM
    assert any("condensed" in str(v) for v in (answer.reason.get("trims"), answer.reason.get("trim")))


def test_what_can_be_read_by_its_answers_is_not_condensed() -> None:
    for pool in (crowd(9, 4), crowd(2)):
        assert not stage(ask("multiagent_refine", pool, asked(), rounds=1), "condense")


def test_votable_answers_are_shown_alone_and_not_condensed() -> None:
    pool = pool_of(*["word " * 300 + "Answer: A"] * 8)
    for member in pool:
        member.model.model.context = WINDOW  # type: ignore[attr-defined]
    answer = ask("multiagent_refine", pool, request(sampling=asked().sampling), history="last")
    assert not stage(answer, "condense") and "Answer: A" in stage(answer, "revise")[0].prompt


def test_where_condensing_would_leave_too_little_the_texts_are_cut() -> None:
    pool = crowd(40, 200)
    answer = ask("multiagent_refine", pool, asked(), rounds=1)
    (summary,) = stage(answer, "summarize")
    assert not stage(answer, "condense") and summary.prompt.count("[...]") == 40
    assert WORST * 40 > WINDOW


def test_a_reader_that_cannot_condense_has_failed() -> None:
    def broken(r: Request) -> str:
        if "in a few short sentences" in r.messages[-1].content:
            raise Transient("out of order")
        return speaker("x")(r)

    pool = pool_of(broken, *(speaker(chr(98 + i)) for i in range(8)))
    for member in pool:
        member.model.model.context = WINDOW  # type: ignore[attr-defined]
    with pytest.raises(Transient, match="out of order"):
        ask("multiagent_refine", pool, asked(), rounds=1)
    kept = ask("multiagent_refine", pool, asked(), rounds=1, on_failure="drop")
    assert kept.source == "a" and kept.reason["failed"] == "a (summarize)"
