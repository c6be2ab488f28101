"""SLM-MUX, as its specification promises: who speaks, with which answer, how sure, and how many calls that takes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from moco.collab import Fitted, load_method
from moco.core.errors import ConfigError, Transient
from moco.core.types import AnswerSpec, Completion, Request
from moco.discussion import Ranking
from moco.models.pool import Pool
from moco.models.store import Store
from moco.testing import ScriptedModel
from tests.discussion.helpers import Embedding
from tests.methods.failing import pool_with
from tests.methods.helpers import ask, fitted, pool_of, request, scripted, task_of


def draws(*said: str) -> Callable[[Request], str]:
    """Answers by number of the draw; "" is nothing."""

    def reply(r: Request) -> str:
        answer = said[(r.draw[-1] if r.draw else 0) % len(said)]
        return f"Answer: {answer}" if answer else ""

    return reply


def table(answer: Completion) -> dict[str, tuple[Any, float]]:
    return {n: (m["key"], m["share"]) for n, m in answer.reason["members"].items()}


def test_the_most_consistent_member_speaks_against_the_majority() -> None:
    answer = ask("slm_mux", pool_of(draws(*"BAB"), draws(*"AAA"), draws(*"BBC")), samples=3)
    assert (answer.key, answer.source, answer.confidence) == ("A", "b", 1.0)
    assert table(answer) == {"a": ("B", 0.666667), "b": ("A", 1.0), "c": ("B", 0.666667)}
    assert answer.usage.calls == 9


def test_the_text_is_the_earliest_draw_of_the_winning_answer() -> None:
    pool = pool_of(lambda r: f"Take {r.draw}. Answer: {'B' if not r.draw else 'A'}")
    assert ask("slm_mux", pool, samples=3).text == "Take (1,). Answer: A"


def test_draw_0_is_the_shared_first_answer_and_later_draws_are_shared_too() -> None:
    pool = pool_of(draws(*"AAA"), draws(*"BBB"))
    ask("majority_vote", pool)
    ask("slm_mux", pool, samples=3)
    ask("self_consistency", pool, draws=3)
    assert [r.draw for r in scripted(pool, "a").requests] == [(), (1,), (2,)]
    assert scripted(pool, "a").requests[0] == request()


@pytest.mark.parametrize(
    ("tie", "source"), [("order", "a"), ("dev", "c"), ("agree", "b")], ids=["first", "best on dev", "most backed, then dev"]
)
def test_equally_consistent_members(tie: str, source: str) -> None:
    said = {"a": "C", "b": "A", "c": "B", "d": "A"}
    pool = pool_of(*(lambda r, n=n: f"Answer: {DEV[n] if 'dev' in r.messages[-1].content else said[n]}" for n in "abcd"))
    done = fitted("slm_mux", pool, task_of("A", dev="DDDD"), tie=tie, samples=2)
    answer = asyncio.run(done.as_model().generate(request()))
    assert (answer.source, answer.reason["tie"]) == (source, tie)


DEV = {"a": "A", "b": "A", "c": "D", "d": "A"}


def test_a_random_tie_is_fair_and_the_questions() -> None:
    pool = pool_of(draws("A"), draws("B"))
    keys = [ask("slm_mux", pool, request(f"item {i}"), tie="random", samples=1).key for i in range(300)]
    assert 0.4 < keys.count("A") / 300 < 0.6
    assert keys[:9] == [
        ask("slm_mux", pool_of(draws("A"), draws("B")), request(f"item {i}"), tie="random", samples=1).key for i in range(9)
    ]


def test_what_cannot_be_read_speaks_against_a_member() -> None:
    said = (draws("A", "", ""), draws(*"BBC"))
    assert ask("slm_mux", pool_of(*said), samples=3).key == "B"
    usable = ask("slm_mux", pool_of(*said), samples=3, denominator="usable")
    assert (usable.key, usable.confidence) == ("A", 1.0)


def test_nothing_usable_falls_back_to_the_best_member() -> None:
    pool = pool_of(lambda r: f"hm {r.draw}", lambda r: "Answer: D" if "dev" in r.messages[-1].content else f"tja {r.draw}")
    done = fitted("slm_mux", pool, task_of("A", dev="DD"), samples=2)
    answer = asyncio.run(done.as_model().generate(request()))
    assert (answer.text, answer.confidence, answer.reason["fallback"]) == ("tja ()", 0.0, True)


def test_one_member_is_its_self_consistency_and_one_draw_the_best_that_can_be_read() -> None:
    alone = pool_of(draws(*"ABBAC"))
    assert ask("slm_mux", alone).text == ask("self_consistency", alone).text
    pool = pool_of(lambda r: "hm", draws("B"), lambda r: f"Answer: {'D' if 'dev' in r.messages[-1].content else 'C'}")
    done = fitted("slm_mux", pool, task_of("A", dev="DD"), samples=1)
    answer = asyncio.run(done.as_model().generate(request()))
    assert answer.source == "c"
    assert {share for _, share in table(answer).values()} == {0.0, 1.0}


def test_copies_of_one_model_are_different_voters() -> None:
    one = ScriptedModel("one", lambda r: f"Answer: {'AB'[r.replicate]}")
    pool = Pool([{"model": one, "name": "x"}, {"model": one, "name": "y"}], store=Store(None))
    assert table(ask("slm_mux", pool, samples=2)) == {"x": ("A", 1.0), "y": ("B", 1.0)}


def test_a_greedy_request_is_drawn_warm() -> None:
    pool = pool_of(draws(*"AAB"), draws(*"BBB"))
    answer = ask("slm_mux", pool, request(temperature=0), samples=3)
    assert (answer.key, answer.reason["temperature"]) == ("B", 0.3)
    assert {r.sampling.temperature for r in scripted(pool, "a").requests} == {0.3}
    assert ask("slm_mux", pool, temperature=0.9).reason["temperature"] == 0.9
    with pytest.raises(ConfigError, match=r"slm_mux.temperature"):
        load_method("slm_mux", temperature=0)


def test_presets_are_the_originals() -> None:
    assert load_method("slm_mux", preset="paper").options["temperature"] == 0.3
    moco = load_method("slm_mux", preset="moco").options
    assert (moco["denominator"], moco["inner_tie"]) == ("usable", "random")


def test_where_all_agree_at_once_a_shortcut_spares_the_other_draws() -> None:
    pool = pool_of(draws(*"ABB"), draws(*"AAA"))
    short = ask("slm_mux", pool, samples=3, unanimous_shortcut=True)
    assert (short.key, short.usage.calls, short.reason["rule"]) == ("A", 2, "unanimous")
    split = ask("slm_mux", pool_of(draws(*"AAA"), draws(*"BBA")), samples=3, unanimous_shortcut=True)
    assert split.key == "A" and len({c.id for c in split.calls}) == 8


def test_the_best_on_dev_may_be_ranked_by_all_draws() -> None:
    """The first draw is wrong and the majority is right, or the other way round."""
    pool = pool_of(draws(*"BAA"), draws(*"ABB"))
    for dev_draws, first in ((False, "b"), (True, "a")):
        done = fitted("slm_mux", pool, task_of("A", dev="AAAA"), samples=3, dev_draws=dev_draws)
        assert done.method.state["ranking_"].names[0] == first


def test_a_team_of_complements_is_chosen_on_dev(tmp_path: Path) -> None:
    right = "ABCD"

    def half(parity: int, otherwise: str) -> Callable[[Request], str]:
        def reply(r: Request) -> str:
            text = r.messages[-1].content
            number = int(text.split("question ")[1].split("?")[0]) if "question " in text else parity
            wavering = "ABCD"[(number + 1 + sum(r.draw)) % 4]
            return f"Answer: {right[number % 4] if number % 2 == parity else wavering if otherwise == 'wavers' else otherwise}"

        return reply

    pool = pool_of(half(0, "wavers"), half(0, "D"), half(1, "wavers"))
    done = fitted("slm_mux", pool, task_of("A", dev=right * 2), samples=2, select=True)
    assert done.method.state["chosen_"] == ("a", "c")
    assert done.log[-1]["slm_mux"]["members"] == ["a", "c"]
    answer = asyncio.run(done.as_model().generate(request()))
    assert list(answer.reason["members"]) == ["a", "c"]
    assert len(scripted(pool, "b").requests) == 16, "on dev only"
    done.save(tmp_path)
    again = Fitted.load(tmp_path, pool)
    assert again.method.state == done.method.state
    assert again.as_model().fingerprint == done.as_model().fingerprint


def test_free_text_is_compared_by_words_or_by_embeddings() -> None:
    free = request("Tell", spec=None)
    steady = lambda r: f"the soup is {['hot', 'very hot', 'hot now'][sum(r.draw)]}"  # noqa: E731
    wavering = lambda r: ["tea", "a long story", "rain again"][sum(r.draw)]  # noqa: E731
    answer = ask("slm_mux", pool_of(wavering, steady), free, samples=3)
    assert (answer.source, answer.confidence, answer.text) == ("b", 1.0, "the soup is hot")
    embedder = Embedding(lambda text: [1.0, 0.0] if text in ("tea", "a long story", "rain again") else [0.1, len(text) - 15])
    models = [ScriptedModel("a", wavering), ScriptedModel("b", steady)]
    assert ask("slm_mux", Pool(models, store=Store(None), aux={"embedder": embedder}), free, samples=3).source == "a"


@pytest.mark.parametrize("trouble", ["broken", "late"])
def test_draws_that_fail_or_are_late_count_against_a_member(trouble: str) -> None:
    with pytest.raises(Transient):
        ask("slm_mux", pool_with(trouble, draws(*"AAB")), samples=3, deadline=0.05)
    answer = ask("slm_mux", pool_with(trouble, draws(*"AAB")), samples=3, deadline=0.05, on_failure="drop")
    assert (answer.key, answer.source) == ("A", "a")
    assert answer.reason["dropped"] == ["z", "z#1", "z#2"]
    assert table(answer)["z"] == (None, 0.0)


@pytest.mark.parametrize("trouble", ["refusal", "silent"])
def test_who_refuses_or_says_nothing_is_not_consistent(trouble: str) -> None:
    assert ask("slm_mux", pool_with(trouble, draws(*"ABC")), samples=3).source == "a"


def test_relabelling_the_pool_permutes_the_table() -> None:
    said = {"a": "BAB", "b": "AAA", "c": "BBC"}
    answers = [
        ask("slm_mux", pool_of(*(draws(*said[n]) for n in order), names=list(order)), samples=3) for order in ("abc", "cab")
    ]
    assert table(answers[0]) == table(answers[1]) and answers[0].source == answers[1].source == "b"


@pytest.mark.parametrize("options", [{"samples": 0}, {"denominator": "n"}, {"near": 2}, {"sizes": [0, 2]}, {"tie": "coin"}])
def test_wrong_options_are_named(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=rf"slm_mux.{next(iter(options))}"):
        ask("slm_mux", pool_of("Answer: A"), **options)


# the original code


def run(samples: dict[str, Sequence[str]], accuracy: dict[str, float] | None, **options: Any) -> Completion:
    """The engine on scripted draws; ``accuracy`` stands for what a fit learns."""
    pool = pool_of(*(draws(*said) for said in samples.values()), names=list(samples))
    method = load_method("slm_mux", samples=len(next(iter(samples.values()))), **options)
    if accuracy is not None:
        names = sorted(samples, key=lambda n: (-accuracy.get(n, 0.0), list(samples).index(n)))
        means = tuple(accuracy.get(n, 0.0) for n in names)
        method.ranking_ = Ranking(tuple(names), means, (0.0,) * len(names), 10)  # type: ignore[attr-defined]
    spec = AnswerSpec(kind="multiple_choice", labels=tuple("ABCD"), choices=("soup", "tin", "rice", "cake"), question="Which?")
    return asyncio.run(Fitted(method, pool).as_model().generate(request(spec=spec)))


def of(shared: Path, name: str) -> list[dict[str, Any]]:
    vectors = json.loads((shared / "vectors" / "text_slm_mux.json").read_text())["vectors"]
    found = [v for v in vectors if name in v["function"]]
    assert found
    return found


def test_the_engine_of_the_iclr_release(shared: Path) -> None:
    for vector in of(shared, "MUXEngine"):
        samples, said = vector["inputs"]["samples"], vector["outputs"]
        answer = run(samples, vector["inputs"]["model_accuracies"], denominator="usable")
        assert answer.source == said["selected_model"]
        assert answer.confidence == pytest.approx(said["confidence"])
        tied_inside = len(set(samples[answer.source])) == len(samples[answer.source]) > 1
        if tied_inside:
            assert said["final_answer"] in samples[answer.source], "the original draws lots among them"
        else:
            assert (answer.key or "") == said["final_answer"]


def test_the_older_release(shared: Path) -> None:
    for vector in of(shared, "process_one_problem"):
        answer = run(vector["inputs"]["samples"], None, tie="order")
        assert (answer.key, answer.source) == (vector["outputs"]["final_answer"], vector["outputs"]["selected_model"])


def test_both_releases_can_be_had_where_they_differ() -> None:
    samples = {"m0": ["A", "", ""], "m1": ["B", "B", "C"]}
    assert run(samples, None, tie="order").key == "B"
    assert run(samples, None, tie="order", denominator="usable").key == "A"


def test_tie_breaks_of_the_original(shared: Path) -> None:
    for vector in of(shared, "ValidationAccuracyTieBreaker"):
        names, accuracy = vector["inputs"]["candidates_in_order"], vector["inputs"]["model_accuracies"]
        samples = {name: ["ABC"[i]] for i, name in enumerate(names)}
        assert run(samples, accuracy).source == vector["outputs"]


@pytest.mark.parametrize(
    ("options", "message"), [({"sizes": (5, 2)}, "slm_mux.sizes"), ({"select": True, "samples": 1}, "right 2 times in 1 draws")]
)
def test_a_choice_that_cannot_be_made_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_method("slm_mux", **options).check(pool_of("x", "y"))


def test_the_shortcut_costs_what_it_says() -> None:
    options: dict[str, Any] = {"samples": 3, "unanimous_shortcut": True}
    assert ask("slm_mux", pool_of("Answer: A", "Answer: A"), **options).usage.calls == 2
    assert ask("slm_mux", pool_of("Answer: A", "Answer: B"), **options).usage.calls == 2 + 2 * 3
