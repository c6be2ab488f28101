"""Rounds of a debate over any graph: who hears whom is given, when it ends is a rule, who falls silent is on record.

Invariant: rounds are synchronous, and every round holds one draft per agent: its new one, or the last it gave, where it has
nobody to hear or failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from moco.core.query import Query
from moco.core.types import Draft
from moco.discussion.debate import Rounds
from moco.discussion.gathering import OnFailure
from moco.discussion.minutes import Minutes
from moco.discussion.template import Template
from moco.discussion.turns import Asked, Turn, unanimous
from moco.models.pool import Pool

EarlyStop = Literal["none", "consensus", "stable"]
"""Never; when all agree and nobody abstains; when no answer changed in the last round."""
Isolated = Literal["keep", "reask"]
"""What an agent does that hears nobody: its answer stands, or it is asked to check it."""


class Asking(Protocol):
    """How an agent is asked again; ``Debate`` is one."""

    @property
    def digest(self) -> Template | None:
        """How agents condense what they hear, if they do."""

    def turn(
        self, query: Query, pool: Pool, rounds: Rounds, agent: int, hears: Sequence[int], digests: Sequence[Draft | None] = ()
    ) -> Turn:
        """The next turn of an agent that hears the agents ``hears``."""

    def condense(self, query: Query, pool: Pool, drafts: Sequence[Draft], agent: int, hears: Sequence[int]) -> Turn | None:
        """The turn before it, in which the agent condenses what it hears; None where there is nothing."""

    def read(self, query: Query, draft: Draft) -> Draft:
        """What a draft says where answers are compared."""


@dataclass
class Talk:
    """What was said: ``rounds[r][agent]``, what was cut and who failed (``minutes``), and why it ended early."""

    rounds: list[list[Draft]]
    minutes: Minutes
    stopped: str | None = None
    asked: Asked = field(default_factory=Asked, repr=False)

    @property
    def record(self) -> dict[str, Any]:
        """What a reason says of it; ``rounds`` are the agents' answers, round by round."""
        about: dict[str, Any] = {"rounds": [[d.key for d in drafts] for drafts in self.rounds], "stopped": self.stopped}
        return {**about, **self.minutes.record}


async def converse(
    query: Query,
    pool: Pool,
    first: Sequence[Draft],
    hears: Sequence[Sequence[int]],
    debate: Asking,
    rounds: int,
    *,
    isolated: Isolated = "reask",
    early_stop: EarlyStop = "none",
    on_failure: OnFailure = "fail",
    deadline: float | None = None,
) -> Talk:
    """``rounds`` of answers, of which ``first`` is the first; agent a hears the agents ``hears[a]`` (ascending).

    Raises BackendError for a failed agent, unless it is to be dropped: then its last answer stands.
    """
    talk = Talk([list(first)], Minutes(pool, on_failure, deadline))
    digests: list[list[Draft | None]] = []
    for number in range(1, rounds):
        last = talk.rounds[-1]
        talk.stopped = await ends(query, [[debate.read(query, d) for d in drafts] for drafts in talk.rounds[-2:]], early_stop)
        if talk.stopped is not None:
            break
        speakers = [a for a in range(len(last)) if isolated == "reask" or any(last[j].text.strip() for j in hears[a])]
        if debate.digest is not None:
            asked = {a: debate.condense(query, pool, last, a, hears[a]) for a in speakers}
            said = await _ask(talk, asked, "digest", number)
            digests.append([said.get(a) for a in range(len(last))])
        turns = {a: debate.turn(query, pool, talk.rounds, a, hears[a], [d[a] for d in digests]) for a in speakers}
        new = await _ask(talk, dict(turns), "revise", number)
        talk.rounds.append([new.get(a, old) for a, old in enumerate(last)])
    return talk


async def ends(query: Query, rounds: Sequence[Sequence[Draft]], rule: EarlyStop) -> str | None:
    """Why there is no further round; None if there is one."""
    if rule == "consensus" and await unanimous(query, rounds[-1]):
        return rule
    if rule == "stable" and len(rounds) > 1:
        pairs = zip(rounds[-2], rounds[-1], strict=True)
        if all([await unanimous(query, pair) for pair in pairs]):
            return rule
    return None


async def _ask(talk: Talk, turns: dict[int, Turn | None], stage: str, number: int) -> dict[int, Draft]:
    """The drafts of the agents that have a turn and give one."""
    asked = {agent: turn for agent, turn in turns.items() if turn is not None}
    said = await talk.minutes.ask(list(asked.values()), stage, number, asked=talk.asked)
    heard, last = zip(asked.items(), said, strict=True), talk.rounds[-1]
    return {a: replace(d, index=last[a].index, draw=turn.draw) for (a, turn), d in heard if d is not None}
