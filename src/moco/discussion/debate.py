"""A round of debate: agents read what the agents they listen to said last, and answer again (arXiv 2305.14325).

Rounds are synchronous: a turn of round r shows texts of round r - 1 (and, as a chat, of the rounds before), never of its
own round. Who listens to whom is the caller's: everybody to everybody, or the edges of a graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from moco.core.query import Query
from moco.core.types import Draft, Message, Request
from moco.discussion.budget import Fitted, Reader, fit, fits, reader_of
from moco.discussion.condensing import Crowd, fit_crowd
from moco.discussion.quoting import LINE, NO_ANSWER, Form, Quote, block, quotes_of, safe
from moco.discussion.template import Template
from moco.discussion.turns import Turn, chat_request, task_prompt
from moco.models.pool import Pool

History = Literal["full", "last"]
Tone = Literal["neutral", "agreeable", "stubborn"]
Rounds = Sequence[Sequence[Draft]]
"""Drafts by round and agent."""

_FIELDS = ("task", "question", "answer_format", "tone")
UPDATE = Template(
    """\
Other assistants answered the same question:
{peers}

Check their solutions and your own step by step. {tone} Then write one complete answer.

{task}""",
    (*_FIELDS, "peers"),
    ("peers",),
)
UPDATE_LAST = Template(
    """\
Other assistants answered the question below:
{peers}

Your own answer so far:
{own}

Check their solutions and your own step by step. {tone} Then write one complete answer.

{task}""",
    (*_FIELDS, "peers", "own", "all"),
)
DIGEST = Template(
    """\
Other assistants answered the question below:
{peers}

Say in a few sentences which answers they give, for what reasons, and where they differ.

Question: {question}""",
    ("peers", "question", "answer_format", "task"),
    ("peers",),
)
VERIFY = Template(
    """\
Check your answer once more, step by step, and write it again in full.

{task}""",
    _FIELDS,
)
VERIFY_LAST = Template(
    """\
Your answer so far:
{own}

Check it once more, step by step, and write it again in full.

