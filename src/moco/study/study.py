"""A study from its YAML to its run directory, and the way back: results, cells, and fitted collaborations to ask or serve."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from moco.collab import Fitted, Method, Team, fit
from moco.core.errors import ConfigError, DataError, did_you_mean
from moco.core.registry import Registry
from moco.core.runtime import RUNTIME
from moco.models.pool import Pool, default_store
from moco.models.store import Store
from moco.study.cell import CellFolder, read_lines
from moco.study.config import StudyConfig
from moco.study.continuing import how_to_continue, reached
from moco.study.folder import held
from moco.study.loading import load_tasks, task_named
from moco.study.places import read_study
from moco.study.plan import build_pool, load_methods, make_plan, view_of
from moco.study.runner import PARTIAL, Runner, Unwatched, Watch
from moco.tasks import Task


@dataclass(frozen=True)
class Preview:
    """What a run would do: ``tasks`` and ``dev`` are test and dev questions by task, ``costs`` the calls of a question by method,
    in the words of the method."""

    cells: list[str]
    members: list[str]
    tasks: dict[str, int]
    dev: dict[str, int]
    seeds: list[int]
    costs: dict[str, str]


REPORTS: Registry[Callable[[RunData, Path], Path]] = Registry("report", "moco.reports")
"""File ending to its writer: faces fill it through entry points, since a study knows no face."""


class Study:
    """Methods x pool x tasks x seeds. Build it from YAML, run it into a folder, run it again to continue."""

    def __init__(self, config: StudyConfig) -> None:
        if not isinstance(config, StudyConfig):
            raise ConfigError(
                f"a study is made of a StudyConfig, not of a {type(config).__name__}",
                where="Study",
                remedy="Study.from_yaml takes a file or its text",
            )
        self.config = config
        self._ran: Path | None = None

    def __repr__(self) -> str:
        config, called = self.config, f"{self.config.name!r}, " if self.config.name else ""
        parts = {
            "methods": [m.label for m in config.methods],
            "tasks": [t.label or t.name for t in config.tasks],
            "seeds": list(config.seeds),
        }
        return f"Study({called}{', '.join(f'{name}={value}' for name, value in parts.items())})"

    @classmethod
    def from_yaml(cls, source: str | Path, overrides: Sequence[str] = ()) -> Study:
        """Read and check a study; raises ConfigError naming file, line, key and remedy.

        Its relative paths are those beside the file, else those of the current folder, where text is at home.
        """
        return cls(read_study(source, overrides))

    def check(self, store: Path | None = None) -> Preview:
        """Everything that can be wrong before a run: options, data, members, capabilities. Generates nothing.

        Collaborations in the pool are checked without being fitted. Members of the hub that are not there yet are fetched.
        """
        tasks, methods = load_tasks(self.config), load_methods(self.config)
        plan = RUNTIME.run(make_plan(self.config, tasks, methods, self.config.seeds[0], _open(store), fitted=False))
        cells = [f"{c.label} on {c.task.name}" for c in (*plan.alone, *plan.cells)] * len(self.config.seeds)
        return Preview(
            cells,
            plan.pool.names,
            {t.name: len(t.test) for t in tasks.values()},
            {t.name: len(t.dev) for t in tasks.values()},
            list(self.config.seeds),
            {label: method.cost for label, method in methods.items()},
        )

    def run(self, out: str | Path, *, store: Path | None = None, watch: Watch | None = None, changed: bool = False) -> RunData:
        """Run or continue into ``out``; returns the finished run.

        Nothing starts where config or data are wrong, nor where ``out`` holds finished cells of another study, unless
        ``changed`` allows that its results are replaced. Ctrl-C saves what is finished and is raised on. Raises DataError
        where ``out`` cannot be written or another run is writing into it, CacheError for the store's troubles.
        """
        tasks, methods = load_tasks(self.config), load_methods(self.config)
        folder = Path(out)
        runner = Runner(self.config, tasks, methods, folder, _open(store), watch or Unwatched(), changed)
        with held(folder):
            RUNTIME.run(runner.run())
        self._ran = folder
        return RunData(folder)

    def report(self, path: str | Path) -> Path:
        """Write the report of this study's last run to ``path``, of a kind its ending names (.html); returns the path.

        Where this process has not run the study, the run directory ``path`` lies in is reported. Raises ConfigError for
        an ending nobody writes, DataError where there is no finished run.
        """
        file = Path(path)
        kind = file.suffix.lstrip(".").lower()
        if kind not in REPORTS:
            raise ConfigError(f"a report ending in '{file.suffix}'", where=str(file), remedy=did_you_mean(kind, REPORTS.names()))
        return REPORTS.get(kind)(RunData(self._ran or file.parent), file)


class RunData:
    """A run directory, read; ``results`` of a run that is not at its end say so under ``unfinished``."""

    def __init__(self, path: Path, *, unfinished: bool = False) -> None:
        self.path = path
        self.manifest = _read(path / "manifest.json", "run the study first")
        ended = (path / "results.json").exists()
        if not ended and not (unfinished and (path / PARTIAL).exists()):
            done, of = reached(path, self.manifest)
            raise DataError(
                "the run is not finished",
                where=str(path),
                why=f"{done} of {of} cells are" if of else "it has no results.json",
                remedy=how_to_continue(self.manifest),
            )
        self.results = _read(path / ("results.json" if ended else PARTIAL), "run the study to its end first")
        self.timing = _read(path / "timing.json", "run the study first") if ended else {"cells": {}, "runs": []}

    def __repr__(self) -> str:
        labels = list(dict.fromkeys(cell["label"] for cell in self.results["cells"]))
        return f"RunData({str(self.path)!r}, {len(self.results['cells'])} cells: {', '.join(labels)})"

    def cell(self, cell: str) -> CellFolder:
        """The folder of one cell, by id, or by label where only one cell has it.

        Raises DataError, naming the nearest, where there is no such cell or there are several.
        """
        if cell in self._labels:
            return CellFolder(self.path, cell)
        ids = [id_ for id_, label in self._labels.items() if label == cell]
        if len(ids) == 1:
            return CellFolder(self.path, ids[0])
        what = f"{len(ids)} cells are called '{cell}'" if ids else f"the run has no cell '{cell}'"
        remedy = f"name one by its id: {', '.join(ids)}" if ids else did_you_mean(cell, {*self._labels.values(), *self._labels})
        raise DataError(what, where=str(self.path), remedy=remedy)

    @cached_property
    def _labels(self) -> dict[str, str]:
        return {cell["id"]: cell["label"] for cell in self.results["cells"]}

    @cached_property
    def items(self) -> dict[str, dict[str, dict[str, Any]]]:
        """By task and id: question as asked, gold, kind; empty for a run that did not keep them."""
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for line in read_lines(self.path / "items.jsonl"):
            found.setdefault(line["task"], {})[line["id"]] = line
        return found

    def frame(self) -> list[dict[str, Any]]:
        """One row per answered item of every cell: a list of dicts, which ``pandas.DataFrame`` and its like take as it is."""
        rows = []
        for cell in self.results["cells"]:
            for outcome in self.cell(cell["id"]).kept().values():
                row = {k: cell[k] for k in ("label", "method", "level", "role", "task", "seed")}
                rows.append(
                    {**row, "item": outcome.id, "score": outcome.score, "extracted": outcome.extracted, "text": outcome.text}
                )
        return rows


def load_run(out: str | Path, *, unfinished: bool = False) -> RunData:
    """The run in folder ``out``; raises DataError where there is none, or it is not at its end.

    With ``unfinished`` such a run is read as far as it is known: its finished cells, without tests.
    """
    return RunData(Path(out), unfinished=unfinished)


def load_fitted(folder: str | Path, store: Store | None = None) -> tuple[Team, Task, StudyConfig]:
    """The collaboration of a cell folder ``runs/x/cells/ID`` as a Model, its task and its study."""
    cell = Path(folder)
    about = _read(cell / "summary.json", "name a finished cell: runs/NAME/cells/ID")
    config = StudyConfig.model_validate(_read(cell.parent.parent / "manifest.json", "run the study first")["config"])
    tasks = load_tasks(config)
    pool = RUNTIME.run(build_pool(config, tasks, about["seed"], store or default_store()))
    view = pool.only(about["members"])
    chosen = [m for m in config.methods if m.label == about["label"]]
    if about["role"] == "method" and chosen:
        view = view_of(pool, chosen[0], config)
    fitted = Fitted.load(cell / "fitted", view, about["reference"])
    return fitted.as_model(), tasks[about["task"]], config


def load_team(study: str | Path, label: str | None = None, store: Store | None = None) -> tuple[Team, Task]:
    """Fit one method of a study (the first, or ``label``) on the study's first task, first seed."""
    config = read_study(study)
    tasks, methods = load_tasks(config), load_methods(config)
    wanted = label or config.methods[0].label
    if wanted not in methods:
        raise ConfigError(f"the study has no method '{wanted}'", where=str(study), remedy=did_you_mean(wanted, methods))
    entry = next(m for m in config.methods if m.label == wanted)
    task = next(iter(tasks.values()))
    fit_on = task if entry.fit_on is None else task_named(entry.fit_on, tasks, config)
    fitted = RUNTIME.run(_fit(config, tasks, entry.label, methods[wanted], fit_on, store or default_store()))
    return fitted.as_model(), task


async def _fit(config: StudyConfig, tasks: dict[str, Task], label: str, method: Method, task: Task, store: Store) -> Fitted:
    seed = config.seeds[0]
    pool: Pool = await build_pool(config, tasks, seed, store)
    entry = next(m for m in config.methods if m.label == label)
    sampling = entry.sampling.over(config.sampling.over())
    return await fit(method, view_of(pool, entry, config), task, sampling=sampling, seed=seed)


def _open(path: Path | None) -> Store:
    return default_store() if path is None else Store(path)


def _read(file: Path, remedy: str) -> dict[str, Any]:
    try:
        data: Any = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            raise ValueError("it is no object")
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {file.name}: {error}", where=str(file.parent), remedy=remedy) from error
    return data
