"""How far the likeliest token is ahead of the second, step by step: a confidence that emitted log-probabilities do not hold."""

from __future__ import annotations

import numpy as np

from moco.core.query import Query
from moco.core.types import Completion, Draft, Usage
from moco.models.pool import Pool
from moco.models.session import Session


async def mean_margin(pool: Pool, query: Query, draft: Draft) -> tuple[float | None, Usage]:
    """Mean over the tokens of ``draft`` of P(likeliest) - P(second) at temperature 1, and what reading them again costs.

    The answer is read once more by a session of its member (LOGITS) and what was found is kept in the store; None where the
    engine names no token ids.
    """
    ids = draft.completion.ids
    if not ids:
        return None, Usage()

    async def read(session: Session) -> Completion:
        margins = []
        for place, token in enumerate(ids):
            logits = np.asarray(await session.logits(), np.float64)
            odds = np.exp(logits - logits.max())
            second, first = np.partition(odds, -2)[-2:] if len(odds) > 1 else (0.0, odds[0])
            margins.append((first - second) / odds.sum())
            if place + 1 < len(ids):
                await session.append(ids=[token])
        mean = float(np.mean(margins))
        return Completion(f"{mean:.6f}", usage=session.usage, reason={"margin": mean})

    found = await pool.reading(draft.member, query, "margin", list(ids), read)
    return float(found.reason["margin"]), found.usage
