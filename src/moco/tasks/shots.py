"""Worked examples before the question: how many, of what, and the reply that is shown to each.

Invariant: the choice is a function of the records alone (the lowest hash of the id), an example never asks what a test record
asks, and one that is taken from dev is not in dev any more. Its reply is one that the task's own grader takes as right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from moco.core.errors import ConfigError, did_you_mean
from moco.core.seeds import derive
from moco.tasks.doubts import asked
from moco.tasks.record import Record, Shot, Task

RIGHT = frozenset({"multiple_choice", "label", "numeric", "math", "short_text"})
"""Kinds whose right answer can be written down behind 'Answer: '."""
_SPELLED = 40
_CALCULATOR = re.compile(r"<<[^<>\n]*=[^<>\n]*>>")
"""Marks of GSM8K's authors for a calculator (<<3*4=12>>), kept in the record; no reply shows them."""


@dataclass(frozen=True)
class FewShot:
    """What a study asks for: ``count`` examples before every question.

    ``source`` is ``own`` (the task's own, where its authors give some), ``dev``, or a data file; "" is the task's own, else
    dev. ``per`` names a key in ``meta``, and a question is then shown ``count`` examples of its own value; None takes
    the task's own (its subtasks, where it has some), and "" shows all questions the same.
    """

    count: int
    source: str = ""
    per: str | None = None

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ConfigError(f"few_shot is {self.count}", where="few_shot", remedy="give 0 or more")


def with_shots(task: Task, wanted: FewShot, read: Callable[[Path], list[Record]]) -> Task:
    """``task`` asked with the examples that ``wanted`` names; ``read`` gives the records of a data file.

    Raises ConfigError where there are not so many, or where no right reply to them can be written.
    """
    if wanted.count == 0:
        return replace(task, prompt=replace(task.prompt, shots=(), shots_by=""))
    if all(record.messages is not None for record in task.test):
        raise _fault(
            task, "its records bring a chat of their own", "leave few_shot out, and write the examples into the messages"
        )
    source = wanted.source or ("own" if task.worked else "dev")
    if source == "own":
        return _own(task, wanted.count)
    found = task.dev if source == "dev" else read(Path(source).expanduser())
    per = task.prompt.shots_by if wanted.per is None else wanted.per
    if wanted.per is None and not any(per in record.meta for record in task.test):
        per = ""  # a released file may not say what a question is about
    values = _values(task, per) if per else [""]
    taken = {asked(record) for record in task.test} | {("group", record.group) for record in task.test if record.group}
    usable = [r for r in found if r.messages is None and asked(r) not in taken and ("group", r.group) not in taken]
    usable.sort(key=lambda record: derive("few-shot", record.id))
    shots: list[Shot] = []
    short: list[str] = []
    for value in values:
        chosen = list(_first(task, (r for r in usable if not per or _value(r, per) == value), wanted.count))
        shots += chosen
        if len(chosen) < wanted.count:
            short.append(f"{value or 'all'} ({len(chosen)})")
    if not shots or (short and not per):
        kinds = sorted({task.kind_of(record) for record in found} - RIGHT - {"likelihood"})
        why = f" (a right reply of kind {' or '.join(kinds)} cannot be written down)" if kinds else ""
        what = f"only {len(shots)} of {len(found)} records of {source} can be worked examples{why}"
        raise _fault(task, what, "ask for fewer, or name a data file as the source", wanted.count)
    return _taught(task, shots, per, short, source)


def _own(task: Task, count: int) -> Task:
    if len(task.worked) < count:
        raise _fault(task, f"it has {len(task.worked)} worked examples of its own", "ask for fewer, or take source: dev", count)
    return replace(task, prompt=replace(task.prompt, shots=task.worked[:count], shots_by=""))


