"""Trained router: what members scored on dev teaches who shall answer (RouteLLM, arXiv 2406.18665, for any number).

One method, one interface, several heads. A decision never changes the chosen member's prompt or seed, so its answer is the shared
one, and on a warm store routing generates nothing.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from moco.collab.method import Method, register
from moco.collab.run import Examples, Run
from moco.core.errors import ConfigError
from moco.core.query import Query
from moco.core.seeds import derive
from moco.core.types import Answer
from moco.discussion import answer_of
from moco.models.pool import Pool
from moco.routers import (
    HEADS,
    Outcomes,
    Rule,
    Scale,
    Space,
    aside,
    caution,
    check_installed,
    check_keepable,
    check_source,
    few,
    labels,
    learn,
    learn_space,
    outcomes,
    scores,
    share_threshold,
    teaching,
    validate,
)

HeadName = Literal["knn", "logistic", "mf", "sw", "mlp", "elo", "lm_sft", "lm_score", "bert"]
BELONGS = {
    **dict.fromkeys(("neighbours", "weighted"), "knn"),
    "strength": "logistic",
    "penalty": "mlp",
    **dict.fromkeys(("learning_rate", "factors", "epochs"), "mf"),
}
"""Options of one head alone."""
SLACK = 0.1
"""How far a calibrated share may miss before the fit warns of it."""
LANGUAGE_MODELS = ("lm_sft", "lm_score", "bert")
"""Heads that are language models: they come with the training kit's routers and share everything but ``learn`` and ``scores``."""


