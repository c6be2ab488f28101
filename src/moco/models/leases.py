"""Who is answering what right now, across the processes of one machine: equal requests are paid once.

A lease is a row beside the completions. It ends with its completion's commit, with its owner's death (seen at once on the
same machine), or after ``LEASE_SECONDS`` without renewal. Losing one costs a second payment, never a wrong answer.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterable

from moco.models.protocol import StoreKey

LEASE_SECONDS = 60.0
TABLE = (
    "CREATE TABLE IF NOT EXISTS leases (content TEXT NOT NULL, seed INTEGER NOT NULL, owner TEXT NOT NULL, until REAL NOT NULL, "
    "PRIMARY KEY (content, seed)) WITHOUT ROWID"
)


class Heartbeat:
    """Calls the method ``beat`` every ``seconds`` in a thread of its own, until stopped or until the method's owner is gone."""

    def __init__(self, beat: Callable[[], None], seconds: float) -> None:
        self._beat, self._seconds, self._stopped = weakref.WeakMethod(beat), seconds, threading.Event()
        threading.Thread(target=self._run, name="moco-store", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            beat = self._beat()
            if beat is None:
                return
            beat()
            del beat  # while this thread waits, it keeps nobody alive


class Leases:
    """The leases of this process in an open store; the caller holds the store's lock."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.owner = f"{socket.gethostname()}:{os.getpid()}"
        self._renewed = time.monotonic()
        db.execute(TABLE)

    def claim(self, key: StoreKey) -> bool:
        """Whether this process is the one to answer ``key`` now."""
        now = time.time()
        taken = self._db.execute(
            "INSERT INTO leases VALUES (?, ?, ?, ?) ON CONFLICT (content, seed) DO UPDATE SET owner=excluded.owner, "
            "until=excluded.until WHERE owner=excluded.owner OR until < ?",
            (key.content, key.seed, self.owner, now + LEASE_SECONDS, now),
        ).rowcount
        if taken:
            return True
        row = self._db.execute("SELECT owner FROM leases WHERE content=? AND seed=?", (key.content, key.seed)).fetchone()
        if row is not None and not self._dead(row[0]):
            return False
        self._db.execute("DELETE FROM leases WHERE owner=?", (row[0] if row else "",))
        return self.claim(key)

    def release(self, keys: Iterable[StoreKey]) -> None:
        """Give up leases: the completion is there, or will not come."""
        self._db.executemany(
            "DELETE FROM leases WHERE content=? AND seed=? AND owner=?", [(k.content, k.seed, self.owner) for k in keys]
        )

    def renew(self) -> None:
        """Keep what is still being answered; does nothing more often than every quarter of a lease."""
        if time.monotonic() - self._renewed > LEASE_SECONDS / 4:
            self._renewed = time.monotonic()
            self._db.execute("UPDATE leases SET until=? WHERE owner=?", (time.time() + LEASE_SECONDS, self.owner))

    def _dead(self, owner: str) -> bool:
        """Whether ``owner`` was a process of this machine that is no more."""
        host, _, pid = owner.rpartition(":")
        if host != socket.gethostname():
            return False
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False
