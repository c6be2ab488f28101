"""LLM-Blender: candidates are compared in pairs, in both orders, and the best are fused into one answer (arXiv 2306.02561).

Knows nothing of answers: only texts are compared, so any task will do. How verdicts are read and added up is the kit's.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Annotated, Any, Literal

from pydantic import Field

from moco.collab.method import Method, register
from moco.collab.run import Examples, Run
from moco.core.errors import BackendError, ConfigError, PoolError
from moco.core.query import Query
from moco.core.types import Answer, Draft
from moco.discussion import Ranking, answer_of, rank_on_dev
from moco.discussion.aggregation import COMBINE, FIELDS, reading
from moco.discussion.comparisons import Orders, Policy, bubble, rank_all
from moco.discussion.fusing import fuser_of, generated
from moco.discussion.gathering import OnFailure, gather, within
from moco.discussion.judging import shuffled
from moco.discussion.rankers import COMPARE, Manner, Paired, Prompted, Ranker, lessons
from moco.discussion.selectors import distinct
from moco.discussion.template import Template
from moco.discussion.turns import take
from moco.discussion.votes import placing
from moco.models.member import resolve
from moco.models.pool import Pool
from moco.models.protocol import Model

RANKED = Template(
    """\
Several assistants answered the question below; a judge has put their answers in order, the best one first. Keep what is \
right, settle where they differ by checking how they reason, and write one final answer that does not mention them.
Question: {task}
{answers}
Final answer:""",
    FIELDS,
    ("answers",),
)
AUX = "aux.judge"


@register("llm_blender", level="text", paper="arXiv:2306.02561", fit="optional", roles={"judge": 0, "fuser": 0})
class LlmBlender(Method):
    """Candidates are ranked by pairwise comparison in both orders; the best top_k are fused, or the best one stands."""

    cost = (
        "n calls for the candidates, u (u - 1) comparisons of the u that differ (bubble: 2 (u - 1); one order: half), "
        "+1 to fuse, +2 with accept=if_better; n alone where all say the same"
    )
    fidelity = (
        "max_logits (the paper's choice): mean over all columns, the zero diagonal included, of M - M^T; max_wins counts both "
        "orders; bubble: one pass, both orders, the later one stays unless it lost; equal scores share the better rank",
        "full pass: every ordered pair, so that a constant liking for a place cancels; orders=one is biased and cheaper",
        "order for the fuser: score, then dev rank, then pool order; top_k = 3 as in the paper",
        "equal candidates (but for white space) are compared once; empty ones not at all",
        "ranker=pairrm: the published cross-encoder (marker tokens, shared truncation, head over [source; candidate]); fuser="
        "gen_fuser: the published seq2seq model's exact source string, beam 4; checked on tiny models, checkpoints were not run",
        "ranker=trained: the prompted judge, tuned on dev pairs in both orders, ties left out; needs a trainer `sft`",
        "deviates: by default judge and fuser are prompted members, the best on dev; the fuser sees candidates fenced, nameless, "
        "in a random order of the question's own (order=ranked: best first)",
        "deviates: verdict=hard reads +1, -1 or 0; soft is log p(first) - log p(second), two scorings each, counted as calls",
        "deviates: get_scores_from_cmps mixes sums and means for max_wins; ranks agree with get_ranks_from_cmps",
        "left out: a trained fuser and cross-fitting, pointwise scores, num_runs > 1 of bubble; the original's losses and its "
        "random choice of training pairs belong to training a cross-encoder, which is not done here",
        "tests: tests/methods/test_llm_blender.py, tests/discussion/test_comparisons.py, tests/discussion/test_judging.py, "
        "tests/models/test_pairrm.py",
    )
    presets = {
        "paper": {"ranker": "pairrm", "fuser": "gen_fuser", "order": "ranked", "temperature": 0.0},
        "moco": {"orders": "one", "policy": "max_wins", "order": "ranked", "ranker_tokens": 128},
    }

    ranker: Literal["prompt", "pairrm", "trained"] = "prompt"
    """Who compares: a member in words, the published cross-encoder, or a member tuned on dev pairs."""
    judge: str | None = None
    """Name of the comparing member, or aux.judge; None takes the role `judge`, else the best on dev."""
    verdict: Literal["hard", "soft"] = "hard"
    """Read the verdict that is written, or compare the log-probabilities of both (needs SCORE)."""
    inference: Literal["full", "bubble"] = "full"
    """Compare all pairs, or make one pass that finds the best only."""
    policy: Policy = "max_logits"
    """How comparisons are added up: by their margins, or by wins."""
    orders: Orders = "both"
    """Show every pair in both orders, or once with the candidate of the better-ranked member first."""
    top_k: Annotated[int, Field(ge=1)] = 3
    """Candidates to fuse."""
    fuser: Literal["prompt", "none", "gen_fuser"] = "prompt"
    """Who fuses: a member in words, nobody (the best candidate stands), or the published seq2seq model."""
    writer: str | None = None
    """Name of the fusing member; None takes the role `fuser`, else the best on dev."""
    order: Literal["shuffled", "ranked"] = "shuffled"
    """Order of the candidates before the fuser."""
    accept: Literal["always", "if_better"] = "always"
    """Take the fused answer, or only where it beats the best candidate in both orders together."""
    fuse_unanimous: bool = False
    """Fuse also where all candidates are one text."""
    prior: Annotated[float, Field(ge=0)] = 0.0
    """Added to a score: this times the log of how many gave that text."""
    temperature: Annotated[float, Field(ge=0)] | None = None
    """Temperature of the fuser; None takes the request's."""
    compare: Annotated[str, COMPARE.option] = COMPARE.text
    """The comparison's prompt: {question}, {answers}, the labels {first} and {second}, and the {verdict}'s form."""
    labels: tuple[str, str] = ("FIRST", "SECOND")
    """What the two candidates are called; others are taken where a candidate uses these words."""
    reply: str = "{label}"
    """How a verdict is written."""
    ranker_tokens: Annotated[int, Field(ge=1)] = 8
    """Room for a verdict."""
    fuse: Annotated[str, COMBINE.option] = COMBINE.text
    """The fuser's prompt: {answers} to {task}."""
    fuse_ranked: Annotated[str, RANKED.option] = RANKED.text
    """The fuser's prompt of order=ranked."""
    ranker_model: str = "llm-blender/PairRM-hf"
    """Folder or hub id of ranker=pairrm."""
    fuser_model: str = "llm-blender/gen_fuser_3b"
    """Folder or hub id of fuser=gen_fuser."""
    max_pairs: Annotated[int, Field(ge=1)] = 5
    """Pairs per dev question that ranker=trained learns from."""
    on_failure: OnFailure = "fail"
    """Whether a failure fails the question, or leaves out a candidate, a comparison or the fusion."""
    at_least: Annotated[int, Field(ge=1)] = 1
    """Least number of candidates to go on with."""
    deadline: Annotated[float, Field(gt=0)] | None = None
    """Seconds after which a call has failed."""

    ranking_: Ranking | None = None
    ranker_: str | None = None

    def check(self, pool: Pool) -> None:
        super().check(pool)
        if self.inference == "bubble" and self.fuser != "none" and self.top_k > 1:
            raise ConfigError("bubble finds the best candidate only", where="llm_blender.inference", remedy="set top_k: 1")
        if "{label}" not in self.reply:
            raise ConfigError("the reply has no {label}", where="llm_blender.reply", remedy='write reply: "Answer: {label}"')
        if self.labels[0] == self.labels[1] or not all(self.labels):
            raise ConfigError("the labels must differ", where="llm_blender.labels", remedy="write labels: [A, B]")
        if self.ranker == "trained" and self.judge == AUX:
            raise ConfigError("only a member can be trained", where="llm_blender.judge", remedy="name a member of the pool")
        if self.judge is not None:
            pool.helper("judge") if self.judge == AUX else pool[self.judge]
        if self.writer is not None:
            pool[self.writer]
        if self.ranker == "pairrm":
            self.encoder(pool)
        if self.verdict == "soft" and self.ranker == "prompt":
            named = self.judge or (cast.name if (cast := pool.plays("judge")) is not None else None)
            views = [pool.helper("judge")[0]] if named == AUX else list(pool) if named is None else [pool[named]]
            for member in views:
                if "SCORE" not in member.model.capabilities:
                    what = f"llm_blender needs SCORE of '{member.name}', which may be the judge"
                    raise PoolError(what, remedy="set verdict: hard, or name a local judge")

    def compatible(self, pool: Pool) -> None:
        """The published checkpoints are there, or are fetched now."""
        if self.ranker == "pairrm":
            _ = self.encoder(pool).fingerprint
        if self.fuser == "gen_fuser":
            _ = fuser_of(pool, self.fuser_model).fingerprint

    async def fit(self, pool: Pool, dev: Examples, run: Run) -> None:
        self.ranking_ = await rank_on_dev(pool, dev, run)
        if self.ranker != "trained":
            return
        who = self.chief(pool, "judge", self.judge)
        rows: list[Any] = []
        for example in dev:
            drafts = [await pool.ask(name, example.query) for name in pool.names]
            drafts = [drafts[i] for i in distinct(drafts)]
            scores = [await example.score(d.text) for d in drafts]
            differing = [(i, j) for i, j in combinations(range(len(drafts)), 2) if scores[i] != scores[j]]
            order = run.rng(f"pairs {example.query.question}").permutation(len(differing))[: self.max_pairs]
            rows += lessons(Prompted(example.query, pool, who, self.manner), drafts, scores, [differing[k] for k in order])
        spec = {"kind": "sft", "rank": 16, "learning_rate": 1e-4, "epochs": 3}
        self.ranker_ = await run.train(pool[who], spec, rows)

    async def answer(self, query: Query, pool: Pool) -> Answer:
        came = await gather(query, pool, on_failure=self.on_failure, at_least=self.at_least, deadline=self.deadline)
        ranked = [came.drafts[i] for i in sorted(range(len(came.drafts)), key=placing(came.drafts, self.ranking_))]
        drafts = [ranked[i] for i in distinct(ranked)]
        about: dict[str, Any] = {"candidates": [d.member for d in drafts], **came.record}
        if len(drafts) < 2 and not (drafts and self.fuse_unanimous and self.fuser != "none"):
            return answer_of((drafts or ranked)[0], reason={**about, "rule": "unanimous" if drafts else "nothing said"})
        ranker = self.compares(query, pool)
        order = list(range(len(drafts)))
        if len(drafts) > 1:
            order, how = await self.rank(query, ranker, drafts, [_copies(ranked, d) for d in drafts])
            about |= how
        best = drafts[order[0]]
        fused = await self.fused(query, pool, [drafts[i] for i in order[: self.top_k]], about)
        if fused is not None and self.accept == "if_better" and len(drafts) > 1:
            gain = await ranker.margin(fused, best) - await ranker.margin(best, fused)
            about["gain"] = round(gain, 6)
            fused = fused if gain > 0 else None
        return answer_of(best if fused is None else fused, reason={**about, "fused": fused is not None, "notes": ranker.notes})

    async def rank(
        self, query: Query, ranker: Ranker, drafts: Sequence[Draft], copies: Sequence[int]
    ) -> tuple[list[int], dict[str, Any]]:
        """Places of ``drafts``, the best first (they come in dev order, which breaks ties), and the record of it."""

        async def compare(i: int, j: int) -> float:
            return await ranker.margin(drafts[i], drafts[j])

        if self.inference == "bubble":
            best = await bubble(shuffled(query, "bubble", [d.text for d in drafts]), compare)
            return [best, *(i for i in range(len(drafts)) if i != best)], {"best": drafts[best].member}
        found = await rank_all(compare, copies, self.policy, self.orders, self.prior)
        scores = {d.member: s for d, s in zip(drafts, found.scores, strict=True)}
        return found.order, {"scores": scores, "ranks": found.ranks, "matrix": found.matrix}

    async def fused(self, query: Query, pool: Pool, top: Sequence[Draft], about: dict[str, Any]) -> Draft | None:
        """One answer from the best candidates; None where nobody fuses, or the fuser failed and that is allowed."""
        if self.fuser == "none":
            return None
        try:
            if self.fuser == "gen_fuser":
                return await within(self.deadline, generated(pool, self.fuser_model, query.question, top), "gen_fuser")
            who = self.chief(pool, "fuser", self.writer)
            shown = top if self.order == "ranked" else [top[i] for i in shuffled(query, "fuse", [d.text for d in top])]
            words = RANKED.but(self.fuse_ranked) if self.order == "ranked" else COMBINE.but(self.fuse)
            turn = reading(query, pool, who, shown, words, numbering="place", label="Answer {number}")
            about |= {"fuser": who, "trim": turn.note}
            return await within(self.deadline, take(pool, turn, stage="fuse", round=2, temperature=self.temperature), who)
        except BackendError as error:
            if self.on_failure == "fail":
                raise
            about["fuser failed"] = str(error)
            return None

    def compares(self, query: Query, pool: Pool) -> Ranker:
        """Who compares the candidates of this query."""
        patience: dict[str, Any] = {"on_failure": self.on_failure, "deadline": self.deadline}
        if self.ranker == "pairrm":
            return Paired(query, pool.beside(self.encoder(pool), "pairrm"), **patience)
        if self.ranker == "trained":
            if self.ranker_ is None:
                raise ConfigError(
                    "ranker=trained has not been trained", where="llm_blender", remedy="fit it on dev, or set ranker: prompt"
                )
            return Prompted(query, pool.beside(pool.model(self.ranker_), "ranker"), "ranker", self.manner, **patience)
        who = self.chief(pool, "judge", self.judge)
        return Prompted(
            query, pool.helper("judge") if who == AUX else pool, "judge" if who == AUX else who, self.manner, **patience
        )

    def encoder(self, pool: Pool) -> Model:
        """The published ranker; nothing is loaded yet. Raises PoolError for a folder that holds none."""
        return resolve(self.ranker_model, pool.store, name="pairrm", backend="pairrm")

    @property
    def manner(self) -> Manner:
        """How a member is asked to compare."""
        words = COMPARE.but(self.compare)
        return Manner(words, self.labels, self.reply, max_tokens=self.ranker_tokens, soft=self.verdict == "soft")

    def chief(self, pool: Pool, role: str, named: str | None) -> str:
        """Who judges or fuses: the option, the role, the best on dev."""
        if named is not None:
            return named
        cast = pool.plays(role)
        return cast.name if cast is not None else self.ranking_.best(pool) if self.ranking_ is not None else pool.names[0]


def _copies(drafts: Sequence[Draft], draft: Draft) -> int:
    """How many drafts say what ``draft`` says."""
    return sum(d.text.split() == draft.text.split() for d in drafts)
