"""One vocabulary for models that decode together: aligned by token string, never by the width of their logits.

Invariant: a joint id that the first member knows is that member's own id; ids that only others know come behind. Padding
columns and ids outside the common set have probability 0 and are never drawn.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moco.core.errors import PoolError
from moco.models.streams import Codec, Logits, Vocabulary

log = logging.getLogger("moco.decoding")
AGREE = 0.95
"""Share of the smaller vocabulary that two members must have in common."""
MISSING = -1


@dataclass(frozen=True)
class Alignment:
    """How the vocabularies of several members become one of ``size`` ids.

    ``maps`` (members, size): a member's id for each joint id, MISSING where it has none. ``usable`` (size,): ids that may be
    drawn. ``strings``: token string of each joint id, "" where there is none.
    """

    strings: tuple[str, ...]
    lead_size: int
    maps: NDArray[np.int64]
    usable: NDArray[np.bool_]
    eos: tuple[int, ...]
    specials: frozenset[str]

    @property
    def size(self) -> int:
        return len(self.strings)

    @property
    def whole(self) -> bool:
        """Whether every member knows every usable id."""
        return bool((self.maps[:, self.usable] != MISSING).all())

    @property
    def same(self) -> bool:
        """Whether an id means the same token to every member that knows it."""
        own = np.arange(self.size)
        return bool(((self.maps == MISSING) | (self.maps == own)).all())

    @property
    def vocabulary(self) -> Vocabulary:
        """The joint vocabulary, as a model's own; only usable ids are in it."""
        ids = {self.strings[i]: int(i) for i in np.flatnonzero(self.usable)}
        return Vocabulary(ids, self.eos, self.size, self.specials)

    def view(self, member: int, logits: Logits) -> Logits:
        """``logits`` (rows, own width) of ``member`` over the joint ids (rows, size); -inf where missing or not usable."""
        own = self.maps[member]
        blocked = ~self.usable | (own == MISSING)
        if logits.shape[1] <= own.max():
            raise PoolError(f"a model gave {logits.shape[1]} logits for a vocabulary of more than {int(own.max())}")
        if (own == np.arange(self.size)).all() and not blocked.any():
            return logits[:, : self.size]
        out: Logits = logits[:, np.maximum(own, 0)]
        out[:, blocked] = -np.inf
        return out


def align(vocabularies: Sequence[Vocabulary], names: Sequence[str], *, union: bool = False) -> Alignment:
    """The common vocabulary of members called ``names``; ids may differ, strings decide.

    A string that not all know is left out, or with ``union`` kept for those that know it. Raises PoolError where two
    members share less than 95 % of the smaller vocabulary: their distributions are over different things.
    """
    known = [{s: i for s, i in v.ids.items() if i < v.width} for v in vocabularies]
    lead = known[0]
    for name, other in zip(names[1:], known[1:], strict=True):
        common = len(lead.keys() & other.keys())
        if common < AGREE * min(len(lead), len(other)):
            raise PoolError(
                f"'{names[0]}' and '{name}' have different tokenizers: {common} common tokens of {len(lead)} and {len(other)}",
                why="their next-token distributions are over different tokens",
                remedy="choose members of one tokenizer, or a method of the text level",
            )
    strings = [""] * (max(lead.values()) + 1)
    for string, i in lead.items():
        strings[i] = string
    lead_size = len(strings)
    if union:
        strings += sorted({s for other in known for s in other} - lead.keys())
    place = {string: i for i, string in enumerate(strings) if i >= lead_size or string in lead}
    maps = np.full((len(known), len(strings)), MISSING, np.int64)
    for member, own in enumerate(known):
        for string, i in own.items():
            if string in place:
                maps[member, place[string]] = i
    has = maps != MISSING
    usable = has.any(axis=0) if union else has.all(axis=0)
    return Alignment(
        tuple(strings),
        lead_size,
        maps,
        usable,
        _ends(vocabularies, names, place, usable),
        frozenset().union(*(v.specials for v in vocabularies)),
    )


def _ends(
    vocabularies: Sequence[Vocabulary], names: Sequence[str], place: dict[str, int], usable: NDArray[np.bool_]
) -> tuple[int, ...]:
    """Joint ids that end an answer: those of any member, where usable."""
    sets = []
    for vocabulary in vocabularies:
        ends = set(vocabulary.eos)
        sets.append({string for string, i in vocabulary.ids.items() if i in ends})
    eos = tuple(sorted(place[s] for s in set().union(*sets) if s in place and usable[place[s]]))
    if not eos:
        log.warning("%s have no common end token: answers run until a stop string or the limit", ", ".join(names))
    elif not set.intersection(*sets):
        log.warning("%s end their answers with different tokens; any of them ends the common one", ", ".join(names))
    return eos


class JointCodec:
    """Text of joint ids, by the first member's tokenizer; what it lacks by the first member that has it."""

    def __init__(self, alignment: Alignment, codecs: Sequence[Codec]) -> None:
        self._alignment, self._codecs = alignment, codecs

    def encode(self, text: str) -> Sequence[int]:
        return self._codecs[0].encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        return self.piece((), ids)

    def piece(self, before: Sequence[int], ids: Sequence[int]) -> str:
        """Text that ``ids`` add behind ``before``."""
        lead, size = self._codecs[0], self._alignment.lead_size
        text, past = "", [i for i in before if i < size]
        for own, run in itertools.groupby(ids, key=lambda i: i < size):
            group = list(run)
            if own:
                text += lead.piece(past, group) if past else lead.decode(group)
                past += group
            else:
                text += "".join(self._foreign(i) for i in group)
        return text

    def _foreign(self, token: int) -> str:
        owner = int((self._alignment.maps[:, token] != MISSING).argmax())
        return self._codecs[owner].decode([int(self._alignment.maps[owner, token])])

    def feed(self, member: int, token: int) -> Sequence[int]:
        """What ``member`` reads where ``token`` was written: its own id, else its ids of the token's text."""
        own = int(self._alignment.maps[member, token])
        if own != MISSING:
            return (own,)
        return self._codecs[member].encode(self.decode([token]) or self._alignment.strings[token])
