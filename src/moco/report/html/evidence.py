"""What a run's answers say item by item: who was right, who failed, what only the collaboration got right.

Invariant: every answer of every cell is read, failed ones included; texts stay in the files until they are packed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from moco.study import RunData
from moco.study.cell import read_lines

SOLVED = 0.5
"""From this score on an item counts as solved."""
Pairing = tuple[str, int]
"""Task and seed: what makes two cells comparable answer by answer."""


@dataclass
class CellEvidence:
    """One cell: its entry in results.json, its summary.json and the outcome of each item, failed ones included."""

    about: Mapping[str, Any]
    outcomes: dict[str, dict[str, Any]]
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return str(self.about["id"])

    @property
    def task(self) -> str:
        return str(self.about["task"])

    @property
    def pairing(self) -> Pairing:
        return self.task, int(self.about["seed"])

    @property
    def collaborates(self) -> bool:
        return bool(self.about["role"] == "method" and self.about["level"] != "baseline")

    def score(self, item: str) -> float | None:
        """The score of ``item``; None where it failed or was never asked."""
        found: float | None = self.outcomes.get(item, {}).get("score")
        return found

    def solved(self, item: str) -> bool:
        score = self.score(item)
        return score is not None and score >= SOLVED


@dataclass
class Evidence:
    """All cells of a run, the items of each task in order, and what the members got right alone."""

    cells: list[CellEvidence]
    items: dict[str, list[str]]
    alone: dict[Pairing, list[CellEvidence]] = field(default_factory=dict)
    """The members' own cells; they all answered with the same seed."""

    def __post_init__(self) -> None:
        for cell in self.cells:
            if cell.about["role"] == "member":
                self.alone.setdefault(cell.pairing, []).append(cell)
        self._judged = {pairing: _judged(cells) for pairing, cells in self.alone.items()}

    def some_member(self, pairing: Pairing, item: str) -> bool | None:
        """Whether a member alone solved ``item``; None where a member failed it, or no member was asked alone."""
        return self._judged.get(pairing, {}).get(item)

    def emergent(self, cell: CellEvidence, item: str) -> bool:
        """Solved by this collaboration and, with the same seed, by no member alone."""
        return cell.collaborates and cell.solved(item) and self.some_member(cell.pairing, item) is False


def _judged(cells: Sequence[CellEvidence]) -> dict[str, bool]:
    every = dict.fromkeys(item for cell in cells for item in cell.outcomes)
    return {i: any(c.solved(i) for c in cells) for i in every if all(c.score(i) is not None for c in cells)}


def gather(run: RunData) -> Evidence:
    """Read every answer of the run."""
    cells, items = [], {task: dict[str, None]() for task in run.results["tasks"]}
    for about in run.results["cells"]:
        folder = run.cell(about["id"])
        outcomes = {line["id"]: line for line in read_lines(folder.answers)}
        more = json.loads(folder.summary.read_text(encoding="utf-8")) if folder.summary.exists() else {}
        cells.append(CellEvidence(about, outcomes, more))
        items.setdefault(about["task"], {}).update(dict.fromkeys(outcomes))
    return Evidence(cells, {task: list(ids) for task, ids in items.items()})
