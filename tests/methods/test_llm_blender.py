"""LLM-Blender, as its specification promises: who compares what in which order, who sees what, and how many calls that takes."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from moco.collab import load_method
from moco.core.builders import BUILDERS
from moco.core.errors import ConfigError, PoolError, Transient
from moco.core.types import Completion, Request, Sampling
from moco.discussion.fusing import fuse_source
from moco.models.pool import Pool
from moco.models.store import Store
from moco.testing import ScriptedModel, TableModel
from tests.discussion.attacks import ATTACKS
from tests.methods.failing import broken, pool_with
from tests.methods.helpers import ask, fitted, pool_of, request, scripted, task_of

WORTH = {"soup": 3, "tin": 1, "rice": 2, "cake": 4}
FREE = request("What is best?", spec=None)
Rule = Callable[[float, float], str]


def shown(r: Request) -> tuple[str, str]:
    """The two candidates of a comparison, in the order in which they are shown."""
    lines = r.messages[-1].content.splitlines()
    first, second = [line.split(": ", 1)[1] for line in lines if line.startswith("Answer ") and ": " in line]
    return first, second


def better(a: float, b: float) -> str:
    return "FIRST" if a > b else "SECOND" if b > a else "hm"


def talks(said: str, rule: Rule = better, fuses: str = "all of it") -> Callable[[Request], str]:
    """A member that answers, compares by what things are worth, and fuses."""

    def reply(r: Request) -> str:
        prompt = r.messages[-1].content
        if "Which answer is better" in prompt:
            return rule(*(WORTH.get(text, 0) for text in shown(r)))
        return fuses if "Final answer" in prompt else said

    return reply


def team(*said: str, rule: Rule = better, names: Sequence[str] | None = None, **pool: Any) -> Pool:
    return pool_of(*(talks(s, rule) for s in said), names=names, **pool)


def stages(answer: Completion) -> Counter[str]:
    return Counter(c.tag.stage for c in answer.calls)


def test_all_ordered_pairs_are_compared_and_the_best_are_fused() -> None:
    pool = team("tin", "cake", "soup", "rice")
    answer = ask("llm_blender", pool, FREE)
    assert stages(answer) == {"answer": 4, "compare": 12, "fuse": 1}
    assert answer.usage.calls == 17
    assert (answer.text, answer.source) == ("all of it", "a")
    assert answer.reason["scores"] == {"a": -1.5, "b": 1.5, "c": 0.5, "d": -0.5}
    assert answer.reason["ranks"] == [4, 1, 2, 3]
    assert sorted(answer.calls[-1].tag.sees) == ["answer.0.b.0", "answer.0.c.0", "answer.0.d.0"], "the best three"
    fused = scripted(pool, "a").requests[-1].messages[-1].content
    assert all(thing in fused for thing in ("cake", "soup", "rice")) and "tin" not in fused


def test_a_comparison_shows_the_question_and_both_texts_and_no_names() -> None:
    pool = team("tin", "cake", names=["ann", "bob"])
    ask("llm_blender", pool)
    compared = [r for r in scripted(pool, "ann").requests if "Which answer is better" in r.messages[-1].content]
    assert [shown(r) for r in compared] == [("tin", "cake"), ("cake", "tin")]
    for r in compared:
        text = r.messages[-1].content
        assert "Which?\nA. soup" in text and "ann" not in text.replace("answer", "").replace("Answer", "")
        assert (r.sampling.temperature, r.sampling.max_tokens) == (0, 8)


def test_without_a_fuser_the_best_candidate_stands() -> None:
    answer = ask("llm_blender", team("tin", "cake", "soup"), FREE, fuser="none")
    assert (answer.text, answer.source, stages(answer)) == ("cake", "b", {"answer": 3, "compare": 6})


@pytest.mark.parametrize("rule", [lambda a, b: "FIRST", lambda a, b: "SECOND", lambda a, b: "no idea"])
def test_a_judge_that_likes_a_place_or_says_nothing_leaves_the_dev_order(rule: Rule) -> None:
    pool = pool_of(*(talks(s, rule) for s in ("tin", "Answer: D", "soup")))
    done = fitted("llm_blender", pool, task_of("A", dev="DD"), fuser="none")
    answer = asyncio.run(done.as_model().generate(request()))
    assert answer.source == "b" and set(answer.reason["scores"].values()) == {0.0}


def test_aggregation_and_top_k_need_no_new_generation() -> None:
    pool = team("tin", "cake", "soup", "rice")
    ask("llm_blender", pool, FREE, top_k=4)
    asked = sum(len(scripted(pool, n).requests) for n in "abcd")
    for options in ({"policy": "max_wins", "top_k": 4}, {"fuser": "none"}, {"fuser": "none", "policy": "max_wins"}):
        assert ask("llm_blender", pool, FREE, **options).text
    assert ask("llm_blender", pool, FREE, fuser="none", inference="bubble", top_k=1).text == "cake"
    assert ask("llm_blender", pool, FREE, fuser="none", orders="one").text == "cake"
    assert sum(len(scripted(pool, n).requests) for n in "abcd") == asked


def test_a_bubble_takes_one_pass() -> None:
    answer = ask("llm_blender", team("tin", "cake", "soup", "rice"), FREE, inference="bubble", fuser="none")
    assert (answer.text, answer.reason["best"], stages(answer)["compare"]) == ("cake", "b", 6)
    with pytest.raises(ConfigError, match="best candidate only"):
        ask("llm_blender", team("tin"), FREE, inference="bubble")


def test_one_order_costs_half() -> None:
    answer = ask("llm_blender", team("tin", "cake", "soup", "rice"), FREE, orders="one", fuser="none")
    assert (answer.text, stages(answer)["compare"]) == ("cake", 6)


def test_equal_candidates_are_one_and_empty_ones_none() -> None:
    answer = ask("llm_blender", team("tin", "cake", " tin", "", "tin"), FREE, fuser="none")
    assert (answer.reason["candidates"], stages(answer)["compare"]) == (["a", "b"], 2)
    pulled = ask("llm_blender", team("tin", "cake", "tin", "tin"), FREE, fuser="none", prior=3.0)
    assert pulled.text == "tin", "log 3 times 3 is more than what one pair can say"


@pytest.mark.parametrize("said", [["tin"], ["tin", "tin", " tin\n"], ["", "tin"], ["", ""]])
def test_one_candidate_stays_as_it_is_and_nobody_is_asked(said: list[str]) -> None:
    answer = ask("llm_blender", team(*said), FREE)
    assert answer.text in ("tin", "")
    assert stages(answer) == {"answer": len(said)}


def test_fusing_one_candidate_can_be_wanted() -> None:
    answer = ask("llm_blender", team("tin", "tin"), FREE, fuse_unanimous=True)
    assert (answer.text, stages(answer)) == ("all of it", {"answer": 2, "fuse": 1})


def test_a_fused_answer_may_have_to_win() -> None:
    worse = ask("llm_blender", team("tin", "cake"), FREE, accept="if_better")
    assert (worse.text, worse.reason["fused"], worse.usage.calls) == ("cake", False, 2 + 2 + 1 + 2)
    pool = pool_of(talks("tin", fuses="cake"), talks("soup"))
    assert ask("llm_blender", pool, FREE, accept="if_better").text == "cake"


def test_judge_and_writer_are_options_roles_helpers_or_the_best_on_dev() -> None:
    assert judges(ask("llm_blender", team("tin", "cake"), FREE, judge="b", writer="b")) == {("compare", "b"), ("fuse", "b")}
    cast = [{"model": ScriptedModel(n, talks(s)), "role": r} for n, s, r in (("a", "tin", ""), ("b", "cake", "judge"))]
    assert judges(ask("llm_blender", Pool(cast, store=Store(None)), FREE)) == {("compare", "b"), ("fuse", "a")}
    wise = ScriptedModel("wise", talks("none", lambda a, b: better(b, a)))
    helped = Pool([ScriptedModel("a", talks("tin")), ScriptedModel("b", talks("cake"))], store=Store(None), aux={"judge": wise})
    answer = ask("llm_blender", helped, FREE, judge="aux.judge", fuser="none")
    assert (answer.text, judges(answer)) == ("tin", {("compare", "judge")})
    done = fitted("llm_blender", pool_of(talks("tin"), talks("Answer: D")), task_of("A", dev="DD"))
    assert judges(asyncio.run(done.as_model().generate(request()))) == {("compare", "b"), ("fuse", "b")}


def judges(answer: Completion) -> set[tuple[str, str]]:
    return {(c.tag.stage, c.member) for c in answer.calls if c.tag.stage != "answer"}


def test_the_fuser_sees_a_random_order_or_the_best_first() -> None:
    orders = set()
    for i in range(12):
        pool = team("tin", "cake", "soup")
        ask("llm_blender", pool, request(f"What is best, {i}?", spec=None))
        prompt = scripted(pool, "a").requests[-1].messages[-1].content
        orders.add(tuple(sorted(("tin", "cake", "soup"), key=prompt.index)))
    assert len(orders) > 2
    pool = team("tin", "cake", "soup")
    ask("llm_blender", pool, FREE, order="ranked", temperature=0)
    final = scripted(pool, "a").requests[-1]
    assert (
        "1: cake\nAnswer 2: soup\nAnswer 3: tin" in final.messages[-1].content and "best one first" in final.messages[-1].content
    )
    assert final.sampling.temperature == 0


def test_labels_and_verdicts_may_be_of_ones_own() -> None:
    def reply(r: Request) -> str:
        prompt = r.messages[-1].content
        if "A or B?" not in prompt:
            return "tin" if "x" not in prompt else "cake"
        return f"Cake it is. Answer: {'A' if 'Answer A: cake' in prompt else 'B'}"

    pool = pool_of(reply, "cake")
    words = "Question: {question}\n{answers}\nWhich answer is better, {first} or {second}?"
    options = {"compare": words, "labels": ["A", "B"], "reply": "Answer: {label}", "ranker_tokens": 48, "fuser": "none"}
    answer = ask("llm_blender", pool, FREE, **options)
    assert (answer.text, answer.reason["notes"]) == ("cake", [])
    assert scripted(pool, "a").requests[1].messages[-1].content.startswith("Question: What is best?\nAnswer A: ")


def test_soft_verdicts_are_log_odds_and_need_scores() -> None:
    words = ["tin", "cake", "?", "FIRST", "SECOND", "<eos>"]

    def law(ids: tuple[int, ...]) -> Sequence[float]:
        things = [i for i in ids if i < 2]
        if 3 in ids:  # a comparison: a liking for what is first, and for cake
            return [0, 0, 0, *((0.9, 0.1) if things[0] == 1 else (0.6, 0.4)), 0]
        return [0, 0, 0, 0, 0, 1] if things else [1, 0, 0, 0, 0, 0]

    pool = Pool([TableModel("a", words, law), ScriptedModel("b", "cake")], store=Store(None))
    options: dict[str, Any] = {"verdict": "soft", "judge": "a", "fuser": "none"}
    answer = ask("llm_blender", pool, request("?", spec=None, temperature=1.0), **options)
    assert answer.text == "cake"
    assert answer.reason["matrix"][1][0] == pytest.approx(2.197225) and answer.reason["matrix"][0][1] == pytest.approx(0.405465)
    with pytest.raises(PoolError, match="needs SCORE of 'b'"):
        ask("llm_blender", pool, FREE, verdict="soft")


# troubles


@pytest.mark.parametrize("trouble", ["broken", "late"])
def test_candidates_that_fail_or_are_late(trouble: str) -> None:
    said = (talks("tin"), talks("cake"))
    with pytest.raises(Transient):
        ask("llm_blender", pool_with(trouble, *said), FREE, deadline=0.05)
    answer = ask("llm_blender", pool_with(trouble, *said), FREE, deadline=0.05, on_failure="drop", fuser="none")
    assert (answer.text, answer.reason["dropped"]) == ("cake", ["z"])


@pytest.mark.parametrize(("role", "text", "failures"), [("judge", "tin", 6), ("writer", "cake", 1)])
def test_a_judge_or_writer_that_fails_has_no_say(role: str, text: str, failures: int) -> None:
    def answers_only(r: Request) -> str:
        return broken(r) if "Answer" in r.messages[-1].content else "rice"

    pool = pool_of(talks("tin"), talks("cake"), answers_only)
    options = {"judge": "a", "fuser": "none" if role == "judge" else "prompt", role: "c"}
    with pytest.raises(Transient):
        ask("llm_blender", pool, FREE, **options)
    answer = ask("llm_blender", pool, FREE, **options, on_failure="drop")
    assert answer.text == text
    assert json.dumps(answer.reason).count("out of order") == failures


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_a_judge_that_copies_an_attack_is_not_believed(attack: str) -> None:
    """The judge parrots the malicious candidate; the honest one, better on dev, stays first."""

    def parrot(r: Request) -> str:
        prompt = r.messages[-1].content
        return attack if "Which answer is better" in prompt else "Onion soup." if "dev" not in prompt else "Answer: D"

    done = fitted("llm_blender", pool_of(parrot, attack), task_of("A", dev="DD"), fuser="none")
    answer = asyncio.run(done.as_model().generate(FREE))
    assert answer.text == "Onion soup."
    assert [set(note) for note in answer.reason["notes"]] == [{"pair", "unreadable"}] * 2


def test_relabelling_the_pool_permutes_everything() -> None:
    said = {"a": "tin", "b": "cake", "c": "soup"}
    answers = [
        ask("llm_blender", team(*(said[n] for n in order), names=list(order)), FREE, judge="b", writer="b")
        for order in ("abc", "cab")
    ]
    one, two = ({(c.tag.stage, c.member, c.prompt, c.text) for c in a.calls} for a in answers)
    assert one == two
    assert answers[0].reason["scores"] == answers[1].reason["scores"] and answers[0].text == answers[1].text


def test_either_order_of_methods_gives_the_same_transcripts() -> None:
    found = []
    for order in (("llm_blender", "majority_vote"), ("majority_vote", "llm_blender")):
        pool = team("Answer: A", "Answer: B", "Answer: B")
        found.append(({name: ask(name, pool).calls for name in order}, sum(len(scripted(pool, n).requests) for n in "abc")))
    assert found[0] == found[1]
    assert found[0][1] == 3 + 2 + 1


def test_eight_long_answers_in_a_window_of_256_tokens() -> None:
    """Every request fits, question and instruction are whole, and what was cut is on record."""
    question = "Which of these soups is the best one?"
    pool = pool_of(*(talks(f"{i} " + "word " * 900, lambda a, b: "hm") for i in range(8)))
    for name in pool.names:
        scripted(pool, name).context = 256  # type: ignore[attr-defined]
    asked = request(question, spec=None).but(sampling=Sampling(max_tokens=64))
    answer = ask("llm_blender", pool, asked, top_k=8)
    for call in answer.calls[8:]:
        assert len(call.prompt) <= 3 * (256 - (8 if call.tag.stage == "compare" else 64))
        assert question in call.prompt
        assert call.prompt.endswith(("FIRST or SECOND", "Final answer:"))
    assert len(answer.reason["trim"]["kept"]) == 8
    trims = [n for n in answer.reason["notes"] if "trim" in n]
    assert len(trims) == 56 and all(n["trim"]["of"][0] > 900 for n in trims)
    chosen = ask("majority_vote", pool, asked, free_text="usc").calls[-1]
    assert len(chosen.prompt) <= 3 * (256 - 32) and question in chosen.prompt and chosen.prompt.endswith("Choice: <number>")


# a ranker that learns


def test_a_ranker_learns_from_dev_pairs_in_both_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    lessons: list[Any] = []

    def train(model: Any, spec: Any, data: Any, *, folder: Path, seed: int, progress: Any) -> None:
        lessons.extend(data)
        (folder / "note.txt").write_text(model.name)

    monkeypatch.setitem(BUILDERS._items, "train-sft", train)
    monkeypatch.setitem(BUILDERS._items, "model", lambda reference, pool: ScriptedModel("tuned", talks("none")))
    pool = pool_of(talks("Answer: A"), talks("Answer: B"), talks("Answer: A"))
    done = fitted("llm_blender", pool, task_of("A", dev="AB"), ranker="trained", fuser="none")
    assert [m["role"] for row in lessons for m in row["messages"]] == ["user", "assistant"] * 4
    pairs = Counter((shown_in(row), row["messages"][1]["content"]) for row in lessons)
    assert pairs == {(p, v): 1 for p in (("A", "B"), ("B", "A")) for v in ("FIRST", "SECOND")}, "each letter wins once"
    answer = asyncio.run(done.as_model().generate(FREE))
    assert judges(answer) == {("compare", "ranker")}


def shown_in(row: dict[str, Any]) -> tuple[str, ...]:
    lines = row["messages"][0]["content"].splitlines()
    return tuple(line[-1] for line in lines if line.startswith(("Answer FIRST: ", "Answer SECOND: ")))


def test_a_ranker_that_has_not_learned_says_so() -> None:
    with pytest.raises(ConfigError, match="has not been trained"):
        ask("llm_blender", team("tin", "cake"), FREE, ranker="trained")


# options and the original


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top_k": 0}, r"llm_blender.top_k"),
        ({"compare": "none"}, r"llm_blender.compare"),
        ({"fuse": "{answer}"}, r"llm_blender.fuse"),
        ({"labels": ["A"]}, r"llm_blender.labels"),
        ({"reply": "Answer"}, "no {label}"),
        ({"judge": "zed"}, "no member 'zed'"),
        ({"writer": "zed"}, "no member 'zed'"),
        ({"writer": "aux.judge"}, "no member 'aux.judge'"),
        ({"labels": ["A", "A"]}, "must differ"),
    ],
)
def test_wrong_options_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ask("llm_blender", team("tin"), **options)
    with pytest.raises(PoolError, match="no helper 'judge'"):
        ask("llm_blender", team("tin"), judge="aux.judge")
    with pytest.raises(PoolError, match="no model folder"):
        ask("llm_blender", team("tin"), ranker="pairrm", ranker_model="./nowhere")


def test_presets_are_the_originals() -> None:
    paper, moco = (load_method("llm_blender", preset=p).options for p in ("paper", "moco"))
    assert (paper["ranker"], paper["fuser"], paper["policy"], paper["top_k"]) == ("pairrm", "gen_fuser", "max_logits", 3)
    assert (moco["orders"], moco["policy"]) == ("one", "max_wins")


def test_the_published_fusers_source_string() -> None:
    text = fuse_source("Sort.", ["1 2", "2</s>1"], "2 1", cut=lambda t: t[:3])
    assert text == (
        "Instruction: Sort.</s>Input: 2 1</s>Candidate 0: <extra_id_0>:1 2</s>Candidate 1: <extra_id_1>:2< </s>"
        "Summarize candidates into a better one for the given instruction:"
    )


def test_the_source_string_of_the_original(shared: Path) -> None:
    vectors = json.loads((shared / "vectors" / "text_llm_blender.json").read_text())["vectors"]
    (vector,) = [v for v in vectors if "GenFuserDataset" in v["function"]]
    given = vector["inputs"]
    assert fuse_source(given["instructions"][0], given["candidates"][0], given["inputs"][0]) == vector["outputs"]


def test_a_helper_cannot_be_trained_to_judge() -> None:
    with pytest.raises(ConfigError, match="only a member can be trained"):
        load_method("llm_blender", ranker="trained", judge="aux.judge").check(pool_of("x", "y"))


def test_a_scoring_counts_as_a_call() -> None:
    pool = Pool(
        [TableModel("a", ["FIRST", "SECOND", "<eos>"], lambda _: [1, 1, 1]), ScriptedModel("b", "cake")], store=Store(None)
    )
    answer = ask("llm_blender", pool, FREE, verdict="soft", judge="a", fuser="none")
    assert [c.tag.stage for c in answer.calls].count("score") == 4 and answer.usage.calls == 2 + 2 * 2
