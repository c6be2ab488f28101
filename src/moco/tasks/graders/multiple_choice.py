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
from moco.tasks.graders.options import Labels, lowered, occurrences, starts_with_text, texts_listed, without_restatement

_CONCLUSION = re.compile(
    r"""(?:(?:选项|選項|选择|選擇|选|選)\s*(?:[:：]|是|为|為)?
        |(?<!\w)(?:options?|choices?|letter|opci[oó]n|op[cç][aã]o|opzione|alternativa?|lettre|letra|lettera|buchstabe|antwort(?:m[oö]glichkeit)?
            |вариант|उत्तर|जवाब)
            (?:\s+(?:corr?ett?a|correct[ae]?|richtige))?
            (?:\s+(?:number|here\s+is|is|would\s+be|should\s+be|must\s+be|es|est|è|é|ist)(?:\s+l[ae]\b)?)?\s*[:=—–]?
        |(?<!\w)(?:hence|so|thus|therefore|only|it(?:'s|\s+is|\s+must\s+be|\s+has\s+to\s+be|\s+should\s+be)|that\s+is
            |(?:that\s+)?leav(?:es|ing)(?:\s+us)?(?:\s+(?:only|just))?(?:\s+with)?
            |(?:right|correct|best|true)\s+one\s+(?:is|was|must\s+be)|(?:es|c'est|è|é)\s+(?:l[ae]|el)|richtig\s+(?:ist|w[aä]re)
            |(?:choose|pick|select|chose|picked|selected|choosing|picking|selecting|go\s+with|going\s+with|settle\s+on|say|guess|vote\s+for|answer|answering|conclude))
            \s*[:,]?)
        (?:\s+(?:the|option|choice|letter|answer|is|it|must|be|i|would|say|we|have|pick|choose)){0,6}(?=[\s("'*\[:]|[A-Za-z0-9])""",
    re.IGNORECASE | re.VERBOSE,
)
_IS_RIGHT = re.compile(
    r"(?<!\w)(?P<l>\w{1,4})[)\]*\"'.:]*\s+(?:(?:fits|works|matches)\s+best|the\s+(?:right|correct|best)\s+(?:choice|answer|option|one)"
    r"|(?:is|must\s+be|would\s+be|seems|looks|ist|est|es|è|é)\s+"
    r"(?:(?:clearly|definitely|probably|therefore|thus|indeed|obviously)\s+)?"
    r"(?:the\s+|la\s+|die\s+)?(?:(?:most|only|single)\s+)?"
    r"(?:correct[ae]?|right|answer|best|true|appropriate|fitting|plausible|suitable|likely|richtig|korrekt|juste|corr?ett?a)\b)",
    re.IGNORECASE,
)
_LIST_BEFORE = re.compile(r"(?:(?<!\w)[A-Z0-9]{1,2}\s*,\s*)+(?:and\s+)?$")
_TEXT_THEN_LABEL = re.compile(r"(?P<text>.+?)\s*\((?P<label>[^()\s]{1,4})\)\.?")
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
    r"[\s*_`\"'“‘«「『(\[{<$:：\\>—–]*"
    r"(?:(?:the|an|la|le|el|die|der|is|it(?:'s|\s+is)|i\s+(?:think|believe|guess|choose|would\s+say)|probably|definitely|correct|right|option|choice|letter|label|number|opci[oó]n|op[cç][aã]o|opzione|answer|(?:la\s+)?lettera|boxed|box|fbox|选项)"
    r"(?:[\s*_`\"'“‘«「『(\[{<$:：\\—–]+)){0,8}",
    re.IGNORECASE,
)
_PLAIN_OPENERS = re.compile(r"[\s*_`\"'“‘«「『:：$—–]*")
_SAYING = re.compile(r"\b(?:it|is|i|answer|probably|definitely|correct|right|boxed|box|fbox)\b", re.IGNORECASE)
_DRESS = " .:)([]{}*_`\"'$-–—\n"
_WORD = re.compile(r"[^\W_\u3040-\u9fff\uac00-\ud7af]+|[^\W_]")
_FOLLOW_WORDS = re.compile(
    r"\s+(?:is|was|because|since|as|and|or|which|for|based|due|given|from|in|by|but|not|while|whereas|however|so|where|therefore"
    r"|hence|thus|rather|instead|only|would|i|since|with|after|if|porque|car|weil|perch[eé]|works|fits|remains|holds|matches|here|there|seems|looks|makes|does|has|can|will|must|should|among|above|it|है)(?!\w)",
    re.IGNORECASE,
)
_BREAK = re.compile(
    r"\s*(?:$|\n|[)\]}.:,;!?*_\"”’»」』`…>$=|،、，]|\(|-(?!\w)|[–—-]\s|</|\\)|'(?!\w)|[\u3000-\u9fff\uac00-\ud7af]"
)
_LOWER_BREAK = re.compile(r"[)\]}\"*'`]|[.,;:!?]?\s*(?:$|\n|</)|[.:,;!?]\s")
_JOIN = re.compile(
    r"[)\]*\"']*(?P<sep>\s*,\s*(?:and\s+|or\s+)?|\s+(?:and|or|und|et|y|e|&|nor|vs\.?)\s+|\s*[/+&]\s*|\s+)[(\[*\"']*",
    re.IGNORECASE,
)
_AGAIN = re.compile(
    r"\b(?:wait|actually|no|correction|scratch\s+that|sorry|second\s+thoughts?|hmm+|oops|mistake|not)\b", re.IGNORECASE
)
_WRONG_AT_ONCE = re.compile(r"[)\]\"'*]*\s+(?:is|was)(?:n't|\s+(?:not|wrong|incorrect|false))\b", re.IGNORECASE)
_HEADING = re.compile(r"[ \t*_#>]*(?P<words>[^\W\d_][^\n:：.,;]{0,30}?)[ \t*_]*[:：][ \t*_]*(?=\S)")
_SPURNED = re.compile(r"wrong|incorrect|\bnot\b|eliminat|exclu|except|reject|false|ruled|discard|option|choice", re.IGNORECASE)
_SENTENCES = re.compile(r"(?<=[.!?])\s+|\n+")
_LINE_HEAD = re.compile(r"[ \t*_#>\-`\"'“(\[{$<]*(?:\d{1,3}\s*[-.:)]\s*(?=[A-Za-z]\b))?")
HEDGE, BARE = "hedge", "bare"


