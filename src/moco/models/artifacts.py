"""The artifact store: folders that training and merging make, each under the hash of what it was made from.

Invariant: an artifact is whole or absent (written in a hidden folder, then renamed), never changed afterwards, and its id names
its inputs, so whoever makes it again finds it made. Of two writers the second loses silently.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from moco.core.errors import CacheError
from moco.core.seeds import digest
from moco.models.store import default_home

_ID = re.compile(r"[A-Za-z0-9_-]+-[0-9a-f]{20}")


@dataclass(frozen=True)
class Artifact:
    """An entry of the store; ``bytes`` is the size of its files."""

    id: str
    path: Path
    bytes: int


class Artifacts:
    """The artifacts under ``root`` (default: ``artifacts`` in the home folder, beside the cache)."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root if root is not None else default_home() / "artifacts"

    @staticmethod
    def id_of(name: str, inputs_hash: str) -> str:
        """The id of what ``name`` makes from inputs of that hash: ``name`` made safe, and 20 hex digits."""
        return f"{re.sub(r'[^A-Za-z0-9_-]+', '-', name).strip('-') or 'artifact'}-{digest('artifact', name, inputs_hash)[:20]}"

    def put(self, name: str, write: Callable[[Path], None], inputs_hash: str) -> str:
        """The id of the artifact; where it is not there yet, ``write(folder)`` fills a new folder that becomes it.

        Raises CacheError where the store cannot be written; what ``write`` raises passes, and leaves nothing behind.
        """
        identity = self.id_of(name, inputs_hash)
        final = self.root / identity
        if final.is_dir():
            return identity
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=".making-", dir=self.root))
        except OSError as error:
            raise self._cannot("be written", error) from error
        try:
            write(folder)
            try:
                folder.chmod(0o755)
                os.rename(folder, final)  # fails where a non-empty folder is: somebody was faster
            except OSError as error:
                if not final.is_dir():
                    raise self._cannot("be written", error) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return identity

    def path(self, identity: str) -> Path:
        """The folder of an artifact; raises CacheError if there is none of that id."""
        folder = self.root / identity
        if not _ID.fullmatch(identity) or not folder.is_dir():
            raise CacheError(f"there is no artifact '{identity}'", where=str(self.root), remedy="fit again, which makes it")
        return folder

    def __contains__(self, identity: str) -> bool:
        return bool(_ID.fullmatch(identity)) and (self.root / identity).is_dir()

    def list(self) -> list[Artifact]:
        """All artifacts, by id."""
        if not self.root.is_dir():
            return []
        try:
            found = sorted(p for p in self.root.iterdir() if p.is_dir() and _ID.fullmatch(p.name))
            return [Artifact(p.name, p, sum(f.stat().st_size for f in p.rglob("*") if f.is_file())) for p in found]
        except OSError as error:
            raise self._cannot("be read", error) from error

    @property
    def bytes(self) -> int:
        """The size of all artifacts."""
        return sum(a.bytes for a in self.list())

    def _cannot(self, what: str, error: OSError) -> CacheError:
        remedy = "check the disk, or set MOCO_HOME"
        return CacheError(f"the artifacts cannot {what}: {error}", where=str(self.root), remedy=remedy)
