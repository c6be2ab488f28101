"""Who compares two candidates: a model that is asked in words, or one that was trained to compare.

A margin above 0 says that the candidate shown first is better. A candidate is data: the verdict is read by ``judging``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from moco.core.errors import BackendError
from moco.core.query import Query
from moco.core.types import Draft, Message, Request, Sampling
from moco.discussion.budget import fit, reader_of
from moco.discussion.gathering import OnFailure, within
from moco.discussion.judging import Labels, labels_for, phrases_of, read_verdict
from moco.discussion.quoting import Quote, block, safe
from moco.discussion.template import Template
from moco.discussion.turns import Turn, take, totals
from moco.models.pool import Pool

FIELDS = ("question", "answers", "first", "second", "verdict")
COMPARE = Template(
    """\
Compare two answers to the question and choose the better one: the one that is right, then the one that is more complete and \
clear. Length and place do not matter.
Question: {question}
{answers}
Which answer is better, {first} or {second}? Write only: {verdict}""",
    FIELDS,
    ("answers", "first", "second"),
)


class Ranker(Protocol):
    """Compares candidates for one query; ``notes`` are what its record says of verdicts and prompts."""

    notes: list[dict[str, Any]]

    async def margin(self, first: Draft, second: Draft) -> float:
        """How much better ``first`` is, when it is shown first; 0 where nothing can be read. Raises BackendError."""


@dataclass(frozen=True)
class Manner:
    """How a model is asked to compare: in which words, under which labels, and how its verdict is written.

    ``labels`` are replaced by others where a verdict written with them stands in a text; ``soft`` compares the
    log-probabilities of both verdicts instead of reading the one that is written, which has ``max_tokens`` of room.
    """

    words: Template = COMPARE
    labels: Labels = ("FIRST", "SECOND")
    reply: str = "{label}"
    name: str = "Answer {label}"
    max_tokens: int = 8
    soft: bool = False


@dataclass
class Prompted:
    """Member ``judge`` of ``pool`` is shown the question and both candidates."""

    query: Query
    pool: Pool
    judge: str
    manner: Manner = field(default_factory=Manner)
    on_failure: OnFailure = "fail"
    deadline: float | None = None
    notes: list[dict[str, Any]] = field(default_factory=list)

    def turn(self, first: Draft, second: Draft) -> tuple[Turn, tuple[str, str]]:
        """What the judge is asked, and how it would write either verdict."""
        how, reader = self.manner, reader_of(self.pool[self.judge])
        texts = [reader.neutral(d.text.strip()) for d in (first, second)]
        labels = labels_for(sorted([self.query.question, *texts]), how.reply, how.labels)
        phrases = phrases_of(labels, how.reply)
        names = [how.name.replace("{label}", label) for label in labels]
        quotes = [Quote(name, d.text.strip(), (d,)) for name, d in zip(names, (first, second), strict=True)]

        def build(shown: list[Quote]) -> Request:
            prompt = how.words.fill(
                question=self.query.question,
                answers=block(shown),
                first=labels[0],
                second=labels[1],
                verdict=" or ".join(phrases),
            )
            return self.query.request(prompt, temperature=0, max_tokens=how.max_tokens)

        fitted = fit(reader, safe(quotes, reader.neutral), build)
        return Turn(self.judge, fitted.request, (first, second), fitted.trim, again=fitted.again), phrases

    async def margin(self, first: Draft, second: Draft) -> float:
        """+1, -1 or 0 by the verdict that is written; soft: log p(first) - log p(second)."""
        turn, phrases = self.turn(first, second)
        pair = [first.member, second.member]
        if turn.note:
            self.notes.append({"pair": pair, "trim": turn.note})
        try:
            if self.manner.soft:
                ahead, behind = await totals(self.pool, turn, phrases, self.deadline)
                return ahead - behind
            said = await within(
                self.deadline, take(self.pool, turn, stage="compare", round=1, room=self.manner.max_tokens), self.judge
            )
        except BackendError as error:
            if self.on_failure == "fail":
                raise
            self.notes.append({"pair": pair, "failed": str(error)})
            return 0.0
        verdict = read_verdict(said.text, phrases)
        if verdict is None:
            self.notes.append({"pair": pair, "unreadable": said.text[:200]})
            return 0.0
        return 1.0 if verdict == 0 else -1.0


@dataclass
class Paired:
    """A model trained on pairs (backend ``pairrm``), which gives margins and no words."""

    query: Query
    pool: Pool
    """A view whose only member it is."""
    on_failure: OnFailure = "fail"
    deadline: float | None = None
    notes: list[dict[str, Any]] = field(default_factory=list)

    async def margin(self, first: Draft, second: Draft) -> float:
        """The difference of both heads' scores."""
        messages = (Message("user", self.query.question), Message("assistant", first.text), Message("assistant", second.text))
        turn = Turn(self.pool.names[0], Request(messages=messages, sampling=Sampling(temperature=0)), (first, second))
        try:
            said = await within(self.deadline, take(self.pool, turn, stage="compare", round=1), turn.member)
        except BackendError as error:
            if self.on_failure == "fail":
                raise
            self.notes.append({"pair": [first.member, second.member], "failed": str(error)})
            return 0.0
        return float(said.completion.reason["margin"])


def lessons(prompted: Prompted, drafts: Sequence[Draft], scores: Sequence[float], chosen: Sequence[tuple[int, int]]) -> list[Any]:
    """Training examples for a judge: each chosen pair in both orders, with the verdict that the scores demand."""
    rows = []
    for i, j in chosen:
        for a, b in ((i, j), (j, i)):
            turn, phrases = prompted.turn(drafts[a], drafts[b])
            asked = [{"role": m.role, "content": m.content} for m in turn.request.messages]
            verdict = phrases[0] if scores[a] > scores[b] else phrases[1]
            rows.append({"messages": [*asked, {"role": "assistant", "content": verdict}]})
    return rows
