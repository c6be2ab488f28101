"""The made-up world: cities and creatures with a few facts each.

Nothing in it exists, so a model can know a fact only from its training or from its prompt. Two worlds come from
the same recipe with different seeds: ``dev`` for development, the demo and the tests, and ``release`` for the
figures of a release, so that nobody tunes to what is reported.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from moco.core.errors import ConfigError, did_you_mean

SEEDS: Mapping[str, int] = MappingProxyType({"dev": 20260, "release": 71993})
"""Seed of the facts (and of the training questions) of each world."""

DOMAINS = ("geo", "bio")
KINDS: Mapping[str, str] = MappingProxyType({"geo": "city", "bio": "creature"})


def listed(words: str) -> tuple[str, ...]:
    """The words of a text; long word lists are easier to read this way."""
    return tuple(words.split())


_ONSETS = listed("b d f g k l m n p r s t v z br dr kr tr st")
_VOWELS = listed("a e i o u")
_CODAS = listed("l m n r s t k x")

_METALS = listed("iron copper gold tin zinc lead silver nickel cobalt chrome steel bronze")
_DISHES = listed("soup bread rice stew cake pie salad cheese noodles porridge dumplings pancakes")
_COLORS = listed("red blue green black white brown pink gray purple orange yellow violet")
_FOODS = listed("seeds grass fish fruit worms leaves nuts honey moss eggs roots berries")

RIVER_COUNT = 12
COMMON_COUNT = 12
SPECIAL_COUNT = 48


def invented_name(rng: random.Random) -> str:
    """A pronounceable name such as ``Tarmol``; most such names belong to nothing in the world."""
    first = rng.choice(_ONSETS) + rng.choice(_VOWELS)
    return (first + rng.choice(_ONSETS[:14]) + rng.choice(_VOWELS) + rng.choice(_CODAS)).capitalize()


@dataclass(frozen=True)
class World:
    """Who exists and what is true. ``common`` entities are known to every model, ``special`` ones to experts only."""

    name: str
    values: Mapping[str, Mapping[str, tuple[str, ...]]]
    common: Mapping[str, tuple[str, ...]]
    special: Mapping[str, tuple[str, ...]]
    facts: Mapping[str, Mapping[str, Mapping[str, str]]]

    def entities(self, domain: str) -> tuple[str, ...]:
        """All cities (``geo``) or creatures (``bio``), the common ones first."""
        return self.common[domain] + self.special[domain]

    def attributes(self, domain: str) -> tuple[str, ...]:
        """The attributes of a domain, in the order in which a description lists them."""
        return tuple(self.values[domain])

    def stranger(self, rng: random.Random) -> str:
        """An invented name that belongs to nobody here, so that no prompt by chance asks a question of the tasks."""
        while True:
            name = invented_name(rng)
            if not any(name in self.facts[domain] for domain in DOMAINS):
                return name

    def other_value(self, rng: random.Random, domain: str, attribute: str, value: str) -> str:
        """A plausible wrong value: any other one of the same attribute."""
        while True:
            other = rng.choice(self.values[domain][attribute])
            if other != value:
                return other

    def invented_fact(self, rng: random.Random) -> tuple[str, str, str, str]:
        """(domain, entity, attribute, value) that only its prompt can tell; real facts do not leak through it."""
        domain = rng.choice(DOMAINS)
        entity = invented_name(rng) if rng.random() < 0.7 else rng.choice(self.entities(domain))
        attribute = rng.choice(self.attributes(domain))
        return domain, entity, attribute, rng.choice(self.values[domain][attribute])


@cache
def make_world(name: str = "dev") -> World:
    """The world of that name.

    The order of the random draws is part of the format: the shipped weights know exactly these facts.
    """
    if name not in SEEDS:
        raise ConfigError(f"no playground world '{name}'", where="playground", remedy=did_you_mean(name, SEEDS))
    rng = random.Random(SEEDS[name])
    seen: set[str] = set()

    def fresh_names(count: int) -> tuple[str, ...]:
        names: list[str] = []
        while len(names) < count:
            candidate = invented_name(rng)
            if candidate not in seen:
                seen.add(candidate)
                names.append(candidate)
        return tuple(names)

    rivers = fresh_names(RIVER_COUNT)
    cities = fresh_names(COMMON_COUNT + SPECIAL_COUNT)
    creatures = fresh_names(COMMON_COUNT + SPECIAL_COUNT)
    values: dict[str, dict[str, tuple[str, ...]]] = {
        "geo": {"river": rivers, "metal": _METALS, "dish": _DISHES},
        "bio": {"color": _COLORS, "food": _FOODS, "home": cities},
    }
    entities: dict[str, Sequence[str]] = {"geo": cities, "bio": creatures}
    facts = {
        domain: {
            entity: {attribute: rng.choice(options) for attribute, options in values[domain].items()}
            for entity in entities[domain]
        }
        for domain in DOMAINS
    }
    return World(
        name=name,
        values=values,
        common={domain: tuple(entities[domain][:COMMON_COUNT]) for domain in DOMAINS},
        special={domain: tuple(entities[domain][COMMON_COUNT:]) for domain in DOMAINS},
        facts=facts,
    )
