"""Runs a plan cell by cell into a run directory. Kill it at any time: the same command continues and pays for nothing twice."""

from __future__ import annotations

import asyncio
import json
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from moco._version import __version__
from moco.collab import Fitted, Method, examples, fit, readable
from moco.collab.run import Run
from moco.core.answering import KINDS
from moco.core.errors import BackendError, MethodError, MocoError, NotStored
from moco.core.types import Call
from moco.discussion import Ranking, rank_on_dev
from moco.models import store as store_module
from moco.models.cached import CachedModel, stored_only
from moco.models.store import Store
from moco.routers import paid
from moco.study.analysis import Finished, analyse
from moco.study.cell import Cell, CellFolder, read_lines, write_json, write_lines
from moco.study.config import StudyConfig
from moco.study.continuing import check_same
from moco.study.outcomes import Outcome, answer_all
from moco.study.plan import Plan, candidates, equal_token_cells, kinds_of, make_plan, single_draws
from moco.study.stages import has_stages, stage_lines
from moco.study.summary import summarise
from moco.tasks import Helpers, Record, Task
from moco.tasks.sandbox import default_sandbox

PARTIAL = "partial.json"
"""What results.json will be, over the cells that are finished: it is there while the run is not at its end."""
PARTIAL_SECONDS = 60.0
"""How often it is written anew, at most; a run that is stopped writes it once more."""

FAILURES = (BackendError, MethodError)
"""What fails one question and leaves the others be: a slip in one method does not end a study of many."""


class Watch(Protocol):
    """Sees a run go by; called from the runtime's thread."""

    def plan(self, cells: int, items: int) -> None: ...
    def cell(self, label: str, task: str, seed: int, items: int, kept: int) -> None: ...
    def fit(self, name: str, done: int, total: int) -> None: ...
    def item(self, tokens: int) -> None: ...
    def note(self, text: str) -> None: ...


class Unwatched:
    """Nobody looks."""

    def plan(self, cells: int, items: int) -> None: ...
    def cell(self, label: str, task: str, seed: int, items: int, kept: int) -> None: ...
    def fit(self, name: str, done: int, total: int) -> None: ...
    def item(self, tokens: int) -> None: ...
    def note(self, text: str) -> None: ...


