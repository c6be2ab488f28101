"""Slots: candidates in place, one after another, always from the sources; and merged models that load when asked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import torch

from moco.core.errors import PoolError
from moco.core.types import Request, Sampling, messages_of
from moco.models.store import Store
from moco.weights import MergedModel, Plan, Slot, lease
from moco.weights.slot import materialise
from tests.weights.conftest import Folder, playground

ASKED = Request(messages=messages_of("What is 3 + 4?"), sampling=Sampling(max_tokens=8, temperature=0))


def bits(network: Any) -> dict[str, bytes]:
    return {name: p.detach().numpy().tobytes() for name, p in network.named_parameters()}


def test_nothing_is_loaded_before_the_first_request_that_is_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(None)
    pool = playground("alpha", "beta", store=store)
    first = pool.model(Plan.linear(pool))
    assert isinstance(first.model, MergedModel)
    assert first.model.slot.merges == 0
    said = asyncio.run(first.generate(ASKED))
    assert first.model.slot.merges == 1
    again = playground("alpha", "beta", store=store).model(Plan.linear(pool))
    monkeypatch.setattr(MergedModel, "load", None)
    assert asyncio.run(again.generate(ASKED)) == said


def test_candidates_share_one_network_in_place_without_drift() -> None:
    pool, slot = playground("alpha", "beta", "gamma"), Slot()
    one, two = Plan.linear(list(pool)[:2]), Plan.linear(pool, [0.1, 0.7, 0.4])
    seen: list[Any] = []

    async def go() -> None:
        for plan in (one, two, one, one):
            async with lease(plan, Store(None), slot) as model:
                await model.generate(ASKED)
                network = slot._network
                seen.append((id(network), [p.data_ptr() for p in network.parameters()], bits(network)))

    asyncio.run(go())
    assert slot.merges == 3, "the same candidate again is already there"
    assert len({place for place, _, _ in seen}) == 1 and all(p == seen[0][1] for _, p, _ in seen)
    assert seen[0][2] == seen[2][2] == seen[3][2] != seen[1][2]


def test_candidates_wait_for_each_other_and_only_the_tenant_is_asked() -> None:
    pool, slot, store = playground("alpha", "beta", "gamma"), Slot(), Store(None)
    one, two = Plan.linear(list(pool)[:2]), Plan.linear(list(pool)[1:])
    order: list[str] = []

    async def candidate(plan: Plan, name: str) -> None:
        async with lease(plan, store, slot) as model:
            order.append(f"{name} in")
            await model.generate(ASKED)
            order.append(f"{name} out")

    async def intruder() -> None:
        async with lease(one, store, slot) as model:
            await model.generate(ASKED)
        async with lease(two, store, slot):
            with pytest.raises(PoolError, match="on lease"):
                await model.generate(ASKED.but(prefix="x"))
        await model.generate(ASKED.but(prefix="x"))

    async def both() -> None:
        await asyncio.gather(candidate(one, "one"), candidate(two, "two"))

    asyncio.run(both())
    assert order == ["one in", "one out", "two in", "two out"]
    asyncio.run(intruder())


def test_a_failed_merge_leaves_the_slot_empty_and_usable(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    leaf = folder("leaf", {"w": torch.ones(2, 2)})
    good = Plan.linear([leaf, folder("other", {"w": torch.zeros(2, 2)})])
    bad = Plan.linear([leaf, folder("sick", {"w": torch.full((2, 2), float("nan"))})])
    network = torch.nn.Module()
    network.w = torch.nn.Parameter(torch.full((2, 2), 9.0))
    slot = Slot()
    for _ in range(2):
        with pytest.raises(PoolError, match="'sick' holds"):
            slot.hold(bad, "float32", "cpu", lambda: network)
        assert slot.occupant is None and slot.merges == 0
    assert slot.hold(good, "float32", "cpu", lambda: network) is network
    assert network.w.tolist() == [[0.5, 0.5]] * 2 and slot.occupant == good.fingerprint
    slot.clear()
    assert slot.occupant is None


def test_a_network_that_is_not_the_files_is_refused(folder: Folder) -> None:
    plan = Plan.linear([folder(n, {"w": torch.ones(2)}) for n in "ab"])
    network = torch.nn.Linear(1, 2)
    with pytest.raises(PoolError, match="disagree on tensor 'w'"):
        materialise(plan, network)


def test_unloaded_it_loads_again() -> None:
    pool = playground("alpha", "beta")
    model = pool.model(Plan.linear(pool)).model
    assert isinstance(model, MergedModel)
    first = asyncio.run(model.generate(ASKED))
    model.unload()
    assert model.slot.occupant is None
    assert asyncio.run(model.generate(ASKED)) == first
    assert model.slot.merges == 2
