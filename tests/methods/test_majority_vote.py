"""Majority vote, as its specification promises; the voting rules themselves are in tests/discussion."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, cast

import pytest

from moco.core.errors import ConfigError, PoolError, Transient
from moco.core.query import Query
from moco.core.types import AnswerSpec, Completion, Draft, Request
from moco.methods.text.majority_vote import MajorityVote, log_odds
from moco.models.pool import Pool
from moco.models.store import Store
from moco.testing import ScriptedModel, TableModel
from tests.discussion.helpers import Rewarding
from tests.methods.failing import REFUSAL, pool_with
from tests.methods.helpers import ask, fitted, pool_of, request, scripted, task_of

SPEAKERS = [("Answer: A", "Answer: B"), ("Answer: A", "Answer: A"), ("Answer: C", "Answer: B")]
"""What three members say on dev, where A is right, and on a test question."""


def test_the_answer_given_most_often_wins_with_a_real_text() -> None:
    answer = ask("majority_vote", pool_of("Maybe. Answer: A", "Answer: B", "Surely B. Answer: B"))
    assert (answer.text, answer.key, answer.source) == ("Answer: B", "B", "b")
    assert answer.confidence == pytest.approx(2 / 3)
    assert answer.reason["votes"] == [["B", ["b", "c"]], ["A", ["a"]]]


def test_unreadable_answers_abstain() -> None:
    answer = ask("majority_vote", pool_of("I cannot say", "hm", "Answer: C"))
    assert answer.key == "C"
    assert answer.confidence == pytest.approx(1 / 3)
    assert answer.reason["abstained"] == ["a", "b"]


def test_a_tie_follows_the_dev_ranking() -> None:
    pool = pool_of("Answer: A", "Answer: B")
    assert ask("majority_vote", pool).key == "A"
    done = fitted("majority_vote", pool, task_of("A", dev="BBB"))
    assert done.as_model()(request()) == "Answer: B"


def test_one_member_is_the_single_model() -> None:
    assert ask("majority_vote", pool_of("Answer: D")).text == ask("single", pool_of("Answer: D")).text


def test_every_member_is_asked_once_per_draw_with_the_shared_first_answer() -> None:
    pool = pool_of("Answer: A", "Answer: B")
    answer = ask("majority_vote", pool, draws=3)
    assert [r.draw for r in scripted(pool, "a").requests] == [(), (1,), (2,)]
    assert answer.usage.calls == 6


def test_dev_weights_can_overrule_the_majority() -> None:
    pool = pool_of("Answer: A", "Answer: B", "Answer: B")
    done = fitted("majority_vote", pool, task_of("A", dev="AAAAAAAAAB"), weights="logodds")
    assert done.as_model()(request()) == "Answer: A"


def test_weights_of_zero_leave_all_a_say() -> None:
    pool = pool_of("Answer: A", "Answer: B", "Answer: B")
    done = fitted("majority_vote", pool, task_of("A", dev="CCCC"), weights="dev")
    assert done.as_model()(request()) == "Answer: B"


def test_dev_weights_are_above_chance() -> None:
    pool = pool_of("Answer: A", "Answer: B", "Answer: C", "Answer: B")
    done = fitted("majority_vote", pool, task_of("A", dev="AAAABBBC"), weights="dev")
    assert done.method.state["chance_"] == 0.25
    weigh = cast(MajorityVote, done.method).weight
    said = [weigh(Query.of(request()), Draft(n, 0, "x", None, Completion("x"))) for n in "abcd"]
    assert said == pytest.approx([0.25, 0.125, 0.0, 0.125])


def test_between_two_options_a_member_worse_than_a_coin_speaks_against_its_answer() -> None:
    assert log_odds(0.0, 10, 2) == pytest.approx(-log_odds(1.0, 10, 2))
    assert log_odds(0.0, 10, 4) == 0.0
    two = AnswerSpec(kind="multiple_choice", labels=("A", "B"), choices=("soup", "tin"), question="Which?")
    pool = pool_of(*(lambda r, dev=dev, said=said: dev if "dev" in r.messages[-1].content else said for dev, said in SPEAKERS))
    done = fitted("majority_vote", pool, task_of("A", dev="A" * 8), weights="logodds")
    assert asyncio.run(done.as_model().generate(request(spec=two))).key == "A"
    assert asyncio.run(done.as_model().generate(request())).key == "B", "with four options it has no say"


def test_confidence_weighs_a_vote() -> None:
    def sure(letter: str, logprob: float) -> Any:
        return lambda r: Completion(f"Answer: {letter}", logprobs=(logprob, logprob))

    pool = pool_of(sure("A", -0.1), sure("B", -2), sure("B", -2))
    assert ask("majority_vote", pool, weights="confidence").key == "A"
    assert ask("majority_vote", pool).key == "B"


def test_two_members_are_the_better_one_unless_it_abstains() -> None:
    task = task_of("A", dev="BB")
    assert fitted("majority_vote", pool_of("Answer: A", "Answer: B"), task).as_model()(request()) == "Answer: B"
    silent_on_it = pool_of("Answer: A", lambda r: "Answer: B" if "dev" in r.messages[-1].content else "hm")
    assert fitted("majority_vote", silent_on_it, task).as_model()(request()) == "Answer: A"


def test_what_cannot_be_read_may_win_where_that_is_wanted() -> None:
    pool = pool_of("hm", "tja", "Answer: A")
    assert ask("majority_vote", pool).key == "A"
    assert ask("majority_vote", pool, unreadable="candidate").text == "hm"
    dropped = ask("majority_vote", pool, unreadable="drop")
    assert (dropped.key, dropped.confidence) == ("A", 1.0)


def test_a_quorum_is_a_share_of_all_ballots() -> None:
    pool = pool_of("Answer: A", "Answer: A", "Answer: B", "hm")
    assert ask("majority_vote", pool, require=0.5).key == "A"
    assert ask("majority_vote", pool, require=0.51).reason["fallback"] is True


def test_draws_are_shared_and_the_order_of_methods_changes_nothing() -> None:
    found = []
    for order in (("majority_vote", "self_consistency", "slm_mux"), ("slm_mux", "self_consistency", "majority_vote")):
        pool = pool_of("Answer: A", "Answer: B", "Answer: B")
        options = {"majority_vote": {"draws": 2}, "self_consistency": {"draws": 3}, "slm_mux": {"samples": 3}}
        said = {name: ask(name, pool, **options[name]) for name in order}
        found.append((said, sum(len(scripted(pool, n).requests) for n in "abc")))
    assert found[0] == found[1]
    assert found[0][1] == 9, "nine draws serve all three"


@pytest.mark.parametrize(
    ("rule", "calls", "text"),
    [("medoid", 3, "the soup is hot"), ("usc", 4, "the soup is hot"), ("judge", 4, "tea"), ("reward", 6, "soup, very hot it is")],
)
def test_free_text_is_chosen_as_told(rule: str, calls: int, text: str) -> None:
    def member(said: str, names: str) -> Any:
        def reply(r: Request) -> str:
            prompt = r.messages[-1].content
            if "Write only: " not in prompt:
                return said
            lines = prompt.splitlines()
            (number,) = [line.split(": ")[0].removeprefix("Reply ") for line in lines if line.endswith(f": {names}")]
            return f"Choice: {number}"

        return reply

    first = member("the soup is hot", "the soup is hot" if rule == "usc" else "tea")
    aux = {"reward": Rewarding(len)}
    models = [ScriptedModel("a", first), ScriptedModel("b", "tea"), ScriptedModel("c", "soup, very hot it is")]
    answer = ask("majority_vote", Pool(models, store=Store(None), aux=aux), request("Tell", spec=None), free_text=rule)
    assert (answer.text, answer.usage.calls, answer.reason["rule"]) == (text, calls, rule)


def test_a_prompt_of_ones_own_chooses() -> None:
    pool = pool_of(lambda r: "1" if r.messages[-1].content.startswith("Pick!") else "soup", "tea")
    answer = ask("majority_vote", pool, request("Tell", spec=None), free_text="usc", consistent="Pick! {replies} {verdict}")
    assert answer.reason["rule"] == "usc"
    assert scripted(pool, "a").requests[1].messages[-1].content.endswith("Choice: <number>")


@pytest.mark.parametrize("trouble", ["broken", "late"])
def test_who_fails_or_is_late_fails_the_question_or_is_left_out_on_record(trouble: str) -> None:
    said = ("Answer: A", "Answer: B", "Answer: B")
    with pytest.raises(Transient, match=r"out of order|did not answer within"):
        ask("majority_vote", pool_with(trouble, *said), deadline=0.05)
    answer = ask("majority_vote", pool_with(trouble, *said), deadline=0.05, on_failure="drop")
    assert (answer.key, answer.confidence, answer.reason["dropped"]) == ("B", pytest.approx(2 / 3), ["z"])
    assert [c.finish for c in answer.calls] == ["stop", "stop", "stop", "error"]
    with pytest.raises(Transient):
        ask("majority_vote", pool_with(trouble, *said), deadline=0.05, on_failure="drop", at_least=4)


@pytest.mark.parametrize("trouble", ["refusal", "silent"])
def test_who_refuses_or_says_nothing_abstains(trouble: str) -> None:
    answer = ask("majority_vote", pool_with(trouble, "Answer: A", "Answer: A", REFUSAL))
    assert (answer.key, answer.confidence, answer.reason["abstained"]) == ("A", 0.5, ["c", "z"])
    assert "dropped" not in answer.reason


def test_a_reward_model_that_is_not_there_is_reported_before_anything_runs() -> None:
    pool = pool_of("Answer: A")
    with pytest.raises(PoolError, match="no helper 'reward'"):
        ask("majority_vote", pool, free_text="reward")
    with pytest.raises(ConfigError, match="no member 'zed'"):
        ask("majority_vote", pool, chooser="zed")
    assert not scripted(pool, "a").requests


def official(shared: Path, name: str) -> list[dict[str, Any]]:
    vectors = json.loads((shared / "vectors" / "text_majority_vote.json").read_text())["official_vectors"]
    found = [v for v in vectors if v["function"].endswith(name)]
    assert found
    return found


def test_agent_forest_counts(shared: Path) -> None:
    for vector in official(shared, "get_majority_voting_answer"):
        said = [f"Answer: {k}" if k else "hm" for k in vector["inputs"]]
        answer = ask("majority_vote", pool_of(*said), tie="order", unreadable="candidate")
        assert answer.key == vector["outputs"]


def test_agent_forest_numbers(shared: Path) -> None:
    numeric = request(spec=AnswerSpec(kind="numeric", question="How many?"))
    for vector in official(shared, "_for_gsm") + official(shared, "_for_math"):
        if vector["outputs"] is None and None not in vector["inputs"]:
            continue  # their parser cannot read 1,000; ours can
        if "x" in vector["inputs"]:
            continue  # variables: see the kinds of the task room
        said = [f"Answer: {k}" if k else "hm" for k in vector["inputs"]]
        answer = ask("majority_vote", pool_of(*said), numeric, tie="order", unreadable="candidate")
        wanted = vector["outputs"]
        if isinstance(wanted, str):
            assert answer.text == f"Answer: {wanted}"
        else:
            assert (answer.key is None) if wanted is None else answer.key is not None and float(answer.key) == wanted


def test_agent_forest_medoid(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (vector,) = official(shared, "most_similar_code (scripted similarity)")
    likeness, said = vector["inputs"]["similarity"], vector["inputs"]["candidates"]
    monkeypatch.setattr("moco.discussion.similarity.token_f1", lambda a, b: likeness[f"{a}-{b}"] / 100)
    assert ask("majority_vote", pool_of(*said), request("Tell", spec=None)).text == vector["outputs"][1]


def test_the_rule_is_blind_to_what_members_are_called() -> None:
    said = {"a": "Answer: A", "b": "Answer: B", "c": "Answer: B"}
    answers = [ask("majority_vote", pool_of(*(said[n] for n in order), names=list(order))) for order in ("abc", "cab", "bca")]
    assert {(a.key, a.confidence) for a in answers} == {("B", 2 / 3)}
    assert len({tuple(sorted((c.member, c.text) for c in a.calls)) for a in answers}) == 1


@pytest.mark.parametrize("options", [{"tie": "coin"}, {"draws": 0}, {"require": 2.0}, {"weights": "votes"}])
def test_wrong_options_are_named(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=rf"majority_vote.{next(iter(options))}"):
        ask("majority_vote", pool_of("Answer: A"), **options)


def test_confidence_weights_refuse_a_member_that_says_nothing_among_others_that_do() -> None:
    sure = TableModel("sure", ["a", "<eos>"], lambda ids: [0.5, 0.5])
    mixed = Pool([sure, scripted(pool_of("Answer: A"), "a")], store=Store(None))
    with pytest.raises(PoolError, match="'a' does not say how sure it is"):
        MajorityVote(weights="confidence").check(mixed)
    MajorityVote(weights="confidence").check(pool_of("Answer: A", "Answer: B"))
