r"""Where in a reply the final expression stands: the last box or answer line, else the last formula, else the last number.

Invariant: a box is read to its balanced brace (to the end of its line where it never closes), several boxes are one answer only
where nothing but a comma or a conjunction stands between them, and text after the run-on of another question is not read.
"""

from __future__ import annotations

import json
import re

from moco.tasks.graders import numeric
from moco.tasks.graders.base import NOTHING, Found, braced, commitments, visible
from moco.tasks.graders.math_text import normal, number, symbols, wordy
from moco.tasks.graders.quantities import clean

_BARE_BOX = re.compile(r"\\f?box(?:ed)?\s+([^\s{}$,]+?)(?=[\s$,]|\.?\s|\.?$)")
_MATH = re.compile(
    r"(?<!\\)\$\$(?P<dd>.+?)(?<!\\)\$\$|(?<!\\)\\\[(?P<db>.+?)\\\]|\\\((?P<ip>.+?)\\\)"
    r"|(?<![\\\w])\$(?P<id>(?:\\\$|[^$\n])+?)(?<!\\)\$(?!\d)",
    re.DOTALL,
)
_BETWEEN_BOXES = re.compile(r"[\s$,;.]*(?:\\text\{)?\s*(?:,|and|or)?\s*\}?[\s$]*")
_JOINED = re.compile(r"\s*(?:,|;|，|、|,?\s*and|,?\s*or)\s*")
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{[a-z*]+\}|\\(?:text(?:bf|it|rm)?|mathrm|mbox)\s*\{[^{}]*\}")
_FENCE = re.compile(r"^```(?:json)?\s*|\s*```$")
_CLOSE_TAG = re.compile(r"</\w+>")
_SENTENCE_END = re.compile(r"[.!?](?=\s+[A-Z\\$(]|\s*$|\"\s*[,}])|\n")
_WORD = re.compile(r"(?<!\\)(?<![\\a-zA-Z])[a-zA-Z]{3,}")
_KNOWN_WORD = re.compile(r"(?:sqrt|sin|cos|tan|log|exp|pi|infty|infinity|inf|frac|and|or|mod|binom)\Z", re.IGNORECASE)
_LEAD = re.compile(
    r"[\s*_:\"'`—–]*(?:(?:therefore|thus|simply|equal\s+to|given\s+by|just|approximately|exactly)\s+)*", re.IGNORECASE
)
_QUOTE_END = re.compile(r"\"\s*[,}].*\Z", re.DOTALL)
_ESCAPED = re.compile(r"\\\\(?=[a-zA-Z])")
_CORNERS = re.compile(r"^\s*[「『]([^」』\n]*)[」』][^\n]*")
_AT_HEAD = 25
_SAID_BY = re.compile(
    r"(?:=|:|\b(?:is|are|be|get|gives?|has|have|equals?|of|so|thus|hence|therefore|obtain|yields?|answer))\s*\Z", re.IGNORECASE
)


def find(text: str) -> Found:
    """The normal form of the expression a reply ends in, and the rule that found it."""
    body = symbols(visible(text)).strip()
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
    if (formula := _formula(line)) is not None:
        return _as_found(formula, "bare")
    spans = list(_MATH.finditer(body))
    joined = _run(body, spans[0]) if spans else ("", 0)
    if spans and not (body[: spans[0].start()] + body[joined[1] :]).strip(" .*\n"):
        return _as_found(joined[0], "bare")
    if not spans and (plain := _plain(line)) is not None:
        return _as_found(plain, "bare")
    if spans:
        behind = body[spans[-1].end() :]
        last = numeric.last_number(clean(behind))
        if last is not None and not _SAID_BY.search(body[: spans[-1].start()]):
            return Found(normal(last), "last number")
        return _as_found(_inside(spans[-1]), "formula")
    last = numeric.last_number(clean(body))
    return Found(normal(last), "last number") if last else NOTHING


def _as_found(written: str, rule: str) -> Found:
    key = normal(written)
    return Found(key, rule) if key else NOTHING


def _boxes(body: str, place: int) -> str:
    """The box at ``place``, with those right before it that are only joined to it by a comma or a conjunction."""
    start = body.index("{", place)
    written = [braced(body, start)]
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
    key = numeric.read(sentence)
    return key or ""


def _formula(text: str) -> str | None:
    """``text`` without dollar signs, if there are no words in it."""
    bare = text.replace("\\$", "").replace("$", "").strip().strip("*_`\"'").strip()
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
