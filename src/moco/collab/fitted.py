"""A method after `fit`: options, learned state and pool; saved as JSON + safetensors, turned into a Model by the law."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from moco.collab.contract import check_learned
from moco.collab.faults import blamed
from moco.collab.method import Method, load_method, option_types, state_types
from moco.collab.model import Collaboration, Team
from moco.collab.run import Example, Progress, Run, silent
from moco.collab.state import from_json, load_state, save_state, to_json
from moco.core.errors import ConfigError, ContextOverflow, DataError
from moco.core.query import Query
from moco.core.seeds import generator
from moco.core.types import Request, Sampling
from moco.models.cached import CachedModel, Keyed
from moco.models.pool import Pool
from moco.tasks import NOBODY, Helpers, Record, Task


class Fitted:
    """``method`` (a clone that has been fitted) over ``pool``."""

    def __init__(self, method: Method, pool: Pool, log: list[dict[str, Any]] | None = None) -> None:
        self.method, self.pool, self.log = method, pool, log or []

    def __repr__(self) -> str:
        return f"Fitted({self.method!r}, {self.pool!r})"

    def as_model(self, name: str = "") -> Team:
        """The collaboration as a Model behind the pool's store, called ``name`` (default: the method's name).

        Its answers are kept under the key of what the method made: a collaboration's own, a merged model's, a group's.
        Raises PoolError where the pool does not fit the method.
        """
        with blamed(self.method):
            self.method.check(self.pool)
            model = self.method.as_model(self.pool)
        while isinstance(model, CachedModel):
            model = model.model  # it may be a member itself: only the team around it gets the name
        called = name or self.method.info.name
        if isinstance(model, Collaboration):
            model.name = called
        team = Team(cast(Keyed, model), self.pool.store)
        team.name = called
        return team

    def save(self, folder: str | Path) -> None:
        """Write what is needed to answer again with the same pool."""
        folder = Path(folder)
        save_state(self.method.state, folder)
        about = {"method": self.method.info.name, "options": self.method.options, "members": self.pool.names, "log": self.log}
        text = json.dumps(to_json(about), indent=2, sort_keys=True, allow_nan=False)
        (folder / "method.json").write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path, pool: Pool, reference: str = "") -> Fitted:
        """The collaboration saved in ``folder`` over ``pool``; raises DataError where they do not belong together.

        ``reference`` is how the method is found when it is a file of the user's own.
        """
        folder = Path(folder)
        try:
            about = from_json(json.loads((folder / "method.json").read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise DataError(f"no fitted collaboration here: {error}", where=str(folder), remedy="run the study first") from error
        if about["members"] != pool.names:
            raise DataError(
                f"fitted with members {about['members']}, the pool has {pool.names}",
                where=str(folder),
                remedy="use the same pool",
            )
        method = load_method(reference or about["method"], **about["options"])
        for name, value in load_state(state_types(type(method)), folder).items():
            setattr(method, name, value)
        return cls(method, pool, about["log"])


def request_for(task: Task, record: Record, sampling: Sampling, seed: int = 0) -> Request:
    """The first-round prompt of ``record``: nothing may be added to it, so that all methods share its answer."""
    return Request(messages=task.messages(record), sampling=sampling, spec=task.spec_of(record), study_seed=seed)


def examples(task: Task, sampling: Sampling, seed: int = 0, limit: int | None = None, helpers: Helpers = NOBODY) -> list[Example]:
    """The dev examples of ``task``: all, or a seeded sample of ``limit``; ``helpers`` score what no rule can grade."""
    records = list(task.dev)
    if limit is not None and limit < len(records):
        keep = sorted(generator("dev", seed).permutation(len(records))[:limit].tolist())
        records = [records[i] for i in keep]
    return [Example(Query.of(request_for(task, r, sampling, seed)), task.gold_of(r), r, task, helpers) for r in records]


def readable(pool: Pool, dev: Sequence[Example]) -> tuple[list[Example], list[str]]:
    """The examples whose question every member of ``pool`` has room for, and the ids of the others.

    A question that one member cannot read says nothing about who answers better: it is left out for all of them, and told.
    """
    kept, left_out = [], []
    for example in dev:
        request = example.query.request()
        try:
            for member in pool:
                if isinstance(member.model, CachedModel):
                    member.model.key(request)
        except ContextOverflow:
            left_out.append(example.record.id)
        else:
            kept.append(example)
    return kept, left_out


async def fit(
    method: Method,
    pool: Pool,
    task: Task | None,
    *,
    sampling: Sampling | None = None,
    seed: int = 0,
    dev_limit: int | None = None,
    progress: Progress = silent,
    roles: Mapping[str, str] | None = None,
) -> Fitted:
    """Fit a clone of ``method`` on the dev part of ``task``; without dev, an optional fit is skipped.

    Raises PoolError where the pool does not fit, ConfigError where dev is needed and there is none.
    """
    sampling = sampling or Sampling()
    view = pool.with_roles(roles) if roles else pool
    with blamed(method):
        method.check(view)
    clone, run = method.clone(), Run(seed, sampling, progress, pool.store)
    helpers, left_out = Helpers.of(view.aux, seed=seed), list[str]()
    dev = examples(task, sampling, seed, dev_limit, helpers) if task is not None else []
    if method.info.fit != "never" and dev:
        dev, left_out = readable(view, dev)
        if left_out:
            run.log.append({"dev_left_out": {"reason": "too long for a member", "ids": left_out}})
    if method.info.fit == "required" and not dev:
        raise ConfigError(
            f"{method.info.name} must be fitted, and there is no dev data",
            why=f"{len(left_out)} dev questions are too long for a member" if left_out else "",
            remedy="use a task with a dev split"
            + (" of shorter questions, or members with a longer context" if left_out else ""),
        )
    if method.info.fit != "never" and dev:
        try:
            before = dict(vars(clone))
            with blamed(clone):
                await clone.fit(view, dev, run)
            check_learned(clone, before, {*option_types(type(clone)), *state_types(type(clone))})
        finally:
            await run.close()
    return Fitted(clone, view, run.log)