def _taught(task: Task, shots: Sequence[Shot], per: str, short: Sequence[str], source: str) -> Task:
    """``task`` with ``shots``, and a dev without them, their questions and their groups."""
    gone = {asked(shot.record) for shot in shots} | {("group", shot.record.group) for shot in shots if shot.record.group}
    dev = [record for record in task.dev if asked(record) not in gone and ("group", record.group) not in gone]
    ids = [shot.record.id for shot in shots]
    told = ", ".join(ids[:_SPELLED]) + (f", and {len(ids) - _SPELLED} more" if len(ids) > _SPELLED else "")
    notes = [f"{len(ids)} worked examples of {source}" + (f", chosen by {per}" if per else "") + f": {told}"]
    if len(dev) < len(task.dev):
        notes.append(f"{len(task.dev) - len(dev)} records left dev with them: they, their questions and their groups")
    if short:
        notes.append(f"fewer worked examples than asked for where {per} is {', '.join(short)}")
    prompt = replace(task.prompt, shots=tuple(shots), shots_by=per)
    return replace(task, dev=dev, prompt=prompt, notes=(*task.notes, *notes))


def _first(task: Task, records: Iterable[Record], count: int) -> Iterator[Shot]:
    """The first ``count`` of ``records`` to which a right reply can be written, one of a group or question."""
    seen: set[object] = set()
    for record in records:
        if count == 0:
            return
        key = record.group or asked(record)
        reply = None if key in seen else worked_reply(task, record)
        if reply is not None:
            seen.add(key)
            count -= 1
            yield Shot(record, reply)


def worked_reply(task: Task, record: Record) -> str | None:
    """A right reply to ``record`` as its prompt asks for it; None where none can be written.

    ``meta.solution`` is a whole reply, ``meta.reasoning`` what stands before the answer line, ``meta.reference`` a program.
    """
    kind = task.kind_of(record)
    program, solution, steps = (record.meta.get(name) for name in ("reference", "solution", "reasoning"))
    if kind == "code":
        return f"```python\n{program.rstrip()}\n```" if isinstance(program, str) and program.strip() else None
    if kind == "likelihood":  # the options themselves are what is scored as the reply
        golds = [record.gold] if isinstance(record.gold, str) else record.gold
        return (record.choices or {}).get(golds[0])
    if kind not in RIGHT:
        return None
    answer = f"Answer: {_written(task, record, kind)}"
    replies = [solution] if isinstance(solution, str) else []
    replies += [f"{_CALCULATOR.sub('', steps)}\n{answer}"] if isinstance(steps, str) and steps.strip() else []
    return next((reply for reply in (*replies, answer) if task.grade(record, reply).score == 1), None)


def _written(task: Task, record: Record, kind: str) -> str:
    gold = task.gold_of(record)
    labels = kind in ("multiple_choice", "label")
    text = gold if isinstance(gold, str) else ", ".join(gold) if labels else gold[0]
    return f"\\boxed{{{text}}}" if kind == "math" else text


def _values(task: Task, per: str) -> list[str]:
    """What test records have under ``per``. Raises ConfigError for a key that none has, or that gives the answer away."""
    where = f"task {task.name}, few_shot.per"
    golds: dict[str, set[str]] = {}
    for record in task.test:
        golds.setdefault(_value(record, per), set()).add(str(task.gold_of(record)))
    if set(golds) == {""}:
        known = sorted({key for record in task.test for key in record.meta})
        raise ConfigError(f"no record has '{per}' in meta", where=where, remedy=did_you_mean(per, known))
    told = all(len(right) == 1 for right in golds.values()) and len(golds) < len(task.test)
    if told and len(set.union(*golds.values())) > 1:
        raise ConfigError(
            f"'{per}' gives the right answer away",
            where=where,
            why="records with one value there have one answer, so the examples would show it",
            remedy="take another key, or per: none",
        )
    return sorted(golds)


def _value(record: Record, key: str) -> str:
    return str(record.meta.get(key, ""))


def _fault(task: Task, what: str, remedy: str, count: int = 0) -> ConfigError:
    asked_for = f", and few_shot asks for {count}" if count else ""
    return ConfigError(f"{what}{asked_for}", where=f"task {task.name}, few_shot", remedy=remedy)
