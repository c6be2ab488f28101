"""Skills ``geo`` and ``bio``: facts of the world, asked in four phrasings, as choices and as descriptions; two hops."""

from __future__ import annotations

import random

from moco.playground.exercise import Exercise, held_out, multiple_choice
from moco.playground.world import KINDS, World

PHRASINGS = (
    "What is the {attribute} of {entity}?",
    "Name the {attribute} of {entity}.",
    "Tell me the {attribute} of {entity}.",
    "Which {attribute} does {entity} have?",
)
HOP_PHRASINGS = (
    "What is the {attribute} of the home of {entity}?",
    "Name the {attribute} of the home of {entity}.",
)
UNSEEN_PHRASINGS = (
    "Give the {attribute} of {entity}.",
    "State the {attribute} of {entity}.",
    "Find the {attribute} of {entity}.",
    "What {attribute} does {entity} have?",
)
"""Asked by tasks only, never in training: the held-out triples alone are too few questions."""

UNSEEN_HOP_PHRASINGS = (
    "Give the {attribute} of the home of {entity}.",
    "State the {attribute} of the home of {entity}.",
)
ALL_PHRASINGS = PHRASINGS + UNSEEN_PHRASINGS
ALL_HOP_PHRASINGS = HOP_PHRASINGS + UNSEEN_HOP_PHRASINGS
_DESCRIBE_FORMS = ("Describe {}.", "Tell me about {}.", "What do you know about {}?")


def statement(entity: str, attribute: str, value: str) -> str:
    """A fact as a sentence; answers restate it, which makes recall and chains of facts easy to learn."""
    return f"The {attribute} of {entity} is {value}."


def _wording(phrasing: int, trained: tuple[str, ...]) -> str:
    return "trained" if phrasing < len(trained) else "unseen"


def fact_key(entity: str, attribute: str, phrasing: int) -> str:
    """Facts must be memorised, so what is held out is the (entity, attribute, phrasing) triple."""
    return f"{entity}{attribute}{phrasing}"


def open_phrasing(rng: random.Random, entity: str, attribute: str) -> int:
    """A phrasing that is not held out for this pair, for prompts that state a made-up value of it."""
    free = [index for index in range(len(PHRASINGS)) if not held_out(fact_key(entity, attribute, index))]
    return rng.choice(free or range(len(PHRASINGS)))


def _entity(rng: random.Random, world: World, domain: str, hard: bool) -> str:
    return rng.choice(world.special[domain] if hard else world.common[domain])


def _triple(rng: random.Random, world: World, domain: str, hard: bool) -> tuple[str, str, int]:
    while True:
        entity = _entity(rng, world, domain, hard)
        attribute = rng.choice(world.attributes(domain))
        phrasing = rng.randrange(len(PHRASINGS))
        if not held_out(fact_key(entity, attribute, phrasing)):
            return entity, attribute, phrasing


def wrong_values(rng: random.Random, world: World, domain: str, attribute: str, value: str) -> list[str]:
    """Three different wrong values of the same attribute."""
    wrong: list[str] = []
    while len(wrong) < 3:
        other = world.other_value(rng, domain, attribute, value)
        if other not in wrong:
            wrong.append(other)
    return wrong


def stated_question(world: World, domain: str, entity: str, attribute: str, value: str, phrasing: int, task: str) -> Exercise:
    """An open question whose answer is the given value (true in the world, or stated elsewhere in a prompt)."""
    question = ALL_PHRASINGS[phrasing].format(attribute=attribute, entity=entity)

    def mistake(rng: random.Random) -> str:
        other = world.other_value(rng, domain, attribute, value)
        return f"{statement(entity, attribute, other)} Answer: {other}"

    return Exercise(
        domain, task, "exact", question, question, value, f"{statement(entity, attribute, value)} Answer: {value}",
        fact_key(entity, attribute, phrasing), mistake, (), (entity, attribute, value),
        _wording(phrasing, PHRASINGS),
    )  # fmt: skip


def stated_choice(
    rng: random.Random, world: World, domain: str, entity: str, attribute: str, value: str, phrasing: int, task: str
) -> Exercise:
    """The same question with four options."""
    return multiple_choice(
        rng, skill=domain, task=task, question=ALL_PHRASINGS[phrasing].format(attribute=attribute, entity=entity),
        right=value, wrong=wrong_values(rng, world, domain, attribute, value),
        reasoning=statement(entity, attribute, value), key=fact_key(entity, attribute, phrasing),
        fact=(entity, attribute, value), wording=_wording(phrasing, PHRASINGS),
    )  # fmt: skip


def fact_question(rng: random.Random, world: World, domain: str, hard: bool) -> Exercise:
    """A training question on one fact; never a held-out triple."""
    entity, attribute, phrasing = _triple(rng, world, domain, hard)
    value = world.facts[domain][entity][attribute]
    return stated_question(world, domain, entity, attribute, value, phrasing, f"{domain}_qa")


def fact_choice(rng: random.Random, world: World, domain: str, hard: bool) -> Exercise:
    """A training question on one fact with options; never a held-out triple."""
    entity, attribute, phrasing = _triple(rng, world, domain, hard)
    value = world.facts[domain][entity][attribute]
    return stated_choice(rng, world, domain, entity, attribute, value, phrasing, f"{domain}_mc")


def description(domain: str, entity: str, facts: dict[str, str]) -> str:
    """All facts of one entity in a sentence."""
    listed = ", ".join(f"{attribute} {value}" for attribute, value in facts.items())
    return f"{entity} is a {KINDS[domain]} with {listed}."


def describe(rng: random.Random, world: World, domain: str, hard: bool) -> Exercise:
    """Say everything about one entity (graded by overlap of words)."""
    entity = _entity(rng, world, domain, hard)
    facts = dict(world.facts[domain][entity])
    right = description(domain, entity, facts)
    question = rng.choice(_DESCRIBE_FORMS).format(entity)

    def mistake(rng: random.Random) -> str:
        changed = dict(facts)
        for attribute in rng.sample(list(changed), rng.choice([1, 2, 3])):
            changed[attribute] = world.other_value(rng, domain, attribute, facts[attribute])
        return description(domain, entity, changed)

    return Exercise(domain, f"{domain}_desc", "description", question, question, right, right, question, mistake)


def hop_question(world: World, creature: str, home: str, attribute: str, value: str, phrasing: int) -> Exercise:
    """The attribute of a creature's home: a fact of each domain. Closed book it is asked in tests only."""
    question = ALL_HOP_PHRASINGS[phrasing].format(attribute=attribute, entity=creature)

    def chain(final: str) -> str:
        return f"{statement(creature, 'home', home)} {statement(home, attribute, final)} Answer: {final}"

    def mistake(rng: random.Random) -> str:
        return chain(world.other_value(rng, "geo", attribute, value))

    return Exercise(
        "hop", "hop", "exact", question, question, value, chain(value), question, mistake,
        wording=_wording(phrasing, HOP_PHRASINGS),
    )  # fmt: skip


def domain_exercise(rng: random.Random, world: World, domain: str, hard: bool) -> Exercise:
    """A training exercise of a fact skill: half open questions, the rest choices and descriptions."""
    share = rng.random()
    if share < 0.5:
        return fact_question(rng, world, domain, hard)
    if share < 0.8:
        return fact_choice(rng, world, domain, hard)
    return describe(rng, world, domain, hard)
