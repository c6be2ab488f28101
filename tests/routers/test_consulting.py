"""Confidence as a cascade asks for it: samples, words, the odds of its own answer, and tokens of real models."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import moco
from moco.collab import Fitted, load_method
from moco.core.types import Completion, Request, Usage
from moco.models.pool import Pool
from moco.models.protocol import Capabilities, TokenScores
from moco.models.store import Store
from moco.routers import signal
from moco.testing import ScriptedModel
from tests.methods.helpers import ask, fitted, request, scripted, task_of
from tests.routers.members import heard, pool_with, three

# confidence that is asked for


def by_draw(letters: str) -> Callable[[Request], str]:
    return lambda r: f"Answer: {letters[(r.draw[-1] if r.draw else 0) % len(letters)]}"


def test_self_consistency_is_the_majoritys_share_and_the_last_member_is_asked_once() -> None:
    pool = pool_with(ScriptedModel("a", by_draw("ABBBA")), ScriptedModel("b", by_draw("CDDDD")))
    answer = ask("cascade", pool, confidence="self_consistency", thresholds=0.6)
    assert (answer.key, answer.confidence, heard(pool)) == ("B", 0.6, [5, 0])
    answer = ask("cascade", pool, confidence="self_consistency", thresholds=0.61)
    assert (answer.key, heard(pool)) == ("C", [5, 1])
    assert {r.sampling.temperature for r in scripted(pool, "a").requests} == {0.7}


def test_self_consistency_samples_even_where_the_request_is_greedy() -> None:
    pool = pool_with(ScriptedModel("a", by_draw("ABC")), ScriptedModel("b", "Answer: D"))
    ask("cascade", pool, request(temperature=0), confidence="self_consistency")
    assert len(scripted(pool, "a").requests) == 5
    assert scripted(pool, "b").requests[0].sampling.temperature == 0


def test_without_an_answer_spec_self_consistency_is_likeness() -> None:
    story = lambda r: ["a red fox ran", "a red fox ran", "a red fox sat", "blue", "green"][r.draw[-1] if r.draw else 0]  # noqa: E731
    pool = pool_with(ScriptedModel("a", story), ScriptedModel("b", "the end"))
    answer = ask("cascade", pool, request("Tell me", spec=None), confidence="self_consistency", thresholds=0.4)
    assert (answer.text, answer.source) == ("a red fox ran", "a")
    assert answer.confidence == pytest.approx((1 + 0.75) / 4)
    assert ask("cascade", three(-0.1, -1, -1), request("Tell me", spec=None)).source == "a"


@pytest.mark.parametrize(
    ("line", "who"), [("\nConfidence: high", "a"), ("\nConfidence: low", "b"), (" and I am not unconfident", "b")]
)
def test_a_told_confidence_decides_and_is_not_part_of_the_answer(line: str, who: str) -> None:
    pool = pool_with(ScriptedModel("a", "Answer: A" + line), ScriptedModel("b", "Answer: B"))
    answer = asyncio.run(fitted("cascade", pool, task_of("A", dev="AB"), confidence="verbal").as_model().generate(request()))
    assert (answer.source, answer.text) == (who, f"Answer: {who.upper()}")
    first = scripted(pool, "a").requests[0].messages[-1].content
    assert first.startswith("Which?\n") and "Confidence" in first
    for r in scripted(pool, "b").requests:
        assert "Confidence" not in r.messages[-1].content, "the last member gets the task's own prompt"


def test_p_true_is_the_log_odds_a_member_gives_its_own_answer() -> None:
    class Judge(ScriptedModel):
        async def score(self, asked: Request, continuation: str) -> TokenScores:
            judged.append(asked.messages[-1].content)
            return TokenScores((1,), (math.log({"True": 0.6, "False": 0.2}[continuation]),))

    judged: list[str] = []
    cheap = Judge("a", "Answer: A")
    cheap.capabilities = Capabilities(frozenset({"TEXT", "SCORE"}))
    answer = ask("cascade", pool_with(cheap, ScriptedModel("b", "Answer: B")), confidence="p_true")
    assert answer.reason["steps"][0]["confidence"] == pytest.approx(math.log(3), abs=1e-6)
    assert (answer.source, answer.confidence) == ("a", pytest.approx(0.75))
    assert all("Which?" in text and "Answer: A" in text for text in judged) and len(judged) == 2


def test_reading_an_answer_again_is_paid_for() -> None:
    class Judge(ScriptedModel):
        async def score(self, asked: Request, continuation: str) -> TokenScores:
            return TokenScores((1,), (-1.0,), read=7)

    cheap = Judge("a", lambda r: Completion("Answer: A", usage=Usage(10, 2, 1)))
    cheap.capabilities = Capabilities(frozenset({"TEXT", "SCORE"}))
    pool = pool_with(cheap, ScriptedModel("b", "Answer: B"), costs=[2.0, 1.0])
    answer = ask("cascade", pool, confidence="p_true", thresholds=-1.0)
    assert answer.reason["steps"][0]["cost"] == 2 * (12 + 2 * 7)


# real models


def test_confidence_is_that_of_the_emitted_tokens_alone_and_in_a_batch() -> None:
    pytest.importorskip("torch")
    task = moco.load_task("playground/math", limit=8)
    sampling = moco.Sampling(max_tokens=32)
    asked = [Request(messages=task.messages(r), spec=task.spec_of(r), sampling=sampling) for r in task.dev]

    def pool() -> Pool:
        return Pool(["playground/alpha", "playground/mentor"], store=Store(None))

    async def together(models: list[Any]) -> list[Completion]:
        return list(await asyncio.gather(*(m.generate(r) for m, r in zip(models, asked, strict=True))))

    members = asyncio.run(together([pool()["alpha"].model.model] * 8))  # type: ignore[attr-defined]
    sure = [signal("chow_average", c.logprobs or ()) for c in members]
    team = Fitted(load_method("cascade", thresholds=float(np.median(sure)), defer_if_truncated=False), pool()).as_model()
    batch = asyncio.run(together([team] * 8))
    one = ask("cascade", pool(), asked[0], thresholds=float(np.median(sure)), defer_if_truncated=False)
    assert (one.text, one.source) == (batch[0].text, batch[0].source)
    assert one.reason["steps"][0]["confidence"] == pytest.approx(batch[0].reason["steps"][0]["confidence"], abs=1e-4)
    for said, plain, value in zip(batch, members, sure, strict=True):
        assert said.reason["steps"][0]["confidence"] == pytest.approx(value, abs=1e-4)
        assert said.source == "mentor" or said.text == plain.text, "an accepted answer is the one the member gives alone"
    assert {c.source for c in batch} == {"alpha", "mentor"}


def test_log_probabilities_agree_with_a_scoring_pass() -> None:
    pytest.importorskip("torch")
    pool = Pool(["playground/alpha"], store=Store(None))
    asked = request("What is 17 + 25?", spec=None, temperature=0)
    said = asyncio.run(pool["alpha"].model.generate(asked))
    assert said.logprobs is not None and said.finish == "stop"
    scores = asyncio.run(pool["alpha"].model.score(asked, said.text))
    assert np.sum(said.logprobs) == pytest.approx(scores.total + scores.end, abs=1e-4)
