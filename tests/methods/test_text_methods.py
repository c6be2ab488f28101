"""What holds for every method of the text level: sharing, order, independence, reasoning, overflow, and documented costs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from moco.collab import Fitted, load_method
from moco.core.errors import Transient
from moco.core.types import Completion, Request, Usage
from moco.models.pool import Pool
from moco.models.store import Store
from moco.testing import ScriptedModel
from tests.methods.helpers import ask, pool_of, request, scripted

TEXT: list[tuple[str, dict[str, Any]]] = [
    ("majority_vote", {}),
    ("multiagent_refine", {}),
    ("multiagent_refine", {"history": "last", "rounds": 3, "aggregate": "summarize"}),
    ("multiagent_refine", {"summarize_peers": True}),
    ("multiagent_feedback", {}),
    ("multiagent_feedback", {"mode": "abstain"}),
    ("structured_interaction", {"topology": "star"}),
    ("structured_interaction", {"format": "relcom"}),
    ("knowledge_card", {}),
    ("knowledge_card", {"mode": "bottom_up"}),
    ("knowledge_card", {"mode": "top_down_explicit"}),
    ("bbmas", {"rounds": 2}),
    ("bbmas", {"control": "self", "rounds": 2}),
    ("mixture_of_agents", {}),
    ("llm_blender", {}),
]
SHARING = {"majority_vote", "multiagent_refine", "multiagent_feedback", "mixture_of_agents", "llm_blender"}


def name_of(case: tuple[str, dict[str, Any]]) -> str:
    return "-".join([case[0], *map(str, case[1].values())])


def varied(letters: str) -> Callable[[Request], str]:
    """A member whose answer depends on the request alone."""

    def reply(r: Request) -> str:
        text = "".join(m.content for m in r.messages) + (r.text or "")
        return f"I think so. Answer: {letters[(len(text) + sum(r.draw)) % len(letters)]}"

    return reply


def team(store: Store | None = None) -> Pool:
    return pool_of(varied("ABC"), varied("BCA"), varied("CCAB"), store=store)


def test_two_methods_in_either_order_give_the_same_transcripts(heard: list[Request]) -> None:
    transcripts = []
    for order in (TEXT, TEXT[::-1]):
        store = Store(None)
        heard.clear()
        found = {name_of(case): ask(case[0], team(store), **case[1]) for case in order}
        assert sum(r == request() for r in heard) == 3, "the shared first answers are paid once for all methods"
        transcripts.append({key: found[key] for key in sorted(found)})
    assert transcripts[0] == transcripts[1]


@pytest.mark.parametrize("case", TEXT, ids=name_of)
def test_items_alone_or_together_give_the_same_transcripts(case: tuple[str, dict[str, Any]]) -> None:
    asked = [request(f"Which {'very ' * i}one?") for i in range(6)]

    def model() -> Any:
        return Fitted(load_method(case[0], **case[1]), team()).as_model()

    async def together() -> list[Completion]:
        one = model()
        return await asyncio.gather(*(one.generate(r) for r in asked))

    assert asyncio.run(together()) == [asyncio.run(model().generate(r)) for r in asked]


@pytest.mark.parametrize("case", TEXT, ids=name_of)
def test_reasoning_is_shown_to_nobody(case: tuple[str, dict[str, Any]], heard: list[Request]) -> None:
    def thinker(letter: str) -> Callable[[Request], Completion]:
        return lambda r: Completion(f"Answer: {letter}", reasoning="my secret thoughts", usage=Usage(1, 1, 1))

    ask(case[0], pool_of(thinker("A"), thinker("B"), thinker("A")), **case[1])
    assert heard and not any("secret" in m.content for r in heard for m in r.messages)


@pytest.mark.parametrize("case", TEXT, ids=name_of)
def test_every_request_fits_a_window_of_256_tokens_with_question_and_instruction(case: tuple[str, dict[str, Any]]) -> None:
    long = "word " * 300 + "Answer: A"
    pool = pool_of(*[long] * 8)
    for member in pool:
        member.model.model.context = 256  # type: ignore[attr-defined]
    asked = request(sampling=request().sampling.but(max_tokens=40))
    answer = ask(case[0], pool, asked, **case[1])
    quoting = [c for c in answer.calls if c.tag.sees]
    for call in answer.calls:
        assert -(-len(call.prompt) // 3) <= 256 - 40, call.prompt
        assert "Which?" in call.prompt
    if quoting:
        assert any("[...]" in c.prompt or "Answer: A" in c.prompt for c in quoting)
        notes = (
            answer.reason.get("trims")
            or answer.reason.get("trim")
            or answer.reason.get("notes")
            or answer.reason.get("comparisons")
        )
        assert notes, "what was cut is on record"


class Slow(ScriptedModel):
    """Needs longer than anybody waits."""

    async def generate(self, r: Request) -> Completion:
        await asyncio.sleep(30)
        return await super().generate(r)


def broken(r: Request) -> str:
    raise Transient("out of order")


def weak(kind: str) -> ScriptedModel:
    replies = {"failing": broken, "silent": lambda r: "", "refusing": lambda r: "I cannot help with that.", "slow": "Answer: B"}
    reply: Any = replies[kind]
    return Slow("d", reply) if kind == "slow" else ScriptedModel("d", reply)


FIRST_OF_EACH = [case for case in TEXT if case == next(c for c in TEXT if c[0] == case[0])]
WEAK = [(case, kind) for kind in ("failing", "silent", "refusing") for case in TEXT] + [(case, "slow") for case in FIRST_OF_EACH]


@pytest.mark.parametrize(("case", "kind"), WEAK, ids=[f"{name_of(case)}-{kind}" for case, kind in WEAK])
def test_a_member_that_fails_is_late_refuses_or_says_nothing_stops_nobody(case: tuple[str, dict[str, Any]], kind: str) -> None:
    method, options = case
    limits: dict[str, Any] = {"deadline": 0.2} if kind == "slow" else {}
    if method != "mixture_of_agents":
        limits["on_failure"] = "drop"
    if method == "bbmas":
        limits |= {"controller": "a", "repairs": 0}
    pool = Pool([*(ScriptedModel(n, "I think so. Answer: A") for n in "abc"), weak(kind)], store=Store(None))
    answer = ask(method, pool, **options, **limits)
    assert answer.key == "A" or method == "bbmas"
    if kind in ("failing", "slow") and any(c.member == "d" for c in answer.calls):
        assert any(c.finish == "error" for c in answer.calls if c.member == "d")
        assert [answer.reason.get(k) for k in ("dropped", "lost", "notes")] != [None] * 3, "who was missing is on record"


def test_a_failing_summariser_leaves_the_best_members_own_text() -> None:
    def writes(r: Request) -> str:
        if "combine their answers" in r.messages[-1].content:
            raise Transient("out of order")
        return "Answer: A"

    pool = pool_of(writes, "Answer: B")
    answer = ask("multiagent_refine", pool, aggregate="summarize", rounds=1, on_failure="drop")
    assert (answer.text, answer.reason["failed"]) == ("Answer: A", "a (summarize)")
    with pytest.raises(Transient):
        ask("multiagent_refine", pool_of(writes, "Answer: B"), aggregate="summarize", rounds=1)


N = 4
COSTS: list[tuple[str, dict[str, Any], int]] = [
    ("majority_vote", {}, N),
    ("multiagent_refine", {"rounds": 3}, 3 * N),
    ("multiagent_refine", {"rounds": 2, "replicas": 2}, 4 * N),
    ("multiagent_refine", {"rounds": 3, "summarize_peers": True}, 3 * N + 2 * N),
    ("multiagent_refine", {"rounds": 2, "aggregate": "summarize"}, 2 * N + 1),
    ("multiagent_refine", {"rounds": 1, "aggregate": "judge"}, N + N * (N - 1)),
    ("multiagent_feedback", {"rounds": 3}, N + 2 * N * (2 + 1)),
    ("multiagent_feedback", {"feedback_count": 3}, N + N * (3 + 1)),
    ("multiagent_feedback", {"mode": "abstain"}, 5),
    ("multiagent_feedback", {"mode": "abstain", "reviewers": "self"}, 8),
    ("multiagent_feedback", {"mode": "compete"}, 3),
    ("structured_interaction", {"topology": "chain"}, 3 * N),
    ("structured_interaction", {"topology": "hub_in"}, N + 2),
    ("structured_interaction", {"topology": "hub_in", "isolated": "reask"}, 3 * N),
    ("knowledge_card", {}, N + 1),
    ("knowledge_card", {"exclude_self": True}, N),
    ("knowledge_card", {"mode": "bottom_up", "relevant": 5}, (N - 1) * 3 + 5 * (N - 1) + 1),
    ("mixture_of_agents", {"layers": 3}, 3 * N + 1),
    ("bbmas", {"rounds": 2, "repairs": 0}, 1 + 2 * (1 + 4) + 8),
]


@pytest.mark.parametrize(("method", "options", "calls"), COSTS, ids=[name_of(c[:2]) for c in COSTS])
def test_documented_numbers_of_calls(method: str, options: dict[str, Any], calls: int) -> None:
    """Members that agree on nothing, approve of nothing and decide nothing."""

    def member(letter: str) -> Callable[[Request], str]:
        def reply(r: Request) -> str:
            asked = r.messages[-1].content.rstrip()
            plain = asked.endswith(("Which?", "Write the final answer."))
            text = f"note {letter} {r.draw} of {sum(len(m.content) for m in r.messages)}."
            return f"{text} Answer: {letter}" if plain else f"{text}\nThere is more."

        return reply

    pool = pool_of(*(member(letter) for letter in "ABCD"))
    assert ask(method, pool, **options).usage.calls == calls


@pytest.mark.parametrize("method, options", [("structured_interaction", {}), ("multiagent_feedback", {"rounds": 2})])
def test_the_judges_prompt_is_the_users(method: str, options: dict[str, Any]) -> None:
    """With aggregate=judge the comparison is asked in the words that were given."""

    def reply(letter: str) -> Callable[[Request], str]:
        return lambda r: "FIRST" if "Pick one" in r.messages[-1].content else f"Answer: {letter}"

    pool = pool_of(reply("A"), reply("B"))
    words = "Pick one for {question}\n{answers}\n{first} or {second}?"
    ask(method, pool, aggregate="judge", compare=words, **options)
    asked = [r.messages[-1].content for name in "ab" for r in scripted(pool, name).requests]
    assert sum(text.startswith("Pick one for Which?") for text in asked) == 2  # both orders
