"""Plans and artifacts as Models: what ``pool.model`` gives, and candidates on lease.

Invariant: nothing is loaded or merged before the first request that no store can answer; a merge of one member is that member.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from moco.core.errors import ConfigError
from moco.core.seeds import digest
from moco.models.artifacts import Artifacts
from moco.models.cached import CachedModel
from moco.models.decode import Decoder
from moco.models.hf import HFModel
from moco.models.pool import Pool
from moco.models.store import Store
from moco.weights.checks import check
from moco.weights.plan import Plan
from moco.weights.slot import Slot


class MergedModel(HFModel):
    """The merge of ``plan``: architecture, tokenizer, template and settings of its donor, weights computed when needed.

    ``slot`` is where the weights live: one of its own, or one that candidates share. It has WEIGHTS: merged again, it
    enters as its plan.
    """

    def __init__(self, plan: Plan, slot: Slot | None = None) -> None:
        donor = plan.donor.model
        super().__init__(donor.path, name=plan.title, **donor.options)
        self.plan, self.slot = plan, slot if slot is not None else Slot()
        self.description = f"merge of {', '.join(dict.fromkeys(leaf.name for leaf in plan.leaves))}"
        self._network: Any = None

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hash of the plan (recipe and sources), dtype and template style."""
        return digest("merged", self.plan.fingerprint, self.dtype, self.renderer.style)

    def load(self) -> Decoder:
        """The decoder over the slot, the plan's weights in it; called in the device's thread before every batch."""
        self._network = self.slot.hold(self.plan, self.dtype, self.device, super()._weights)
        if self._decoder is not None and self._decoder.model is not self._network:
            self._decoder = None
        return super().load()

    def unload(self) -> None:
        """Drop the weights, the slot's too; called in the device's thread."""
        self.leave()
        self.slot.clear()

    def leave(self) -> None:
        """Let go of the slot's weights, so that they go when the slot goes."""
        self._decoder = self._network = None

    def _weights(self) -> Any:
        return self._network


def build_model(reference: Any, pool: Pool | None = None, slot: Slot | None = None) -> HFModel:
    """The Model of a Plan or of an artifact id (a model folder in the artifact store); ``pool.model`` keeps its answers.

    A plan of one member is that member's own model. Raises PoolError where the sources cannot be merged, CacheError for an
    unknown artifact, ConfigError for anything else.
    """
    if isinstance(reference, str):
        return HFModel(Artifacts().path(reference), name=reference)
    if not isinstance(reference, Plan):
        what = f"a {type(reference).__name__} is neither a plan nor an artifact id"
        raise ConfigError(what, where="pool.model", remedy="give a Plan, such as Plan.linear(pool)")
    if (alone := reference.alone) is not None:
        return alone.model
    check(reference)
    return MergedModel(reference, slot)


@asynccontextmanager
async def lease(plan: Plan, store: Store, slot: Slot) -> AsyncIterator[CachedModel]:
    """``plan`` as a Model in ``slot``, which is its alone until the block ends; its answers are kept in ``store``.

    Raises what ``build_model`` raises.
    """
    model = CachedModel(build_model(plan, slot=slot), store)
    async with slot.lease(plan):
        try:
            yield model
        finally:
            if isinstance(model.model, MergedModel):
                model.model.leave()
