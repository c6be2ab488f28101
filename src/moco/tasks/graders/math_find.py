r"""Where in a reply the final expression stands: the last box or answer line, else the last formula, else the last number.

Invariant: a box is read to its balanced brace (to the end of its line where it never closes), several boxes are one answer only
where nothing but a comma or a conjunction stands between them, and text after the run-on of another question is not read.
"""

from __future__ import annotations

import json
import re

from moco.tasks.graders.base import NOTHING, Found, braced, commitments, readable, without_aside
from moco.tasks.graders.math_text import normal, number, symbols, wordy
from moco.tasks.graders.numeric_read import last_number, read
from moco.tasks.graders.quantities import clean

_BARE_BOX = re.compile(r"\\f?box(?:ed)?\s+([^\s{}$,]+?)(?=[\s$,]|\.?\s|\.?$)")
_MATH = re.compile(
    r"(?<!\\)\$\$(?P<dd>.+?)(?<!\\)\$\$|(?<!\\)\\\[(?P<db>.+?)\\\]|\\\((?P<ip>.+?)\\\)"
    r"|(?<![\\\w])\$(?P<id>(?:\\\$|[^$\n])+?)(?<!\\)\$(?!\d)",
    re.DOTALL,
)
_BETWEEN_BOXES = re.compile(r"[\s$,;.]*(?:\\text\{)?\s*(?:,|and|or)?\s*\}?[\s$]*")
_JOINED = re.compile(r"\s*(?:,?\s*and|,?\s*or|,|;|，|、)\s*")
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{[a-z*]+\}|\\(?:text(?:bf|it|rm)?|mathrm|mbox)\s*\{[^{}]*\}")
_FENCE = re.compile(r"^```(?:json)?\s*|\s*```$")
_CLOSE_TAG = re.compile(r"</\w+>")
_SENTENCE_END = re.compile(r"[.!?](?=\s+[A-Z\\$(]|\s*$|\"\s*[,}])|\n")
_WORD = re.compile(r"(?<!\\)(?<![\\a-zA-Z])[a-zA-Z]{3,}")
_OTHER_SCRIPT = re.compile(r"[\u0400-\u1fff\u3040-\u9fff\uac00-\ud7af]")
_KNOWN_WORD = re.compile(r"(?:sqrt|sin|cos|tan|log|exp|pi|infty|infinity|inf|frac|and|or|mod|binom)\Z", re.IGNORECASE)
_LEAD = re.compile(
    r"[\s*_:\"'`—–]*(?:(?:therefore|thus|simply|equal\s+to|given\s+by|just|approximately|exactly)\s+)*", re.IGNORECASE
)
_QUOTE_END = re.compile(r"\"\s*[,}].*\Z", re.DOTALL)
_ESCAPED = re.compile(r"\\\\(?=[a-zA-Z])")
_CORNERS = re.compile(r"^\s*[「『]([^」』\n]*)[」』][^\n]*")
_TOLD_INSIDE = re.compile(r"^\s*\\text\s*\{[^{}]*(?:\b(?:is|are)|[:=])\s*\}\s*")
_NAME = re.compile(r"[a-zA-Z]")
_PLURAL = re.compile(r"\b(?:are|either)\s*:?\s*\Z", re.IGNORECASE)
_ON_THE_SIDE = re.compile(
    r"\b(?:since|because|where|with\s+(?:a\s+)?remainder|whenever|given|between|modulo|divided\s+by|assuming"
    r"|provided)\b[^.;:]*\Z",
    re.IGNORECASE,
)
_MACRO = re.compile(r"\\(?:text|mathrm)\s*\{[^{}]*\}|\\[a-zA-Z]+")
_PROSE = re.compile(r"(?i:(?!(?:sqrt|sin|cos|tan|log|ln|exp|pi|mod)(?![a-z]))(?<![a-z])[a-z]{2,})|[—–]")
_SYMBOLIC = re.compile(r"[\d\\^]")
_COMPOSED = re.compile(r"[\\^]|sqrt\(|(?<![\w.])\d*[b-hj-z]\s*[-+/]\s*[\d(]|[-+/]\s*\d*[b-hj-z](?!\w)")
_OPERATOR = re.compile(r"[-+*/=<>]|\\[a-z]+")
_LISTED = re.compile(_JOINED.pattern + r"|\s*to\s*")
_RANGE = re.compile(r"\bfrom\s*\Z", re.IGNORECASE)
_CONDITION = re.compile(
    r"\b(?:when|(?<!only\s)if|for\s+(?:all|any|every|each)|attained|reached|achieved|about|approximately|roughly)\b[^.;:]*\Z",
    re.IGNORECASE,
)
_VALUE = re.compile(r"^[a-zA-Z]_\{?\w+\}?\s*=")
_ASSIGNED = re.compile(r"[a-zA-Z](?:_\{?\w+\}?)?\s*=[^=]*\Z")
_PLAIN_LIST = re.compile(
    r"\b(?:roots|solutions|answers|values|zeros|zeroes)\s+(?:\w+\s+){0,3}?are:?\s+(-?[\d./]+(?:(?:\s*,\s*(?:and\s+)?|\s+and\s+"
    r"|\s+or\s+)-?[\d./]*\d)+)",
    re.IGNORECASE,
)
_AT_HEAD = 25
_SAID_BY = re.compile(
    r"(?:=|:|\b(?:is|are|be|get|gives?|has|have|equals?|of|so|thus|hence|therefore|obtain|yields?|answer))\s*\Z", re.IGNORECASE
)


