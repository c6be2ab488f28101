"""Passages that members write to help another one answer: cleaned, ranked by relevance, drawn and pruned.

Source: arXiv 2305.09955 (relevance, then factuality, then pruning). Pure functions but for `likeness`; what a passage says is
data, and a final answer in it is no knowledge: it is taken out, so that nobody votes in disguise.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from moco.core.query import Query
from moco.core.types import Draft
from moco.discussion.budget import reader_of, shorten
from moco.discussion.judging import bare
from moco.discussion.quoting import Quote, block, safe
from moco.discussion.template import Template
from moco.models.pool import Pool

_WORD = re.compile(r"\w+")
_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?]+|\n|$)")
_ANSWERS = re.compile(r"\b(?:final\s+)?answers?\b\s*(?:is\b|are\b|[:=])|\\boxed?\b", re.IGNORECASE)
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


async def likeness(pool: Pool, question: str, texts: Sequence[str], *, normalise: bool = True) -> list[float]:
    """Similarity of each text to the question by the study's embedder: the cosine, or the plain dot product (the original's, in
    which length counts). Raises PoolError where there is no embedder.
    """
    found, _ = await pool.helper("embedder").embed("embedder", [question, *texts])
    vectors = np.asarray(found, np.float64)
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
