"""A folder that holds a run already: what is another since then, what going on would leave behind, and how far the run got.

Invariant: reads the folder, changes nothing in it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from moco.core.errors import ConfigError
from moco.study.cell import CellFolder

MOST = 6
"""Differences and cells that a message names; more are counted."""
Manifest = Mapping[str, Any]


def earlier(out: Path) -> Manifest | None:
    """The manifest of the run in ``out``; None where there is none that can be read."""
    try:
        found = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and "config" in found else None


def differences(before: Manifest, now: Manifest) -> list[str]:
    """What of the study, its data and its models is another, in words; nothing for what belongs to the machine."""
    said = list(_differ("", before["config"], now["config"]))
    for key, noun in (("prompts", "the prompt of"), ("tasks", "the data of")):
        old, new = before.get(key, {}), now.get(key, {})
        said += [f"{noun} {name}" for name in new if name in old and _mark(old[name]) != _mark(new[name])]
    plain = {m["name"] for m in now["config"]["pool"] if m.get("model")}  # a collaboration's mark has moco's own code in it
    old, new = before.get("members", {}), now.get("members", {})
    said += [f"the model of {name}" for name in new if name in old and name in plain and _mark(old[name]) != _mark(new[name])]
    return said


def left_behind(out: Path, cells: Collection[str]) -> list[str]:
    """Finished cells of members and methods in ``out`` that are not among ``cells``, by id."""
    found = []
    for summary in sorted(out.glob("cells/*/summary.json")):
        try:
            role = json.loads(summary.read_text(encoding="utf-8"))["role"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if role != "equal_tokens" and summary.parent.name not in cells:
            found.append(summary.parent.name)
    return found


def check_same(out: Path, now: Manifest, cells: Collection[str], changed: bool) -> list[str]:
    """What is to be told before a run of ``now`` goes on in ``out``; the first line where the study is another one.

    Raises ConfigError where that leaves finished cells behind and ``changed`` does not allow it.
    """
    before = earlier(out)
    if before is None:
        return []
    what, lost = differences(before, now), left_behind(out, cells)
    if what and lost and not changed:
        raise ConfigError(
            "the folder holds a run of another study",
            where=str(out),
            why=f"since then: {named(what)}; {len(lost)} finished cells would not count any more",
            remedy="name another folder with -o, or add --changed (in Python changed=True) to replace its results",
        )
    told = [f"changed since the last run in this folder: {named(what)}"] if what else []
    if lost:
        cause = "" if what else ", the code of a method or of moco is another"
        told.append(f"{len(lost)} finished cells of this folder do not belong to this run{cause}: {named(lost)}")
    return told


def named(things: Sequence[str]) -> str:
    more = f" and {len(things) - MOST} more" if len(things) > MOST else ""
    return ", ".join(things[:MOST]) + more


def reached(out: Path, manifest: Manifest) -> tuple[int, int]:
    """How many cells of the run in ``out`` are finished, and how many it was known to have when it began."""
    cells = manifest.get("cells", [])
    return sum(CellFolder(out, cell).finished for cell in cells), len(cells)


def how_to_continue(manifest: Manifest) -> str:
    """The command that goes on with a run, as a remedy."""
    command = manifest.get("command") or []
    if command[:1] == ["moco"]:
        return f"continue with: {shlex.join(command)}"
    return "run the study again into this folder: it continues"


def _mark(entry: Any) -> Any:
    return entry.get("fingerprint") if isinstance(entry, Mapping) else entry


def _differ(at: str, old: Any, new: Any) -> Iterator[str]:
    """Every key whose value is another; entries of lists go by their name."""
    one, other = _by_name(old), _by_name(new)
    if one is None or other is None:
        if old != new:
            yield f"{at}: {_short(old)} is now {_short(new)}"
        return
    for key in [*one, *(k for k in other if k not in one)]:
        place = f"{at}.{key}" if at else str(key)
        if key not in other:
            yield f"{place} is gone"
        elif key not in one:
            yield f"{place} is new"
        else:
            yield from _differ(place, one[key], other[key])
    if list(one) != list(other) and set(one) == set(other) and isinstance(old, list):
        yield f"{at}: the order"


def _by_name(value: Any) -> dict[str, Any] | None:
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and value and all(isinstance(v, dict) and (v.get("label") or v.get("name")) for v in value):
        return {v.get("label") or v["name"]: v for v in value}
    return None


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:37] + "..."


__all__ = ["check_same", "differences", "earlier", "how_to_continue", "left_behind", "named", "reached"]
