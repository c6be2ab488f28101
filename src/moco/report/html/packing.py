"""The answers and transcripts of a run, packed for the page: every text and every call is stored once and referred to by number.

Transcripts are kept for every item while they fit `BUDGET` bytes; where they do not, for the same evenly spaced items in
every cell of a task (`CAPS`, the largest that fits). The page says how many of how many items are kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from moco.report.html.evidence import Evidence
from moco.report.html.texts import safe, safe_deep, spaced
from moco.study import RunData
from moco.study.cell import read_lines

BUDGET = 2_300_000
CAPS = (100_000, 10_000, 1000, 500, 200, 100, 50, 25, 10, 5, 2, 1)
"""Most items per task whose texts are kept; tried in this order."""
UNPARSED, TRUNCATED, FAILED, EMERGENT = 1, 2, 4, 8


class OverBudget(Exception):
    """The transcripts do not fit with this cap."""


@dataclass
class Packed:
    """The data island's heavy part. ``strings`` and ``calls`` are referred to by index; -1 is none."""

    budget: int = BUDGET
    strings: dict[str, int] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    size: int = 0
    known: dict[str, int] = field(default_factory=dict)
    """Texts as they came: most come many times, and cleaning costs more than looking up."""

    def text(self, value: Any) -> int:
        """The number of ``value``'s safe form; -1 for None."""
        if value is None:
            return -1
        raw = str(value)
        if raw not in self.known:
            key = safe(raw)
            if key not in self.strings:
                self._grow(len(json.dumps(key, ensure_ascii=False).encode()) + 1)
                self.strings[key] = len(self.strings)
            self.known[raw] = self.strings[key]
        return self.known[raw]

    def call(self, call: Mapping[str, Any]) -> int:
        tag, usage = call["tag"], call["usage"]
        row = [
            self.text(call["id"]),
            self.text(call["member"]),
            self.text(tag["agent"] or call["member"]),
            self.text(tag["stage"]),
            tag["round"],
            self.text(call["prompt"]),
            self.text(call["text"]),
            self.text(call["key"]),
            self.text(call["finish"]),
            usage["prompt_tokens"],
            usage["completion_tokens"],
            [self.text(seen) for seen in tag["sees"]],
            self.text(call["content"] or None),
            self.call_list(call["calls"]),
        ]
        key = json.dumps(row, separators=(",", ":"))
        if key not in self.calls:
            self._grow(len(key) + 1)
            self.calls[key] = len(self.calls)
        return self.calls[key]

    def call_list(self, calls: Iterable[Mapping[str, Any]]) -> list[int]:
        return [self.call(c) for c in calls]

    def item(self, place: int, outcome: Mapping[str, Any], calls: Sequence[Mapping[str, Any]], emergent: bool) -> list[Any]:
        usage = outcome["usage"]
        row = [
            place,
            outcome["score"] if outcome["score"] is None else round(outcome["score"], 4),
            flags(outcome) | (EMERGENT if emergent else 0),
            self.text(outcome["text"]),
            self.text(outcome["extracted"]),
            self.text(outcome["rule"] or None),
            self.text(outcome["finish"]),
            [usage["prompt_tokens"], usage["completion_tokens"], usage["calls"]],
            self.text(outcome["source"]),
            None if outcome["confidence"] is None else round(outcome["confidence"], 4),
            self.text(json.dumps(safe_deep(outcome["reason"]), ensure_ascii=False)),
            self.text(outcome["failed"] or None),
            self.call_list(calls),
        ]
        self._grow(len(json.dumps(row, separators=(",", ":"))) + 1)
        return row

    def _grow(self, size: int) -> None:
        self.size += size
        if self.size > self.budget:
            raise OverBudget


def flags(outcome: Mapping[str, Any]) -> int:
    """What a reader must know about an answer besides its score."""
    if outcome["failed"]:
        return FAILED
    return (0 if outcome["parsed"] else UNPARSED) | (TRUNCATED if outcome["finish"] == "length" else 0)


def pack(run: RunData, evidence: Evidence, budget: int = BUDGET) -> dict[str, Any]:
    """Strings, calls, items and the answers of every cell; as many items as fit ``budget`` bytes, perhaps none.

    ``items[task]`` holds [id, question, gold]; ``cells`` (in the order of results.json) hold one row per kept item: its
    place in ``items``, score, flags, text, extracted, rule, finish, [prompt tokens, completion tokens, calls], source,
    confidence, reason (JSON), failure, calls. Texts and calls are indices into ``strings`` and ``calls``, -1 for none.
    """
    most = max(map(len, evidence.items.values()), default=0)
    for cap in [most, *(cap for cap in CAPS if cap < most)]:  # all first; a larger cap would only fail the same way again
        try:
            return _pack(run, evidence, cap, Packed(budget))
        except OverBudget:
            continue
    return {"strings": [], "calls": [], "items": {t: [] for t in evidence.items}, "cells": [[] for _ in evidence.cells]}


def _pack(run: RunData, evidence: Evidence, cap: int, packed: Packed) -> dict[str, Any]:
    kept = {task: [ids[i] for i in spaced(ids, cap)] for task, ids in evidence.items.items()}
    asked: dict[tuple[str, str], str] = {}
    cells = []
    for cell in evidence.cells:
        wanted = {item: place for place, item in enumerate(kept[cell.task]) if item in cell.outcomes}
        calls = {t["id"]: t["calls"] for t in read_lines(run.cell(cell.id).transcripts) if t["id"] in wanted}
        for item in calls.keys() if cell.about["role"] == "member" else ():
            if calls[item]:
                asked.setdefault((cell.task, item), calls[item][0]["prompt"])
        cells.append(
            [
                packed.item(place, cell.outcomes[item], calls.get(item, []), evidence.emergent(cell, item))
                for item, place in wanted.items()
            ]
        )
    items = {}
    for task, ids in kept.items():
        known = run.items.get(task, {})
        items[task] = [
            [
                safe(item),
                packed.text(known[item]["question"] if item in known else asked.get((task, item))),
                packed.text(_gold(known[item]["gold"]) if item in known else None),
            ]
            for item in ids
        ]
    return {"strings": list(packed.strings), "calls": [json.loads(key) for key in packed.calls], "items": items, "cells": cells}


def _gold(gold: str | Sequence[str]) -> str:
    return gold if isinstance(gold, str) else " | ".join(gold)
