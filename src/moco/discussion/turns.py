"""Asking members about quoted texts: what the task's prompt is, who is shown what, and all of a round at once.

Nothing here knows a method; a method says whose texts are quoted in which words.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from moco.core.errors import BackendError
from moco.core.query import Query
from moco.core.types import Draft, Message, Request, Tag
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


async def take(pool: Pool, turn: Turn, *, stage: str, round: int = 0, **sampling: Any) -> Draft:
    """Ask one member; what it saw, and whom it played, is in the transcript."""
    tag = Tag(stage, round, turn.agent or turn.member, tuple(d.call for d in _once(turn.sees) if d.call))
    return await pool.ask(turn.member, turn.request, draw=turn.draw, tag=tag, **sampling)


async def take_all(
    pool: Pool,
    turns: Sequence[Turn],
    *,
    stage: str,
    round: int = 0,
    on_failure: OnFailure = "fail",
    deadline: float | None = None,
    **sampling: Any,
) -> list[Draft | None]:
    """All turns at once, in order. A member that fails, or is later than ``deadline`` seconds, raises when all have come
    back; with ``on_failure="drop"`` it is None.
    """
    jobs = (within(deadline, take(pool, turn, stage=stage, round=round, **sampling), turn.member) for turn in turns)
    outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    failures = [o for o in outcomes if isinstance(o, BaseException)]
    fatal = [f for f in failures if not (on_failure == "drop" and isinstance(f, BackendError))]
    if fatal:
        raise fatal[0]
    return [o if isinstance(o, Draft) else None for o in outcomes]


async def preference(pool: Pool, turn: Turn, phrases: tuple[str, str], deadline: float | None = None) -> float:
    """How likely the member would write the first of two ``phrases`` rather than the second; in [0, 1]. Needs SCORE.

    Raises BackendError where it fails or is late.
    """
    one, two = [(await within(deadline, pool.score(turn.member, turn.request, p), turn.member)).total for p in phrases]
    return 1 / (1 + math.exp(min(max(two - one, -700.0), 700.0)))


async def unanimous(query: Query, drafts: Sequence[Draft]) -> bool:
    """Whether all drafts say the same and none abstains; free texts must be equal but for case, spaces and line breaks."""
    if not query.votable:
        return len({normalised(d.text) for d in drafts}) == 1
    return await query.same_many([d.key for d in drafts]) == [list(range(len(drafts)))]


def _once(drafts: Sequence[Draft]) -> list[Draft]:
    return list({d.call: d for d in drafts}.values())
