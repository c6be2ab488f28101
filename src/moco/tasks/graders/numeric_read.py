"""Which number a text states: of a short segment behind an answer cue, and of a whole reply without one.

Without a cue it is the last number of the last line that has one, except for what that line says on the side: working in
parentheses, numbers that are denied, given ('his 4 boxes'), or only say when, where, or what it is made up of.
"""

from __future__ import annotations

import re

from moco.tasks.graders.base import without_aside
from moco.tasks.graders.quantities import Quantity, clean, quantities, word_number

_RANGE = re.compile(r"\s*(?:to|or|-|oder|ou)\s*$|\s*(?:to|or)\s+(?:about\s+|maybe\s+|perhaps\s+|\$)*$", re.IGNORECASE)
_BETWEEN = re.compile(r"\b(?:between|anywhere\s+from|zwischen|entre)\s*$", re.IGNORECASE)
_OPERATOR = re.compile(r"\s*(?:[-+*/x·÷]|\bplus\b|\bminus\b|\btimes\b)\s*[($]*$", re.IGNORECASE)
_BARE_LIST = re.compile(r"\s*[-+$]?\d[\d.]*(?:, ?[-+$]?\d[\d.]*){1,}\s*\.?\s*")
_EQUALS = re.compile(r"(?<![<>!=])=(?!=)|≈|\\approx")
_YEAR = re.compile(r"\b(?:in|since|by|of)\s+$", re.IGNORECASE)
_BOLD = re.compile(r"\*\*\s*((?:[$€£¥]\s*)?[-+]?\d(?!\d?[.)]?\*\*\s)[^*\n]*)\*\*")
_IN_PARENTHESES = re.compile(r"(?:(?<=\s)|\A)\((?=[^()]*[A-Za-z=+*/])[^()]*\)")
_ALL_IN_PARENTHESES = re.compile(r"\s*\(.*\)[\s.]*")
_GIVEN = re.compile(
    r"\b(?:in|on|for|from|with|of|among|across|by)\s+(?:all\s+)?(?:the|his|her|their|its|these|those|our|my)\s+$", re.IGNORECASE
)
_CHANGED = re.compile(r"\b(?:chang|switch|revis|updat|correct|mov)\w*\b[^.;]*\bfrom\s+[$€£]?$", re.IGNORECASE)
_ADJUNCT = re.compile(
    r"\b(?:in|by|of|over|after|within|during|at|on|for|from|with|per)\s+(?:(?:the|a|an|each|every"
    r"|all)\s+)?(?:\w+\s+)?(?:of\s+)?(?:\w+\s+)?[$€£]?$",
    re.IGNORECASE,
)
_BESIDES = re.compile(
    r"(?:in|within|over|after|during|across|by\s+the\s+end\s+of)\s+(?:(?:the|a|an|each|every|all)\s+)?(?:\w+\s+)?$", re.IGNORECASE
)
_COMPLETED = re.compile(
    r"\b(?:finish|complet|done|read|reach|paint|fill|empt|arriv|tak|took|build|built|dig|dug|meet|typ|solv|eat|ate|walk|run)\w*\b",
    re.IGNORECASE,
)
"""Verbs whose time is more likely asked for than what was done."""
_TURNS = re.compile(r"\b(?:but|so|thus|hence|therefore)\b", re.IGNORECASE)
_TAKES = re.compile(
    r"\b(?:takes?|took|needs?)\s+(?:(?!\d)\w+\s+){0,2}(\d[\d.,]*\s*(?:seconds?|minutes?|min|hours?|days?|weeks?|months?|years?))\b"
    r"(?=\s+(?:to|for)\b)",
    re.IGNORECASE,
)
_WHERE = re.compile(r",?\s+(?:at|when|where|for)\s+[a-z]\s*=\s*-?[\d./]+\s*$")
_GOES_ON = re.compile(r"\b(?:so|thus|hence|therefore|wait|no|actually|sorry|final|total)\b", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=\w[.!?])\s+(?=[A-Z*$])")
_COMPARED = re.compile(
    r",?\s+(?:which|that)\s+is\s+[^,.;]*\b(?:more|less|fewer|greater|higher|lower|better|worse)\s+than\b[^,;]*"
)
_TRAILING = re.compile(
    r",\s+(?:[$€£]?\d[\d,.]*\s+(?:[a-z]+\s+)?(?:in(?!\s+(?:all|total)\b)|on|from|for|at|by|per|to)\s|[a-z]+ed\s+(?:in|on|into|across|among)\s"
    r"|which\s+is\s+(?:half|twice|double|(?:a|one)\s+(?:third|quarter|fifth)|three\s+times)\b)(?:[^=.]|\.(?=\d))*\.?\s*$",
    re.IGNORECASE,
)
_AFTERWARDS = re.compile(r"(?<=\w)(?<!\bso)(?<!\band)(?<!\bthen)\s+(?:after|before|once)\s+[^,;=]*$", re.IGNORECASE)
"""Clauses behind the one that gives the answer: how it is made up, and when."""
_PAID_FOR = re.compile(r"[$€£]\s?(?:[\d,.]*\d)\b[^,;=$€£]*\s(?:for|in|on|after|per|of|over)\s+[^,;=$€£]*$", re.IGNORECASE)
_FIRST_AMOUNT = re.compile(r"\S\s?(?:[\d,.]*\d)\b(?:\s+(?:thousand|million|billion)\b)?", re.IGNORECASE)
_BESIDE = re.compile(r"(?<=[a-z])\s+(?:on|in|at|among|across|between|for|with)\s+[^.;=]*\.?\s*$", re.IGNORECASE)
_THERE = re.compile(r"\bthere\s+(?:are|is|were|was|will\s+be|would\s+be)\s+[\d,.]+\s+[a-z]+", re.IGNORECASE)
_DENIED = re.compile(r"\b(?:not|rather\s+than|instead\s+of)\s+[$€£]?$|n't\s+[$€£]?$", re.IGNORECASE)
_REASON = re.compile(r"[,;]?\s+(?:because|since|given\s+that)\s", re.IGNORECASE)
_DRESS = " \t\n*_`\"'$€£¥.:()[]{}\\="
_UNIT = re.compile(r"(?:[^\W\d_]|[°%/^²³])+(?:\s+(?:[^\W\d_]|[/%])+)?")


