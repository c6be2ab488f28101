"""Short free text: the answer line, a box, or the whole reply; right when it is, or contains, one of the aliases.

Invariant: normalising never makes a non-empty text empty, and never joins digits ('19.12' is not '1912').
Containment is bounded by words, and case-sensitive for aliases of up to three letters; F1 is reported beside it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from moco.core.types import AnswerSpec, Key
from moco.tasks.graders.base import NOTHING, Found, Grade, braced, commitments, fold, readable, unwrap
from moco.tasks.graders.kinds import ByRule

_ABBREVIATION = re.compile(r"(?<![^\W_])([^\W\d_])\.(?=[^\W\d_]\.|[^\W\d_]\b|\s|$)")
_APOSTROPHE = re.compile(r"['’ʼ`´]")
_GROUPING = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_ARTICLE = re.compile(r"(?<!\w)(?:a|an|the)(?!\w)")
_MARKS = re.compile("[\u0300-\u036f]")
_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_CLOSE_TAG = re.compile(r"</\w+>")
_SENTENCE_END = re.compile(
    r"(?<!\b\w)(?<!\b(?:St|Mt|Dr|Mr|Ms|Jr|Sr|Ft|No|vs))(?<!\b(?:Mrs|Inc|Ltd|Gen|Rev))(?<!\bProf)[.!?](?=\s+[A-Z(])"
)
_UNSURE = re.compile(r"\W*(?:n/?a|none|unknown|i\s+(?:do\s+not|don'?t|don’t)\s+know|not\s+sure)\W*", re.IGNORECASE)
_DENYING = re.compile(r"\b(?:not|never|cannot|rather\s+than|instead\s+of|unlike|from)\b|n['’]t\b|不是|并非|而非", re.IGNORECASE)
_DENIED = re.compile(
    r"(?:\b(?:not|never|cannot\s+be|rather\s+than|instead\s+of|unlike|(?:chang|switch|revis|mov"
    r"|updat)\w*\s+(?:\w+\s+){0,3}from)|\b(?:do|does|did)\s+not\s+\w+|n['’]t(?:\s+(?:think|believe)\s+(?:it['’]s|it\s+(?:is|was)|that)|\s+(?!only\b|it\b"
    r"|that\b|this\b|s?he\b)\w+)?)"
    r"\s+(?:(?:in|at|on|by|from|of|to|the|a|an|called|named)\s+)*[\"'“*_]*"
)
_SHORT = 3


def normalise(text: str, *, case: bool = False) -> str:
    """Case, accents, quotes and punctuation folded away, single spaces; articles stay. Idempotent, never empty."""
    return _normalise(text, case) or text.strip()


@lru_cache(maxsize=8192)
def _normalise(text: str, case: bool) -> str:
    text = fold(text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFD", text)))
    if not case:
        text = text.casefold()
    text = _GROUPING.sub("", _ABBREVIATION.sub(r"\1", _APOSTROPHE.sub("", text)))
    return " ".join(_keep_numbers(text).split())


def _keep_numbers(text: str) -> str:
    """Punctuation to spaces, except a point or comma between digits and a sign in front of a number."""
    chars = list(text)
    for i, c in enumerate(chars):
        if c.isalnum() or c.isspace() or unicodedata.category(c)[0] == "M":
            continue
        before, after = text[i - 1 : i], text[i + 1 : i + 2]
        if c in ".," and before.isdigit() and after.isdigit():
            continue
        if c in "-+" and after.isdigit() and (not before or before.isspace() or before in "($"):
            continue
        chars[i] = " "
    return "".join(chars)


def without_articles(text: str) -> str:
    """Articles dropped, unless nothing else is left."""
    return " ".join(_ARTICLE.sub(" ", text).split()) or text


def find(text: str, spec: AnswerSpec) -> Found:
    """The canonical key of the text a reply gives as its answer and the rule that found it."""
    raw, rule = answer_text(text)
    key = _key(raw)
    return Found(key, rule) if key else NOTHING


def answer_text(text: str) -> tuple[str, str]:
    """The answer as written, and the rule: last explicit line, box or tag, else the whole reply."""
    body = readable(text).strip()
    for place, rule in commitments(body):
        if rule == "box":
            piece = unwrap(braced(body, body.index("{", place)))
        else:
            rest = _CLOSE_TAG.split(body[place:].lstrip(" \t\n*_:\"'`"), maxsplit=1)[0]
            piece = _SENTENCE_END.split(unwrap(rest).split("\n", 1)[0], maxsplit=1)[0]
        if _key(piece):
            return piece.strip(), rule
    return unwrap(body), "whole reply"


def _key(raw: str) -> Key | None:
    key = without_articles(normalise(raw))
    return key if any(c.isalnum() for c in key) else None


def grade(text: str, gold: str | Sequence[str], spec: AnswerSpec) -> Grade:
    """1 if the answer equals or contains an alias; ``metrics`` hold em, contains and f1 (the best over aliases).

    Where the whole reply is read, its rule is ``bare`` if it is nothing but an alias, since only the gold answer can tell that.
    """
    raw, rule = answer_text(text)
    key = _key(raw)
    if key is None:
        return Grade(0.0, None, "none", False, {"em": 0.0, "contains": 0.0, "f1": 0.0})
    aliases = [gold] if isinstance(gold, str) else list(gold)
    asserted = _without_denied(raw, aliases)
    em = float(any(key == _key(alias) for alias in aliases))
    if rule == "whole reply" and em:
        rule = "bare"
    contained = float(bool(em) or any(contains(asserted, alias) for alias in aliases))
    best = max((f1(key, _key(alias) or "") for alias in aliases), default=0.0)
    return Grade(contained, key, rule, not _UNSURE.fullmatch(raw), {"em": em, "contains": contained, "f1": best})


def contains(raw: str, alias: str) -> bool:
    """Whether ``alias`` stands in ``raw`` as whole words; a list of numbers or letters must be the whole answer."""
    needle = normalise(alias)
    words = needle.split()
    if not any(c.isalnum() for c in needle):
        return False
    if len(alias.split()) > 1 and all(len(w) == 1 or w.lstrip("-").isdigit() for w in words):
        return False
    if _CJK.search(needle):
        return needle in normalise(raw)
    exact = sum(c.isalpha() for c in needle) <= _SHORT and not any(c.isdigit() for c in needle)
    sought, said = f" {normalise(alias, case=exact)} ", f" {normalise(raw, case=exact)} "
    return sought in said


def _without_denied(raw: str, aliases: Sequence[str]) -> str:
    """``raw`` without the aliases it denies ('not Paris but Lyon'), the longest first."""
    if not _DENYING.search(raw):
        return raw
    for alias in sorted(aliases, key=len, reverse=True):
        raw = re.sub(rf"(?:{_DENIED.pattern}|不是|并非|而非){re.escape(alias)}(?!\w)", " ", raw, flags=re.IGNORECASE)
        raw = re.sub(rf"(?<!\w){re.escape(alias)}\s+(?:is|was|are)(?:\s+not|n['’]t)(?=\s*[.,;!])", " ", raw, flags=re.IGNORECASE)
    return raw


def f1(key: Key, gold: Key) -> float:
    """Token F1 as SQuAD counts it; by character for Chinese, Japanese and Korean."""
    mine, theirs = (list(t.replace(" ", "")) if _CJK.search(gold) else t.split() for t in (key, gold))
    common = sum((Counter(mine) & Counter(theirs)).values())
    if not common:
        return 0.0
    precision, recall = common / len(mine), common / len(theirs)
    return 2 * precision * recall / (precision + recall)


KIND = ByRule("short_text", find, grade, metrics=("em", "contains", "f1"))
"""Containment is no equivalence of answers, so it counts against a gold answer only."""
