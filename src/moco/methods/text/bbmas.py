"""A blackboard: agents read and write one public board, and who acts next depends on it, until a decision (arXiv 2507.01701).

``control="unit"`` is the paper's: a control unit chooses who acts, a decider ends it. ``control="self"`` is the released code's
idea: agents choose what they do. There is no official code to compare with; what is said of the paper here is from its abstract.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Annotated, Any, Literal

from pydantic import Field

from moco.collab.method import Method, register
from moco.collab.run import Examples, Run
from moco.core.query import Query
from moco.core.types import Answer, Draft
from moco.discussion import Ranking, answer_of, plurality, rank_on_dev
from moco.discussion.blackboard import read_experts, read_names, read_numbers
from moco.discussion.budget import shorten
from moco.discussion.gathering import OnFailure
from moco.discussion.minutes import Minutes
from moco.discussion.quoting import LINE, Form, Quote, block, safe
from moco.discussion.roles import ACTIONS, DEFAULT_ACTION, EXPERTS, FINAL, FIXED, FRAME, Agent, Assign, cast, duties
from moco.discussion.table import Table
from moco.discussion.turns import Turn
from moco.models.pool import Pool


@register("bbmas", level="text", paper="arXiv:2507.01701", fit="optional")
class Bbmas(Method):
    """Agents with roles solve a question on a shared blackboard; a control unit, or each agent itself, decides who does what."""

    cost = "unit: 1 + K + the agents chosen in K rounds (+2 per conflict) + all agents if undecided; self: 2k per round + votes"
    fidelity = (
        "unit: experts are made for the question; planner, critic, conflict resolver, cleaner and decider are fixed",
        "a control unit reads the board and chooses who acts, all of a round on the same board (or in sequence)",
        "conflicting authors rewrite their entries in private; cleaned entries leave the public view, the record keeps all",
        "undecided after the last round: all answer, the most frequent answer wins (free text: most alike); ties: earliest",
        "self: agents choose one of five actions, then do it; finalised answers are put to a vote of all agents",
        "names of models are never shown; the board is quoted as data; steering replies are read behind a mark it does not hold",
        "assign=cycle uses every member (the released code only uses the best); assign=random draws, as the paper does",
        "deviates: the released code gives up the answer at its limit (`No conclusion.`); here it is always one of the agents'",
        "deviates: actions are read as numbers, not as words that occur somewhere; `verify` is an action",
        "deviates: the paper's prompts, order of action and constants were not at hand; these are our own",
        "tests: tests/methods/test_bbmas.py, tests/discussion/test_blackboard.py",
    )
    presets = {"paper": {"assign": "random"}, "moco": {"control": "self", "acting": 1, "repairs": 3}}

    control: Literal["unit", "self"] = "unit"
    """Who decides what happens next: a control unit, or the agents themselves."""
    rounds: Annotated[int, Field(ge=1)] | None = None
    """Most rounds; None: 4 with a control unit, 10 without."""
    experts: Annotated[int, Field(ge=0)] = 3
    """unit: experts made for the question."""
    order: Literal["parallel", "sequence"] = "parallel"
    """unit: the chosen agents read the same board, or one after the other what those before them wrote."""
    acting: Annotated[int, Field(ge=1)] = 2
    """self: agents that act in a round."""
    min_to_stop: Annotated[int, Field(ge=1)] = 1
    """self: final answers in one round that end it."""
    idle: Annotated[int, Field(ge=0)] = 0
    """self: rounds after which an agent that was not drawn must act; 0: none must."""
    assign: Assign = "cycle"
    """Which member plays an agent: all in turn, or drawn."""
    controller: str | None = None
    """Name of the member that makes the experts and controls; None takes the best on dev."""
    steer_tokens: Annotated[int, Field(ge=1)] = 128
    """Most tokens of a steering reply."""
    repairs: Annotated[int, Field(ge=0)] = 1
    """How often a steering reply that cannot be read is asked for again."""
    quotes: Form = "auto"
    """How entries are set off: a line each, fenced blocks, or lines where no text has a line break."""
    on_failure: OnFailure = "fail"
    """Whether a member's failure fails the question, or its message is missing."""
    deadline: Annotated[float, Field(gt=0)] | None = None
    """Seconds per phase after which a member that has not written has failed."""
    frame: Annotated[str, FRAME.option] = FRAME.text
    """The prompt of everybody: {task}, {board}, {role} and {duty}."""
    make_experts: Annotated[str, EXPERTS.option] = EXPERTS.text
    """The prompt that asks for {count} experts."""
    duties: dict[str, str] = {}
    """Other words for roles: expert, planner, critic, resolver, cleaner, decider, control, settle, answer, choose, act, vote."""

    ranking_: Ranking | None = None

    def check(self, pool: Pool) -> None:
        super().check(pool)
        duties(self.duties)
        if self.controller is not None:
            pool[self.controller]

    async def fit(self, pool: Pool, dev: Examples, run: Run) -> None:
        if self.controller is None:
            self.ranking_ = await rank_on_dev(pool, dev, run)

    async def answer(self, query: Query, pool: Pool) -> Answer:
        words = (FRAME.but(self.frame), duties(self.duties), self.quotes, self.steer_tokens)
        table = Table(query, Minutes(pool, self.on_failure, self.deadline), *words, self.repairs)
        solve = self.by_unit if self.control == "unit" else self.by_themselves
        answer = await solve(table)
        return replace(answer, reason={**answer.reason, "board": table.board.record, **table.minutes.record})

    # a control unit

    async def by_unit(self, table: Table) -> Answer:
        """The paper's: experts, then rounds of control and action, until the decider decides."""
        head = Agent("control unit", "control", self.controller or self.best(table.pool))
        made = await self.recruit(table, head)
        named = [(name, "expert", what) for name, what in made] + [(role, role, "") for role in FIXED]
        agents = cast(named, table.pool.names, table.query.rng("cast"), self.assign)
        about: dict[str, Any] = {"agents": {a.name: a.member for a in agents}, "acted": []}
        number = 0
        known = [a.name for a in agents]
        listed = "\n".join(f"- {a.name}: {a.expertise or a.role}" for a in agents)
        for number in range(1, (self.rounds or 4) + 1):
            (chosen,) = await table.steer([head], "control", number, lambda said: read_names(said, known), listed)
            if chosen is None:
                chosen = [a.name for a in agents if a.role in ("expert", "decider")]
            about["acted"].append(chosen)
            acting = [a for a in agents if a.name in chosen]
            for together in [acting] if self.order == "parallel" else [[a] for a in acting]:
                decision = await table.act(together, number)
                if decision is not None:
                    return answer_of(decision, reason={"rule": "decider", "round": number, **about})
        return await self.poll(table, agents, number + 1, about)

    async def recruit(self, table: Table, head: Agent) -> list[tuple[str, str]]:
        """Names and expertise of the experts; plain ones where the reply names too few."""
        if self.experts == 0:
            return []
        query = table.query
        prompt = EXPERTS.but(self.make_experts).fill(question=query.question, count=str(self.experts))
        (said,) = await table.ask([Turn(head.member, query.request(prompt))], "experts", 0)
        found = [(n, w) for n, w in read_experts(said.text if said else "", self.experts) if n.casefold() not in FIXED]
        named = {name.casefold() for name, _ in found}
        plain = (name for i in count(1) if (name := f"expert {i}") not in named)
        return [*found, *((next(plain), "the subject of the question") for _ in range(len(found), self.experts))]

    async def poll(self, table: Table, agents: Sequence[Agent], number: int, about: dict[str, Any]) -> Answer:
        """Every agent answers, with the board in view; the most frequent answer wins, ties go to the earliest agent."""
        said = await table.ask([table.turn(a, "answer") for a in agents], "answer", number)
        drafts = [replace(d, index=i, draw=0) for i, d in enumerate(said) if d is not None]
        if not drafts:
            drafts = [await table.pool.ask(self.best(table.pool), table.query)]
        answer = await plurality(table.query, drafts, tie="order")
        return replace(answer, reason={**answer.reason, "rule": "poll", **about})

    # agents that control themselves

    async def by_themselves(self, table: Table) -> Answer:
        """The released code's idea: some agents a round choose an action and do it, until enough of them finalise."""
        agents = [Agent(f"agent {i + 1}", "agent", name) for i, name in enumerate(table.pool.names)]
        about: dict[str, Any] = {"actions": []}
        since = dict.fromkeys((a.name for a in agents), 0)
        finals: list[Draft] = []
        number = 0
        for number in range(1, (self.rounds or 10) + 1):
            chosen = self.drawn(table.query, agents, since, number)
            since = {a.name: 0 if a in chosen else since[a.name] + 1 for a in agents}
            finals = await self.step(table, chosen, number, about["actions"])
            if len(finals) >= self.min_to_stop:
                break
        if not finals:
            return await self.poll(table, agents, number + 1, about)
        return await self.elect(table, agents, finals, number + 1, about)

    def drawn(self, query: Query, agents: Sequence[Agent], since: dict[str, int], number: int) -> list[Agent]:
        """The agents of a round, drawn without replacement; those idle for too long come first."""
        order = query.rng(f"acting.{number}").permutation(len(agents)).tolist()
        due = [i for i in order if self.idle and since[agents[i].name] >= self.idle]
        chosen = [*due, *(i for i in order if i not in due)][: max(self.acting, len(due))]
        return [agents[i] for i in sorted(chosen)]

    async def step(self, table: Table, chosen: Sequence[Agent], number: int, log: list[list[Any]]) -> list[Draft]:
        """Everybody chooses an action, then does it; returns the final answers that can be read."""
        listed = "\n".join(f"{i}. {action}" for i, action in enumerate(ACTIONS, 1))
        found = await table.steer(chosen, "choose", number, lambda said: read_numbers(said, range(1, FINAL + 1)), listed)
        actions = [numbers[0] if numbers else DEFAULT_ACTION for numbers in found]
        log += [[number, a.name, ACTIONS[n - 1]] for a, n in zip(chosen, actions, strict=True)]
        turns = [
            table.turn(a, "answer") if n == FINAL else table.turn(a, "act", {"expertise": ACTIONS[n - 1]})
            for a, n in zip(chosen, actions, strict=True)
        ]
        said = await table.ask(turns, "act", number)
        finals = []
        for agent, action, draft in zip(chosen, actions, said, strict=True):
            if draft is None or table.board.post(agent.name, ACTIONS[action - 1], number, draft) is None:
                continue
            if action == FINAL and (draft.key is not None or not table.query.votable):
                finals.append(draft)
        return finals

    async def elect(
        self, table: Table, agents: Sequence[Agent], finals: list[Draft], number: int, about: dict[str, Any]
    ) -> Answer:
        """One of the final answers: all agents vote where they differ; ties go to the one given more often, then first."""
        if table.query.votable:
            groups = await table.query.same_many([d.key for d in finals])
        else:
            groups = [[i] for i in range(len(finals))]
        counts, votes = [len(g) for g in groups], [0] * len(groups)
        if len(groups) > 1:
            candidates = [finals[g[0]] for g in groups]
            quotes = [Quote(f"{i}.", told(d), (d,)) for i, d in enumerate(candidates, 1)]
            listed = block(safe(quotes), self.quotes, LINE.but("{label} {text}"))
            said = await table.steer(agents, "vote", number, lambda reply: read_numbers(reply, range(1, len(groups) + 1)), listed)
            for ballot in said:
                if ballot:
                    votes[ballot[0] - 1] += 1
        best = max(range(len(groups)), key=lambda i: (votes[i], counts[i], -i))
        return answer_of(finals[groups[best][0]], reason={"rule": "vote", "votes_for": votes, "given": counts, **about})

    def best(self, pool: Pool) -> str:
        return self.ranking_.best(pool) if self.ranking_ is not None else pool.names[0]


def told(draft: Draft) -> str:
    """A candidate as a ballot shows it: the answer it gives, else its text, short in either case."""
    return shorten(draft.text.strip() if draft.key is None else f"Answer: {' '.join(draft.key.split())}", 400)
