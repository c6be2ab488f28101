"""Multiple choice: the key is the item's own label (labels joined by ',' where several are given).

Rules, first that fires: last explicit answer -> last claim ('so B', 'B fits best', 'I keep B') -> a line that is a label -> the
option text in bold -> the unique option text. Invariants: a restatement of all options is removed before anything is read, and
relabelling by other letters permutes the verdict. In prose without a cue, a digit or the article 'A' needs more around it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from moco.core.types import AnswerSpec, Key
from moco.tasks.graders.base import NOTHING, Found, Grade, commitments, fold, readable, unwrap
from moco.tasks.graders.choice_claims import last_claim
from moco.tasks.graders.choice_final import CUT_OFF
from moco.tasks.graders.choice_read import HEDGE, read, says_something
from moco.tasks.graders.choice_strikes import refuted, struck
from moco.tasks.graders.kinds import ByRule
from moco.tasks.graders.options import Labels, lowered, occurrences, texts_listed, without_restatement

_TEXT_THEN_LABEL = re.compile(r"(?P<text>.+?)\s*\((?P<label>[^()\s]{1,4})\)\.?")
_ANSWER_SHORT = re.compile(r"A\s*:\s*[(\[*\"]*(?P<label>\w{1,4})[)\]*\".]*")
"""'A: C' is an answer and not option A."""
_IN_PARENTHESES = re.compile(r"\([^()]*\)")
_BOLD = re.compile(r"\*\*([^*\n]{1,200})\*\*")
_DRESS = " .:)([]{}*_`\"'$-–—\n"
_AGAIN = re.compile(
    r"\b(?:wait|actually|no|correction|scratch\s+that|sorry|second\s+thoughts?|hmm+|oops|mistake|not)\b", re.IGNORECASE
)
_WRONG_AT_ONCE = re.compile(
    r"[)\]\"'*]*\s+(?:is|was)(?:n't|\s+(?:not|wrong|incorrect|false))\b|[)\]\"'*.,…]*\s+(?:wait|hmm+|hold\s+on|scratch\s+that|oops)\b[,.!]?\s*(?:no\b|that)",
    re.IGNORECASE,
)
_HEADING = re.compile(r"[ \t*_#>]*(?P<words>[^\W\d_][^\n:：.,;]{0,30}?)[ \t*_]*[:：][ \t*_]*(?=\S)")
_SPURNED = re.compile(r"wrong|incorrect|\bnot\b|eliminat|exclu|except|reject|false|ruled|discard|option|choice", re.IGNORECASE)
_COORDINATED = re.compile(r"[\"'*]*(?:\s*,\s*(?:and|or|nor)?|\s+(?:and|or|nor))\s*(?:the\s+)?[\"'*]*", re.IGNORECASE)
_CAPITAL = re.compile(r"(?<![\w'’])[A-Z](?![\w'’])")
_LETTER = re.compile(r"(?<![\w'’])[B-Z](?![\w'’])")
_SENTENCES = re.compile(r"(?<=[.!?])\s+|\n+")
_LINE_HEAD = re.compile(
    r"[ \t*_#>\-`\"'“(\[{$<]*(?:\d{1,3}\s*[-.:)]\s*(?=[A-Za-z]\b)|sol(?:ution)?[.:]\s*(?=\())?", re.IGNORECASE
)
BARE, _A_FEW = "bare", 3


def find(text: str, spec: AnswerSpec) -> Found:
    """The label a reply commits to and the rule that found it; ``key`` None where it names none or hedges."""
    labels = _labels(spec.labels, spec.choices)
    body = without_restatement(unwrap(fold(readable(text))).strip(), labels)
    if not body:
        return NOTHING
    alone = _nothing_else(body, labels)
    if alone is not None:
        return Found(alone, BARE)
    strong = _explicit(body, labels)
    if strong is None or _AGAIN.search(body, strong[1]):
        weak = last_claim(body, labels, strong[1] if strong else 0)
        if weak is not None:
            return Found(None, HEDGE) if weak[0] == HEDGE else Found(weak[0], "conclusion")
    if strong is not None:
        return Found(None, HEDGE) if strong[0] == HEDGE else Found(strong[0], strong[2])
    line = _label_line(body, labels)
    if line is not None:
        return Found(None, HEDGE) if line == HEDGE else Found(line, "label")
    return _option_text(body, labels)


def _explicit(body: str, labels: Labels) -> tuple[str, int, str] | None:
    for place, rule in commitments(body):
        hit = read(body, place, labels)
        if hit is not None and not _WRONG_AT_ONCE.match(body, hit[1]):
            return hit[0], hit[1], rule
    return None


def _label_line(body: str, labels: Labels) -> str | None:
    """The label that the last or the first line consists of or opens with; None if several lines open with labels."""
    lines = [line for line in body.split("\n") if line.strip()]
    if len(lines) == 1 and _whole_text(lines[0], labels) is not None and labels.look_up(lines[0].strip(" .*_()")) is None:
        return None
    opened: list[tuple[str, int, str]] = []
    for line in lines:
        start = _LINE_HEAD.match(line).end()  # type: ignore[union-attr]
        hit = read(line, start, labels, texts=False)
        if hit is not None and not refuted(line, hit[1]):
            opened.append((hit[0], hit[1], line))
    if opened and opened[-1][2] is lines[-1] and _is_bare(opened[-1]):
        return opened[-1][0]
    heading = _HEADING.match(lines[-1])
    if heading and not _SPURNED.search(heading["words"]) and labels.look_up(heading["words"]) is None:
        hit = read(lines[-1], heading.end(), labels, texts=False)
        if hit is not None and _is_bare((*hit, lines[-1])):
            return hit[0]
    tail = _SENTENCES.split(lines[-1].strip())[-1]
    if tail != lines[-1].strip() and (hit := read(tail, 0, labels, texts=False)) and _is_bare((*hit, tail)):
        return hit[0]
    if opened and opened[0][2] is lines[0] and _is_shared(opened[0], labels):
        return None
    if opened and opened[0][2] is lines[0] and (len({key for key, _, _ in opened}) == 1 or _is_bare(opened[0])):
        return opened[0][0]
    return None


def _is_shared(opened: tuple[str, int, str], labels: Labels) -> bool:
    """Whether a line goes on from its label without a stop and names another label: 'A makes this and B that'."""
    _, end, line = opened
    return line[end : end + 1] == " " and any(labels.look_up(m[0]) is not None for m in _LETTER.finditer(line, end))


def _is_bare(opened: tuple[str, int, str]) -> bool:
    return not opened[2][opened[1] :].strip(" .)]}*_`\"'$")


def _nothing_else(body: str, labels: Labels) -> str | None:
    """The answer of a reply that is a label, an option text, or a label with its text, and nothing besides."""
    if labels.look_up(body.strip(_DRESS)) is None and (whole := _whole_text(body, labels)) is not None:
        return labels.names[whole]
    both = _TEXT_THEN_LABEL.fullmatch(body)
    if both and (named := labels.look_up(both["label"])) is not None and _whole_text(both["text"], labels) == named:
        return labels.names[named]
    dressed = body.strip(_DRESS + "<>~")
    if dressed.isupper() and labels.look_up(dressed) is not None:
        return labels.names[labels.index[dressed]]
    told = _ANSWER_SHORT.fullmatch(body)
    if told and (named := labels.look_up(told["label"])) is not None:
        return labels.names[named]
    head = _LINE_HEAD.match(body).end()  # type: ignore[union-attr]
    if says_something(body, head):
        return None
    hit = read(body, head, labels)
    if hit is None or hit[0] == HEDGE:
        return None
    rest = lowered(body[hit[1] :]).strip(_DRESS)
    own = labels.texts[labels.names.index(hit[0])].strip(_DRESS) if hit[0] in labels.names else ""
    return hit[0] if not rest or rest == own else None


def _whole_text(line: str, labels: Labels) -> int | None:
    for bare in (line.strip(), line.strip(" \t*_`\"'.$“”")):
        hits = [i for i, text in enumerate(labels.texts) if text and text == lowered(bare)]
        if len(hits) > 1:
            hits = [i for i in hits if labels.cased[i] == bare]
        if len(hits) == 1:
            return hits[0]
    return None


def _option_text(body: str, labels: Labels) -> Found:
    whole = _whole_text(body, labels)
    if whole is not None:
        return Found(labels.names[whole], "text")
    listed = texts_listed(body, 0, labels)
    if listed is not None and "\n" not in body[listed[1] :].strip():
        return Found(labels.join(listed[0]), "text")
    sentences = [s for s in _SENTENCES.split(body) if s and s.strip()]
    if CUT_OFF.search(body, max(0, len(body) - 12)):
        return NOTHING
    ends = [start + len(labels.texts[i]) for i, start in occurrences(body, labels)] if body[-1].isalnum() else []
    if ends and len(body[max(ends) :].split()) > _A_FEW:
        return NOTHING  # it was cut off in the middle of saying something about an option
    bold = {i for m in _BOLD.finditer(body) for i in _standing(m[1], labels) if not refuted(body, m.end())}
    if len(bold) == 1:
        return Found(labels.names[bold.pop()], "emphasis")
    last = sentences[-1] if sentences else body
    for part, rule in ((last, "last sentence"), (_IN_PARENTHESES.sub(" ", last), "last sentence"), (body, "anywhere")):
        hits = _standing(part, labels)
        if len(hits) == 1:
            return Found(labels.names[hits.pop()], rule)
        if hits and "(" not in part:
            break
    return NOTHING


def _standing(part: str, labels: Labels) -> set[int]:
    """The options whose texts stand in ``part`` and are neither negated nor refuted, alone or with those named after them."""
    hits: set[int] = set()
    follower, out = len(part), False
    for i, start in reversed(occurrences(part, labels)):
        end = start + len(labels.texts[i])
        out = refuted(part, end) or (out and _COORDINATED.fullmatch(part, end, follower) is not None)
        follower = start
        if not out and not struck(part, start, end):
            hits.add(i)
    refused = [labels.look_up(m[0]) for m in _CAPITAL.finditer(part) if refuted(part, m.end())]
    return hits.difference(refused)


@lru_cache(maxsize=4096)
def _labels(names: tuple[str, ...], texts: tuple[str, ...]) -> Labels:
    return Labels.of(names, texts)


def canonical(gold: str | Sequence[str], spec: AnswerSpec) -> Key:
    """The key of a gold answer: a label, a letter standing for a position, an option text, or a set of these."""
    labels = _labels(spec.labels, spec.choices)
    indices = []
    for one in [gold] if isinstance(gold, str) else gold:
        index = labels.look_up(one.strip())
        index = _whole_text(fold(one), labels) if index is None else index
        if index is None:
            return one if isinstance(gold, str) else ",".join(gold)
        indices.append(index)
    return labels.join(indices)


def grade(text: str, gold: str | Sequence[str], spec: AnswerSpec) -> Grade:
    """1 if the labels named are exactly the right ones; a list in ``gold`` is a set of right labels."""
    found = find(text, spec)
    right = found.key is not None and found.key == canonical(gold, spec)
    return Grade(float(right), found.key, found.rule, found.key is not None)


KIND = ByRule("multiple_choice", find, grade)
