"""From a study's config to pools, tasks and cells. Everything that can be wrong is found here, before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from moco.collab import Collaboration, Method, Progress, examples, fit, load_method, silent
from moco.collab.faults import blamed
from moco.collab.run import Run
from moco.core.answering import KINDS
from moco.core.errors import ConfigError
from moco.core.types import Sampling
from moco.models.hf import check_device
from moco.models.likelihood import LIKELIHOOD, check_comparing
from moco.models.member import MemberSpec, build, build_helper
from moco.models.pool import Pool
from moco.models.protocol import Capabilities, CapabilityName
from moco.models.store import Store
from moco.study.cell import Cell
from moco.study.config import MemberConfig, MethodConfig, StudyConfig
from moco.study.loading import task_named
from moco.study.outcomes import placed
from moco.tasks import Task

BASELINES = ("single", "self_consistency")
DRAWN_AT = 0.7
"""Temperature of the equal-token baseline in a study that decodes greedily: that of a study which names none."""


@dataclass
class Plan:
    """Everything a study will run, for one seed. ``cells`` are the methods', ``alone`` the members' own."""

    seed: int
    pool: Pool
    tasks: dict[str, Task]
    sampling: Sampling
    alone: list[Cell] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)


def load_methods(config: StudyConfig) -> dict[str, Method]:
    """The methods by label, options checked; a fault names the method's place in the study."""
    methods = {}
    for number, entry in enumerate(config.methods):
        with placed(f"methods[{number}]"):
            methods[entry.label] = load_method(entry.name, preset=entry.preset, **entry.options)
    return methods


class Unfitted(Collaboration):
    """Stands in for a model that only fitting makes (a merge, a group): it is not refused for what it may turn out to do."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(frozenset(get_args(CapabilityName)))


async def build_pool(
    config: StudyConfig,
    tasks: Mapping[str, Task],
    seed: int,
    store: Store,
    progress: Progress = silent,
    *,
    fitted: bool = True,
) -> Pool:
    """The pool of one seed. A collaboration member is fitted here, on the fit part of its task's dev only.

    Without ``fitted`` it stays as it is and nothing is generated, but whatever can be wrong with it is found; a fault names
    the entry, and for a member of a collaboration its place in ``members``.
    """
    sampling = config.sampling.over()
    places = {m.name: f"pool[{number}]" for number, m in enumerate(config.pool)}
    named = {m.name: m for m in config.pool}
    built: dict[str, MemberSpec] = {}

    async def member(entry: MemberConfig, place: str, helps: str = "") -> MemberSpec:
        if entry.method is not None:
            made = await team(entry, place)
            return MemberSpec(made, entry.name, entry.description, entry.role or "", adversary=entry.adversary)
        cost = 1.0 if entry.cost is None else entry.cost
        own = (entry.description, entry.role or "", cost, entry.backend or "", entry.loading, entry.adversary)
        spec = MemberSpec(entry.model, entry.name, *own)
        with placed(place):
            if entry.device is not None:
                check_device(entry.device)
            made = build_helper(helps, spec, store) if helps else build(spec, 0, store)
            _ = made.model.fingerprint  # whose files are not there, and cannot be fetched, is found here
        return spec

    async def pooled(name: str) -> MemberSpec:
        if name not in built:
            built[name] = await member(named[name], places[name])
        return built[name]

    async def inner(name: str, place: str) -> MemberSpec:
        if name in named:
            return await pooled(name)
        with placed(place):
            _ = build(MemberSpec(name), 0, store).model.fingerprint
        return MemberSpec(name)

    async def team(entry: MemberConfig, place: str) -> Any:
        inside = [await inner(name, f"{place}.members[{i}]") for i, name in enumerate(entry.members or ())]
        with placed(f"{place}.members"):
            pool = Pool(inside, store=store)
        with placed(place):
            method = load_method(entry.method or "", **entry.options)
            check(method, pool)
        task = None
        if entry.fit_on is not None:
            with placed(f"{place}.fit_on"):
                whole = task_named(entry.fit_on, tasks, config)
            part = Run(seed, sampling).split(examples(whole, sampling, seed)).fit
            task = replace(whole, dev=[example.record for example in part])
        with placed(place):
            if method.info.fit == "required" and task is None:
                raise ConfigError(f"{method.info.name} must be fitted", remedy="name a task: fit_on: ...")
            check_fit(method, task)
            if not fitted:
                kind = Collaboration if type(method).as_model is Method.as_model else Unfitted
                return kind(method, pool, entry.name)
            return (await fit(method, pool, task, sampling=sampling, seed=seed, progress=progress)).as_model(entry.name)

    specs = [await pooled(entry.name) for entry in config.pool]
    helpers = {role: await member(entry, f"aux.{role}", role) for role, entry in config.aux.items()}
    with placed("pool"):
        return Pool(specs, store=store, aux=helpers)


def check(method: Method, pool: Pool) -> None:
    """Whether ``method`` can work with ``pool``, told before anything runs.

    What stands in for a member that is not fitted yet has no files to compare: then the method finds out when it runs.
    """
    with blamed(method):
        method.check(pool)
        if not any(isinstance(getattr(m.model, "model", m.model), Unfitted) for m in pool):
            method.compatible(pool)


def check_fit(method: Method, fit_on: Task | None) -> None:
    """Raises ConfigError where ``method`` must be fitted and ``fit_on`` has no dev questions to do it with."""
    if method.info.fit == "required" and fit_on is not None and not fit_on.dev:
        raise ConfigError(
            f"{method.info.name} must be fitted, and {fit_on.name} has no dev questions",
            remedy='give some records "split": "dev", or fit it on another task with fit_on: ...',
        )


def candidates(config: StudyConfig) -> list[str]:
    """Names of the members that collaborate and are compared with: all but the references."""
    return [m.name for m in config.pool if not m.reference]


def view_of(pool: Pool, entry: MethodConfig, config: StudyConfig) -> Pool:
    """The members and roles of one method entry; members may be named by model reference too."""
    by_reference = {m.model: m.name for m in config.pool if m.model}
    own = [by_reference.get(n, n) for n in entry.members] if entry.members is not None else candidates(config)
    view = pool if own == pool.names else pool.only(own)
    if entry.roles:
        cast = {}
        for role, who in entry.roles.items():
            if not isinstance(who, str):
                raise ConfigError(f"role '{role}' names {len(who)} members", where=entry.label, remedy="name one")
            cast[role] = by_reference.get(who, who)
        view = view.with_roles(cast)
    return view


async def make_plan(
    config: StudyConfig,
    tasks: Mapping[str, Task],
    methods: Mapping[str, Method],
    seed: int,
    store: Store,
    progress: Progress = silent,
    *,
    fitted: bool = True,
) -> Plan:
    """All cells of one seed that are known before anything has run; ``fitted`` as in `build_pool`."""
    pool = await build_pool(config, tasks, seed, store, progress, fitted=fitted)
    sampling = config.sampling.over()
    plan = Plan(seed, pool, dict(tasks), sampling)
    views, taking_part = [], candidates(config)
    for number, entry in enumerate(config.methods):
        with placed(f"methods[{number}]"):
            views.append(view_of(pool, entry, config))
            check(methods[entry.label], views[-1])
    for task in tasks.values():
        if LIKELIHOOD in kinds_of(task):
            for member in pool:
                with placed(f"pool, task {task.name}"):
                    check_comparing(member.model)
        if config.baselines:
            for member in pool:
                alone = load_method("single", member=member.name)
                role = "member" if member.name in taking_part else "reference"
                plan.alone.append(Cell(member.name, alone, pool.only([member]), task, None, seed, sampling, role, "single"))
        for entry, view in zip(config.methods, views, strict=True):
            fit_on = task_named(entry.fit_on, tasks, config) if entry.fit_on else task
            with placed(f"methods[{config.methods.index(entry)}], task {task.name}"):
                check_fit(methods[entry.label], fit_on)
            own = entry.sampling.over(sampling)
            plan.cells.append(Cell(entry.label, methods[entry.label], view, task, fit_on, seed, own, "method", entry.name))
    return plan


def matched(plan: Plan, best: Mapping[str, str]) -> list[Cell]:
    """The methods' cells that get an equal-token baseline: on tasks whose answers can be voted on and that have a best member."""
    return [
        cell
        for cell in plan.cells
        if cell.method.info.name not in BASELINES
        and cell.task.name in best
        and any(KINDS.get(kind).votable for kind in kinds_of(cell.task))
    ]


