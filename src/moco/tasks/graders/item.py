"""What a grader is given beside the reply: the item with its gold answer, and the helpers that some kinds need.

Invariant: an item is made for grading only; nothing of it but the spec is ever shown to a method.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moco.core.types import AnswerSpec, Message
from moco.models.protocol import Model

if TYPE_CHECKING:
    from moco.models.pool import Aux
    from moco.tasks.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Item:
    """One question as its grader sees it. ``gold`` is what the answer is graded against: the answer, the aliases, the set of
    right labels, the references; '' where there is none. ``messages`` is the chat a model was asked with."""

    spec: AnswerSpec
    gold: str | list[str] = ""
    messages: tuple[Message, ...] = ()
    context: str = ""
    tests: str = ""
    entry_point: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def golds(self) -> list[str]:
        """The gold answers as a list; empty where there is none."""
        return ([self.gold] if self.gold else []) if isinstance(self.gold, str) else list(self.gold)


@dataclass(frozen=True)
class Helpers:
    """What kinds that no rule can grade ask: models beside the pool, and the sandbox code runs in.

    ``sandbox`` None stands for the process's own, opened at first use.
    """

    judge: Model | None = None
    reward: Model | None = None
    embedder: Model | None = None
    sandbox: Sandbox | None = None
    seed: int = 0
    """The study's seed, for judges whose answers are drawn."""

    @classmethod
    def of(cls, aux: Aux, *, sandbox: Sandbox | None = None, seed: int = 0) -> Helpers:
        """The helpers a study names under ``aux``."""
        return cls(aux.judge, aux.reward, aux.embedder, sandbox, seed)

    @property
    def present(self) -> frozenset[str]:
        """Names of the helpers that are there; the sandbox always is (it refuses for itself where the machine has none)."""
        return frozenset({"sandbox", *(name for name in ("judge", "reward", "embedder") if getattr(self, name) is not None)})


NOBODY = Helpers()
"""No helpers: enough for the kinds that a rule grades."""
