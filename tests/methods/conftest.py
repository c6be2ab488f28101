"""How the tests of methods know what members were asked."""

from __future__ import annotations

from typing import Any

import pytest

from moco.core.types import Request
from moco.decoding.group import Group
from moco.models.hf import HFModel
from moco.testing import ScriptedModel, TableModel


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """Every request that a model really computed, in order."""
    requests: list[Request] = []

    def listen(cls: type[Any]) -> None:
        answer = cls.generate

        async def generate(self: Any, request: Request) -> Any:
            requests.append(request)
            return await answer(self, request)

        monkeypatch.setattr(cls, "generate", generate)

    for cls in (ScriptedModel, TableModel, HFModel, Group):
        listen(cls)
    return requests
