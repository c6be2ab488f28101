"""Sequences: bracket strings and lists of words, where order and punctuation are the answer (dyck_languages, word_sorting).

Invariant: a bracket is a token of its own whatever stands around it; words are compared without case, commas and numbering.
"""

from __future__ import annotations

import re

from moco.core.types import Key
from moco.tasks.graders.base import NOTHING, Found, commitments, fold, readable, unwrap

_BRACKETS = "()[]{}<>"
_DRESS = " \t,.;`*_\"'“”‘’$\\—–"
_CLOSE_TAG = re.compile(r"</\w+>")
_NUMBERING = re.compile(r"(?m)^[ \t]*(?:\d+[.)]|[-*•])[ \t]+")
_WORD = re.compile(r"[^\s,;]+")
_SENTENCE_END = re.compile(r"(?<=\w)[.!?](?=\s|$)")
_SAID_AFTER = re.compile(r"(?<=[\w)\]}>])[.!](?=\s+[A-Z])")
"""Where a list of words ends and the reply goes on with another sentence."""
_TAIL = re.compile(rf"(?:[{re.escape(_BRACKETS)}][ ]?)+(?=[.`\"'*]*$)")
_SAID = re.compile(r"\b(?:is|are|be|with|by)\s+[`\"'*]*$", re.IGNORECASE)
_LIST_SAID = re.compile(r"(?:so|the|in|sorted|thus|therefore)\b[^,]*\b(?:is|are)\s+(?=[\w-]+,)", re.IGNORECASE)
_RUN = re.compile(rf"(?<=\w\s)[{re.escape(_BRACKETS)}](?:\s*[{re.escape(_BRACKETS)}])+(?=\s+[a-z])")
"""Brackets among words: 'so we need } ) to close it'."""
_QUOTES = {"「": "」", "『": "』", '"': '"', "'": "'", "`": "`", "“": "”", "‘": "’"}


def find(text: str) -> Found:
    """The tokens of the sequence a reply gives, joined by single blanks, and the rule that found them."""
    body = unwrap(fold(readable(text))).strip()
    for place, rule in commitments(body):
        key = _tokens(_boxed(body, place) if rule == "box" else _segment(body, place))
        if key:
            return Found(key, rule)
    lines = [line for line in body.split("\n") if line.strip()]
    if not lines:
        return NOTHING
    if len(lines) == 1 or all(_bare_brackets(line) for line in lines):
        rest = _behind_colon(body)
        key = _tokens(rest)
        bare = rest == body and not _SENTENCE_END.search(body[:-1])
        return Found(key, "bare" if bare else "last line") if key else NOTHING
    if len(lines) > 2 and all(len(line.split()) <= 3 for line in lines):
        return Found(_tokens(body), "bare")
    key = _tokens(_behind_colon(lines[-1]))
    return Found(key, "last line") if key else NOTHING


def _behind_colon(line: str) -> str:
    runs = _RUN.findall(line)
    if len(runs) == 1 and ":" not in line:
        return str(runs[0])
    if (said := _LIST_SAID.match(line)) and ":" not in line:
        return line[said.end() :]
    head, colon, rest = line.rpartition(":")
    return rest if colon and rest.strip() and (" " in head.strip() or " " in rest.strip()) else line


def canonical(gold: str) -> Key:
    """The key of a gold sequence."""
    return _tokens(fold(gold)) or gold


def _segment(body: str, place: int) -> str:
    """What an answer cue introduces: up to the closing quote or tag, else the line, or a list on the next lines."""
    rest = _CLOSE_TAG.split(body[place : place + 4000], maxsplit=1)[0].strip(" \t*_:$—–")
    rest = rest if rest[:1] != "\n" else rest.strip()
    closing = _QUOTES.get(rest[:1])
    if closing and closing in rest[1:]:
        return rest[1 : rest.index(closing, 1)]
    lines = [line for line in rest.split("\n") if line.strip()]
    if lines and _NUMBERING.match(lines[0]):
        return "\n".join(line for line in lines if _NUMBERING.match(line))
    return _SAID_AFTER.split(lines[0], maxsplit=1)[0] if lines else ""


def _boxed(body: str, place: int) -> str:
    """The content of a box; of a box of brackets, up to the last brace of its line, since these brackets need not balance."""
    start = body.index("{", place)
    line = body[start + 1 :].split("\n", 1)[0]
    inside = line[: line.rindex("}")] if "}" in line else line
    if _bare_brackets(inside):
        return inside
    return line[: line.index("}")] if "}" in line else line


def _bare_brackets(text: str) -> bool:
    return bool(text.strip()) and all(c in _BRACKETS or c in _DRESS for c in text)


def _tokens(text: str) -> str:
    if _bare_brackets(text):
        return " ".join(c for c in text if c in _BRACKETS)
    if (tail := _TAIL.search(text)) and (
        _SAID.search(text, 0, tail.start()) or not any(c.isalnum() for c in text[text.rfind(":") + 1 :])
    ):
        return " ".join(c for c in tail[0] if c in _BRACKETS)
    words = _WORD.findall(_NUMBERING.sub("", text))
    kept = [word.strip(_DRESS + "[](){}<>→").casefold() for word in words]
    if len(kept) > 2 and kept[-2] == "and" and "," in text:
        del kept[-2]
    if len(kept) > 2 and kept[::2] == [str(i + 1) for i in range(len(kept[::2]))] and len(kept) % 2 == 0:
        kept = kept[1::2]  # '(1) fig (2) lime'
    return " ".join(word for word in kept if word)
