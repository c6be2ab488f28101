"""Scorers learned on dev: the probability that an answer is right, by its log-probabilities (`posthoc`) or its text (`scorer`).

The text scorer stands in for FrugalGPT's fine-tuned DistilBERT (arXiv 2305.05176): question and answer, embedded as for routers,
and a logistic regression. Nothing is scored by what was fitted on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from moco.core.types import Draft
from moco.models.pool import Pool
from moco.routers.embedding import Space, learn_space
from moco.routers.logistic import Logistic, cross_fitted, fit_logistic
from moco.routers.signals import features
from moco.routers.worker import aside

if TYPE_CHECKING:
    from moco.routers.consulting import Look

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Scorer:
    """A logistic regression and, where it reads text, the space it reads it in."""

    logistic: Logistic
    space: Space | None = None

    @property
    def price(self) -> float:
        """What scoring an answer costs on average: reading it, where a model embeds it."""
        return 0.0 if self.space is None else self.space.price

    async def probability(self, pool: Pool, question: str, draft: Draft) -> float | None:
        """That ``draft`` is right; None where it has no log-probabilities and they are what counts."""
        if self.space is not None:
            x = await self.space.embed(pool, [read(question, draft.text)])
        elif draft.completion.logprobs is None:
            return None
        else:
            x = features(draft.completion.logprobs)[None]
        return float(self.logistic.probability(x)[0])


def read(question: str, answer: str) -> str:
    """What a text scorer sees."""
    return f"{question}\n{answer}"


async def learn_scorer(
    pool: Pool,
    looks: Sequence[Look],
    questions: Sequence[str],
    scores: Floats,
    rng: np.random.Generator,
    embedding: str | None = None,
) -> tuple[Scorer, list[Look]] | None:
    """A scorer, and ``looks`` with out-of-fold probabilities as their signal; it reads text where ``embedding`` is given.

    None where no look has what it needs. Looks that were cut off or failed teach nothing and keep what they are.
    """
    usable = [(i, d) for i, look in enumerate(looks) if (d := look.draft) is not None and look.note in ("", "no confidence")]
    space = None
    if embedding is None:
        usable = [(i, d) for i, d in usable if d.completion.logprobs is not None]
    if not usable:
        return None
    places = [i for i, _ in usable]
    if embedding is not None:
        space, x = await learn_space(pool, [read(questions[i], d.text) for i, d in usable], embedding)
    else:
        x = np.array([features(d.completion.logprobs or ()) for _, d in usable])
    scorer, out = Scorer(await aside(fit_logistic, x, scores[places]), space), list(looks)
    for place, value in zip(places, await aside(cross_fitted, x, scores[places], rng), strict=True):
        out[place] = replace(looks[place], sure=float(value), note="", cost=looks[place].cost + scorer.price)
    return scorer, out
