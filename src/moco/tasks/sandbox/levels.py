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
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from moco.core.errors import SandboxError
from moco.tasks.sandbox import environment
from moco.tasks.sandbox.program import Level

STRONG: tuple[Level, ...] = ("bwrap", "userns", "landlock")
"""Tried in this order."""
EVERY: tuple[Level, ...] = (*STRONG, "rlimit", "container")
SCRATCH_BYTES = 32 << 20
IMAGE = f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"
"""The container image, unless one is named."""
ENGINE_SECONDS = 20.0
"""How long a container engine may take to say whether it has an image."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A command line, and the folder on this machine that it uses as scratch (None: one of its own)."""

    argv: list[str]
    scratch: Path | None


def unavailable(level: Level, image: str = "") -> str:
    """Why ``level`` cannot be tried on this machine, or '' where only trying can tell. ``image`` is the container's."""
    if level != "container" and not sys.platform.startswith("linux"):
        return f"needs Linux, this is {sys.platform}"
    if level == "bwrap" and shutil.which("bwrap") is None:
        return "bubblewrap is not installed (Debian, Ubuntu: apt install bubblewrap; Fedora: dnf install bubblewrap)"
    if level == "container":
        return _container_fault(image or IMAGE)
    return ""


def launch(level: Level, home: Path, *, image: str = "") -> Launch:
    """How to start a server at ``level``; ``home`` is an empty folder of its own. Raises SandboxError."""
    why = unavailable(level, image)
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
        "listable": environment.listable(),
        "uid": None,
        **given,
    }
    return json.dumps({"crowd": crowd(level, told["uid"]), **told})


def crowd(level: Level, uid: int | None) -> Literal["own", "shared", "watched", "no"]:
    """What bounds the threads and processes of a program at ``level`` that runs as ``uid`` (None: as we do).

    RLIMIT_NPROC, which counts a user's threads in a user namespace of its own ("own", from Linux 5.14) or on the whole machine
    ("shared"). It does not bind root, in whatever namespace: there the nursery counts ("watched"). A container counts too ("no").
    """
    if level == "container":
        return "no"
    root = uid is None and getattr(os, "getuid", lambda: 1)() == 0
    if level in ("bwrap", "userns"):
        return "own" if not root and _linux() >= (5, 14) else "watched"
    return "watched" if root else "shared"


def _linux() -> tuple[int, ...]:
    """The kernel's version, its first two numbers."""
    return tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))


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


def _container_fault(image: str) -> str:
    """Why no container can be started from ``image``: no engine, an engine that does not answer, an image that is not here."""
    engine = _engine()
    if engine is None:
        return "neither podman nor docker is installed"
    name = os.path.basename(engine)
    try:
        asked = subprocess.run(
            [engine, "image", "inspect", "--format", "{{.Id}}", image],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ENGINE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{name} does not answer within {ENGINE_SECONDS:.0f} s"
    except OSError as error:
        return f"{name} does not start: {error}"
    if asked.returncode == 0:
        return ""
    said = (asked.stderr.strip().splitlines() or ["it does not say why"])[-1]
    if "no such" in said.lower() or "not known" in said.lower():
        return f"the image {image} is not here ({name} pull {image})"
    return f"{name} refuses: {said}"


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
    argv = [
        str(_engine()),
        "run",
        "--rm",
        "--interactive",
        "--pull",
        "never",
        "--network",
        "none",
        "--read-only",
        "--cap-drop",
        "ALL",
    ]
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


def refusal_of(level: Level, why: str) -> SandboxError:
    """The level that was asked for does not work here; no other one is taken in its place."""
    return SandboxError(
        f"the sandbox level '{level}' was asked for and does not work here",
        why=why,
        remedy="repair that, or name no level (MOCO_SANDBOX): then the strongest that works is taken; moco doctor shows which",
    )


def weak_refusal() -> SandboxError:
    """Resource limits alone were asked for, which has to be allowed apart."""
    return SandboxError(
        "the sandbox level 'rlimit' was asked for and not allowed",
        why="it stops no reading, writing or connecting",
        remedy="for code that you trust: --allow-weak-sandbox, or MOCO_ALLOW_WEAK_SANDBOX=1",
    )
