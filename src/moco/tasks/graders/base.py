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

EXPLICIT = frozenset({"answer", "box", "tag", "hashes", "bare", "fence"})
"""The rules by which an answer counts in the strict reading: it stood in a form that was asked for (an answer line or JSON
field, a box, a tag, behind ####, a code fence), or the reply was nothing but the answer (``bare``)."""


def strict_score(score: float, rule: str) -> float:
    """The strict reading of a stored verdict: its score where the answer stood in an explicit form, else 0."""
    return score if rule in EXPLICIT else 0.0


@dataclass(frozen=True, slots=True)
class Grade:
    """A verdict. ``rule`` names the extraction rule that fired; ``parsed`` is False where no answer could be read.

    ``score`` is the flexible reading (an answer counts wherever it stands), ``strict`` the strict one.
    """

    score: float
    extracted: str | None
    rule: str
    parsed: bool
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def explicit(self) -> bool:
        """Whether the answer stood in a form that was asked for, or was all of the reply."""
        return self.rule in EXPLICIT

    @property
    def strict(self) -> float:
        """The score if the answer stood in an explicit form, else 0: a function of ``score`` and ``rule`` alone."""
        return strict_score(self.score, self.rule)


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


_ANSWER_ROW = re.compile(r"(?im)^[ \t]*\|[ \t*_]*((?:[\w ]+ )?answer)[ \t*_]*\|[ \t]*([^|\n]+?)[ \t]*\|[ \t]*$")


_ROLE = re.compile(r"\A\s*(?:\[/INST\]|<\|assistant\|>|assistant\s*:)\s*", re.IGNORECASE)
"""What a model without its chat template may begin with."""
_JAPANESE = re.compile(r"(?m)(正解|答え|解答|回答)は[ \t]*(.+?)(?:です|である|だ)[。.]?[ \t]*$")


def plain_lines(text: str) -> str:
    """Answers in a table's row (`| final answer | 7 |`) or before a Japanese copula (正解は7です) as answer lines."""
    if "|" in text:
        text = _ANSWER_ROW.sub(r"\1: \2", text)
    return text if text.isascii() else _JAPANESE.sub(r"\1: \2", text)


def visible(text: str) -> str:
    """The part of a reply that is graded."""
    return plain_lines(cut_run_on(_ROLE.sub("", strip_think(text), count=1)))


_HTML = re.compile(r"</?(br|p|div|li|ul|ol|i|em|u|span|code|mark|h[1-6])(?:\s[^<>]*)?/?>", re.IGNORECASE)
_BOLD_TAG = re.compile(r"</?(?:b|strong)>", re.IGNORECASE)


def readable(text: str) -> str:
    """The visible part without HTML, as a reader sees it: what rules read. Models that judge get ``visible``."""
    text = visible(text)
    if "<" not in text:
        return text
    return _BOLD_TAG.sub("**", _HTML.sub(lambda m: "\n" if m[1].lower() in ("br", "p", "div", "li") else "", text))


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
    r"""(?:(?<![^\W_])(?:answers?|ans\.?|solution|r[eé]ponse|respuesta|risposta|resposta|antwort|l[oö]sung|ответ|jawaban|cevap
    |odpowied[zź]
        |đáp\s+án|उत्तर|উত্তর|jibu|antwoord|svar|vastaus|r[aă]spuns|v[aá]lasz|απάντηση|பதில்|సమాధానం)
            |(?<!\w)(?:final|my)\s+(?:response|verdict|decision|conclusion|result)(?!\w)|الجواب|الإجابة|答案|回答|正解|答え|정답|답
            |ค\u0e4d\u0e32ตอบ)
        ["'”»*_)\]]*
        (?:\s+(?:choice|option|letter|label|number|correct[ae]?|richtige|final[e]?|corr?ett?a|esatta|giusta|exact[ae]|exata
        |juste|finale|الصحيحة)){0,2}
        ["'*_]*(?:,?\s+(?:here|then|therefore|thus|hence|we\s+want|overall|i\s+(?:choose|give|pick))\b,?){0,2}
        (?:\s+(?:(?:that|which)\s+)?(?:i|we|you|one)(?:['’][a-z]+)?(?:\s+(?!(?:not|if|whether|or|but|is|are|was
        |were)\b)[a-z]+){1,6}?(?=\s+(?:is|are)\b)
          |(?:[ \t]+(?!(?:not|is|are|was|were|be|been|must|would|should|will|could|may|might|has)\b)[a-z]+){1,3}(?=\s?:))?\s*
        (?:[:：]+=?|=+>?|->|→|⇒|(?:(?<=[ ])|(?<=ans)|(?<=answer))[-–—](?=[ ])|[*_#]*[ \t]*\n
          |(?:is|are|was|would\s+be|should\s+be|must\s+be|will\s+be|has\s+to\s+be|es|est|è|é|ist|lautet|adalah|to\s+be|là
          |to(?=:)|هي|هو|है|是|为|為|は|는|은|คือ)(?:(?<=[^\x00-\u02ff])|(?![A-Za-z]))
            (?:\s+(?:clearly|therefore|thus|then|definitely|indeed|(?:most\s+)?likely|probably|simply|obviously|just|actually
            |really|certainly|surely|still|also|now
              |undoubtedly|apparently|evidently|presumably|ultimately|precisely))?
            \s*:?)""",
    re.IGNORECASE | re.VERBOSE,
)
"""An explicit answer: 'Answer:', 'the correct answer is', and their sisters; what follows the match is the answer."""