@register("trained_router", level="routing", paper="arXiv:2406.18665", fit="required")
class TrainedRouter(Method):
    """A head learned from dev outcomes picks the member of best expected score minus its price; only that one answers."""

    cost = (
        "fit: n calls per dev example (the shared first answers); 1 call per query, of the chosen member, "
        "and where a model embeds 1 of it"
    )
    fidelity = (
        "mf: s(k, x) = v . (P_k / |P_k| * (W e(x))), BCE of s(winner) - s(loser), equal results removed, noise 0.1 (RouteLLM)",
        "sw: weights 10 x 10^(cos / max cos), Bradley-Terry refitted per question, equal results half a win each; no tiers",
        "elo: the same fit without weights; it ignores the question and is the control that a router must beat",
        "deviates: sw, elo: a faint pull to equal ratings (1e-6 per battle), so that who always wins has a finite one",
        "win rate of two members: sigmoid of the difference (mf, sw, elo); (1 + difference) / 2 of expected scores (others)",
        "strong_share f: threshold = linear quantile 1 - f of held-out dev win rates; strong iff win rate >= threshold",
        "equal win rates go to the strong member together; the share reached on dev is in the reason, a miss by 0.1 is warned of",
        "more than two members: the strong one against the best other; without a threshold the best utility of all",
        "mf: defaults are RouteLLM's; the learning rate is chosen on dev among its 3e-4 and 3e-3 (small data move little)",
        "settings are chosen and quality is estimated by cross-validation on dev (stratified by who is best); test is never read",
        "deviates: heads are picked by held-out routed score over folds, not by early stopping on one part of dev",
        "what n-grams are worth is learned on all of dev without its labels, before it is cut into folds",
        "deviates: mlp is one network with an output per member; the embedder defaults to hashed n-grams (no download)",
        "deviates: preset moco takes knn, since the released code's lm_sft needs a trained language model, not built yet",
        "fixes: the released code samples its verdict, falls back to an unseeded random member and evaluates on its training set",
        "tests: tests/methods/test_trained_router.py, tests/routers/test_heads.py",
    )
    presets = {"paper": {"head": "mf", "learning_rate": 3e-4, "factors": 128}, "moco": {"head": "knn", "target": "best"}}

    head: HeadName = "knn"
    """What learns. `logistic` and `mlp` need scikit-learn to be fitted (extra `router`); language models are not built yet."""
    embedding: str = "auto"
    """`auto`: aux.embedder where the study names one, else `ngrams`; `ngrams`; `aux.embedder`; or a member that can embed."""
    target: Literal["score", "best"] = "score"
    """Learn each member's score, or who is best."""
    ties: Literal["auto", "reward", "cost", "soft"] = "auto"
    """`best`: equal scores go by reward (aux.reward), then by cost, or share the label; `auto` asks for a reward if it can."""
    cost_weight: Annotated[float, Field(ge=0)] = 0.0
    """Score given up for saving the cost of the member that is dearest on dev."""
    strong: str | None = None
    """Who the threshold is about; None takes the best on dev."""
    strong_share: Annotated[float, Field(ge=0, le=1)] | None = None
    """Share of calls that shall go to the strong member; calibrated on dev, where equal win rates can only go together."""
    threshold: float | None = None
    """A given threshold on the strong member's win rate; 0 sends it everything, more than 1 nothing."""
    folds: Annotated[int, Field(ge=2)] = 5
    """Parts of dev in cross-validation."""
    neighbours: Annotated[int, Field(ge=1)] | None = None
    """`knn`: how many dev questions vote; None chooses among 5, 10, 20, 40."""
    weighted: bool = False
    """`knn`: votes count by their cosine."""
    strength: Annotated[float, Field(gt=0)] | None = None
    """`logistic`: scikit-learn's C; None chooses among 1, 10, 100."""
    penalty: Annotated[float, Field(gt=0)] | None = None
    """`mlp`: scikit-learn's alpha; None chooses among 0.01, 0.1, 1."""
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    """`mf`: Adam's step; None chooses between 3e-4 and 3e-3."""
    factors: Annotated[int, Field(ge=1)] | None = None
    """`mf`: length of a member's vector; None takes 128, or 64 below 1,000 dev questions."""
    epochs: Annotated[int, Field(ge=1)] = 100
    """`mf`: passes over the battles."""

    space_: Space | None = None
    learned_: dict[str, Any] | None = None
    scale_: Scale | None = None
    costs_: tuple[float, ...] = ()
    strong_: int = 0
    threshold_: float | None = None
    estimate_: dict[str, float] | None = None
    note_: str = ""

    def check(self, pool: Pool) -> None:
        super().check(pool)
        if self.head in LANGUAGE_MODELS:
            raise ConfigError(
                f"head {self.head} is a trained language model, which this version does not have",
                where="trained_router.head",
                remedy=f"use one of {', '.join(HEADS)}",
            )
        for option, head in BELONGS.items():
            if getattr(self, option) != getattr(type(self), option) and head != self.head:
                raise ConfigError(
                    f"{option} belongs to head {head}", where=f"trained_router.{option}", remedy=f"set head: {head}, or drop it"
                )
        if self.ties != "auto" and self.target != "best":
            raise ConfigError("ties go with target: best", where="trained_router.ties", remedy="set it, or drop ties")
        if self.strong_share is not None and self.threshold is not None:
            raise ConfigError("strong_share and threshold exclude each other", where="trained_router", remedy="give one of them")
        if self.strong_share is not None and self.head == "elo":
            raise ConfigError(
                "elo's win rate is the same for every question: all or none of them go to the strong member",
                where="trained_router.strong_share",
                remedy="use another head, or drop strong_share",
            )
        if self.strong is not None:
            pool[self.strong]
        if self.head in ("logistic", "mlp") and self.learned_ is None:
            check_installed()
        check_keepable()
        check_source(pool, self.embedding)

    async def fit(self, pool: Pool, dev: Examples, run: Run) -> None:
        rewarded = self.target == "best" and (self.ties == "reward" or (self.ties == "auto" and pool.aux.reward is not None))
        found = await outcomes(pool, dev, run, rewarded=rewarded)
        self.space_, x = await learn_space(pool, found.questions, self.embedding)
        head, labelled = HEADS[self.head], self.target == "best"
        target = labels(found, self.ties) if labelled else found.quality
        seed, weight = derive("trained_router", run.seed), self.cost_weight
        validated = await aside(
            validate, head, x, target, found, self.settings(), seed=seed, count=self.folds, weight=weight, labelled=labelled
        )
        rows = teaching(target) if labelled and len(teaching(target)) else np.arange(len(dev))
        self.learned_ = await aside(learn, head, x[rows], target[rows], run.rng(f"head {self.head}"), validated.setting)
        self.scale_, self.costs_ = validated.scale, tuple(found.relative_costs.tolist())
        means = found.quality.mean(axis=0)
        ahead = sorted(range(len(pool)), key=lambda k: (-round(float(means[k]), 9), self.costs_[k], k))
        self.strong_ = ahead[0] if self.strong is None else pool[self.strong].index
        quality = validated.quality(validated.held)
        if self.strong_share is not None and len(pool) > 1:
            rates = self.rule(0.0).decide(validated.held, quality)[1]
            self.threshold_ = share_threshold(rates if rates is not None else [0.0], self.strong_share)
        self.estimate_ = self.estimated(found, validated.held, quality)
        self.note_ = few(run, "trained_router", len(dev))
        got = self.estimate_["to the strong member"]
        if self.threshold_ is not None and self.strong_share is not None and abs(got - self.strong_share) > SLACK:
            caution(
                run,
                "trained_router",
                f"{got:.0%} of dev go to the strong member instead of {self.strong_share:.0%}: "
                "the head tells too few questions apart (knn: more neighbours or weighted: true; or another head)",
            )
        about = {
            "head": self.head,
            "constant": "constant" in self.learned_,
            "embedding": self.space_.described,
            "setting": dict(validated.setting),
            "tried": [{**setting, "held-out utility": value} for setting, value in validated.tried],
            "strong": pool.names[self.strong_],
            "threshold": self.cut,
            "costs": dict(zip(pool.names, rounded(self.costs_), strict=True)),
            "held out": self.estimate_,
        }
        run.log.append({"trained_router": about})

    async def answer(self, query: Query, pool: Pool) -> Answer:
        if self.space_ is None or self.learned_ is None:
            raise ConfigError("it has learned nothing yet", where="trained_router", remedy="fit it on a dev split")
        x = await self.space_.embed(pool, [query.question])
        found = scores(HEADS[self.head], self.learned_, x)
        quality = found if self.scale_ is None else self.scale_.quality(found)
        chosen, rates = self.rule(self.cut).decide(found, quality)
        who = int(chosen[0])
        reason = {
            "route": pool.names[who],
            "head": self.head,
            "scores": dict(zip(pool.names, rounded(quality[0].tolist()), strict=True)),
            "costs": dict(zip(pool.names, rounded(self.costs_), strict=True)),
            "cost_weight": self.cost_weight,
            "embedding": self.space_.described,
            "held_out_score": (self.estimate_ or {}).get("score"),
        }
        if rates is not None and self.cut is not None:
            told = {"strong": pool.names[self.strong_], "win_rate": round(float(rates[0]), 6), "threshold": round(self.cut, 6)}
            reason |= told
        if self.threshold_ is not None:
            reason["strong_share"] = {"wanted": self.strong_share, "on dev": (self.estimate_ or {}).get("to the strong member")}
        if self.note_:
            reason["note"] = self.note_
        return answer_of(await pool.ask(who, query), confidence=float(np.clip(quality[0, who], 0, 1)), reason=reason)

    @property
    def cut(self) -> float | None:
        """The threshold in force; None where the best utility decides."""
        return self.threshold if self.threshold is not None else self.threshold_

    def rule(self, threshold: float | None) -> Rule:
        return Rule(np.array(self.costs_), self.cost_weight, self.strong_, HEADS[self.head].log_odds, threshold)

    def settings(self) -> list[dict[str, float]]:
        """What cross-validation tries: the head's own settings, but for what the options fix."""
        fixed: dict[str, float | None] = {
            "knn": {"neighbours": self.neighbours, "weighted": float(self.weighted)},
            "logistic": {"strength": self.strength},
            "mf": {"rate": self.learning_rate, "factors": self.factors, "epochs": self.epochs},
            "mlp": {"penalty": self.penalty},
        }.get(self.head, {})
        given = {name: value for name, value in fixed.items() if value is not None}
        tried = [{**setting, **given} for setting in HEADS[self.head].settings]
        return [setting for i, setting in enumerate(tried) if setting not in tried[:i]]

    def estimated(self, found: Outcomes, held: Any, quality: Any) -> dict[str, float]:
        """What routing dev with held-out scores gives: score and cost (embedding included), beside best single and oracle."""
        chosen, _ = self.rule(self.cut).decide(held, quality)
        rows, strong = np.arange(len(found)), self.strong_
        about = {
            "score": found.scores[rows, chosen].mean(),
            "cost": found.costs[rows, chosen].mean() + (self.space_.price if self.space_ is not None else 0.0),
            "to the strong member": (chosen == strong).mean(),
            "best single": found.scores.mean(axis=0).max(),
            "oracle": found.scores.max(axis=1).mean(),
        }
        return {name: round(float(value), 6) for name, value in about.items()}


def rounded(values: Any) -> list[float]:
    """For the record: six digits."""
    return [round(float(v), 6) for v in values]
