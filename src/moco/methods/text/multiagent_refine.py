"""Multiagent refine (debate): agents answer, read each other's answers, answer again; the last round decides (arXiv 2305.14325).

Knows nothing of tasks: an answer is a text, agreement is what the query calls the same answer. Round r shows texts of
rounds before r only. With one round it is "answer all, then decide"; with one member, checking one's own answer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field

from moco.collab.method import Method, register
from moco.collab.run import Examples, Run
from moco.core.query import Query
from moco.core.types import Answer
from moco.discussion import Ranking, Tie, rank_on_dev
from moco.discussion.aggregation import COMBINE, Ending, Rule
from moco.discussion.debate import DIGEST, UPDATE, UPDATE_LAST, VERIFY, VERIFY_LAST, Debate, History, Tone
from moco.discussion.gathering import OnFailure, gather
from moco.discussion.quoting import Form
from moco.discussion.rankers import COMPARE, Manner
from moco.discussion.rounds import EarlyStop, converse
from moco.models.pool import Pool


@register("multiagent_refine", level="text", paper="arXiv:2305.14325", fit="optional")
class MultiagentRefine(Method):
    """Every member answers, reads the others' answers and answers again, for some rounds; then a vote or a summary."""

    cost = "n x rounds calls per query (x replicas); +n per round with summarize_peers, +1 with a summary, +u(u-1) with judge"
    fidelity = (
        "a round shows exactly the others' answers of the round before, in pool order, under stable numbers",
        "history=full is the original's chat (own answers as assistant turns, 2r+1 messages in round r); last: the released code",
        "vote over the last round; ties: dev (paper: the first agent)",
        "n=1: the member checks and restates its answer (solo=verify), as the original's loop does",
        "replicas=k makes k agents of every member, each with samples of its own (the original's copies of one model)",
        "summarize_peers: each agent condenses the others' answers first (the paper's variant for many agents)",
        "aggregate=judge: all pairs of different texts in both orders, verdicts added up (u different texts; see llm_blender)",
        "free text, where the original has no rule: the best dev member writes the summary (aggregate=auto)",
        "the requests of history=last are those of structured_interaction over the complete graph",
        "deviates: quoted texts are fenced data; a chat that does not fit falls back to the last round, then is cut, on record",
        "deviates: on_failure=drop: an agent without a first answer takes no part; one that fails later keeps its last answer",
        "deviates: answers are read by the task's grader; the original's parsers lose signs and count blanks as right",
        "tests: tests/methods/test_multiagent_refine.py, tests/methods/test_attacks.py",
    )
    presets = {
        "paper": {"aggregate": "vote", "tie": "order"},
        "moco": {"history": "last", "aggregate": "summarize", "rounds": 3, "skip_if_unanimous": False},
    }

    rounds: Annotated[int, Field(ge=1)] = 2
    """Rounds of answers, the first included; 1 is no debate."""
    history: History = "full"
    """Show the whole debate as a chat, or only the last round in one message."""
    restate: bool = True
    """Repeat the task in every turn of the chat."""
    tone: Tone = "neutral"
    """How readily an agent adopts what the others say."""
    solo: Literal["verify", "stop"] = "verify"
    """What a single member does after its first answer."""
    replicas: Annotated[int, Field(ge=1)] = 1
    """Agents per member; copies of one member debate with themselves."""
    summarize_peers: bool = False
    """Let every agent condense the others' answers before it answers again."""
    early_stop: EarlyStop = "none"
    """End when all agents agree, or when no answer changed in the last round (approximations, off as in the paper)."""
    aggregate: Rule = "auto"
    """Vote, a summary by the best dev member, its own last answer, or a judge's choice; auto: vote, for free text summary."""
    tie: Tie = "dev"
    """Who wins a tied vote."""
    skip_if_unanimous: bool = True
    """No summary or verdict where all last answers agree: the best dev member's text stands."""
    on_failure: OnFailure = "fail"
    """Whether a member's failure fails the question, or it is left out (later: its last answer stands)."""
    at_least: Annotated[int, Field(ge=1)] = 1
    """Least number of first answers to go on with."""
    deadline: Annotated[float, Field(gt=0)] | None = None
    """Seconds per round after which a member that has not answered has failed."""
    quotes: Form = "auto"
    """How the others' texts are set off: a line each, fenced blocks, or lines where no text has a line break."""
    update: Annotated[str, UPDATE.option] = UPDATE.text
    """The turn that shows {peers} in a chat."""
    update_last: Annotated[str, UPDATE_LAST.option] = UPDATE_LAST.text
    """The message of history=last: {peers} and {own}, or {all} answers in pool order, and {task}."""
    verify: Annotated[str, VERIFY.option] = VERIFY.text
    """The turn of a chat where nobody else said anything."""
    verify_last: Annotated[str, VERIFY_LAST.option] = VERIFY_LAST.text
    """The message of history=last where nobody else said anything: {own} and {task}."""
    summary: Annotated[str, COMBINE.option] = COMBINE.text
    """The prompt of the summary: {answers} to {task}."""
    digest: Annotated[str, DIGEST.option] = DIGEST.text
    """The prompt of summarize_peers: {peers} and {question}."""
    compare: Annotated[str, COMPARE.option] = COMPARE.text
    """The prompt of the judge: two {answers} to {question}, one of which it calls {first} or {second}."""

    ranking_: Ranking | None = None

    async def fit(self, pool: Pool, dev: Examples, run: Run) -> None:
        self.ranking_ = await rank_on_dev(pool, dev, run)

    async def answer(self, query: Query, pool: Pool) -> Answer:
        came = await gather(
            query, pool, draws=self.replicas, on_failure=self.on_failure, at_least=self.at_least, deadline=self.deadline
        )
        agents = [replace(d, index=d.index * self.replicas + d.draw) for d in came.drafts]  # a number of its own each
        solo = len(agents) == 1 and self.solo == "stop"
        talk = await converse(
            query,
            pool,
            agents,
            [[j for j in range(len(agents)) if j != me] for me in range(len(agents))],
            self.debate(),
            1 if solo else self.rounds,
            early_stop=self.early_stop,
            on_failure=self.on_failure,
            deadline=self.deadline,
        )
        if solo and self.rounds > 1:
            talk.stopped = "solo"
        decided = await self.ending().answer(query, pool, talk.rounds[-1], self.ranking_, len(talk.rounds))
        return replace(decided, reason={**decided.reason, **talk.record, **came.record})

    def debate(self) -> Debate:
        """How agents are asked again."""
        return Debate(
            self.history,
            self.restate,
            self.tone,
            self.quotes,
            UPDATE.but(self.update),
            UPDATE_LAST.but(self.update_last),
            VERIFY.but(self.verify),
            VERIFY_LAST.but(self.verify_last),
            DIGEST.but(self.digest) if self.summarize_peers else None,
        )

    def ending(self) -> Ending:
        """How the last round becomes one answer."""
        words, judge = COMBINE.but(self.summary), Manner(COMPARE.but(self.compare))
        limits: dict[str, Any] = {"on_failure": self.on_failure, "deadline": self.deadline}
        return Ending(self.aggregate, self.tie, self.skip_if_unanimous, words, judge, self.quotes, **limits)
