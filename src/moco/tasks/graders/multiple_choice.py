"""Multiple choice: the key is the item's own label (labels joined by ',' where several are given).

Rules, first that fires: last explicit answer -> last conclusion ('so B', 'option B') -> a line that is a label -> the
unique option text. Invariants: every label is treated alike (relabelling permutes the verdict), and a restatement of
all options is removed before anything is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from moco.core.types import AnswerSpec, Key
from moco.tasks.graders.base import NOTHING, Found, Grade, commitments, fold, unwrap, visible
from moco.tasks.graders.options import Labels, occurrences, starts_with_text, without_restatement

_CONCLUSION = re.compile(
    r"""(?<!\w)(?:(?:options?|choices?|letter|opci[oó]n|op[cç][aã]o|opzione|alternativa?|antwortm[oö]glichkeit|вариант|选项|选择|选|選)
            (?:\s+(?:number|here\s+is|is|would\s+be|should\s+be|must\s+be|es))?\s*[:=]?
        |(?:hence|so|thus|therefore|it(?:'s|\s+is|\s+must\s+be|\s+has\s+to\s+be|\s+should\s+be)|that\s+(?:leaves|is)|leaves|leaving
            |(?:choose|pick|select|chose|picked|selected|choosing|picking|selecting|go\s+with|going\s+with|settle\s+on|say|guess|vote\s+for|answer|answering|conclude))
            \s*[:,]?)
        (?:\s+(?:the|option|choice|letter|answer|is|it|must|be|i|would|say|we|have|pick|choose)){0,6}(?=[\s("'*\[:]|[A-Za-z0-9])""",
    re.IGNORECASE | re.VERBOSE,
)
_IS_RIGHT = re.compile(
    r"(?<!\w)(?P<l>\w{1,4})[)\]*\"'.:]*\s+(?:is|must\s+be|would\s+be|seems|looks)\s+"
    r"(?:(?:clearly|definitely|probably|therefore|thus|indeed|obviously)\s+)?"
    r"(?:the\s+)?(?:(?:most|only|single)\s+)?(?:correct|right|answer|best|true|appropriate)\b",
    re.IGNORECASE,
)
_REFUTED = re.compile(
    r"[)\]\"'*]*(?:\s*\([^)\n]*\))?\s*"
    r"(?:is|was|are|would\s+be|could\s+be|can\s+be|must\s+be|seems|looks|has\s+to\s+be|cannot|can't|isn't|does|doesn't|might|may|could)"
    r"(?:n't)?\b[^.;,\n]{0,20}?"
    r"\b(?:not|wrong|incorrect|false|tempting|eliminated|excluded|ruled|out|implausible|impossible|be|n't)\b"
    r"|[)\]\"'*]*\s*(?:isn't|wasn't|can't|cannot|doesn't)\b",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    r"(?:\b(?:not|never|neither|nor|except|than|unlike|without|exclude|eliminate|excluding|eliminating|rule\s+out|ruled\s+out|reject)|n't)"
    r"\s+(?:say\s+|be\s+|choose\s+|pick\s+|the\s+)*[\"'(*]*$",
    re.IGNORECASE,
)
_OPENERS = re.compile(
    r"[\s*_`\"'“‘«(\[{<$:：\\>]*"
    r"(?:(?:the|an|la|le|el|die|der|option|choice|letter|label|number|opci[oó]n|op[cç][aã]o|opzione|answer|(?:la\s+)?lettera|boxed|box|fbox|选项)"
    r"(?:[\s*_`\"'“‘«(\[{<$:：\\]+)){0,8}",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_\u3040-\u9fff\uac00-\ud7af]+|[^\W_]")
_FOLLOW_WORDS = re.compile(
    r"\s+(?:is|was|because|since|as|and|or|which|for|based|due|given|from|in|by|but|not|while|whereas|however|so|where|therefore"
    r"|hence|thus|rather|instead|only|would|i|since|with|after|if|porque|car|weil|perch[eé])\b",
    re.IGNORECASE,
)
_BREAK = re.compile(r"\s*(?:$|\n|[)\]}.:,;!?*_\"”’»`…>$=|،、，]|\(|-(?!\w)|[–—-]\s|</|\\)|'(?!\w)|[\u3000-\u9fff\uac00-\ud7af]")
_LOWER_BREAK = re.compile(r"[)\]}\"*'`]|[.,;:!?]?\s*(?:$|\n|</)|[.:,;!?]\s")
_JOIN = re.compile(
    r"[)\]*\"']*(?P<sep>\s*,\s*(?:and\s+|or\s+)?|\s+(?:and|or|und|et|y|e|&|nor|vs\.?)\s+|\s*[/+&]\s*|\s+)[(\[*\"']*",
    re.IGNORECASE,
)
_AGAIN = re.compile(
    r"\b(?:wait|actually|no|correction|scratch\s+that|sorry|second\s+thoughts?|hmm+|oops|mistake|not)\b", re.IGNORECASE
)
_SENTENCES = re.compile(r"(?<=[.!?])\s+|\n+")
_LINE_HEAD = re.compile(r"[ \t*_#>\-`\"'“(\[{$<]*(?:\d{1,3}\s*[-.:)]\s*(?=[A-Za-z]\b))?")
HEDGE = "hedge"


def find(text: str, spec: AnswerSpec) -> Found:
    """The label a reply commits to and the rule that found it; ``key`` None where it names none or hedges."""
    labels = _labels(spec.labels, spec.choices)
    body = without_restatement(unwrap(fold(visible(text))).strip(), labels)
    if not body:
        return NOTHING
    strong = _explicit(body, labels)
    if strong is None or _AGAIN.search(body, strong[1]):
        weak = _conclusion(body, labels, strong[1] if strong else 0)
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
        hit = _read(body, place, labels)
        if hit is not None:
            return hit[0], hit[1], rule
    return None


def _conclusion(body: str, labels: Labels, after: int) -> tuple[str, int] | None:
    best: tuple[str, int] | None = None
    for m in _CONCLUSION.finditer(body, after):
        if _NEGATED.search(body, max(0, m.start() - 30), m.start()):
            continue
        hit = _read(body, m.end(), labels, texts=False)
        if hit is not None and not _REFUTED.match(body, hit[1]):
            best = hit
    for m in _IS_RIGHT.finditer(body, after):
        i = labels.look_up(m["l"])
        if i is None or (m["l"].islower() and m["l"] in ("a", "i")) or _NEGATED.search(body, max(0, m.start() - 30), m.start()):
            continue
        if best is None or m.start() > best[1]:
            best = labels.names[i], m.end("l")
    return best


def _read(body: str, place: int, labels: Labels, *, texts: bool = True) -> tuple[str, int] | None:
    """The label (or labels) written at ``place``, behind openers; (key or HEDGE, end)."""
    start = _OPENERS.match(body, place).end()  # type: ignore[union-attr]
    word = _WORD.match(body, start)
    if word is None:
        return None
    if texts:  # a text that begins with a label's letter, or is written like one, is longer evidence than the letter
        whole = starts_with_text(body, start, labels)
        if whole is not None and (whole[1] > word.end() or labels.look_up(word[0]) is None):
            other = _JOIN.match(body, whole[1])
            joined = starts_with_text(body, other.end(), labels) if other else None
            if other and joined and joined[0] != whole[0] and "or" in other["sep"]:
                return HEDGE, joined[1]
            return labels.names[whole[0]], whole[1]
    return _read_labels(body, word, labels)


def _read_labels(body: str, word: re.Match[str], labels: Labels) -> tuple[str, int] | None:
    first = labels.look_up(word[0])
    if first is None:
        run = labels.run(word[0])
        return (labels.join(run), word.end()) if run and _BREAK.match(body, word.end()) else None
    if not _ends_label(body, word, first, labels):
        return None
    found, end, hedged = [first], word.end(), False
    while True:
        join = _JOIN.match(body, end)
        after = _WORD.match(body, join.end()) if join else None
        if join is None or after is None:
            break
        index = labels.look_up(after[0])
        plain = join["sep"].isspace()
        if index is None or "\n" in join["sep"] or (after[0].islower() and not after[0].isdigit() and "(" not in join[0]):
            break
        tail = _BREAK.match(body, after.end()) or _JOIN.match(body, after.end())
        if tail is None or (tail.re is _JOIN and (tail["sep"].isspace() and not labels.next_is_label(body, after.end()))):
            break
        if plain and not (_BREAK.match(body, after.end()) or labels.next_is_label(body, after.end())):
            break
        if starts_with_text(body, join.end(), labels) and not plain and len(labels.texts[first]) == 1:
            break
        hedged = hedged or bool(re.search(r"\bor\b|/|vs", join["sep"], re.IGNORECASE))
        found.append(index)
        end = after.end()
    if len(set(found)) > 1 and hedged:
        return HEDGE, end
    return labels.join(found), end


def _ends_label(body: str, word: re.Match[str], index: int, labels: Labels) -> bool:
    """Whether a word that looks like a label is one: 'A student' and 'a city' are not."""
    end = word.end()
    if body[end : end + 2] in (".0", ",0") or (body[end : end + 1] in ".," and body[end + 1 : end + 2].isdigit()):
        return False
    if word[0] != labels.names[index] and word[0].islower():
        return bool(_LOWER_BREAK.match(body, end)) or labels.text_follows(body, end, index)
    return bool(_BREAK.match(body, end) or _FOLLOW_WORDS.match(body, end)) or (
        labels.text_follows(body, end, index) or labels.next_is_label(body, end) or body[end : end + 1] == "/"
    )


def _label_line(body: str, labels: Labels) -> str | None:
    """The label that the last or the first line consists of or opens with; None if several lines open with labels."""
    lines = [line for line in body.split("\n") if line.strip()]
    if len(lines) == 1 and _whole_text(lines[0], labels) is not None:
        return None
    opened: list[tuple[str, int, str]] = []
    for line in lines:
        start = _LINE_HEAD.match(line).end()  # type: ignore[union-attr]
        hit = _read(line, start, labels, texts=False)
        if hit is not None and not _REFUTED.match(line, hit[1]):
            opened.append((hit[0], hit[1], line))
    if opened and opened[-1][2] is lines[-1] and _is_bare(opened[-1]):
        return opened[-1][0]
    tail = _SENTENCES.split(lines[-1].strip())[-1]
    if tail != lines[-1].strip() and (hit := _read(tail, 0, labels, texts=False)) and _is_bare((*hit, tail)):
        return hit[0]
    if opened and opened[0][2] is lines[0] and (len({key for key, _, _ in opened}) == 1 or _is_bare(opened[0])):
        return opened[0][0]
    return None


def _is_bare(opened: tuple[str, int, str]) -> bool:
    return not opened[2][opened[1] :].strip(" .)]}*_`\"'$")


def _whole_text(line: str, labels: Labels) -> int | None:
    bare = line.strip(" \t*_`\"'.$“”").casefold()
    hits = [i for i, text in enumerate(labels.texts) if text == bare]
    return hits[0] if len(hits) == 1 else None


def _option_text(body: str, labels: Labels) -> Found:
    whole = _whole_text(body, labels)
    if whole is not None:
        return Found(labels.names[whole], "text")
    sentences = [s for s in _SENTENCES.split(body) if s and s.strip()]
    for part, rule in ((sentences[-1] if sentences else body, "last sentence"), (body, "anywhere")):
        hits = {i for i, start in occurrences(part, labels) if not _NEGATED.search(part, max(0, start - 30), start)}
        if len(hits) == 1:
            return Found(labels.names[hits.pop()], rule)
        if hits:
            break
    return NOTHING


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


class MultipleChoice:
    """The kind as voting and scoring use it."""

    name = "multiple_choice"
    votable = True

    def extract(self, text: str, spec: AnswerSpec) -> Key | None:
        return find(text, spec).key

    def same(self, a: Key, b: Key, spec: AnswerSpec) -> bool:
        return a == b


KIND = MultipleChoice()


def grade(text: str, gold: str | Sequence[str], spec: AnswerSpec) -> Grade:
    """1 if the labels named are exactly the right ones; a list in ``gold`` is a set of right labels."""
    found = find(text, spec)
    right = found.key is not None and found.key == canonical(gold, spec)
    return Grade(float(right), found.key, found.rule, found.key is not None)