def read(segment: str) -> str | None:
    """The number a short segment states: '' for a hedge between several, None where there is none."""
    segment = clean(segment)
    reason = _REASON.search(segment)
    segment = segment[: reason.start()] if reason and any(c.isdigit() for c in segment[: reason.start()]) else segment
    if "," in segment and _BARE_LIST.fullmatch(segment):
        listed = quantities("[" + segment.strip().rstrip(".") + "]")
        single = quantities(segment)
        if not (len(single) == 1 and single[0].key is not None and ", " not in segment):
            return listed[0].key if listed else None
    sides = _EQUALS.split(segment)
    if len(sides) > 1:
        right = quantities(sides[-1])
        if right and not _is_expression(sides[-1], right):
            return right[0].key
        left = quantities(sides[0])
        if len(left) == 1:
            return left[0].key
    found = quantities(segment)
    if len(found) > 1:
        found = [q for q in found if not _DENIED.search(segment, max(0, q.start - 20), q.start)] or found
    if not found:
        return word_number(segment)
    if _BETWEEN.search(segment[: found[0].start]) and len(found) > 1:
        return ""
    if len(found) > 1:
        gap = segment[found[0].end : found[1].start]
        if _RANGE.fullmatch(gap) and found[0].key != found[1].key:
            return ""
        if _OPERATOR.fullmatch(gap) or (segment[found[1].start] in "-+" and not gap.strip()):
            return None
    return found[0].key


