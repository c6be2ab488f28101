"""The artifact store: whole or absent, made once, never changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from moco.core.errors import CacheError
from moco.models.artifacts import Artifacts


def test_what_is_made_from_the_same_inputs_is_made_once(own_home: Path) -> None:
    store, made = Artifacts(), []

    def write(folder: Path) -> None:
        made.append(folder)
        (folder / "weights").write_bytes(b"12345")

    first = store.put("adapter of a/b", write, "hash")
    assert store.put("adapter of a/b", write, "hash") == first == store.id_of("adapter of a/b", "hash")
    assert len(made) == 1
    assert store.put("adapter of a/b", write, "other") != first
    assert first.startswith("adapter-of-a-b-") and first in store
    assert store.path(first) == own_home / "artifacts" / first
    assert (store.path(first) / "weights").read_bytes() == b"12345"
    assert store.bytes == 10 and sorted(a.bytes for a in store.list()) == [5, 5]


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    store = Artifacts(tmp_path)

    def fails(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.put("x", fails, "h")
    assert not list(tmp_path.iterdir()) and store.list() == []


def test_of_two_writers_the_second_loses_silently(tmp_path: Path) -> None:
    store = Artifacts(tmp_path)

    def slow(folder: Path) -> None:
        (folder / "who").write_text("second")
        store.put("x", lambda inner: (inner / "who").write_text("first"), "h")  # type: ignore[arg-type, return-value]

    identity = store.put("x", slow, "h")
    assert (store.path(identity) / "who").read_text() == "first"
    assert [p.name for p in tmp_path.iterdir()] == [identity]


@pytest.mark.parametrize("identity", ["merge-00000000000000000000", "../secrets", "", "x"])
def test_unknown_ids_are_refused_and_lead_nowhere_else(tmp_path: Path, identity: str) -> None:
    (tmp_path / "x").mkdir()
    store = Artifacts(tmp_path)
    assert identity not in store
    with pytest.raises(CacheError, match="there is no artifact"):
        store.path(identity)


def test_an_unwritable_store_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match="cannot be written"):
        Artifacts(tmp_path / "file").put("x", lambda folder: None, "h")
