"""The four skills, and how training draws from them."""

from __future__ import annotations

import random
from collections.abc import Sequence

from moco.playground import arithmetic, facts, sequences
from moco.playground.exercise import Exercise, held_out
from moco.playground.world import World

SKILLS = ("math", "lists", "geo", "bio")
OPEN_SKILLS = ("math", "lists")
"""Skills with unlimited questions, as opposed to the facts of the world."""


def exercise(rng: random.Random, world: World, skill: str, hard: bool) -> Exercise:
    """A training exercise; hard ones are for experts. A held-out question is never drawn."""
    if skill in ("geo", "bio"):
        return facts.domain_exercise(rng, world, skill, hard)
    generators = arithmetic.GENERATORS if skill == "math" else sequences.GENERATORS
    while True:
        drawn = rng.choice(generators)(rng, hard)
        if not held_out(drawn.key):
            return drawn


def open_exercise(rng: random.Random, world: World, skills: Sequence[str], hard: bool) -> Exercise:
    """An exercise with a worked answer, neither multiple choice nor description."""
    while True:
        drawn = exercise(rng, world, rng.choice(skills), hard)
        if drawn.kind == "exact":
            return drawn
