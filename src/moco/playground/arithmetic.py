"""Skill ``math``: sums and products with the scratchpad that small models need."""

from __future__ import annotations

import random

from moco.playground.exercise import Exercise, multiple_choice
from moco.playground.world import listed

_PEOPLE = listed("Mia Leo Ana Tom Eva Sam Ida Max")
_THINGS = listed("pears figs coins books pens shells")
_SUM_FORMS = ("What is {} + {}?", "Compute {} + {}.", "{} + {} = ?")
_SUM_STORIES = (
    "{person} has {a} {thing} and gets {b} more. How many {thing} now?",
    "There are {a} {thing} in one box and {b} {thing} in another. How many {thing} in all?",
)
_PRODUCT_FORMS = ("What is {} * {}?", "Compute {} * {}.", "{} * {} = ?")
_PRODUCT_STORY = "Each of {b} boxes holds {a} {thing}. How many {thing} in all?"


def _digits(number: int) -> list[int]:
    return [int(digit) for digit in str(number)][::-1]


def sum_steps(a: int, b: int) -> str:
    """Column addition from the last digit, with the carry as third summand: '7+6+0=13, 4+8+1=13'."""
    left, right = _digits(a), _digits(b)
    width = max(len(left), len(right))
    left += [0] * (width - len(left))
    right += [0] * (width - len(right))
    carry, steps = 0, []
    for x, y in zip(left, right, strict=True):
        total = x + y + carry
        steps.append(f"{x}+{y}+{carry}={total}")
        carry = total // 10
    return ", ".join(steps)


def product_steps(a: int, b: int) -> str:
    """Short multiplication by one digit, carry added in each step."""
    carry, steps = 0, []
    for x in _digits(a):
        total = x * b + carry
        steps.append(f"{x}*{b}+{carry}={total}")
        carry = total // 10
    return ", ".join(steps)


def near_number(rng: random.Random, number: int) -> int:
    """A number that a slip in one column could give."""
    while True:
        other = number + rng.choice([-10, 10, -1, 1, -2, 2, -9, 9, -100, 100, 11, -11])
        if other >= 0 and other != number:
            return other


def _worked(task: str, question: str, steps: str, result: int) -> Exercise:
    def mistake(rng: random.Random) -> str:
        slip = near_number(rng, result)
        return f"{steps}. Answer: {slip}" if rng.random() < 0.5 else f"Answer: {slip}"

    answer = str(result)
    return Exercise("math", task, "exact", question, question, answer, f"{steps}. Answer: {answer}", question, mistake)


def addition(rng: random.Random, hard: bool) -> Exercise:
    """A sum, bare or as a one-line story."""
    high = 999 if hard else 99
    a, b = rng.randint(10, high), rng.randint(10, high)
    if rng.random() < 0.7:
        question = rng.choice(_SUM_FORMS).format(a, b)
    else:
        person, thing = rng.choice(_PEOPLE), rng.choice(_THINGS)
        question = rng.choice(_SUM_STORIES).format(person=person, thing=thing, a=a, b=b)
    return _worked("add", question, sum_steps(a, b), a + b)


def multiplication(rng: random.Random, hard: bool) -> Exercise:
    """A product with a one-digit factor, bare or as a story."""
    a, b = rng.randint(11, 99 if hard else 19), rng.randint(2, 9 if hard else 4)
    if rng.random() < 0.6:
        question = rng.choice(_PRODUCT_FORMS).format(a, b)
    else:
        question = _PRODUCT_STORY.format(a=a, b=b, thing=rng.choice(_THINGS))
    return _worked("mul", question, product_steps(a, b), a * b)


def sum_choice(rng: random.Random, hard: bool) -> Exercise:
    """Multiple choice among near numbers."""
    high = 99 if hard else 49
    a, b = rng.randint(10, high), rng.randint(10, high)
    wrong: list[str] = []
    while len(wrong) < 3:
        slip = str(near_number(rng, a + b))
        if slip not in wrong:
            wrong.append(slip)
    question = f"What is {a} + {b}?"
    return multiple_choice(
        rng, skill="math", task="mathmc", question=question, right=str(a + b), wrong=wrong,
        reasoning=f"{sum_steps(a, b)} so {a + b}", key=question,
    )  # fmt: skip


GENERATORS = (addition, addition, multiplication, sum_choice)
