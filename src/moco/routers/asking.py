"""Confidence that has to be asked for: a line the member writes itself, or the odds it gives its own answer.

The question asked of a member differs from the task's in these cases, so its answer is not the one other methods share.
"""

from __future__ import annotations

import re

from moco.core.query import Query
from moco.core.types import Draft, Message, Request, Usage
from moco.models.pool import Pool

TELL = "After your answer, write one more line that says how sure you are: Confidence: low or Confidence: high"
JUDGE = """\
{question}

Proposed answer:
{answer}

Is the proposed answer correct? Reply with one word, True or False."""
_LINE = re.compile(r"^[ \t*_]*Confidence:[ \t*_]*(low|high)\b[ \t*_.]*$", re.IGNORECASE | re.MULTILINE)


def telling(query: Query, instruction: str = TELL) -> Request:
    """The task's request with ``instruction`` after the question; a request of raw token ids is left as it is."""
    request = query.request()
    if request.text is not None:
        return request.but(text=f"{request.text}\n\n{instruction}")
    users = [i for i, m in enumerate(request.messages) if m.role == "user"]
    if not users:
        return request
    turns = list(request.messages)
    turns[users[-1]] = Message("user", f"{turns[users[-1]].content}\n\n{instruction}")
    return request.but(messages=tuple(turns))


def told(text: str) -> tuple[str, float | None]:
    """(text without its confidence lines, 1 for high, 0 for low; None where no line says so). The last line counts."""
    found = _LINE.findall(text)
    if not found:
        return text, None
    return _LINE.sub("", text).strip(), float(found[-1].lower() == "high")


async def odds_of_truth(pool: Pool, query: Query, draft: Draft, template: str = JUDGE) -> tuple[float, Usage]:
    """log P("True") - log P("False") that the member gives its own ``draft``, and what reading them costs; needs SCORE."""
    request = query.request(template.format(question=query.question, answer=draft.text))
    yes, no = [await pool.score(draft.member, request, word) for word in ("True", "False")]
    return yes.total - no.total, Usage(yes.read + no.read, 0, 2)
