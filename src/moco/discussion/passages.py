"""Passages that members write to help another one answer: cleaned, ranked by relevance, judged, drawn and pruned.

Source: arXiv 2305.09955 (relevance, then factuality, then pruning). Pure functions but for `judged`; what a passage says is
data, and a final answer in it is no knowledge: it is taken out, so that nobody votes in disguise.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from moco.core.errors import BackendError
from moco.core.query import Query
from moco.core.types import Draft, Request
from moco.discussion.budget import fit, reader_of, shorten
from moco.discussion.gathering import OnFailure
from moco.discussion.judging import bare, labels_for, read_verdict
from moco.discussion.quoting import LINE, Quote, block, safe
from moco.discussion.template import Template
from moco.discussion.turns import Turn, preference, take_all
from moco.models.pool import Pool

_WORD = re.compile(r"\w+")
_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?]+|\n|$)")
_ANSWERS = re.compile(r"\b(?:final\s+)?answers?\b\s*(?:is\b|are\b|[:=])|\\boxed?\b", re.IGNORECASE)
TRUTH = Template(
    """\
Question: {question}
Passage: {passage}
Is what the passage says true? Write only {true} or {false}.""",
    ("question", "passage", "true", "false"),
    ("passage", "true", "false"),
)

WRITE = Template(
    """\
Question: {question}
{passages}
Write background knowledge that helps to answer the question: facts, not the answer.""",
    ("question", "passages"),
    ("question",),
)
READ = Template(
    """\
Passages that may help, or may be irrelevant or wrong:
{passages}

{task}""",
    ("passages", "task", "question", "answer_format"),
    ("passages",),
)
DECIDE = Template(
    """\
Passages that may be irrelevant or wrong:
{passages}

Two answers, without and with the passages:
{answers}

Decide which one is right, and write it in full.

