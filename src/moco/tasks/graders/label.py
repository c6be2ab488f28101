"""Labels: the item's own words (true/false, yes/no/maybe, support/refute); without any, a sequence of brackets or words.

Rules, first that fires: last explicit answer -> the label the reply opens with -> last conclusion -> the label of the last
sentence -> the only label there is. Longer labels mask shorter ones inside them ('valid' in 'invalid'), every match is bounded
by words, and of two labels 'not the one' means the other. Invariant: every label is treated alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from moco.core.types import AnswerSpec, Key
from moco.tasks.graders import multiple_choice, sequence
from moco.tasks.graders.base import NOTHING, Found, Grade, braced, commitments, fold, readable, unwrap
from moco.tasks.graders.kinds import ByRule
from moco.tasks.graders.options import bounded, lowered

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|_")
_OPEN = re.compile(r"[\s*_`\"'“‘«「『—–(\[{<$:：#>\\-]*")
_FILLER = re.compile(
    r"[\s*_`\"'“‘«「『—–(\[{<$:：]*(?:(?:the|that|is|it|this|label|class|category|statement|claim|argument|abstract|paper|clearly"
    r"|definitely"
    r"|probably|most\s+likely|likely|simply|therefore|be|i|would|say|think|boxed|box|fbox"
    r"|deductively)(?:[\s*_`\"'“‘«(\[{<$:：\\]+)){0,8}",
    re.IGNORECASE,
)
_BREAK = re.compile(
    r"[\s*_`\"')\]}»”’」』$]*(?:$|[.,;:!?|\n。，、\u2013\u2014-]|\\|</|\((?!\w\))"
    r"|(?:\s(?:because|since|as|it|this|the|that|given|in|for|due|based|is|i|we|and|but|not|there|however|while)\b))",
    re.IGNORECASE,
)
_STOP = re.compile(r"\n|[.!?。](?=\s|$|\")")
_SENTENCES = re.compile(r"(?<=[.!?。])\s+|\n+")
_NEGATED = re.compile(
    r"(?:\b(?:not|never|neither|nor|hardly|fail(?:s|ed)?\s+to|far\s+from|lacks?|cannot\s+be|rather\s+than|instead\s+of"
    r"|unlikely\s+to\s+be|no\s+longer)|n't|n’t)"
    r"\s+(?:(?:(?:a|an)\s+(?:clear|definite|simple|plain|strict|straight(?:forward)?|firm)|being|to\s+be|be|a|an|the"
    r"|deductively|logically|really|clearly|simply|label|necessarily|say|answer)\s+)*[\"'`(*]*$",
    re.IGNORECASE,
)
_OR = re.compile(r"[\s\"'`*)]*(?:\bor\b|/|\bvs\.?|\boder\b|\bou\b)[\s\"'`*(]*", re.IGNORECASE)
_AND = re.compile(r"[\"'`*)]*(?:\s*,\s*(?:and\s+)?|\s+(?:and|und|et|y|&)\s+)[\"'`*(]*")
_REASON = re.compile(
    r"[,;]?\s+(?:because|since|although|even\s+though|whereas|given\s+that|unless|as\s+(?:it|the|this|there|no|they|we))\s",
    re.IGNORECASE,
)
_CONCEDED = re.compile(r"\W*(?:although|though|even\s+though|while|whereas|despite)\b[^,;]*[,;]", re.IGNORECASE)
_WHETHER = re.compile(r"\bwhether\b[^,.;:]*$", re.IGNORECASE)
_IF = re.compile(r"[\"'`*)]*\s+(?:if|iff|when|whenever|only\s+(?:if|when)|provided|unless)\b")
_CONCLUSION = re.compile(
    r"\b(?:so|thus|hence|therefore|conclu\w+|overall|in\s+summary|in\s+short|finally|verdict|label|classif\w+|i(?:\s+would|'d"
    r"|\s+will|'ll)?\s+(?:say|choose|pick|answer|go\s+with|call|label|rate|mark|judge|lean\s+(?:to|towards?)|put))\b",
    re.IGNORECASE,
)
_COPULA = re.compile(r"(?:\b(?:is|are|be|equals?|becomes?|gives?|yields?|as)|=|:|->|→)\s*[\"'`(*]*$", re.IGNORECASE)
_RATED = re.compile(r"(?<![\w.])(\d)\s*(?:/|out\s+of)\s*(?:5|7|9|10)(?![\w.])")
"""A mark on a scale ('4/5', '4 out of 5') is its first number."""
_FOREIGN = {
    "yes": ("sí", "oui", "ja", "да", "はい", "是的", "예", "네", "sim", "sì", "हाँ", "نعم", "evet", "tak"),
    "no": ("non", "nein", "нет", "いいえ", "不是", "아니요", "não", "नहीं", "لا", "hayır", "nie", "nee"),
    "true": ("wahr", "vrai", "verdadero", "vero", "verdadeiro", "верно", "正确", "正しい", "참"),
    "false": ("falsch", "faux", "falso", "неверно", "错误", "誤り", "거짓"),
}
_INFLECTIONS = ("s", "es", "ed", "d", "ing")
HEDGE, BARE = "hedge", "bare"
Mode = Literal["exact", "inflected"]
_MODES: tuple[Mode, ...] = ("exact", "inflected")


@dataclass(frozen=True)
class Words:
    """``names`` are the labels; ``forms`` pairs every way to write one (lower case) with its label, longest first."""

    names: tuple[str, ...]
    forms: tuple[tuple[str, int], ...]
    inflected: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, names: tuple[str, ...], texts: tuple[str, ...]) -> Words:
        """A form that two labels share is dropped, so that none is preferred."""
        exact: dict[str, set[int]] = {}
        bent: dict[str, set[int]] = {}
        for i, name in enumerate(names):
            text = texts[i] if i < len(texts) else ""
            own = ({text} if len(name) == 1 and text else {name, text, _CAMEL.sub(" ", name)}) - {""}
            for one in own | {f for o in own for f in _FOREIGN.get(o.lower(), ())}:
                exact.setdefault(lowered(fold(one).strip()), set()).add(i)
            for one in own:
                if len(one) >= 5 and one.isalpha():
                    stem = one.lower()
                    roots = {stem, stem.removesuffix("e")}
                    for form in {r + end for r in roots for end in _INFLECTIONS} - {stem}:
                        bent.setdefault(form, set()).add(i)
        return cls(names, _ranked(exact), _ranked({form: owners for form, owners in bent.items() if form not in exact}))

    def at(self, low: str, start: int, mode: Mode = "exact") -> tuple[int, int] | None:
        """(label, end) of the longest label that begins at ``start``."""
        for form, i in self.forms if mode == "exact" else self.inflected:
            if low.startswith(form, start) and bounded(low, start, start + len(form)):
                return i, start + len(form)
        return None

    def spans(self, low: str, mode: Mode = "exact") -> list[tuple[int, int, int]]:
        """(start, end, label) of every label in ``low``, none inside another."""
        found: list[tuple[int, int, int]] = []
        for form, i in self.forms if mode == "exact" else self.inflected:
            at = low.find(form)
            while at >= 0:
                end = at + len(form)
                if bounded(low, at, end) and not any(a < end and at < b for a, b, _ in found):
                    found.append((at, end, i))
                at = low.find(form, end)
                if len(found) > 400:
                    return sorted(found)
        return sorted(found)


def _ranked(forms: dict[str, set[int]]) -> tuple[tuple[str, int], ...]:
    single = [(form, next(iter(owners))) for form, owners in forms.items() if form and len(owners) == 1]
    return tuple(sorted(single, key=lambda pair: (-len(pair[0]), pair[0])))


def find(text: str, spec: AnswerSpec) -> Found:
    """The label a reply commits to (several joined by ',') and the rule that found it."""
    if not spec.labels:
        return sequence.find(text)
    letters = _letters(spec)
    if letters is not None:
        return multiple_choice.find(_RATED.sub(r"\1", text) if letters.labels[-1].isdigit() else text, letters)
    words = _words(spec.labels, spec.choices)
    body = unwrap(fold(readable(text))).strip()
    if not body:
        return NOTHING
    for mode in _MODES:
        found = _find(body, words, mode)
        if found.rule != NOTHING.rule:
            return found
    return NOTHING


def _find(body: str, words: Words, mode: Mode) -> Found:
    for place, rule in commitments(body):
        if rule == "box":
            segment = braced(body, body.index("{", place))
        else:
            rest = body[place : place + 2000]
            lead = _OPEN.match(rest).end()  # type: ignore[union-attr]
            segment = rest[lead:].split("</", 1)[0]
            stop = _STOP.search(segment)
            segment = segment[: stop.start()] if stop else segment
        key = _segment(segment, words, mode)
        if key is not None:
            return Found(None if key == HEDGE else key, HEDGE if key == HEDGE else rule)
    first = _opening(body, words, mode)
    if first is not None:
        return first
    sentences = [_main(s, words, mode) for s in _SENTENCES.split(body) if s and s.strip()]
    for one in reversed(sentences):
        cue = _CONCLUSION.search(one)
        if cue and (key := _segment(one[cue.end() :], words, mode, strict=True)) not in (None, HEDGE):
            return Found(key, "conclusion")
    for one in reversed(sentences):
        key = _stated(one, words, mode)
        if key is not None:
            return Found(key, "statement")
    for part, rule in ((sentences[-1], "last sentence"), (body, "anywhere")):
        key = _segment(part, words, mode, strict=True)
        if key is not None:
            return Found(None if key == HEDGE else key, HEDGE if key == HEDGE else rule)
    return NOTHING


def _main(sentence: str, words: Words, mode: Mode) -> str:
    """A sentence without the reason or concession it ends in, or the concession it opens with, if a label is left."""
    reason = _REASON.search(sentence)
    head = sentence[: reason.start()] if reason else sentence
    conceded = _CONCEDED.match(head)
    for part in (head[conceded.end() :] if conceded else head, head):
        if words.spans(lowered(part), mode):
            return part
    return sentence


def _opening(body: str, words: Words, mode: Mode) -> Found | None:
    """The label a reply starts with, where it stands as an answer: 'No evidence was found' does not answer no."""
    start = _OPEN.match(body).end()  # type: ignore[union-attr]
    low = lowered(body)
    hit = words.at(low, start, mode)
    if hit is None:
        return None
    listed = _listed(low, hit, words, mode)
    if listed is None:
        return Found(None, HEDGE)
    members, end = listed
    key = _join(members, words)
    if not body[end:].strip(" .)]}*_`\"'$!\n»”"):
        return Found(key, BARE)
    return Found(key, "first word") if _BREAK.match(body, end) else None


def _segment(text: str, words: Words, mode: Mode, *, strict: bool = False) -> str | None:
    """The label that ``text`` states: at its head, else the only one in it, else the last one behind 'is'. HEDGE for several."""
    low = lowered(text)
    head = _FILLER.match(low).end()  # type: ignore[union-attr]
    hit = words.at(low, head, mode)
    determiner = hit is not None and low[head : hit[1]] == "no" and not _BREAK.match(low, hit[1])
    if hit is not None and not strict and not determiner and not _is_negated(low, head):
        listed = _listed(low, hit, words, mode)
        return HEDGE if listed is None else _join(listed[0], words)
    held = _held(low, words, mode)
    if not held:
        return None
    if len({i for _, i in held}) == 1:
        return words.names[held[0][1]]
    stated = [i for start, i in held if _COPULA.search(low, max(0, start - 30), start)]
    if stated and (stated[-1] == held[-1][1] or len(set(stated)) == 1):
        return words.names[stated[-1]]
    return HEDGE


def _stated(text: str, words: Words, mode: Mode) -> str | None:
    """The one label that ``text`` says something is; None for none and for several."""
    low = lowered(text)
    stated = {i for start, i in _held(low, words, mode) if _COPULA.search(low, max(0, start - 30), start)}
    return words.names[stated.pop()] if len(stated) == 1 else None


def _held(low: str, words: Words, mode: Mode) -> list[tuple[int, int]]:
    """(start, label meant) of every label in ``low``; the determiner of 'no evidence' is not one."""
    held = []
    loose = _joined_by_or(low, words, mode)
    for start, end, i in words.spans(low, mode):
        if start in loose:
            continue
        meant = _meant(low, start, i, words)
        if meant is not None and (low[start:end] != "no" or _BREAK.match(low, end)) and not _supposed(low, start, end):
            held.append((start, meant))
    return held


def _supposed(low: str, start: int, end: int) -> bool:
    """Whether a label is only considered: 'whether it is valid', 'valid if'."""
    return _WHETHER.search(low, 0, start) is not None or _IF.match(low, end) is not None


def _joined_by_or(low: str, words: Words, mode: Mode) -> set[int]:
    """Where labels begin that 'or' joins to another one."""
    loose: set[int] = set()
    for start, end, _ in words.spans(low, mode):
        either = _OR.match(low, end)
        if either and words.at(low, either.end(), mode):
            loose |= {start, either.end()}
    return loose


def _listed(low: str, hit: tuple[int, int], words: Words, mode: Mode) -> tuple[list[int], int] | None:
    """The labels listed from ``hit`` on ('uses, extends and motivation') and their end; None where 'or' stands between two."""
    members, end = [hit[0]], hit[1]
    while True:
        either = _OR.match(low, end)
        if either and (other := words.at(low, either.end(), mode)):
            if other[0] in members:
                return members, end
            return None
        joint = _AND.match(low, end)
        more = words.at(low, joint.end(), mode) if joint else None
        if more is None or more[0] in members or not _BREAK.match(low, more[1]):
            return members, end
        members.append(more[0])
        end = more[1]


def _is_negated(low: str, start: int) -> bool:
    return _NEGATED.search(low, max(0, start - 40), start) is not None


def _meant(low: str, start: int, i: int, words: Words) -> int | None:
    """Which label is meant at ``start``: of two labels, 'not one' is the other; of more, it is none."""
    if not _is_negated(low, start):
        return i
    return 1 - i if len(words.names) == 2 else None


def _join(members: Sequence[int], words: Words) -> str:
    return ",".join(words.names[i] for i in sorted(set(members)))


def _letters(spec: AnswerSpec) -> AnswerSpec | None:
    """The item as multiple choice, where its labels are single letters or digits, in parentheses or not, without other words."""
    bare = tuple(label.strip().strip("()[].") for label in spec.labels)
    if not all(len(label) == 1 and label.isalnum() for label in bare) or (spec.choices and _worded(spec)):
        return None
    return replace(spec, kind="multiple_choice", labels=bare)


def _worded(spec: AnswerSpec) -> bool:
    """Whether the letters only number label words ('A' for 'yes'): texts of at most three words each."""
    return len(spec.choices) == len(spec.labels) and all(len(text.split()) <= 4 and len(text) > 1 for text in spec.choices)


@lru_cache(maxsize=1024)
def _words(names: tuple[str, ...], texts: tuple[str, ...]) -> Words:
    return Words.of(names, texts)


def canonical(gold: str | Sequence[str], spec: AnswerSpec) -> Key:
    """The key of a gold answer: a label, or a set of labels joined in the item's order."""
    golds = [gold] if isinstance(gold, str) else list(gold)
    if not spec.labels:
        return sequence.canonical(" ".join(golds))
    letters = _letters(spec)
    if letters is not None:
        return multiple_choice.canonical([one.strip().strip("()[].") for one in golds], letters)
    words = _words(spec.labels, spec.choices)
    members = []
    for one in golds:
        form = lowered(fold(one).strip())
        i = next((i for i, name in enumerate(words.names) if name == one), None)
        i = next((owner for written, owner in words.forms if written == form), None) if i is None else i
        if i is None:
            return ",".join(golds)
        members.append(i)
    return _join(members, words)


def grade(text: str, gold: str | Sequence[str], spec: AnswerSpec) -> Grade:
    """1 if the labels named are exactly the right ones; a list in ``gold`` is a set of right labels."""
    found = find(text, spec)
    right = found.key is not None and found.key == canonical(gold, spec)
    return Grade(float(right), found.key, found.rule, found.key is not None)


KIND = ByRule("label", find, grade)
