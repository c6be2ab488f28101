"""What arXiv 2410.15686 promises of agents on a graph, on scripted members: who sees whom, how far, how it ends."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moco.collab import Fitted, load_method
from moco.core.errors import BackendError, ConfigError, PoolError, Transient
from moco.core.types import Completion, Request
from moco.discussion.topology import graph_of, hears
from moco.models.pool import Pool
from moco.models.store import Store
from tests.methods.helpers import ask, fitted, pool_of, request, scripted, task_of

MARK = re.compile(r"<<r(\d)a(\d)>>")


def agent(number: int) -> Callable[[Request], str]:
    """Says who it is and which call this is."""
    calls = iter(range(99))
    return lambda r: f"<<r{next(calls)}a{number}>> Answer: A"


def crowd(n: int) -> Pool:
    return pool_of(*(agent(i) for i in range(n)))


def seen(pool: Pool, name: str, call: int) -> set[tuple[int, int]]:
    text = " ".join(m.content for m in scripted(pool, name).requests[call].messages)
    return {(int(r), int(a)) for r, a in MARK.findall(text)}


@pytest.mark.parametrize("shape", ["chain", "ring", "star", "tree", "hub", "complete"])
def test_an_update_shows_the_own_view_and_the_neighbours_of_the_round_before(shape: Any) -> None:
    n, rounds = 5, 4
    pool = crowd(n)
    answer = ask("structured_interaction", pool, topology=shape, rounds=rounds)
    graph = graph_of(shape, n)
    for i, name in enumerate(pool.names):
        assert scripted(pool, name).requests[0] == request(), "the first answer is the shared one"
        for r in range(1, rounds):
            assert seen(pool, name, r) == {(r - 1, j) for j in [*hears(graph, i), i]}
    assert answer.usage.calls == n * rounds
    assert answer.reason["topology"] == shape and answer.reason["hops"] == 3


@pytest.mark.parametrize(("isolated", "calls"), [("keep", 5), ("reask", 7)])
def test_who_hears_nobody_keeps_its_answer_or_is_asked_again(isolated: str, calls: int) -> None:
    pool = crowd(3)
    matrix = [[0, 1, 0], [0, 0, 0], [0, 0, 0]]  # only b hears, and it hears a
    answer = ask("structured_interaction", pool, topology="matrix", matrix=matrix, rounds=3, isolated=isolated)
    assert [len(scripted(pool, n).requests) for n in "abc"] == ([1, 3, 1] if isolated == "keep" else [3, 3, 3])
    assert answer.usage.calls == (5 if isolated == "keep" else 9)
    if isolated == "reask":
        assert "Check it once more" in scripted(pool, "a").requests[1].messages[-1].content
    assert calls


def test_silent_neighbours_are_nobody() -> None:
    pool = pool_of("Answer: A", "")
    ask("structured_interaction", pool, topology="chain", rounds=2)
    assert len(scripted(pool, "a").requests) == 1, "its only neighbour said nothing"
    assert "Answer: A" in scripted(pool, "b").requests[1].messages[-1].content


def test_what_is_said_travels_one_edge_a_round() -> None:
    def relay(name: str) -> Callable[[Request], str]:
        def reply(r: Request) -> str:
            held = sorted(set(re.findall(r"heard-\w", " ".join(m.content for m in r.messages))) | {f"heard-{name}"})
            return f"{' '.join(held)} Answer: A"

        return reply

    pool = pool_of(*(relay(n) for n in "abcde"))
    ask("structured_interaction", pool, topology="chain", rounds=3)
    last = [" ".join(m.content for m in scripted(pool, n).requests[-1].messages) for n in "abcde"]
    assert ["heard-a" in text for text in last] == [True, True, True, False, False]


@pytest.mark.parametrize("history", ["last", "full"])
def test_on_the_complete_graph_it_is_the_debate_request_by_request(history: str, heard: list[Request]) -> None:
    said = ("Answer: A", "So B. Answer: B", "Answer: B")
    store = Store(None)
    debate = ask("multiagent_refine", pool_of(*said, store=store), rounds=3, history=history)
    asked = len(heard)
    graph = ask("structured_interaction", pool_of(*said, store=store), rounds=3, history=history, topology="complete")
    assert len(heard) == asked, "every request was already answered"
    assert (graph.text, graph.usage, [c.text for c in graph.calls]) == (debate.text, debate.usage, [c.text for c in debate.calls])


def test_fewer_rounds_are_a_prefix() -> None:
    store = Store(None)
    three = ask("structured_interaction", (long := pool_of("Answer: A", "Answer: B", "C", store=store)), rounds=3)
    two = ask("structured_interaction", (short := pool_of("Answer: A", "Answer: B", "C", store=store)), rounds=2)
    assert all(scripted(long, n).requests and not scripted(short, n).requests for n in "abc")
    assert two.reason["rounds"] == three.reason["rounds"][:2]


def test_turning_a_ring_turns_the_transcript() -> None:
    said = {"a": "Answer: B", "b": "So B. Answer: B", "c": "Answer: A", "d": "Maybe. Answer: C"}

    def sees(order: str) -> dict[str, set[str]]:
        answer = ask("structured_interaction", pool_of(*(said[n] for n in order), names=list(order)), topology="ring", rounds=3)
        return {c.id: set(c.tag.sees) for c in answer.calls}

    assert sees("abcd") == sees("cdab")


def test_copies_of_a_model_are_nodes_of_their_own() -> None:
    model = pool_of(lambda r: f"<<r0a{r.replicate}>> Answer: A")["a"].model
    pool = Pool([{"name": n, "model": model} for n in "abc"], store=Store(None))
    answer = ask("structured_interaction", pool, topology="chain", rounds=2)
    assert len(answer.reason["rounds"][0]) == 3
    assert [c.member for c in answer.calls] == ["a", "b", "c"] * 2


def test_the_best_on_dev_sits_where_it_is_told() -> None:
    pool = pool_of("Answer: A", "Answer: B", "Answer: C")
    done = fitted("structured_interaction", pool, task_of("A", dev="CCB"), topology="hub", order="dev_desc", aggregate="hub")
    answer = asyncio.run(done.as_model().generate(request()))
    assert answer.reason["order"] == ["c", "b", "a"]
    assert (answer.source, answer.reason["rule"]) == ("c", "hub")
    named = ask("structured_interaction", pool, topology="chain", order=["b", "a", "c"], rounds=2)
    assert {c.tag.agent: len(c.tag.sees) for c in named.calls if c.tag.stage == "revise"} == {"a": 3, "b": 2, "c": 2}


def test_free_text_is_the_best_members_own() -> None:
    answer = ask("structured_interaction", pool_of("One day.", "Once upon a time."), request("Tell a story", spec=None))
    assert (answer.text, answer.reason["rule"]) == ("One day.", "agent")


def test_searching_takes_the_best_graph_on_dev_and_reports_the_spread() -> None:
    def follower(r: Request) -> str:
        return "Answer: B" if "Answer: B" in r.messages[-1].content else "Answer: A"

    pool = pool_of(follower, "Answer: A", "Answer: B", "Answer: A", follower)
    search = ["chain", "complete"]
    done = fitted("structured_interaction", pool, task_of("B", dev="BB"), search=search, rounds=2)
    method: Any = done.method
    assert method.found_ == {"chain": 0.0, "complete": 1.0} and method.chosen_ == "complete"
    assert asyncio.run(done.as_model().generate(request())).reason["topology"] == "complete"


# views


def tagged(answer: str, reason: str = "so", memory: str = "note") -> str:
    return f"<REASON>: {reason}\n<ANSWER>: {answer}\n<MEMORY>: {memory}"


def test_views_are_asked_for_shown_without_memory_and_read() -> None:
    pool = pool_of(tagged("A", "first", "secret of a"), tagged("B", "second", "secret of b"))
    answer = ask("structured_interaction", pool, format="relcom", topology="chain", rounds=2)
    first, second = (scripted(pool, "a").requests[i].messages[-1].content for i in (0, 1))
    assert first.startswith("Which?") and "<MEMORY>" in first
    assert "secret of a" in second and "secret of b" not in second
    assert "Answer: B" in second and "second" in second and second.index("second") < second.index("Which?")
    assert answer.reason["rounds"] == [["A", "B"], ["A", "B"]]
    assert answer.text == "A"


def test_a_view_without_tags_is_read_by_the_tasks_rules() -> None:
    answer = ask("structured_interaction", pool_of("Answer: C", tagged("C")), format="relcom", rounds=1)
    assert answer.key == "C" and answer.confidence == 1.0


def test_copied_tags_are_no_answer() -> None:
    def parrot(r: Request) -> str:
        return r.messages[-1].content.partition("What the others say:")[2].partition("Which?")[0] or tagged("A")

    pool = pool_of(parrot, tagged("D", "<ANSWER>: D"), tagged("A"))
    ask("structured_interaction", pool, format="relcom", topology="complete", rounds=2)
    assert "<ANSWER>: D" not in scripted(pool, "a").requests[1].messages[-1].content.partition("Which?")[0]


# failures


def fails_in(round: int) -> Callable[[Request], str]:
    calls = iter(range(99))

    def reply(r: Request) -> str:
        if next(calls) == round:
            raise Transient("out of order")
        return "Answer: B"

    return reply


def test_a_failure_fails_the_question_or_the_last_answer_stands() -> None:
    with pytest.raises(BackendError, match="out of order"):
        ask("structured_interaction", pool_of("Answer: A", fails_in(1)), topology="chain")
    late = ask("structured_interaction", pool_of("Answer: A", fails_in(1)), topology="chain", rounds=3, on_failure="drop")
    assert late.reason["lost"] == ["b@1 (revise)"] and late.reason["rounds"][1] == ["A", "B"]
    early = ask("structured_interaction", pool_of("Answer: A", fails_in(0), "A"), topology="complete", on_failure="drop")
    assert early.reason["dropped"] == ["b"] and len(early.reason["rounds"][0]) == 2
    with pytest.raises(BackendError):
        ask("structured_interaction", pool_of(fails_in(0), fails_in(0)), on_failure="drop", format="relcom")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"topology": "matrix", "matrix": [[0, 1]]}, ConfigError, "1 x 2"),
        ({"topology": "matrix", "matrix": [[1, 0], [0, 0]]}, ConfigError, "hears itself"),
        ({"topology": "layers", "layers": [1]}, ConfigError, "layers of"),
        ({"topology": "star", "order": ["a"]}, PoolError, "order does not name"),
        ({"topology": "cube"}, ConfigError, "structured_interaction.topology"),
        ({"relcom": "nothing"}, ConfigError, "structured_interaction.relcom"),
    ],
)
def test_wrong_options_are_told_before_anything_runs(options: dict[str, Any], error: type[Exception], message: str) -> None:
    pool = pool_of("Answer: A", "Answer: B")
    with pytest.raises(error, match=message):
        Fitted(load_method("structured_interaction", **options), pool).as_model()
    assert not scripted(pool, "a").requests


def test_vector_visibility(shared: Path) -> None:
    found = json.loads((shared / "vectors" / "text_structured_interaction.json").read_text())["vectors"]
    vectors = [v for v in found if "visibility" in v["function"]]
    assert vectors
    for vector in vectors:
        matrix, turns = vector["inputs"]["adjacency"], vector["inputs"]["turns"]
        pool = crowd(len(matrix))
        options: dict[str, Any] = {"topology": "matrix", "matrix": matrix, "isolated": "reask"}
        ask("structured_interaction", pool, rounds=turns + 1, **options)
        for call in vector["outputs"]:
            assert seen(pool, pool.names[call["agent"]], call["round"]) == {tuple(s) for s in call["sees"]}


def test_confidence_and_completion_are_real() -> None:
    answer: Completion = ask("structured_interaction", pool_of("Answer: A", "Answer: A", "Answer: B"), topology="ring")
    assert answer.confidence == pytest.approx(2 / 3) and answer.key == "A"


def test_agreement_of_views_is_agreement_of_their_answer_parts() -> None:
    said = "<REASON>: r <ANSWER>: Answer: {} <MEMORY>: Answer: {}"
    pool = pool_of(said.format("B", "C"), said.format("B", "D"))
    answer = ask("structured_interaction", pool, topology="chain", format="relcom", rounds=3, early_stop="consensus")
    assert (answer.reason["stopped"], answer.usage.calls, answer.key) == ("consensus", 2, "B")


def test_among_equal_hubs_the_first_node_speaks() -> None:
    pool = pool_of("Answer: A", "Answer: B", "Answer: C")
    answer = ask("structured_interaction", pool, topology="complete", rounds=1, aggregate="hub", order=["c", "a", "b"])
    assert answer.source == "c"


def test_a_negative_seed_of_a_graph_is_named() -> None:
    with pytest.raises(ConfigError, match="graph_seed"):
        load_method("structured_interaction", topology="random", graph_seed=-1)
