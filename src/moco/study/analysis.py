"""From finished cells to a leaderboard and comparisons: paired tests against honest baselines, Holm over methods.

Pure functions of outcomes; the same cells give the same bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from moco.study.cell import Cell
from moco.study.figures import units
from moco.study.outcomes import Outcome
from moco.study.statistics import Comparison, holm, interval_of_means, over_seeds, paired, share_won
from moco.study.summary import Summary, summarise

AGAINST = ("best_single_on_dev", "oracle_single", "equal_tokens")


@dataclass(frozen=True)
class Finished:
    """A cell with its outcomes, in the task's order."""

    cell: Cell
    outcomes: list[Outcome]

    @property
    def summary(self) -> Summary:
        return summarise(self.outcomes, self.cell.task)


def by_item(cells: Sequence[Finished]) -> dict[str, float]:
    """Mean score of each item (or whole group) over the seeds; one that failed in any seed is left out."""
    scores: dict[str, list[float]] = {}
    for finished in cells:
        for unit, score in units(finished.outcomes, finished.cell.task).items():
            if score is not None:
                scores.setdefault(unit, []).append(score)
    return {item: sum(s) / len(s) for item, s in scores.items() if len(s) == len(cells)}


def compare(a: Mapping[str, float], b: Mapping[str, float]) -> Comparison | None:
    """Paired comparison over the items both answered; None where there are none."""
    common = [item for item in a if item in b]
    return paired([a[i] for i in common], [b[i] for i in common]) if common else None


def analyse(cells: Sequence[Finished], best_on_dev: Mapping[str, Mapping[int, str]]) -> dict[str, Any]:
    """The deterministic part of a run: cells, leaderboard, comparisons, share of settings won."""
    groups: dict[tuple[str, str, str], list[Finished]] = {}
    for finished in cells:
        groups.setdefault((finished.cell.role, finished.cell.label, finished.cell.task.name), []).append(finished)
    comparisons = []
    for (role, label, task), group in groups.items():
        if role != "method" or group[0].cell.method.info.level == "baseline":
            continue
        if not _settled(group):
            continue
        own = by_item(group)
        for against, (reference, rivals) in _references(task, label, groups, best_on_dev).items():
            found = compare(own, by_item(rivals)) if _settled(rivals) else None
            if found is not None:
                every = {unit for f in (*group, *rivals) for unit in units(f.outcomes, f.cell.task)}
                about = {
                    "label": label,
                    "task": task,
                    "against": against,
                    "reference": reference,
                    "left_out": len(every) - found.n,
                }
                comparisons.append({**about, **_rounded(asdict(found))})
    for against in AGAINST:
        family = {f"{c['label']}|{c['task']}": c["p"] for c in comparisons if c["against"] == against}
        adjusted = holm(family)
        for comparison in comparisons:
            if comparison["against"] == against:
                comparison["p_holm"] = round(adjusted[f"{comparison['label']}|{comparison['task']}"], 6)
    won = [c["difference"] for c in comparisons if c["against"] == "best_single_on_dev"]
    failed = sum(f.summary.failed for f in cells)
    return {
        "cells": [_cell(f) for f in cells],
        "best_on_dev": {task: {str(seed): name for seed, name in seeds.items()} for task, seeds in best_on_dev.items()},
        "leaderboard": leaderboard(groups),
        "comparisons": comparisons,
        "share_won": _rounded(asdict(share_won(won))) if won else None,
        "complete": failed == 0,
        "failed_items": failed,
        "failed_for_good": sum(o.for_good for f in cells for o in f.outcomes if o.failed),
        "failures": failures(cells),
    }


def _settled(group: Sequence[Finished]) -> bool:
    """Whether another run would find the same: a cell with failures that may pass takes no part in tests. Questions that fail
    for good are left out of the pairs, and their number is stated."""
    return not any(o.failed and not o.for_good for f in group for o in f.outcomes)


def failures(cells: Sequence[Finished]) -> list[dict[str, Any]]:
    """Why items failed, the most frequent reason first; ``for_good``: asking again fails alike."""
    counted = Counter((o.failed, o.for_good) for f in cells for o in f.outcomes if o.failed)
    ordered = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    return [{"reason": reason, "for_good": for_good, "n": n} for (reason, for_good), n in ordered]


