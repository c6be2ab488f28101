r"""Mathematical expressions as text: the normal form of LaTeX, and where in a reply the final expression stands.

Invariant: normalising is idempotent; it takes away dress (spacing, font, units, degree and currency signs, brackets that only
group) and never a sign, a digit, an exponent or a subscript. Sources of the steps: the string rules of Hendrycks et al.
(arXiv:2103.03874) and Minerva (arXiv:2206.14858), written anew.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from moco.tasks.graders.base import fold
from moco.tasks.graders.quantities import QUANTITY, clean, quantities, value_of

_SYMBOLS = {
    "×": r"\times ", "÷": "/", "·": r"\cdot ", "π": r"\pi ", "∞": r"\infty ", "≤": r"\leq ", "≥": r"\geq ", "≠": r"\neq ",
    "∪": r"\cup ", "∩": r"\cap ", "∅": r"\emptyset ", "±": r"\pm ", "∈": r"\in ", "θ": r"\theta ",
    "°": r"^\circ ", "√": r"\sqrt ",    "≈": r"\approx ", "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}",
}  # fmt: skip
_SYMBOL = re.compile("[" + "".join(_SYMBOLS) + "]")
_PI = re.compile(r"(?<=\d)pi(?![a-zA-Z])")
_ROOT = re.compile(r"\\sqrt \(([^()]*)\)|\\sqrt ([A-Za-z0-9.]+)")
_SPACING = re.compile(
    r"(?<!\\)\\[!,;:> ]|\\q?quad\b|\\hspace\{[^{}]*\}|~|\\(?:displaystyle|limits|textstyle|boldsymbol)\b|&nbsp;"
)
_SIZES = re.compile(r"\\(?:left|right|[bB]igg?[lrm]?)(?![a-zA-Z])")
_FRAC_LOOSE = re.compile(r"\\frac(?:(\d|[a-zA-Z])|(\{(?:[^{}]|\{[^{}]*\})*\}))\s*(?:(\d|[a-zA-Z])|(\{(?:[^{}]|\{[^{}]*\})*\}))")
_SQRT_LOOSE = re.compile(r"\\sqrt\s*(\d|[a-zA-Z])")
_DEGREES = re.compile(r"\^\s*\{?\s*\\(?:circ|degree)\s*\}?|\\degree\b|\\circ\b(?=\s*$)")
_TRIGONOMETRIC = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)")
_IN_DEGREES = re.compile(r"(\d+(?:\.\d+)?)\s*\^\s*\{?\s*\\(?:circ|degree)\s*\}?")
_LONE_COMMA = re.compile(r"\{\s*,\s*\}")
_INSIDE = r"\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}"
"""What braces hold, up to two pairs deep inside."""
_FONT = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt|normal)?|mathrm|mathbf|mathsf|mathit|mbox|hbox|operatorname\*?|rm|bf)\s*" + _INSIDE
)
_UNIT_MACRO = re.compile(
    r"(?<=[\d)}%.a-zA-Z])\s*\\(?:text(?:bf|it|rm)?|mathrm|mbox|rm|hbox)\s*\{\s*~?\s*[^{}]*\}(?:\s*\^\s*\{?[23]\}?)?\s*\.?$"
)
_JOINT_MACRO = re.compile(
    r"\s*\\(?:text|mbox|mathrm)\s*\{[\s,]*(?:and|or)\s*\}\s*|(?<=[\d)}\]])\s*,?\s+(?:and|or)\s+(?=[-\d(\\\[a-z])"
)
_UNITS = (
    "degrees?|dollars?|cents?|euros?|pounds?|percent|units?|inch(?:es)?|in|feet|foot|ft|yards?|miles?|mph|cm|mm|km|m|kg|g|mg|lbs?|oz|ml|l|lit(?:er|re)s?"
    "|met(?:er|re)s?|seconds?|sec|s|minutes?|min|hours?|hrs?|h|days?|weeks?|months?|years?|people|students?|ways?|times?|sq(?:uare)?|cubic"
)
_UNIT_WORDS = re.compile(
    rf"(?<=[\d)}}%])\s*(?:(?:{_UNITS}|[a-z]{{4,}})(?:\s*\^\s*\{{?[23]\}}?)?(?:\s+|\s*/\s*|\.)?)+$", re.IGNORECASE
)
_FUNCTION = re.compile(
    r"\b(?:sqrt|sinh?|cosh?|tanh?|log|ln|exp|pi|infty|infinity|binom|frac|cup|cap|mod|and|or)\b", re.IGNORECASE
)
_SCIENTIFIC = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)[eE]([-+]?\d+)(?!\w)")
_LETTER_GROUP = re.compile(r"[(\[{]\s*([A-Za-z])\s*[)\]}]")
_SINGLE = re.compile(r"([\^_])\{([^{}\\])\}")
_REPEATING = re.compile(r"(?<![\w.])(\d{0,30})\.(\d{0,30})\\overline\{(\d{1,30})\}")
_MEMBER = re.compile(r"^[a-zA-Z]\s*\\in\s*(?![a-z])")
_PLAIN_FRACTION = re.compile(r"(?<![\w.)}\]/])(-?\d+)/(\d+)(?![\w./])")
_EMPTY = frozenset(
    {r"\emptyset", r"\varnothing", "nosolution", "nosolutions", "norealsolution", "norealsolutions", r"\{\}", "emptyset"}
)


def symbols(text: str) -> str:
    """Characters that have a LaTeX name written by it, then everything else folded to ASCII where it can be."""
    if "pi" in text:
        text = _PI.sub(r"\\pi ", text)
    if text.isascii():
        return text
    text = _SYMBOL.sub(lambda m: _SYMBOLS[m[0]], text)
    return fold(_ROOT.sub(lambda m: rf"\sqrt{{{m[1] or m[2]}}}", text))


@lru_cache(maxsize=8192)
def normal(text: str) -> str:
    """The normal form of one expression: the key of a math answer. Numbers have one form, words keep their blanks."""
    for _ in range(5):  # what one pass bares (a blank gone, a macro opened) the next one reads
        before, text = text, _once(text)
        if before == text:
            break
    return text


def _once(text: str) -> str:
    text = _dressed_down(symbols(text))
    for _ in range(3):  # unwrapping one layer may bare the next: a unit behind a font macro, a full stop behind a unit
        before, text = text, _dressed_down(text)
        if before == text:
            break
    value = number(text)
    if value is not None:
        found = QUANTITY.fullmatch(clean(text))
        keys = quantities(clean(text)) if found else []
        return keys[0].key or text if keys else text
    if wordy(text):
        return r"\emptyset" if "".join(text.lower().split()) in _EMPTY else " ".join(text.casefold().split())
    packed = "".join(text.split())
    return r"\emptyset" if packed.lower() in _EMPTY else packed


def _dressed_down(text: str) -> str:
    text = (
        text.strip()
        .replace("\\$", "")
        .replace("$", "")
        .replace("\\(", "")
        .replace("\\)", "")
        .replace("\\[", "")
        .replace("\\]", "")
    )
    text = _SIZES.sub("", _SPACING.sub(" ", _LONE_COMMA.sub(",", text.replace("\\%", "%")).replace(",\\!", ",")))
    text = text.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac").replace("\\cfrac", "\\frac")
    text = text.replace("\\le ", "\\leq ").replace("\\ge ", "\\geq ").replace("\\lbrace", "\\{").replace("\\rbrace", "\\}")
    text = text.replace("\\varnothing", "\\emptyset").replace("\\cdots", "\\ldots").replace("\\lt", "<").replace("\\gt", ">")
    text = text.replace(";", ",") if "\\begin" not in text else text
    text = _DEGREES.sub("", text) if not _TRIGONOMETRIC.search(text) else _IN_DEGREES.sub(r"\\frac{\1\\pi}{180}", text)
    text = _JOINT_MACRO.sub(",", text)
    text = _UNIT_MACRO.sub("", text)
    text = _FONT.sub(r"\1", text).strip().rstrip(".,;: ").strip()
    unit = _UNIT_WORDS.search(text)
    if unit and not _FUNCTION.search(unit[0]):
        text = text[: unit.start()].strip()
    text = _FRAC_LOOSE.sub(_fraction, re.sub(r"\\frac\s+", r"\\frac", text))
    text = _SQRT_LOOSE.sub(r"\\sqrt{\1}", text)
    text = _SINGLE.sub(r"\1\2", text)
    text = _SCIENTIFIC.sub(r"\1\\times10^{\2}", text) if number(text) is None else text
    text = _PLAIN_FRACTION.sub(r"\\frac{\1}{\2}", text) if number(text) is None else text
    text = _REPEATING.sub(_repeated, _MEMBER.sub("", text))
    letter = _LETTER_GROUP.fullmatch(text)
    if letter:
        return letter[1]
    while len(text) > 1 and text[0] == "{" and _closing(text, 0) == len(text) - 1:
        text = text[1:-1].strip()
    if len(text) > 1 and text[0] == "(" and _closing(text, 0) == len(text) - 1 and len(split_top(text[1:-1])) == 1:
        text = text[1:-1].strip()
    return text


def _repeated(m: re.Match[str]) -> str:
    r"""``0.1\overline{6}`` as the fraction it is."""
    whole, fixed, period = m[1] or "0", m[2], m[3]
    under = int("9" * len(period) + "0" * len(fixed))
    over = int(whole + fixed + period) - int(whole + fixed)
    return rf"\frac{{{over}}}{{{under}}}"


def _fraction(m: re.Match[str]) -> str:
    over, under = (m[1] or m[2][1:-1]), (m[3] or m[4][1:-1])
    return rf"\frac{{{over}}}{{{under}}}"


def number(text: str) -> Fraction | None:
    """The value of an expression that is one number; commas group thousands and nothing else. None for any other."""
    plain = clean(text.strip())
    if "_" in plain or ("," in plain and not re.fullmatch(r"[-+$]?\d{1,3}(?:,\d{3})+(?:\.\d+)?%?", plain)):
        return None
    found = QUANTITY.fullmatch(plain)
    if found is None or found["list"] or found["time"] or found["scale"]:
        return None
    keys = quantities(plain)
    return value_of(keys[0].key) if len(keys) == 1 and keys[0].key is not None else None


def wordy(text: str) -> bool:
    """Whether an expression is words: a name, 'even', 'no solution'; short runs of letters may be a product."""
    letters = [c for c in text if c.isalpha()]
    return len(letters) > 3 and "\\" not in text and all(c.isalpha() or c in " '-." for c in text) and not _FUNCTION.search(text)


def _closing(text: str, start: int) -> int:
    """The place where the bracket at ``start`` closes (any bracket closes any), -1 if it never does."""
    depth = 0
    for i in range(start, len(text)):
        if text[i] in "([{":
            depth += 1
        elif text[i] in ")]}":
            depth -= 1
            if depth == 0:
                return i
    return -1


def split_top(text: str, sep: str = ",") -> list[str]:
    """``text`` cut at ``sep`` where it stands inside no bracket."""
    parts, depth, start, i = [], 0, 0, 0
    while i < len(text):
        if text[i] in "([{":
            depth += 1
        elif text[i] in ")]}":
            depth -= 1
        elif depth == 0 and text.startswith(sep, i):
            parts.append(text[start:i])
            i += len(sep)
            start = i
            continue
        i += 1
    return [*parts, text[start:]]
