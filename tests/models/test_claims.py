"""Claim classifiers: equal to transformers row by row, one number from one or two labels, faults; knowledge_card with them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from moco.core.errors import ConfigError, ContextOverflow, PoolError
from moco.core.types import Request, Sampling, messages_of
from moco.models.claims import ClaimClassifier
from moco.models.member import resolve
from moco.models.pool import Pool
from moco.models.store import Store
from moco.testing import ScriptedModel
from tests.methods.helpers import ask
from tests.models.encoders import save_bert, save_llama_reward

LABELS = {0: "SUPPORTS", 1: "REFUTES", 2: "NOT ENOUGH INFO"}
CLAIMS = ["the river is long .", "paris", "the city is blue , no ! " * 3, "yes"]


def asked(claim: str) -> Request:
    return Request(messages=messages_of(claim), sampling=Sampling(temperature=0))


def truths(model: Any, claims: list[str]) -> list[float]:
    async def go() -> list[float]:
        return [c.reason["truth"] for c in await asyncio.gather(*(model.generate(asked(c)) for c in claims))]

    return asyncio.run(go())


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_bert(tmp_path_factory.mktemp("claims") / "verifier", labels=LABELS)


def test_equals_transformers_whatever_the_batch(verifier: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    reference = AutoModelForSequenceClassification.from_pretrained(str(verifier)).eval()
    tokenizer = AutoTokenizer.from_pretrained(str(verifier))
    p = []
    for claim in CLAIMS:
        with torch.no_grad():
            p.append(reference(**tokenizer(claim, return_tensors="pt")).logits[0].softmax(-1).tolist())
    one = ClaimClassifier(verifier, name="v", label="supports", device="cpu")
    two = ClaimClassifier(verifier, name="v", label=0, against="REFUTES", device="cpu")
    assert truths(one, CLAIMS) == pytest.approx([row[0] for row in p], abs=1e-5)
    assert truths(two, CLAIMS) == pytest.approx([(row[0] - row[1] + 1) / 2 for row in p], abs=1e-5)
    assert one.counters.forwards == 1 and len({round(t, 3) for t in truths(two, CLAIMS)}) == len(CLAIMS)
    assert truths(two, CLAIMS[2:]) == pytest.approx(truths(two, CLAIMS)[2:], abs=1e-5)
    assert one.fingerprint != two.fingerprint


def test_one_output_is_a_chance_by_itself(tmp_path: Path) -> None:
    (found,) = truths(ClaimClassifier(save_llama_reward(tmp_path / "one"), name="v", device="cpu"), ["yes"])
    assert 0 < found < 1


def test_a_verdict_is_a_row_and_a_call_like_any_other(verifier: Path) -> None:
    store = Store(None)
    model = resolve(str(verifier), store, name="v", backend="claims", label=0)
    first, second = (asyncio.run(model.generate(asked(CLAIMS[0]))) for _ in range(2))
    assert first == second and model.paid_calls == 1
    assert first.text == f"{first.reason['truth']:.4f}" and first.usage.prompt_tokens == 5 + 2


def test_faults_are_named(verifier: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no output 'refute'"):
        ClaimClassifier(verifier, name="v", label=0, against="refute")
    with pytest.raises(ConfigError, match="has 3 outputs"):
        ClaimClassifier(verifier, name="v")
    with pytest.raises(PoolError, match="is not a claim classifier"):
        ClaimClassifier(save_llama_reward(tmp_path / "lm", causal=True), name="v", label=0)
    model = ClaimClassifier(verifier, name="v", label=0, device="cpu")
    with pytest.raises(ContextOverflow, match="a claim of 42 tokens does not fit the 32"):
        truths(model, ["yes " * 40])
    with pytest.raises(ConfigError, match="one text and nothing else"):
        asyncio.run(model.generate(Request(text="yes")))


def test_knowledge_is_judged_by_classifiers(verifier: Path, tmp_path: Path) -> None:
    """No member judges anything; the truest passages are shown, and a passage that does not fit is 0.5 where that is allowed."""
    save_bert(tmp_path / "other", labels={0: "false", 1: "true"})
    claims = [{"model": str(verifier), "label": "SUPPORTS", "against": "REFUTES"}, {"model": str(tmp_path / "other"), "label": 1}]
    said = {"a": CLAIMS[0], "b": CLAIMS[1], "c": "yes " * 40, "d": "Answer: B"}
    pool = Pool([ScriptedModel(n, t) for n, t in said.items()], store=Store(None))
    options: dict[str, Any] = {"mode": "bottom_up", "main": "d", "per_card": 1, "used": 1, "prune": "none", "claims": claims}
    options |= {"factuality": "nli", "relevance": "none", "on_failure": "drop"}
    answer = ask("knowledge_card", pool, **options)
    one = ClaimClassifier(verifier, name="v", label=0, against=1, device="cpu")
    two = ClaimClassifier(tmp_path / "other", name="v", label=1, device="cpu")
    means = [(x + y) / 2 for x, y in zip(truths(one, CLAIMS[:2]), truths(two, CLAIMS[:2]), strict=True)]
    scores = dict(answer.reason["factuality"][0])
    assert scores == {"a": pytest.approx(means[0], abs=1e-5), "b": pytest.approx(means[1], abs=1e-5), "c": 0.5}
    checks = [(c.member, c.tag.sees) for c in answer.calls if c.tag.stage == "check"]
    assert checks == [(f"claims.{i}", (f"write.0.{n}.0",)) for i in (1, 2) for n in "abc"]
    assert list(answer.reason["dropped"]) == ["claims.1", "claims.2"] and answer.reason["passages"] == 1
    with pytest.raises(ContextOverflow):
        ask("knowledge_card", pool, **{**options, "on_failure": "fail"})
    with pytest.raises(ConfigError, match="has no output 'maybe'"):
        ask("knowledge_card", pool, **{**options, "claims": [{"model": str(verifier), "label": "maybe"}]})
