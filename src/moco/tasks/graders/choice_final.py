"""The last sentence: which label it leaves standing, where no cue says so.

A label counts that is the only one not struck there, ends a clause, and is committed to: by the first person ('I keep C'),
by a copula, or because the sentence says next to nothing else ('Locking in C.'). Only letters that cannot be anything else:
no article, none behind a number, an operator or a noun that takes one ('point C'), none of an option text ('vitamin C').
"""

from __future__ import annotations

import re

from moco.tasks.graders.choice_strikes import struck
from moco.tasks.graders.options import Labels, lowered

_SENTENCES = re.compile(r"(?<=[.!?…])[\"'*)]*\s+(?=\S)|\n+")
_LETTER = re.compile(r"(?<![\w'’.°$~¬\\^])(?<!\b[A-Za-z]\()(?:[A-Z]|\d)(?![\w'’°^%])(?![.,]\w)")
_CLAUSE_ENDS = re.compile(
    r"[)\]*\"'_`]*\s*(?:\Z|[.,;:!…—–(]|-\s|(?:here|to\s+me|then|because|since|as|for|instead|now|again|over|rather|too|more"
    r"|most|it\s+is)\b)",
    re.IGNORECASE,
)
_NOUN_BEFORE = re.compile(
    r"(?:(?:[\d%°+*/^]|(?<![a-z]\s)=|(?<![a-z.,)]\s)(?<![a-z.,)]\s-)-)\s*|\b(?:points?|lines?|angles?|sides?|edges?|vertex|vertices"
    r"|nodes?|vitamins?|groups?|types?|class|plans?|grades?|sets?|events?|teams?|players?|circles?|matrix"
    r"|hepatitis|phase|planes?|sites?|regions?|box|cit(?:y|ies)|towns?|persons?|genes?|alleles?|cells?|proteins?|charges?"
    r"|wires?|balls?|cars?|blocks?|figures?|parts?|sections?"
    r"|chapters?|appendix|tables?|states?|compounds?|gas|liquid|solutions?|substances?|elements?|companies|company|firms?"
    r"|stocks?)\s*[(\"'*]*)\Z",
    re.IGNORECASE,
)
CUT_OFF = re.compile(
    r"(?:[-+=,(]|\b(?:and|or|the|of|is|a|an|that|to|in|which|with|as|we|for|are|because|so|if|by|it|can|be|has|have))\s*\Z"
)
"""How a reply ends that ran into its limit of tokens."""
_FIRST_PERSON = re.compile(r"\b(?:I|I['’][a-z]+|my|our|let['’]s)\b", re.IGNORECASE)
_COPULA = re.compile(
    r"(?:\b(?:is|are|be|was|as|like|says|namely)|['’]s|[:→⇒=—–]|[-=]>|\s--?)\s+(?:\w+ly\s+)?[(\"'*_`]*\Z", re.IGNORECASE
)
_OBJECT = re.compile(r"\b(?:for|with|to|as|by|us|me)\s+[(\"'*_`]*\Z")
_DENIAL = re.compile(
    r"\b(?:not|never|no|cannot|neither|nor|either|whether|could|might|unsure|unclear|unlikely)\b|n['’]t\b", re.IGNORECASE
)
_BETWEEN = re.compile(r"\b(?i:between|of\s+the\s+two|candidates?|among)\b[^,.;]*?[A-Z]\W{0,3}\s+(?:and|or)\s+\W{0,2}[A-Z]\b")
_TURN = re.compile(r"\b(?:but|however)\b|;")
_PLACE = re.compile(r"\b(?:in|into|at|of|from)\s+[(\"'*_`]*\Z")
_CLAUSES = re.compile(r"[,;:—(]|\bbut\b")
_FEW_WORDS = 5
_BACK = 2
"""How many sentences without any label may stand behind the one that is read."""


def last_sentence(body: str, labels: Labels, after: int, *, alone: bool) -> tuple[str, int] | None:
    """The label that the last sentence naming one commits to, and its end; ``alone`` (no other claim) lets weak signs count."""
    end = len(body)
    if CUT_OFF.search(body, max(0, end - 12)):
        return None
    for part in reversed(_SENTENCES.split(body[max(after, end - 600) :])[-_BACK:]):
        start = body.rindex(part, 0, end)
        mentions = [m for m in _LETTER.finditer(body, start, start + len(part)) if _is_label(body, m, labels)]
        if mentions:
            return _standing(body, start, start + len(part), mentions, labels, alone=alone)
        end = start
    return None


def _is_label(body: str, m: re.Match[str], labels: Labels) -> bool:
    i = labels.look_up(m[0])
    if m[0].isdigit():  # a mark on a scale, where there are no options that numbers could be about
        return i is not None and not any(labels.texts) and not body[m.end() :].strip(" .!*)")
    if i is None or _NOUN_BEFORE.search(body, max(0, m.start() - 20), m.start()):
        return False
    said = lowered(body[max(0, m.end() - 40) : m.end()])
    return not any(said.endswith(name) for name in labels.spoken) and (
        m[0] not in "AI" or _CLAUSE_ENDS.match(body, m.end()) is not None
    )


def _standing(
    body: str, start: int, stop: int, mentions: list[re.Match[str]], labels: Labels, *, alone: bool
) -> tuple[str, int] | None:
    turns = [m.end() for m in _TURN.finditer(body, start, stop)]
    mentions = [m for m in mentions if turns and m.start() > turns[-1]] or mentions
    between = _BETWEEN.search(body, start, stop)
    live = [m for m in mentions if not (between and m.start() < between.end()) and not struck(body, m.start(), m.end())]
    if len({m[0] for m in live}) != 1 or body[start:stop].rstrip().endswith("?"):
        return None
    m = live[-1]
    head = body[start : m.start()]
    if not _CLAUSE_ENDS.match(body, m.end()) or _DENIAL.search(_CLAUSES.split(head)[-1]):
        return None
    words = len(body[start:stop].split())
    if (_FIRST_PERSON.search(head) and not _PLACE.search(head)) or (
        alone
        and (
            (words <= _FEW_WORDS and not body[m.end() : stop].strip(" .!…*)\"'"))
            or _COPULA.search(head)
            or (_OBJECT.search(head) and not body[m.end() : stop].strip(" .!*)\"'"))
            or (body[: m.start()].endswith("(") and body[m.end() : m.end() + 1] == ")")
        )
    ):
        return labels.names[labels.index[m[0]]], m.end()
    return None
