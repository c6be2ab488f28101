"""The error tree: each leaf is a different recovery, and each message says what, where, why and the remedy.

MocoError
├── ConfigError       fix the study, the option or the command
├── DataError         fix the data file
├── PoolError         choose other members (capability, vocabulary, architecture)
├── BackendError
│   ├── Transient     try again
│   ├── RateLimited   try again later
│   ├── ContextOverflow  ask something shorter
│   └── Fatal         do not try again
├── CacheError        repair or remove the store
├── SandboxError      repair the sandbox
└── MethodError       repair the method
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MocoError(Exception):
    """Root of everything moco raises on purpose.

    ``what`` went wrong, ``where`` (file, line, key), ``why`` it matters, and the ``remedy``.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", why: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.why, self.remedy = what, where, why, remedy

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.why:
            parts.append(f"because {self.why}")
        if self.remedy:
            parts.append(f"remedy: {self.remedy}")
        return "; ".join(parts)


class ConfigError(MocoError):
    """A study, an option or a command is wrong."""


class DataError(MocoError):
    """A data file is wrong; ``where`` names file and line."""


class PoolError(MocoError):
    """The members do not fit the method: capability, vocabulary or architecture."""


class BackendError(MocoError):
    """A model could not answer."""

    exit_code = 1


class Transient(BackendError):
    """The same request may succeed when repeated."""


class RateLimited(BackendError):
    """Repeat later; ``retry_after`` is in seconds, None if the server did not say."""

    def __init__(self, what: str, *, retry_after: float | None = None, where: str = "", why: str = "", remedy: str = "") -> None:
        super().__init__(what, where=where, why=why, remedy=remedy)
        self.retry_after = retry_after


class ContextOverflow(BackendError):
    """Prompt and answer do not fit the model's context; nothing was cut."""


class Fatal(BackendError):
    """Repeating is pointless."""


class CacheError(MocoError):
    """The store cannot be opened, read or written: a matter of the disk and its rights."""


class NotStored(CacheError):
    """Only what the store has may be used, and it has not this."""


class SandboxError(MocoError):
    """Generated code cannot be run safely here."""


class MethodError(MocoError):
    """A method broke its contract: whoever wrote it repairs it."""


def in_a_line(error: BaseException) -> str:
    """Kind and first line of an exception that is none of ours, for a message."""
    said = str(error).strip().splitlines()
    return f"{type(error).__name__}: {said[0] if said else '(no message)'}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A remedy for an unknown ``name``: the nearest known one, or the list of them."""
    choices = sorted(known)
    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    return "known: " + ", ".join(choices) if choices else "there are none"
