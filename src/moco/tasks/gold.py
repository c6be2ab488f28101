"""Gold answers that no reply could match: the verdicts on them would blame the replies.

Invariant: nothing here sees a reply; what a kind itself demands of an item (``check``) is asked of the kind.
"""

from __future__ import annotations

from collections.abc import Sequence

from moco.core.answering import KINDS
from moco.core.errors import ConfigError
from moco.core.types import AnswerSpec
from moco.tasks.graders import Item
from moco.tasks.record import Record


def unmatched(gold: str | Sequence[str], spec: AnswerSpec) -> tuple[str, str] | None:
    """(what, remedy) where no reply could be right; None where one could. A list means aliases, or a set of right labels."""
    golds = [gold] if isinstance(gold, str) else list(gold)
    if not all(one.strip() for one in golds):
        what = "holds an empty alias" if any(one.strip() for one in golds) else "is empty"
        return what, "write the right answer"
    if spec.kind == "numeric" and not any(_is_number(one, spec) for one in golds):
        return f"is no number: {golds[0]!r}", "write a number, or give kind short_text"
    if spec.kind == "multiple_choice":
        from moco.tasks.graders.multiple_choice import canonical

        if not set(canonical(gold, spec).split(",")) <= set(spec.labels):
            return f"is none of the options: {gold!r}", f"write one of {', '.join(spec.labels)}, or an option's text"
    if spec.kind == "likelihood" and not set(golds) <= set(spec.labels):
        return f"is none of the labels: {gold!r}", f"write one of {', '.join(spec.labels)}"
    if spec.kind == "label" and spec.labels:
        from moco.tasks.graders.label import canonical as label_of

        if (wrong := next((one for one in golds if label_of(one, spec) not in spec.labels), None)) is not None:
            return f"is none of the labels: {wrong!r}", f"write one of {', '.join(spec.labels)}"
    return None


def _is_number(text: str, spec: AnswerSpec) -> bool:
    from moco.tasks.graders.numeric import find

    return find(text, spec).key is not None


def wrong_gold(record: Record, kind: str) -> tuple[str, str] | None:
    """(what, remedy) where no reply to ``record`` could be right if it is of ``kind``, beside what its fields say themselves."""
    if record.answer is None or kind not in KINDS:
        return None
    spec = AnswerSpec(kind, tolerance=record.tolerance, question=record.question)
    if kind == "numeric":
        return unmatched(record.gold, spec)
    check = getattr(KINDS.get(kind), "check", None)
    try:
        if check is not None:
            check(Item(spec, record.gold, meta=record.meta))
    except ConfigError as error:
        return error.what, error.remedy
    return None
