"""What a cascade learns on dev beyond a share: chains, targets, text scorers, margins; and that test has no part in it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moco.collab import Fitted
from moco.core.errors import ConfigError, PoolError
from moco.core.types import Completion, Request, Usage
from moco.models.cached import CachedModel
from moco.models.pool import Pool
from moco.models.store import Store
from moco.routers import mean_margin
from moco.testing import ScriptedModel, TableModel
from tests.methods.helpers import ask, fitted, request, scripted, task_of
from tests.methods.routed import routes, specialists, two_kinds
from tests.routers.members import member, number, pool_with

RIGHT = "ABCDABCDABCD"


def halves(costs: tuple[float, ...] = (1, 9, 30)) -> Pool:
    """``a`` is right and sure on odd questions, ``b`` always right, ``c`` never, and dear."""
    cheap = member(
        "a", lambda r: f"Answer: {RIGHT[number(r)] if number(r) % 2 else 'X'}", lambda r: -0.1 if number(r) % 2 else -2
    )
    good = member("b", lambda r: f"Answer: {RIGHT[number(r)]}", -1)
    return pool_with(good, member("c", "Answer: X", -0.01), cheap, costs=(costs[1], costs[2], costs[0]))


def test_the_joint_search_finds_members_order_and_thresholds() -> None:
    done = fitted("cascade", halves(), task_of("A", dev=RIGHT), thresholds="optimize", order="search")
    log = done.log[-1]["cascade"]
    assert log["order"] == ["a", "b"] and log["dev score"] == 1.0
    assert log["held-out score"] == pytest.approx(1.0) and log["held-out cost"] < 0.3
    model = done.as_model()
    answers = [asyncio.run(model.generate(request(f"dev question {i}?"))) for i in range(4)]
    assert [a.source for a in answers] == ["b", "a", "b", "a"]
    frugal = fitted("cascade", halves(), task_of("A", dev=RIGHT), thresholds="optimize", order="search", budget=0.1)
    assert frugal.log[-1]["cascade"]["order"] == ["a"], "one member is a chain too"
    assert asyncio.run(frugal.as_model().generate(request("dev question 2?"))).source == "a"


def test_the_search_counts_a_last_member_as_it_is_asked_then() -> None:
    """Five samples tell how sure a stage is; whoever is last writes one answer, and so it must be on dev."""

    def torn(r: Request) -> Completion:
        draw = r.draw[-1] if r.draw else 0
        return Completion(f"Answer: {RIGHT[number(r)] if number(r) % 2 else 'ABCXY'[draw]}", usage=Usage(10, 2, 1))

    good = ScriptedModel("b", lambda r: Completion(f"Answer: {RIGHT[number(r)]}", usage=Usage(200, 40, 1)))
    pool = pool_with(ScriptedModel("a", torn), good)
    options = {"thresholds": "optimize", "order": "search", "confidence": "self_consistency"}
    done = fitted("cascade", pool, task_of("A", dev=RIGHT), **options)
    log = done.log[-1]["cascade"]
    assert log["order"] == ["a", "b"] and log["dev score"] == 1.0
    model = done.as_model()
    spent = [asyncio.run(model.generate(request(f"dev question {i}?"))).usage for i in range(12)]
    assert log["dev cost"] == pytest.approx(np.mean([u.prompt_tokens + u.completion_tokens for u in spent]) / 240)
    alone = fitted("cascade", pool, task_of("A", dev=RIGHT), budget=0.1, **options).log[-1]["cascade"]
    assert alone["order"] == ["a"] and alone["dev cost"] == pytest.approx(0.05), "asked once where it is the only one"


def test_a_target_takes_the_cheapest_chain_that_reaches_it() -> None:
    task = task_of("A", dev=RIGHT)
    order = {"order": ["a", "b", "c"]}
    for target, score in ((0.5, 0.5), (0.7, 0.75), (1.0, 1.0)):
        log = fitted("cascade", halves(), task, thresholds="optimize", target=target, **order).log[-1]["cascade"]
        assert log["dev score"] >= target
        full = fitted("cascade", halves(), task, thresholds="optimize", **order).log[-1]["cascade"]
        assert log["dev cost"] <= full["dev cost"] + 1e-9 and (target < 1 or log["dev score"] == score)
    with pytest.raises(ConfigError, match=r"no chain reaches a dev score of 1 within the budget, the best one 0\.5"):
        fitted("cascade", halves(), task, thresholds="optimize", target=1.0, budget=1 / 30, order="search")


@pytest.mark.parametrize("options", [{"target": 0.5}, {"order": "search"}])
def test_what_goes_with_optimize_alone_is_refused_elsewhere(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="go with thresholds: optimize"):
        ask("cascade", halves(), **options)


def test_a_text_scorer_learns_which_answers_to_which_questions_are_right(tmp_path: Path) -> None:
    task = two_kinds(dev=24, test=8)
    pool = specialists((1, 5), names="rk")
    done = fitted("cascade", pool, task, confidence="scorer", quantile=0.5)
    answers = routes(done, task)
    assert [a.source for a in answers] == ["r", "k"] * 4 and {a.text for a in answers} == {"Answer: A"}
    done.save(tmp_path)
    again = Fitted.load(tmp_path, specialists((1, 5), names="rk"))
    assert [a.reason for a in routes(again, task)] == [a.reason for a in answers]
    with pytest.raises(ConfigError, match="scorer needs what it learns"):
        ask("cascade", pool, confidence="scorer")
    with pytest.raises(PoolError, match="cannot embed"):
        ask("cascade", pool, confidence="scorer", embedding="r")


def test_reading_an_answer_to_score_it_is_part_of_what_a_stage_costs() -> None:
    task, plain = two_kinds(dev=24, test=2), specialists((1, 5), names="rk")
    encoder = ScriptedModel("encoder", embed=lambda text: [1.0, float("river" in text)])
    aux = {"embedder": CachedModel(encoder, Store(None))}
    costs = []
    for pool, options in ((plain, {}), (specialists((1, 5), names="rk", aux=aux), {"embedding": "aux.embedder"})):
        answers = routes(fitted("cascade", pool, task, confidence="scorer", quantile=0.5, **options), task)
        costs.append(answers[0].reason["steps"][0]["cost"])
    assert costs[0] == 12.0 and costs[1] > 12.0 + 5, "an answer to a question of some words has been read"


# margins

WORDS = ["Answer: ", "A", "B", "<eos>"]


def table(lead: float) -> TableModel:
    """Writes "Answer: A" with P(A) - P(B) = ``lead``, all else being certain."""
    a = (1 + lead) / 2

    def law(ids: tuple[int, ...]) -> list[float]:
        if ids and ids[-1] == 0:
            return [0, a, 1 - a, 0]
        return [0, 0, 0, 1] if ids and ids[-1] in (1, 2) else [1, 0, 0, 0]

    return TableModel(f"lead {lead}", WORDS, law)


def test_the_margin_is_the_lead_of_the_likeliest_token() -> None:
    pool = Pool([{"model": table(0.6), "name": "a"}, {"model": ScriptedModel("b", "Answer: B"), "name": "b"}], store=Store(None))
    asked = request(temperature=0)
    answer = ask("cascade", pool, asked, confidence="margin", thresholds=0.8)
    assert answer.source == "a" and answer.reason["steps"][0]["confidence"] == pytest.approx((1 + 0.6 + 1) / 3, abs=1e-6)
    assert answer.confidence == pytest.approx(2.6 / 3, abs=1e-6)
    assert ask("cascade", pool, asked, confidence="margin", thresholds=0.9).source == "b"
    with pytest.raises(PoolError, match="needs LOGITS of member 'b'"):
        ask("cascade", pool, confidence="margin", order=["b", "a"])
    assert [c.tag.stage for c in answer.calls] == ["answer", "margin"] and answer.calls[1].usage.prompt_tokens > 0


def test_the_margin_of_a_real_model_is_that_of_its_distribution() -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from moco.core.query import Query
    from moco.models.transcript import Recorder
    from moco.playground.members import model_path

    pool = Pool(["playground/alpha"], store=Store(None))
    query = Query.of(request("What is 17 + 25?", spec=None, temperature=0))

    async def run() -> tuple[Any, float | None]:
        bound = pool.bind(query, Recorder())
        draft = await bound.ask(0, query)
        return draft, (await mean_margin(bound, query, draft))[0]

    draft, found = asyncio.run(run())
    tokenizer = transformers.AutoTokenizer.from_pretrained(model_path("alpha"))
    model = transformers.AutoModelForCausalLM.from_pretrained(model_path("alpha"), dtype=torch.float32).eval()
    head = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is 17 + 25?"}], add_generation_prompt=True, tokenize=False
    )
    prompt = tokenizer(head, add_special_tokens=False).input_ids
    with torch.inference_mode():
        law = model(torch.tensor([prompt + list(draft.completion.ids)])).logits[0].softmax(-1)
    steps = law[len(prompt) - 1 : len(prompt) - 1 + len(draft.completion.ids)].topk(2).values
    assert found == pytest.approx(float((steps[:, 0] - steps[:, 1]).mean()), abs=1e-4)


# test has no part in it


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"confidence": "posthoc"},
        {"confidence": "scorer"},
        {"thresholds": "optimize"},
        {"thresholds": "optimize", "order": "search"},
    ],
)
def test_test_labels_change_no_decision(options: dict[str, Any]) -> None:
    prints = [
        fitted("cascade", halves(), task_of(golds, dev=RIGHT), **options).as_model().fingerprint for golds in ("AAAA", "DDDD")
    ]
    assert prints[0] == prints[1]


@pytest.mark.parametrize(
    "options", [{}, {"confidence": "posthoc"}, {"confidence": "scorer"}, {"thresholds": "optimize", "order": "search"}]
)
def test_on_a_warm_store_a_cascade_generates_nothing(options: dict[str, Any]) -> None:
    pool, task = halves(), task_of("ABCD", dev=RIGHT)
    asked = [Request(messages=task.messages(r), spec=task.spec_of(r)) for r in [*task.dev, *task.test]]
    for name in "abc":
        alone = fitted("single", pool, task, member=name).as_model()
        for r in asked:
            asyncio.run(alone.generate(r))
    before = [len(scripted(pool, n).requests) for n in "abc"]
    model = fitted("cascade", pool, task, **options).as_model()
    for r in asked:
        asyncio.run(model.generate(r))
    assert [len(scripted(pool, n).requests) for n in "abc"] == before


def test_confidences_are_numbers() -> None:
    pool = halves()
    done = fitted("cascade", pool, task_of("A", dev=RIGHT), confidence="min_prob", quantile=0.5, order=["a", "b", "c"])
    assert done.method.state["thresholds_"][0] == pytest.approx(np.exp([-2, -0.1]).mean())
