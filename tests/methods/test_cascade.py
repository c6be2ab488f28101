"""Cascade, as its specification promises."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from moco.collab import Fitted, load_method
from moco.core.errors import BackendError, ConfigError, ContextOverflow, Fatal, PoolError, Transient
from moco.core.types import Request, Usage
from moco.models.pool import Pool
from moco.models.store import Store
from moco.testing import ScriptedModel
from tests.methods.helpers import ask, fitted, request, task_of
from tests.routers.members import heard, member, number, pool_with, three

NEVER = math.inf

# deferral


@pytest.mark.parametrize(
    ("sure", "who", "asked"),
    [((-0.1, -0.1, -0.1), "a", [1, 0, 0]), ((-2, -0.1, -0.1), "b", [1, 1, 0]), ((-2, -2, -9), "c", [1, 1, 1])],
)
def test_the_first_sure_member_answers_and_nobody_behind_it_is_asked(sure: Sequence[float], who: str, asked: list[int]) -> None:
    pool = three(*sure)
    answer = ask("cascade", pool, thresholds=-1.0)
    assert (answer.source, answer.text) == (who, f"Answer: {who.upper()}")
    assert heard(pool) == asked
    assert answer.confidence == pytest.approx(math.exp(sure["abc".index(who)]))


def test_the_reason_holds_every_step_and_the_transcript_its_round() -> None:
    answer = ask("cascade", three(-2, -1, -9), thresholds=(-1.0, -0.5))
    assert answer.reason == {
        "signal": "chow_average",
        "scale": "log-probability",
        "steps": [
            {"member": "a", "confidence": -2.0, "threshold": -1.0, "accepted": False, "cost": 12.0},
            {"member": "b", "confidence": -1.0, "threshold": -0.5, "accepted": False, "cost": 12.0},
            {"member": "c", "confidence": -9.0, "threshold": None, "accepted": True, "cost": 12.0},
        ],
        "stage": 2,
        "fallback": False,
    }
    assert [(c.member, c.tag.stage, c.tag.round, c.tag.sees) for c in answer.calls] == [
        (n, "answer", i, ()) for i, n in enumerate("abc")
    ]


def test_accepting_everything_is_the_first_member_and_nothing_the_last() -> None:
    for options, name in (({"thresholds": -math.inf}, "a"), ({"thresholds": NEVER}, "c")):
        pool = three(-3, -3, -3)
        answer, alone = ask("cascade", pool, **options), ask("single", pool, member=name)
        assert (answer.text, answer.finish, answer.source) == (alone.text, alone.finish, name)
        assert sum(heard(pool)) == 1, "single's answer is the same one, and nobody is asked in vain"
        json.dumps(dict(answer.reason), allow_nan=False)  # what is infinite has no place in an HTTP answer
        assert [s.get("note") for s in answer.reason["steps"]] == ([None] if name == "a" else ["skipped", "skipped", None])


@pytest.mark.parametrize(("quantile", "name"), [(0, "a"), (1, "c")])
def test_the_ends_of_the_quantile_are_single_members_also_beyond_dev(quantile: float, name: str) -> None:
    pool = three(lambda r: -0.1 * number(r), -1, -1)
    done = fitted("cascade", pool, task_of("A", dev="ABCD"), quantile=quantile)
    for lower in ("dev question 999?", "dev question 0?"):
        assert asyncio.run(done.as_model().generate(request(lower))).source == name


def test_a_threshold_of_zero_is_a_threshold() -> None:
    assert ask("cascade", three(-1, 0.0, -1), thresholds=0.0).source == "b"


def test_identical_members_answer_the_same_whatever_the_thresholds() -> None:
    twin = member("a", "Answer: A", -1)
    pool = Pool([{"model": twin, "name": n} for n in "xyz"], store=Store(None))
    texts = {ask("cascade", pool, request(temperature=0), thresholds=t).text for t in (-NEVER, -2.0, -1.0, 0.0, NEVER)}
    assert texts == {"Answer: A"}


def test_one_member_is_the_single_model() -> None:
    pool = pool_with(ScriptedModel("a", "Answer: A"))
    assert ask("cascade", pool).text == "Answer: A"
    assert fitted("cascade", pool, task_of("A", dev="AB"), confidence="posthoc").method.state["thresholds_"] is None


def test_unfitted_it_accepts_from_even_odds_on() -> None:
    assert ask("cascade", three(math.log(0.51), -9, -9)).source == "a"
    assert ask("cascade", three(math.log(0.49), -9, -9)).source == "c"


# thresholds from dev


def test_the_fitted_threshold_passes_on_the_promised_share() -> None:
    for quantile in (0.1, 0.25, 0.5, 0.8):
        pool = three(lambda r: -0.1 * number(r), lambda r: -0.1 * (number(r) % 7), -1)
        task = task_of("A", dev="A" * 40)
        done = fitted("cascade", pool, task, quantile=quantile)
        model = done.as_model()
        sources = [asyncio.run(model.generate(Request(messages=task.messages(r), spec=task.spec_of(r)))).source for r in task.dev]
        share = sum(s != "a" for s in sources) / 40
        assert abs(share - quantile) <= 1 / 40 + 1e-9
        assert heard(pool)[2] == sources.count("c"), "the rule needs nobody behind the last threshold"


def test_the_second_threshold_is_that_of_arrivals() -> None:
    pool = three(lambda r: -0.1 * number(r), lambda r: -0.2 * number(r), -1)
    done = fitted("cascade", pool, task_of("A", dev="A" * 9), quantile=(0.5, 0.5))
    first, second = done.method.state["thresholds_"]
    assert first == pytest.approx(-0.4)  # of 0, -.1, ... -.8
    assert second == pytest.approx(-0.2 * 6.5), "the median of questions 5, 6, 7, 8"
    assert heard(pool) == [9, 4, 0]


def test_labels_are_not_read_by_the_rate_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = three(lambda r: -0.1 * number(r), -1, -1)
    one, two = (fitted("cascade", pool, task_of("A", dev=d)).method.state for d in ("AAAA", "BCDB"))
    assert one == two


def test_optimize_finds_the_member_that_is_right_and_keeps_to_the_budget() -> None:
    right = "ABCDABCDABCD"

    def half(r: Request) -> str:
        return f"Answer: {right[number(r)]}" if number(r) % 2 else "Answer: D"

    def pool() -> Pool:
        cheap = member("a", half, lambda r: -0.1 if number(r) % 2 else -2)
        return pool_with(cheap, member("b", lambda r: f"Answer: {right[number(r)]}", -1), costs=(1, 9))

    done = fitted("cascade", pool(), task_of("A", dev=right), thresholds="optimize")
    log = done.log[-1]["cascade"]
    assert -2 < done.method.state["thresholds_"][0] <= -0.1
    assert log["dev score"] == 1.0 and log["dev cost"] == pytest.approx(1 / 9 + 0.5, abs=0.1)
    frugal = fitted("cascade", pool(), task_of("A", dev=right), thresholds="optimize", budget=0.4)
    assert frugal.log[-1]["cascade"]["dev cost"] <= 0.4
    with pytest.raises(ConfigError, match="cheapest member"):
        fitted("cascade", pool(), task_of("A", dev=right), thresholds="optimize", budget=0.01)


def test_posthoc_learns_when_a_member_is_right() -> None:
    """Long log-probabilities are right here, though every token is unlikely: the mean says the opposite of the truth."""
    right = "ABCDABCDABCDABCDABCD"

    def said(r: Request) -> str:
        return f"Answer: {right[number(r)] if number(r) % 2 else 'ABCD'[('ABCD'.index(right[number(r)]) + 1) % 4]}"

    def sure(r: Request) -> float:
        return -2.0 if number(r) % 2 else -0.1

    pool = pool_with(member("a", said, sure), member("b", lambda r: f"Answer: {right[number(r)]}", -1))
    done = fitted("cascade", pool, task_of("A", dev=right), confidence="posthoc", quantile=0.5)
    answers = [asyncio.run(done.as_model().generate(request(f"dev question {i}?"))) for i in range(8)]
    assert [a.source for a in answers] == ["b", "a"] * 4
    assert all(a.confidence is not None and a.confidence > 0.5 for a in answers if a.source == "a")
    with pytest.raises(ConfigError, match="posthoc"):
        ask("cascade", pool, confidence="posthoc")


def test_the_log_says_what_a_confidence_is_worth_where_labels_are_read() -> None:
    """Sure of the even questions (e^-.1), unsure of the odd ones (e^-2); right: 0, 2, 4, 5 of 8. The last one's is not used."""

    def pool() -> Pool:
        cheap = member("a", "Answer: A", lambda r: -2.0 if number(r) % 2 else -0.1)
        return pool_with(cheap, member("b", "Answer: B", -1), costs=(1, 9))

    task = task_of("A", dev="ACABAABB")
    found = fitted("cascade", pool(), task, thresholds="optimize").log[-1]["cascade"]["confidence"]
    surely, hardly = math.exp(-0.1), math.exp(-2)
    pairs = [(a, b) for a in (1, 1, 1, 0) for b in (0, 0, 0, 1)]  # sure or not: the right answers, the wrong ones
    assert found["a"]["auroc"] == pytest.approx(sum((a > b) + 0.5 * (a == b) for a, b in pairs) / 16)
    right = [0, 0, 1, 0, 1, 1, 1, 0]  # by rising confidence: 1, 3, 5, 7, then 0, 2, 4, 6
    errors = [abs((hardly if i < 4 else surely) - r) for i, r in enumerate(right)]
    assert found == {"a": {"n": 8, "auroc": found["a"]["auroc"], "calibration error": pytest.approx(sum(errors) / 8, abs=1e-6)}}
    assert "confidence" not in fitted("cascade", pool(), task).log[-1]["cascade"], "the rate rule reads no labels"
    learned = fitted("cascade", pool(), task, confidence="posthoc").log[-1]["cascade"]["confidence"]["a"]
    assert learned["n"] == 8 and 0 <= learned["calibration error"] <= 1


