"""A member that asks for knowledge: whether it needs more, of what kind, and from which card (arXiv 2305.09955, top-down).

Yes and no are read as whole words that stand in no passage; anything else is no.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from moco.core.query import Query
from moco.core.types import Request
from moco.discussion.budget import fit, reader_of
from moco.discussion.judging import labels_for, read_verdict
from moco.discussion.passages import Passage, quoted
from moco.discussion.quoting import LINE, Quote, block, safe
from moco.discussion.similarity import token_f1
from moco.discussion.template import Template
from moco.discussion.turns import Turn, take
from moco.models.pool import Pool

MORE = Template(
    """\
Question: {question}
{passages}
Do you need more information to answer it? Write only {yes} or {no}.""",
    ("question", "passages", "yes", "no"),
    ("yes", "no"),
)
WHICH = Template(
    """\
Question: {question}
{passages}
What kind of information do you need? Write a few words.""",
    ("question", "passages"),
    ("question",),
)
CHOOSE = Template(
    """\
Question: {question}
{passages}
Sources of information:
{cards}
Which one do you choose? Write only its name.""",
    ("question", "passages", "cards"),
    ("cards",),
)
REPLY_TOKENS = 32


@dataclass
class Asker:
    """Member ``main`` asks for passages of ``cards``: by a name of its choice (``explicit``) or by the kind it describes."""

    query: Query
    pool: Pool
    main: str
    cards: Sequence[str]
    explicit: bool
    more: Template = MORE
    which: Template = WHICH
    choose: Template = CHOOSE
    record: list[dict[str, Any]] = field(default_factory=list)
    """What was asked for and why it was that card, step by step."""
    trims: list[dict[str, Any]] = field(default_factory=list)

    async def next(self, passages: Sequence[Passage], step: int) -> str | None:
        """The card to ask, given what is there; None where nothing more is wanted."""
        texts = [self.query.question, *(p.text for p in passages)]
        phrases = labels_for(texts, wanted=("Yes", "No"))
        said = await self._ask(self.more, passages, step, {"yes": phrases[0], "no": phrases[1]})
        wants = read_verdict(said, phrases)
        if wants != 0:
            self.record.append({"step": step, "more": False, **({"unreadable": said[:200]} if wants is None else {})})
            return None
        card, why = await (self._named(passages, step) if self.explicit else self._likely(passages, step))
        self.record.append({"step": step, "more": True, "card": card, "by": why})
        return card

    async def _named(self, passages: Sequence[Passage], step: int) -> tuple[str, str]:
        """The card that the reply names first; a random one where it names none."""
        listed = "\n".join(f"- {n}: {d}" if (d := self.pool[n].description) else f"- {n}" for n in self.cards)
        said = (await self._ask(self.choose, passages, step, {"cards": listed})).casefold()
        places = [(said.find(name.casefold()), -len(name), i) for i, name in enumerate(self.cards)]
        named = [place for place in places if place[0] >= 0]
        if named:  # of names that begin at one place the longest: alpha-2 is not alpha
            return self.cards[min(named)[-1]], "name"
        return self.cards[int(self.query.rng(f"card.{step}").integers(len(self.cards)))], "chance"

    async def _likely(self, passages: Sequence[Passage], step: int) -> tuple[str, str]:
        """The card whose name and description are most like the kind that the reply describes."""
        said = await self._ask(self.which, passages, step, {})
        like = [token_f1(said, f"{name} {self.pool[name].description}") for name in self.cards]
        return self.cards[max(range(len(like)), key=lambda i: (like[i], -i))], "likeness"

    async def _ask(self, words: Template, passages: Sequence[Passage], step: int, more: dict[str, str]) -> str:
        reader = reader_of(self.pool[self.main])

        def build(shown: list[Quote]) -> Request:
            values = {"question": self.query.question, "passages": block(shown, line=LINE.but("- {text}")), **more}
            return self.query.request(words.fill(**values), max_tokens=REPLY_TOKENS)

        fitted = fit(reader, safe(quoted(passages), reader.neutral), build)
        self.trims += [fitted.trim] if fitted.trim else []
        turn = Turn(self.main, fitted.request, tuple(p.draft for p in passages), fitted.trim, again=fitted.again)
        return (await take(self.pool, turn, stage="ask", round=step, room=REPLY_TOKENS)).text
