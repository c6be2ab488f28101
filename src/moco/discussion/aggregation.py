"""From what everybody said to one answer: a vote, a judge's choice, or one member who reads the others and writes it.

Knows nothing of how the texts came about: debates, reviews and graphs end here alike, and share their last requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from moco.core.query import Query
from moco.core.types import Answer, Draft, Message, Request
from moco.discussion.budget import reader_of
from moco.discussion.comparisons import full_matrix, max_logits
from moco.discussion.condensing import fit_crowd
from moco.discussion.gathering import OnFailure
from moco.discussion.quoting import LINE, Form, Quote, block, quotes_of, safe
from moco.discussion.rankers import Manner, Prompted
from moco.discussion.ranking import Ranking
from moco.discussion.selectors import distinct
from moco.discussion.template import Template
from moco.discussion.turns import Turn, chat_request, take_all, task_prompt, unanimous
from moco.discussion.votes import Tie, answer_of, placing, plurality
from moco.models.pool import Pool

Rule = Literal["auto", "vote", "summarize", "agent", "judge"]
"""A vote over the texts; a summary by the best member; that member's own text; the text that wins every comparison of two by
the best member (or the study's judge); auto: a vote where votable, else ``free``.
"""

FIELDS = ("task", "question", "answer_format", "answers")
COMBINE = Template(
    """\
Several assistants answered the question below; some of them may be wrong. Weigh where they agree and how they reason, and \
combine their answers into one final answer.
Question: {task}
{answers}
Final answer:""",
    FIELDS,
    ("answers",),
)


def reading(
    query: Query,
    pool: Pool,
    who: str,
    drafts: Sequence[Draft],
    template: Template = COMBINE,
    *,
    place: Literal["system", "user"] = "user",
    numbering: Literal["member", "place"] = "member",
    label: str = "Assistant {number}",
    line: Template = LINE,
    form: Form = "auto",
    merge: bool = False,
    draw: int = 0,
) -> Turn:
    """The turn in which ``who`` reads ``drafts``: in the user's message (which then holds the task), or in a system message
    before the untouched task. Without a usable text it is the task alone.
    """
    head, task = task_prompt(query)
    reader = reader_of(pool[who])
    quotes = safe(quotes_of(drafts, label, by=numbering, merge=merge), reader.neutral)
    if not quotes:
        return Turn(who, query.request(), draw=draw)

    def build(shown: list[Quote]) -> Request:
        text = template.fill(
            task=task, question=query.question, answer_format=query.answer_format, answers=block(shown, form, line)
        )
        if place == "user" or not reader.chat:
            alone = text if place == "user" else f"{text}\n\n{task}"
            return chat_request(query, [*head, Message("user", alone)])
        return chat_request(query, [*_with_system(head, text), Message("user", task)])

    fitted, crowd = fit_crowd(query, reader, quotes, build, len(quotes))
    return Turn(who, fitted.request, tuple(d for q in quotes for d in q.drafts), fitted.trim, draw, crowd=crowd)


@dataclass(frozen=True)
class Ending:
    """How a discussion is brought to an end; see ``Rule``."""

    rule: Rule = "auto"
    tie: Tie = "dev"
    skip_if_unanimous: bool = True
    """Nobody is asked for a summary or a verdict where all agree: the best member's text stands."""
    summary: Template = COMBINE
    compare: Manner = field(default_factory=Manner)
    form: Form = "auto"
    free: Literal["summarize", "agent"] = "summarize"
    on_failure: OnFailure = "fail"
    """Whether a summariser or judge that fails fails the question, or the best member's own text stands."""
    deadline: float | None = None

    async def answer(
        self, query: Query, pool: Pool, drafts: Sequence[Draft], ranking: Ranking | None = None, round: int = 1
    ) -> Answer:
        """The answer of the whole from its last ``drafts``; ``reason`` names the rule. Raises BackendError."""
        rule = self.rule if self.rule != "auto" else "vote" if query.votable else self.free
        if rule == "vote":
            return await plurality(query, drafts, ranking=ranking, tie=self.tie)
        own = drafts[min(range(len(drafts)), key=placing(drafts, ranking))]
        if rule == "agent":
            return answer_of(own, reason={"rule": "agent"})
        if self.skip_if_unanimous and await unanimous(query, drafts):
            return answer_of(own, reason={"rule": "unanimous"})
        if rule == "judge":
            return await self.judged(query, pool, drafts, own.member, ranking)
        turn = reading(query, pool, own.member, drafts, self.summary, form=self.form, merge=True)
        policy: dict[str, Any] = {"on_failure": self.on_failure, "deadline": self.deadline}
        (summary,) = await take_all(pool, [turn], stage="summarize", round=round, **policy)
        if summary is None:
            return answer_of(own, reason={"rule": "agent", "failed": f"{own.member} (summarize)"})
        return answer_of(summary, reason={"rule": "summarize", "trim": turn.note})

    async def judged(self, query: Query, pool: Pool, drafts: Sequence[Draft], best: str, ranking: Ranking | None) -> Answer:
        """The text with the largest sum of verdicts over all pairs in both orders; ties go to the best-ranked member."""
        ranked = [drafts[i] for i in sorted(range(len(drafts)), key=placing(drafts, ranking))]
        texts = [ranked[i] for i in distinct(ranked)] or ranked[:1]
        view, judge = (pool.helper("judge"), "judge") if pool.aux.judge is not None else (pool, best)
        ranker = Prompted(query, view, judge, self.compare, self.on_failure, self.deadline)
        scores = max_logits(await full_matrix(len(texts), lambda i, j: ranker.margin(texts[i], texts[j])))
        chosen = max(range(len(texts)), key=lambda i: (round(float(scores[i]), 9), -i))
        about = {"rule": "judge", "judge": judge, "notes": ranker.notes}
        return answer_of(
            texts[chosen], reason={**about, "scores": {d.member: round(float(s), 6) for d, s in zip(texts, scores, strict=True)}}
        )


def _with_system(head: Sequence[Message], text: str) -> list[Message]:
    """``head`` with ``text`` behind its system message, or as one."""
    if head and head[0].role == "system":
        return [Message("system", f"{head[0].content}\n\n{text}"), *head[1:]]
    return [Message("system", text), *head]
