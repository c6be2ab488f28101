"""The cache: one SQLite row per store key, checksummed JSON, no pickle.

A damaged row is a miss with one warning, never a wrong answer. What is kept in memory can be bounded (`bound`): the least
recently used goes first, from memory only, and what no file holds is then computed again.

Knows nothing of models: it maps a StoreKey to a Completion. Writes are collected and committed per flush; a row is
visible to this process at once. Several processes may share one file (WAL); equal answers written twice are one row.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
import sqlite3
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from moco.core.errors import CacheError
from moco.core.types import Call, Completion, Tag, Usage
from moco.models.leases import Heartbeat, Leases
from moco.models.protocol import StoreKey

log = logging.getLogger("moco.store")
SCHEMA_VERSION = 1
BODY_AND_SUM = "CAST(body AS BLOB), CAST(sum AS BLOB)"
"""Bytes whatever a hand has made of them: SQLite lets a column hold any type."""
FLUSH_SECONDS = 0.5
"""How much finished work a kill may cost at most; whatever was committed is never asked again."""
ROOM_AFTER = 0.9
"""Share of the bound that is left filled when it is reached, so that not every row has to make room for itself."""


PATIENCE_SECONDS = 60.0
"""How long a file that others are opening is waited for."""


def write_ahead(db: sqlite3.Connection) -> None:
    """Switch to a write-ahead log. SQLite does not wait where others switch the same new file: it is tried again.

    Raises sqlite3.OperationalError where the file is locked for longer than a minute, or cannot be written.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def default_home() -> Path:
    """``$MOCO_HOME``, by default ``~/.cache/moco``; raises CacheError where there is neither."""
    named = os.environ.get("MOCO_HOME")
    if named:
        return Path(named)
    try:
        return Path.home() / ".cache" / "moco"
    except RuntimeError as error:
        remedy = "set MOCO_HOME to a folder, or give --store FILE"
        raise CacheError("there is no home folder for the store", why=str(error), remedy=remedy) from error


