"""What every stage of a chain would have said to the questions of a cell, also where an earlier one answered: the data of curves.

One line per question in the cell's ``stages.jsonl``. Whether anything may be asked for it is the study's choice (``curves``).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from moco.collab import Fitted, Method, Progress, request_for
from moco.collab.run import bounded
from moco.core.query import Query
from moco.models.transcript import Recorder
from moco.routers import Recorded, Stage
from moco.study.cell import Cell
from moco.tasks import Helpers, Record

Graded = Mapping[tuple[str, str], float | None]
"""Scores that are known already, by item and text."""


def has_stages(cell: Cell) -> bool:
    """Whether the method of ``cell`` is a chain: it says what its stages say."""
    return type(cell.method).stages is not Method.stages


async def stage_lines(fitted: Fitted, cell: Cell, graded: Graded, progress: Progress) -> list[dict[str, Any]]:
    """One line per test question, in the task's order; raises what asking and grading raise.

    The cost of a stage is in the unit of the members' ``cost``, its score that of its answer, None where it gave none.
    """
    helpers = Helpers.of(cell.pool.aux, seed=cell.seed)

    async def one(record: Record) -> dict[str, Any]:
        query = Query.of(request_for(cell.task, record, cell.sampling, cell.seed))
        stages = await fitted.method.stages(query, fitted.pool.bind(query, Recorder()))
        return {"id": record.id, "stages": [await told(record, stage) for stage in stages]}

    async def told(record: Record, stage: Stage) -> dict[str, Any]:
        score, draft = None, stage.look.draft
        if draft is not None:
            known = graded.get((record.id, draft.text))
            score = (await cell.task.score(record, draft.text, helpers)).score if known is None else known
        return {
            "member": stage.member,
            "threshold": number(stage.threshold),
            "confidence": number(stage.look.value),
            "cost": stage.look.cost,
            "score": score,
        }

    records = list(cell.task.test)
    done = functools.partial(progress, f"curve of {cell.label}", total=len(records))
    return await bounded(one, records, lambda count: done(done=count))


def number(value: float) -> float | str:
    """``value`` for JSON, which knows nothing infinite: "inf" and "-inf" are what ``float`` reads."""
    return value if np.isfinite(value) else str(value)


def recorded(lines: Sequence[Mapping[str, Any]]) -> Recorded | None:
    """The chain of one cell from its lines; None where there are none, or nobody answered anything.

    A stage that failed is passed by whatever its threshold; if it is the last, the answer is that of the latest before it.
    """
    if not lines:
        return None
    scores = np.array([[np.nan if s["score"] is None else s["score"] for s in line["stages"]] for line in lines]).T
    costs = np.array([[s["cost"] for s in line["stages"]] for line in lines], np.float64).T
    sure = np.array([[float(s["confidence"]) for s in line["stages"]] for line in lines]).T
    sure[np.isnan(scores)] = np.nan
    for stage in range(1, len(scores)):
        scores[stage] = np.where(np.isnan(scores[stage]), scores[stage - 1], scores[stage])
    answered = ~np.isnan(scores[-1])
    if not answered.any():
        return None
    scores = np.where(np.isnan(scores), 0.0, scores)[:, answered]  # a first stage that failed accepts nothing: never looked at
    cuts = tuple(float(s["threshold"]) for s in lines[0]["stages"][:-1])
    return Recorded(scores, costs[:, answered], sure[:-1, answered], cuts)


__all__ = ["has_stages", "recorded", "stage_lines"]
