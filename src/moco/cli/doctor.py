"""``moco doctor``: what is installed, on what machine, and whether the cache can be written."""

from __future__ import annotations

from typing import Any

import typer

from moco.cli.output import as_json, console, next_steps

DISTRIBUTION = "mocolab"
NOT_FOR_USERS = ("all", "dev", "docs")
"""Extras that are the others together, or for who works on moco itself."""


def doctor(json: bool = typer.Option(False, "--json", help="For programs.")) -> None:
    """Versions, devices, extras, cache and sandbox of this installation.

    Example:  moco doctor
    """
    about = examine()
    if json:
        as_json(about)
        return
    shown = console()

    def say(text: str, good: bool = True) -> None:
        shown.print(f"{'ok  ' if good else 'miss'}  {text}", markup=False, style=None if good else "yellow")

    say(f"moco {about['moco']}, Python {about['python']}, {about['platform']}, {about['cpus']} CPUs")
    say("core: " + ", ".join(f"{k} {v or 'missing'}" for k, v in about["core"].items()), all(about["core"].values()))
    for name, extra in about["extras"].items():
        versions = ", ".join(f"{k} {v or 'missing'}" for k, v in extra["packages"].items())
        say(f"extra {name}: {versions}" + ("" if extra["complete"] else f"; install with: {extra['install']}"), extra["complete"])
    say(f"devices: {', '.join(about['devices']) or 'none known without torch'}", bool(about["devices"]))
    cache = about["cache"]
    say(
        f"cache: {cache['path']}, {'writable' if cache['writable'] else 'NOT writable; set MOCO_HOME or give --store'}",
        cache["writable"],
    )
    weights = about["playground"]
    say(f"playground weights: {', '.join(weights) or 'none'}", bool(weights))
    sandbox = about["sandbox"]
    say(f"sandbox for generated code: {sandbox['level'] or sandbox['remedy']}", bool(sandbox["level"]))
    for level, why in sandbox["missing"].items():
        say(f"sandbox level {level}: {why}", False)
    next_steps("moco demo" if about["extras"]["local"]["complete"] else about["extras"]["local"]["install"])


def examine() -> dict[str, Any]:
    """The findings, as JSON values; imports torch only to ask for devices, and only where it is installed."""
    import os
    import platform

    from moco._version import __version__
    from moco.models.store import default_home

    home, wanted = default_home(), needed()
    extras = {}
    for name, packages in wanted.items():
        found = {p: _version(p) for p in packages}
        if name:
            extras[name] = {"packages": found, "complete": all(found.values()), "install": f'pip install "mocolab[{name}]"'}
    return {
        "moco": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "core": {p: _version(p) for p in wanted[""]},
        "extras": extras,
        "devices": _devices() if _version("torch") else [],
        "cache": {"path": str(home / "cache.sqlite"), "exists": (home / "cache.sqlite").exists(), "writable": _writable(home)},
        "playground": _weights(),
        "sandbox": _sandbox(),
    }


def needed() -> dict[str, list[str]]:
    """The packages of each extra, under "" those of the core, as the installed distribution declares them."""
    import re
    from importlib import metadata

    found: dict[str, list[str]] = {"": []}
    extras = metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or []
    found |= {name: [] for name in extras if name not in NOT_FOR_USERS}
    for line in metadata.requires(DISTRIBUTION) or []:
        package = re.match(r"[\w.-]+", line)
        extra = re.search(r"""extra\s*==\s*['"]([\w-]+)""", line)
        if package and (name := extra[1] if extra else "") in found:
            found[name].append(package[0])
    return found


def _version(package: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _devices() -> list[str]:
    import torch

    found = ["cpu"]
    if torch.cuda.is_available():
        found += [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps")
    return found


def _sandbox() -> dict[str, Any]:
    """The level that generated code runs at here, MOCO_SANDBOX included, and why the better ones are not there.

    Each is really tried.
    """
    from moco.core.errors import MocoError
    from moco.tasks.sandbox import STRONG, default_sandbox, finding

    level, remedy = None, ""
    try:
        level = default_sandbox().level
    except MocoError as error:
        remedy = f"none: {error}"
    missing = {}
    for one in STRONG:
        if one == level or finding(one).holds:
            break
        missing[one] = finding(one).why
    return {"level": level, "missing": missing, "remedy": remedy}


def _writable(home: Any) -> bool:
    """Whether the cache folder, or the nearest existing folder above it, can be written."""
    import os

    here = home
    while not here.exists() and here != here.parent:
        here = here.parent
    return here.is_dir() and os.access(here, os.W_OK | os.X_OK)


def _weights() -> list[str]:
    from moco.core.errors import ConfigError
    from moco.playground import MEMBERS, model_path

    found = []
    for name in MEMBERS:
        try:
            model_path(name)
        except ConfigError:
            continue
        found.append(name)
    return found
