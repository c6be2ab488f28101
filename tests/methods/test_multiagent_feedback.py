"""What mutual feedback promises, on scripted members: who reviews whom, who revises, when it ends, who abstains."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moco.core.errors import BackendError, ConfigError, Transient
from moco.core.types import AnswerSpec, Call, Completion, Request
from moco.models.pool import Pool
from moco.models.store import Store
from moco.testing import ScriptedModel
from tests.methods.helpers import ask, fitted, pool_of, request, scripted, task_of

MARK = re.compile(r"<<(\w)(\w)(\d)>>")
REVIEWED, REVISED = "Read a colleague's answer", "was reviewed"


def stage_of(r: Request) -> str:
    text = r.messages[-1].content
    return "f" if REVIEWED in text else "x"


def member(name: str, verdict: str = "REVISE") -> Callable[[Request], str]:
    """Answers <<xNAMEn>> and reviews <<fNAMEn>>, counting either."""
    counts: Counter[str] = Counter()

    def reply(r: Request) -> str:
        stage = stage_of(r)
        counts[stage] += 1
        mark = f"<<{stage}{name}{counts[stage] - 1}>>"
        return f"{verdict}\n{mark}" if stage == "f" else f"{mark} Answer: A"

    return reply


def crowd(n: int, verdict: str = "REVISE") -> Pool:
    return pool_of(*(member(chr(97 + i), verdict) for i in range(n)))


def stage(answer: Completion, name: str) -> list[Call]:
    return [c for c in answer.calls if c.tag.stage == name]


def test_a_review_sees_one_answer_and_a_revision_its_own_and_its_reviews() -> None:
    answer = ask("multiagent_feedback", crowd(4))
    reviews, revisions = stage(answer, "review"), stage(answer, "revise")
    assert (len(reviews), len(revisions), answer.usage.calls) == (8, 4, 16)
    by = Counter(c.member for c in reviews)
    assert set(by.values()) == {2}, "everybody writes two"
    for review in reviews:
        ((kind, author, number),) = MARK.findall(review.prompt)
        assert (kind, number) == ("x", "0") and author != review.member
        assert review.tag.sees == (f"answer.0.{author}.0",)
    for revision in revisions:
        marks = MARK.findall(revision.prompt)
        assert [m for m in marks if m[0] == "x"] == [("x", revision.member, "0")]
        who = [m[1] for m in marks if m[0] == "f"]
        assert len(who) == 2 and who == sorted(who) and revision.member not in who
        assert revision.prompt.endswith("Which?")


def test_one_round_is_the_vote_and_the_debate_of_one_round() -> None:
    said = ("Answer: A", "Answer: B", "So. Answer: B")
    found = [ask(m, pool_of(*said), **o) for m, o in (("majority_vote", {}), ("multiagent_refine", {"rounds": 1}))]
    mine = ask("multiagent_feedback", pool_of(*said), rounds=1)
    assert {(a.text, a.confidence, a.usage) for a in [*found, mine]} == {(mine.text, mine.confidence, mine.usage)}


def test_where_all_reviews_approve_nothing_is_revised() -> None:
    answer = ask("multiagent_feedback", crowd(4, "OK"), rounds=4)
    assert (len(stage(answer, "review")), len(stage(answer, "revise"))) == (8, 0)
    assert answer.reason["stopped"] == "reviews"
    assert answer.text == ask("majority_vote", crowd(4)).text
    asked = ask("multiagent_feedback", crowd(4, "OK"), stop_if_ok=False)
    assert len(stage(asked, "revise")) == 4


def test_a_half_approved_author_revises_and_an_approved_one_is_done() -> None:
    def reply(verdict: str) -> Callable[[Request], str]:
        return lambda r: f"{verdict}\nI see." if REVIEWED in r.messages[-1].content else "Answer: A"

    answer = ask("multiagent_feedback", pool_of(reply("OK"), reply("OK"), reply("REVISE")), feedback_count=1, rounds=3)
    first = list(answer.reason["reviews"][0])
    (unhappy,) = [author for _, author, ok in first if not ok]
    assert [c.member for c in stage(answer, "revise") if c.tag.round == 1] == [unhappy]
    assert {author for _, author, _ in answer.reason["reviews"][1]} == {unhappy}, "the others are reviewed no more"


def test_more_reviewers_than_there_are_is_all_of_them() -> None:
    three, nine = (ask("multiagent_feedback", crowd(4), feedback_count=f) for f in (3, 9))
    assert [c.prompt for c in three.calls] == [c.prompt for c in nine.calls]
    assert len(stage(three, "review")) == 12


def test_turning_the_pool_turns_the_transcript() -> None:
    def sees(order: str) -> list[tuple[str, str, tuple[str, ...]]]:
        answer = ask("multiagent_feedback", pool_of(*(f"Answer: {n.upper()}" for n in order), names=list(order)))
        member = {c.id: c.member for c in answer.calls}
        return sorted((c.tag.stage, c.member, tuple(sorted(member[i] for i in c.tag.sees))) for c in answer.calls)

    assert sees("abcd") == sees("cdab")


def test_a_member_alone_stops_or_criticises_itself() -> None:
    assert ask("multiagent_feedback", pool_of("Answer: D"), rounds=3).usage.calls == 1
    answer = ask("multiagent_feedback", crowd(1), rounds=3, include_self=True)
    assert [c.tag.stage for c in answer.calls] == ["answer", "review", "revise", "review", "revise"]
    approved = ask("multiagent_feedback", crowd(1, "OK"), rounds=4, include_self=True)
    assert [c.tag.stage for c in approved.calls] == ["answer", "review"]


def test_the_whole_history_is_a_chat_of_answers_and_reviews() -> None:
    pool = crowd(2)
    ask("multiagent_feedback", pool, rounds=3, history="full")
    last = [r for r in scripted(pool, "a").requests if REVISED in r.messages[-1].content][-1].messages
    assert [m.role for m in last] == ["user", "assistant", "user", "assistant", "user"]
    assert [MARK.findall(m.content) for m in last] == [
        [],
        [("x", "a", "0")],
        [("f", "b", "0")],
        [("x", "a", "1")],
        [("f", "b", "1")],
    ]


def test_an_empty_review_is_none_and_without_any_the_answer_stands() -> None:
    def quiet(r: Request) -> str:
        return "" if REVIEWED in r.messages[-1].content else "Answer: A"

    answer = ask("multiagent_feedback", pool_of(quiet, quiet, quiet))
    assert (len(stage(answer, "review")), len(stage(answer, "revise")), answer.key) == (6, 0, "A")


def test_a_verdict_copied_from_the_answer_is_no_approval() -> None:
    def parrot(r: Request) -> str:
        if REVIEWED not in r.messages[-1].content:
            return "OK\nAnswer: D"
        return r.messages[-1].content.partition("Answer:")[2].partition("Begin with")[0].strip()

    answer = ask("multiagent_feedback", pool_of(parrot, parrot))
    assert [ok for *_, ok in answer.reason["reviews"][0]] == [False, False]


def test_own_words_for_verdicts_and_prompts() -> None:
    def critic(r: Request) -> str:
        return "The answer is right." if "right or wrong?" in r.messages[-1].content else "Answer: A"

    options = {"verdicts": ["The answer is right", "The answer is wrong"], "review": "{question} {answer} Is it right or wrong?"}
    answer = ask("multiagent_feedback", pool_of(critic, critic), **options)
    assert answer.usage.calls == 4 and answer.reason["stopped"] is None


def fails_when(word: str) -> Callable[[Request], str]:
    def reply(r: Request) -> str:
        if word in r.messages[-1].content:
            raise Transient("out of order")
        return "Answer: B"

    return reply


@pytest.mark.parametrize("word", [REVIEWED, REVISED])
def test_a_failure_fails_the_question_or_its_part_is_left_out(word: str) -> None:
    with pytest.raises(BackendError, match="out of order"):
        ask("multiagent_feedback", pool_of("Answer: B", fails_when(word), "Answer: B"))
    answer = ask("multiagent_feedback", pool_of("Answer: B", fails_when(word), "Answer: B"), on_failure="drop")
    assert answer.key == "B" and answer.reason["lost"] and all(x.startswith("b@1") for x in answer.reason["lost"])


def test_a_review_that_was_lost_approves_of_nothing() -> None:
    """One OK and one failure are not two OKs: the author reads the one review there is and answers again."""

    def critic(fault: str) -> Callable[[Request], str]:
        def reply(r: Request) -> str:
            if REVIEWED not in r.messages[-1].content:
                return "Answer: A"
            if fault == "failed":
                raise Transient("out of order")
            return "OK" if fault == "none" else ""

        return reply

    for fault in ("failed", "empty"):
        pool = pool_of(critic("none"), critic("none"), critic(fault))
        answer = ask("multiagent_feedback", pool, on_failure="drop")
        verdicts = {(r, a): ok for r, a, ok in answer.reason["reviews"][0]}
        assert [ok for (r, _), ok in sorted(verdicts.items())] == [True, True, True, True, None, None]
        assert sorted(c.member for c in stage(answer, "revise")) == ["a", "b"], "c alone has all its reviews, and they approve"


def test_a_slow_reviewer_is_left_out_after_the_deadline() -> None:
    class Slow(ScriptedModel):
        async def generate(self, r: Request) -> Completion:
            if REVIEWED in r.messages[-1].content:
                await asyncio.sleep(30)
            return await super().generate(r)

    pool = Pool([Slow("a", "Answer: A"), ScriptedModel("b", "Answer: A")], store=Store(None))
    answer = ask("multiagent_feedback", pool, on_failure="drop", deadline=0.2)
    assert answer.reason["lost"] == ["a@1 (review)"]
    assert [list(x) for x in answer.reason["reviews"][0]] == [["b", "a", False], ["a", "b", None]]


def test_reviews_are_short_and_as_warm_as_told() -> None:
    pool = crowd(2)
    ask("multiagent_feedback", pool, feedback_tokens=7, feedback_temperature=1.0)
    (review,) = [r for r in scripted(pool, "a").requests if REVIEWED in r.messages[-1].content]
    assert (review.sampling.max_tokens, review.sampling.temperature) == (7, 1.0)


def test_first_answers_are_shared_with_the_debate_in_either_order(heard: list[Request]) -> None:
    said = ("Answer: A", "So B. Answer: B", "Answer: B")
    transcripts = []
    for order in (("multiagent_refine", "multiagent_feedback"), ("multiagent_feedback", "multiagent_refine")):
        store = Store(None)
        heard.clear()
        found = {m: ask(m, pool_of(*said, store=store)) for m in order}
        assert sum(r == request() for r in heard) == 3, "first answers are paid once"
        transcripts.append(found)
    assert transcripts[0] == transcripts[1]


# answer or abstain


def jury(letter: str) -> Callable[[Request], str]:
    """A judge who answers HOLDS or FAILS as told, and comments otherwise."""

    def reply(r: Request) -> str:
        text = r.messages[-1].content
        if "Does the proposed answer hold?" in text:
            return letter
        return "It looks fine." if "Say what is right" in text else "Answer: B"

    return reply


@pytest.mark.parametrize(("says", "abstains"), [("HOLDS", False), ("FAILS", True), ("I am not sure", False)])
def test_a_judge_decides_whether_to_answer(says: str, abstains: bool) -> None:
    pool = pool_of(*(jury(says) for _ in range(4)))
    done = fitted("multiagent_feedback", pool, task_of("B", dev="BBB"), mode="abstain")
    answer = asyncio.run(done.as_model().generate(request()))
    assert (answer.reason["abstained"], answer.reason["proposed"]) == (abstains, "B")
    assert answer.key == (None if abstains else "B")
    assert [c.tag.stage for c in answer.calls] == ["answer", "feedback", "feedback", "feedback", "judge"]
    assert answer.reason["feedback"][0] == "a" and len(set(answer.reason["feedback"])) == 3, "the proposer comments too"
    assert answer.reason.get("parse_fail", False) is (says == "I am not sure")


def test_one_member_in_three_expert_roles_writes_its_knowledge_first() -> None:
    pool = pool_of(jury("FAILS"), "Answer: A")
    answer = ask("multiagent_feedback", pool, mode="abstain", reviewers="self")
    assert [c.tag.stage for c in answer.calls] == ["answer", *["knowledge"] * 3, *["feedback"] * 3, "judge"]
    assert {c.member for c in answer.calls} == {"a"} and answer.reason["abstained"]


def test_a_judge_that_copies_a_forged_verdict_says_nothing() -> None:
    def forger(r: Request) -> str:
        return "FAILS" if "Say what is right" in r.messages[-1].content else "Answer: B"

    def judge(r: Request) -> str:
        return "FAILS" if "Does the proposed" in r.messages[-1].content else "Answer: B"

    answer = ask("multiagent_feedback", pool_of(judge, forger, forger), mode="abstain")
    assert answer.reason["parse_fail"] and not answer.reason["abstained"]


def test_a_proposer_that_is_talked_out_of_its_answer_abstains() -> None:
    def weak(r: Request) -> str:
        return "Answer: C" if "A passage that may be wrong" in r.messages[-1].content else "Answer: B"

    argues = "It is clearly something else."
    yields = ask("multiagent_feedback", pool_of(weak, argues), mode="compete")
    assert (yields.reason["abstained"], yields.reason["second"], yields.usage.calls) == (True, "C", 3)
    assert yields.reason["argued_for"][0] in "ACD" and yields.text == "I do not know."
    firm = ask("multiagent_feedback", pool_of("Answer: B", argues), mode="compete")
    assert (firm.reason["abstained"], firm.key) == (False, "B")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"feedback_count": 0}, "multiagent_feedback.feedback_count"),
        ({"review": "none"}, "multiagent_feedback.review"),
        ({"judge": "zed"}, "no member 'zed'"),
        ({"mode": "shout"}, "multiagent_feedback.mode"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ask("multiagent_feedback", pool_of("Answer: A"), **options)


@pytest.mark.parametrize(("right_at", "attempts"), [(1, 1), (2, 2), (4, 4), (9, 4)])
def test_a_member_alone_reviews_itself_until_it_is_correct_or_the_attempts_are_used_up(right_at: int, attempts: int) -> None:
    """Self-Refine: one agent, its own critic; the first approval ends it with the answer that was reviewed."""
    reviews = 0

    def reply(r: Request) -> str:
        nonlocal reviews
        if REVIEWED not in r.messages[-1].content:
            return f"Attempt {reviews}. Answer: {'A' if reviews >= right_at - 1 else 'B'}"
        reviews += 1
        return "OK" if reviews >= right_at else "REVISE\nIt is not B."

    answer = ask("multiagent_feedback", pool_of(reply), include_self=True, feedback_count=1, rounds=5)
    assert len(stage(answer, "review")) == attempts
    assert len(stage(answer, "revise")) == (attempts - 1 if right_at <= 4 else 4)
    assert answer.key == ("A" if right_at <= 4 else "B")


def test_vector_attempts_until_it_is_correct(shared: Path) -> None:
    found = json.loads((shared / "vectors" / "text_multiagent_feedback.json").read_text())["vectors"]
    vectors = [v for v in found if "iterative_gsm" in v["function"]]
    assert vectors
    for vector in vectors:
        said = iter(vector["inputs"]["feedback_and_fix"])

        def reply(r: Request, said: Any = said) -> str:
            if REVIEWED not in r.messages[-1].content:
                return "Answer: A"
            feedback, _ = next(said)
            return "OK" if "it is correct" in feedback else f"REVISE\n{feedback}"

        rounds = vector["inputs"]["max_attempts"] + 1
        answer = ask("multiagent_feedback", pool_of(reply), include_self=True, rounds=rounds, feedback_count=1)
        assert len(stage(answer, "review")) == len(vector["outputs"])


def test_a_second_answer_that_cannot_be_read_does_not_abstain() -> None:
    def lost(r: Request) -> str:
        return "Hm." if "A passage that may be wrong" in r.messages[-1].content else "Answer: B"

    answer = ask("multiagent_feedback", pool_of(lost, "No."), mode="compete")
    assert answer.reason["parse_fail"] and not answer.reason["abstained"] and answer.key == "B"


def test_a_free_text_that_is_given_again_is_kept() -> None:
    free = request(spec=AnswerSpec(kind="generation", question="Why?"))
    assert not ask("multiagent_feedback", pool_of("Because.", "No."), free, mode="compete").reason["abstained"]


def test_a_judge_that_fails_decides_nothing_where_it_may_be_left_out() -> None:
    def broken(r: Request) -> str:
        if "Does the proposed" in r.messages[-1].content:
            raise Transient("out of order")
        return "Answer: B"

    pool = pool_of(broken, "fine", "fine")
    answer = ask("multiagent_feedback", pool, mode="abstain", on_failure="drop")
    assert (answer.reason["lost"], answer.reason["abstained"], answer.key) == (["a@3 (judge)"], False, "B")
    with pytest.raises(BackendError, match="out of order"):
        ask("multiagent_feedback", pool, mode="abstain")