def drawn(sampling: Sampling) -> Sampling:
    """How the equal-token baseline is drawn: as the study draws, but where that is greedily, and all draws would be one, at
    ``DRAWN_AT``."""
    return sampling if sampling.temperature > 0 else sampling.but(temperature=DRAWN_AT)


def consistency_cell(plan: Plan, task: str, member: str, draws: int, rivals: Sequence[str] = ()) -> Cell:
    """Self-consistency of ``member`` as the rival of ``rivals``; its label says the temperature where it is not the study's."""
    sampling = drawn(plan.sampling)
    label = f"{member} x{draws}"
    if sampling != plan.sampling:
        label += f" (temperature {sampling.temperature:g})"
    method, view = load_method("self_consistency", member=member, draws=draws), plan.pool.only([member])
    return Cell(
        label, method, view, plan.tasks[task], None, plan.seed, sampling, "equal_tokens", "self_consistency", tuple(rivals)
    )


def single_draws(plan: Plan, best: Mapping[str, str]) -> list[Cell]:
    """One draw of each task's best member, where the baseline is drawn otherwise than the member answers alone: its tokens
    say how many draws are equal. They are the baseline's first draws, so nothing is asked twice."""
    if drawn(plan.sampling) == plan.sampling:
        return []
    return [consistency_cell(plan, task, best[task], 1) for task in sorted({cell.task.name for cell in matched(plan, best)})]


def equal_token_cells(plan: Plan, tokens: Mapping[tuple[str, str], float], best: Mapping[str, str]) -> list[Cell]:
    """Self-consistency of each task's best dev member with as many draws as a method's tokens pay for, at most 64.

    ``tokens`` are per query by (label, task): the methods', and those of one draw of the best members. Equal draws share one
    cell.
    """
    wanted: dict[tuple[str, int], list[str]] = {}
    for cell in matched(plan, best):
        name = best[cell.task.name]
        once = name if drawn(plan.sampling) == plan.sampling else consistency_cell(plan, cell.task.name, name, 1).label
        alone = tokens.get((once, cell.task.name), 0.0)
        spent = tokens.get((cell.label, cell.task.name), 0.0)
        if alone > 0 and spent > 0:
            draws = min(64, max(1, -int(-(spent / alone) // 1)))
            wanted.setdefault((cell.task.name, draws), []).append(cell.label)
    return [consistency_cell(plan, task, best[task], draws, rivals) for (task, draws), rivals in sorted(wanted.items())]


def kinds_of(task: Task) -> list[str]:
    """The kinds of answers in a task's test part."""
    return sorted({task.kind_of(record) for record in task.test})
