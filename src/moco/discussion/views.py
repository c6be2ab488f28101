"""Views in three tagged parts (the RelCom format of arXiv 2410.15686): a reason, an answer, and a memory that stays private.

Tags are read from an agent's own reply alone; those in quoted texts are broken, so that a copied quote is no answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from moco.core.query import Query
from moco.core.types import Draft, Request
from moco.discussion.budget import reader_of
from moco.discussion.condensing import fit_crowd
from moco.discussion.debate import Rounds
from moco.discussion.quoting import NO_ANSWER, Form, Quote, block, quotes_of, safe
from moco.discussion.template import Template
from moco.discussion.turns import Turn, chat_request, task_prompt
from moco.models.pool import Pool

_TAG = re.compile(r"<\s*(?:UPDATED_)?(REASON|ANSWER|MEMORY)\s*>\s*:?", re.IGNORECASE)
PARTS = """\
Write three parts, each begun by its tag:
<REASON>: why you think so
<ANSWER>: your final answer
<MEMORY>: what you want to remember for the next round, in at most 100 words"""
GENESIS = Template(f"{{task}}\n\n{PARTS}", ("task", "question", "answer_format"), ("task",))
RELCOM = Template(
    f"""\
You discuss the question below with other assistants. Keep your view if it is right, change it if theirs convince you.

Your view so far:
{{own}}

Your memory: {{memory}}

What the others say:
{{peers}}

{{task}}

{PARTS}""",
    ("task", "question", "answer_format", "own", "memory", "peers"),
    ("own", "peers"),
)
NOBODY = "(nobody responded)"


@dataclass(frozen=True)
class View:
    """The parts of a reply; without tags it is all ``reason``."""

    reason: str
    answer: str = ""
    memory: str = ""

    @property
    def shown(self) -> str:
        """What others see of it."""
        return "\n".join(p for p in (f"Answer: {self.answer}" if self.answer else "", self.reason) if p)


def read_view(text: str) -> View:
    """The tagged parts of ``text``, by name; a tag that is written again counts again."""
    marks = list(_TAG.finditer(text))
    if not marks:
        return View(text.strip())
    ends = [m.start() for m in marks[1:]] + [len(text)]
    parts = {m.group(1).upper(): text[m.end() : end].strip() for m, end in zip(marks, ends, strict=True)}
    return View(parts.get("REASON", text[: marks[0].start()].strip()), parts.get("ANSWER", ""), parts.get("MEMORY", ""))


def break_tags(text: str) -> str:
    """``text`` with tags that are tags no more."""
    return _TAG.sub(lambda m: m.group().replace("<", "(").replace(">", ")"), text)


def said_in(query: Query, draft: Draft) -> Draft:
    """The draft with its answer part as its text, where that can be read; else the whole reply, read by the task's rules."""
    view = read_view(draft.text)
    key = query.extract(view.answer) if view.answer else None
    if key is not None or (view.answer and not query.votable):
        return replace(draft, text=view.answer, key=key)
    return replace(draft, key=query.extract(draft.text))


@dataclass(frozen=True)
class RelCom:
    """How agents are asked for views, and asked again: the own view and memory, and the others' answers and reasons."""

    form: Form = "auto"
    genesis: Template = GENESIS
    words: Template = RELCOM
    digest: Template | None = None

    def first(self, query: Query, member: str) -> Turn:
        """The first turn: the task, and the three parts."""
        head, task = task_prompt(query)
        text = self.genesis.fill(task=task, question=query.question, answer_format=query.answer_format)
        last = query.request(text).messages[-1]
        return Turn(member, chat_request(query, [*head, last]))

    def turn(
        self, query: Query, pool: Pool, rounds: Rounds, agent: int, hears: Sequence[int], digests: Sequence[Draft | None] = ()
    ) -> Turn:
        """The next turn of agent number ``agent``; only the last round is shown."""
        drafts = rounds[-1]
        mine, peers = drafts[agent], [drafts[j] for j in hears]
        reader = reader_of(pool[mine.member])
        views = [replace(self.read(query, d), text=break_tags(read_view(d.text).shown)) for d in peers]
        own = read_view(mine.text)
        head, task = task_prompt(query)
        asked = {"task": task, "question": query.question, "answer_format": query.answer_format}

        def build(quotes: list[Quote]) -> Request:
            *others, me, notes = quotes
            seen = {"own": block([me], self.form), "memory": notes.text, "peers": block(others, self.form) or NOBODY}
            last = query.request(self.words.fill(**asked, **seen)).messages[-1]
            return chat_request(query, [*head, last])

        held = Quote("You", break_tags(own.shown) or NO_ANSWER, (self.read(query, mine),))
        notes = Quote("Memory", " ".join(break_tags(own.memory).split()) or "(empty)", ())
        others = quotes_of(views)
        fitted, crowd = fit_crowd(query, reader, safe([*others, held, notes], reader.neutral), build, len(others))
        seen = sorted([mine, *(d for d in peers if d.text.strip())], key=lambda d: d.index)
        return Turn(mine.member, fitted.request, tuple(seen), fitted.trim, mine.draw, crowd=crowd)

    def condense(self, query: Query, pool: Pool, drafts: Sequence[Draft], agent: int, hears: Sequence[int]) -> None:
        """Nothing: views are short already."""

    def read(self, query: Query, draft: Draft) -> Draft:
        """The answer part, as ``said_in``."""
        return said_in(query, draft)
