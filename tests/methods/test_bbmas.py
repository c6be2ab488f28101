"""What a blackboard promises (arXiv 2507.01701), on scripted members: who acts when, what stays, how it ends."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest

from moco.core.errors import BackendError, ConfigError, Transient
from moco.core.types import Completion, Request
from moco.models.pool import Pool
from tests.methods.helpers import ask, pool_of, request, scripted

ROLE = re.compile(r"You are the ([\w ]+)\.")


def role_of(r: Request) -> str:
    """Who is asked, as the prompt says; what the control unit is asked before there is a board is `experts`."""
    found = ROLE.search(r.messages[-1].content)
    return found.group(1) if found else "experts"


def play(**said: str | list[str]) -> Callable[[Request], str]:
    """Says what its role says; a list is said line by line, the last one again and again. ``_`` is everybody else."""
    counts: dict[str, int] = {}

    def reply(r: Request) -> str:
        role = role_of(r).replace(" ", "_")
        lines = said.get(role, said.get("_", "nothing new"))
        if isinstance(lines, str):
            return lines
        counts[role] = counts.get(role, 0) + 1
        return lines[min(counts[role], len(lines)) - 1]

    return reply


def crowd(n: int = 3, **said: Any) -> Pool:
    return pool_of(*(play(**said) for _ in range(n)))


def stages(answer: Completion) -> list[str]:
    return [c.tag.stage for c in answer.calls]


EXPERTS = "Chemist: metals\nCook: soups"


def test_a_whole_exchange_by_hand() -> None:
    pool = crowd(
        experts=EXPERTS,
        control_unit=["Choice: Chemist, planner", "Choice: decider"],
        Chemist="Tin melts early.",
        planner="First look, then decide.",
        decider="Answer: B",
    )
    answer = ask("bbmas", pool, experts=2)
    assert stages(answer) == ["experts", "control", "act", "act", "control", "act"]
    assert (answer.text, answer.reason["rule"], answer.reason["round"]) == ("Answer: B", "decider", 2)
    assert answer.reason["acted"] == [["Chemist", "planner"], ["decider"]]
    assert [(e["id"], e["role"], e["round"]) for e in answer.reason["board"]] == [(1, "expert", 1), (2, "planner", 1)]
    decided = answer.calls[-1]
    assert "[1] expert, round 1: Tin melts early.\n[2] planner, round 1: First look, then decide." in decided.prompt
    assert set(decided.tag.sees) == {c.id for c in answer.calls if c.tag.stage == "act" and c.tag.round == 1}


def test_all_of_a_round_act_on_the_same_board() -> None:
    pool = crowd(experts=EXPERTS, control_unit="Choice: Chemist, Cook", Chemist="one", Cook="two", decider="CONTINUE")
    answer = ask("bbmas", pool, experts=2, rounds=1)
    acts = [c for c in answer.calls if c.tag.stage == "act"]
    assert len(acts) == 2 and all("(empty)" in c.prompt for c in acts)


def test_in_sequence_each_reads_what_those_before_it_wrote() -> None:
    pool = crowd(experts=EXPERTS, control_unit="Choice: decider, Cook, Chemist", Chemist="tin", Cook="iron", decider="Answer: A")
    answer = ask("bbmas", pool, experts=2, order="sequence")
    acts = [c for c in answer.calls if c.tag.stage == "act"]
    assert [c.tag.agent for c in acts] == ["Chemist", "Cook", "decider"] and answer.reason["round"] == 1
    assert [len(c.tag.sees) for c in acts] == [0, 1, 2]


@pytest.mark.parametrize("members", [1, 3, 8])
def test_undecided_it_is_the_vote_of_all_agents_and_the_calls_are_counted(members: int) -> None:
    pool = crowd(members, experts=EXPERTS, control_unit="Choice: Cook", Cook="hm", _="Answer: C", Chemist="Answer: B")
    answer = ask("bbmas", pool, experts=2, rounds=3)
    agents, rounds = 7, 3
    assert answer.usage.calls == 1 + rounds * (1 + 1) + agents
    assert (answer.key, answer.reason["rule"]) == ("C", "poll")
    assert answer.text in {c.text for c in answer.calls}


@pytest.mark.parametrize(("answers", "wins"), [("AAB", "A"), ("BA", "B"), ("-BA", "B"), ("-AB-B", "B"), ("BA-", "B")])
def test_the_last_vote_goes_to_the_most_frequent_answer_then_to_the_earliest_agent(answers: str, wins: str) -> None:
    def member(letter: str) -> Callable[[Request], str]:
        def reply(r: Request) -> str:
            text = r.messages[-1].content
            return f"Answer: {letter}" if letter != "-" and "final answer" in text else "hm\nhm"

        return reply

    pool = pool_of(*(member(letter) for letter in answers))
    answer = ask("bbmas", pool, control="self", rounds=1, repairs=0)
    assert (answer.key, answer.reason["rule"]) == (wins, "poll")


def test_every_member_plays_a_part() -> None:
    answer = ask("bbmas", crowd(8, experts=EXPERTS, control_unit="Choice: Cook", _="Answer: C"), experts=3, rounds=1)
    assert set(answer.reason["agents"].values()) == set("abcdefgh")


def test_what_cannot_be_read_is_asked_for_again_then_experts_and_decider_act() -> None:
    pool = crowd(experts=EXPERTS, control_unit="I do not know.\nReally.", decider="Answer: A")
    answer = ask("bbmas", pool, experts=2)
    assert stages(answer) == ["experts", "control", "control", "act", "act", "act"]
    assert answer.reason["acted"] == [["Chemist", "Cook", "decider"]]
    assert "could not be read" in answer.calls[2].prompt
    assert stages(ask("bbmas", crowd(control_unit="?\n!", decider="A"), repairs=0)).count("control") == 1


def test_without_readable_experts_there_are_plain_ones() -> None:
    answer = ask("bbmas", crowd(experts="no idea", control_unit="Choice: decider", decider="Answer: A"), experts=2)
    assert list(answer.reason["agents"])[:2] == ["expert 1", "expert 2"]


def test_a_decider_that_goes_on_or_says_nothing_readable_decides_nothing() -> None:
    said = ["CONTINUE", "hm", "Answer: D"]
    answer = ask("bbmas", crowd(1, control_unit="Choice: decider", decider=said), experts=0)
    assert (answer.key, answer.reason["round"]) == ("D", 3)


def test_the_cleaner_takes_entries_out_of_the_public_view_only() -> None:
    pool = crowd(
        1, experts=EXPERTS, control_unit=["Choice: Chemist, Cook", "Choice: cleaner", "Choice: decider"], Chemist="wrong",
        Cook="right", cleaner="Choice: 1", decider="Answer: A",
    )  # fmt: skip
    answer = ask("bbmas", pool, experts=2)
    assert "wrong" not in answer.calls[-1].prompt and "[2] expert, round 1: right" in answer.calls[-1].prompt
    assert [e["hidden"] for e in answer.reason["board"]] == ["cleaner", ""]


def test_contradicting_authors_write_theirs_again_once() -> None:
    turns = ["Choice: Chemist, Cook", "Choice: resolver", "Choice: resolver", "Choice: decider"]

    said = {"resolver": "Choice: 1-2", "decider": "Answer: A", "Chemist": "tin", "Cook": "iron"}
    others = play(experts=EXPERTS, control_unit=turns, **said)

    def reply(r: Request) -> str:
        return "lead, both of us" if "contradict each other. Write yours" in r.messages[-1].content else others(r)

    answer = ask("bbmas", pool_of(reply), experts=2)
    assert stages(answer).count("settle") == 2, "one exchange per pair"
    assert "lead, both of us" in answer.calls[-1].prompt and "tin" not in answer.calls[-1].prompt
    assert [e["channel"] for e in answer.reason["board"]] == ["public", "public", "before 1", "before 2"]


def test_free_text_is_what_the_decider_writes_or_the_most_alike() -> None:
    free = request("Tell a story", spec=None)
    assert ask("bbmas", crowd(control_unit="Choice: decider", decider="Once upon a time."), free).text == "Once upon a time."
    undecided = ask("bbmas", crowd(control_unit="Choice: critic", _="A tale of a cat."), free, rounds=1)
    assert undecided.text == "A tale of a cat."


@pytest.mark.parametrize("question", ["What is {x} in {{y}}?", "FINAL: what is FINAL:?", "word " * 5000])
def test_odd_questions_are_shown_as_they_are(question: str) -> None:
    pool = crowd(1, control_unit="Choice: decider", decider="Answer: A")
    ask("bbmas", pool, request(question, spec=None), experts=0)
    assert all(question.strip() in r.messages[-1].content for r in scripted(pool, "a").requests)


# agents that control themselves


def selves(*actions: list[int], votes: str = "Choice: 1") -> Pool:
    """Agents that choose the given actions, one after the other, and answer A, B, C, ..."""

    def member(i: int, todo: list[int]) -> Callable[[Request], str]:
        left = iter([*todo, *[5] * 99])

        def reply(r: Request) -> str:
            text = r.messages[-1].content
            if "What will you do next?" in text:
                return f"Choice: {next(left)}"
            if "Which one is right?" in text:
                return votes
            return f"I am sure. Answer: {'ABC'[i]}" if "final answer" in text else "A step."

        return reply

    return pool_of(*(member(i, todo) for i, todo in enumerate(actions)))


def test_agents_choose_then_act_until_one_finalises() -> None:
    answer = ask("bbmas", selves([1, 5], [1, 5]), control="self")
    assert stages(answer) == ["choose", "choose", "act", "act"] * 2 + ["vote", "vote"]
    assert answer.reason["actions"][0] == [1, "agent 1", "propose a plan"]
    assert (answer.key, answer.reason["votes_for"]) == ("A", [2, 0])


def test_the_vote_is_of_all_agents_and_ties_go_to_the_answer_given_more_often() -> None:
    other = ask("bbmas", selves([5], [5], votes="Choice: 2"), control="self")
    assert (other.key, other.reason["votes_for"]) == ("B", [0, 2])
    unreadable = ask("bbmas", selves([5], [5], votes="maybe"), control="self", repairs=0)
    assert (unreadable.key, unreadable.reason["given"]) == ("A", [1, 1])


def test_nobody_finalises_so_everybody_is_asked_at_the_end() -> None:
    answer = ask("bbmas", selves([1] * 9, [2] * 9), control="self", rounds=2)
    assert (answer.reason["rule"], answer.usage.calls) == ("poll", 2 * 2 * 2 + 2)
    assert answer.text in {c.text for c in answer.calls}


def test_an_unreadable_action_is_a_step_of_work() -> None:
    answer = ask("bbmas", pool_of("hm\nhm"), request("Tell a story", spec=None), control="self", rounds=1, acting=1)
    assert answer.reason["actions"] == [[1, "agent 1", "work out a step"]]
    assert stages(answer) == ["choose", "choose", "act", "answer"]


def test_agents_idle_for_too_long_must_act() -> None:
    answer = ask("bbmas", selves(*[[2] * 9] * 3), control="self", acting=1, rounds=6, idle=2)
    acted = [who for _, who, _ in answer.reason["actions"]]
    assert set(acted) == {"agent 1", "agent 2", "agent 3"}


def test_several_finals_are_needed_where_asked() -> None:
    one = ask("bbmas", selves([5], [2, 5]), control="self", min_to_stop=2)
    assert len({n for n, *_ in one.reason["actions"]}) == 2 and len(one.reason["given"]) == 2


# together, alone, failing


def test_the_same_alone_or_together() -> None:
    from moco.collab import Fitted, load_method

    def model() -> Any:
        pool = crowd(experts=EXPERTS, control_unit="Choice: Chemist, decider", decider="Answer: A")
        return Fitted(load_method("bbmas"), pool).as_model()

    asked = [request(f"Which of {i}?") for i in range(8)]

    async def together() -> list[Completion]:
        team = model()
        return await asyncio.gather(*(team.generate(r) for r in asked))

    assert asyncio.run(together()) == [asyncio.run(model().generate(r)) for r in asked]


def test_a_failure_fails_the_question_or_a_message_is_missing() -> None:
    def scripted_once() -> Pool:
        said = play(experts=EXPERTS, control_unit=["Choice: Chemist", "Choice: decider"], decider="Answer: A")

        def reply(r: Request) -> str:
            if role_of(r) == "Chemist":
                raise Transient("out of order")
            return said(r)

        return pool_of(reply)

    with pytest.raises(BackendError, match="out of order"):
        ask("bbmas", scripted_once(), experts=2)
    answer = ask("bbmas", scripted_once(), experts=2, on_failure="drop")
    assert answer.key == "A" and len(answer.reason["lost"]) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rounds": 0}, "bbmas.rounds"),
        ({"frame": "{duty}"}, "bbmas.frame"),
        ({"duties": {"jester": "x"}}, "no role 'jester'"),
        ({"controller": "zed"}, "no member 'zed'"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ask("bbmas", pool_of("Answer: A"), **options)


def test_a_prompt_that_comes_again_is_a_sample_of_its_own() -> None:
    pool = pool_of(lambda r: "Answer: B" if r.draw else "CONTINUE")
    answer = ask("bbmas", pool, experts=0, duties={"control": "{options} {mark}"}, repairs=0)
    assert (answer.key, answer.reason["rule"]) == ("B", "decider")


def test_experts_that_were_not_named_get_names_of_their_own() -> None:
    answer = ask("bbmas", crowd(experts="Expert 1: metals", decider="Answer: B", control_unit="Choice: decider"), experts=3)
    assert [n for n in answer.reason["agents"] if "xpert" in n] == ["Expert 1", "expert 2", "expert 3"]
    answer = ask("bbmas", crowd(experts="expert 2: soups", decider="Answer: B", control_unit="Choice: decider"), experts=2)
    assert [n for n in answer.reason["agents"] if "xpert" in n] == ["expert 2", "expert 1"]


def test_the_last_question_is_asked_in_the_round_after_the_last() -> None:
    answer = ask("bbmas", crowd(_="Choice: 1"), control="self", rounds=2)
    assert {c.tag.round for c in answer.calls if c.tag.stage == "answer"} == {3}
    answer = ask("bbmas", crowd(_="Choice: 1"), control="self")
    assert {c.tag.round for c in answer.calls if c.tag.stage == "answer"} == {11}
