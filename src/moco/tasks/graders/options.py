"""The labelled options of one item: looking labels up, finding option texts, removing restatements of all of them.

Invariant: nothing here compiles a pattern per item (that would cost more than the grading), and positions found in
case-folded text are positions in the text itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from moco.tasks.graders.base import fold, unwrap

_WORD = re.compile(r"[^\W_]+")
_SPACE = re.compile(r"[\s*_)\].:\"'`(-]*")
_JOINT = re.compile(r"[.\"'*]*(?:\s*[,;，；、]\s*(?:and\s+)?|\s+and\s+|\s*&\s*|\n\s*(?:[-*•]\s*)?)(?=\S)", re.IGNORECASE)
_LINE_END = re.compile(r"(?:\s*\([^()\n]{1,20}\))?[\s.。)\]}*_\"'`$»”]*(?:$|\n|</)")
_LETTER = re.compile(r"\w+\s[A-Z](?!\w)")
_MARKED = re.compile("[✓✔✅☑✗✘❌]")
_HEADER = re.compile(
    r"(?:^|\n)?[ \t*_#(]*(?:the\s+)?(?:options?|choices?|possible answers|answer choices)(?:\s+(?:were|are))?[*_]*\s*:?[*_]*\s*$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Labels:
    """``names`` are the item's own labels, ``texts`` the case-folded option texts, parallel."""

    names: tuple[str, ...]
    texts: tuple[str, ...]
    index: dict[str, int]
    spoken: frozenset[str] = frozenset()
    """Phrases in option texts that end in a capital letter ('vitamin C'): outside of a cue the letter is no label there."""
    cased: tuple[str, ...] = ()
    """The option texts as written, to tell apart those that only case does ('Cc or cc', 'CC or Cc')."""

    @classmethod
    def of(cls, names: tuple[str, ...], texts: tuple[str, ...]) -> Labels:
        """Own labels come first, then their other case, then letters that stand for positions."""
        index: dict[str, int] = {}
        for i, name in enumerate(names):
            index.setdefault(name, i)
        for i, name in enumerate(names):
            for variant in (name.upper(), name.lower(), name.strip("()[]. ")):
                index.setdefault(variant, i)
        if not all(len(name) == 1 and name.isalpha() for name in names):
            for i in range(min(26, len(names))):
                index.setdefault(chr(65 + i), i)
                index.setdefault(chr(97 + i), i)
        cased = tuple(unwrap(fold(text)).strip().rstrip(" .") for text in texts) + ("",) * (len(names) - len(texts))
        spoken = frozenset(lowered(phrase) for text in cased for phrase in _LETTER.findall(text))
        return cls(names, tuple(map(lowered, cased)), index, spoken, cased)

    def look_up(self, word: str) -> int | None:
        return self.index.get(word)

    def run(self, word: str) -> list[int]:
        """The labels of 'BD'; empty unless every character is a label of its own and none comes twice."""
        if not word.isupper() or len(set(word)) != len(word) or len(word) < 2:
            return []
        hits = [self.index.get(c) for c in word]
        return [i for i in hits if i is not None] if None not in hits else []

    def join(self, indices: Iterable[int]) -> str:
        """The key of a set of labels: in the item's order, so that the order of naming does not count."""
        return ",".join(self.names[i] for i in sorted(set(indices)))

    def text_follows(self, body: str, end: int, index: int) -> int:
        """Where the text of option ``index`` ends that stands behind its label; 0 if another text or none does."""
        text = self.texts[index].lstrip(" ([*_\"'`-")
        start = _SPACE.match(body, end).end()  # type: ignore[union-attr]
        stop = start + len(text)
        return stop if text and start > end and lowered(body[start:stop]) == text and bounded(body, start, stop) else 0

    def next_is_label(self, body: str, end: int) -> bool:
        """Whether the next word is an upper-case label: 'A B C D'."""
        start = _SPACE.match(body, end).end()  # type: ignore[union-attr]
        word = _WORD.match(body, start)
        return word is not None and not word[0].islower() and word[0] in self.index and start > end


