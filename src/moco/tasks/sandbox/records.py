"""The cache of verdicts: one SQLite row per program, checksummed JSON, beside the completions in the user's store folder.

A damaged row is a miss. A verdict belongs to the level that found it: what a program sees differs between levels, and so may
its fate. Time-outs and verdicts of the weak level are not kept: the one may be the machine's fault, the other forged.
Knows nothing of how a verdict is reached.
"""

from __future__ import annotations

import hashlib
import json
import signal
import sqlite3
import threading
from pathlib import Path

from moco.core.errors import CacheError
from moco.models.store import write_ahead
from moco.tasks.sandbox.program import EVERY_STATUS, Verdict

SCHEMA_VERSION = 1
KEPT = frozenset({"passed", "failed", "syntax", "no verdict", "crashed"})
KILLED = f"ended by signal {int(signal.SIGKILL)}"
"""Not kept: a machine that runs out of memory ends programs that way, and another run may go well."""
FILE = "verdicts.sqlite"


class Verdicts:
    """Verdicts by program key in ``path`` (a file; None keeps them in memory only). Raises CacheError as ``Store`` does."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.hits = self.misses = 0
        self._lock = threading.Lock()
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path or ":memory:", timeout=60, check_same_thread=False, isolation_level=None)
            write_ahead(self._db)
            self._db.execute("PRAGMA synchronous=NORMAL")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise CacheError(
                    f"the verdicts have schema {version}, this moco reads up to {SCHEMA_VERSION}",
                    where=str(path),
                    remedy="upgrade moco or name another store with --store",
                )
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS verdicts (key TEXT PRIMARY KEY, body TEXT NOT NULL, sum BLOB NOT NULL) WITHOUT ROWID"
            )
            self._db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        except (sqlite3.Error, OSError) as error:
            remedy = "set MOCO_HOME to a folder that can be written, or remove the file: it only saves time"
            raise CacheError(f"cannot open the verdicts: {error}", where=str(path), remedy=remedy) from error

    def get(self, key: str) -> Verdict | None:
        """The verdict kept under ``key``, marked as cached; None where there is none or its row is damaged."""
        with self._lock:
            try:
                row = self._db.execute("SELECT body, sum FROM verdicts WHERE key=?", (key,)).fetchone()
            except sqlite3.Error as error:
                remedy = "remove the file; it only saves time"
                raise CacheError(f"cannot read the verdicts: {error}", where=str(self.path), remedy=remedy) from error
            found = None if row is None or _checksum(key, row[0]) != row[1] else _from_json(row[0])
            self.hits += found is not None
            self.misses += found is None
        return found

    def put(self, key: str, verdict: Verdict) -> None:
        """Keep ``verdict`` if it is one that another run would repeat."""
        if verdict.status not in KEPT or verdict.level == "rlimit" or verdict.detail == KILLED:
            return
        told = {"status": verdict.status, "detail": verdict.detail, "level": verdict.level}
        body = json.dumps({**told, "seconds": verdict.seconds, "cpu": verdict.cpu}, ensure_ascii=True)
        try:
            with self._lock:
                self._db.execute("INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?)", (key, body, _checksum(key, body)))
        except sqlite3.Error as error:
            remedy = "free disk space and run again"
            raise CacheError(f"cannot write the verdicts: {error}", where=str(self.path), remedy=remedy) from error

    def close(self) -> None:
        with self._lock:
            self._db.close()


def _checksum(key: str, body: str) -> bytes:
    return hashlib.sha256(f"{key}:{body}".encode()).digest()[:16]


def _from_json(body: str) -> Verdict | None:
    told = json.loads(body)
    return Verdict(**told, cached=True) if told["status"] in EVERY_STATUS else None
