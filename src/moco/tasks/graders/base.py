"""What a grader returns, and the steps every kind shares: visible text, run-on, answer cues, boxes.

Invariant: these are pure functions of the text; none sees a gold answer, so voting and scoring read a reply alike.
The pipeline is ``strip_think`` -> ``cut_run_on`` -> ``extract`` -> ``normalise`` -> ``compare``; a kind supplies the
last three. Patterns are compiled once, at import.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Grade:
    """A verdict. ``rule`` names the extraction rule that fired; ``parsed`` is False where no answer could be read."""

    score: float
    extracted: str | None
    rule: str
    parsed: bool
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """What an extractor found: the canonical key, None if there is none, and the rule that fired."""

    key: str | None
    rule: str


NOTHING = Found(None, "none")

_THINK = re.compile(r"<(/?)(?:think|thinking|thought|reasoning)>|<\|(begin|end)_of_thought\|>|(\[/?THINK\])", re.IGNORECASE)
_RUN_ON = re.compile(
    r"\n[ \t#*]*(?:question|problem|exercise|q|input|user|human|instruction)[ \t]*\d*[*]*[ \t]*[:：]"
    r"|<\|(?:im_end|endoftext|eot_id|end)\|>|\n<\|(?:user|im_start)\|>",
    re.IGNORECASE,
)


def strip_think(text: str) -> str:
    """The visible answer: thinking blocks removed.

    A closing tag without an opening one ends a block the chat template opened. An unclosed block leaves nothing:
    the model never began to answer.
    """
    if "<" not in text and "[" not in text:
        return text
    kept: list[str] = []
    depth = start = 0
    for m in _THINK.finditer(text):
        closing = m[1] == "/" or (m[2] or "").lower() == "end" or (m[3] or "").startswith("[/")
        if not closing:
            if depth == 0:
                kept.append(text[start : m.start()])
            depth += 1
        else:
            if depth == 0:
                kept.clear()
            depth = max(0, depth - 1)
            start = m.end()
    if depth:
        return ""
    return "".join(kept) + text[start:]


def cut_run_on(text: str) -> str:
    """``text`` up to where a base model starts the next question of its own; the first words always stay."""
    for m in _RUN_ON.finditer(text):
        head = text[: m.start()].rstrip()
        if head.strip() and not head.endswith((":", "：")):
            return head
    return text


def visible(text: str) -> str:
    """The part of a reply that is graded."""
    return cut_run_on(strip_think(text))


_SUPER_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_SUPER_RUN = re.compile(r"[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_VULGAR = re.compile(r"(?<=\d)(?=[\u00bc-\u00be\u2150-\u215e])")
_DASHES = str.maketrans({**dict.fromkeys("−﹣－‒–﹘", "-"), "⁄": "/", "∕": "/", "×": "x", "。": ".", "٫": ".", "٬": ","})


def fold(text: str) -> str:
    """Compatibility forms, digits of every script, minus signs and superscripts folded to ASCII."""
    if text.isascii():
        return text
    text = _SUPER_RUN.sub(lambda m: "^" + m[0].translate(_SUPER_DIGITS), text)
    text = unicodedata.normalize("NFKC", _VULGAR.sub(" ", text.translate(_DASHES))).translate(_DASHES)
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() and not c.isascii() else c for c in text)


CUE = re.compile(
    r"""(?:(?<!\w)(?:answers?|ans\.?|solution|r[eé]ponse|respuesta|risposta|resposta|antwort|l[oö]sung|ответ|jawaban|cevap|odpowied[zź]
        |đáp\s+án|उत्तर|উত্তর|jibu|antwoord|svar)|الجواب|الإجابة|答案|回答|正解|答え|정답|답)
        ["'”»*_)\]]*
        (?:\s+(?:choice|option|letter|label|number|correct[ae]?|richtige|final[e]?|corretta|juste|finale|الصحيحة)){0,2}
        ["'*_]*(?:,?\s+(?:here|then|therefore|thus|hence|we\s+want|overall|i\s+(?:choose|give|pick))\b,?){0,2}\s*
        (?::+=?|=+>?|->|→|(?<=[ ])[-–—](?=[ ])|[*_#]*[ \t]*\n
          |(?:is|are|was|would\s+be|should\s+be|must\s+be|will\s+be|has\s+to\s+be|es|est|è|é|ist|lautet|adalah|to\s+be|هي|هو|है|是|为|為|は|는|은)(?:(?<=[^\x00-\u02ff])|(?![A-Za-z]))
            (?:\s+(?:clearly|therefore|thus|then|definitely|indeed|most\s+likely|probably|simply|obviously|just))?
            \s*:?)""",
    re.IGNORECASE | re.VERBOSE,
)
"""An explicit answer: 'Answer:', 'the correct answer is', and their sisters; what follows the match is the answer."""

_MOST, _LONGEST = 40, 2000
"""How many commitments are tried and how long one may be: keeps a degenerate reply from costing quadratic time."""

TAG = re.compile(r"<(?:final_)?answer>|\\f?box(?:ed)?\s*(?=\{)|####+", re.IGNORECASE)
_TEXT_MACRO = re.compile(r"\\(?:text|mathrm|mathbf|textbf|mathsf|mbox|textit|bf|rm)\s*\{([^{}]*)\}")


def unwrap(text: str) -> str:
    r"""``\text{B}`` -> ``B``: font macros say nothing."""
    return _TEXT_MACRO.sub(r"\1", text) if "\\" in text else text


def commitments(text: str) -> Iterator[tuple[int, str]]:
    """Places where an explicit answer begins, last first, with the rule that names the sort."""
    places = [(m.end(), "answer") for m in CUE.finditer(text)]
    if "<" in text or "\\" in text or "####" in text:
        for m in TAG.finditer(text):
            places.append((m.end(), "box" if m[0][0] == "\\" else "hashes" if m[0][0] == "#" else "tag"))
        places.sort()
    return reversed(places[-_MOST:])


def braced(text: str, start: int) -> str:
    """The content of the balanced braces that open at ``start``; to the end of the line where they never close."""
    depth = 0
    for i in range(start, min(len(text), start + _LONGEST)):
        if text[i] == "{":
            depth += 1
        elif text[i] == "}":
            depth -= 1
            if depth == 0:
                return text[start + 1 : i]
    return text[start + 1 : start + _LONGEST].split("\n", 1)[0]
