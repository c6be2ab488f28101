"""Verdicts on quoted texts, read so that a quoted text can never be the verdict.

Invariant: the words that a verdict is written in stand in none of the quoted texts, so what a judge copies from them says
nothing; they depend on the texts alone, so equal prompts stay equal. Only the judge's visible reply is read, never its prompt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from moco.core.query import Query
from moco.core.seeds import digest

Labels = tuple[str, str]
"""The names of the text shown first and of the one shown second."""
WORDS: tuple[Labels, ...] = (("FIRST", "SECOND"), ("UPPER", "LOWER"), ("LEFT", "RIGHT"))
MARKS = ("Choice", "Verdict", "Decision")
_TRIMMINGS = " \t\r\n*_`\"'“”‘’«».,;:!()[]{}<>#-"
_NUMBER = re.compile(r"\d+")
_NUMBERED = re.compile(r"(?:reply|number)?\s*#?(\d+)")


def bare(text: str) -> str:
    """``text`` without the quotes, brackets and emphasis around it, in one case and with single spaces."""
    return " ".join(text.casefold().split()).strip(_TRIMMINGS)


def says(text: str, phrase: str, any_case: bool = False) -> bool:
    """Whether ``phrase`` stands in ``text`` as words of its own, to the letter unless ``any_case``, or as a line in any case."""
    pattern = r"\s+".join(re.escape(word) for word in phrase.split())
    if re.search(rf"(?<!\w){pattern}(?!\w)", text, re.IGNORECASE if any_case else 0):
        return True
    wanted = bare(phrase)
    return any(bare(line) == wanted for line in text.splitlines())


def labels_for(texts: Sequence[str], reply: str = "{label}", wanted: Labels | None = None, any_case: bool = False) -> Labels:
    """Two labels whose verdicts, written as ``reply``, stand in none of ``texts``: ``wanted`` where that is so, else others.

    ``any_case`` is for verdicts that are read in any case.
    """
    for pair in (*([wanted] if wanted else []), *WORDS):
        if not any(says(t, phrase, any_case) for t in texts for phrase in phrases_of(pair, reply)):
            return pair
    attempt = 0
    while True:
        mark = digest("labels", list(texts), attempt)[:6].upper()
        if not any(mark in t.upper() for t in texts):
            return f"FIRST-{mark}", f"SECOND-{mark}"
        attempt += 1


def phrases_of(labels: Labels, reply: str) -> tuple[str, str]:
    """How either verdict is written."""
    return reply.replace("{label}", labels[0]), reply.replace("{label}", labels[1])


def mark_for(texts: Sequence[str]) -> str:
    """The word before the number in a verdict; it stands in none of ``texts``."""
    for mark in MARKS:
        if not any(mark.casefold() in t.casefold() for t in texts):
            return mark
    attempt = 0
    while True:
        mark = f"Choice-{digest('mark', list(texts), attempt)[:6]}"
        if not any(mark.casefold() in t.casefold() for t in texts):
            return mark
        attempt += 1


def read_verdict(reply: str, phrases: Sequence[str]) -> int | None:
    """Which of ``phrases`` the judge wrote: its last line, else the only one of them that stands in the reply; else None."""
    lines = [line for line in reply.splitlines() if bare(line)]
    if lines:
        for i, phrase in enumerate(phrases):
            if bare(lines[-1]) == bare(phrase):
                return i
    said = [i for i, phrase in enumerate(phrases) if says(reply, phrase)]
    return said[0] if len(said) == 1 else None


def read_number(reply: str, mark: str, count: int, texts: Sequence[str]) -> int | None:
    """The number 1..``count`` after the last ``mark`` in any case; a number alone counts unless a text has such a line."""
    _, marked, tail = reply.casefold().rpartition(f"{mark.casefold()}:")
    said = tail.strip(_TRIMMINGS) if marked else bare(reply)
    found = _NUMBERED.match(said) if marked else _NUMBER.fullmatch(said)
    if found is None or (not marked and any(bare(line) == said for t in texts for line in t.splitlines())):
        return None
    number = int(found.group(found.re.groups))
    return number if 1 <= number <= count else None


def shuffled(query: Query, purpose: str, texts: Sequence[str]) -> list[int]:
    """Places of ``texts`` in a random order that depends on the question and on the texts, not on who said them."""
    salt = int(query.rng(purpose).integers(1 << 62))
    return sorted(range(len(texts)), key=lambda i: (digest(purpose, salt, texts[i]), i))
