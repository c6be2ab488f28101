"""Asking members about quoted texts: what the task's prompt is, who is shown what, and all of a round at once.

Nothing here knows a method; a method says whose texts are quoted in which words.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from moco.core.errors import BackendError
from moco.core.query import Query
from moco.core.types import Draft, Message, Request, Tag
from moco.discussion.budget import reader_of
from moco.discussion.condensing import Crowd
from moco.discussion.gathering import OnFailure, within
from moco.discussion.similarity import normalised
from moco.models.pool import Pool


@dataclass(frozen=True)
class Turn:
    """A request to ``member``, the drafts whose text it quotes, and what was cut or changed so that it fits."""

    member: str
    request: Request
    sees: tuple[Draft, ...] = ()
    note: dict[str, Any] | None = None
    draw: int = 0
    agent: str = ""
    """Whom the member plays, where that is not itself."""
    crowd: Crowd | None = None
    """Quotes that the member has to condense first, where ``request`` could only show pieces of them."""
    again: Callable[[int], Request] | None = None
    """The request with room for an answer of so many tokens, where ``request`` was fitted to a shorter one."""


class Asked:
    """How often each prompt was put to each member in one discussion.

    A text that stands still makes the same prompt in a later round. At a temperature above 0 that is another question of the
    original, so it must be another sample here: without draws of its own it would be a copy of the round before.
    """

    STRIDE = 1000
    """Draws lie this far apart: more than agents that are one member."""

    def __init__(self, first: Iterable[tuple[str, Request, int]] = ()) -> None:
        self._times = Counter(first)

    def fresh(self, turns: Sequence[Turn]) -> list[Turn]:
        """``turns``, those that were asked before with another draw; and all of them counted."""
        out = []
        for turn in turns:
            asked = (turn.member, turn.request, turn.draw)
            out.append(replace(turn, draw=turn.draw + self.STRIDE * self._times[asked]))
            self._times[asked] += 1
        return out


def task_prompt(query: Query) -> tuple[tuple[Message, ...], str]:
    """The turns before the last user message, and that message: the task as it was put, its answer format included."""
    places = [i for i, m in enumerate(query.messages) if m.role == "user"]
    if not places:
        return query.messages, query.request().text or query.question
    return query.messages[: places[-1]], query.messages[places[-1]].content


def chat_request(query: Query, messages: Sequence[Message], **sampling: Any) -> Request:
    """``messages`` in place of the task's prompt; a member that is a collaboration still knows how to compare answers."""
    return query.request(messages[-1].content, **sampling).but(messages=tuple(messages))


async def take(pool: Pool, turn: Turn, *, stage: str, round: int = 0, room: int | None = None, **sampling: Any) -> Draft:
    """Ask one member; what it saw, and whom it played, is in the transcript.

    ``room`` is the length in tokens of a reply that is to be short, such as a verdict; what a member thinks before it has room
    beside it. One that comes to the end of ``room`` with nothing visible is asked once more, with the room of a whole answer;
    one whose prompt opens a thinking block gets that at once. A ``crowd`` is condensed first.
    """
    if turn.crowd is not None:
        turn = await _condensed(pool, turn, turn.crowd, round)
    tag = Tag(stage, round, turn.agent or turn.member, tuple(d.call for d in _once(turn.sees) if d.call))
    how: dict[str, Any] = {"draw": turn.draw, "tag": tag, **sampling}
    if room is None:
        return await pool.ask(turn.member, turn.request, **how)
    reader, whole = reader_of(pool[turn.member]), pool.sampling.max_tokens
    said: Draft | None = None
    if whole <= room or not reader.thinks(turn.request):
        said = await pool.ask(turn.member, turn.request, max_tokens=room, **how)
        if said.text.strip() or said.completion.finish != "length":
            return said
    request = turn.request if turn.again is None else turn.again(whole)
    if reader.context is not None:
        whole = min(whole, reader.context - reader.size(request))
    if said is not None and whole <= room:
        return said
    return await pool.ask(turn.member, request, max_tokens=max(whole, room), **how)


async def _condensed(pool: Pool, turn: Turn, crowd: Crowd, round: int) -> Turn:
    """The turn that quotes what the member made of the ``crowd``, a call for every group of it."""
    parts = [Turn(turn.member, request, sees, draw=turn.draw, agent=turn.agent) for request, sees in crowd.asked]
    said = await take_all(pool, parts, stage="condense", round=round, room=crowd.share)
    request, sees = crowd.told([draft for draft in said if draft is not None])
    return replace(turn, request=request, sees=sees, crowd=None)


async def take_all(
    pool: Pool,
    turns: Sequence[Turn],
    *,
    stage: str,
    round: int = 0,
    on_failure: OnFailure = "fail",
    deadline: float | None = None,
    room: int | None = None,
    **sampling: Any,
) -> list[Draft | None]:
    """All turns at once, in order, with ``room`` as `take` has it. A member that fails, or is later than ``deadline`` seconds,
    raises when all have come back; with ``on_failure="drop"`` it is None.
    """
    jobs = (within(deadline, take(pool, turn, stage=stage, round=round, room=room, **sampling), turn.member) for turn in turns)
    outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    failures = [o for o in outcomes if isinstance(o, BaseException)]
    fatal = [f for f in failures if not (on_failure == "drop" and isinstance(f, BackendError))]
    if fatal:
        raise fatal[0]
    return [o if isinstance(o, Draft) else None for o in outcomes]


async def totals(pool: Pool, turn: Turn, phrases: Sequence[str], deadline: float | None = None) -> list[float]:
    """Log-probability of each of ``phrases`` as the member's visible reply, a thinking block that its prompt opens being closed.

    Needs SCORE. Raises BackendError where it fails or is late.
    """
    request = turn.request
    if reader_of(pool[turn.member]).thinks(request):
        request = request.but(prefix=f"{request.prefix}\n</think>\n\n")
    return [(await within(deadline, pool.score(turn.member, request, p), turn.member)).total for p in phrases]


async def preference(pool: Pool, turn: Turn, phrases: tuple[str, str], deadline: float | None = None) -> float:
    """How likely the member would write the first of two ``phrases`` rather than the second; in [0, 1]. Needs SCORE.

    Raises BackendError where it fails or is late.
    """
    one, two = await totals(pool, turn, phrases, deadline)
    return 1 / (1 + math.exp(min(max(two - one, -700.0), 700.0)))


async def unanimous(query: Query, drafts: Sequence[Draft]) -> bool:
    """Whether all drafts say the same and none abstains; free texts must be equal but for case, spaces and line breaks."""
    if not query.votable:
        return len({normalised(d.text) for d in drafts}) == 1
    return await query.same_many([d.key for d in drafts]) == [list(range(len(drafts)))]


def _once(drafts: Sequence[Draft]) -> list[Draft]:
    return list({d.call: d for d in drafts}.values())
