"""Two labels of a finished run against each other, question by question: the paired test, and the questions that flipped.

Invariant: a function of the run directory; nobody is asked anything. A unit (an item, or a whole group) counts with its mean
over the seeds that both labels were run with, and only where neither failed it: how many were left out is said.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from moco.core.errors import ConfigError, DataError, did_you_mean
from moco.study.cell import read_lines
from moco.study.statistics import Comparison, holm, paired, sign_flip
from moco.study.study import RunData

ROLES = ("method", "member", "equal_tokens", "reference")
"""Where a name is looked up, in this order."""


@dataclass(frozen=True)
class Side:
    """One of the two: its label and the role it was run in."""

    label: str
    role: str


@dataclass(frozen=True)
class OnTask:
    """One task: means ``a`` and ``b`` over the ``result.n`` units that both answered; ``left_out`` units are not among them.

    ``p_holm`` is the p adjusted for the number of tasks.
    """

    task: str
    a: float
    b: float
    result: Comparison
    p_holm: float
    left_out: int


@dataclass(frozen=True)
class Overall:
    """The mean over the tasks of ``a`` minus ``b``, each weighing alike, with its 95 % interval and two-sided p."""

    difference: float
    low: float
    high: float
    p: float
    tasks: int


@dataclass(frozen=True)
class Said:
    """What one side answered with one seed; ``extracted`` is the answer that was read, None where none was."""

    seed: int
    score: float
    extracted: str | None
    text: str


@dataclass(frozen=True)
class Flip:
    """A question on which the two differ: mean scores over the seeds, and the answers of each seed."""

    task: str
    id: str
    question: str
    gold: str
    a_score: float
    b_score: float
    a: tuple[Said, ...]
    b: tuple[Said, ...]


@dataclass(frozen=True)
class Contest:
    """``a`` against ``b``: task by task, over the tasks (None where there is one), and the flipped questions."""

    a: Side
    b: Side
    seeds: tuple[int, ...]
    tasks: tuple[OnTask, ...]
    overall: Overall | None
    flips: tuple[Flip, ...]

    def to_json(self) -> dict[str, Any]:
        tasks = [
            {"task": t.task, "a": t.a, "b": t.b, **asdict(t.result), "p_holm": t.p_holm, "left_out": t.left_out}
            for t in self.tasks
        ]
        return {
            "a": asdict(self.a),
            "b": asdict(self.b),
            "seeds": list(self.seeds),
            "tasks": [_short(t) for t in tasks],
            "overall": None if self.overall is None else _short(asdict(self.overall)),
            "flips": [_short(asdict(f)) for f in self.flips],
        }


Answers = dict[str, dict[int, Said | None]]
"""By item and seed; None where the item failed."""


def contest(run: RunData, a: str, b: str) -> Contest:
    """``a`` against ``b`` on every task that both were run on.

    Raises ConfigError for a label the run does not hold or two equal ones, DataError where the two share no answered question.
    """
    left, right = side(run, a), side(run, b)
    if left == right:
        raise ConfigError(f"'{a}' is compared with itself", where="moco compare", remedy="name two different labels")
    found: list[OnTask] = []
    flips: list[Flip] = []
    pairs: list[tuple[list[float], list[float]]] = []
    used: set[int] = set()
    for task in run.results["tasks"]:
        ours, theirs = _answers(run, left, task), _answers(run, right, task)
        seeds = sorted(set(ours) & set(theirs))
        if not seeds:
            continue
        used |= set(seeds)
        one, other = _by_item(ours, seeds), _by_item(theirs, seeds)
        every = dict.fromkeys([*one, *other])
        items = {i: run.items.get(task, {}).get(i, {}) for i in every}
        x, y = _units(one, items), _units(other, items)
        common = [u for u in x if x[u] is not None and y.get(u) is not None]
        if not common:
            continue
        xs, ys = [_known(x[u]) for u in common], [_known(y[u]) for u in common]
        result = paired(xs, ys)
        left_out = len(set(x) | set(y)) - len(common)
        found.append(OnTask(task, sum(xs) / len(xs), sum(ys) / len(ys), result, result.p, left_out))
        pairs.append((xs, ys))
        flips += [f for i in every if (f := _flip(task, i, items[i], one.get(i, {}), other.get(i, {}))) is not None]
    if not found:
        raise DataError(
            f"{a} and {b} share no answered question",
            where=str(run.path),
            why="they were run on different tasks or seeds, or every question failed for one of them",
            remedy="run the study again, or name two labels that moco report shows on one task",
        )
    adjusted = holm({t.task: t.result.p for t in found})
    tasks = tuple(replace(t, p_holm=adjusted[t.task]) for t in found)
    flips.sort(key=lambda f: -abs(f.a_score - f.b_score))  # stable: equal gaps stay in the order of the run
    return Contest(left, right, tuple(sorted(used)), tasks, _overall(tasks, pairs), tuple(flips))


def side(run: RunData, label: str) -> Side:
    """The row of the leaderboard called ``label``: a method before a member, a member before a baseline; raises ConfigError."""
    roles = {row["role"] for row in run.results["leaderboard"] if row["label"] == label}
    for role in ROLES:
        if role in roles:
            return Side(label, role)
    names = list(dict.fromkeys(row["label"] for row in run.results["leaderboard"]))
    raise ConfigError(f"the run holds nothing called '{label}'", where=str(run.path), remedy=did_you_mean(label, names))


def _answers(run: RunData, who: Side, task: str) -> dict[int, dict[str, Said | None]]:
    """By seed and item, in the order of the task."""
    found: dict[int, dict[str, Said | None]] = {}
    for about in run.results["cells"]:
        if (about["label"], about["role"], about["task"]) == (who.label, who.role, task):
            lines = read_lines(run.cell(about["id"]).answers)
            found[about["seed"]] = {line["id"]: _said(line, about["seed"]) for line in lines}
    return found


def _said(line: Mapping[str, Any], seed: int) -> Said | None:
    return None if line["score"] is None else Said(seed, line["score"], line["extracted"], line["text"])


def _by_item(answers: Mapping[int, Mapping[str, Said | None]], seeds: Sequence[int]) -> Answers:
    found: Answers = {}
    for seed in seeds:
        for item, said in answers[seed].items():
            found.setdefault(item, {})[seed] = said
    return {item: {s: by_seed.get(s) for s in seeds} for item, by_seed in found.items()}


def _units(answers: Answers, items: Mapping[str, Mapping[str, Any]]) -> dict[str, float | None]:
    """Mean score over the seeds by unit: a group is as good as its worst item; None where a part of it failed."""
    groups: dict[str, list[dict[int, Said | None]]] = {}
    for item, by_seed in answers.items():
        groups.setdefault(str(items[item].get("unit", item)), []).append(by_seed)
    found: dict[str, float | None] = {}
    for unit, parts in groups.items():
        worst = []
        for seed in parts[0]:
            scores = [said.score for part in parts if (said := part[seed]) is not None]
            if len(scores) == len(parts):
                worst.append(min(scores))
        found[unit] = sum(worst) / len(worst) if len(worst) == len(parts[0]) else None
    return found


def _known(value: float | None) -> float:
    assert value is not None
    return value


def _flip(
    task: str, item: str, about: Mapping[str, Any], a: Mapping[int, Said | None], b: Mapping[int, Said | None]
) -> Flip | None:
    """The item where the two scored differently; None where they did not, or one of them failed it."""
    ours, theirs = [s for s in a.values() if s is not None], [s for s in b.values() if s is not None]
    if not ours or not theirs or len(ours) < len(a) or len(theirs) < len(b):
        return None
    one, other = sum(s.score for s in ours) / len(ours), sum(s.score for s in theirs) / len(theirs)
    if one == other:
        return None
    gold = about.get("gold", "")
    right = gold if isinstance(gold, str) else ", ".join(map(str, gold)) if isinstance(gold, list) else str(gold)
    return Flip(task, item, about.get("question", ""), right, one, other, tuple(ours), tuple(theirs))


def _overall(tasks: Sequence[OnTask], pairs: Sequence[tuple[list[float], list[float]]]) -> Overall | None:
    """The mean of the tasks' differences; None for one task, which says it all.

    The interval recovers each task's variance from its own interval (Zou, Huang & Zhang 2009, Comput. Stat. Data Anal. 53);
    p is the sign-flip permutation of all pairs, each weighing as its task weighs.
    """
    if len(tasks) < 2:
        return None
    below = sum((t.result.difference - t.result.low) ** 2 for t in tasks)
    above = sum((t.result.high - t.result.difference) ** 2 for t in tasks)
    mean = sum(t.result.difference for t in tasks) / len(tasks)
    a = [x / len(xs) for xs, _ in pairs for x in xs]
    b = [y / len(ys) for _, ys in pairs for y in ys]
    return Overall(mean, mean - math.sqrt(below) / len(tasks), mean + math.sqrt(above) / len(tasks), sign_flip(a, b), len(tasks))


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _short(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_short(v) for v in value]
    return round(value, 6) if isinstance(value, float) else value


__all__ = ["Contest", "Flip", "OnTask", "Overall", "Said", "Side", "contest", "side"]