def find(text: str, spec: AnswerSpec) -> Found:
    """The label a reply commits to and the rule that found it; ``key`` None where it names none or hedges."""
    labels = _labels(spec.labels, spec.choices)
    body = without_restatement(unwrap(fold(visible(text))).strip(), labels)
    if not body:
        return NOTHING
    alone = _nothing_else(body, labels)
    if alone is not None:
        return Found(alone, BARE)
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
        if hit is not None and not _WRONG_AT_ONCE.match(body, hit[1]):
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
            listed = _LIST_BEFORE.search(body, max(0, m.start() - 60), m.start())
            others = [labels.look_up(word[0]) for word in _WORD.finditer(listed[0])] if listed else []
            best = labels.join([i, *(other for other in others if other is not None)]), m.end("l")
    return best


def _read(body: str, place: int, labels: Labels, *, texts: bool = True) -> tuple[str, int] | None:
    """The label (or labels) written at ``place``, behind openers; (key or HEDGE, end)."""
    start = _OPENERS.match(body, place).end()  # type: ignore[union-attr]
    word = _WORD.match(body, start)
    if word is None:
        return None
    if texts:  # a text that begins with a label's letter, or is written like one, is longer evidence than the letter
        plain = _PLAIN_OPENERS.match(body, place).end()  # type: ignore[union-attr]
        listed = texts_listed(body, start, labels) or texts_listed(body, plain, labels)
        if listed is not None:
            return labels.join(listed[0]), listed[1]
        whole = starts_with_text(body, start, labels) or starts_with_text(body, plain, labels)
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
    if stop := labels.text_follows(body, word.end(), first):
        return labels.names[first], stop
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
        tail = _BREAK.match(body, after.end()) or _FOLLOW_WORDS.match(body, after.end()) or _JOIN.match(body, after.end())
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
        return bool(_LOWER_BREAK.match(body, end) or labels.text_follows(body, end, index))
    return bool(_BREAK.match(body, end) or _FOLLOW_WORDS.match(body, end) or labels.text_follows(body, end, index)) or (
        labels.next_is_label(body, end) or body[end : end + 1] == "/"
    )


def _label_line(body: str, labels: Labels) -> str | None:
    """The label that the last or the first line consists of or opens with; None if several lines open with labels."""
    lines = [line for line in body.split("\n") if line.strip()]
    if len(lines) == 1 and _whole_text(lines[0], labels) is not None and labels.look_up(lines[0].strip(" .*_()")) is None:
        return None
    opened: list[tuple[str, int, str]] = []
    for line in lines:
        start = _LINE_HEAD.match(line).end()  # type: ignore[union-attr]
        hit = _read(line, start, labels, texts=False)
        if hit is not None and not _REFUTED.match(line, hit[1]):
            opened.append((hit[0], hit[1], line))
    if opened and opened[-1][2] is lines[-1] and _is_bare(opened[-1]):
        return opened[-1][0]
    heading = _HEADING.match(lines[-1])
    if heading and not _SPURNED.search(heading["words"]) and labels.look_up(heading["words"]) is None:
        hit = _read(lines[-1], heading.end(), labels, texts=False)
        if hit is not None and _is_bare((*hit, lines[-1])):
            return hit[0]
    tail = _SENTENCES.split(lines[-1].strip())[-1]
    if tail != lines[-1].strip() and (hit := _read(tail, 0, labels, texts=False)) and _is_bare((*hit, tail)):
        return hit[0]
    if opened and opened[0][2] is lines[0] and (len({key for key, _, _ in opened}) == 1 or _is_bare(opened[0])):
        return opened[0][0]
    return None


def _is_bare(opened: tuple[str, int, str]) -> bool:
    return not opened[2][opened[1] :].strip(" .)]}*_`\"'$")


def _nothing_else(body: str, labels: Labels) -> str | None:
    """The answer of a reply that is a label, an option text, or a label with its text, and nothing besides."""
    if labels.look_up(body.strip(_DRESS)) is None and (whole := _whole_text(body, labels)) is not None:
        return labels.names[whole]
    both = _TEXT_THEN_LABEL.fullmatch(body)
    if both and (named := labels.look_up(both["label"])) is not None and _whole_text(both["text"], labels) == named:
        return labels.names[named]
    head = _LINE_HEAD.match(body).end()  # type: ignore[union-attr]
    if _SAYING.search(_OPENERS.match(body, head)[0]):  # type: ignore[index]
        return None
    hit = _read(body, head, labels)
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

    def grade(self, text: str, gold: str | Sequence[str], spec: AnswerSpec) -> Grade:
        return grade(text, gold, spec)


KIND = MultipleChoice()


def grade(text: str, gold: str | Sequence[str], spec: AnswerSpec) -> Grade:
    """1 if the labels named are exactly the right ones; a list in ``gold`` is a set of right labels."""
    found = find(text, spec)
    right = found.key is not None and found.key == canonical(gold, spec)
    return Grade(float(right), found.key, found.rule, found.key is not None)