class Runner:
    """One run of a study into ``out``."""

    def __init__(
        self,
        config: StudyConfig,
        tasks: Mapping[str, Task],
        methods: Mapping[str, Method],
        out: Path,
        store: Store,
        watch: Watch,
        changed: bool = False,
    ) -> None:
        self.config, self.tasks, self.methods = config, tasks, methods
        self.out, self.store, self.watch, self.changed = out, store, watch, changed
        self.seconds: dict[str, float] = {}
        self.started = time.time()
        self.told = time.monotonic()
        self.finished: list[Finished] = []
        self.best: dict[str, dict[int, str]] = {}
        """By task and seed: the best member on dev; nothing for a task without dev questions."""
        self.planned = 0
        self._outcomes: dict[str, Outcome] = {}
        self._graded: dict[tuple[str, int], dict[tuple[str, str], float | None]] = {}
        """By task and seed: scores of what members said alone, by item and text."""

    async def run(self) -> dict[str, Any]:
        """Run everything that is not finished yet; returns the results that are also written to results.json."""
        flusher = asyncio.create_task(self._flush_now_and_then())
        try:
            return await self._run()
        except (asyncio.CancelledError, MocoError):
            if self.finished:
                self._partial()
            raise
        finally:
            flusher.cancel()
            self.store.flush()

    async def _flush_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(store_module.FLUSH_SECONDS)
            self.store.flush()

    async def _run(self) -> dict[str, Any]:
        plans = [await make_plan(self.config, self.tasks, self.methods, s, self.store, self.watch.fit) for s in self.config.seeds]
        known = [c for p in plans for c in (*p.alone, *p.cells)]
        self._begin(plans, known)
        self._expect(known)
        for plan in plans:
            best = await self._best(plan) if self.config.baselines else {}
            for cell in (*plan.alone, *plan.cells):
                await self._keep(cell)
            if self.config.baselines:
                await self._equal_tokens(plan, best)
        results = self._results()
        write_json(self.out / "results.json", results)
        (self.out / PARTIAL).unlink(missing_ok=True)
        self._timing(plans)
        return results

    def _begin(self, plans: Sequence[Plan], known: Sequence[Cell]) -> None:
        """Say what is another than when this folder was last run into, and write what is known before anything has run."""
        manifest, ids = self._manifest(plans, known), [c.id for c in known]
        lines = check_same(self.out, manifest, ids, self.changed)
        for line in lines:
            self.watch.note(line)
        if lines:  # they are of the run before
            for name in ("results.json", PARTIAL):
                (self.out / name).unlink(missing_ok=True)
        write_json(self.out / "manifest.json", manifest)
        write_lines(self.out / "items.jsonl", (item_line(task, record) for task in self.tasks.values() for record in task.test))

    def _expect(self, cells: Sequence[Cell]) -> None:
        self.planned += len(cells)
        self.watch.plan(len(cells), sum(len(c.task.test) for c in cells))

    async def _keep(self, cell: Cell) -> Finished:
        done = await self._cell(cell)
        self.finished.append(done)
        if time.monotonic() - self.told > PARTIAL_SECONDS:
            self._partial()
        return done

    def _results(self) -> dict[str, Any]:
        """What results.json holds of the cells that are finished."""
        return {
            "moco": __version__,
            "tasks": {t.name: {"n": len(t.test), "dev": len(t.dev), "kinds": kinds_of(t)} for t in self.tasks.values()},
            "seeds": list(self.config.seeds),
            **analyse(self.finished, self.best),
        }

    def _partial(self) -> None:
        """Keep what is known so far, without tests: these belong to the whole run."""
        self.told = time.monotonic()
        so_far = {"cells": len(self.finished), "of": self.planned}
        results = {**self._results(), "comparisons": [], "share_won": None, "complete": False, "unfinished": so_far}
        write_json(self.out / PARTIAL, results)

    async def _best(self, plan: Plan) -> dict[str, str]:
        """By task: the best member on dev; none where dev says nothing, for no rival shall rest on the pool's order."""
        found = {}
        for name, task in plan.tasks.items():
            ranking = await self._ranking(plan, task)
            if ranking.n:
                found[name] = ranking.names[0]
                self.best.setdefault(name, {})[plan.seed] = ranking.names[0]
            elif plan.seed == self.config.seeds[0]:
                none = "no dev question that every member can read" if task.dev else "no dev questions"
                self.watch.note(
                    f"{name}: {none}, so no best single on dev and no equal-token baselines; methods are compared with"
                    " the oracle single alone"
                )
        return found

    async def _equal_tokens(self, plan: Plan, best: Mapping[str, str]) -> None:
        """The baselines that are known once the methods' tokens are."""
        drawn = single_draws(plan, best)
        self._expect(drawn)
        once = [await self._cell(cell) for cell in drawn]
        own = [f for f in self.finished if f.cell.seed == plan.seed]
        tokens = {(f.cell.label, f.cell.task.name): f.summary.tokens for f in (*own, *once)}
        extra = {cell.id: cell for cell in equal_token_cells(plan, tokens, best)}
        self.finished += [replace(f, cell=extra.pop(f.cell.id, f.cell)) for f in once]  # one draw may be a rival itself
        self._expect(list(extra.values()))
        for cell in extra.values():
            await self._keep(cell)

    async def _ranking(self, plan: Plan, task: Task) -> Ranking:
        """Dev order of the members: from the shared first answers, asked once for all methods."""
        dev = examples(task, plan.sampling, plan.seed, helpers=Helpers.of(plan.pool.aux, seed=plan.seed))
        pool = plan.pool.only(candidates(self.config))
        asked, left_out = readable(pool, dev)
        if left_out:
            self.watch.note(
                f"{task.name}: {len(left_out)} of {len(dev)} dev questions are too long for a member and are left out"
            )
        return await rank_on_dev(pool, asked, Run(plan.seed, plan.sampling, self.watch.fit))

    async def _cell(self, cell: Cell) -> Finished:
        folder = CellFolder(self.out, cell.id)
        order = [r.id for r in cell.task.test]
        kept = folder.kept()
        complete = folder.finished and set(order) <= set(kept)
        self.watch.cell(cell.label, cell.task.name, cell.seed, len(order), len(kept))
        if not complete:
            begun = time.monotonic()
            await self._answer(cell, folder, kept)
            self.seconds[cell.id] = self.seconds.get(cell.id, 0.0) + time.monotonic() - begun
            self.store.flush()
        outcomes = [kept[item] if complete else self._outcomes[item] for item in order]
        if cell.role != "method":
            self._graded.setdefault((cell.task.name, cell.seed), {}).update({(o.id, o.text): o.score for o in outcomes})
        elif has_stages(cell) and set(order) != {line["id"] for line in read_lines(folder.stages)}:
            await self._stages(cell, folder)
        return Finished(cell, outcomes)

    async def _stages(self, cell: Cell, folder: CellFolder) -> None:
        """Keep what every stage of a chain would have said, where the study may know it: its curve is drawn from that."""
        fitted = Fitted.load(folder.fitted, cell.pool, cell.reference)
        graded = self._graded.get((cell.task.name, cell.seed), {})
        try:
            with stored_only() if self.config.curves == "stored" else nullcontext():
                lines = await stage_lines(fitted, cell, graded, self.watch.fit)
        except NotStored:
            return
        except BackendError as error:
            self.watch.note(f"{cell.label} on {cell.task.name} has no curve: {error}")
            return
        write_lines(folder.stages, lines)

    async def _answer(self, cell: Cell, folder: CellFolder, kept: dict[str, Outcome]) -> None:
        fitted = await fit(cell.method, cell.pool, cell.fit_on, sampling=cell.sampling, seed=cell.seed, progress=self.watch.fit)
        todo = [r for r in cell.task.test if r.id not in kept]
        folder.begin(kept)
        self._outcomes = dict(kept)

        def done(outcome: Outcome, calls: tuple[Call, ...]) -> None:
            tokens = outcome.usage.prompt_tokens + outcome.usage.completion_tokens
            outcome = replace(outcome, cost=paid(cell.pool, calls) if calls else float(tokens))
            self._outcomes[outcome.id] = outcome
            folder.append(outcome, calls)
            self.watch.item(tokens)

        try:
            helpers = Helpers.of(cell.pool.aux, seed=cell.seed)
            await answer_all(fitted.as_model(), cell.task, todo, cell.sampling, cell.seed, done, helpers, FAILURES)
        finally:
            folder.close()
        fitted.save(folder.fitted)
        order = [r.id for r in cell.task.test]
        summary = summarise([self._outcomes[item] for item in order], cell.task)
        about = {
            "id": cell.id,
            "label": cell.label,
            "method": cell.method.info.name,
            "reference": cell.reference,
            "level": cell.method.info.level,
            "role": cell.role,
            "options": cell.method.options,
            "task": cell.task.name,
            "fit_on": cell.fit_on.name if cell.fit_on else None,
            "seed": cell.seed,
            "members": cell.pool.names,
            "reads_dev": cell.fit_on is not None and cell.method.info.fit != "never",
            "summary": summary.to_json(),
        }
        folder.finish(order, about)

    def _manifest(self, plans: Sequence[Plan], known: Sequence[Cell]) -> dict[str, Any]:
        """What was run, with what, by which command; ``cells`` are those known before anything has run."""
        return {
            "config": self.config.model_dump(mode="json"),
            "moco": __version__,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
            "seeds": list(self.config.seeds),
            "cells": [cell.id for cell in known],
            "members": {m.name: {"fingerprint": m.model.fingerprint, "description": m.description} for m in plans[0].pool},
            "tasks": {
                t.name: {
                    "fingerprint": t.fingerprint,
                    "dev": len(t.dev),
                    "test": len(t.test),
                    "source": t.source,
                    "licence": t.licence,
                    "notes": list(t.notes),
                }
                for t in self.tasks.values()
            },
            "prompts": {t.name: t.prompt.fingerprint() for t in self.tasks.values()},
            **({"sandbox": default_sandbox().level} if any("code" in kinds_of(t) for t in self.tasks.values()) else {}),
        }

    def _timing(self, plans: Sequence[Plan]) -> None:
        """What depends on the clock and the cache; earlier runs' seconds are kept."""
        file = self.out / "timing.json"
        cells, runs = earlier_times(file)
        seconds = {**cells, **{k: round(v, 3) for k, v in self.seconds.items()}}
        asked = {m for p in plans for m in (*(m.model for m in p.pool), *vars(p.pool.aux).values()) if isinstance(m, CachedModel)}
        spent = {m.name: {"calls": m.paid_calls, "tokens": m.paid_tokens} for m in sorted(asked, key=lambda m: m.name)}
        run = {
            "seconds": round(time.time() - self.started, 3),
            "paid": spent,
            "store": {"hits": self.store.hits, "misses": self.store.misses, "damaged": self.store.damaged},
        }
        write_json(file, {"cells": seconds, "runs": [*runs, run]})


def earlier_times(file: Path) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Seconds by cell and the runs that timing.json tells of; none where it cannot be read: a run is not lost for its clock."""
    try:
        before = json.loads(file.read_text(encoding="utf-8"))
        return dict(before["cells"]), list(before["runs"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}, []


def item_line(task: Task, record: Record) -> dict[str, Any]:
    """What items.jsonl keeps of a question: enough to show it and to grade an answer to it again by rule."""
    spec = task.spec_of(record)
    line: dict[str, Any] = {
        "task": task.name,
        "id": record.id,
        "kind": spec.kind,
        "question": task.messages(record)[-1].content,
        "gold": task.gold_of(record),
    }
    if spec.labels:
        line |= {"labels": list(spec.labels), "choices": list(spec.choices)}
    if spec.tolerance is not None:
        line["tolerance"] = spec.tolerance
    if task.metric in getattr(KINDS.get(spec.kind), "metrics", ()):
        line["metric"] = task.metric
    if task.whole_groups and record.group is not None:
        line["unit"] = record.group
    return line
