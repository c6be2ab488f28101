"""The grader of the released MoCo code as a reading of its own: to see how much of a gain is wording, never to score with.

Its behaviour is rebuilt from what it was observed to answer, faults included: option letters are recognised by prefix, option
texts anywhere in the reply and in the options' order, the first "answer" wins, a box ends at its first brace, punctuation and
articles do not count, aliases are cut at commas. ``same`` results as the observations, on all of those there are; nothing
else in moco uses it. Keys are letters by position, whatever the item's labels are: there "1" and "id" can never be right.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

from moco.core.types import AnswerSpec
from moco.tasks.graders.base import Grade

_BOX = re.compile(r"\\box(?:ed)?\s*(?:\{(.*?)\}|(\S+))", re.DOTALL)
_ANSWER = re.compile(r"answer\s*(?:is)?\s*[:-]?\s*(.+)", re.IGNORECASE)
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def grade(kind: str, text: str, gold: str | Sequence[str], spec: AnswerSpec) -> Grade | None:
    """The released verdict on ``text``; None for kinds whose released grader is not rebuilt (code, judged kinds)."""
    if kind == "multiple_choice":
        return _choice(text, gold, spec)
    if kind in ("numeric", "math", "label"):
        said = extracted(text)
        right = [normalised(said) == normalised(one) for one in _golds(gold)]
        return Grade(float(any(right)), said, "released", bool(said.strip()))
    if kind == "short_text":
        said = extracted(text)
        best = max((token_f1(said, alias) for one in _golds(gold) for alias in one.split(",")), default=0.0)
        return Grade(best, said, "released", bool(said.strip()))
    return None


def _golds(gold: str | Sequence[str]) -> list[str]:
    return [gold] if isinstance(gold, str) else list(gold)


def _choice(text: str, gold: str | Sequence[str], spec: AnswerSpec) -> Grade:
    letter = option_letter(text, list(spec.choices))
    right = letter is not None and [letter] == _golds(gold)
    return Grade(float(right), letter, "released", letter is not None)


def option_letter(text: str, choices: Sequence[str]) -> str | None:
    """The letter a reply is taken for: by its first characters, else the first option whose text occurs, else 'B.' or 'b)'."""
    letters = [chr(65 + i) for i in range(len(choices))]
    reply = text.strip()
    for letter in letters:
        if reply == letter or reply.startswith((f"{letter} ", f"{letter}.", f"{letter})", f"{letter}:", f"({letter})")):
            return letter
    low = reply.lower()
    for letter, choice in zip(letters, choices, strict=True):
        if choice.strip() and choice.strip().lower() in low:
            return letter
    for letter in letters:
        if re.search(rf"\banswer is \(?{letter}\b|\b{letter}[.)]", reply, re.IGNORECASE):
            return letter
    return None


def extracted(text: str) -> str:
    """What a reply is compared by: its first box up to the first closing brace, else what follows the first 'answer' on its
    line, else all of it."""
    box = _BOX.search(text)
    if box is not None:
        return (box[1] if box[1] is not None else box[2]).strip()
    said = _ANSWER.search(text)
    if said is not None:
        line = said[1].strip().rstrip(".").strip()
        if line:
            return line
    return text


def normalised(text: str) -> str:
    """Lower case, without ASCII punctuation and English articles: -5 is 5, and "A" is nothing."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def token_f1(said: str, gold: str) -> float:
    """F1 of the normalised words; 1 where both are empty."""
    mine, theirs = normalised(said).split(), normalised(gold).split()
    if not mine or not theirs:
        return float(mine == theirs)
    common = sum((Counter(mine) & Counter(theirs)).values())
    if not common:
        return 0.0
    precision, recall = common / len(mine), common / len(theirs)
    return 2 * precision * recall / (precision + recall)
