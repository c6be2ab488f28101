"""Quotes that are too many for a reader even when each is cut down to its answer: it reads them in groups, condenses each, and
then reads what it wrote.

The texts of others are quotes in either step. Where condensing leaves too little room, they are cut instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from moco.core.query import Query
from moco.core.types import Draft, Request
from moco.discussion.budget import LEAST, Fitted, Reader, fit, fits
from moco.discussion.quoting import Quote, block, safe
from moco.discussion.template import Template

WORST = 16
"""Tokens per group below which condensing says less than cutting."""
CONDENSE = Template(
    """\
Question: {question}
Replies to it:
{replies}
Say in a few short sentences which answers they give, and for what reasons.""",
    ("question", "replies"),
    ("replies",),
)


@dataclass(frozen=True)
class Crowd:
    """``quotes`` of which the first ``count`` are to be condensed to ``room`` tokens in all before ``build`` shows them."""

    query: Query
    reader: Reader
    quotes: Sequence[Quote]
    count: int
    build: Callable[[list[Quote]], Request]
    room: int

    @cached_property
    def groups(self) -> list[list[Quote]]:
        """The quotes to condense, in order, as many to a group as the reader can read whole."""
        out: list[list[Quote]] = []
        for quote in self.quotes[: self.count]:
            if out and fits(self.reader, self._ask([*out[-1], quote])):
                out[-1].append(quote)
            else:
                out.append([quote])
        return out

    @property
    def share(self) -> int:
        """Tokens that a group may be condensed to."""
        return self.room // len(self.groups)

    @property
    def asked(self) -> list[tuple[Request, tuple[Draft, ...]]]:
        """For every group what the reader is asked, and whose texts that quotes."""
        return [(fit(self.reader, group, self._ask).request, _drafts(group)) for group in self.groups]

    def told(self, digests: Sequence[Draft]) -> tuple[Request, tuple[Draft, ...]]:
        """The request with the groups' ``digests`` in place of their quotes, and whose texts it quotes."""
        labels = [", ".join(quote.label for quote in group) for group in self.groups]
        spoken = [(label, d) for label, d in zip(labels, digests, strict=True) if d.text.strip()]
        # a digest has no answer of its own: where it is still too long, its text is cut
        short = [Quote(label, d.text.strip(), (replace(d, key=None),)) for label, d in spoken]
        quotes = [*safe(short, self.reader.neutral), *self.quotes[self.count :]]
        return fit(self.reader, quotes, self.build).request, _drafts(quotes)

    def _ask(self, group: list[Quote]) -> Request:
        return self.query.request(CONDENSE.fill(question=self.query.question, replies=block(group)))


def fit_crowd(
    query: Query, reader: Reader, quotes: Sequence[Quote], build: Callable[[list[Quote]], Request], count: int
) -> tuple[Fitted, Crowd | None]:
    """`fit`, and the crowd that the first ``count`` of ``quotes`` are where even their answers had to be cut."""
    fitted = fit(reader, quotes, build)
    if fitted.room is None or count < 2:
        return fitted, None
    rest = sum(min(reader.length(q.text), LEAST) for q in quotes[count:])
    crowd = Crowd(query, reader, list(quotes), count, build, fitted.room - rest)
    if crowd.share < WORST:
        return fitted, None
    trim = {"reader": reader.name, "condensed": [len(group) for group in crowd.groups], "of": (fitted.trim or {}).get("of")}
    return replace(fitted, trim=trim), crowd


def _drafts(quotes: Sequence[Quote]) -> tuple[Draft, ...]:
    return tuple(draft for quote in quotes for draft in quote.drafts)
