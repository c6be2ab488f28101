"""From native rows to records: what converters share, and the one place where a converted row is checked.

Invariant: options are lettered A, B, C, ... by position, gold is a list of labels, the native label stays in ``meta``. A row
that cannot be graded rightly never becomes a record: it is reported.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from moco.tasks.catalogue.entry import Converter, Defect, LeaveOut, Native, Side
from moco.tasks.record import Record


@dataclass
class Made:
    """A converted row on its way to a record."""

    fields: dict[str, Any]
    key: str
    """Its id within the split."""
    split: str
    part: str = ""
    side: Side = ""


@dataclass
class Report:
    """What happened to the rows: how many were read, and which were left out, dropped or mended, by reason."""

    read: int = 0
    left_out: dict[str, list[str]] = field(default_factory=dict)
    dropped: dict[str, list[str]] = field(default_factory=dict)
    mended: dict[str, list[str]] = field(default_factory=dict)

    @staticmethod
    def note(where: dict[str, list[str]], what: str, key: str) -> None:
        where.setdefault(what, []).append(key)

    def notes(self) -> list[str]:
        """One line per reason: how many, and for defects which (at most 40 ids are spelled out)."""
        lines = [f"left out {len(ids)}: {what}" for what, ids in self.left_out.items()]
        for verb, group in (("dropped", self.dropped), ("mended", self.mended)):
            for what, ids in group.items():
                more = f", and {len(ids) - 40} more" if len(ids) > 40 else ""
                lines.append(f"{verb} {len(ids)}: {what} ({', '.join(ids[:40])}{more})")
        return lines


def convert(converter: Converter, row: Native, side: Side, report: Report) -> list[Made]:
    """The records' fields in one row; what is wrong with it goes to ``report``."""
    report.read += 1
    name = row_name(row)
    try:
        found = list(converter(row))
    except LeaveOut as reason:
        report.note(report.left_out, str(reason), name)
        return []
    except Defect as defect:
        report.note(report.dropped, str(defect), name)
        return []
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        report.note(report.dropped, f"the row is not in a known form: {type(error).__name__} {error}", name)
        return []
    out = []
    for fields in found:
        key = str(fields.pop("id"))
        mended = fields.pop("mended", "")
        own: Side = fields.pop("side", side)
        split = str(fields.pop("own_split", row.split))
        what = wrong_with(fields)
        if what:
            report.note(report.dropped, what, key)
            continue
        if mended:
            report.note(report.mended, mended, key)
        out.append(Made(fields, key, split, row.part, own))
    return out


def row_name(row: Native) -> str:
    """How a row without a record is called in a report."""
    for name in ("id", "task_id", "Record ID", "unique_id", "_instance_id", "_key", "MCQID"):
        if row.data.get(name) is not None:
            native = str(row.data[name])
            return f"{row.part}/{native}" if row.part else native
    return f"{row.part or row.split}[{row.number}]"


def wrong_with(fields: dict[str, Any]) -> str:
    """What makes a converted row ungradable; '' if nothing does. Identical options matter where one of them is gold."""
    choices = fields.get("choices")
    if not isinstance(choices, dict) or fields.get("kind") == "label":
        return ""
    if any(not isinstance(text, str) or not text.strip() for text in choices.values()):
        return "an option is null or empty"
    gold = fields.get("labels") or []
    if not gold or any(one not in choices for one in gold):
        return "the gold answer is not among the options"
    shown = {label: " ".join(text.split()) for label, text in choices.items()}
    right = {shown[one] for one in gold}
    if any(label not in gold and text in right for label, text in shown.items()):
        return "two options have the same text and only one of them is gold"
    return ""


def record_of(made: Made, task: str, origin: str, report: Report) -> Record | None:
    """The record called task/split/key; None, and a line in ``report``, where its fields do not make one."""
    fields = {name: value for name, value in made.fields.items() if value is not None}
    try:
        return Record.model_validate({**fields, "id": f"{task}/{made.split}/{made.key}", "source": origin})
    except ValidationError as error:
        first = error.errors()[0]
        what = str(first["msg"]).removeprefix("Value error, ")
        where = ".".join(str(part) for part in first["loc"])
        report.note(report.dropped, f"{where}: {what}" if where else what, made.key)
        return None


def lettered(options: Sequence[Any], gold: Sequence[int], native: Any = None, **meta: Any) -> dict[str, Any]:
    """``choices``, ``labels`` and ``meta`` for options in order; ``gold`` are places from 0. Raises Defect for a place that
    is not there."""
    letters = [letter(i) for i in range(len(options))]
    if not gold or any(not 0 <= place < len(options) for place in gold):
        raise Defect("the gold answer is not among the options")
    texts = [one.strip() if isinstance(one, str) else one if one is None else str(one) for one in options]
    labels = [letters[place] for place in sorted(set(gold))]
    if native is not None:
        meta["native_label"] = native
    return {"choices": dict(zip(letters, texts, strict=True)), "labels": labels, "meta": meta}


def keyed(options: dict[str, Any], gold: Any, **meta: Any) -> dict[str, Any]:
    """``lettered`` for options under native keys (1-4, or a misspelt one); ``gold`` is one key or a list of them."""
    keys = [str(key) for key in options]
    wanted = [str(one) for one in (gold if isinstance(gold, list) else [gold])]
    if any(one not in keys for one in wanted):
        raise Defect("the gold answer is not among the options")
    return lettered(list(options.values()), [keys.index(one) for one in wanted], gold, **meta)


def letter(place: int) -> str:
    return chr(ord("A") + place)


def one_label(labels: Sequence[str], gold: str, **meta: Any) -> dict[str, Any]:
    """A record of kind label: the possible labels as choices, one of them gold."""
    if gold not in labels:
        raise Defect(f"the label {gold!r} is none of {', '.join(labels)}")
    return {"kind": "label", "choices": {label: label for label in labels}, "labels": [gold], "meta": meta}


def shuffled(options: Sequence[Any], gold: int, seed: str, **meta: Any) -> dict[str, Any]:
    """``lettered`` in an order fixed by ``seed`` (the record's id), for sources that put the right option first."""
    order = sorted(range(len(options)), key=lambda i: hashlib.sha256(f"{seed}/{i}".encode()).hexdigest())
    return lettered([options[i] for i in order], [order.index(gold)], None, order=order, **meta)


def json_list(value: Any) -> list[str]:
    """Aliases: a list, or a list inside a text. Never cut at commas; a text that is no list is one alias."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise Defect("the aliases are not a JSON list") from error
    found = value if isinstance(value, list) else [value]
    aliases = [str(one).strip() for one in found if one is not None and str(one).strip()]
    if not aliases:
        raise Defect("there is no gold answer")
    return list(dict.fromkeys(aliases))


def text_of(value: Any, what: str = "the gold answer is null") -> str:
    """``value`` as a text; raises Defect where it is null or blank."""
    if value is None or not str(value).strip():
        raise Defect(what)
    return str(value)


def sha_mod(key: str, modulus: int = 100) -> int:
    """sha256(key) modulo ``modulus``: how records are divided without a seed."""
    return int(hashlib.sha256(key.encode()).hexdigest(), 16) % modulus
