"""What is shown of a cell beside its mean: other readings of the same answers, macro means, and what counts as one unit.

Invariant: pure functions of outcomes and the task; nothing here asks anybody or reads an answer again.
"""

from __future__ import annotations

from collections.abc import Sequence

from moco.core.answering import KINDS
from moco.study.abstaining import ABSTAINED, abstaining
from moco.study.outcomes import Outcome
from moco.tasks import Record, Task
from moco.tasks.graders import RuleGraded
from moco.tasks.graders.base import strict_score
from moco.tasks.graders.generation import length_controlled


def units(outcomes: Sequence[Outcome], task: Task | None = None) -> dict[str, float | None]:
    """Score by unit: an item, or, where the task counts whole groups, a group, which is as good as its worst item.

    None where the item, or one of the group's, failed.
    """
    if task is None or not task.whole_groups:
        return {o.id: o.score for o in outcomes}
    group_of = {record.id: record.group or record.id for record in task.test}
    grouped: dict[str, list[float | None]] = {}
    for outcome in outcomes:
        grouped.setdefault(group_of.get(outcome.id, outcome.id), []).append(outcome.score)
    whole: dict[str, float | None] = {}
    for group, scores in grouped.items():
        known = [s for s in scores if s is not None]
        whole[group] = min(known) if len(known) == len(scores) else None
    return whole


def figures(outcomes: Sequence[Outcome], task: Task) -> dict[str, float]:
    """Figures of a cell by name, over the answers that did not fail.

    Means of what the grades hold beside the score (``em``, ``f1``, ...), over the answers that have it; ``strict``: the mean
    where an answer counts only in the form asked for; ``macro_SUBJECT``: the mean of the means per value of the task's macro
    key; ``length_controlled`` win rate (arXiv:2404.04475); ``macro_f1`` of label answers; ``per_item``: the plain mean where
    whole groups are what counts; what `abstaining` finds, where answers may be held back.
    """
    scored = [o for o in outcomes if o.score is not None]
    if not scored:
        return {}
    records = {record.id: record for record in task.test}
    found = {
        name: sum(o.metrics[name] for o in having) / len(having)
        for name in sorted({name for o in scored for name in o.metrics} - {ABSTAINED})
        if (having := [o for o in scored if name in o.metrics])
    }
    ruled = [o for o in scored if o.id in records and isinstance(KINDS.get(task.kind_of(records[o.id])), RuleGraded)]
    if ruled:
        found["strict"] = _mean([strict_score(o.score or 0.0, o.rule) for o in ruled])
    found |= abstaining(scored)
    compared = [o.metrics for o in scored if {"preference", "length_difference"} <= set(o.metrics)]
    if compared:
        found["length_controlled"] = length_controlled(
            [m["preference"] for m in compared], [m["length_difference"] for m in compared]
        )
    if task.whole_groups:
        found["per_item"] = _mean([o.score or 0.0 for o in scored])
    if task.macro:
        found[f"macro_{task.macro}"] = _macro(scored, records, task.macro)
    labelled = [o for o in scored if o.id in records and task.kind_of(records[o.id]) == "label"]
    if labelled and len(labelled) == len(scored):
        found["macro_f1"] = macro_f1([(_gold_label(task, records[o.id]), o.extracted, o.score == 1) for o in labelled])
    return found


def macro_f1(answers: Sequence[tuple[str, str | None, bool]]) -> float:
    """Unweighted mean over the gold labels of their F1; ``answers`` are (gold label, label read, whether it was right).

    A label that is never gold has no F1 of its own; naming it costs recall of the label that was right.
    """
    golds = sorted({gold for gold, _, _ in answers})
    total = 0.0
    for label in golds:
        hits = sum(right for gold, _, right in answers if gold == label)
        wanted = sum(gold == label for gold, _, _ in answers)
        named = hits + sum(_same(said, label) and not right for _, said, right in answers)
        total += 2 * hits / (wanted + named) if wanted + named else 0.0
    return total / len(golds)


def _same(said: str | None, label: str) -> bool:
    return said is not None and said.casefold() == label.casefold()


def _gold_label(task: Task, record: Record) -> str:
    gold = task.gold_of(record)
    return gold if isinstance(gold, str) else ",".join(sorted(gold))


def _macro(scored: Sequence[Outcome], records: dict[str, Record], key: str) -> float:
    by_value: dict[str, list[float]] = {}
    for outcome in scored:
        value = str(records[outcome.id].meta.get(key, "")) if outcome.id in records else ""
        by_value.setdefault(value, []).append(outcome.score or 0.0)
    return _mean([_mean(scores) for scores in by_value.values()])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