class Store:
    """Completions by store key in ``path`` (a file; ``None`` keeps them in memory only).

    Raises CacheError when the file cannot be opened or has a newer schema.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.hits = self.misses = self.damaged = self.written = 0
        self._memory: OrderedDict[StoreKey, Completion] = OrderedDict()
        self._bad: set[StoreKey] = set()
        self._sizes: dict[StoreKey, int] = {}
        self._limit: int | None = None
        self.remembered = 0
        self._pending: list[tuple[str, int, bytes, bytes]] = []
        self._lock = threading.Lock()
        self._flushed = time.monotonic()
        self._db: sqlite3.Connection | None = None
        self._leases: Leases | None = None
        self._heartbeat: Heartbeat | None = None
        if path is not None:
            self._open(path)

    def _open(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(path, timeout=60, check_same_thread=False, isolation_level=None)
            write_ahead(db)
            db.execute("PRAGMA synchronous=NORMAL")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise CacheError(
                    f"the store has schema {version}, this moco reads up to {SCHEMA_VERSION}",
                    where=str(path),
                    remedy="upgrade moco or name another store with --store",
                )
            db.execute(
                "CREATE TABLE IF NOT EXISTS completions (content TEXT NOT NULL, seed INTEGER NOT NULL, body BLOB NOT NULL, "
                "sum BLOB NOT NULL, PRIMARY KEY (content, seed)) WITHOUT ROWID"
            )
            self._leases = Leases(db)
            db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        except (sqlite3.Error, OSError) as error:
            remedy = "name a file that can be written (--store FILE, or MOCO_HOME), or remove this one if it is no store"
            raise CacheError(f"cannot open the store: {error}", where=str(path), remedy=remedy) from error
        self._db = db

    def get(self, key: StoreKey, *, counted: bool = True) -> Completion | None:
        """The stored completion, or None; ``counted`` as a hit or a miss."""
        with self._lock:
            found = self._memory.get(key)
            if found is not None:
                self._memory.move_to_end(key)
            elif self._db is not None:
                row = self._read(key)
                if row is not None:
                    found = self._decode(key, *row)
                    if found is not None:
                        self._remember(key, found)
                        self._shrink()
            self.hits += counted and found is not None
            self.misses += counted and found is None
            return found

    def claim(self, key: StoreKey) -> bool:
        """Whether this process shall answer ``key``: False while another process of this machine is at it."""
        with self._lock:
            if self._leases is None:
                return True
            if self._heartbeat is None:
                self._heartbeat = Heartbeat(self._beat, FLUSH_SECONDS)
            try:
                return self._leases.claim(key)
            except sqlite3.Error as error:
                remedy = "free disk space and run again"
                raise CacheError(f"cannot write the store: {error}", where=str(self.path), remedy=remedy) from error

    def abandon(self, key: StoreKey) -> None:
        """Nobody answers ``key`` here any more; another process may."""
        with self._lock:
            if self._leases is not None:
                self._leases.release([key])

    def _read(self, key: StoreKey) -> tuple[bytes, bytes] | None:
        assert self._db is not None
        with self._readable():
            row: tuple[bytes, bytes] | None = self._db.execute(
                f"SELECT {BODY_AND_SUM} FROM completions WHERE content=? AND seed=?", (key.content, key.seed)
            ).fetchone()
        return row

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Within, a file that is damaged as a whole, not in a row, is a CacheError."""
        try:
            yield
        except sqlite3.Error as error:
            remedy = "remove the file, or name another one with --store; what it held is computed again"
            raise CacheError(f"cannot read the store: {error}", where=str(self.path), remedy=remedy) from error

    def _decode(self, key: StoreKey, body: bytes, checksum: bytes) -> Completion | None:
        if _checksum(key, body) != checksum:
            if key not in self._bad:
                self._bad.add(key)
                self.damaged += 1
                log.warning("a damaged row of %s is ignored and will be computed again (%s)", self.path, key.content[:12])
            return None
        return completion_from_json(json.loads(zlib.decompress(body)))

    def put(self, key: StoreKey, completion: Completion) -> None:
        """Keep ``completion``; on disk after the next ``flush``, which comes by itself within half a second."""
        with self._lock:
            self._remember(key, completion)
            self.written += 1
            if self._db is not None:
                body = zlib.compress(json.dumps(completion_to_json(completion), ensure_ascii=True).encode(), 1)
                self._pending.append((key.content, key.seed, body, _checksum(key, body)))
                if time.monotonic() - self._flushed >= FLUSH_SECONDS:
                    self._commit()
            self._shrink()

    def bound(self, limit: int | None) -> None:
        """Keep at most ``limit`` bytes of completions (as JSON; Python needs about twice that) in memory; None for no bound.

        ``remembered`` counts them. The newest completion always stays. A store in a file loses nothing by this but time.
        """
        with self._lock:
            self._limit = limit
            self._sizes = {} if limit is None else {key: size_of(found) for key, found in self._memory.items()}
            self.remembered = sum(self._sizes.values())
            self._shrink()

    def _remember(self, key: StoreKey, completion: Completion) -> None:
        self._memory[key] = completion
        self._memory.move_to_end(key)
        if self._limit is not None:
            self.remembered -= self._sizes.get(key, 0)
            self._sizes[key] = size_of(completion)
            self.remembered += self._sizes[key]

    def _shrink(self) -> None:
        if self._limit is None or self.remembered <= self._limit:
            return
        self._commit()  # what is on its way to the file must be found there
        while self.remembered > self._limit * ROOM_AFTER and len(self._memory) > 1:
            key, _ = self._memory.popitem(last=False)
            self.remembered -= self._sizes.pop(key)

    def flush(self) -> None:
        """Commit what was put; raises CacheError (a full disk, say) and keeps the rows for the next flush."""
        with self._lock:
            self._commit()

    def _beat(self) -> None:
        """Commit and renew though nothing is put: who waits for these answers may be the one whom we wait for."""
        with self._lock:
            try:
                self._commit()
            except CacheError as error:  # the rows are kept, and the next put or flush raises it where it is seen
                log.debug("%s", error)

    def _commit(self) -> None:
        self._flushed = time.monotonic()
        if self._db is None or self._leases is None:
            return
        try:
            self._leases.renew()
            if self._pending:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany("INSERT OR REPLACE INTO completions VALUES (?, ?, ?, ?)", self._pending)
                self._leases.release(StoreKey(content, seed) for content, seed, _, _ in self._pending)
                self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            remedy = "free disk space and run again"
            raise CacheError(f"cannot write the store: {error}", where=str(self.path), remedy=remedy) from error
        self._pending.clear()

    def stats(self) -> dict[str, Any]:
        """Rows and bytes on disk."""
        if self._db is None or self.path is None:
            return {"path": None, "rows": len(self._memory), "bytes": 0}
        with self._readable():
            rows = self._db.execute("SELECT COUNT(*) FROM completions").fetchone()[0]
        return {"path": str(self.path), "rows": rows, "bytes": self.path.stat().st_size, "schema": SCHEMA_VERSION}

    def verify(self) -> tuple[int, int]:
        """Read every row: (rows, damaged rows). Damaged rows are removed, so that they are computed again."""
        if self._db is None:
            return len(self._memory), 0
        bad = []
        rows = 0
        with self._readable():
            for content, seed, body, checksum in self._db.execute(f"SELECT content, seed, {BODY_AND_SUM} FROM completions"):
                rows += 1
                if _checksum(StoreKey(content, seed), body) != checksum:
                    bad.append((content, seed))
            self._db.executemany("DELETE FROM completions WHERE content=? AND seed=?", bad)
        return rows, len(bad)

    def clear(self) -> int:
        """Remove every row; returns how many there were."""
        rows = int(self.stats()["rows"])
        with self._lock:
            self._memory.clear()
            self._sizes.clear()
            self.remembered = 0
            self._pending.clear()
            if self._db is not None:
                with self._readable():
                    self._db.execute("DELETE FROM completions")
                    self._db.execute("VACUUM")
        return rows

    def close(self) -> None:
        if self._heartbeat is not None:
            self._heartbeat.stop()
        self.flush()
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = self._leases = None


def _checksum(key: StoreKey, body: bytes) -> bytes:
    return hashlib.sha256(f"{key.content}:{key.seed}:".encode() + body).digest()[:16]


def size_of(completion: Completion) -> int:
    """Bytes of ``completion`` as JSON: a measure of what it takes to keep it."""
    return len(json.dumps(completion_to_json(completion), ensure_ascii=True))


def completion_to_json(completion: Completion) -> dict[str, Any]:
    return dataclasses.asdict(completion)


def completion_from_json(data: dict[str, Any]) -> Completion:
    return Completion(
        **{
            **data,
            "ids": None if data["ids"] is None else tuple(data["ids"]),
            "logprobs": None if data["logprobs"] is None else tuple(data["logprobs"]),
            "usage": Usage(**data["usage"]),
            "calls": tuple(_call(c) for c in data["calls"]),
        }
    )


def _call(data: dict[str, Any]) -> Call:
    tag = Tag(**{**data["tag"], "sees": tuple(data["tag"]["sees"])})
    inner = tuple(_call(c) for c in data["calls"])
    return Call(**{**data, "tag": tag, "draw": tuple(data["draw"]), "usage": Usage(**data["usage"]), "calls": inner})
