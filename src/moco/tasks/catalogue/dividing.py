"""The split protocol: official splits are kept; where there is none, dev is where sha256(id) mod 100 < 20.

Invariant: records of one group, and records that ask the same (question, context and options, after normalising), never
stand on both sides. Where official splits share a question it leaves dev, so that the official test set stays whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from moco.tasks.catalogue.entry import Side
from moco.tasks.catalogue.making import Made, sha_mod

DEV_PERCENT = 20


def asked(made: Made) -> str:
    """What identifies a question: its text, context and options without case and spacing."""
    fields = made.fields
    options = sorted(str(text) for text in (fields.get("choices") or {}).values())
    parts = [fields.get("question", ""), fields.get("context") or "", *options]
    return "\x1f".join(" ".join(str(part).casefold().split()) for part in parts)


def units(rows: Sequence[Made]) -> list[list[Made]]:
    """Rows that belong together (same group, or same question), in the order of their first member."""
    parent = list(range(len(rows)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[tuple[str, str], int] = {}
    for i, made in enumerate(rows):
        keys = [("asked", asked(made))]
        if made.fields.get("group") is not None:
            keys.append(("group", str(made.fields["group"])))
        for key in keys:
            j = first.setdefault(key, i)
            a, b = root(i), root(j)
            parent[max(a, b)] = min(a, b)
    out: dict[int, list[Made]] = {}
    for i, made in enumerate(rows):
        out.setdefault(root(i), []).append(made)
    return list(out.values())


def divide(rows: list[Made], task: str, *, arranged: bool = False) -> tuple[list[Made], list[Made], list[str]]:
    """dev, test and notes. Rows whose side is "" are divided by hash; rows with an official side keep it.

    ``arranged`` says that the sides were set by the entry, which tells so itself.
    """
    notes: list[str] = []
    official = False
    carved = 0
    repeated: list[str] = []
    gone: set[int] = set()
    for unit in units([made for made in rows if made.side in ("dev", "test", "")]):
        official |= any(made.side for made in unit)
        settled = _side_of(unit, task)
        for made in unit:
            if made.side == "":
                made.side = settled
                carved += 1
            elif made.side != settled:
                repeated.append(f"{made.split}/{made.key}")
                gone.add(id(made))
    if carved:
        rule = f"dev is where sha256(id) mod 100 < {DEV_PERCENT}, by question and group"
        notes.append(f"divided {carved} records that have no official split: {rule}")
    if repeated:
        ids = ", ".join(repeated[:40]) + (", ..." if len(repeated) > 40 else "")
        notes.append(f"dropped {len(repeated)} from dev: the same question or group is in test ({ids})")
    if official and not carved and not arranged:
        notes.append("official splits kept")
    dev, test = ([m for m in rows if m.side == side and id(m) not in gone] for side in ("dev", "test"))
    return dev, test, notes


def _side_of(unit: Sequence[Made], task: str) -> Side:
    """Where all of a unit goes: test if any of it is officially there, else dev if any is, else by hash."""
    sides = {made.side for made in unit}
    if "test" in sides:
        return "test"
    if "dev" in sides:
        return "dev"
    return "dev" if sha_mod(min(f"{task}/{made.split}/{made.key}" for made in unit)) < DEV_PERCENT else "test"


def overlap(rows: list[Made]) -> list[str]:
    """Keys of dev rows whose question is also in test; for splits that are kept as they are."""
    found = []
    for unit in units(rows):
        if {m.side for m in unit} >= {"dev", "test"}:
            found += [f"{m.split}/{m.key}" for m in unit if m.side == "dev"]
    return found


def lowest(rows: list[Made], count: int, task: str) -> list[Made]:
    """The ``count`` rows with the lowest sha256(id), in their old order."""
    if len(rows) <= count:
        return rows
    ranked = sorted(rows, key=lambda made: sha_mod(f"{task}/{made.split}/{made.key}", 1 << 256))
    kept = {id(made) for made in ranked[:count]}
    return [made for made in rows if id(made) in kept]
