"""Agents at a blackboard: each is shown the question and the public board, and told its duty; all of a phase at once.

Knows which role does what to the board, not who acts when: that is the control's, and so the method's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from moco.core.query import Query
from moco.core.types import Draft, Message, Request
from moco.discussion.blackboard import Board, Entry, Parse, read_numbers, read_pairs, steering
from moco.discussion.budget import fit, reader_of
from moco.discussion.judging import labels_for, mark_for, says
from moco.discussion.minutes import Minutes
from moco.discussion.quoting import Form, Quote, block, safe
from moco.discussion.roles import AGAIN, Agent
from moco.discussion.template import Template
from moco.discussion.turns import Turn, chat_request, task_prompt
from moco.models.pool import Pool

EMPTY = "(empty)"


@dataclass
class Table:
    """One question's board and agents."""

    query: Query
    minutes: Minutes
    frame: Template
    duties: dict[str, Template]
    form: Form = "auto"
    steer_tokens: int = 128
    repairs: int = 1
    board: Board = field(default_factory=Board)
    settled: set[tuple[str, str]] = field(default_factory=set)
    asked: Counter[tuple[str, Request]] = field(default_factory=Counter)
    """How often a member was asked the same: each time is a sample of its own, so that a board that stands still may move."""

    @property
    def pool(self) -> Pool:
        return self.minutes.pool

    @property
    def texts(self) -> list[str]:
        """What stands on the board, and the question: no reply may be read from it."""
        return [self.query.question, *(e.text for e in self.board.public)]

    @property
    def mark(self) -> str:
        """The word behind which a reply steers."""
        return mark_for(self.texts)

    @property
    def go_on(self) -> str:
        """The word that says that nothing is decided."""
        return labels_for(self.texts, wanted=("CONTINUE", "DECIDE"))[0]

    def turn(
        self,
        agent: Agent,
        duty: str,
        values: Mapping[str, str] | None = None,
        entries: Sequence[Entry] | None = None,
        after: str = "",
    ) -> Turn:
        """What ``agent`` is asked: question, board (or only ``entries``), its duty, and what is said ``after`` it."""
        reader, (head, task) = reader_of(self.pool[agent.member]), task_prompt(self.query)
        given = {"expertise": agent.expertise, "mark": self.mark, "go_on": self.go_on, "options": "", **(values or {})}
        given = {name: reader.neutral(value) for name, value in given.items()}  # members wrote of it what is quoted there
        told = self.duties[duty].fill(answer_format=self.query.answer_format, **given)
        asked = {"task": task, "question": self.query.question, "answer_format": self.query.answer_format}

        role = reader.neutral(agent.name)

        def build(shown: list[Quote]) -> Request:
            text = self.frame.fill(**asked, board=block(shown, self.form) or EMPTY, role=role, duty=told)
            return chat_request(self.query, [*head, Message("user", text + after)])

        quotes = safe(self.board.quotes(entries), reader.neutral)
        fitted = fit(reader, quotes, build)
        return Turn(agent.member, fitted.request, tuple(d for q in quotes for d in q.drafts), fitted.trim, agent=agent.name)

    async def ask(self, turns: Sequence[Turn], stage: str, round: int, room: int | None = None) -> list[Draft | None]:
        """All turns at once, each a sample of its own."""
        return await self.minutes.ask([self._sampled(turn) for turn in turns], stage, round, room=room)

    async def steer(self, agents: Sequence[Agent], duty: str, round: int, parse: Parse, options: str = "") -> list[Any]:
        """What ``parse`` makes of each agent's steering reply; None where that could not be read, also when asked again."""
        mark, texts = self.mark, self.texts
        turns = {i: self.turn(a, duty, {"options": options}) for i, a in enumerate(agents)}
        found: dict[int, Any] = {}
        for attempt in range(1 + self.repairs):
            if attempt:
                turns = {i: self.turn(agents[i], duty, {"options": options}, after=f"\n\n{AGAIN}") for i in turns}
            said = await self.ask(list(turns.values()), duty, round, room=self._short())
            for i, draft in zip(list(turns), said, strict=True):
                steers = None if draft is None else steering(draft.text, mark, texts)
                value = parse(steers) if steers is not None else None
                if value or draft is None:
                    found[i] = value or None
                    del turns[i]
            if not turns:
                break
        return [found.get(i) for i in range(len(agents))]

    async def act(self, agents: Sequence[Agent], round: int) -> Draft | None:
        """The chosen agents read the same board and write, in order; then what they wrote has its effect.

        Returns the decider's answer, if it gives one.
        """
        mark, texts, go_on = self.mark, self.texts, self.go_on
        ids = [e.id for e in self.board.public]
        steers = [a for a in agents if a.role in ("resolver", "cleaner")]
        said = await self.ask([self.turn(a, a.role) for a in agents], "act", round)
        answer: Draft | None = None
        orders: dict[str, str] = {}
        for agent, draft in zip(agents, said, strict=True):
            if draft is None:
                continue
            if agent in steers:
                orders[agent.role] = steering(draft.text, mark, texts) or ""
            elif agent.role != "decider":
                self.board.post(agent.name, agent.role, round, draft)
            elif not says(draft.text, go_on) and (not self.query.votable or draft.key is not None) and draft.text.strip():
                answer = draft
        self.board.hide(read_numbers(orders.get("cleaner", ""), ids), "cleaner")
        await self.settle(read_pairs(orders.get("resolver", ""), ids), round)
        return answer

    async def settle(self, pairs: Sequence[tuple[int, int]], round: int) -> None:
        """The authors of contradicting entries each read both and write theirs again; a pair of authors does so once."""
        for pair in pairs:
            one, two = (self.board.entries[id - 1] for id in pair)
            authors = tuple(sorted((one.author, two.author)))
            if one.hidden or two.hidden or one.author == two.author or authors in self.settled:
                continue
            self.settled.add((authors[0], authors[1]))
            who = [Agent(e.author, e.role, e.draft.member) for e in (one, two)]
            said = await self.ask([self.turn(a, "settle", entries=[one, two]) for a in who], "settle", round)
            for entry, draft in zip((one, two), said, strict=True):
                if draft is not None:
                    self.board.rewrite(entry.id, draft)

    def _sampled(self, turn: Turn) -> Turn:
        self.asked[turn.member, turn.request] += 1
        return replace(turn, draw=self.asked[turn.member, turn.request] - 1)

    def _short(self) -> int:
        return min(self.steer_tokens, self.query.request().sampling.max_tokens)
