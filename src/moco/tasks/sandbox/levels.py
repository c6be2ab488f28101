"""The levels of the sandbox, strongest first: how each is started and why it may not be there.

``bwrap``     bubblewrap: own namespaces and a file system that holds nothing but the interpreter
``userns``    own namespaces by system calls, files by Landlock
``landlock``  no namespaces: files by Landlock
``rlimit``    resource limits only: a judged program can read, write and connect; only on explicit demand
``container`` Docker or Podman, only on explicit demand

On every level but ``rlimit`` a judged program is also under the seccomp filter of ``inside.filters``.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moco.core.errors import SandboxError
from moco.tasks.sandbox import environment
from moco.tasks.sandbox.program import Level

STRONG: tuple[Level, ...] = ("bwrap", "userns", "landlock")
"""Tried in this order."""
EVERY: tuple[Level, ...] = (*STRONG, "rlimit", "container")
SCRATCH_BYTES = 32 << 20
IMAGE = f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"
"""The container image, unless one is named."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A command line, and the folder on this machine that it uses as scratch (None: one of its own)."""

    argv: list[str]
    scratch: Path | None


def unavailable(level: Level) -> str:
    """Why ``level`` cannot be tried on this machine, or '' where only trying can tell."""
    if level in STRONG and not sys.platform.startswith("linux"):
        return f"needs Linux, this is {sys.platform}"
    if level == "rlimit" and sys.platform == "win32":
        return "needs a POSIX system"
    if level == "bwrap" and shutil.which("bwrap") is None:
        return "bubblewrap is not installed (Debian, Ubuntu: apt install bubblewrap; Fedora: dnf install bubblewrap)"
    if level == "container" and _engine() is None:
        return "neither docker nor podman is installed"
    return ""


def launch(level: Level, home: Path, *, image: str = "") -> Launch:
    """How to start a server at ``level``; ``home`` is an empty folder of its own. Raises SandboxError."""
    why = unavailable(level)
    if why:
        raise SandboxError(f"the sandbox level '{level}' is not available", why=why, remedy="moco doctor shows what is")
    if level == "bwrap":
        return Launch(_bwrap(), None)
    if level == "container":
        return Launch(_container(image or IMAGE), None)
    scratch, packages = home / "scratch", home / "packages"
    for folder in (scratch, packages):
        folder.mkdir()
    for folder in environment.numpy_folders():
        (packages / folder.name).symlink_to(folder)
    uid = environment.NOBODY if _may_become_nobody(level) else None
    if uid is not None:
        for folder in (home, scratch, packages):
            folder.chmod(0o755)
    settings = _settings(
        level,
        scratch=str(scratch),
        root=str(environment.INSIDE.parent),
        packages=[str(packages)],
        readable=[*environment.readable(), str(packages)],
        uid=uid,
    )
    return Launch(environment.command(environment.interpreter(), str(environment.INSIDE.parent), settings), scratch)


def _may_become_nobody(level: Level) -> bool:
    """Root drops to an unprivileged user where that user can still read the interpreter, and outside user namespaces."""
    getuid = getattr(os, "getuid", lambda: 1)
    if level == "userns" or getuid() != 0:
        return False
    needed = [Path(environment.interpreter()), *environment.numpy_folders()]
    return all(environment.reachable_by_others(path) for path in needed)


def _settings(level: Level, **given: Any) -> str:
    """What the server is told; see ``inside.server``."""
    must = {"bwrap": ("may", "must"), "userns": ("must", "must"), "landlock": ("must", "must"), "rlimit": ("no", "no")}
    landlock, filtered = must.get(level, ("may", "may"))
    told: dict[str, Any] = {
        "namespaces": level == "userns",
        "landlock": landlock,
        "filter": filtered,
        "scratch_bytes": SCRATCH_BYTES,
        "scratch_bounded": level in ("bwrap", "userns", "container"),
        "crowd": level == "rlimit",
        "listable": environment.listable(),
        "uid": None,
    }
    return json.dumps({**told, **given})


def _bwrap() -> list[str]:
    python, prefix = environment.interpreter(), os.path.realpath(sys.base_prefix)
    argv = ["bwrap", "--unshare-all", "--unshare-user", "--disable-userns", "--cap-drop", "ALL", "--hostname", "sandbox"]
    argv += ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "lib", "lib64"):
        path = Path("/", name)
        if path.is_symlink():
            argv += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            argv += ["--ro-bind", str(path), str(path)]
    for extra in ("/etc/ld.so.cache", "/nix/store"):
        argv += ["--ro-bind-try", extra, extra]
    argv += ["--proc", "/proc", "--dev", "/dev", "--size", str(SCRATCH_BYTES), "--tmpfs", "/tmp"]
    if not prefix.startswith("/usr/"):  # after /tmp, where it may lie
        argv += ["--ro-bind", prefix, prefix]
    argv += ["--ro-bind", str(environment.INSIDE), "/sandbox/inside"]
    for folder in environment.numpy_folders():
        argv += ["--ro-bind", str(folder), f"/packages/{folder.name}"]
    settings = _settings(
        "bwrap",
        scratch="/tmp/scratch",
        root="/sandbox",
        packages=["/packages"],
        readable=["/usr", "/lib", "/lib64", "/nix/store", "/etc/ld.so.cache", prefix, "/packages", "/dev"],
    )
    variables = [word for name, value in environment.VARIABLES.items() for word in ("--setenv", name, value)]
    return [*argv, "--chdir", "/tmp", "--clearenv", *variables, *environment.command(python, "/sandbox", settings)]


def _engine() -> str | None:
    return shutil.which("podman") or shutil.which("docker")


def _container(image: str) -> list[str]:
    """The image's own Python and packages; no network, nothing writable but a bounded scratch."""
    settings = _settings(
        "container",
        scratch="/tmp/scratch",
        root="/sandbox",
        packages=[],
        readable=["/usr", "/lib", "/lib64", "/opt", "/etc/ld.so.cache", "/dev"],
        listable=["/usr"],
    )
    argv = [str(_engine()), "run", "--rm", "--interactive", "--network", "none", "--read-only", "--cap-drop", "ALL"]
    argv += ["--security-opt", "no-new-privileges", "--pids-limit", "64", "--memory", "4g", "--user", "65534:65534"]
    argv += ["--tmpfs", f"/tmp:rw,nosuid,nodev,size={SCRATCH_BYTES}", "--workdir", "/tmp"]
    argv += ["--volume", f"{environment.INSIDE}:/sandbox/inside:ro"]
    for name, value in environment.VARIABLES.items():
        if name != "PATH":
            argv += ["--env", f"{name}={value}"]
    return [*argv, image, *environment.command("python3", "/sandbox", settings, site=True)]


def refusal(reasons: Sequence[tuple[Level, str]]) -> SandboxError:
    """No level is strong enough: what is missing, and what can be done about it."""
    return SandboxError(
        "there is no sandbox here that generated code may run in",
        why="; ".join(f"{level}: {why}" for level, why in reasons),
        remedy=(
            "install bubblewrap (Linux), name a container engine's level (MOCO_SANDBOX=container), or, for code that you trust, "
            "allow resource limits only (MOCO_ALLOW_WEAK_SANDBOX=1, --allow-weak-sandbox)"
        ),
    )
