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
from moco.core.errors import BackendError, NotStored
from moco.core.types import Call
from moco.discussion import Ranking, rank_on_dev
from moco.models import store as store_module
from moco.models.cached import CachedModel, stored_only
from moco.models.store import Store
from moco.routers import paid
from moco.study.analysis import Finished, analyse
from moco.study.cell import Cell, CellFolder, read_lines, write_json, write_lines
from moco.study.config import StudyConfig
from moco.study.outcomes import Outcome, answer_all
from moco.study.plan import Plan, candidates, equal_token_cells, kinds_of, make_plan
from moco.study.stages import has_stages, stage_lines
from moco.study.summary import summarise
from moco.tasks import Helpers, Record, Task
from moco.tasks.sandbox import default_sandbox


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
        self, config: StudyConfig, tasks: Mapping[str, Task], methods: Mapping[str, Method], out: Path, store: Store, watch: Watch
    ) -> None:
        self.config, self.tasks, self.methods = config, tasks, methods
        self.out, self.store, self.watch = out, store, watch
        self.seconds: dict[str, float] = {}
        self.started = time.time()
        self._outcomes: dict[str, Outcome] = {}
        self._graded: dict[tuple[str, int], dict[tuple[str, str], float | None]] = {}
        """By task and seed: scores of what members said alone, by item and text."""

    async def run(self) -> dict[str, Any]:
        """Run everything that is not finished yet; returns the results that are also written to results.json."""
        flusher = asyncio.create_task(self._flush_now_and_then())
        try:
            return await self._run()
        finally:
            flusher.cancel()
            self.store.flush()

    async def _flush_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(store_module.FLUSH_SECONDS)
            self.store.flush()

    async def _run(self) -> dict[str, Any]:
        plans = [await make_plan(self.config, self.tasks, self.methods, s, self.store, self.watch.fit) for s in self.config.seeds]
        self._manifest(plans)
        self._items()
        known = [c for p in plans for c in (*p.alone, *p.cells)]
        self.watch.plan(len(known), sum(len(c.task.test) for c in known))
        finished: list[Finished] = []
        best: dict[str, dict[int, str]] = {}
        for plan in plans:
            rankings = (
                {name: await self._ranking(plan, task) for name, task in plan.tasks.items()} if self.config.baselines else {}
            )
            for name, ranking in rankings.items():
                best.setdefault(name, {})[plan.seed] = ranking.names[0]
            done = [await self._cell(cell) for cell in (*plan.alone, *plan.cells)]
            finished += done
            if self.config.baselines:
                tokens = {(f.cell.label, f.cell.task.name): f.summary.tokens for f in done}
                extra = equal_token_cells(plan, tokens, {t: r.names[0] for t, r in rankings.items()})
                self.watch.plan(len(extra), sum(len(c.task.test) for c in extra))
                finished += [await self._cell(cell) for cell in extra]
        results = {
            "moco": __version__,
            "tasks": {t.name: {"n": len(t.test), "kinds": kinds_of(t)} for t in self.tasks.values()},
            "seeds": list(self.config.seeds),
            **analyse(finished, best),
        }
        write_json(self.out / "results.json", results)
        self._timing(plans)
        return results

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
            await answer_all(fitted.as_model(), cell.task, todo, cell.sampling, cell.seed, done, helpers)
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

    def _manifest(self, plans: Sequence[Plan]) -> None:
        pool = plans[0].pool
        write_json(
            self.out / "manifest.json",
            {
                "config": self.config.model_dump(mode="json"),
                "moco": __version__,
                "python": platform.python_version(),
                "platform": platform.platform(),
                "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
                "seeds": list(self.config.seeds),
                "members": {m.name: {"fingerprint": m.model.fingerprint, "description": m.description} for m in pool},
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
            },
        )

    def _items(self) -> None:
        """items.jsonl: every test question as it is asked and what it is graded against, for whoever reads the run later."""
        write_lines(self.out / "items.jsonl", (item_line(task, record) for task in self.tasks.values() for record in task.test))

    def _timing(self, plans: Sequence[Plan]) -> None:
        """What depends on the clock and the cache; earlier runs' seconds are kept."""
        file = self.out / "timing.json"
        before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"cells": {}, "runs": []}
        seconds = {**before["cells"], **{k: round(v, 3) for k, v in self.seconds.items()}}
        asked = {m for p in plans for m in (*(m.model for m in p.pool), *vars(p.pool.aux).values()) if isinstance(m, CachedModel)}
        spent = {m.name: {"calls": m.paid_calls, "tokens": m.paid_tokens} for m in sorted(asked, key=lambda m: m.name)}
        run = {
            "seconds": round(time.time() - self.started, 3),
            "paid": spent,
            "store": {"hits": self.store.hits, "misses": self.store.misses, "damaged": self.store.damaged},
        }
        write_json(file, {"cells": seconds, "runs": [*before["runs"], run]})


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
