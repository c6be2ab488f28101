"""A slot: one set of live weights into which merges are computed in place, one after another; nothing is written.

Invariant: a slot holds exactly the weights its ``occupant`` names, always recomputed from the sources (no drift), or says that
it holds none. It is changed in the device's thread only, where all its models are run, so no batch sees two merges; while it
is on lease, its tenant alone can be asked.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from moco.core.errors import PoolError
from moco.core.seeds import digest
from moco.models.batching import executor
from moco.weights.merging import Merge
from moco.weights.plan import Plan

log = logging.getLogger("moco.weights")


class Slot:
    """``merges`` and ``seconds`` count what was computed into it."""

    def __init__(self) -> None:
        self.occupant: str | None = None
        self.tenant: str | None = None
        self.merges, self.seconds = 0, 0.0
        self._lock = asyncio.Lock()
        self._network: Any = None
        self._shape: str | None = None
        self._device = "cpu"

    @asynccontextmanager
    async def lease(self, plan: Plan) -> AsyncIterator[None]:
        """The slot for ``plan`` alone until the block ends; others wait for each other here, in the order they came."""
        async with self._lock:
            self.tenant = plan.fingerprint
            try:
                yield
            finally:
                self.tenant = None

    def hold(self, plan: Plan, dtype: str, device: str, fresh: Callable[[], Any]) -> Any:
        """The network, with the weights of ``plan`` in it; called in the device's thread.

        ``fresh`` makes one of the donor's architecture, of that dtype on that device, where the slot has none. Raises
        PoolError where the slot is on lease to another plan, and where the plan's tensors are not the network's.
        """
        if self.tenant not in (None, plan.fingerprint):
            raise PoolError(
                f"{plan.title} was asked while its slot is on lease to another merge",
                where="weights",
                remedy="inside a lease ask the leased model only",
            )
        wanted = digest(dtype, device, _architecture(plan))
        if self._network is None or self._shape != wanted:
            self.clear()  # before the new one is made
            self._network, self._shape, self._device = fresh(), wanted, device
        if self.occupant != plan.fingerprint:
            self.occupant = None
            began = time.perf_counter()
            materialise(plan, self._network)
            self.occupant = plan.fingerprint
            self.merges += 1
            self.seconds += time.perf_counter() - began
            log.debug("%s into the slot", plan.title)
        return self._network

    async def close(self) -> None:
        """Drop the weights once the device's thread has done with them."""
        if self._network is not None:
            await asyncio.get_running_loop().run_in_executor(executor(self._device), self.clear)

    def clear(self) -> None:
        """Drop the weights; called in the device's thread."""
        if self._network is not None:
            self._network = self._shape = self.occupant = None
            gc.collect()  # networks of transformers and their decoders are cycles: they would stay for a while


def _architecture(plan: Plan) -> dict[str, Any]:
    """The donor's configuration without what does not shape the network."""
    return {k: v for k, v in plan.donor.model.config.items() if k not in ("transformers_version", "_name_or_path", "dtype")}


def materialise(plan: Plan, network: Any) -> None:
    """Compute the merge of ``plan`` into the parameters of ``network`` (torch module), in place, no new storage.

    Raises PoolError where a tensor of the files is none of the network's, or one of the network's is left as it was.
    """
    import torch

    homes = dict(network.named_parameters(remove_duplicate=False)) | dict(network.named_buffers(remove_duplicate=False))
    with Merge(plan) as merge, torch.no_grad():
        strange = [name for name in merge.metas if name not in homes or tuple(homes[name].shape) != merge.metas[name].shape]
        written = {homes[name].data_ptr() for name in merge.metas if name in homes}
        left = [name for name, p in network.named_parameters() if p.data_ptr() not in written and p.numel()]
        if strange or left:
            raise PoolError(
                f"the files and the live model disagree on tensor '{(strange + left)[0]}'",
                where=plan.donor.name,
                why="this architecture is converted while it is loaded",
                remedy="write the merge to a folder and load that",
            )
        for name in merge.metas:
            homes[name].copy_(merge.tensor(name))
