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
    LEARNED,
    SIGNALS,
    Aim,
    Asker,
    Chain,
    Look,
    Scorer,
    Stage,
    aside,
    auroc,
    calibration_error,
    check_keepable,
    check_source,
    dev_costs,
    even_odds,
    held_out,
    learn_scorer,
    quantile_threshold,
    scale_of,
    search_chain,
    tells_itself,
)

Floats = np.ndarray[Any, np.dtype[np.float64]]
Share = Annotated[float, Field(ge=0, le=1)]
Confidence = Literal[
    "chow_average",
    "chow_sum",
    "chow_quantile",
    "mean_prob",
    "min_prob",
    "margin",
    "posthoc",
    "scorer",
    "self_consistency",
    "p_true",
    "verbal",
]


@dataclass(frozen=True)
class Seen:
    """One stage on dev: (example,) values to be compared with a threshold, scores, costs; and what judges its answers.

    ``worth`` tells what its confidence is worth, None where labels were not read.
    """

    values: Floats
    scores: Floats
    costs: Floats
    scorer: Scorer | None
    worth: dict[str, float | None] | None


@register("cascade", level="routing", paper="arXiv:2404.10136", fit="optional")
class Cascade(Method):
    """The first member that is sure enough answers; the last one answers whatever is left."""

    cost = (
        "1 to n calls per query, on average the sum over stages of P(reach it); self_consistency: x draws but for the last; "
        "margin, p_true: the answer is read once more"
    )
    fidelity = (
        "signals of arXiv 2404.10136 over the emitted tokens at temperature 1, end token included: sum, mean, quantile",
        "`quantile` of the dev questions that reach a stage is passed on, so 1 - quantile is accepted; labels are not used",
        "`optimize` does what FrugalGPT's search does (arXiv 2305.05176), except that the last stage always accepts",
        "order=search is FrugalGPT's joint search: every order of up to `depth` members with its thresholds, within the budget",
        "posthoc, scorer: thresholds are chosen on scores that are out of fold (5 folds)",
        "what a search found on dev is also estimated on folds that had no part in the choice (log: held-out score and cost)",
        "where labels are read, the log has AUROC and expected calibration error of a stage's confidence on what it saw of dev",
        "margin: mean lead of the likeliest token over the second, from a second reading of the answer",
        "unfitted, a stage accepts from even odds on (probability 1/2 of its signal)",
        "deviates: posthoc is a logistic regression on 14 statistics of the log-probabilities",
        "deviates: scorer is a logistic regression on embedded question and answer instead of a fine-tuned DistilBERT",
        "deviates: no answer_span (stored log-probabilities do not say which tokens are the final answer)",
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
    """`optimize`: most mean cost per query, relative to asking the last member alone, with `search` the dearest (1)."""
    cost_weight: Annotated[float, Field(ge=0)] = 0.0
    """`optimize`: score given up for saving the cost of asking that member alone."""
    target: Share | None = None
    """`optimize`: the dev score that is enough; of the chains that reach it the cheapest is taken."""
    order: Literal["given", "cost", "search"] | tuple[str, ...] = "given"
    """As the pool has them, by mean cost on dev (unfitted: by `cost`), the best order of some found on dev, or by name."""
    depth: Annotated[int, Field(ge=1, le=5)] = 3
    """`search`: most members in a chain."""
    embedding: str = "auto"
    """`scorer`: what reads question and answer: aux.embedder where there is one, else hashed n-grams (`ngrams`); or a member."""
    draws: Annotated[int, Field(ge=2, le=64)] = 5
    """Samples of `self_consistency`."""
    defer_if_truncated: bool = True
    """An answer cut off by its length is never accepted but from the last member, or where everything is."""

    order_: tuple[str, ...] | None = None
    thresholds_: tuple[float, ...] | None = None
    scorers_: tuple[Scorer | None, ...] | None = None

    def check(self, pool: Pool) -> None:
        super().check(pool)
        stages = len(pool) - 1
        for name, value in (("thresholds", self.thresholds), ("quantile", self.quantile)):
            if isinstance(value, tuple) and len(value) != stages:
                raise ConfigError(
                    f"{len(value)} values for {stages} stages", where=f"cascade.{name}", remedy="give one per member but the last"
                )
        given = self.budget is not None or self.cost_weight or self.target is not None or self.order == "search"
        if self.thresholds != "optimize" and given:
            raise ConfigError(
                "budget, cost_weight, target and order: search go with thresholds: optimize",
                where="cascade",
                remedy="set it, or drop them",
            )
        if self.confidence == "scorer":
            check_keepable()
            check_source(pool, self.embedding)
        if isinstance(self.order, tuple) and sorted(self.order) != sorted(pool.names):
            raise ConfigError(
                f"order names {list(self.order)}, the members are {pool.names}", where="cascade.order", remedy="name each once"
            )
        chain = self.chain(pool)
        for member in chain if self.order in ("cost", "search") and self.order_ is None else chain[:-1]:
            if lacks := self.asker(last=False).missing(member):
                raise PoolError(
                    f"cascade with confidence '{self.confidence}' needs {lacks} of member '{member.name}', which cannot give it",
                    remedy="set confidence: self_consistency or verbal, which need only text, or put that member last",
                )

    async def fit(self, pool: Pool, dev: Examples, run: Run) -> None:
        """Thresholds from dev. Labels are read by `optimize` and what learns only; all are asked for `optimize` and by cost."""
        self.order_ = await by_cost(pool, dev, run) if self.order == "cost" else None
        self.thresholds_ = self.scorers_ = None
        chain = self.chain(pool)
        if len(chain) == 1 or (self.fixed and self.confidence not in LEARNED):
            return
        if self.thresholds == "optimize":
            await self.fit_best(pool, chain, dev, run)
            return
        if self.confidence == "verbal":
            return  # nothing to learn: low or high is a decision already
        cuts: list[float] = []
        stages: list[Seen] = []
        arrived = list(dev)
        for stage, (member, quantile) in enumerate(zip(chain, each(self.quantile, len(chain) - 1), strict=False)):
            seen = await self.stage(pool, member, stage, arrived, run)
            stages.append(seen)
            open_to_choice = len(arrived) > 0 and not self.fixed  # where nobody arrives there is nothing to choose from
            cuts.append(quantile_threshold(seen.values, quantile) if open_to_choice else self.cuts(chain)[stage])
            arrived = [example for example, value in zip(arrived, seen.values, strict=True) if value < cuts[-1]]
        self.learned(chain, cuts, stages, run, {"passed on to the last": round(len(arrived) / len(dev), 6)})

    async def fit_best(self, pool: Pool, chain: list[Member], dev: Examples, run: Run) -> None:
        """Everyone answers all of dev; thresholds, and with `search` the chain, are searched together."""
        searched = self.order == "search"
        last = -1 if searched else len(chain) - 1
        seen = [await self.stage(pool, m, i, dev, run, last=i == last) for i, m in enumerate(chain)]
        ends = len(chain) if searched and self.asker(last=True) != self.asker(last=False) else 0
        seen += [await self.stage(pool, m, i, dev, run, last=True) for i, m in enumerate(chain[:ends])]
        scores, costs, values = (np.stack([getattr(s, part) for s in seen]) for part in ("scores", "costs", "values"))
        unit = float(costs[ends:].mean(axis=1).max() if searched else costs[-1].mean()) or 1.0
        aim = Aim(None if self.budget is None else self.budget * unit, self.cost_weight / unit, self.target)

        def choose(scores: Floats, costs: Floats, values: Floats) -> Chain:
            if searched:
                return search_chain(scores, costs, values, aim, self.depth, ends)
            return Chain(tuple(range(len(chain))), aim.cut(scores, costs, values))

        best = await aside(choose, scores, costs, values)
        found = best.run(scores, costs, values)
        if self.target is not None and found.score < self.target - 1e-9:
            raise ConfigError(
                f"no chain reaches a dev score of {self.target:g} within the budget, the best one {found.score:g}",
                where="cascade.target",
                remedy="lower the target, raise the budget, or add a member",
            )
        about = {"dev score": found.score, "dev cost": found.cost / unit, "passed on to the last": found.share[-1]}
        parts = np.array_split(run.rng("folds").permutation(len(dev)), min(5, len(dev)))
        if estimate := await aside(held_out, choose, scores, costs, values, parts):
            about |= {"held-out score": estimate[0], "held-out cost": estimate[1] / unit}
        chosen = [chain[i % len(chain)] for i in best.members]
        if searched:
            self.order_ = tuple(m.name for m in chosen)
        stages = [seen[i] for i in best.members[:-1]]
        self.learned(chosen, best.thresholds, stages, run, {k: round(v, 6) for k, v in about.items()})

    def learned(
        self, chain: list[Member], cuts: Sequence[float], stages: Sequence[Seen], run: Run, about: dict[str, float]
    ) -> None:
        """Keep what a fit found, and say so in its log; ``stages`` are all but the last."""
        self.thresholds_ = None if self.fixed else tuple(cuts)
        self.scorers_ = tuple(s.scorer for s in stages) if self.confidence in LEARNED else None
        told: dict[str, Any] = {"order": [m.name for m in chain], "thresholds": [finite(c) for c in cuts], **about}
        if worth := {m.name: s.worth for m, s in zip(chain, stages, strict=False) if s.worth is not None}:
            told["confidence"] = worth
        run.log.append({"cascade": told})

    async def stage(self, pool: Pool, member: Member, stage: int, dev: Examples, run: Run, *, last: bool = False) -> Seen:
        """What one stage does on dev; raises PoolError for a member that never tells how sure it is."""
        asker = self.asker(last)

        learns = self.confidence in LEARNED and not last and not tells_itself(member)

        async def one(example: Example) -> tuple[Look, float]:
            look = await asker.look(example.query, pool, member, stage)
            return look, await example.score(look.draft.text) if labels and look.draft is not None else 0.0

        labels = self.thresholds == "optimize" or self.confidence in LEARNED
        pairs = await run.map(one, dev, f"cascade: {member.name}")
        looks, scores = [look for look, _ in pairs], np.array([score for _, score in pairs])
        questions = [example.query.question for example in dev]
        reads = self.embedding if self.confidence == "scorer" else None
        found = await learn_scorer(pool, looks, questions, scores, run.rng(f"posthoc {stage}"), reads) if learns else None
        scorer, looks = found or (None, looks)
        if looks and not last and all(look.note == "no confidence" for look in looks):
            raise PoolError(
                f"member '{member.name}' gave no confidence on any dev question",
                where="cascade",
                remedy="set confidence: self_consistency, or put it last",
            )
        values = np.array([look.value for look in looks])
        worth = worth_of(asker, member, values, scores) if labels and not last else None
        return Seen(values, scores, np.array([look.cost for look in looks]), scorer, worth)

    async def answer(self, query: Query, pool: Pool) -> Answer:
        chain = self.chain(pool)
        spoke: tuple[Member, Draft, float | None] | None = None
        steps: list[dict[str, Any]] = []
        for stage, (member, cut) in enumerate(zip(chain, (*self.cuts(chain), ACCEPT), strict=True)):
            if cut == DEFER:  # it could only be asked in vain
                skipped = {"member": member.name, "confidence": None, "threshold": None, "accepted": False, "cost": 0.0}
                steps.append({**skipped, "note": "skipped"})
                continue
            last = stage == len(chain) - 1
            look = await self.consult(query, pool, chain, stage)
            accepted = look.draft is not None and (last or look.value >= cut)
            told = {"confidence": finite(look.sure), "threshold": finite(cut), "accepted": accepted, "cost": finite(look.cost)}
            step = {"member": member.name, **told}
            steps.append({**step, "note": look.note} if look.note and not accepted else step)
            if look.draft is not None:  # confidences of different members do not compare: the last that spoke is the ablest
                spoke = member, look.draft, self.asker(last).as_probability(member, look.sure)
            elif last and spoke is None and look.error is not None:
                raise look.error
            if accepted:
                break
        assert spoke is not None
        signal = {"signal": self.confidence, "scale": scale_of(self.confidence)}
        reason = {**signal, "steps": steps, "stage": len(steps) - 1, "fallback": not steps[-1]["accepted"]}
        return answer_of(spoke[1], confidence=spoke[2], reason=reason)

    async def stages(self, query: Query, pool: Pool) -> Sequence[Stage]:
        chain = self.chain(pool)
        cuts = (*self.cuts(chain), ACCEPT)
        return [Stage(m.name, cuts[i], await self.consult(query, pool, chain, i)) for i, m in enumerate(chain)]

    async def consult(self, query: Query, pool: Pool, chain: list[Member], stage: int) -> Look:
        """What that stage says; raises ConfigError where its confidence has to be learned and nothing was fitted."""
        last = stage == len(chain) - 1
        if self.confidence in LEARNED and self.scorers_ is None and len(chain) > 1:
            raise ConfigError(
                f"{self.confidence} needs what it learns from dev, and nothing was fitted",
                where="cascade",
                remedy="fit it on a dev split",
            )
        scorer = self.scorers_[stage] if self.scorers_ and not last else None
        return await self.asker(last).look(query, pool, chain[stage], stage, scorer)

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


def worth_of(asker: Asker, member: Member, values: Floats, scores: Floats) -> dict[str, float | None]:
    """What a confidence is worth: AUROC, and expected calibration error as a probability, of the ``n`` answers that have one."""
    known = np.isfinite(values)
    sure = [p for v in values[known] if (p := asker.as_probability(member, float(v))) is not None]
    error = calibration_error(sure, scores[known]) if sure else None
    return {"n": len(sure), "auroc": finite(auroc(values[known], scores[known])), "calibration error": finite(error)}


def finite(value: float | None) -> float | None:
    """``value`` for the record; what is infinite has no JSON."""
    return round(float(value), 6) if value is not None and np.isfinite(value) else None


async def by_cost(pool: Pool, dev: Examples, run: Run) -> tuple[str, ...]:
    """Member names by mean cost of their answer on dev, equals in pool order."""
    means = await dev_costs(pool, dev, run)
    return tuple(pool.names[i] for i in np.argsort(means, kind="stable"))