_CLOSING = re.compile(
    r"(?:\A|\n)[ \t*_#]*(?:result|conclusion|final|verdict|summary|tl;?dr|bottom\s+line|in\s+(?:short|brief|summary))"
    r"[ \t*_]*(?:[:：][ \t*_]*|\n\s*)(?=\S[^\n]*\s*\Z)",
    re.IGNORECASE,
)
"""A last line that is announced ('Result: 7'): further up, such a line may be a step on the way."""
_SOMEBODYS = re.compile(
    r"(?:\b(?:previous|earlier|initial|original|former|old|your|his|her|their|other|others|wrong|incorrect|common|tempting"
    r"|na[iï]ve|candidate|possible)"
    r"|\b(?:agent|model|student|expert|user|assistant)s?(?:\s+\w{1,2})?['’]s?)\s+(?:\w+\s+)?\Z",
    re.IGNORECASE,
)
"""An answer that is not, or not any more, the one of this reply."""
_BELOW = re.compile(r"[:：\s*_]*\n\s*")
_MOST, _LONGEST = 40, 2000
"""How many commitments are tried and how long one may be: keeps a degenerate reply from costing quadratic time."""

TAG = re.compile(r"<(?:final_?)?(?:answer|choice|option|label|ans|verdict)>|<final>|\\f?box(?:ed)?\s*(?=\{)|####+", re.IGNORECASE)
_TEXT_MACRO = re.compile(r"\\(?:text|mathrm|mathbf|textbf|mathsf|mbox|textit|bf|rm)\s*\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}")


def unwrap(text: str) -> str:
    r"""``\text{B}`` -> ``B``: font macros say nothing."""
    return _TEXT_MACRO.sub(r"\1", text) if "\\" in text else text


def commitments(text: str) -> Iterator[tuple[int, str]]:
    """Places where an explicit answer begins, last first, with the rule that names the sort."""
    places = [
        (m.end(), "answer")
        for m in CUE.finditer(text)
        if not _opens_working(text, m) and not _SOMEBODYS.search(text, max(0, m.start() - 30), m.start())
    ]
    if closing := _CLOSING.search(text):
        places = sorted({*places, (closing.end(), "answer")})
    if "<" in text or "\\" in text or "####" in text:
        for m in TAG.finditer(text):
            rule = "box" if m[0][0] == "\\" else "hashes" if m[0][0] == "#" else "tag"
            if rule == "box" and places:  # words inside a box are part of what it holds
                end = m.end() + len(braced(text, m.end()))
                places = [place for place in places if not m.end() < place[0] <= end]
            places.append((m.end(), rule))
        places.sort()
    return reversed(places[-_MOST:])


_ASIDE = re.compile(
    r"(?:(?<=\n)|(?<=[.!?]\s))[ \t*_>#(-]*(?:note|check(?:ing)?|verif(?:y|ying|ication)"
    r"|(?:to|let\s+(?:me|us)|let['’]s|we\s+can)\s+(?:double[- ]?)?(?:check|verify)"
    r"|double[- ]?check|remember|(?:i\s+)?hope|let\s+me\s+know"
    r"|for\s+(?:reference|comparison)|feel\s+free|as\s+a\s+check|sanity\s+check|explanation|recall)\b",
    re.IGNORECASE,
)
_CONCLUDES = re.compile(r"\b(?:so|thus|hence|therefore|answer|result|total|altogether|final)\b", re.IGNORECASE)


def without_aside(text: str) -> str:
    """``text`` up to a check or a remark at its end ('Note:', 'To verify') that concludes nothing."""
    for m in _ASIDE.finditer(text):
        if not _CONCLUDES.search(text, m.end()):
            return text[: m.start()]
    return text


def _opens_working(text: str, cue: re.Match[str]) -> bool:
    """Whether a heading 'Solution' stands above several lines, which are then the way to the answer and not the answer."""
    if "olution" not in cue[0].lower():
        return False
    below = _BELOW.match(text, cue.end() - 1)
    return below is not None and text.find("\n", below.end()) >= 0


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
