"""How true passages are found: by the other members, in words or by their probabilities, or by classifiers of claims.

Source: arXiv 2305.09955. Verdicts are words that stand in no passage; a verdict that cannot be read is 0.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from moco.core.errors import BackendError
from moco.core.query import Query
from moco.core.types import Message, Request, Sampling
from moco.discussion.budget import fit, reader_of
from moco.discussion.gathering import OnFailure
from moco.discussion.judging import labels_for, read_verdict
from moco.discussion.passages import Passage
from moco.discussion.quoting import LINE, Quote, block
from moco.discussion.template import Template
from moco.discussion.turns import Turn, preference, take_all
from moco.models.pool import Pool
from moco.models.protocol import Model

VERDICT_TOKENS = 8
TRUTH = Template(
    """\
Question: {question}
Passage: {passage}
Is what the passage says true? Write only {true} or {false}.""",
    ("question", "passage", "true", "false"),
    ("passage", "true", "false"),
)


class Claims(BaseModel, extra="forbid", frozen=True):
    """A claim classifier: folder or hub id, the output (name or number) that says true, and the one against it, if any."""

    model: str
    label: str | int
    against: str | int | None = None


OFFICIAL = [Claims(model="tals/albert-xlarge-vitaminc-mnli", label=0, against=1), Claims(model="bunsenfeng/FactKB", label=1)]
"""What the original asks."""


async def judged(
    query: Query, pool: Pool, passages: Sequence[Passage], words: Template, on_failure: OnFailure, deadline: float | None
) -> tuple[list[float], list[dict[str, Any]], list[str]]:
    """How true the other members find each passage: mean p(true) of those that can score, else their share of "true" votes.

    0.5 for an unreadable verdict, and where nobody else is there. Also what had to be cut, and who failed.
    """
    jobs: list[tuple[int, Turn, tuple[str, str]]] = []
    for number, passage in enumerate(passages):
        for member in pool:
            if member.name != passage.draft.member:
                jobs.append((number, *_verdict(query, pool, member.name, passage, words)))
    votes: list[list[float]] = [[] for _ in passages]
    written = [(n, t, p) for n, t, p in jobs if "SCORE" not in pool[t.member].model.capabilities]
    lost: list[str] = []
    for number, turn, phrases in jobs:
        if "SCORE" in pool[turn.member].model.capabilities:
            try:
                sure = await preference(pool, turn, phrases, deadline)
            except BackendError:
                if on_failure == "fail":
                    raise
                lost.append(turn.member)
            else:
                votes[number].append(sure)
    policy: dict[str, Any] = {"on_failure": on_failure, "deadline": deadline, "temperature": 0, "room": VERDICT_TOKENS}
    said = await take_all(pool, [t for _, t, _ in written], stage="check", round=1, **policy)
    for (number, turn, phrases), verdict in zip(written, said, strict=True):
        if verdict is None:
            lost.append(turn.member)
        else:
            read = read_verdict(verdict.text, phrases)
            votes[number].append(0.5 if read is None else 1.0 - read)
    return [sum(v) / len(v) if v else 0.5 for v in votes], [t.note for _, t, _ in jobs if t.note], lost


def factual(scores: Sequence[Sequence[float]]) -> float:
    """How true a claim is, from the classifiers' scores with each document beside it: the best document's mean.

    A claim that nobody could judge is 0.5, as in the official code.
    """
    means = [sum(own) / len(own) for own in scores if own]
    return max(means) if means else 0.5


async def classified(
    pool: Pool, passages: Sequence[Passage], classifiers: Mapping[str, Model], on_failure: OnFailure, deadline: float | None
) -> tuple[list[float], list[str]]:
    """How true ``classifiers`` (by name; backend ``claims``) find each passage, and who failed. No document stands beside it."""
    scores: list[list[float]] = [[] for _ in passages]
    lost: list[str] = []
    for name, classifier in classifiers.items():
        requests = [Request(messages=(Message("user", p.text),), sampling=Sampling(temperature=0)) for p in passages]
        turns = [Turn(name, request, (p.draft,)) for request, p in zip(requests, passages, strict=True)]
        view = pool.beside(classifier, name)
        verdicts = await take_all(view, turns, stage="check", round=1, on_failure=on_failure, deadline=deadline)
        for own, said in zip(scores, verdicts, strict=True):
            if said is None:
                lost.append(name)
            else:
                own.append(float(said.completion.reason["truth"]))
    return [factual([own]) for own in scores], lost


def _verdict(query: Query, pool: Pool, judge: str, passage: Passage, words: Template) -> tuple[Turn, tuple[str, str]]:
    reader = reader_of(pool[judge])
    text = reader.neutral(passage.text)
    phrases = labels_for([query.question, text], wanted=("TRUE", "FALSE"))

    def build(shown: list[Quote]) -> Request:
        said = block(shown, line=LINE.but("{text}"))
        return query.request(words.fill(question=query.question, passage=said, true=phrases[0], false=phrases[1]))

    fitted = fit(reader, [Quote("Passage", text, (passage.draft,))], build)
    return Turn(judge, fitted.request, (passage.draft,), fitted.trim), phrases
