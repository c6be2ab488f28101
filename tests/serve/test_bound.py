"""The bound of what a store keeps in memory: least recently used first, never the newest, nothing lost that has a file."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from moco.core.types import Completion
from moco.models.protocol import StoreKey
from moco.models.store import Store, size_of

ROW = size_of(Completion("x" * 100))


def key(i: int) -> StoreKey:
    return StoreKey(f"k{i}", 0)


def filled(store: Store, n: int) -> Store:
    for i in range(n):
        store.put(key(i), Completion("x" * 100))
    return store


def held(store: Store, n: int) -> list[int]:
    return [i for i in range(n) if store.get(key(i)) is not None]


def test_without_a_bound_everything_stays_and_nothing_is_weighed() -> None:
    store = filled(Store(None), 50)
    assert held(store, 50) == list(range(50)) and store.remembered == 0


def test_the_least_recently_used_goes_first() -> None:
    store = Store(None)
    store.bound(10 * ROW)
    filled(store, 10)
    assert held(store, 10) == list(range(10))
    store.get(key(0))
    store.put(key(10), Completion("x" * 100))
    assert held(store, 11) == [0, *range(3, 11)], "room for one more, and a tenth of the bound"


def test_a_bound_set_later_applies_to_what_is_there_and_can_be_lifted() -> None:
    store = filled(Store(None), 50)
    store.bound(20 * ROW)
    assert held(store, 50) == list(range(32, 50)) and store.remembered == 18 * ROW
    store.bound(None)
    assert len(held(filled(store, 50), 50)) == 50


def test_the_newest_stays_however_large() -> None:
    store = Store(None)
    store.bound(1)
    filled(store, 3)
    assert held(store, 3) == [2]


def test_a_row_put_twice_counts_once_and_a_cleared_store_is_empty() -> None:
    store = Store(None)
    store.bound(1000 * ROW)
    filled(filled(store, 5), 5)
    assert store.remembered == 5 * ROW
    store.clear()
    assert store.remembered == 0


def test_a_store_in_a_file_forgets_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "cache.sqlite")
    store.bound(3 * ROW)
    filled(store, 60)
    assert held(store, 60) == list(range(60))
    assert store.remembered <= 3 * ROW
    store.close()


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20), st.integers(0, 400)), max_size=80), st.integers(1, 3000))
def test_it_is_within_the_bound_or_one_row(steps: list[tuple[bool, int, int]], limit: int) -> None:
    store = Store(None)
    store.bound(limit)
    for put, i, length in steps:
        if put:
            store.put(key(i), Completion("y" * length))
            assert store.get(key(i)) == Completion("y" * length)
        else:
            store.get(key(i))
        assert store.remembered <= limit or store.stats()["rows"] == 1