def test_a_confidence_that_nobody_is_wrong_about_or_that_a_failure_lacks_has_no_worth() -> None:
    def reply(r: Request) -> str:
        if number(r) == 2:
            raise ContextOverflow("too long")
        return "Answer: A"

    pool = pool_with(member("a", reply, -0.1), member("b", "Answer: A", -1))
    found = fitted("cascade", pool, task_of("A", dev="AAAA"), thresholds="optimize").log[-1]["cascade"]["confidence"]["a"]
    assert found == {"n": 3, "auroc": None, "calibration error": pytest.approx(1 - math.exp(-0.1), abs=1e-6)}


def test_a_fitted_cascade_is_saved_and_loaded(tmp_path: Path) -> None:
    for options in ({"quantile": 1}, {"confidence": "posthoc"}, {"order": "cost"}):
        make = lambda: three(lambda r: -0.1 * number(r), -0.5, -1)  # noqa: E731
        done = fitted("cascade", make(), task_of("A", dev="ABCABC"), **options)
        done.save(tmp_path)
        again = Fitted.load(tmp_path, make())
        assert again.method.state == done.method.state
        assert again.as_model().fingerprint == done.as_model().fingerprint


# the order


def test_order_by_cost_measures_tokens_and_prices() -> None:
    pool = pool_with(member("a", "Answer: A", -9), member("b", "Answer: B", -9, usage=Usage(1, 1, 1)), costs=(1, 2))
    done = fitted("cascade", pool, task_of("A", dev="AB"), order="cost")
    assert done.method.state["order_"] == ("b", "a"), "b writes so little that it is cheaper at twice the price"
    assert [m.name for m in load_method("cascade", order="cost").chain(pool)] == ["a", "b"]  # type: ignore[attr-defined]


