"""Reviews: who criticises whose answer, in which words, how a verdict is read, and how an author revises.

A verdict stands at the head of the reviewer's own reply, in words that the reviewed text does not hold: a copied quote is no
verdict. What is not a clear OK asks for a revision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from moco.core.query import Query
from moco.core.types import Draft, Message, Request
from moco.discussion.budget import Fitted, Reader, fit, fits, reader_of
from moco.discussion.condensing import Crowd, fit_crowd
from moco.discussion.debate import History
from moco.discussion.judging import Labels, bare, labels_for
from moco.discussion.quoting import LINE, NO_ANSWER, Form, Quote, block, quotes_of, safe
from moco.discussion.template import Template
from moco.discussion.turns import Turn, chat_request, task_prompt
from moco.models.pool import Pool

Selection = Literal["balanced", "random"]
"""Everybody writes as many reviews as everybody else; or every author's reviewers are drawn apart (the released code)."""

REVIEW = Template(
    """\
Read a colleague's answer to the question below and judge whether it is right; style does not matter.
Question: {question}
Answer: {answer}
Begin with a line that says {ok} if the answer is right, or {revise} if it must change. Then name its errors and how to mend \
them, without writing a new answer.""",
    ("question", "answer_format", "task", "answer", "ok", "revise"),
    ("answer",),
)
REVISE = Template(
    """\
Your answer to the question below was reviewed. Use the points that are valid, ignore the others, and write one complete \
answer; it may stay as it is.

Your answer:
{own}

Feedback:
{feedback}

{task}""",
    ("question", "answer_format", "task", "own", "feedback"),
    ("feedback",),
)
REVISE_CHAT = Template(
    """\
Your answer was reviewed:
{feedback}

Use the points that are valid, ignore the others, and write one complete answer; it may stay as it is.

{task}""",
    ("question", "answer_format", "task", "feedback"),
    ("feedback",),
)


def reviewers_of(
    n: int, count: int, rng: np.random.Generator, selection: Selection = "balanced", include_self: bool = False
) -> list[list[int]]:
    """For every author 0..n-1 the reviewers of its answer, ascending: ``count`` of them, at most all.

    Balanced: the same distinct offsets for every author, so that everybody also writes ``count``. With ``include_self`` the
    author is one of them.
    """
    others = min(count - include_self, n - 1)
    own = [0] if include_self else []
    if selection == "balanced":
        steps = [*own, *(1 + int(o) for o in rng.permutation(n - 1)[:others])]
        return [sorted((author + step) % n for step in steps) for author in range(n)]
    drawn = [rng.permutation(n - 1)[:others] for _ in range(n)]
    return [sorted([*(author for _ in own), *((author + 1 + int(o)) % n for o in drawn[author])]) for author in range(n)]


def approves(review: str, ok: str) -> bool:
    """Whether the first line of ``review`` begins with the words of ``ok``."""
    first = next((bare(line) for line in review.splitlines() if bare(line)), "")
    wanted = bare(ok)
    return first.startswith(wanted) and not first[len(wanted) :][:1].isalnum()


@dataclass(frozen=True)
class Reviewing:
    """How answers are reviewed and revised. ``verdicts`` are the words for right and for not."""

    verdicts: Labels = ("OK", "REVISE")
    history: History = "last"
    form: Form = "auto"
    line: Template = LINE
    review: Template = REVIEW
    revise: Template = REVISE
    revise_chat: Template = REVISE_CHAT

    def ask(self, query: Query, pool: Pool, reviewer: str, draft: Draft, draw: int = 0) -> tuple[Turn, str]:
        """The turn in which ``reviewer`` reads one answer, and the words in which it would approve of it."""
        reader = reader_of(pool[reviewer])
        text = reader.neutral(draft.text.strip())
        ok, revise = labels_for([query.question, text], wanted=self.verdicts, any_case=True)
        common = _common(query)

        def build(shown: list[Quote]) -> Request:
            answer = block(shown, self.form, LINE.but("{text}"))
            return query.request(self.review.fill(**common, answer=answer, ok=ok, revise=revise))

        fitted = fit(reader, [Quote("The answer", text or NO_ANSWER, (draft,))], build)
        return Turn(reviewer, fitted.request, (draft,), fitted.trim, draw), ok

    def again(self, query: Query, pool: Pool, own: Sequence[Draft], reviews: Sequence[Sequence[Draft]]) -> Turn:
        """The turn in which an author revises: its answers so far, and what was said of each."""
        mine = own[-1]
        reader = reader_of(pool[mine.member])
        note: dict[str, object] = {}
        if self.history == "full":
            whole = self.chat(query, reader, own, reviews)
            if reader.chat and fits(reader, whole):
                every = [d for answer, said in zip(own, reviews, strict=True) for d in (answer, *said)]
                return Turn(mine.member, whole, tuple(every), draw=mine.draw)
            why = "the chat does not fit" if reader.chat else "no chat template"
            note = {"reader": mine.member, "history": "last", "why": why}
        fitted, crowd = self.last(query, reader, mine, reviews[-1])
        note |= fitted.trim or {}
        return Turn(mine.member, fitted.request, (mine, *reviews[-1]), note or None, mine.draw, crowd=crowd)

    def chat(self, query: Query, reader: Reader, own: Sequence[Draft], reviews: Sequence[Sequence[Draft]]) -> Request:
        """The task, then each answer as the author's turn and its reviews as the user's."""
        head, task = task_prompt(query)
        turns = [*head, Message("user", task)]
        for answer, said in zip(own, reviews, strict=True):
            quoted = block(safe(quotes_of(said, "Review {number}", by="place"), reader.neutral), self.form, self.line)
            asked = self.revise_chat.fill(**_common(query), feedback=quoted)
            turns += [Message("assistant", reader.neutral(answer.text).strip() or NO_ANSWER), Message("user", asked)]
        return chat_request(query, turns)

    def last(self, query: Query, reader: Reader, mine: Draft, reviews: Sequence[Draft]) -> tuple[Fitted, Crowd | None]:
        """One message with the own answer, its reviews and the task; where it does not fit, the longest are cut first."""
        head, _ = task_prompt(query)

        def build(shown: list[Quote]) -> Request:
            said, me = shown[:-1], shown[-1]
            own = block([me], self.form, LINE.but("{text}"))
            text = self.revise.fill(**_common(query), own=own, feedback=block(said, self.form, self.line))
            return chat_request(query, [*head, Message("user", text)])

        said = quotes_of(reviews, "Review {number}", by="place")
        quotes = safe([*said, Quote("You", mine.text.strip() or NO_ANSWER, (mine,))], reader.neutral)
        return fit_crowd(query, reader, quotes, build, len(said))


def _common(query: Query) -> dict[str, str]:
    return {"task": task_prompt(query)[1], "question": query.question, "answer_format": query.answer_format}
