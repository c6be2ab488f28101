"""What ``moco ask`` and ``moco serve`` are pointed at: a study file, or a finished cell of a run directory."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from moco.core.errors import ConfigError
from moco.core.types import AnswerSpec, Sampling

if TYPE_CHECKING:
    from moco.collab import Team
    from moco.models.store import Store
    from moco.tasks import Task

SHORT = frozenset({"multiple_choice", "numeric", "short_text", "label"})


@dataclass(frozen=True)
class Source:
    """A collaboration to ask, with the sampling and the answer spec it was studied with."""

    name: str
    team: Team
    task: Task
    sampling: Sampling
    spec: AnswerSpec | None


def load_source(target: Path, method: str | None, store: Store) -> Source:
    """The collaboration ``target`` names; a study's method is fitted first. Raises ConfigError, DataError."""
    from moco.study import Study, load_fitted, load_team

    if target.is_dir():
        if not (target / "summary.json").exists():
            raise ConfigError(f"'{target}' is no cell", where=str(target), remedy=_cells(target))
        if method is not None:
            raise ConfigError("--method goes with a study; a cell has one method", where=str(target), remedy="leave it out")
        team, task, config = load_fitted(target, store)
        label = json.loads((target / "summary.json").read_text(encoding="utf-8"))["label"]
        entry = next((m for m in config.methods if m.label == label), None)
        sampling = config.sampling.over() if entry is None else entry.sampling.over(config.sampling.over())
        return Source(label, team, task, sampling, spec_for(task))
    if not target.exists():
        raise ConfigError(
            f"there is no '{target}'", where="command line", remedy="name a study.yaml or a cell, runs/NAME/cells/ID"
        )
    config = Study.from_yaml(target).config
    team, task = load_team(target, method, store)
    chosen = next(m for m in config.methods if m.label == (method or config.methods[0].label))
    return Source(chosen.label, team, task, chosen.sampling.over(config.sampling.over()), spec_for(task))


def spec_for(task: Task) -> AnswerSpec | None:
    """What all questions of ``task`` agree on of how an answer is read.

    Kinds with a short final answer meet in short text, which reads and compares all of them; None for any other mixture.
    """
    specs = [task.spec_of(record) for record in (*task.dev, *task.test)]
    kinds = {s.kind for s in specs}
    if len(kinds) > 1 and kinds <= SHORT:
        return AnswerSpec(kind="short_text")
    if len(kinds) != 1:
        return None
    shared = {f.name: getattr(specs[0], f.name) for f in fields(AnswerSpec) if len({getattr(s, f.name) for s in specs}) == 1}
    return replace(AnswerSpec(**shared), question="", choices=())


def _cells(folder: Path) -> str:
    cells = sorted(p.parent.name for p in folder.glob("cells/*/summary.json"))
    return (
        f"name one of its cells, such as {folder / 'cells' / cells[0]}" if cells else "name a finished cell, runs/NAME/cells/ID"
    )
