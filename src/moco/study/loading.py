"""The tasks of a study: where each entry is read from, what it changes, and what it is called.

Everything that can be wrong with data or with grading it is found here, before anything runs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from moco.core.answering import KINDS
from moco.core.errors import ConfigError, did_you_mean
from moco.study.config import StudyConfig, TaskConfig
from moco.study.outcomes import check_gradable, placed
from moco.tasks import Hub, Source, Task, load_task


def load_tasks(config: StudyConfig) -> dict[str, Task]:
    """The tasks of a study in order, by the names they are shown under; raises DataError or ConfigError for the faulty one."""
    tasks: dict[str, Task] = {}
    for number, entry in enumerate(config.tasks):
        with placed(f"tasks[{number}]"):
            task = load_one(entry, config.aux)
            if task.name in tasks:
                raise ConfigError(f"two tasks are called '{task.name}'", remedy="give one of them a 'label'")
            tasks[task.name] = task
    return tasks


def load_one(entry: TaskConfig, helpers: Collection[str] = ()) -> Task:
    """The task of one entry; raises ConfigError where its answers cannot be graded with the ``helpers`` of that name.

    A catalogue task keeps the name of what it really is (the released AlpacaEval file is called alpaca_rm), unless labelled.
    """
    loaded = _read(entry)
    if entry.prompt is not None:
        loaded = replace(loaded, prompt=entry.prompt.over(loaded.prompt))
    check_gradable(loaded, helpers)
    if entry.metric is not None and entry.metric != loaded.metric:
        _check_metric(loaded, entry.metric)
        loaded = replace(loaded, metric=entry.metric)
    name = entry.label or (loaded.name if entry.sort == "name" else entry.name)
    return loaded if loaded.name == name else replace(loaded, name=name)


def _check_metric(task: Task, metric: str) -> None:
    """Raises ConfigError where ``metric`` is no figure that every kind of answer in ``task`` gives."""
    for kind in sorted({task.kind_of(record) for record in (*task.dev, *task.test)}):
        known = tuple(getattr(KINDS.get(kind), "metrics", ()))
        if metric not in known:
            other = f"{did_you_mean(metric, known)}; or leave" if known else "leave"
            remedy = f"{other} 'metric' out: the kind has a score"
            raise ConfigError(f"answers of kind '{kind}' have no metric '{metric}'", where="metric", remedy=remedy)


def _read(entry: TaskConfig) -> Task:
    few_shot = entry.prompt.few_shot.wanted() if entry.prompt and entry.prompt.few_shot else None
    if entry.sort == "name":
        folder = Path(entry.data_dir).expanduser() if entry.data_dir else None
        source = Source(folder, entry.split, entry.variant, entry.revision)
        return load_task(entry.name, limit=entry.limit, source=source, few_shot=few_shot)
    fields = entry.fields or {}
    if entry.hub is None:
        return load_task(entry.data or entry.name, kind=entry.kind, limit=entry.limit, fields=fields, few_shot=few_shot)
    splits = {str(ours): theirs for ours, theirs in (entry.splits or {}).items()}
    hub = Hub(entry.hub, entry.config, entry.revision, splits, fields)
    return load_task(entry.name, kind=entry.kind, limit=entry.limit, hub=hub, few_shot=few_shot)


def task_named(name: str, tasks: Mapping[str, Task], config: StudyConfig) -> Task:
    """The study's task of that label or name, else the catalogue's; raises as `load_task` does."""
    if name in tasks:
        return tasks[name]
    for entry, task in zip(config.tasks, tasks.values(), strict=True):
        if entry.name == name:
            return task
    return load_task(name)
