"""Free answers compared with the gold answer by a judge: whether they say the same, whatever the wording.

Rules, first that fires: ``exact`` (the answer line, box or whole reply is a gold answer to the letter: certain, so nobody is
asked), else ``judge``. A rule never finds an answer wrong. The judge sees question, gold and reply; for multiple choice the gold
is shown as label and text.
"""

from __future__ import annotations

from collections.abc import Sequence

from moco.core.answering import KINDS
from moco.core.errors import ConfigError
from moco.core.types import AnswerSpec, Key
from moco.tasks.graders.base import Grade, visible
from moco.tasks.graders.item import Helpers, Item
from moco.tasks.graders.judging import Quote, verdict
from moco.tasks.graders.short_text import answer_text

SAME, OTHER = "EQUIVALENT", "DIFFERENT"
TASK = f"""Somebody answered a question, and the right answer is known. Decide whether the reply ends up giving the right answer.
{SAME}: the answer the reply settles on means the same as the right answer. Wording, language, units written out or short, equal \
forms of one number or formula, and the name of an option in place of its text make no difference; nor does how it was found.
{OTHER}: it settles on something else, on several answers of which not all are right, or on none.
Do not solve the question yourself: the right answer given is right."""
WHOLE = "whole reply"
"""The rule by which a text without an explicit answer is read."""


class Verifier:
    """The kind as voting and scoring use it: options are voted on by label, other answers by their explicit answer line."""

    name = "verifier"
    votable = True
    needs = ("judge",)

    def extract(self, text: str, spec: AnswerSpec) -> Key | None:
        if spec.choices:
            return KINDS.get("multiple_choice").extract(text, spec)
        return None if answer_text(text)[1] == WHOLE else KINDS.get("short_text").extract(text, spec)

    def same(self, a: Key, b: Key, spec: AnswerSpec) -> bool:
        return KINDS.get("multiple_choice" if spec.choices else "short_text").same(a, b, spec)

    async def assess(self, text: str, item: Item, helpers: Helpers) -> Grade:
        """1 where the reply gives a gold answer, else 0; ``parsed`` is False for an empty reply and an unreadable verdict."""
        golds = shown_golds(item)
        together = bool(item.spec.choices) and len(golds) > 1
        if not golds:
            raise ConfigError("the record has no answer to compare with", where="answer", remedy="give the record an answer")
        said = visible(text).strip()
        if not said:
            return Grade(0.0, None, "none", False)
        answer = _plain(answer_text(text)[0])
        if answer and not together and any(answer == _plain(one) for gold in golds for one in gold):
            return Grade(1.0, answer, "exact", True, {"judged": 0.0})
        assert helpers.judge is not None  # needs says so
        many = "RIGHT ANSWERS, all of them wanted" if together else "RIGHT ANSWERS, any one of them is enough"
        options = [f"{label}. {choice}" for label, choice in zip(item.spec.labels, item.spec.choices, strict=False)]
        quotes = [
            *([Quote("CONTEXT", item.context)] if item.context else []),
            Quote("QUESTION", item.spec.question),
            *([Quote("OPTIONS", "\n".join(options))] if options else []),
            Quote(many if len(golds) > 1 else "RIGHT ANSWER", "\n".join(gold[0] for gold in golds)),
            Quote("REPLY", said),
        ]
        found = await verdict(helpers.judge, TASK, quotes, (SAME, OTHER), seed=helpers.seed)
        return Grade(float(found == SAME), answer or None, "judge", found is not None, {"judged": 1.0})


def shown_golds(item: Item) -> list[Sequence[str]]:
    """The gold answers; of multiple choice as label and text, with what may stand for it: the label, the text."""
    of = dict(zip(item.spec.labels, item.spec.choices, strict=False))
    return [(f"{gold}. {of[gold]}", gold, of[gold]) if gold in of else (gold,) for gold in item.golds]


def _plain(text: str) -> str:
    """``text`` without what says nothing: space, a full stop at its end, quotes and emphasis around it."""
    return " ".join(text.split()).strip("*_`\"'“”‘’ ").removesuffix(".").strip("*_`\"'“”‘’ ")


KIND = Verifier()