def find(text: str) -> Found:
    """The normal form of the expression a reply ends in, and the rule that found it."""
    body = symbols(readable(text)).strip()
    if not body:
        return NOTHING
    if body[0] in "{`" and (told := _told_in_json(body)) is not None:
        body = f"Answer: {told}"
    if "box" in body:
        body = _BARE_BOX.sub(r"\\boxed{\1}", body)
    for place, rule in commitments(body):
        written = _boxes(body, place) if rule == "box" else _said(body[place : place + 2000])
        key = normal(written) if written else ""
        if key:
            return Found(key, rule)
    line = "" if "\n" in body else body
    if line.replace("\\$", "").count("$") <= 2 and (formula := _formula(line)) is not None:
        return _as_found(formula, "bare")
    spans = list(_MATH.finditer(body))
    joined = _run(body, spans[0]) if spans else ("", 0)
    if spans and not (body[: spans[0].start()] + body[joined[1] :]).strip(" .*\n"):
        return _as_found(joined[0], "bare")
    if not spans and not _is_sentence(line) and (plain := _plain(line)) is not None:
        return _as_found(plain, "bare")
    if spans:
        behind = body[spans[-1].end() :]
        last = last_number(clean(behind))
        if last is not None and not _SAID_BY.search(body[: spans[-1].start()]):
            return Found(normal(last), "last number")
        return _as_found(_final(body, spans), "formula")
    if listed := _PLAIN_LIST.search(body):
        return _as_found(_JOINED.sub(",", listed[1]), "formula")
    if _COMPOSED.search(body) and (written := _in_prose(without_aside(body))):
        return _as_found(written, "formula")
    last = last_number(clean(body))
    return Found(normal(last), "last number") if last else NOTHING


def _as_found(written: str, rule: str) -> Found:
    key = normal(written)
    return Found(key, rule) if key else NOTHING


def _boxes(body: str, place: int) -> str:
    """The box at ``place``, with those right before it that are only joined to it by a comma or a conjunction."""
    start = body.index("{", place)
    written = [_TOLD_INSIDE.sub("", braced(body, start))]
    head = body.rfind("\\", 0, start)
    while head > 0:
        earlier = max(body.rfind(name, 0, head) for name in ("\\boxed{", "\\box{", "\\fbox{"))
        if earlier < 0:
            break
        inner = braced(body, body.index("{", earlier))
        end = body.index("{", earlier) + len(inner) + 2
        gap = body[end:head]
        if len(gap) > 20 or not re.search(r",|and|or", gap) or not _BETWEEN_BOXES.fullmatch(gap):
            break
        written.insert(0, inner)
        head = earlier
    return ",".join(written)


def _final(body: str, spans: list[re.Match[str]]) -> str:
    """The last formula that its sentence does not bring in on the side; with those listed before it, where 'are' says so."""
    i = len(spans) - 1
    while i > 0:
        start = i
        while start > 0 and _LISTED.fullmatch(body, spans[start - 1].end(), spans[start].start()):
            start -= 1
        gap = body[spans[start - 1].end() if start else 0 : spans[start].start()]
        run = [_inside(span) for span in spans[start : i + 1]]
        before = spans[start - 1] if start else None
        aside = bool(_ON_THE_SIDE.search(gap)) or (len(run) == 1 and _NAME.fullmatch(run[0]) is not None)
        if before and _CONDITION.search(gap):  # 'is $7$ when $n = 2$', but '$f(x)$ is least when $x = 2$'
            aside = aside or bool(_SAID_BY.search(body[: before.start()]) or _VALUE.search(_inside(before)))
        if before and "(" in gap and ")" not in gap[gap.rindex("(") :]:
            aside = True
        if len(run) > 1 and _RANGE.search(gap):
            aside = True
        if len(run) > 1 and not aside and (_PLURAL.search(gap) or all(map(_ASSIGNED.match, run))):
            return ",".join(run)
        if not aside or not start or _SENTENCE_END.search(gap):
            break
        i = start - 1
    return _inside(spans[i])


def _is_sentence(line: str) -> bool:
    """Whether LaTeX stands among words: several of them, a dash, or one in front."""
    if "\\" not in line:
        return False
    found = [m.start() for m in _PROSE.finditer(_MACRO.sub(lambda m: "\\" * len(m[0]), line))]
    return len(found) > 1 or (len(found) == 1 and (found[0] == 0 or line[found[0]] in "—–"))