{task}""",
    (*_FIELDS, "own"),
)
TONES: dict[Tone, str] = {
    "neutral": "Keep your answer if it is right, change it if theirs convince you.",
    "agreeable": "Follow them unless you see a clear mistake in what they say.",
    "stubborn": "Hold on to your answer unless they prove it wrong.",
}


@dataclass(frozen=True)
class Debate:
    """How agents are asked again: with the whole chat or only the last round, in which words, in which tone."""

    history: History = "full"
    restate: bool = True
    tone: Tone = "neutral"
    form: Form = "auto"
    update: Template = UPDATE
    update_last: Template = UPDATE_LAST
    verify: Template = VERIFY
    verify_last: Template = VERIFY_LAST
    digest: Template | None = None
    """How an agent condenses the others' answers before it answers again; None: it reads them as they are."""

    def turn(
        self, query: Query, pool: Pool, rounds: Rounds, agent: int, hears: Sequence[int], digests: Sequence[Draft | None] = ()
    ) -> Turn:
        """The next turn of agent number ``agent`` (its place in ``rounds[r]``), who listens to the agents ``hears``.

        ``digests`` are its own condensed views of what they said, by round. A chat that does not fit falls back to the last
        round alone, and that is then cut to fit; the turn's note says so.
        """
        mine = rounds[0][agent]
        reader = reader_of(pool[mine.member])
        heard = [
            (digest,) if digest is not None and digest.text.strip() else tuple(drafts[j] for j in hears)
            for drafts, digest in zip(rounds, [*digests, *[None] * (len(rounds) - len(digests))], strict=True)
        ]
        own = [drafts[agent] for drafts in rounds]
        note: dict[str, object] = {}
        if self.history == "full" and query.messages:
            whole = self.chat(query, reader, own, heard)
            if not reader.chat:
                note = {"reader": mine.member, "history": "last", "why": "no chat template"}
            elif fits(reader, whole):
                return Turn(mine.member, whole, _seen(own, heard), draw=mine.draw)
            else:
                note = {"reader": mine.member, "history": "last", "why": "the chat does not fit"}
        fitted, crowd = self.last(query, reader, own[-1], heard[-1])
        note |= fitted.trim or {}
        return Turn(mine.member, fitted.request, _seen(own[-1:], heard[-1:]), note or None, mine.draw, crowd=crowd)

    def chat(self, query: Query, reader: Reader, own: Sequence[Draft], heard: Sequence[Sequence[Draft]]) -> Request:
        """The task, then for every round the agent's own answer as its turn and what the others said as the user's."""
        head, task = task_prompt(query)
        turns = [*head, Message("user", task)]
        for mine, peers in zip(own, heard, strict=True):
            said = reader.neutral(mine.text).strip() or NO_ANSWER
            turns += [Message("assistant", said), Message("user", self.says(query, reader, mine, peers))]
        return chat_request(query, turns)

    def says(self, query: Query, reader: Reader, mine: Draft, peers: Sequence[Draft]) -> str:
        """What the others said, in the words of an update; without any usable text, the request to check oneself."""
        quotes = safe(_quotes(mine, peers), reader.neutral)
        if not quotes:
            return self.verify.fill(**self._common(query))
        return self.update.fill(**self._common(query), peers=block(quotes, self.form))

    def last(self, query: Query, reader: Reader, mine: Draft, peers: Sequence[Draft]) -> tuple[Fitted, Crowd | None]:
        """One message with the others' last answers, the own one and the task, cut to what ``reader`` can read."""
        own = Quote("Your answer", mine.text.strip() or NO_ANSWER, (mine,))
        number = f"Assistant {mine.index + 1}"

        def build(quotes: list[Quote]) -> Request:
            others, me = quotes[:-1], quotes[-1]
            head, _ = task_prompt(query)
            values = {**self._common(query, always=True), "own": block([me], self.form, LINE.but("{text}"))}
            if others:
                everyone = sorted([*others, Quote(number, me.text, me.drafts)], key=lambda q: q.drafts[0].index)
                values |= {"peers": block(others, self.form), "all": block(everyone, self.form)}
            text = (self.update_last if others else self.verify_last).fill(**values)
            return chat_request(query, [*head, Message("user", text)])

        others = _quotes(mine, peers)
        return fit_crowd(query, reader, safe([*others, own], reader.neutral), build, len(others))

    def condense(self, query: Query, pool: Pool, drafts: Sequence[Draft], agent: int, hears: Sequence[int]) -> Turn | None:
        """The turn in which an agent writes down what the others say; None where there is nothing to read."""
        mine, words = drafts[agent], self.digest
        reader = reader_of(pool[mine.member])
        quotes = safe(quotes_of([drafts[j] for j in hears], merge=True), reader.neutral)
        if words is None or not quotes:
            return None
        common = {"question": query.question, "answer_format": query.answer_format, "task": task_prompt(query)[1]}
        fitted = fit(reader, quotes, lambda shown: query.request(words.fill(peers=block(shown, self.form), **common)))
        return Turn(mine.member, fitted.request, tuple(d for q in quotes for d in q.drafts), fitted.trim, mine.draw)

    def read(self, query: Query, draft: Draft) -> Draft:
        """The draft as it is: all of it is the answer."""
        return draft

    def _common(self, query: Query, always: bool = False) -> dict[str, str]:
        _, task = task_prompt(query)
        again = task if self.restate or always else query.answer_format
        return {"task": again, "question": query.question, "answer_format": query.answer_format, "tone": TONES[self.tone]}


def _quotes(mine: Draft, peers: Sequence[Draft]) -> list[Quote]:
    """What an agent reads of the others: their answers under their numbers, or its own digest of them."""
    if len(peers) == 1 and (peers[0].member, peers[0].draw) == (mine.member, mine.draw):
        return quotes_of(peers, "In short")
    return quotes_of(peers)


def _seen(own: Sequence[Draft], heard: Sequence[Sequence[Draft]]) -> tuple[Draft, ...]:
    """The drafts quoted in a turn: the agent's own, and the others' that say something, in order of rounds and agents."""
    out: list[Draft] = []
    for mine, peers in zip(own, heard, strict=True):
        out += sorted([mine, *(d for d in peers if d.text.strip())], key=lambda d: d.index)
    return tuple(out)