def _references(
    task: str, label: str, groups: Mapping[tuple[str, str, str], list[Finished]], best_on_dev: Mapping[str, Mapping[int, str]]
) -> dict[str, tuple[str, list[Finished]]]:
    """What a method is compared with on a task: (name, its cells)."""
    alone = {name: group for (role, name, where), group in groups.items() if role == "member" and where == task}
    out: dict[str, tuple[str, list[Finished]]] = {}
    if alone:
        chosen = best_on_dev.get(task, {})
        picked = [f for group in alone.values() for f in group if chosen.get(f.cell.seed) == f.cell.label]
        if picked:
            out["best_single_on_dev"] = (", ".join(sorted({f.cell.label for f in picked})), picked)
        oracle = max(alone, key=lambda name: (_mean(alone[name]), name))
        out["oracle_single"] = (oracle, alone[oracle])
    rivals = [
        f
        for (role, _, where), g in groups.items()
        if role == "equal_tokens" and where == task
        for f in g
        if label in f.cell.rivals
    ]
    if rivals:
        out["equal_tokens"] = (", ".join(sorted({f.cell.label for f in rivals})), rivals)
    return out


def leaderboard(groups: Mapping[tuple[str, str, str], list[Finished]]) -> list[dict[str, Any]]:
    """One row per method, member and equal-token baseline, best mean first; the mean is over tasks, each weighing alike."""
    rows: dict[tuple[str, str], dict[str, list[Finished]]] = {}
    for (role, label, task), group in groups.items():
        rows.setdefault((role, label), {})[task] = group
    out = [_row(role, label, tasks) for (role, label), tasks in rows.items()]
    return sorted(out, key=lambda row: (-len(row["tasks"]), -(row["mean"] if row["mean"] is not None else -1.0), row["label"]))


def _row(role: str, label: str, tasks: Mapping[str, list[Finished]]) -> dict[str, Any]:
    every = [f for group in tasks.values() for f in group]
    means = {task: _mean(group) for task, group in tasks.items()}
    items = {task: by_item(group) for task, group in tasks.items()}
    total = summarise([o for f in every for o in f.outcomes])
    scores = [s for scored in items.values() for s in scored.values()]
    mean = float(np.mean(list(means.values()))) if scores else None
    bounds = interval_of_means([list(scored.values()) for scored in items.values()])
    seeds = sorted({f.cell.seed for f in every})
    per_seed = {s: [_mean([f]) for f in every if f.cell.seed == s and f.summary.n] for s in seeds}
    spread = over_seeds({s: v for s, v in per_seed.items() if v})[1] if scores else None
    return {
        "label": label,
        "level": every[0].cell.method.info.level,
        "role": role,
        "tasks": {task: round(value, 6) for task, value in means.items()},
        "mean": None if mean is None else round(mean, 6),
        "low": None if bounds is None else round(bounds[0], 6),
        "high": None if bounds is None else round(bounds[1], 6),
        "n": len(scores),
        "unparsed": round(total.unparsed, 6),
        "truncated": round(total.truncated, 6),
        "tokens_per_query": round(total.tokens, 6),
        "calls_per_query": round(total.usage.calls / max(total.asked, 1), 6),
        "seeds_sd": None if spread is None else round(spread, 6),
        "failed": total.failed,
    }


def _mean(group: Sequence[Finished]) -> float:
    scores = by_item(group)
    return float(np.mean(list(scores.values()))) if scores else 0.0


def _cell(finished: Finished) -> dict[str, Any]:
    cell = finished.cell
    return {
        "id": cell.id,
        "label": cell.label,
        "method": cell.method.info.name,
        "level": cell.method.info.level,
        "role": cell.role,
        "task": cell.task.name,
        "seed": cell.seed,
        "rivals": list(cell.rivals),
        "summary": finished.summary.to_json(),
    }


def _rounded(data: Mapping[str, Any]) -> dict[str, Any]:
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in data.items()}
