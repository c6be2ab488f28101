"""Multiagent refine (debate): agents answer, read each other's answers, answer again; the last round decides (arXiv 2305.14325).

Knows nothing of tasks: an answer is a text, agreement is what the query calls the same answer. Round r shows texts of
rounds before r only. With one round it is "answer all, then decide"; with one member, checking one's own answer.
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
from moco.discussion import Ranking, Tie, answer_of, plurality, rank_on_dev
from moco.discussion.aggregation import COMBINE, reading
from moco.discussion.debate import UPDATE, UPDATE_LAST, VERIFY, VERIFY_LAST, Debate, History, Tone
from moco.discussion.quoting import Form
from moco.discussion.turns import Turn, take, take_all, unanimous
from moco.models.pool import Pool


@register("multiagent_refine", level="text", paper="arXiv:2305.14325", fit="optional")
class MultiagentRefine(Method):
    """Every member answers, reads the others' answers and answers again, for some rounds; then a vote or a summary."""

    cost = "n x rounds calls per query (+1 with a summary)"
    fidelity = (
        "a round shows exactly the others' answers of the round before, in pool order, under stable numbers",
        "history=full is the original's chat (own answers as assistant turns, 2r+1 messages in round r); last: the released code",
        "vote over the last round; ties: dev (paper: the first agent)",
        "n=1: the member checks and restates its answer (solo=verify), as the original's loop does",
        "free text, where the original has no rule: the best dev member writes the summary (aggregate=auto)",
        "deviates: quoted texts are fenced data; a chat that does not fit falls back to the last round, then is cut, on record",
        "left out: aggregate=judge (see llm_blender) and condensing the others' answers before they are shown",
        "tests: tests/methods/test_multiagent_refine.py",
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
    early_stop: Literal["none", "consensus", "stable"] = "none"
    """End when all agents agree, or when no answer changed in the last round (approximations, off as in the paper)."""
    aggregate: Literal["auto", "vote", "summarize", "agent"] = "auto"
    """Vote, a summary by the best dev member, or that member's own last answer; auto: vote where votable, else summary."""
    tie: Tie = "dev"
    """Who wins a tied vote."""
    skip_if_unanimous: bool = True
    """No summary where all last answers agree: the best dev member's text stands."""
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

    ranking_: Ranking | None = None

    async def fit(self, pool: Pool, dev: Examples, run: Run) -> None:
        self.ranking_ = await rank_on_dev(pool, dev, run)

    async def answer(self, query: Query, pool: Pool) -> Answer:
        rounds, notes, stopped = [await pool.ask_all(query)], list[dict[str, Any]](), None
        for number in range(1, self.rounds):
            if stopped := await self.stop(query, rounds):
                break
            turns = self.turns(query, pool, rounds)
            notes += [{"round": number, **turn.note} for turn in turns if turn.note]
            rounds.append([d for d in await take_all(pool, turns, stage="revise", round=number) if d is not None])
        decided = await self.decide(query, pool, rounds[-1], len(rounds))
        about: dict[str, Any] = {"rounds": [[d.key for d in drafts] for drafts in rounds], "stopped": stopped, "trims": notes}
        return replace(decided, reason={**decided.reason, **about})

    def turns(self, query: Query, pool: Pool, rounds: Sequence[Sequence[Draft]]) -> list[Turn]:
        """The next round: everybody listens to everybody else."""
        debate = Debate(
            self.history,
            self.restate,
            self.tone,
            self.quotes,
            UPDATE.but(self.update),
            UPDATE_LAST.but(self.update_last),
            VERIFY.but(self.verify),
            VERIFY_LAST.but(self.verify_last),
        )
        n = len(rounds[0])
        return [debate.turn(query, pool, rounds, me, [j for j in range(n) if j != me]) for me in range(n)]

    async def stop(self, query: Query, rounds: Sequence[Sequence[Draft]]) -> str | None:
        """Why the debate ends before another round; None if it goes on."""
        last = rounds[-1]
        if len(last) == 1 and self.solo == "stop":
            return "solo"
        if self.early_stop == "consensus" and await unanimous(query, last):
            return "consensus"
        if self.early_stop == "stable" and len(rounds) > 1:
            pairs = zip(rounds[-2], last, strict=True)
            if all([await unanimous(query, pair) for pair in pairs]):
                return "stable"
        return None

    async def decide(self, query: Query, pool: Pool, drafts: Sequence[Draft], round: int) -> Answer:
        """The answer of the whole, from the last round."""
        rule = self.aggregate if self.aggregate != "auto" else "vote" if query.votable else "summarize"
        if rule == "vote":
            return await plurality(query, drafts, ranking=self.ranking_, tie=self.tie)
        best = self.ranking_.best(pool) if self.ranking_ is not None else pool.names[0]
        own = next(d for d in drafts if d.member == best)
        if rule == "agent":
            return answer_of(own, reason={"rule": "agent"})
        if self.skip_if_unanimous and await unanimous(query, drafts):
            return answer_of(own, reason={"rule": "unanimous"})
        turn = reading(query, pool, best, drafts, COMBINE.but(self.summary), form=self.quotes, merge=True)
        summary = await take(pool, turn, stage="summarize", round=round)
        return answer_of(summary, reason={"rule": "summarize", "trim": turn.note})
