"""Logit fusion: all members predict the next token of one common answer; the token is drawn from their mean (arXiv 2601.21257).

Knows nothing of caches, batches or tokenizers: the group that decodes the members in lock-step is a Model of the pool.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from moco.collab.method import Method, register
from moco.collab.run import Examples, Run
from moco.decoding import LogitMean, ProbMean
from moco.discussion import Ranking, rank_on_dev
from moco.models.pool import Pool
from moco.models.protocol import Model


@register("logit_fusion", level="logit", paper="arXiv:2601.21257", fit="optional", needs={"*": {"LOGITS"}})
class LogitFusion(Method):
    """The members write one answer together, token by token, from the mean of their next-token scores."""

    cost = "n forward passes per token, n prefills per query; 0 calls to fit (weights=dev: n calls per dev example)"
    fidelity = (
        "rule logit: s = sum_i w_i l_i, as the released code; equals the mean of log-probabilities after the softmax",
        "rule prob (ours): s = log sum_i w_i p_i, the mixture",
        "order: rule, temperature, top-k, top-p, min-p, draw; float32; an end token of any member ends the answer",
        "deviates: every member has its own chat template, cache, masks and positions (released: the first member's, none)",
        "deviates: top_p is honoured, padding columns are never drawn, permuted vocabularies are aligned by token string",
        "deviates: weights=dev (ours) is softmax(dev score / tau), where the released mode 'optimized' is not implemented",
        "tests: tests/methods/test_logit_fusion.py, tests/decoding/test_fusion.py, tests/decoding/test_group.py",
    )
    presets = {"paper": {"rule": "logit", "weights": "uniform"}, "moco": {"rule": "logit", "weights": "uniform"}}

    rule: Literal["logit", "prob"] = "logit"
    """Mean of logits (geometric, members veto) or of probabilities (mixture, any member may propose)."""
    weights: Literal["uniform", "dev"] | tuple[Annotated[float, Field(ge=0)], ...] = "uniform"
    """Equal shares, shares by dev score, or one number per member; a member of weight 0 is not loaded."""
    tau: Annotated[float, Field(gt=0)] = 0.1
    """Temperature of the softmax over dev scores, for weights=dev."""
    missing: Literal["drop", "renorm"] = "drop"
    """Tokens that a member's vocabulary lacks are left out, or averaged over the members that have them."""

    ranking_: Ranking | None = None

    async def fit(self, pool: Pool, dev: Examples, run: Run) -> None:
        if self.weights == "dev":
            self.ranking_ = await rank_on_dev(pool, dev, run)

    def compatible(self, pool: Pool) -> None:
        self.as_model(pool)  # a group is made from tokenizers alone

    def as_model(self, pool: Pool) -> Model:
        self.check(pool)
        mean = LogitMean if self.rule == "logit" else ProbMean
        return pool.group(mean(self.shares(pool), self.missing), name=self.info.name)

    def shares(self, pool: Pool) -> tuple[float, ...] | None:
        """One weight per member, None for equal ones; weights=dev is uniform until it is fitted."""
        if not isinstance(self.weights, str):
            return self.weights
        if self.ranking_ is None:
            return None
        scores = np.array([self.ranking_.mean(name) for name in pool.names])
        weights = np.exp((scores - scores.max()) / self.tau)
        return tuple(float(w) for w in weights / weights.sum())
