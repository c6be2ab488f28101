"""The methods that select among answers, on real models: what they say of an item depends on the item alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

import moco
from moco.collab import Fitted, request_for
from moco.core.types import Call, Completion
from moco.models.store import Store

READABLE = "Question: {question}\n{answers}\nWhich answer is better, {first} or {second}?"
OPTIONS: dict[str, dict[str, Any]] = {
    "majority_vote": {"draws": 2},
    "self_consistency": {"draws": 3},
    "slm_mux": {"samples": 2},
    "llm_blender": {"labels": ["A", "B"], "reply": "Answer: {label}", "ranker_tokens": 32, "compare": READABLE},
}


def team(name: str, **member: Any) -> Any:
    entries = [{"model": f"playground/{n}", **member} for n in ("alpha", "gamma")]
    return Fitted(moco.load_method(name, **OPTIONS[name]), moco.Pool(entries, store=Store(None))).as_model()


def said(answer: Completion) -> tuple[Any, ...]:
    return answer.text, answer.reason, answer.confidence, sorted(map(repr, map(plain, answer.calls)))


def plain(call: Call) -> Call:
    """Without what tells equal calls of one query apart, which is the order in which they were made."""
    return replace(call, id=call.id.rpartition(".")[0] if call.tag.stage == "compare" else call.id)


@pytest.mark.parametrize("name", OPTIONS)
def test_alone_or_together_in_large_batches_or_row_by_row(name: str) -> None:
    task = moco.load_task("playground/mixed")
    requests = [request_for(task, r, moco.Sampling(max_tokens=40)) for r in task.test[:6]]

    async def all_at_once(model: Any) -> list[Completion]:
        return list(await asyncio.gather(*(model.generate(r) for r in requests)))

    together = asyncio.run(all_at_once(team(name)))
    alone = team(name, max_rows=1)
    for i in (4, 0):
        assert said(asyncio.run(alone.generate(requests[i]))) == said(together[i])
    assert {a.reason.get("note") for a in together} == {None}


def test_a_judge_of_the_playground_is_understood() -> None:
    """The tiny judges say what they hold to be right, then name the answer."""
    task = moco.load_task("playground/geo")
    model = team("llm_blender")
    requests = [request_for(task, r, moco.Sampling(max_tokens=40)) for r in task.test[:12]]

    async def all_at_once() -> list[Completion]:
        return list(await asyncio.gather(*(model.generate(r) for r in requests)))

    answers = asyncio.run(all_at_once())
    asked = sum(c.tag.stage == "compare" for a in answers for c in a.calls)
    unread = sum("unreadable" in note for a in answers for note in a.reason.get("notes", ()))
    assert asked >= 16 and unread <= asked / 3
