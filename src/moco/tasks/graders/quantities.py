"""Reading quantities out of text: numbers, fractions, percentages, powers, times and lists, as exact values.

Invariant: values are exact (``Fraction`` of decimal digits, never floats), so a sign, a decimal point or an exponent
that differs is a different key; equal values written differently have one key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from moco.tasks.graders.base import unwrap

_CLEAN = re.compile(r"\\[!,;:]|\{,\}|\\left|\\right|\\displaystyle|\\(?=[$%#&])|~")
_FRAC = re.compile(r"(\d)?\s*\\[dtc]?frac\s*\{\s*(-?[\d.,]+)\s*\}\s*\{\s*([\d.,]+)\s*\}")
_FRAC_SHORT = re.compile(r"(\d)?\\[dtc]?frac\s*(\d)\s*(\d)")
_TIMES = re.compile(r"\\(?:times|cdot)(?![a-zA-Z])")
_POWER_BRACES = re.compile(r"\^\s*\{\s*([-+]?\d+)\s*\}")
_DIGITS = r"\d[\d.,'\u2019]*(?<=\d)|\.\d+"
_GROUPED = re.compile(r"(?<![\d.,])([1-9]\d{0,2})((?:[ \u00a0\u2009\u202f]\d{3})+)(?!\d|[ ]\d)")

QUANTITY = re.compile(
    rf"""(?P<list>[\[({{]\s*[-+$]?(?:{_DIGITS})(?:\s*[,;]\s*[-+$]?(?:{_DIGITS})|/\d+|%)+\s*[\])}}])
    |(?P<time>(?<![\w:.])\d+:\d+(?::\d+)?(?!\w|:\d))(?P<half>\s*[ap]\.?\s?m\b\.?)?
    |(?<![A-Za-z_\d])
     (?P<sign>(?<![\d)\]}}])[-+](?=[$€£¥₹\s]{{0,2}}[\d.]))?[ ]?[$€£¥₹]?[ ]?(?P<minus>(?<=[$€£¥₹])-)?
     (?:(?P<whole>\d+)\s+(?=\d+\s*/\s*\d+(?![\d/])))?
     (?<!\^)(?P<body>{_DIGITS})
     (?:(?P<e>[eE][-+]?\d+)(?![^\W_])|\s*(?:[x*·]|\bby)\s*10\s*(?:\^|\*\*)\s*\(?(?P<ten>[-+]?\d+)\)?
        |(?:\s*\^|\s+\*\*(?=\s)|\*\*(?=[-(\d]))\s*\(?(?P<power>[-+]?\d+)\)?)?
     (?:\s*/\s*(?P<den>{_DIGITS})(?!\s*/\s*\d))?
     (?:\s*(?P<percent>%|\bpercent\b|\bper\s+cent\b|\bpct\b|\bProzent\b|\bpor\s+ciento\b|\bpour\s+cent\b)
        |\s*(?P<scale>thousand|million|billion|trillion)\b)?""",
    re.VERBOSE | re.IGNORECASE,
)
_SCALES = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_PLAIN = re.compile(r"\d+(?:\.\d+)?|\.\d+")
_SIMPLE = re.compile(r"0*(\d{1,40})(?:\.(\d{0,40}[1-9])?0*)?")
_THOUSANDS = re.compile(
    r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?|[1-9]\d?(?:,\d{2})+,\d{3}(?:\.\d+)?"
    r"|[1-9]\d{0,2}(?:['\u2019]\d{3})+(?:\.\d+)?"
)
_CONTINENTAL = re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+,\d+|[1-9]\d{0,2}(?:\.\d{3}){2,}|\d+,\d+")
_UNITS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = (
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_WORDS = {word: n for n, word in enumerate(("zero", *_UNITS, *_TEENS))} | {word: 10 * n for n, word in enumerate(_TENS, 2)}
_WORD = re.compile(
    rf"(?<!\w)(minus |negative )?({'|'.join(sorted(_WORDS, key=len, reverse=True))})(?:[- ]({'|'.join(_UNITS)}))?(?!\w)",
    re.IGNORECASE,
)
_HUNDRED = {"hundred": 100, "thousand": 1000, "million": 10**6}
_HUNDREDS = re.compile(r"\s+(hundred|thousand|million)\b(?:\s+and\b)?\s*", re.IGNORECASE)
_NEGATIVE = re.compile(r"(?<![\d)\]}]\s)(?<![\w$])(?:minus|negative)\s+\d?$", re.IGNORECASE)
_MAX_EXPONENT = 400


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity at ``text[start:end]``; ``key`` is None where the digits make no number (a date, a version)."""

    key: str | None
    start: int
    end: int


def clean(text: str) -> str:
    """LaTeX spacing, fractions, escapes and digit groups in plain form."""
    if "\\" in text or "{,}" in text:
        text = _CLEAN.sub("", unwrap(text))
        text = _FRAC.sub(_plain_fraction, text)
        text = _FRAC_SHORT.sub(_plain_fraction, text)
        text = _TIMES.sub("x", text)
    if "^" in text:
        text = _POWER_BRACES.sub(r"^\1", text)
    return _GROUPED.sub(lambda m: m[1] + "".join(m[2].split()), text) if "0" in text or " " in text else text


def _plain_fraction(m: re.Match[str]) -> str:
    return (m[1] + " " if m[1] else "") + f"{m[2]}/{m[3]}"


def quantities(text: str) -> list[Quantity]:
    """Every quantity in cleaned ``text``, in order."""
    return [Quantity(_key(m), m.start(), m.end()) for m in QUANTITY.finditer(text)]


def word_number(text: str) -> str | None:
    """The key of a number written in words ('forty-two', 'three hundred'), the last one; None if there is none or it goes on."""
    every = list(_WORD.finditer(text))
    if not every:
        return None
    found = every[-1]
    value = _small(found)
    scale = _HUNDREDS.match(text, found.end())
    if scale:
        return None if _WORD.match(text, scale.end()) else str((-value if found[1] else value) * _HUNDRED[scale[1].lower()])
    if _HUNDREDS.search(text, max(0, found.start() - 14), found.start()):
        return None
    return str(-value if found[1] else value)


def _small(found: re.Match[str]) -> int:
    value = _WORDS[found[2].lower()]
    return value + _WORDS[found[3].lower()] if found[3] and value >= 20 else value


def _key(m: re.Match[str]) -> str | None:
    if m["list"]:
        return _list_key(m["list"])
    if m["time"]:
        half = (m["half"] or "").replace(".", "").replace(" ", "").lower()
        return f"{m['time']} {half}".strip()
    if m.lastgroup == "body" and not m["whole"] and (simple := _SIMPLE.fullmatch(m["body"])):
        negative = m["sign"] == "-" or m["minus"] or _NEGATIVE.search(m.string, max(0, m.start() - 20), m.start() + 1)
        digits = simple[1] + ("." + simple[2] if simple[2] else "")
        return "-" + digits if negative and digits != "0" else digits
    value = _decimal(m["body"])
    if value is None:
        return None
    exponent = int(m["e"][1:] if m["e"] else m["ten"] or 0) + _SCALES.get((m["scale"] or "").lower(), 0)
    power = int(m["power"] or 1)
    if abs(exponent) > _MAX_EXPONENT or (abs(power) > _MAX_EXPONENT):
        return m[0].strip().lower()
    if power != 1:
        if (value == 0 and power < 0) or value.denominator > 10**6 or value.numerator > 10**6:
            return None
        value = value**power
    value *= Fraction(10) ** exponent
    if m["den"]:
        divisor = _decimal(m["den"])
        if not divisor:
            return None
        value /= divisor
    if m["whole"]:
        value += int(m["whole"])
    if m["sign"] == "-" or m["minus"] or _NEGATIVE.search(m.string, max(0, m.start() - 20), m.start() + 1):
        value = -value
    return written(value) + ("%" if m["percent"] else "")


def _decimal(digits: str) -> Fraction | None:
    """The value of a run of digits and separators; None where the grouping makes no sense."""
    if len(digits) > 2 * _MAX_EXPONENT:
        return None
    if _PLAIN.fullmatch(digits):
        return Fraction(digits if digits[0] != "." else "0" + digits)
    if _THOUSANDS.fullmatch(digits):
        return Fraction(re.sub("[,'\u2019]", "", digits))
    if _CONTINENTAL.fullmatch(digits):
        return Fraction(digits.replace(".", "").replace(",", "."))
    return None


def _list_key(text: str) -> str | None:
    """Brackets of square or curly make a set-like list (sorted, as TheoremQA compares), round ones an ordered tuple."""
    inner = text[1:-1].replace(";", ",")
    pieces = inner.split(", ") if ", " in inner else inner.split(",")
    keys = []
    for piece in pieces:
        found = QUANTITY.fullmatch(piece.strip())
        if found is None or found["list"] or (key := _key(found)) is None:
            return None
        keys.append(key)
    if text[0] == "(":
        return keys[0] if len(keys) == 1 else "(" + ", ".join(keys) + ")"
    return "[" + ", ".join(sorted(keys, key=lambda k: (value_of(k) or Fraction(0), k))) + "]"


def written(value: Fraction) -> str:
    """The one way a value is written: an integer, a finite decimal, else a reduced fraction."""
    denominator, twos, fives = value.denominator, 0, 0
    while denominator % 2 == 0:
        denominator, twos = denominator // 2, twos + 1
    while denominator % 5 == 0:
        denominator, fives = denominator // 5, fives + 1
    if denominator != 1:
        return f"{value.numerator}/{value.denominator}"
    places = max(twos, fives)
    if places == 0:
        return str(value.numerator)
    digits = str(abs(value.numerator) * (10**places // value.denominator)).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def value_of(key: str) -> Fraction | None:
    """The value of a single number's key (a percent sign is left aside); None for lists and times."""
    try:
        return Fraction(key.rstrip("%"))
    except (ValueError, ZeroDivisionError):
        return None
