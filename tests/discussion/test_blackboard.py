"""The blackboard: entries keep their ids, the public view changes, and no reply steers by what is quoted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from moco.core.errors import ConfigError
from moco.core.query import Query
from moco.core.types import Completion, Draft
from moco.discussion.blackboard import Board, read_experts, read_names, read_numbers, read_pairs, steering
from moco.discussion.budget import Reader, reader_of
from moco.discussion.minutes import Minutes
from moco.discussion.roles import FRAME, Agent, cast, duties
from moco.discussion.table import Table
from moco.models.member import Member
from tests.methods.helpers import pool_of, request

NAMES = ["chemist", "planner", "decider"]


def draft(text: str) -> Draft:
    return Draft("m", 0, text, None, Completion(text), call="c")


def board(*said: tuple[str, str, str]) -> Board:
    made = Board()
    for author, role, text in said:
        made.post(author, role, 1, draft(text))
    return made


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        ("Choice: planner, decider", ["planner", "decider"]),
        ('Let me think.\nChoice: ["decider"]', ["decider"]),
        ('["planner", "nobody"]', ["planner"]),
        ('```json\n{"agents": ["chemist"]}\n```', ["chemist"]),
        ("planner", ["planner"]),
        ("Choice: nobody", []),
        ("I would let the planner go on.\nBut who knows.", None),
        ("", None),
    ],
)
def test_names_are_read_from_json_or_behind_the_mark(reply: str, read: list[str] | None) -> None:
    said = steering(reply, "Choice", ["the question"])
    assert (None if said is None else read_names(said, NAMES)) == read


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        ('{"action": 3, "why": "2 is done"}', [3]),
        ("```json\n[1, 5]\n```", [1, 5]),
        ("I think 4 is too early. Choice: 2", [2]),
        ("3.", [3]),
        ("Choice: 9", []),
        ("none", []),
        ("take action 3 now\nreally", None),
    ],
)
def test_numbers_are_read_from_json_or_behind_the_mark(reply: str, read: list[int] | None) -> None:
    said = steering(reply, "Choice", ["the question"])
    assert (None if said is None else read_numbers(said, range(1, 6))) == read


def test_pairs_are_two_by_two() -> None:
    assert read_pairs("1-2, 3 and 4", [1, 2, 3, 4]) == [(1, 2), (3, 4)]
    assert read_pairs("[[1, 3], [2, 2]]", [1, 2, 3]) == [(1, 3)]
    assert read_pairs("none", [1, 2]) == []


@pytest.mark.parametrize("quote", ["Choice: decider", '["decider"]', "decider", '{"action": 5}', "5"])
def test_a_copied_quote_steers_nothing(quote: str) -> None:
    from moco.discussion.judging import mark_for

    texts = ["the question", f"Listen to me.\n{quote}"]
    said = steering(quote, mark_for(texts), texts)
    assert said is None or not (read_names(said, NAMES) or read_numbers(said, range(1, 6)))


def test_experts_from_json_or_lines() -> None:
    assert read_experts('[{"name": "Chemist", "expertise": "metals"}, {"name": "Cook"}]', 3) == [
        ("Chemist", "metals"),
        ("Cook", ""),
    ]
    assert read_experts("1. Chemist: metals and salts\n- Cook: soups\nthat is all", 2) == [
        ("Chemist", "metals and salts"),
        ("Cook", "soups"),
    ]
    assert read_experts("I cannot do that", 2) == [] == read_experts("", 2)
    assert len(read_experts("A b: c\nA B: d\nE f: g", 3)) == 2, "names differ"


def test_hidden_entries_stay_on_record_under_their_ids() -> None:
    made = board(("a", "expert", "one"), ("b", "critic", "two"), ("a", "expert", "three"))
    made.hide([1, 7], "cleaner")
    assert [e.id for e in made.public] == [2, 3] and [e.text for e in made.entries] == ["one", "two", "three"]
    assert made.record[0]["hidden"] == "cleaner"
    assert [q.label for q in made.quotes()] == ["[2] critic, round 1", "[3] expert, round 1"]


def test_a_board_is_never_cleaned_empty() -> None:
    made = board(("a", "expert", "one"), ("p", "planner", "plan"), ("a", "expert", "two"))
    made.hide([1, 2, 3], "cleaner")
    assert [e.text for e in made.public] == ["plan", "two"]


def test_a_rewritten_entry_keeps_its_id_and_its_old_text_on_record() -> None:
    made = board(("a", "expert", "one"), ("b", "expert", "two"))
    made.rewrite(1, draft("better"))
    made.rewrite(2, draft("  "))
    assert [(e.id, e.text) for e in made.public] == [(1, "better"), (2, "two")]
    assert [(e.id, e.text, e.channel) for e in made.entries][2] == (3, "one", "before 1")


def test_messages_without_words_are_not_posted() -> None:
    assert Board().post("a", "expert", 1, draft(" \n")) is None


def test_every_member_plays_somebody() -> None:
    named = [(f"e{i}", "expert", "") for i in range(7)]
    agents = cast(named, ["x", "y", "z"], np.random.default_rng(1), "cycle")
    assert {a.member for a in agents} == {"x", "y", "z"}
    assert cast(named, ["x", "y"], np.random.default_rng(1), "random") == cast(
        named, ["x", "y"], np.random.default_rng(1), "random"
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"jester": "x"}, "no role"), ({"control": "no place"}, "no place for"), ({"expert": "{jest}"}, "nothing fills")],
)
def test_wrong_words_are_named(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        duties(changed)


def test_what_members_wrote_into_roles_and_options_is_made_safe_for_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    def reading(member: Member) -> Reader:
        return replace(reader_of(member), neutral=lambda t: t.replace("@@", "@ @"))

    monkeypatch.setattr("moco.discussion.table.reader_of", reading)
    table = Table(Query.of(request()), Minutes(pool_of("x")), FRAME, duties({}))
    agent = Agent("cook@@", "expert", "a", "soups@@")
    asked = [table.turn(agent, "expert"), table.turn(agent, "vote", {"options": "1. @@"})]
    assert not any("@@" in t.request.messages[-1].content for t in asked)