{task}""",
    ("passages", "answers", "task", "question", "answer_format"),
    ("passages", "answers"),
)
SHORTER = Template(
    "Say the following in one short sentence.\n{passage}",
    ("passage",),
    ("passage",),
)


@dataclass(frozen=True)
class Passage:
    """``text`` as it is shown, and the draft it comes from."""

    text: str
    draft: Draft


def passage_of(query: Query, draft: Draft, *, answers: bool = False, echo: str = "") -> Passage | None:
    """The draft as a passage: without an echo of the question, and without sentences that give an answer unless ``answers``.

    None where nothing is left. Its draft has no key: where there is little room, a key would be shown in place of the text.
    """
    text = draft.text.strip()
    if echo and text.startswith(echo.strip()):
        text = text[len(echo.strip()) :].strip()
    if not answers:
        sentences = [m.group() for m in _SENTENCE.finditer(text)]
        kept = [s for s in sentences if not gives_answer(query, s)]
        text = text if len(kept) == len(sentences) else "".join(kept).strip()
    return Passage(text, replace(draft, key=None)) if text else None


def gives_answer(query: Query, sentence: str) -> bool:
    """Whether ``sentence`` states a final answer in so many words, or is nothing but one of the labels."""
    return bool(_ANSWERS.search(sentence)) or bare(sentence) in {bare(label) for label in query.spec.labels}


def distinct(passages: Sequence[Passage]) -> list[Passage]:
    """The first of each text; layout does not count."""
    seen: dict[str, Passage] = {}
    for passage in passages:
        seen.setdefault(" ".join(passage.text.split()), passage)
    return list(seen.values())


def lexical(question: str, texts: Sequence[str]) -> list[float]:
    """How much of the question's words each text has: the sum of their rarity over the texts (BM25's idf, no length term)."""
    words = [Counter(_WORD.findall(t.casefold())) for t in texts]
    asked = set(_WORD.findall(question.casefold()))
    n = len(texts)
    seen = {w: sum(w in have for have in words) for w in asked}
    return [round(sum(math.log(1 + (n - seen[w] + 0.5) / (seen[w] + 0.5)) for w in asked if have[w]), 12) for have in words]


async def likeness(embedder: Any, question: str, texts: Sequence[str], *, normalise: bool = True) -> list[float]:
    """Similarity of each text to the question: the cosine, or the plain dot product (the original's, in which length counts)."""
    vectors = np.asarray(await embedder.embed([question, *texts]), np.float64)
    if normalise:
        vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return [round(float(x), 9) for x in vectors[1:] @ vectors[0]]


def best(passages: Sequence[Passage], scores: Sequence[float], count: int) -> list[Passage]:
    """The ``count`` with the highest scores, best first; equal scores keep their order."""
    order = sorted(range(len(passages)), key=lambda i: (-scores[i], i))
    return [passages[i] for i in order[:count]]


def drawn(scores: Sequence[float], count: int, rng: np.random.Generator, *, replace: bool = False) -> list[int]:
    """``count`` of the 2 x ``count`` best, drawn in proportion to their scores; with ``replace`` (the original) also twice."""
    top = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[: 2 * count]
    weights = np.array([max(scores[i], 0.0) for i in top])
    if replace:
        p = weights / weights.sum() if weights.sum() > 0 else None
        return [top[int(i)] for i in rng.choice(len(top), size=count, p=p)]
    # Efraimidis and Spirakis: the largest u ** (1 / w) are a draw without replacement; weight 0 comes last
    u = rng.random(len(top))
    rank = sorted(range(len(top)), key=lambda i: (-(math.log(u[i]) / weights[i]) if weights[i] > 1e-12 else math.inf, -u[i]))
    return [top[i] for i in rank[:count]]


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
    policy: dict[str, Any] = {"on_failure": on_failure, "deadline": deadline, "temperature": 0, "max_tokens": 8}
    said = await take_all(pool, [t for _, t, _ in written], stage="check", round=1, **policy)
    for (number, turn, phrases), verdict in zip(written, said, strict=True):
        if verdict is None:
            lost.append(turn.member)
        else:
            read = read_verdict(verdict.text, phrases)
            votes[number].append(0.5 if read is None else 1.0 - read)
    return [sum(v) / len(v) if v else 0.5 for v in votes], [t.note for _, t, _ in jobs if t.note], lost


def _verdict(query: Query, pool: Pool, judge: str, passage: Passage, words: Template) -> tuple[Turn, tuple[str, str]]:
    reader = reader_of(pool[judge])
    text = reader.neutral(passage.text)
    phrases = labels_for([query.question, text], wanted=("TRUE", "FALSE"))

    def build(shown: list[Quote]) -> Request:
        said = block(shown, line=LINE.but("{text}"))
        return query.request(words.fill(question=query.question, passage=said, true=phrases[0], false=phrases[1]))

    fitted = fit(reader, [Quote("Passage", text, (passage.draft,))], build)
    return Turn(judge, fitted.request, (passage.draft,), fitted.trim), phrases


def truncated(passage: Passage, pool: Pool, reader: str, limit: int) -> Passage:
    """The passage within ``limit`` tokens of ``reader``: as many whole sentences as fit, else cut around an elision."""
    length = reader_of(pool[reader]).length
    if length(passage.text) <= limit:
        return passage
    kept = ""
    for match in _SENTENCE.finditer(passage.text):
        if length(kept + match.group()) > limit:
            break
        kept += match.group()
    return replace(passage, text=kept.strip() or shorten(passage.text, limit, length))


def quoted(passages: Sequence[Passage], names: bool = False) -> list[Quote]:
    """The passages as quotes, numbered, or under their writers' names."""
    return [Quote(p.draft.member if names else f"Passage {number}", p.text, (p.draft,)) for number, p in enumerate(passages, 1)]


PassageForm = Literal["auto", "lines", "fenced", "joined"]


def shown(quotes: Sequence[Quote], form: PassageForm, line: Template) -> str:
    """The passages as a prompt shows them; ``joined`` is all of them on one line (the original's)."""
    if form != "joined":
        return block(quotes, form, line)
    whole = [replace(q, text=" ".join(q.text.split())) for q in quotes]
    return " ".join(q.text for q in safe(whole))
