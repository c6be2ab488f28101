"""Likeness of free texts without a model: token F1, and the medoid it picks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_WORD = re.compile(r"\w+", re.UNICODE)


def token_f1(a: str, b: str) -> float:
    """Harmonic mean of precision and recall over case-folded words; 1 for two empty texts. In [0, 1]."""
    x, y = Counter(_WORD.findall(a.casefold())), Counter(_WORD.findall(b.casefold()))
    if not x and not y:
        return 1.0
    common = sum((x & y).values())
    return 2 * common / (sum(x.values()) + sum(y.values())) if common else 0.0


def medoid(texts: Sequence[str]) -> int:
    """Index of the text with the highest mean likeness to the others; ties go to the first.

    Empty texts are only chosen where all are empty.
    """
    usable = [i for i, t in enumerate(texts) if t.strip()]
    if not usable:
        return 0
    return max(usable, key=lambda i: (round(sum(token_f1(texts[i], texts[j]) for j in usable if j != i), 12), -i))


def normalised(text: str) -> str:
    """``text`` case-folded with single spaces: equal for texts that differ in case and layout alone."""
    return " ".join(text.casefold().split())
