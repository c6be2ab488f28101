"""What ``moco ask`` and ``moco serve`` are pointed at: a study file, a run directory, or one finished cell of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from moco.core.errors import ConfigError, did_you_mean
from moco.core.types import AnswerSpec, Sampling

if TYPE_CHECKING:
    from moco.collab import Team
    from moco.models.store import Store
    from moco.tasks import Task

_NO_RUN = "name a study.yaml, a run's folder, or a finished cell, runs/NAME/cells/ID"
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
    """The collaboration ``target`` names: of a study its method, fitted first; of a run its cell of that method.

    ``method`` is a label, by default the first one's. Raises ConfigError, DataError.
    """
    from moco.study import Study, load_team

    if _is_cell(target):
        if method is not None:
            raise ConfigError(
                "--method goes with a study or a run; a cell has one method", where=str(target), remedy="leave it out"
            )
        return _finished(target, store)
    if target.is_dir():
        cells = finished_cells(target)
        wanted = method if method is not None else next(iter(cells))
        if wanted not in cells:
            raise ConfigError(f"the run has no method '{wanted}'", where=str(target), remedy=did_you_mean(wanted, cells))
        return _finished(cells[wanted], store)
    if not target.exists():
        raise ConfigError(f"there is no '{target}'", where="command line", remedy=_NO_RUN)
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


def methods_of(target: Path) -> list[str | None]:
    """The labels that ``load_source`` takes for ``target``; of a cell, None: it has one method."""
    from moco.study import Study

    if _is_cell(target):
        return [None]
    if target.is_dir():
        return list(finished_cells(target))
    return [m.label for m in Study.from_yaml(target).config.methods] if target.exists() else [None]


def finished_cells(run: Path) -> dict[str, Path]:
    """By label, the cell of each method of a finished run that answers for it: that of the study's first task and first seed.

    Raises ConfigError, naming the cells there are, where the run has not come to its end or has no methods.
    """
    if not (run / "results.json").exists():
        cells = sorted(str(file.parent) for file in run.glob("cells/*/summary.json"))
        remedy = f"finish it with moco run, or name a finished cell: {', '.join(cells)}" if cells else _NO_RUN
        raise ConfigError(f"'{run}' is no finished run", where=str(run), remedy=remedy)
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    found: dict[str, Path] = {}
    for cell in results["cells"]:
        if cell["role"] == "method":
            found.setdefault(cell["label"], run / "cells" / cell["id"])
    if not found:
        cells = [str(run / "cells" / cell["id"]) for cell in results["cells"]]
        raise ConfigError("the run has no methods", where=str(run), remedy=f"name a member's cell: {', '.join(cells)}")
    return found


def _is_cell(target: Path) -> bool:
    return (target / "summary.json").exists()


def _finished(cell: Path, store: Store) -> Source:
    """The collaboration of a cell, with the sampling of its method."""
    from moco.study import load_fitted

    team, task, config = load_fitted(cell, store)
    label = json.loads((cell / "summary.json").read_text(encoding="utf-8"))["label"]
    entry = next((m for m in config.methods if m.label == label), None)
    sampling = config.sampling.over() if entry is None else entry.sampling.over(config.sampling.over())
    return Source(label, team, task, sampling, spec_for(task))
