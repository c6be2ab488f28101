"""The minutes of a discussion: all of a round is asked at once, and what was cut and who failed is taken down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from moco.core.types import Draft
from moco.discussion.gathering import OnFailure, voter
from moco.discussion.turns import Asked, Turn, take_all
from moco.models.pool import Pool


@dataclass
class Minutes:
    """``trims`` are the prompts that were cut or changed, by round; ``lost`` who gave no reply: ``b#1@2 (review)`` is draw 1 of
    member b, in round 2.
    """

    pool: Pool
    on_failure: OnFailure = "fail"
    deadline: float | None = None
    trims: list[dict[str, Any]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    async def ask(
        self,
        turns: Sequence[Turn],
        stage: str,
        round: int,
        *,
        asked: Asked | None = None,
        room: int | None = None,
        **sampling: Any,
    ) -> list[Draft | None]:
        """All ``turns``, in order, as `take_all` has them; those that ``asked`` knows get draws of their own."""
        self.trims += [{"round": round, **turn.note} for turn in turns if turn.note]
        policy: dict[str, Any] = {"on_failure": self.on_failure, "deadline": self.deadline, "room": room}
        fresh = turns if asked is None else asked.fresh(turns)
        said = await take_all(self.pool, fresh, stage=stage, round=round, **policy, **sampling)
        self.miss([turn for turn, draft in zip(turns, said, strict=True) if draft is None], stage, round)
        return said

    def miss(self, turns: Sequence[Turn], stage: str, round: int) -> None:
        """Whose ``turns`` brought nothing."""
        self.lost += [f"{voter(turn.member, turn.draw)}@{round} ({stage})" for turn in turns]

    @property
    def record(self) -> dict[str, Any]:
        """What a reason says of it; ``lost`` only where somebody was."""
        return {"trims": self.trims, **({"lost": self.lost} if self.lost else {})}