def lowered(text: str) -> str:
    """Lower case of the same length: characters whose lower case is longer stay as they are."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def bounded(text: str, start: int, end: int) -> bool:
    """Whether ``text[start:end]`` stands alone: no letter, digit or decimal joins on to it."""
    before, first = text[start - 1 : start], text[start : start + 1]
    after, last = text[end : end + 1], text[end - 1 : end]
    if before and _joined(before, first):
        return False
    if before in (".", ",") and first.isdigit() and start >= 2 and text[start - 2].isdigit():
        return False
    if before == "-" and first.isdigit() and not text[max(0, start - 2)].isalnum():
        return False
    if after and _joined(last, after):
        return False
    decimals = text[end + 1 : end + 3]
    return not (after in (".", ",") and last.isdigit() and decimals[:1].isdigit() and decimals.strip("0 "))


def _joined(a: str, b: str) -> bool:
    """Letters and digits of scripts with spaces join; ideographs stand alone."""
    return a.isalnum() and b.isalnum() and not ("\u3040" <= a <= "\u9fff" or "\u3040" <= b <= "\u9fff")


def starts_with_text(body: str, start: int, labels: Labels) -> tuple[int, int] | None:
    """The option whose text stands at ``start`` (the longest), with its end; None if none does or two are alike."""
    best: list[int] = []
    reach, first = 0, lowered(body[start : start + 1])
    for i, text in enumerate(labels.texts):
        if (
            text[:1] == first != ""
            and len(text) >= reach
            and lowered(body[start : start + len(text)]) == text
            and bounded(body, start, start + len(text))
        ):
            best = [*best, i] if len(text) == reach else [i]
            reach = len(text)
    if len(best) > 1:
        best = [i for i in best if body.startswith(labels.cased[i], start)]
    return (best[0], start + reach) if len(best) == 1 else None


def texts_listed(body: str, start: int, labels: Labels) -> tuple[list[int], int] | None:
    """Several option texts one after another, to the end of the line; the options and the end. None for fewer than two."""
    found: list[int] = []
    while (hit := starts_with_text(body, start, labels)) and hit[0] not in found:
        found.append(hit[0])
        joint = _JOINT.match(body, hit[1])
        if joint is None:
            ends = _LINE_END.match(body, hit[1]) is not None
            return (found, hit[1]) if ends and len(found) > 1 else None
        start = joint.end()
    return None


def occurrences(body: str, labels: Labels) -> list[tuple[int, int]]:
    """(option, position) of every option text in ``body`` that is not part of a longer option's text."""
    low = lowered(body)
    spans: list[tuple[int, int, int]] = []
    for i, text in enumerate(labels.texts):
        at = low.find(text) if text else -1
        while at >= 0:
            if bounded(low, at, at + len(text)):
                spans.append((at, at + len(text), i))
            at = low.find(text, at + 1)
    spans = sorted(spans)[-200:]  # a reply that repeats itself says no more than its end
    return [(i, a) for a, b, i in spans if not any(c <= a and b <= d and d - c > b - a for c, d, _ in spans)]


def without_restatement(body: str, labels: Labels) -> str:
    """``body`` without the places where all options are listed in order with their labels, unless ticked or crossed."""
    if len(labels.names) < 2 or not all(labels.texts):
        return body
    low = lowered(body)
    last = labels.texts[-1]
    if last not in low or labels.texts[0] not in low:
        return body
    name, at, kept, start = lowered(labels.names[0]), 0, [], 0
    while (at := low.find(name, at)) >= 0:
        end = _listed(low, at, labels) if at == 0 or not low[at - 1].isalnum() else 0
        end = 0 if end and _MARKED.search(low, at, end + 4) else end
        if end:
            head = body[start:at].rstrip(" \t\n([*_-")
            kept.append(_HEADER.sub("", head))
            start = at = end
        else:
            at += 1
    return ("\n".join([*kept, body[start:].lstrip(".)]*_")])).strip() if kept else body


def _listed(low: str, at: int, labels: Labels) -> int:
    """The end of a list of all options that begins at ``at``, 0 if there is none."""
    for name, text in zip(labels.names, labels.texts, strict=True):
        at = _skip(low, at)
        name = lowered(name)
        if not low.startswith(name, at):
            return 0
        after = _skip(low, at + len(name))
        if after == at + len(name):
            return 0
        while not low.startswith(text, after) and after > at + len(name) and not text[:1].isalnum():
            after -= 1
        if not low.startswith(text, after):
            return 0
        at = after + len(text)
    return at


def _skip(low: str, at: int) -> int:
    while at < len(low) and not low[at].isalnum():
        at += 1
    return at
