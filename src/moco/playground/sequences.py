"""Skill ``lists``: reversing and sorting letters, and one-line Python expressions."""

from __future__ import annotations

import random
from collections.abc import Sequence

from moco.playground.exercise import Exercise, multiple_choice

_ALPHABET = tuple("abcdefgh")
_DIGITS = tuple("0123456789")
_REVERSE_FORMS = ("Reverse the list: {}", "Write this backwards: {}")
_SORT_FORMS = ("Sort the list: {}", "Put in order: {}")
_PYTHON_FORMS = ("What does {} give in Python?", "Evaluate the Python expression {}")


def letters(rng: random.Random, hard: bool) -> list[str]:
    """A list of letters, repetitions allowed."""
    return [rng.choice(_ALPHABET) for _ in range(rng.randint(5, 7) if hard else rng.randint(3, 4))]


def slipped(rng: random.Random, items: Sequence[str], alphabet: Sequence[str] = _ALPHABET) -> list[str]:
    """The list with one slot changed or two slots swapped."""
    for _ in range(20):
        changed = list(items)
        first = rng.randrange(len(changed))
        if rng.random() < 0.5:
            changed[first] = rng.choice(alphabet)
        else:
            second = rng.randrange(len(changed))
            changed[first], changed[second] = changed[second], changed[first]
        if changed != list(items):
            return changed
    changed = list(items)
    changed[0] = alphabet[-1] if changed[0] != alphabet[-1] else alphabet[0]
    return changed


def _letter_exercise(task: str, question: str, result: list[str]) -> Exercise:
    def mistake(rng: random.Random) -> str:
        return "Answer: " + " ".join(slipped(rng, result))

    answer = " ".join(result)
    return Exercise("lists", task, "exact", question, question, answer, f"Answer: {answer}", question, mistake)


def reversal(rng: random.Random, hard: bool) -> Exercise:
    """Write letters backwards."""
    items = letters(rng, hard)
    return _letter_exercise("rev", rng.choice(_REVERSE_FORMS).format(" ".join(items)), items[::-1])


def sorting(rng: random.Random, hard: bool) -> Exercise:
    """Put letters in alphabetical order."""
    items = letters(rng, hard)
    return _letter_exercise("sort", rng.choice(_SORT_FORMS).format(" ".join(items)), sorted(items))


def python_expression(rng: random.Random, hard: bool) -> Exercise:
    """The value of max, min, len, an index, sorted or a reversing slice of a list of digits."""
    size = rng.randint(4, 6) if hard else rng.randint(2, 3)
    items = [rng.randint(0, 9) for _ in range(size)]
    shown = str(items)
    operation = rng.choice(["max", "min", "len", "index", "sorted", "reversed"])
    value: int | list[int]
    if operation == "index":
        position = rng.randrange(size)
        expression, value = f"{shown}[{position}]", items[position]
    elif operation == "reversed":
        expression, value = f"{shown}[::-1]", items[::-1]
    elif operation == "sorted":
        expression, value = f"sorted({shown})", sorted(items)
    else:
        expression = f"{operation}({shown})"
        value = {"max": max(items), "min": min(items), "len": len(items)}[operation]
    question = rng.choice(_PYTHON_FORMS).format(expression)

    def mistake(rng: random.Random) -> str:
        if isinstance(value, list):
            wrong = [int(digit) for digit in slipped(rng, [str(item) for item in value], _DIGITS)]
            return f"Answer: {wrong}"
        return f"Answer: {rng.choice([number for number in range(10) if number != value])}"

    return Exercise("lists", "py", "exact", question, question, str(value), f"Answer: {value}", question, mistake)


def list_choice(rng: random.Random, hard: bool) -> Exercise:
    """Multiple choice among lists that differ in one place."""
    items = letters(rng, hard)
    backwards = rng.random() < 0.5
    result = items[::-1] if backwards else sorted(items)
    right = " ".join(result)
    wrong: list[str] = []
    while len(wrong) < 3:
        candidate = " ".join(slipped(rng, result))
        if candidate not in wrong and candidate != right:
            wrong.append(candidate)
    shown = " ".join(items)
    question = f"Which is the reverse of {shown}?" if backwards else f"Which is {shown} in order?"
    return multiple_choice(
        rng, skill="lists", task="listmc", question=question, right=right, wrong=wrong, reasoning=right, key=question
    )


GENERATORS = (reversal, sorting, python_expression, python_expression, list_choice)