def test_a_named_order_does_not_depend_on_the_pools() -> None:
    def pool(order: str) -> Pool:
        return pool_with(*(member(n, f"Answer: {n.upper()}", -9) for n in order))

    for order in ("abc", "cab"):
        answer = ask("cascade", pool(order), order=["b", "c", "a"])
        assert [s["member"] for s in answer.reason["steps"]] == ["b", "c", "a"]
    with pytest.raises(ConfigError, match="order"):
        ask("cascade", pool("abc"), order=["a", "b"])


# what can go wrong


def failing(error: Exception) -> Callable[[Request], str]:
    def reply(r: Request) -> str:
        raise error

    return reply


def test_a_member_that_cannot_answer_passes_on_and_the_last_failure_keeps_the_answer_before() -> None:
    broken = pool_with(member("a", failing(ContextOverflow("too long")), -1), member("b", "Answer: B", -1))
    answer = ask("cascade", broken)
    assert (answer.source, answer.reason["steps"][0]["note"], answer.reason["fallback"]) == ("b", "failed", False)
    assert answer.calls[0].finish == "error"
    late = ask("cascade", pool_with(member("a", "Answer: A", -5), member("b", failing(Fatal("gone")), -1)))
    assert (late.source, late.reason["fallback"], late.reason["steps"][1]["accepted"]) == ("a", True, False)


def test_what_a_rerun_may_mend_is_raised_and_so_is_the_failure_of_all() -> None:
    with pytest.raises(Transient):
        ask("cascade", pool_with(member("a", "Answer: A", -5), member("b", failing(Transient("busy")), -1)))
    with pytest.raises(BackendError, match="second"):
        ask("cascade", pool_with(member("a", failing(Fatal("first")), -1), member("b", failing(Fatal("second")), -1)))


def test_a_failing_member_does_not_stop_the_fit() -> None:
    def reply(r: Request) -> str:
        if number(r) == 2:
            raise ContextOverflow("too long")
        return "Answer: A"

    pool = pool_with(member("a", reply, lambda r: -0.1 * number(r)), member("b", "Answer: B", -1))
    done = fitted("cascade", pool, task_of("A", dev="AAAA"), quantile=0.5)
    assert done.method.state["thresholds_"] == (pytest.approx(-0.2),), "between -.3 and -.1; the failed one lies lowest"


