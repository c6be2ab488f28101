"""Multiagent feedback: members review each other's answers and the authors revise (Self-Refine, arXiv 2303.17651, with other
models as critics); or they decide together whether to answer at all (arXiv 2402.00367).

Knows nothing of tasks. A reviewer sees one answer and nothing else; an author sees its own answer and what was said of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field

from moco.collab.method import Method, register
from moco.collab.run import Examples, Run
from moco.core.query import Query
from moco.core.types import Answer, Draft
from moco.discussion import Ranking, Tie, rank_on_dev
from moco.discussion.abstention import CHALLENGE, COMMENT, DOMAINS, DOUBT, EXPERTISE, VERDICT, Abstainer, Words
from moco.discussion.aggregation import COMBINE, Ending, Rule
from moco.discussion.debate import History
from moco.discussion.gathering import OnFailure, gather
from moco.discussion.minutes import Minutes
from moco.discussion.quoting import LINE, Form
from moco.discussion.rankers import COMPARE, Manner
from moco.discussion.reviews import REVIEW, REVISE, REVISE_CHAT, Reviewing, Selection, approves, reviewers_of
from moco.discussion.rounds import EarlyStop, Talk, ends
from moco.models.pool import Pool


@register("multiagent_feedback", level="text", paper="arXiv:2402.00367", fit="optional")
class MultiagentFeedback(Method):
    """Members criticise each other's answers, authors revise, a vote decides; or a judge decides whether to answer."""

    cost = (
        "n + (rounds - 1) n (f + 1) calls per query, f reviews each, fewer where all say OK; +1 with a summary, +u(u-1) judge; "
        "abstain 5 (self: 8; +2 if the judge scores), compete 3"
    )
    fidelity = (
        "a review shows the question and one answer, a revision its own answer and its reviews, in order of the reviewers",
        "balanced: everybody writes and gets min(f, n - 1) reviews; random: drawn per author, as the released code, but seeded",
        "an author all of whose reviews say OK keeps its answer and is reviewed no more (stop_if_ok; Self-Refine stops so too); "
        "a review that failed or is empty says nothing",
        "abstain: the proposer and two others comment once (paper: temperature 1), a judge decides; self: three expert roles",
        "the confidence of abstain is p(holds) of both verdicts, where the judge can score them; else there is none",
        "compete: a challenger argues for another option; a proposer that changes its answer abstains",
        "the official seven figures of abstaining stand beside the score; what is held back is graded for them",
        "deviates: a review has no solution beside it (Self-Refine's has, and reports it): the reviewed answer stands",
        "deviates: an unreadable verdict asks for a revision; an unreadable judge does not abstain (official: a coin)",
        "deviates: the passage of compete comes from the challenger; the official script asks the proposer by a slip",
        "deviates: judges answer in words that stand in no quoted text; the official parser takes any capital A to E",
        "tests: tests/methods/test_multiagent_feedback.py, tests/discussion/test_reviews.py",
    )
    presets = {
        "paper": {
            "mode": "abstain",
            "feedback_count": 3,
            "include_self": True,
            "feedback_temperature": 1.0,
            "feedback_tokens": 200,
        },
        "moco": {
            "rounds": 3,
            "feedback_count": 3,
            "selection": "random",
            "stop_if_ok": False,
            "feedback_tokens": 512,
            "aggregate": "summarize",
            "skip_if_unanimous": False,
        },
    }

    mode: Literal["refine", "abstain", "compete"] = "refine"
    """Revise by feedback; let a judge decide whether the answer holds; or challenge it."""
    rounds: Annotated[int, Field(ge=1)] = 2
    """Rounds of answers, the first included; 1 is no feedback."""
    feedback_count: Annotated[int, Field(ge=1)] = 2
    """Reviews per answer, at most one by each other member."""
    selection: Selection = "balanced"
    """How reviewers are drawn: everybody reviews equally often, or independently for every author."""
    include_self: bool = False
    """Whether authors review themselves too (alone, a member does nothing else)."""
    stop_if_ok: bool = True
    """Keep an answer without a call where all its reviews approve."""
    history: History = "last"
    """Show the author its last answer and reviews, or all of them as a chat."""
    early_stop: EarlyStop = "none"
    """End when all authors agree, or when no answer changed in the last round."""
    reviewers: Literal["others", "self"] = "others"
    """mode=abstain: the proposer and two others comment, or the proposer in three expert roles."""
    proposer: str | None = None
    """Who answers in abstain and compete; None takes the best on dev."""
    judge: str | None = None
    """Who decides in abstain; None takes the best on dev."""
    feedback_temperature: Annotated[float, Field(ge=0)] | None = None
    """Temperature of reviews and comments; None takes the request's."""
    feedback_tokens: Annotated[int, Field(ge=1)] = 256
    """Most tokens of a review or comment; never more than the request's."""
    verdicts: tuple[str, str] = ("OK", "REVISE")
    """How a review begins: the answer is right, it must change. Others are used where a text holds these."""
    aggregate: Rule = "auto"
    """Vote, a summary by the best dev member, its own last answer, or a judge's choice; auto: vote, for free text summary."""
    tie: Tie = "dev"
    """Who wins a tied vote."""
    skip_if_unanimous: bool = True
    """No summary or verdict where all last answers agree."""
    quotes: Form = "auto"
    """How others' texts are set off: a line each, fenced blocks, or lines where no text has a line break."""
    line: Annotated[str, LINE.option] = LINE.text
    """One review in the form of lines."""
    on_failure: OnFailure = "fail"
    """Whether a member's failure fails the question, or its answer, review or revision is left out."""
    at_least: Annotated[int, Field(ge=1)] = 1
    """Least number of first answers to go on with."""
    deadline: Annotated[float, Field(gt=0)] | None = None
    """Seconds per stage after which a member that has not answered has failed."""
    review: Annotated[str, REVIEW.option] = REVIEW.text
    """The prompt of a review: {answer} to {question}, and the words {ok} and {revise}."""
    revise: Annotated[str, REVISE.option] = REVISE.text
    """The prompt of a revision: {own} answer, {feedback} and {task}."""
    revise_chat: Annotated[str, REVISE_CHAT.option] = REVISE_CHAT.text
    """The turn of a revision with history=full: {feedback} and {task}."""
    summary: Annotated[str, COMBINE.option] = COMBINE.text
    """The prompt of the summary: {answers} to {task}."""
    compare: Annotated[str, COMPARE.option] = COMPARE.text
    """The prompt of the judge: two {answers} to {question}, one of which it calls {first} or {second}."""
    comment: Annotated[str, COMMENT.option] = COMMENT.text
    """The prompt of a comment in abstain: {answer} to {question}."""
    expertise: Annotated[str, EXPERTISE.option] = EXPERTISE.text
    """The prompt of an expert's knowledge with reviewers=self: {domain} and {question}."""
    verdict: Annotated[str, VERDICT.option] = VERDICT.text
    """The judge's prompt: {answer}, {feedback}, and the words {holds} and {fails}."""
    challenge: Annotated[str, CHALLENGE.option] = CHALLENGE.text
    """The challenger's prompt: {other} is what it argues for."""
    doubt: Annotated[str, DOUBT.option] = DOUBT.text
    """The proposer's second prompt in compete: {passage} and {task}."""

    abstention: str = "I do not know."
    """What is said in place of an answer."""

    ranking_: Ranking | None = None

    def check(self, pool: Pool) -> None:
        super().check(pool)
        for name in (self.proposer, self.judge):
            if name is not None:
                pool[name]

    async def fit(self, pool: Pool, dev: Examples, run: Run) -> None:
        self.ranking_ = await rank_on_dev(pool, dev, run)

    async def answer(self, query: Query, pool: Pool) -> Answer:
        if self.mode != "refine":
            return await self.abstain(query, pool)
        came = await gather(query, pool, on_failure=self.on_failure, at_least=self.at_least, deadline=self.deadline)
        talk, n = Talk([came.drafts], Minutes(pool, self.on_failure, self.deadline)), len(came.drafts)
        history: list[list[list[Draft]]] = [[] for _ in range(n)]  # reviews by author and cycle
        going = set(range(n)) if n > 1 or self.include_self else set[int]()
        verdicts: list[list[list[Any]]] = []
        for cycle in range(1, self.rounds):
            talk.stopped = await ends(query, talk.rounds, self.early_stop) if going else "reviews"
            if talk.stopped is not None:
                break
            verdicts.append(await self.criticise(query, pool, talk, history, going, cycle))
            if self.stop_if_ok:
                going -= approved(verdicts[-1], talk.rounds[-1])
            wanting = sorted(a for a in going if history[a][-1])
            own = {a: [drafts[a] for drafts in talk.rounds] for a in wanting}
            turns = [self.reviewing.again(query, pool, own[a], history[a]) for a in wanting]
            new = await talk.minutes.ask(turns, "revise", cycle, asked=talk.asked)
            drafts = {a: replace(d, draw=t.draw) for a, t, d in zip(wanting, turns, new, strict=True) if d is not None}
            talk.rounds.append([drafts.get(a, old) for a, old in enumerate(talk.rounds[-1])])
        limits: dict[str, Any] = {"on_failure": self.on_failure, "deadline": self.deadline, "form": self.quotes}
        words, judge = COMBINE.but(self.summary), Manner(COMPARE.but(self.compare))
        ending = Ending(self.aggregate, self.tie, self.skip_if_unanimous, words, judge, **limits)
        decided = await ending.answer(query, pool, talk.rounds[-1], self.ranking_, len(talk.rounds))
        return replace(decided, reason={**decided.reason, **talk.record, "reviews": verdicts, **came.record})

    async def criticise(
        self, query: Query, pool: Pool, talk: Talk, history: list[list[list[Draft]]], going: set[int], cycle: int
    ) -> list[list[Any]]:
        """All reviews of one cycle, in one wave; [reviewer, author, approves] of each, None for one that was lost or empty."""
        answers = talk.rounds[-1]
        rng = query.rng(f"reviewers.{cycle}")
        chosen = reviewers_of(len(answers), self.feedback_count, rng, self.selection, self.include_self)
        pairs = [(reviewer, author) for author, who in enumerate(chosen) if author in going for reviewer in who]
        asked = [self.reviewing.ask(query, pool, answers[r].member, answers[a]) for r, a in pairs]
        turns = [turn for turn, _ in asked]
        said = await talk.minutes.ask(turns, "review", cycle, asked=talk.asked, **self.sampling(query))
        out: list[list[Any]] = []
        for reviews in history:
            reviews.append([])
        for (r, a), (_, ok), review in zip(pairs, asked, said, strict=True):
            approval: bool | None = None
            if review is not None and review.text.strip():
                history[a][-1].append(review)
                approval = approves(review.text, ok)
            out.append([answers[r].member, answers[a].member, approval])
        return out

    async def abstain(self, query: Query, pool: Pool) -> Answer:
        """The modes that decide whether to answer."""
        best = self.ranking_.best(pool) if self.ranking_ is not None else pool.names[0]
        proposer = self.proposer or best
        words = Words(
            comment=COMMENT.but(self.comment),
            expertise=EXPERTISE.but(self.expertise),
            verdict=VERDICT.but(self.verdict),
            challenge=CHALLENGE.but(self.challenge),
            doubt=DOUBT.but(self.doubt),
            abstention=self.abstention,
        )
        case = Abstainer(query, Minutes(pool, self.on_failure, self.deadline), proposer, words)
        others = [name for name in pool.names if name != proposer]
        drawn = [others[int(i)] for i in query.rng("critics").permutation(len(others))]
        if self.mode == "compete":
            return await case.compete(drawn[0] if drawn else proposer)
        critics = [proposer] * len(DOMAINS) if self.reviewers == "self" else [proposer, *drawn[:2]]
        return await case.cooperate(self.judge or best, critics, self.reviewers == "self", self.sampling(query))

    def sampling(self, query: Query) -> dict[str, Any]:
        """How reviews and comments are sampled."""
        most = min(self.feedback_tokens, query.request().sampling.max_tokens)
        return {"room": most, "temperature": self.feedback_temperature}

    @property
    def reviewing(self) -> Reviewing:
        words = (REVIEW.but(self.review), REVISE.but(self.revise), REVISE_CHAT.but(self.revise_chat))
        return Reviewing(self.verdicts, self.history, self.quotes, LINE.but(self.line), *words)


def approved(verdicts: Sequence[Sequence[Any]], answers: Sequence[Draft]) -> set[int]:
    """The authors all of whose reviews approve; a review that was lost approves of nothing."""
    said = {d.member: [ok for _, author, ok in verdicts if author == d.member] for d in answers}
    return {a for a, d in enumerate(answers) if said[d.member] and all(said[d.member])}
