"""One member reads what the others said and writes the answer (summaries, mixtures, fusions)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from moco.core.query import Query
from moco.core.types import Draft, Message, Request
from moco.discussion.budget import fit, reader_of
from moco.discussion.quoting import LINE, Form, Quote, block, quotes_of, safe
from moco.discussion.template import Template
from moco.discussion.turns import Turn, chat_request, task_prompt
from moco.models.pool import Pool

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

    fitted = fit(reader, quotes, build)
    return Turn(who, fitted.request, tuple(d for q in quotes for d in q.drafts), fitted.trim, draw)


def _with_system(head: Sequence[Message], text: str) -> list[Message]:
    """``head`` with ``text`` behind its system message, or as one."""
    if head and head[0].role == "system":
        return [Message("system", f"{head[0].content}\n\n{text}"), *head[1:]]
    return [Message("system", text), *head]
