"""What fits a reader's context: quoted texts are cut evenly, the question and the instructions never.

Invariant: what fits is not touched. What is cut keeps its head and, twice as long, its tail, where answers stand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from moco.core.types import Request
from moco.discussion.quoting import Quote
from moco.models.cached import CachedModel
from moco.models.member import Member
from moco.models.rendering import Renderer, neutralise

MARGIN = 16
"""Tokens kept free beside the answer's."""
LEAST = 48
"""Tokens below which a cut text says less than its final answer alone."""
ELISION = " [...] "
_CHARACTERS = 3
"""Characters taken for one token where the tokenizer is not at hand; cautious for English, which has about four."""


@dataclass(frozen=True)
class Reader:
    """A member as a reader: ``context`` in tokens (None: unknown, nothing is cut), prompt sizes and text lengths in tokens."""

    name: str
    context: int | None
    size: Callable[[Request], int]
    length: Callable[[str], int]
    neutral: Callable[[str], str] = neutralise
    chat: bool = True
    """Whether it takes turns (a chat template); a base model reads one plain text."""
    thinks: Callable[[Request], bool] = lambda request: False
    """Whether its prompt opens a thinking block; one that opens its blocks itself is found out by asking."""


def reader_of(member: Member) -> Reader:
    """What can be known of ``member``: exactly, where its tokenizer is here; else its stated context and an estimate."""
    model: Any = member.model.model if isinstance(member.model, CachedModel) else member.model
    renderer = getattr(model, "renderer", None)
    if isinstance(renderer, Renderer):
        chat = renderer.style == "template"
        encode = renderer.tokens.encode
        how = (renderer.neutralise, chat, renderer.thinking)
        return Reader(member.name, renderer.context, renderer.size, lambda t: len(encode(t)), *how)
    context = getattr(model, "context", None)
    return Reader(member.name, context if isinstance(context, int) else None, _estimated_size, estimate)


def estimate(text: str) -> int:
    """Tokens of ``text``, from its characters."""
    return -(-len(text) // _CHARACTERS)


def _estimated_size(request: Request) -> int:
    turns = sum(estimate(m.content) + 4 for m in request.messages)
    return turns + estimate((request.text or "") + request.prefix) + len(request.ids or ())


def water_fill(lengths: Sequence[int], budget: int) -> list[int]:
    """How much of each text is kept: min(length, c) with the largest c whose sum fits ``budget``.

    What is left over goes one each to the lowest places that are still cut.
    """
    rest, open_ = max(budget, 0), len(lengths)
    level = 0
    for length in sorted(lengths):
        if length * open_ > rest:
            level = rest // open_
            break
        level, rest, open_ = length, rest - length, open_ - 1
    kept = [min(length, level) for length in lengths]
    for i, length in enumerate(lengths):
        if sum(kept) < budget and kept[i] < length:
            kept[i] += 1
    return kept


def shorten(text: str, limit: int, length: Callable[[str], int] = len) -> str:
    """``text`` cut to ``limit`` around an elision mark, a third of it head; just the mark where nothing else fits."""
    if length(text) <= limit:
        return text
    low, high = 0, len(text) - 1
    while low < high:
        kept = (low + high + 1) // 2
        low, high = (kept, high) if length(_cut(text, kept)) <= limit else (low, kept - 1)
    return _cut(text, low) if low else ELISION.strip()


def _cut(text: str, kept: int) -> str:
    head = kept // 3
    return text[:head].rstrip() + ELISION + text[len(text) - (kept - head) :].lstrip()


@dataclass(frozen=True)
class Fitted:
    """A request that fits, and what had to be cut for it (None: nothing): ``kept`` of ``of`` tokens per quote.

    ``room`` is given where not even the answers alone could stay whole: the tokens that there were for them. ``again`` makes the
    request that leaves room for an answer of so many tokens.
    """

    request: Request
    trim: dict[str, Any] | None = None
    room: int | None = None
    again: Callable[[int], Request] | None = field(default=None, compare=False, repr=False)


def fits(reader: Reader, request: Request) -> bool:
    """Whether ``request`` leaves room for its answer. Half of the context is the most that an answer may claim."""
    return reader.context is None or reader.size(request) <= _room(reader.context, request)


def fit(reader: Reader, quotes: Sequence[Quote], build: Callable[[list[Quote]], Request]) -> Fitted:
    """``build(quotes)``, with the quotes cut where ``reader`` could not read it otherwise.

    The texts share the room by water-filling; where that leaves them below 48 tokens, each is first replaced by the answer
    it gives. A question that does not fit by itself is left whole: the model refuses it (ContextOverflow).
    """

    def roomier(shown: list[Quote], tokens: int) -> Request:
        request = build(shown)
        return request.but(sampling=request.sampling.but(max_tokens=tokens))

    def again(tokens: int) -> Request:
        return fit(reader, quotes, lambda shown: roomier(shown, tokens)).request

    whole = list(quotes)
    request = build(whole)
    if reader.context is None or not whole or fits(reader, request):
        return Fitted(request, again=again)
    room = _room(reader.context, request)
    lengths = [reader.length(q.text) for q in whole]
    bare = reader.size(build([replace(q, text=ELISION.strip()) for q in whole]))
    budget, texts = room - bare - MARGIN, [q.text for q in whole]
    scarce: int | None = None
    if any(n < min(LEAST, length) for n, length in zip(water_fill(lengths, budget), lengths, strict=True)):
        texts = [min(q.text, reader.neutral(q.short), key=reader.length) for q in whole]
        scarce = budget if sum(map(reader.length, texts)) > budget else None
    sizes = [reader.length(t) for t in texts]
    while True:
        cuts = water_fill(sizes, budget)
        shown = [shorten(t, n, reader.length) for t, n in zip(texts, cuts, strict=True)]
        request = build([replace(q, text=t) for q, t in zip(whole, shown, strict=True)])
        over = reader.size(request) - room
        if over <= 0 or budget <= 0:
            kept = [reader.length(t) for t in shown]
            return Fitted(request, {"reader": reader.name, "kept": kept, "of": lengths}, scarce, again)
        budget = max(0, min(budget, sum(sizes)) - over)


def _room(context: int, request: Request) -> int:
    return context - min(request.sampling.max_tokens, context // 2)