def test_an_answer_cut_off_by_its_length_is_passed_on_unless_told_otherwise() -> None:
    def pool() -> Pool:
        return pool_with(member("a", "Answer: A", -0.1, finish="length"), member("b", "Answer: B", -9))

    answer = ask("cascade", pool())
    assert (answer.source, answer.reason["steps"][0]["note"]) == ("b", "truncated")
    assert ask("cascade", pool(), defer_if_truncated=False).source == "a"
    assert ask("cascade", pool(), preset="moco").source == "a"


@pytest.mark.parametrize("logprobs", [(), (math.nan,)])
def test_no_token_or_no_number_is_passed_on(logprobs: tuple[float, ...]) -> None:
    pool = pool_with(member("a", "", -1, logprobs=logprobs), member("b", "Answer: B", -1))
    answer = ask("cascade", pool)
    assert answer.source == "b" and answer.reason["steps"][0]["confidence"] is None


def test_members_without_log_probabilities_are_refused_before_anything_is_asked() -> None:
    silent = ScriptedModel("a", "Answer: A")
    pool = pool_with(silent, member("b", "Answer: B", -1))
    with pytest.raises(PoolError, match=r"needs LOGPROBS of member 'a'.*self_consistency"):
        ask("cascade", pool)
    with pytest.raises(PoolError, match="needs SCORE of member 'a'"):
        ask("cascade", pool, confidence="p_true")
    assert not silent.requests
    assert ask("cascade", pool_with(member("b", "Answer: B", -9), silent)).source == "a", "the last one need not tell"


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"quantile": [0.5, 0.5, 0.5]}, "cascade.quantile"),
        ({"thresholds": [0.1]}, "cascade.thresholds"),
        ({"budget": 0.5}, "optimize"),
    ],
)
def test_options_that_do_not_fit_the_pool_or_each_other_are_refused(options: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        ask("cascade", three(-1, -1, -1), **options)


# collaborations


def panel(*letters: str) -> Any:
    members = Pool([ScriptedModel(f"p{i}", f"Answer: {x}") for i, x in enumerate(letters)], store=Store(None))
    return Fitted(load_method("majority_vote"), members).as_model("panel")


def test_a_vote_tells_its_own_confidence() -> None:
    big = ScriptedModel("big", "Answer: D")
    agree = ask("cascade", pool_with(panel("A", "A", "B"), big), thresholds=0.6)
    assert (agree.key, agree.source, agree.confidence) == ("A", "panel", pytest.approx(2 / 3))
    assert not big.requests and len(agree.calls[0].calls) == 3
    split = ask("cascade", pool_with(panel("A", "B", "C"), big), thresholds=0.6)
    assert (split.key, split.source) == ("D", "big")
    assert ask("cascade", pool_with(panel("A", "A", "B"), big)).source == "panel", "unfitted: even odds of a share"


def test_the_share_of_a_votes_deferrals_is_fitted() -> None:
    def voter(i: int) -> ScriptedModel:
        return ScriptedModel(f"p{i}", lambda r: "Answer: A" if number(r) % 3 or i == 0 else f"Answer: {'ABC'[i]}")

    vote = Fitted(load_method("majority_vote"), Pool([voter(i) for i in range(3)], store=Store(None))).as_model("panel")
    big = ScriptedModel("big", "Answer: D")
    done = fitted("cascade", pool_with(vote, big), task_of("A", dev="A" * 12), quantile=0.4)
    assert done.method.state["thresholds_"][0] == pytest.approx(1.0)
    sources = [asyncio.run(done.as_model().generate(request(f"dev question {i}?"))).source for i in range(12)]
    assert sources == ["big", "panel", "panel"] * 4


def test_a_collaboration_that_never_tells_is_refused_by_fit() -> None:
    quiet = Fitted(load_method("single"), Pool([ScriptedModel("p", "Answer: A")], store=Store(None))).as_model("quiet")
    with pytest.raises(PoolError, match=r"member 'quiet' gave no confidence .*self_consistency"):
        fitted("cascade", pool_with(quiet, ScriptedModel("b", "Answer: B")), task_of("A", dev="AB"))


def test_a_cascade_of_cascades_is_a_model() -> None:
    inner = Fitted(load_method("cascade", thresholds=-1.0), three(-2, -0.5, -9)).as_model("inner")
    answer = ask("cascade", pool_with(inner, ScriptedModel("big", "Answer: D")), thresholds=0.5)
    assert (answer.source, answer.confidence) == ("inner", pytest.approx(math.exp(-0.5)))
    assert [c.member for c in answer.calls[0].calls] == ["a", "b"]
