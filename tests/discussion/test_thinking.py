"""Members that think before they speak: a short reply has room beside the thinking; who does not think costs what it did."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from moco.core.query import Query
from moco.core.types import AnswerSpec, Call, Completion, Draft, Request, Sampling, Usage, messages_of
from moco.discussion import budget
from moco.discussion.rankers import Prompted
from moco.discussion.turns import Turn, preference, take
from moco.models.pool import Pool
from moco.models.protocol import TokenScores
from moco.models.store import Store
from moco.models.transcript import Recorder
from moco.testing import ScriptedModel, TableModel
from tests.methods.helpers import CHOICE, ask, pool_of, request
from tests.models.encoders import TEMPLATE, save_llama_reward

FREE = AnswerSpec(kind="generation", question="Which?")
THOUGHT = 150
"""Tokens that a thinking member needs before it says anything."""
Reply = Callable[[Request], str]


def thinking(reply: Reply) -> Callable[[Request], Completion]:
    """``reply`` after a thinking block: what a backend gives of it within max_tokens."""

    def say(r: Request) -> Completion:
        room = r.sampling.max_tokens
        if room <= THOUGHT:
            return Completion("", "hm " * room, finish="length", usage=Usage(1, room, 1))
        text = reply(r)
        return Completion(text, "hm " * THOUGHT, usage=Usage(1, THOUGHT + len(text.split()), 1))

    return say


def asked_to_write(r: Request) -> str:
    """What the last line of a prompt asks to write."""
    return r.messages[-1].content.rpartition("Write only")[2].strip(": .\n")


def verdict(r: Request) -> str:
    """Takes part in everything: the first of two words, the first number, the only form there is; else an answer."""
    text = r.messages[-1].content
    if "Begin with a line that says" in text:
        return text.partition("line that says ")[2].split(" ")[0]
    if "Write only one line: " in text:
        mark = text.partition("Write only one line: ")[2].partition(":")[0]
        return f"{mark}: decider" if "Choose who writes" in text else f"{mark}: 5"
    wanted = asked_to_write(r)
    if "<number>" in wanted:
        return wanted.replace("<number>", "1")
    if " or " in wanted:
        return wanted.split(" or ")[0]
    if "background knowledge" in text:
        return f"Soup is a liquid, says number {r.replicate} of {len(text)}."
    return "Answer: B"


SHORT: list[tuple[str, dict[str, Any], str, AnswerSpec]] = [
    ("llm_blender", {"fuser": "none"}, "compare", FREE),
    ("majority_vote", {"free_text": "usc"}, "choose", FREE),
    ("majority_vote", {"free_text": "judge"}, "judge", FREE),
    ("multiagent_refine", {"aggregate": "judge", "skip_if_unanimous": False, "rounds": 1}, "compare", FREE),
    ("multiagent_feedback", {"feedback_tokens": 40}, "review", CHOICE),
    ("multiagent_feedback", {"mode": "abstain"}, "judge", CHOICE),
    ("knowledge_card", {"mode": "bottom_up", "per_card": 1}, "check", CHOICE),
    ("knowledge_card", {}, "write", CHOICE),
    ("knowledge_card", {"prune": "lm", "prune_tokens": 3}, "shorten", CHOICE),
    ("knowledge_card", {"mode": "top_down_explicit"}, "ask", CHOICE),
    ("bbmas", {"rounds": 1}, "control", CHOICE),
    ("bbmas", {"control": "self", "rounds": 1}, "choose", CHOICE),
]


def first(name: str) -> Reply:
    """As `verdict`, with a first answer of one's own."""

    def reply(r: Request) -> str:
        said = verdict(r)
        return f"Soup {name}. {said}" if r.messages[-1].content == "Which?" else said

    return reply


def stage(answer: Completion, name: str) -> list[Call]:
    return [c for c in answer.calls if c.tag.stage == name]


@pytest.mark.parametrize(("method", "options", "name", "spec"), SHORT, ids=lambda x: x if isinstance(x, str) else "")
def test_a_thinking_member_is_heard_as_a_plain_one(method: str, options: dict[str, Any], name: str, spec: AnswerSpec) -> None:
    plain = ask(method, pool_of(*(first(n) for n in "abc")), request(spec=spec), **options)
    slow = ask(method, pool_of(*(thinking(first(n)) for n in "abc")), request(spec=spec), **options)
    assert slow.text == plain.text and slow.reason == plain.reason
    short, long = ([c for c in stage(slow, name) if (c.finish == "length") is cut] for cut in (True, False))
    assert len(short) == len(long) == len(stage(plain, name)) > 0, "asked twice, once in vain"
    assert not any(c.finish == "length" for c in plain.calls)
    assert [c.text for c in long] == [c.text for c in stage(plain, name)]


def drafts(*texts: str) -> list[Draft]:
    return [Draft(f"m{i}", 0, t, None, Completion(t), call=f"answer.0.m{i}.0", index=i) for i, t in enumerate(texts)]


