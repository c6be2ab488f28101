"""Scored by a reward model: the score is the reward of the reply as the answer to the question, in the model's own unit.

A reward has no bounds and no right answer; means are comparable under one reward model only.
"""

from __future__ import annotations

from typing import Any

from moco.core.errors import ConfigError
from moco.core.types import Request
from moco.tasks.graders.base import Grade, visible
from moco.tasks.graders.item import Helpers, Item
from moco.tasks.graders.kinds import Unvoted


class Reward(Unvoted):
    """The kind as scoring uses it; a reply is not voted on."""

    name = "reward"
    needs = ("reward",)
    metrics = ("reward",)

    async def assess(self, text: str, item: Item, helpers: Helpers) -> Grade:
        """The reward of what is visible of ``text``; raises ConfigError for a helper without REWARD, and what the model does."""
        model: Any = helpers.reward
        if "REWARD" not in model.capabilities:
            raise ConfigError(
                f"'{model.name}' gives no rewards",
                where="aux.reward",
                why="it lacks the capability REWARD",
                remedy="name a sequence-classification checkpoint",
            )
        said = visible(text)
        asked = Request(item.messages) if item.messages else Request(text=item.spec.question)
        found = float(await model.reward(asked, said))
        return Grade(found, None, "reward", bool(said.strip()), {"reward": found})


KIND = Reward()