def _in_prose(body: str) -> str:
    """The last run of symbols that stands among words without math delimiters ('so it is 2\\sqrt{3} in all'); '' without one."""
    lines = [line for line in body.split("\n") if "\\" in line or "^" in line or any(c.isdigit() for c in line)]
    run: list[str] = []
    for token in reversed(lines[-1].split()) if lines else ():
        bare = token.strip("*`\"'")
        prose = _PROSE.search(_MACRO.sub("", bare)) is not None
        if prose or bare.endswith((".", ",", ":", ";", "?", "!")):
            if any(_SYMBOLIC.search(one) for one in run):
                break
            run = []
        if not prose:
            run.insert(0, bare)
    while run and not (_SYMBOLIC.search(run[-1]) or (len(run) > 1 and _OPERATOR.fullmatch(run[-2]))):
        run.pop()
    while run and not (_SYMBOLIC.search(run[0]) or (len(run) > 1 and _OPERATOR.fullmatch(run[1]))):
        run.pop(0)
    return " ".join(run).rstrip(".,;:!?") if _COMPOSED.search(" ".join(run)) else ""


def _inside(span: re.Match[str]) -> str:
    return next(group for group in span.groups() if group is not None).strip()


def _run(text: str, span: re.Match[str]) -> tuple[str, int]:
    """A formula with those that follow it as a list, joined by commas; and where they end."""
    written, end = [_inside(span)], span.end()
    while (joint := _JOINED.match(text, end)) and (more := _MATH.match(text, joint.end())):
        written.append(_inside(more))
        end = more.end()
    return ",".join(written), end


def _told_in_json(body: str) -> str | None:
    """The answer field of a reply that is one JSON object, in a fence or not; None for anything else."""
    try:
        given = json.loads(_FENCE.sub("", body))
    except ValueError:
        return None
    fields = {str(name).lower(): value for name, value in given.items()} if isinstance(given, dict) else {}
    told = next(
        (fields[name] for name in ("final_answer", "answer", "final answer", "result", "solution") if name in fields), None
    )
    if isinstance(told, list):
        return ", ".join(map(str, told))
    return None if told is None or isinstance(told, dict) else str(told)


def _said(rest: str) -> str:
    """The expression an answer cue introduces: a formula near its head, else the plain text of its sentence."""
    rest = _CLOSE_TAG.split(rest, maxsplit=1)[0]
    rest = _CORNERS.sub(r"\1", rest)
    lead = _LEAD.match(rest).end()  # type: ignore[union-attr]
    rest = rest[lead:]
    line = _SENTENCE_END.split(rest.lstrip(), maxsplit=1)[0]
    if "$" in line and (whole := _formula(line)) is not None:
        return whole
    span = _MATH.search(rest)
    head = rest[: span.start()] if span else ""
    if (stop := _SENTENCE_END.search(head)) and number(head[: stop.start()].strip()) is not None:
        return head[: stop.start()].strip()
    if span and span.start() <= _AT_HEAD and "\n\n" not in rest[: span.start()].strip():
        if span.start() and _plain(rest[: span.start()].strip()) is not None and number(rest[: span.start()].strip()) is not None:
            return rest[: span.start()].strip()
        return _run(rest, span)[0]
    stop = _SENTENCE_END.search(rest)
    sentence = _QUOTE_END.sub("", rest[: stop.start()] if stop else rest).strip(" \t*_`\"'")
    if sentence.count("}") > sentence.count("{"):
        sentence = sentence.rstrip("} ")
    if "\\begin" not in sentence:
        sentence = _ESCAPED.sub(r"\\", sentence)
    plain = _plain(sentence)
    if plain is not None:
        return plain
    key = read(sentence)
    return key or ""


def _formula(text: str) -> str | None:
    """``text`` without dollar signs, if there are no words in it."""
    if "$" in text and _OTHER_SCRIPT.search(_MATH.sub("", text)):
        return None
    bare = text.replace("\\$", "").replace("$", "").strip().strip("*_`\"'✅✓→👉 ").strip()
    return bare if bare and not _words(bare) and any(c.isalnum() for c in bare) else None


def _words(text: str) -> list[str]:
    """The words of prose in ``text``: neither names of functions nor what stands in a font macro."""
    return [w for w in _WORD.findall(_ENVIRONMENT.sub("", text)) if not _KNOWN_WORD.match(w)]


def _plain(text: str) -> str | None:
    """``text`` if it is an expression without math delimiters, or a few words that may be the answer; None for prose."""
    text = text.strip().strip("*_`\"'").strip().rstrip(".")
    words = _words(text)
    if not words or number(normal(text)) is not None:
        return text or None
    if wordy(text) and len(text.split()) <= 3 and "\n" not in text:
        return text
    return text if "\\" in text and len(words) <= 1 else None
