"""Reading the label, or the labels, written at one place of a reply: 'B', '(B) text', 'A and C', 'A or C' (a hedge), or a text.

Invariant: what looks like a label is one only where what follows says so: 'A student' and 'vitamin B cells' name none.
"""

from __future__ import annotations

import re

from moco.tasks.graders.options import Labels, starts_with_text, texts_listed

HEDGE = "hedge"
_OPENERS = re.compile(
    r"[\s*_`\"'“‘«「『(\[{<$:：\\>—–]*"
    r"(?:(?:the|an|la|le|el|die|der|is|it(?:'s|\s+is)|i\s+(?:think|believe|guess|choose|would\s+say)|probably|definitely"
    r"|correct|right|option|choice|letter|label|number|statement|opci[oó]n|op[cç][aã]o|opzione|answer|(?:la\s+)?lettera|boxed"
    r"|box|fbox|选项)"
    r"(?:[\s*_`\"'“‘«「『(\[{<$:：\\—–]+)){0,8}",
    re.IGNORECASE,
)
_PLAIN_OPENERS = re.compile(r"[\s*_`\"'“‘«「『:：$—–]*")
_SAYING = re.compile(r"\b(?:it|is|i|answer|probably|definitely|correct|right|boxed|box|fbox)\b", re.IGNORECASE)
WORD = re.compile(r"[^\W_\u3040-\u9fff\uac00-\ud7af]+|[^\W_]")
_FOLLOW_WORDS = re.compile(
    r"\s+(?:is|was|because|since|as|and|or|which|for|based|due|given|from|in|by|but|not|while|whereas|however|so|where|therefore"
    r"|hence|thus|rather|instead|only|would|i|since|with|after|if|porque|car|weil|perch[eé]|works|fits|remains|holds|matches"
    r"|here|there"
    r"|seems|looks|appears|says|states|describes|refers|mentions|makes|does|has|can|will|must|should|among|above|it|है|on|at"
    r"|to|over|under|through|without|about|against|into|than"
    r"|until|before|during|although|though|unless|when|too|also|again|now|then|that|this)(?!\w)",
    re.IGNORECASE,
)
"""Words that no noun phrase goes on with: before one of them, even 'A' is a label."""
_FOLLOW_LETTER = re.compile(
    r"\s+(?:correct|right|true|best|wrong|incorrect|false|out|alone|correctly|(?!cells|rays|waves|bands"
    r"|sharps)[a-z]{3,}s)(?=[\s.,;!]|$)"
)
"""What may follow a letter that is no English word: a verdict, or a verb ('only D says so')."""
_FOLLOW_DIGIT = re.compile(r"\s+(?:stars?|points?)\b")
_BREAK = re.compile(
    r"\s*(?:$|\n|[)\]}.:,;!?*_\"”’»」』`…>$=|،、，✓✔✅✗✘❌☑]|\(|-(?!\w)|[–—-]\s|</|\\)|'(?!\w)|[\u3000-\u9fff\uac00-\ud7af]"
)
_LOWER_BREAK = re.compile(r"[)\]}\"*'`]|[.,;:!?]?\s*(?:$|\n|</)|[.:,;!?]\s")
_JOIN = re.compile(
    r"[)\]*\"']*(?P<sep>\s*,\s*(?:and\s+|or\s+)?|\s+(?:and|or|und|et|y|e|&|nor|vs\.?)\s+|\s*[/+&]\s*|\s+)[(\[*\"']*",
    re.IGNORECASE,
)
_OR = re.compile(r"\bor\b|/|vs", re.IGNORECASE)


def says_something(body: str, place: int) -> bool:
    """Whether the words before the label at ``place`` are part of a sentence ('it is B') and not only dress."""
    return _SAYING.search(_OPENERS.match(body, place)[0]) is not None  # type: ignore[index]


def read(body: str, place: int, labels: Labels, *, texts: bool = True) -> tuple[str, int] | None:
    """The label (or labels) written at ``place``, behind openers; (key or HEDGE, end)."""
    start = _OPENERS.match(body, place).end()  # type: ignore[union-attr]
    word = WORD.match(body, start)
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
    return _labels_at(body, word, labels)


def _labels_at(body: str, word: re.Match[str], labels: Labels) -> tuple[str, int] | None:
    first = labels.look_up(word[0])
    if first is None:
        run = labels.run(word[0])
        return (labels.join(run), word.end()) if run and _BREAK.match(body, word.end()) else None
    if not ends_label(body, word, first, labels):
        return None
    if stop := labels.text_follows(body, word.end(), first):
        return labels.names[first], stop
    found, end, hedged = [first], word.end(), False
    while True:
        join = _JOIN.match(body, end)
        after = WORD.match(body, join.end()) if join else None
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
        hedged = hedged or bool(_OR.search(join["sep"]))
        found.append(index)
        end = after.end()
    if len(set(found)) > 1 and hedged:
        return HEDGE, end
    return labels.join(found), end


def ends_label(body: str, word: re.Match[str], index: int, labels: Labels) -> bool:
    """Whether a word that looks like a label is one: 'A student' and 'a city' are not."""
    end = word.end()
    if body[end : end + 2] in (".0", ",0") or (body[end : end + 1] in ".," and body[end + 1 : end + 2].isdigit()):
        return False
    if word[0] != labels.names[index] and word[0].islower():
        return bool(_LOWER_BREAK.match(body, end) or labels.text_follows(body, end, index))
    if word[0].isdigit() and _FOLLOW_DIGIT.match(body, end):
        return True
    if word[0] not in ("A", "I") and word[0].isupper() and _FOLLOW_LETTER.match(body, end):
        return True
    return bool(_BREAK.match(body, end) or _FOLLOW_WORDS.match(body, end) or labels.text_follows(body, end, index)) or (
        labels.next_is_label(body, end) or body[end : end + 1] == "/"
    )
