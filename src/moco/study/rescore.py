"""The answers of a finished run under other graders: what of a gain is wording.

Invariant: nobody is asked anything; a run directory is all that is read. Scores are means over items (or whole groups), each
first averaged over the seeds, as on the leaderboard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from scipy import stats

from moco.core.errors import ConfigError, DataError, did_you_mean
from moco.core.types import AnswerSpec
from moco.study.statistics import interval
from moco.study.study import RunData
from moco.tasks.graders.base import Grade, strict_score
from moco.tasks.graders.readings import READINGS, unknown_readings


@dataclass(frozen=True)
class Reading:
    """One label on one task under one grader. ``rank`` is among the labels of the same task, 1 is best; equal means share one.

    ``emergent``: share of the answers that were right on items which no member alone got right with any seed; None for members.
    """

    mean: float
    low: float
    high: float
    unparsed: float
    rank: int = 0
    emergent: float | None = None


@dataclass
class Row:
    """A label on a task under every grader; ``skipped`` answers have a kind that only the run's own grader could judge."""

    label: str
    role: str
    task: str
    n: int
    skipped: int
    readings: dict[str, Reading] = field(default_factory=dict)


@dataclass(frozen=True)
class Rescored:
    """A run read again. ``agreement`` is Kendall's tau-b between the rankings of two graders, by task.

    ``left_out``: how many answers of a task are of kinds that only the run's own grader could judge, where there are any.
    """

    graders: list[str]
    rows: list[Row]
    agreement: list[dict[str, Any]]
    left_out: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        rows = [_short(asdict(row)) for row in self.rows]
        return {"graders": self.graders, "rows": rows, "agreement": self.agreement, "left_out": self.left_out}


@dataclass
class _Scores:
    """Of one label on one task under one grader: score by (seed, item), unit of an item, and how many were read."""

    by_item: dict[tuple[int, str], float] = field(default_factory=dict)
    unit: dict[str, str] = field(default_factory=dict)
    unread: int = 0


def rescore(run: RunData, graders: Sequence[str]) -> Rescored:
    """Every answer of ``run`` under each of ``graders``.

    Raises ConfigError for an unknown grader, DataError for a run without items, or with none that a rule grades.
    """
    for name in unknown_readings(graders):
        raise ConfigError(f"unknown grader '{name}'", where="--grader", remedy=did_you_mean(name, READINGS))
    if not run.items:
        raise DataError(
            "the run keeps no items.jsonl", where=str(run.path), remedy="run the study again with this version of moco"
        )
    scores: dict[tuple[str, str, str, str], _Scores] = {}
    skipped: dict[tuple[str, str, str], int] = {}
    for cell in run.results["cells"]:
        key = (cell["role"], cell["label"], cell["task"])
        skipped.setdefault(key, 0)
        for outcome in run.cell(cell["id"]).kept().values():
            item = run.items[cell["task"]][outcome.id]
            spec = _spec(item)
            found = {name: _read(name, outcome.text, item, spec) for name in graders}
            if any(grade is None for grade in found.values()):
                skipped[key] += 1
                continue
            for name, grade in found.items():
                assert grade is not None
                held = scores.setdefault((*key, name), _Scores())
                held.by_item[cell["seed"], outcome.id] = grade.score
                held.unit[outcome.id] = item.get("unit", outcome.id)
                held.unread += not grade.parsed
    rows = [_row(key, skipped[key], scores, graders) for key in skipped if (*key, graders[0]) in scores]
    if not rows:
        raise DataError(
            "no answer of the run can be graded again",
            where=str(run.path),
            why="its kinds need somebody to ask (code, reward, generation, ...), or every item failed",
            remedy="rescore a run with answers that a rule grades",
        )
    left_out: dict[str, int] = {}
    for (_, _, task), count in skipped.items():
        if count:
            left_out[task] = left_out.get(task, 0) + count
    _rank(rows, graders)
    return Rescored(list(graders), rows, _agreement(rows, graders), left_out)


def _read(grader: str, text: str, item: Mapping[str, Any], spec: AnswerSpec) -> Grade | None:
    """The grade of an answer under one grader; one that gives the figure which the run scored by scores by it too."""
    grade = READINGS[grader](item["kind"], text, item["gold"], spec)
    if grade is None or item.get("metric") not in grade.metrics:
        return grade
    score = grade.metrics[item["metric"]]
    return replace(grade, score=strict_score(score, grade.rule) if grader == "strict" else score)


def _spec(item: Mapping[str, Any]) -> AnswerSpec:
    return AnswerSpec(
        item["kind"], tuple(item.get("labels", ())), tuple(item.get("choices", ())), item.get("tolerance"), item["question"]
    )


def _row(
    key: tuple[str, str, str], skipped: int, scores: Mapping[tuple[str, str, str, str], _Scores], graders: Sequence[str]
) -> Row:
    role, label, task = key
    alone = {k[1] for k in scores if k[0] == "member" and k[2] == task}
    row = Row(label, role, task, 0, skipped)
    for name in graders:
        held = scores[(*key, name)]
        units: dict[str, list[float]] = {}
        for unit, value in _by_unit(held).items():
            units.setdefault(unit[1], []).append(value)
        means = [sum(values) / len(values) for values in units.values()]
        bounds = interval(means)
        assert bounds is not None
        solved_alone = {
            item
            for member in alone
            for item, value in scores["member", member, task, name].by_item.items()
            if value >= 1 and member != label
        }
        emergent = None
        if role == "method" and alone:
            emergent = sum(v >= 1 and item not in solved_alone for item, v in held.by_item.items()) / len(held.by_item)
        row.n = len(means)
        row.readings[name] = Reading(
            sum(means) / len(means), bounds[0], bounds[1], held.unread / len(held.by_item), emergent=emergent
        )
    return row


def _by_unit(held: _Scores) -> dict[tuple[int, str], float]:
    """Score by (seed, unit): a group is as good as its worst item."""
    found: dict[tuple[int, str], float] = {}
    for (seed, item), value in held.by_item.items():
        at = (seed, held.unit[item])
        found[at] = min(found.get(at, value), value)
    return found


def _rank(rows: Sequence[Row], graders: Sequence[str]) -> None:
    for name in graders:
        for row in rows:
            own = row.readings[name]
            better = sum(r.readings[name].mean > own.mean + 1e-12 for r in rows if r.task == row.task)
            row.readings[name] = Reading(own.mean, own.low, own.high, own.unparsed, better + 1, own.emergent)


def _agreement(rows: Sequence[Row], graders: Sequence[str]) -> list[dict[str, Any]]:
    """How alike two graders rank the labels of a task, and who changes place."""
    found = []
    for task in dict.fromkeys(row.task for row in rows):
        mine = [row for row in rows if row.task == task]
        for i, one in enumerate(graders):
            for other in graders[i + 1 :]:
                ranks = [(row.label, row.readings[one].rank, row.readings[other].rank) for row in mine]
                tau = stats.kendalltau([r[1] for r in ranks], [r[2] for r in ranks]).statistic if len(ranks) > 1 else float("nan")
                moved = [{"label": label, one: a, other: b} for label, a, b in ranks if a != b]
                found.append(
                    {"task": task, "graders": [one, other], "tau": None if tau != tau else round(float(tau), 6), "moved": moved}
                )
    return found


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _short(v) for k, v in value.items()}
    return round(value, 6) if isinstance(value, float) else value