def last_number(body: str) -> str | None:
    """The key of the last number of cleaned ``body``, that of an equation or a range as its line means it; None without one."""
    first, _, rest = body.strip().partition("\n")
    if rest.strip() and nothing_else(first) and not _GOES_ON.search(rest):
        return quantities(first)[0].key
    said = without_aside(body)
    lines = [line for line in said.split("\n") if any(c.isdigit() for c in line)]
    lines = lines or [line for line in body.split("\n") if any(c.isdigit() for c in line)]
    while len(lines) > 1 and _ALL_IN_PARENTHESES.fullmatch(lines[-1]):
        lines.pop()
    if not lines:
        return None
    results = _EQUALS.split("\n".join(lines[:-1]) or _SENTENCE_END.sub("\n", lines[-1]).rpartition("\n")[0])
    result = next((q.key for q in quantities(results[-1])), None) if len(results) > 1 else None
    return _last(_main(_SENTENCE_END.split(lines[-1])[-1] if result else lines[-1]), result)


def _main(line: str) -> str:
    """A line without what it says on the side: words or working in parentheses, a comparison; or its one number in bold."""
    if "**" in line:
        bold = [m[1] for m in _BOLD.finditer(line)]
        if len(bold) == 1:
            return bold[0]
    if line.count("$") + line.count("€") + line.count("£") == 1 and "=" not in line and (paid := _PAID_FOR.search(line)):
        return _FIRST_AMOUNT.match(paid[0])[0]  # type: ignore[index]
    if "=" not in line and (taken := _TAKES.search(line)):
        return taken[1]
    reason = _REASON.search(line)
    if reason and quantities(line[: reason.start()]) and not _TURNS.search(line, reason.end()):
        line = line[: reason.start()]
    for aside in (_IN_PARENTHESES, _COMPARED, _TRAILING, _AFTERWARDS, _WHERE, *((_BESIDE,) if _THERE.search(line) else ())):
        rest = aside.sub(" ", line)
        if rest != line and quantities(rest):
            line = rest
    return line


def _last(line: str, result: str | None = None) -> str | None:
    """The last number of a line; of an equation whose right side is the working, the left side.

    ``result`` is what the last equation before it came to: numbers that only say when, where or of what step aside for it.
    """
    found = [q for q in quantities(line) if q.key is not None]
    if len(found) > 1:
        found = [q for q in found if not _DENIED.search(line, max(0, q.start - 20), q.start)] or found
        found = [q for q in found if not (q is not found[0] and _GIVEN.search(line, max(0, q.start - 30), q.start))]
    if not found:
        return None
    sides = _EQUALS.split(line)
    if len(sides) == 2:
        left = quantities(sides[0])
        right = quantities(sides[1])
        if len(left) == 1 and _is_expression(sides[1], right):
            return left[0].key
        beside = [_ADJUNCT.search(sides[1], max(0, q.start - 30), q.start) for q in right[1:]]
        if beside and all(beside) and right[0].key is not None:
            return right[0].key
    if len(found) > 1 and _YEAR.search(line[: found[-1].start]) and re.fullmatch("(?:19|20)[0-9]{2}", found[-1].key or ""):
        return found[-2].key
    if len(found) > 1 and "=" not in line:
        aside = [bool(_ADJUNCT.search(line, max(0, q.start - 30), q.start)) for q in found]
        rest = [q for q, beside in zip(found, aside, strict=True) if not beside]
        if (
            rest
            and aside[-1]
            and (rest[-1].key == result or (_BESIDES.search(line[: found[-1].start]) and not _COMPLETED.search(line)))
        ):
            found = rest
    if len(found) > 1 and _CHANGED.search(line[: found[-2].start]):
        return found[-1].key
    if len(found) > 1 and found[-2].key != found[-1].key and _RANGE.fullmatch(line[found[-2].end : found[-1].start]):
        return None
    if len(found) > 1 and _BETWEEN.search(line[: found[-2].start]):
        return None
    return found[-1].key


def nothing_else(body: str) -> bool:
    """Whether a reply is one quantity and nothing besides, signs and a short unit aside."""
    found = quantities(body)
    if len(found) != 1:
        return False
    before, after = body[: found[0].start].strip(_DRESS), body[found[0].end :].strip(_DRESS)
    return not before and (not after or bool(_UNIT.fullmatch(after)))


def _is_expression(text: str, found: list[Quantity]) -> bool:
    return len(found) > 1 and bool(_OPERATOR.fullmatch(text[found[0].end : found[1].start]))
