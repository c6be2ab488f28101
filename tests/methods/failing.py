"""Members that fail, are late, refuse or say nothing; what every method that gathers answers does about it."""

from __future__ import annotations

import asyncio
from typing import Any

from moco.core.errors import Transient
from moco.core.types import Completion, Request
from moco.models.pool import Pool
from moco.models.store import Store
from moco.testing import ScriptedModel

REFUSAL = "I am sorry, but I cannot help with that."


class Late(ScriptedModel):
    """Never answers in time."""

    async def generate(self, request: Request) -> Completion:
        await asyncio.sleep(600)
        return await super().generate(request)


def broken(r: Request) -> str:
    raise Transient("out of order")


def pool_with(troubled: str, *said: Any) -> Pool:
    """Members a, b, ... that say ``said``, then one that is ``broken``, ``late``, refuses (``refusal``) or is ``silent``."""
    last = {
        "broken": ScriptedModel("z", broken),
        "late": Late("z", "Answer: D"),
        "refusal": ScriptedModel("z", REFUSAL),
        "silent": ScriptedModel("z", ""),
    }[troubled]
    return Pool([*(ScriptedModel(chr(97 + i), s) for i, s in enumerate(said)), last], store=Store(None))
