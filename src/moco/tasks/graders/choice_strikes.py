"""What takes a label out of the running: it is negated, refuted, conceded, supposed, reported of somebody else, or asked about.

Invariant: these look at the words around one mention in its own sentence, alike for every label.
"""

from __future__ import annotations

import re

_REFUTED = re.compile(
    r"[)\]\"'*]*(?:\s*\([^)\n]*\))?\s*"
    r"(?:is|was|are|were|would\s+be|could\s+be|can\s+be|must\s+be|seems|looks|has\s+to\s+be|cannot|can't|isn't|does|doesn't"
    r"|might|may|could)"
    r"(?:n't)?\b[^.;,\n]{0,20}?"
    r"\b(?:not|wrong|incorrect|false|tempting|eliminated|excluded|ruled|out|implausible|impossible|n't)\b"
    r"|[)\]\"'*]*\s*[-–—:(|]\s*(?:incorrect|wrong|false|no|not(?=\s+(?:correct|right|true|valid|supported)\b)|eliminated"
    r"|out)\b|[)\]\"'*]*\s*[-–—:(|]?\s*[✗✘❌]"
    r"|[)\]\"'*]*\s*would\s+(?:be|have\s+been)\b[^.;,\n]{0,20}\b(?:true|right|correct|best|answer)\s+(?:if|for|only|when|had"
    r"|in)\b"
    r"|[)\]\"'*]*\s*(?:could|might|may|can)\s+be\b"
    r"|[)\]\"'*]*\s*(?:isn't|wasn't|can't|cannot|doesn't|aren't|don't)\b"
    r"|[)\]\"'*]*\s*(?:contradicts?|fails?|falls?|disagrees?|conflicts?|misses|overlooks?|ignores?|confuses?)\b",
    re.IGNORECASE,
)
_REFUTED_TOGETHER = re.compile(
    r"[)\]\"'*]*(?:,?\s*(?:and|or|,|nor|&)\s*[(\"'*]*(?P<l>[A-Z0-9]{1,2})[)\"'*]*)+\s+(?:(?:are|were|can|could|both|all|do"
    r"|seem|look)(?:n't)?\b[^.;\n]{0,25}"
    r"\b(?:not|wrong|incorrect|false|out|eliminated|excluded|implausible|impossible|plausible|possible|tempting)\b|(?:are|were"
    r"|can|could|do)n't\b|cannot\b"
    r"|(?:contradict|fail|conflict|disagree)\b)"
)
_NEGATED = re.compile(
    r"(?:\b(?:not|never|neither|nor|except|than|unlike|without|exclud(?:e|es|ed|ing)|eliminat(?:e|es|ed|ing)|rul(?:e|es|ed"
    r"|ing)\s+out|reject(?:s|ed|ing)?|dismiss(?:es|ed|ing)?|against)|n't)"
    r"\s+(?:say\s+|be\s+|choose\s+|pick\s+|the\s+|an?\s+|option\s+)*[\"'(*]*$",
    re.IGNORECASE,
)
_CONCEDED = re.compile(
    r"(?:\A|[.!?:;,\n(]\s*|\b(?:and|but|so)\s+)(?:although|though|while|whereas|even\s+(?:if|though)|whether|unless|suppose"
    r"|assuming|(?:if(?!\s+(?:i|we|you|one)?\s*(?:had|have|has|am|were|must|forced|pressed|asked)\b)))"
    r"\b[^,.;!?\n]*\Z|\b(?:many|some|most)\s+(?:people|students|readers|test-takers)\b[^,.;!?\n]*\Z|\b(?:might|may"
    r"|could)\s+(?:be\s+tempted\s+to\s+)?(?:\w+\s+){0,2}\Z",
    re.IGNORECASE,
)
_REPORTED = re.compile(
    r"\b(?:(?:agents?|models?|experts?|reviewers?|solvers?|critics?|users?|students?|assistants?)(?:\s+(?:\w{1,2}|one|two"
    r"|three))?|others|some|many|most|people|anyone|someone|everyone|sources?|two|three|four|both|half"
    r"|he|she|they|you|who)\s+(?!(?:should|must|ought|need|has\s+to|have\s+to)\b)(?:[a-z]+\s+){0,3}"
    r"(?:says?|said|chose|chooses?|picks?|picked|selects?|selected|thinks?|thought|answers?|answered|argues?|argued|votes?"
    r"|voted|went|goes|go|claims?|claimed|suggests?|suggested)\b"
    r"[^,.;!?\n]{0,25}\Z",
    re.IGNORECASE,
)
_LOOKED_AT = re.compile(
    r"\b(?:consider(?:s|ed|ing)?|examin(?:e|es|ed|ing)|look(?:s|ed|ing)?\s+at|check(?:s|ed|ing)?|evaluat(?:e|es|ed|ing)"
    r"|test(?:s|ed|ing)?|analy[sz](?:e|es|ed|ing)|discuss(?:es|ed|ing)?"
    r"|compar(?:e|es|ed|ing)|wonder(?:s|ed|ing)?|doubt(?:s|ed|ing)?|tempted|turn(?:ing)?\s+to|start(?:ing)?\s+with|rul(?:e|es"
    r"|ed|ing)\s+out|eliminat(?:e|es|ed|ing)|discard(?:s|ed|ing)?"
    r"|exclud(?:e|es|ed|ing)|reject(?:s|ed|ing)?|dismiss(?:es|ed|ing)?|at\s+first|first(?:ly)?\s+(?:thought|said|chose|had"
    r"|guessed|instinct|glance)|initially|originally|previously|earlier|was\s+going\s+to"
    r"|used\s+to)\b[^,.;:!?\n]{0,25}(?:,\s*(?:and\s+)?[A-Z]\b[^,.;:!?\n]{0,6})*\Z",
    re.IGNORECASE,
)
_NOT_OURS = re.compile(
    r"\b(?:previous|earlier|initial|original|former|old|other|candidate|runner-up|least|worst|(?:second|third|alternative"
    r"|backup)\s+(?:choice|option|guess|pick|answer|place))\b[^,.;!?\n]{0,25}\Z"
    r"|(?<!\w)[A-Z]\s+(?:through|thru|–|-)\s+\Z|\[ \]\s*[(*]*\Z",
    re.IGNORECASE,
)
_LEFT_BEHIND = re.compile(r"\bfrom\s+(?:option\s+)?[(\"'*]*\Z", re.IGNORECASE)
_GOES_TO = re.compile(r"[)\"'*]*\s+to\b")
_ASKED = re.compile(r"[^.!\n?]{0,80}[^\s.!?]\?|\s+[^.!\n?]{0,80}\?")


def refuted(body: str, end: int) -> bool:
    """Whether the label that ends at ``end`` is said to be wrong, alone or together with those named after it."""
    return _REFUTED.match(body, end) is not None or _REFUTED_TOGETHER.match(body, end) is not None


def negated(body: str, start: int) -> bool:
    """Whether what begins at ``start`` stands behind 'not' and its like."""
    return _NEGATED.search(body, max(0, start - 30), start) is not None


def struck(body: str, start: int, end: int) -> bool:
    """Whether the label at ``body[start:end]`` is out of the running."""
    if negated(body, start) or refuted(body, end):
        return True
    head = max(0, start - 80)
    if _LEFT_BEHIND.search(body, head, start) and _GOES_TO.match(body, end):
        return True
    return (
        any(way.search(body, head, start) for way in (_CONCEDED, _REPORTED, _LOOKED_AT, _NOT_OURS))
        or _ASKED.match(body, end) is not None
    )
