"""What a group writes does not depend on the batch: every token compared over batch sizes and orders."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from collections.abc import Sequence

from moco.core.types import Request, Sampling, messages_of
from moco.decoding import Group, LogitMean
from moco.models.hf import HFModel
from tests.decoding.helpers import QUESTIONS, group
from tests.models.conftest import WEIGHTS

TOKENS = int(os.environ.get("MOCO_INVARIANCE_TOKENS", "1000"))
"""Tokens compared for each batch size; 100000 in the long run."""
SIZES = (7, 32)
LONG = 40


def requests(count: int) -> list[Request]:
    """Different questions of different lengths, hot and of no common seed."""
    sampling = Sampling(max_tokens=LONG, temperature=0.7, top_p=0.9)
    asked = (f"{'so ' * (i % 9)}{QUESTIONS[i % len(QUESTIONS)]} {i}" for i in itertools.count())
    return [Request(messages=messages_of(text), sampling=sampling, seed=i) for i, text in zip(range(count), asked, strict=False)]


def written(model: Group, asked: Sequence[Request], size: int) -> list[tuple[int, ...]]:
    """The ids of each answer, asked ``size`` at a time."""

    async def at_once(some: Sequence[Request]) -> list[tuple[int, ...]]:
        return [c.ids or () for c in await asyncio.gather(*(model.generate(r) for r in some))]

    return [ids for start in range(0, len(asked), size) for ids in asyncio.run(at_once(asked[start : start + size]))]


def test_no_token_of_a_group_depends_on_the_batch() -> None:
    made = group(LogitMean(), *(HFModel(WEIGHTS / n, name=n, device="cpu") for n in ("alpha", "beta")))
    law: dict[Request, tuple[int, ...]] = {}
    while sum(map(len, law.values())) < TOKENS:
        new = requests(len(law) + 64)[len(law) :]
        law |= zip(new, written(made, new, 64), strict=True)
    asked = list(law)
    for size in SIZES:
        mixed = random.Random(size).sample(asked, len(asked))
        assert written(made, mixed, size) == [law[r] for r in mixed], f"batches of {size}"
