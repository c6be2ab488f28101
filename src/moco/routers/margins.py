"""How far the likeliest token is ahead of the second, step by step: a confidence that emitted log-probabilities do not hold."""

from __future__ import annotations

import numpy as np

from moco.core.query import Query
from moco.core.types import Draft, Usage
from moco.models.pool import Pool


async def mean_margin(pool: Pool, query: Query, draft: Draft, round: int) -> tuple[float | None, Usage]:
    """Mean over the tokens of ``draft`` of P(likeliest) - P(second) at temperature 1, and what reading them again costs.

    The answer is read once more by a session of its member (LOGITS); None where the engine names no token ids.
    """
    ids = draft.completion.ids
    if not ids:
        return None, Usage()
    margins = []
    async with await pool.open(draft.member, query, stage="margin", round=round) as session:
        for place, token in enumerate(ids):
            logits = np.asarray(await session.logits(), np.float64)
            odds = np.exp(logits - logits.max())
            second, first = np.partition(odds, -2)[-2:] if len(odds) > 1 else (0.0, odds[0])
            margins.append((first - second) / odds.sum())
            if place + 1 < len(ids):
                await session.append(ids=[token])
        usage = session.usage
    return float(np.mean(margins)), usage