def turn_of(reply: Any, room: int = 8, whole: int = 512, **sampling: Any) -> tuple[Draft, ScriptedModel]:
    model = ScriptedModel("j", reply)
    query = Query.of(Request(messages=messages_of("Which?"), sampling=Sampling(max_tokens=whole)))
    pool = Pool([model], store=Store(None)).bind(query, Recorder())
    return asyncio.run(take(pool, Turn("j", query.request()), stage="x", room=room, **sampling)), model


def rooms(model: ScriptedModel) -> list[int]:
    return [r.sampling.max_tokens for r in model.requests]


def test_who_shows_something_is_asked_once_however_short_it_was_cut() -> None:
    for said in (Completion("FIRST"), Completion("Let me see", finish="length"), Completion("", finish="stop")):
        draft, model = turn_of(lambda r, said=said: said)
        assert (draft.text, rooms(model)) == (said.text, [8])


def test_the_second_room_is_that_of_an_answer_and_there_is_no_third() -> None:
    draft, model = turn_of(thinking(lambda r: "FIRST"))
    assert (draft.text, rooms(model)) == ("FIRST", [8, 512])
    draft, model = turn_of(thinking(lambda r: "FIRST"), whole=60)
    assert (draft.text, rooms(model)) == ("", [8, 60])
    assert rooms(turn_of(thinking(lambda r: "FIRST"), whole=6)[1]) == [8], "a room that is none more is not tried"


def test_the_second_room_ends_where_the_context_does() -> None:
    model = ScriptedModel("j", thinking(lambda r: "FIRST"))
    model.context = 400  # type: ignore[attr-defined]
    pool = Pool([model], store=Store(None))
    prompt = Request(messages=messages_of("x" * 300))
    asyncio.run(take(pool, Turn("j", prompt), stage="x", room=8))
    assert rooms(model) == [8, 400 - 104]


def test_texts_are_cut_further_where_thinking_needs_the_room() -> None:
    """A prompt that was fitted to a verdict of 8 tokens leaves no room to think; the second one does."""
    model = ScriptedModel("j", thinking(lambda r: asked_to_write(r).split(" or ")[0]))
    model.context = 500  # type: ignore[attr-defined]
    query = Query.of(Request(messages=messages_of("Which?"), sampling=Sampling(max_tokens=200)))
    pool = Pool([model], store=Store(None)).bind(query, Recorder())
    ranker = Prompted(query, pool, "j")
    assert asyncio.run(ranker.margin(*drafts("soup " * 400, "tin " * 400))) == 1.0
    assert rooms(model) == [8, 200]
    first, second = (len(r.messages[-1].content) // 3 for r in model.requests)
    assert second <= 300 < 450 < first and "Which?" in model.requests[1].messages[-1].content


def test_one_whose_prompt_opens_a_thinking_block_gets_its_room_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    known = budget.reader_of
    monkeypatch.setattr("moco.discussion.turns.reader_of", lambda m: replace(known(m), thinks=lambda request: True))
    draft, model = turn_of(thinking(lambda r: "FIRST"))
    assert (draft.text, rooms(model)) == ("FIRST", [512])


def test_a_template_that_opens_a_thinking_block_is_known_by_its_prompt(tmp_path: Path) -> None:
    for name, ending in (("plain", ""), ("thinks", "<think>\n")):
        folder = save_llama_reward(tmp_path / name, causal=True)
        template = TEMPLATE.replace("{{ '<|assistant|>' }}", f"{{{{ '<|assistant|>{ending}' }}}}")
        for file in folder.glob("chat_template*"):
            file.unlink()
        config = json.loads((folder / "tokenizer_config.json").read_text())
        (folder / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": template}))
        pool = Pool([str(folder)], store=Store(None))
        assert budget.reader_of(pool[0]).thinks(Request(messages=messages_of("yes"))) is (name == "thinks")


def test_a_scored_verdict_stands_behind_the_thinking(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is scored is the visible reply: a block that the prompt opened is closed first."""
    known, seen = budget.reader_of, []

    class Scoring(TableModel):
        async def score(self, request: Request, continuation: str) -> TokenScores:
            seen.append(request.prefix)
            return await super().score(request, continuation)

    pool = Pool([Scoring("j", ["YES", "NO", "<eos>"], lambda ids: [3, 1, 1])], store=Store(None))
    turn = Turn("j", Request(messages=messages_of("Which?")))
    plain = asyncio.run(preference(pool, turn, ("YES", "NO")))
    monkeypatch.setattr("moco.discussion.turns.reader_of", lambda m: replace(known(m), thinks=lambda request: True))
    thought = asyncio.run(preference(pool, turn, ("YES", "NO")))
    assert plain == thought == pytest.approx(0.75) and seen == ["", "", "\n</think>\n\n", "\n</think>\n\n"]


def test_a_verdict_that_never_comes_is_on_record() -> None:
    model = ScriptedModel("j", lambda r: Completion("", "hm", finish="length"))
    ranker = Prompted(Query.of(Request(messages=messages_of("Which?"))), Pool([model], store=Store(None)), "j")
    assert asyncio.run(ranker.margin(*drafts("soup", "tin"))) == 0.0
    assert ranker.notes == [{"pair": ["m0", "m1"], "unreadable": ""}]
    assert rooms(model) == [8, 512]
