"""What is judged, under which limits, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from moco.core.seeds import digest

Status = Literal["passed", "failed", "timeout", "crashed", "no verdict", "syntax", "refused"]
Level = Literal["bwrap", "userns", "landlock", "rlimit", "container"]
EVERY_STATUS: tuple[Status, ...] = get_args(Status)
RULES = 3
"""Version of the judging rules; part of every cache key, raised when a change may change a verdict."""
LONGEST_TEXT = 1 << 20
"""Characters of a solution or of tests; longer ones are refused."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use. ``seconds`` is wall clock; memory is address space, per process."""

    seconds: float = 4.0
    memory_mb: int = 1024
    file_mb: int = 8
    files: int = 128

    @classmethod
    def for_reference(cls, seconds: float) -> Limits:
        """Four times what the reference solution took, at least 4 s (the rule of evalplus)."""
        return cls(seconds=max(4.0, 4.0 * seconds))

    def as_resources(self) -> dict[str, int]:
        """By the names of the standard library's ``resource``."""
        return {
            "CPU": math.ceil(self.seconds) + 1,
            "AS": self.memory_mb << 20,
            "FSIZE": self.file_mb << 20,
            "NOFILE": self.files,
            "CORE": 0,
        }


@dataclass(frozen=True, slots=True)
class Program:
    """A solution, its tests and how they meet.

    ``apart`` (the default) is the two-process mode: the tests run in a process of their own and exchange plain values with the
    solution. It is the only mode that a hostile solution cannot forge. ``apart=False`` runs both in one interpreter, as is
    customary elsewhere, and cannot promise that a pass is one: a solution that looks for the harness can write itself a verdict.
    """

    solution: str
    tests: str
    entry_point: str = ""
    limits: Limits = field(default_factory=Limits)
    apart: bool = True

    def key(self, environment: Mapping[str, Any]) -> str:
        """Hash of everything a verdict depends on; ``environment`` names the level and the versions there."""
        told = (self.solution, self.tests, self.entry_point, self.apart)
        return digest("verdict", RULES, *told, asdict(self.limits), dict(environment))


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a program fared, where, and for how long (wall clock and processor). ``passed`` is true for 'passed' only."""

    status: Status
    detail: str = ""
    level: Level | Literal[""] = ""
    seconds: float = 0.0
    cpu: float = 0.0
    cached: bool = False

    @property
    def passed(self) -> bool:
        return self.status == "passed"
