"""One question with its answer, its worked target and a plausible mistake; and which questions are held out."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass

MARK = "\x02"
"""Stands before a label in a training target; the loss weighs the token that follows it. Never shown to a model."""

LETTERS = "ABCD"
LINE_STYLES = ("{label}. {text}", "{label}. {text}", "{label}) {text}", "{label}: {text}", "[{label}] {text}",
               "({label}) {text}")  # fmt: skip
"""How an option line may look; the first one is the style of the tasks and twice as frequent in training."""

LETTER_ONLY_CUES = ("Answer with the letter only.", "Reply with the letter only.", "Give only the letter.")
LETTER_ONLY_SHARE = 0.12

Mistake = Callable[[random.Random], str]


@dataclass(frozen=True)
class Exercise:
    """A training example or the source of a record.

    ``prompt`` is what a model reads, ``question`` the same without the options. ``target`` may hold marks.
    ``key`` decides the split: every wording of one held-out question shares it.
    """

    skill: str
    task: str
    kind: str  # multiple_choice | exact | description
    question: str
    prompt: str
    answer: str
    target: str
    key: str
    mistake: Mistake | None = None
    choices: tuple[tuple[str, str], ...] = ()
    fact: tuple[str, str, str] | None = None  # entity, attribute, value
    wording: str = "trained"  # unseen: training never asks in this phrasing

    @property
    def plain_target(self) -> str:
        """The target as a model would print it."""
        return without_marks(self.target)

    def wrong(self, rng: random.Random) -> str:
        """A wrong response in the style of a model that slipped."""
        assert self.mistake is not None, f"{self.task} has no mistakes"
        return self.mistake(rng)


def without_marks(text: str) -> str:
    """Text as it is shown."""
    return text.replace(MARK, "")


def final_answer(text: str) -> str:
    """What follows the last 'Answer: '; a text without one is its own answer."""
    return without_marks(text).split("Answer: ")[-1]


def held_out(key: str) -> bool:
    """True for the eighth of all keys that training never draws."""
    return zlib.crc32(key.encode()) % 8 == 0


def side(key: str) -> str:
    """``train``, or for a held-out key ``dev`` (a third of them) or ``test``."""
    residue = zlib.crc32(key.encode()) % 24
    if residue % 8:
        return "train"
    return "dev" if residue == 0 else "test"


def labelled(reasoning: str, label: str | int) -> str:
    """A target that restates the text with its label before the final answer: three easy steps for a tiny model."""
    stated = f"{reasoning} ({MARK}{label}). " if reasoning else ""
    return f"{stated}Answer: {MARK}{label}"


def render_choices(choices: tuple[tuple[str, str], ...], style: str = LINE_STYLES[0]) -> str:
    """The option lines of a prompt."""
    return "\n".join(style.format(label=label, text=text) for label, text in choices)


def multiple_choice(
    rng: random.Random,
    *,
    skill: str,
    task: str,
    question: str,
    right: str,
    wrong: list[str],
    reasoning: str,
    key: str,
    fact: tuple[str, str, str] | None = None,
    wording: str = "trained",
) -> Exercise:
    """Shuffle the options, letter them and render the prompt in one of the trained line styles."""
    texts = [right, *wrong]
    rng.shuffle(texts)
    choices = tuple(zip(LETTERS, texts, strict=False))
    answer = LETTERS[texts.index(right)]
    prompt = f"{question}\n{render_choices(choices, rng.choice(LINE_STYLES))}"
    target = labelled(reasoning.rstrip("."), answer)
    if rng.random() < LETTER_ONLY_SHARE:
        prompt = f"{prompt}\n{rng.choice(LETTER_ONLY_CUES)}"
        target = labelled("", answer)
    letters = [letter for letter, _ in choices if letter != answer]

    def mistake(rng: random.Random) -> str:
        return f"Answer: {rng.choice(letters)}"

    return Exercise(skill, task, "multiple_choice", question, prompt, answer, target, key, mistake, choices, fact, wording)
