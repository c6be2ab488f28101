"""Cascade: members from cheap to expensive; each answers only what no earlier one was sure of (arXiv 2404.10136, 2305.05176).

A member is asked the untouched task prompt, so an accepted answer is the one it gives alone; who is not reached is not asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from moco.collab.method import Method, register
from moco.collab.run import Example, Examples, Run
from moco.core.errors import ConfigError, PoolError
from moco.core.query import Query
from moco.core.types import Answer, Draft
from moco.discussion import answer_of
from moco.models.member import Member
from moco.models.pool import Pool
from moco.routers import (
    ACCEPT,
    DEFER,
    SIGNALS,
    Asker,
    Logistic,
    Look,
    even_odds,
    learn_scorer,
    optimize,
    quantile_threshold,
    simulate,
    spent,
    tells_itself,
)

Floats = np.ndarray[Any, np.dtype[np.float64]]
Share = Annotated[float, Field(ge=0, le=1)]
Confidence = Literal["chow_average", "chow_sum", "chow_quantile", "mean_prob", "posthoc", "self_consistency", "p_true", "verbal"]


@dataclass(frozen=True)
class Seen:
    """One stage on dev: (example,) values to be compared with a threshold, scores, costs; and what judges its answers."""

    values: Floats
    scores: Floats
    costs: Floats
    scorer: Logistic | None


@register("cascade", level="routing", paper="arXiv:2404.10136", fit="optional")
class Cascade(Method):
    """The first member that is sure enough answers; the last one answers whatever is left."""

    cost = "1 to n calls per query, on average the sum over stages of P(reach it); self_consistency: x draws but for the last"
    fidelity = (
        "signals of arXiv 2404.10136 over the emitted tokens at temperature 1, end token included: sum, mean, quantile",
        "`quantile` of the dev questions that reach a stage is passed on, so 1 - quantile is accepted; labels are not used",
        "`optimize` does what FrugalGPT's search does (arXiv 2305.05176), except that the last stage always accepts",
        "posthoc: thresholds are chosen on scores that are out of fold (5 folds)",
        "unfitted, a stage accepts from even odds on (probability 1/2 of its signal)",
        "deviates: posthoc is a logistic regression on 14 statistics of the log-probabilities; no text scorer yet",
        "deviates: the released code's top-5 probability needs more than emitted tokens: its preset takes mean_prob",
        "fixes: the released code takes every threshold from the first model and counts padding after the end of an answer",
        "transient failures are raised, so that a rerun repeats them; what cannot be repeated passes on to the next member",
        "tests: tests/methods/test_cascade.py, tests/routers/",
    )
    presets = {
        "paper": {"confidence": "chow_quantile", "thresholds": "optimize"},
        "moco": {"confidence": "mean_prob", "defer_if_truncated": False},
    }

    confidence: Confidence = "chow_average"
    """How sure a member is. A collaboration tells its own confidence in place of a signal from tokens."""
    alpha: Share = 0.0
    """Which quantile of the token log-probabilities `chow_quantile` takes; 0 is the least sure token."""
    thresholds: Literal["rate", "optimize"] | float | tuple[float, ...] = "rate"
    """`rate`: from `quantile` on dev; `optimize`: best dev score; or given, one for all or one per stage but the last."""
    quantile: Share | tuple[Share, ...] = 0.5
    """Share of the dev questions reaching a stage that it passes on; one for all or one per stage but the last."""
    budget: Annotated[float, Field(gt=0)] | None = None
    """`optimize`: most mean cost per query, relative to asking the last member alone (1)."""
    cost_weight: Annotated[float, Field(ge=0)] = 0.0
    """`optimize`: score given up for saving the cost of asking the last member alone."""
    order: Literal["given", "cost"] | tuple[str, ...] = "given"
    """Cheap to expensive: as the pool has them, by mean cost on dev (unfitted: by `cost`), or by name."""
    draws: Annotated[int, Field(ge=2, le=64)] = 5
    """Samples of `self_consistency`."""
    defer_if_truncated: bool = True
    """An answer cut off by its length is never accepted but from the last member, or where everything is."""

    order_: tuple[str, ...] | None = None
    thresholds_: tuple[float, ...] | None = None
    scorers_: tuple[Logistic | None, ...] | None = None

    def check(self, pool: Pool) -> None:
        super().check(pool)
        stages = len(pool) - 1
        for name, value in (("thresholds", self.thresholds), ("quantile", self.quantile)):
            if isinstance(value, tuple) and len(value) != stages:
                raise ConfigError(
                    f"{len(value)} values for {stages} stages", where=f"cascade.{name}", remedy="give one per member but the last"
                )
        if self.thresholds != "optimize" and (self.budget is not None or self.cost_weight):
            raise ConfigError(
                "budget and cost_weight go with thresholds: optimize", where="cascade", remedy="set it, or drop them"
            )
        if isinstance(self.order, tuple) and sorted(self.order) != sorted(pool.names):
            raise ConfigError(
                f"order names {list(self.order)}, the members are {pool.names}", where="cascade.order", remedy="name each once"
            )
        chain = self.chain(pool)
        for member in chain if self.order == "cost" else chain[:-1]:
            if lacks := self.asker(last=False).missing(member):
                raise PoolError(
                    f"cascade with confidence '{self.confidence}' needs {lacks} of member '{member.name}', which cannot give it",
                    remedy="set confidence: self_consistency or verbal, which need only text, or put that member last",
                )

    async def fit(self, pool: Pool, dev: Examples, run: Run) -> None:
        """Thresholds from dev. Labels are read by `optimize` and `posthoc` only; everyone is asked for `optimize` and by cost."""
        self.order_ = await by_cost(pool, dev, run) if self.order == "cost" else None
        self.thresholds_ = self.scorers_ = None
        chain = self.chain(pool)
        if len(chain) == 1 or self.confidence == "verbal" or (self.fixed and self.confidence != "posthoc"):
            return  # nothing to learn: low or high is a decision already
        if self.thresholds == "optimize":
            await self.fit_best(pool, chain, dev, run)
            return
        cuts: list[float] = []
        scorers: list[Logistic | None] = []
        arrived = list(dev)
        for stage, (member, quantile) in enumerate(zip(chain, each(self.quantile, len(chain) - 1), strict=False)):
            seen = await self.stage(pool, member, stage, arrived, run)
            scorers.append(seen.scorer)
            open_to_choice = len(arrived) > 0 and not self.fixed  # where nobody arrives there is nothing to choose from
            cuts.append(quantile_threshold(seen.values, quantile) if open_to_choice else self.cuts(chain)[stage])
            arrived = [example for example, value in zip(arrived, seen.values, strict=True) if value < cuts[-1]]
        self.learned(chain, cuts, scorers, run, {"passed on to the last": round(len(arrived) / len(dev), 6)})

    async def fit_best(self, pool: Pool, chain: list[Member], dev: Examples, run: Run) -> None:
        """Everyone answers all of dev; thresholds by search."""
        seen = [await self.stage(pool, m, i, dev, run, last=i == len(chain) - 1) for i, m in enumerate(chain)]
        scores, costs, values = (np.stack([getattr(s, part) for s in seen]) for part in ("scores", "costs", "values"))
        unit = float(costs[-1].mean()) or 1.0
        limit = None if self.budget is None else self.budget * unit
        cuts = optimize(scores, costs, values, budget=limit, cost_weight=self.cost_weight / unit)
        found = simulate(scores, costs, values, cuts)
        about = {"dev score": found.score, "dev cost": found.cost / unit, "passed on to the last": found.share[-1]}
        self.learned(chain, cuts, [s.scorer for s in seen[:-1]], run, {k: round(v, 6) for k, v in about.items()})

    def learned(
        self, chain: list[Member], cuts: Sequence[float], scorers: list[Logistic | None], run: Run, about: dict[str, float]
    ) -> None:
        """Keep what a fit found, and say so in its log."""
        self.thresholds_ = None if self.fixed else tuple(cuts)
        self.scorers_ = tuple(scorers) if self.confidence == "posthoc" else None
        run.log.append({"cascade": {"order": [m.name for m in chain], "thresholds": [finite(c) for c in cuts], **about}})

    async def stage(self, pool: Pool, member: Member, stage: int, dev: Examples, run: Run, *, last: bool = False) -> Seen:
        """What one stage does on dev; raises PoolError for a member that never tells how sure it is."""
        asker = self.asker(last)

        async def one(example: Example) -> tuple[Look, float]:
            look = await asker.look(example.query, pool, member, stage)
            return look, await example.score(look.draft.text) if labels and look.draft is not None else 0.0

        labels = self.thresholds == "optimize" or self.confidence == "posthoc"
        pairs = await run.map(one, dev, f"cascade: {member.name}")
        looks, scores = [look for look, _ in pairs], np.array([score for _, score in pairs])
        found = learn_scorer(looks, scores, run.rng(f"posthoc {stage}")) if self.confidence == "posthoc" and not last else None
        scorer, looks = found or (None, looks)
        if looks and not last and all(look.note == "no confidence" for look in looks):
            raise PoolError(
                f"member '{member.name}' gave no confidence on any dev question",
                where="cascade",
                remedy="set confidence: self_consistency, or put it last",
            )
        return Seen(np.array([look.value for look in looks]), scores, np.array([look.cost for look in looks]), scorer)

    async def answer(self, query: Query, pool: Pool) -> Answer:
        chain = self.chain(pool)
        if self.confidence == "posthoc" and self.scorers_ is None and len(chain) > 1:
            raise ConfigError(
                "posthoc needs what it learns from dev, and nothing was fitted", where="cascade", remedy="fit it on a dev split"
            )
        spoke: tuple[Member, Draft, float | None] | None = None
        steps: list[dict[str, Any]] = []
        for stage, (member, cut) in enumerate(zip(chain, (*self.cuts(chain), ACCEPT), strict=True)):
            last = stage == len(chain) - 1
            if cut == DEFER:  # it could only be asked in vain
                steps.append({"member": member.name, "confidence": None, "threshold": None, "accepted": False, "note": "skipped"})
                continue
            scorer = self.scorers_[stage] if self.scorers_ and not last else None
            look = await self.asker(last).look(query, pool, member, stage, scorer)
            accepted = look.draft is not None and (last or look.value >= cut)
            step = {"member": member.name, "confidence": finite(look.sure), "threshold": finite(cut), "accepted": accepted}
            steps.append({**step, "note": look.note} if look.note and not accepted else step)
            if look.draft is not None:  # confidences of different members do not compare: the last that spoke is the ablest
                spoke = member, look.draft, self.asker(last).as_probability(member, look.sure)
            elif last and spoke is None and look.error is not None:
                raise look.error
            if accepted:
                break
        assert spoke is not None
        reason = {"steps": steps, "stage": len(steps) - 1, "fallback": not steps[-1]["accepted"]}
        return answer_of(spoke[1], confidence=spoke[2], reason=reason)

    def asker(self, last: bool) -> Asker:
        """How a stage is asked; the last one plainly, since nothing hangs on how sure it is."""
        plain = last and self.confidence not in SIGNALS
        return Asker("chow_average" if plain else self.confidence, self.alpha, self.draws, self.defer_if_truncated)

    def chain(self, pool: Pool) -> list[Member]:
        """The members in the order they are asked."""
        names = self.order_ or (self.order if isinstance(self.order, tuple) else None)
        if names is not None:
            return [pool[name] for name in names]
        return sorted(pool, key=lambda m: m.cost) if self.order == "cost" else list(pool)

    @property
    def fixed(self) -> bool:
        return not isinstance(self.thresholds, str)

    def cuts(self, chain: list[Member]) -> tuple[float, ...]:
        """One threshold per stage but the last: given, learned, or even odds of its signal."""
        if not isinstance(self.thresholds, str):
            return each(self.thresholds, len(chain) - 1)
        if self.thresholds_ is not None:
            return self.thresholds_
        return tuple(0.5 if tells_itself(m) else even_odds(self.confidence) for m in chain[:-1])


def each(value: float | tuple[float, ...], stages: int) -> tuple[float, ...]:
    """One number for every stage."""
    return value if isinstance(value, tuple) else (value,) * stages


def finite(value: float | None) -> float | None:
    """``value`` for the record; what is infinite has no JSON."""
    return round(float(value), 6) if value is not None and np.isfinite(value) else None


async def by_cost(pool: Pool, dev: Examples, run: Run) -> tuple[str, ...]:
    """Member names by mean cost of their answer on dev, equals in pool order."""

    async def one(pair: tuple[Member, Example]) -> float:
        member, example = pair
        said = (await pool.ask(member, example.query)).completion
        return spent(member, said.usage, said.calls)

    flat = await run.map(one, [(m, e) for m in pool for e in dev], "cascade: cost")
    means = np.array(flat).reshape(len(pool), -1).mean(axis=1)
    return tuple(pool.names[i] for i in np.argsort(means, kind="stable"))
