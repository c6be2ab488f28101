"""Table members with a law of their own, groups of them, and the stateless twin that groups are compared with."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from moco.core.types import Completion, Request
from moco.decoding import Group, Rule, Step
from moco.models.pool import Pool
from moco.models.sampler import Params, draw
from moco.models.store import Store
from moco.testing import TableModel

WORDS = [*"abcdefghijklmnopqrst", "<eos>"]
QUESTIONS = ["What is 2 + 3?", "Who is it?", "Sort: k d a", "Reverse: stone", "x", "Compute 17 + 5 - 3, only the answer"]


def combine(rule: Rule, logits: Any, known: Any = None) -> Any:
    """What ``rule`` makes of logits (members, rows, vocabulary)."""
    x = np.asarray(logits, np.float32)
    has = np.ones((len(x), x.shape[2]), bool) if known is None else np.asarray(known)
    given_scores = np.where(has[:, None], x, np.float32(-np.inf))
    ids: list[list[int]] = [[] for _ in x[0]]
    return rule.combine(Step(ids, len(x), dict(enumerate(has)), lambda m: given_scores[m]))


def table(name: str, factor: int = 3, words: Sequence[str] = WORDS, **options: Any) -> TableModel:
    def law(ids: tuple[int, ...]) -> list[float]:
        return [0.1 + (sum(ids[-3:]) * (i + factor) + len(ids)) % 7 for i in range(len(words))]

    return TableModel(name, words, law, **options)


def group(rule: Rule, *models: Any, name: str = "") -> Group:
    pool = Pool([{"name": f"{m.name}{i}", "model": m} for i, m in enumerate(models)], store=Store(None))
    made = pool.group(rule, name=name).model
    assert isinstance(made, Group)
    return made


def ask(model: Any, *requests: Request) -> list[Completion]:
    async def go() -> list[Completion]:
        return list(await asyncio.gather(*(model.generate(r) for r in requests)))

    return asyncio.run(go())


def plain_logits(model: Any, ids: Sequence[int]) -> Any:
    """float32 (vocabulary,) of the token after ``ids``: everything read anew, no cache, no batch."""
    if isinstance(model, TableModel):
        return np.asarray(model.logits(ids), np.float32)
    import torch

    with torch.inference_mode():
        return model.load().model(torch.tensor([list(ids)])).logits[0, -1].float().numpy()


def twin(made: Group, request: Request) -> tuple[list[int], list[float]]:
    """Ids and log-probabilities of ``made``'s answer, by re-reading everything at every token. For equal vocabularies."""
    prompts, seed, sampling = made.prompt(request), made.key(request).seed, request.sampling
    ids: list[int] = []
    logprobs: list[float] = []
    while len(ids) < sampling.max_tokens:
        members = [plain_logits(m, (*p, *ids))[None] for m, p in zip(made.models, prompts, strict=True)]
        drawn, logprob = draw(combine(made.rule, members), Params.of([sampling], [seed]), np.array([len(ids)], np.int64))
        ids.append(int(drawn[0]))
        logprobs.append(float(logprob[0]))
        text = made.codec.decode(ids)
        if ids[-1] in made.alignment.eos or any(s in text for s in sampling.stop):
            break
    return ids, logprobs


def same(got: Completion, expected: Completion) -> None:
    """Equal but for what the number of members changes, and the last digits of log-probabilities."""
    assert got.ids == expected.ids and (got.text, got.finish) == (expected.text, expected.finish)
    assert got.logprobs == pytest.approx(expected.logprobs, abs=1e-4)
