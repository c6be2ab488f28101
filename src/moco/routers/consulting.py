"""Asking one member and learning how sure it is: what every method that may turn to somebody else is built from.

A failure that a rerun may mend (Transient, RateLimited) is raised; any other is an answer that was not given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from moco.core.errors import BackendError, ContextOverflow, Fatal
from moco.core.query import Query
from moco.core.types import Draft, Usage
from moco.discussion import medoid, token_f1, vote
from moco.models.member import Member
from moco.models.pool import Pool
from moco.routers.asking import odds_of_truth, telling, told
from moco.routers.costs import spent, tells_itself
from moco.routers.margins import mean_margin
from moco.routers.scorers import Scorer
from moco.routers.signals import UNSURE, probability, signal

NEEDS = {"self_consistency": "TEXT", "verbal": "TEXT", "scorer": "TEXT", "p_true": "SCORE", "margin": "LOGITS"}
"""What a member must be able to do to tell a confidence; LOGPROBS for all others."""
LEARNED = ("posthoc", "scorer")
"""Confidences that a scorer fitted on dev gives."""
WARM = 0.7
"""Temperature of self-consistency where the request is greedy."""


@dataclass(frozen=True)
class Look:
    """What one member gave: a draft (None: it failed), its raw signal (None: none), its cost, and what speaks against it."""

    draft: Draft | None
    sure: float | None = None
    cost: float = 0.0
    note: str = ""
    error: BackendError | None = None

    @property
    def value(self) -> float:
        """What is compared with a threshold; nothing unusable reaches any but `ACCEPT`."""
        return UNSURE if self.note or self.sure is None else self.sure


@dataclass(frozen=True)
class Stage:
    """One stage of a chain on one question, whether it was reached or not, and the threshold it accepts from."""

    member: str
    threshold: float
    look: Look


@dataclass(frozen=True)
class Asker:
    """How confidence is found: a name of ``SIGNALS``, margin, posthoc, scorer, p_true, self_consistency or verbal.

    A member that is a collaboration tells its own confidence in place of a signal from tokens or scores.
    """

    confidence: str
    alpha: float = 0.0
    draws: int = 5
    strict: bool = True
    """Whether an answer cut off by its length counts as one that nobody is sure of."""

    def missing(self, member: Member) -> str:
        """The capability without which ``member`` cannot tell; empty if it can."""
        need = NEEDS.get(self.confidence, "LOGPROBS")
        return "" if need in member.model.capabilities or tells_itself(member) else need

    def as_probability(self, member: Member, sure: float | None) -> float | None:
        """A raw signal of ``member`` as a probability, None where there is none."""
        if sure is None:
            return None
        return probability("own" if tells_itself(member) else self.confidence, sure)

    async def look(self, query: Query, pool: Pool, member: Member, stage: int, scorer: Scorer | None = None) -> Look:
        """``member``'s answer and how sure it is; ``stage`` is the transcript's round. What is learned asks ``scorer``."""
        sure: float | None
        more = Usage()  # what is read once more to be sure
        try:
            if self.confidence == "self_consistency":
                warm = query.request().sampling.temperature or WARM
                drafts = await pool.only([member]).ask_all(query, draws=self.draws, round=stage, temperature=warm)
                draft, sure = await agreed(query, drafts)
            elif self.confidence == "verbal":
                draft = await pool.ask(member, telling(query), round=stage)
                text, sure = told(draft.text)
                drafts, draft = [draft], replace(draft, text=text)
            else:
                draft = await pool.ask(member, query, round=stage)
                drafts = [draft]
                sure, more = await self._own(query, pool, member, draft, scorer, stage)
        except (ContextOverflow, Fatal) as error:
            return Look(None, note="failed", error=error)
        cost = sum(spent(member, d.completion.usage, d.completion.calls) for d in drafts) + spent(member, more)
        cost += 0.0 if scorer is None else scorer.price
        cut_off = self.strict and draft.completion.finish == "length"
        return Look(draft, sure, cost, "truncated" if cut_off else "no confidence" if sure is None or np.isnan(sure) else "")

    async def _own(
        self, query: Query, pool: Pool, member: Member, draft: Draft, scorer: Scorer | None, stage: int
    ) -> tuple[float | None, Usage]:
        """How sure ``member`` is of its ``draft``, and what finding out cost beyond it."""
        if tells_itself(member):
            return draft.completion.confidence, Usage()
        if self.confidence == "margin":
            return await mean_margin(pool, query, draft)
        if self.confidence == "p_true":
            return await odds_of_truth(pool, query, draft)
        if self.confidence in LEARNED:
            return None if scorer is None else await scorer.probability(pool, query.question, draft), Usage()
        logprobs = draft.completion.logprobs
        return None if logprobs is None else signal(self.confidence, logprobs, self.alpha), Usage()


async def agreed(query: Query, drafts: Sequence[Draft]) -> tuple[Draft, float]:
    """The majority's draft and its share; for free text the medoid and its mean likeness (token F1) to the others."""
    if query.votable:
        decision = await vote(query, drafts, tie="order")
        return drafts[decision.representative], decision.support
    chosen = medoid([d.text for d in drafts])
    others = [token_f1(drafts[chosen].text, d.text) for i, d in enumerate(drafts) if i != chosen]
    return drafts[chosen], float(np.mean(others)) if others else 1.0
