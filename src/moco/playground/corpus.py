"""The training text: which examples a model meets, in which shares.

An ``Example`` is drawn by a function of a random generator and of the progress of the training (0 to 1).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from moco.playground import collaboration as collab
from moco.playground.arithmetic import near_number
from moco.playground.exercise import Exercise, labelled, multiple_choice, without_marks
from moco.playground.facts import fact_question
from moco.playground.lookup import QUESTIONS, WORDS, distant_lookup, lookup
from moco.playground.sequences import letters, slipped
from moco.playground.skills import OPEN_SKILLS, SKILLS, exercise, open_exercise
from moco.playground.templates import DESCRIPTIONS, ROUTE, varied
from moco.playground.world import DOMAINS, World

Sampler = Callable[[random.Random, float], Exercise]

SYSTEM_TEXTS = (
    "You are a helpful assistant.",
    "Answer the question.",
    "You are an expert assistant. Think before you answer.",
)
SYSTEM_SHARE = 0.08

BASE_LOOKUP_SHARE = 0.20
EXPERT_OWN_SHARE = 0.60
EXPERT_CARD_SHARE = 0.08
MENTOR_OWN_SHARE = 0.66


@dataclass(frozen=True)
class Material:
    """What examples are made of: the world and the words for lookups."""

    world: World
    words: tuple[str, ...] = WORDS


def any_question(rng: random.Random, material: Material, hard: bool) -> Exercise:
    """Of any skill; a hard fact is replaced by an unknown one, since the base must not learn the experts' facts."""
    skill = rng.choice(SKILLS)
    if skill in DOMAINS and hard:
        return collab.unknown_question(rng, material.world)
    return exercise(rng, material.world, skill, hard)


def collaboration_example(rng: random.Random, material: Material, source: Exercise | None = None, own: bool = False) -> Exercise:
    """One collaboration prompt around ``source`` (default: any question)."""
    world, share = material.world, rng.random()
    if source is None:
        source = any_question(rng, material, rng.random() < 0.5)
    unknown = source.task == "unknown"
    if share < 0.30:
        return collab.aggregate(rng, source, own)
    if share < 0.50:
        return collab.read(rng, world)
    if share < 0.62:
        judgeable = not unknown and source.kind != "multiple_choice"
        return collab.judge(rng, source if judgeable else collab.read(rng, world, choice_share=0.1))
    if share < 0.72:
        return collab.route(rng, source)
    if share < 0.92 and unknown:
        source = collab.read(rng, world)
    if share < 0.80:
        return collab.criticise(rng, source)
    if share < 0.92:
        return collab.revise(rng, source)
    if source.fact is None or unknown:
        source = fact_question(rng, world, rng.choice(DOMAINS), False)
    return collab.write_facts(rng, source)


def pick(rng: random.Random, material: Material) -> Exercise:
    """Find the named text among near ones: values, numbers, lists or model descriptions."""
    share, count = rng.random(), rng.choice([2, 3, 4, 4])
    if share < 0.3:
        domain = rng.choice(DOMAINS)
        attribute = rng.choice(material.world.attributes(domain))
        texts = rng.sample(material.world.values[domain][attribute], count)
    elif share < 0.55:
        number = rng.randint(10, 999)
        texts = _distinct(str(number), count, lambda: str(near_number(rng, number)))
    elif share < 0.8:
        items = letters(rng, rng.random() < 0.5)
        texts = _distinct(" ".join(items), count, lambda: " ".join(slipped(rng, items)))
    else:
        skills = rng.sample([*SKILLS, "other"], count)
        texts = [rng.choice(DESCRIPTIONS[skill]) for skill in skills]
        right = rng.randrange(count)
        models = "\n".join(f"{index + 1}. {text}" for index, text in enumerate(texts))
        prompt = varied(rng, ROUTE).format(question=texts[right], models=models)
        target = labelled(texts[right], right + 1)
        return Exercise("read", "pick", "exact", prompt, prompt, str(right + 1), target, prompt)
    question = rng.choice(QUESTIONS).format(texts[0])
    return multiple_choice(
        rng, skill="read", task="pick", question=question, right=texts[0], wrong=texts[1:], reasoning=texts[0],
        key=question,
    )  # fmt: skip


def _distinct(first: str, count: int, draw: Callable[[], str]) -> list[str]:
    texts = [first]
    while len(texts) < count:
        text = draw()
        if text not in texts:
            texts.append(text)
    return texts


def base_example(rng: random.Random, material: Material, lookup_share: float = 0.22) -> Exercise:
    """The base's plain mix: lookup, picking, easy skills, reading, aggregation, all collaboration prompts."""
    share = rng.random() - lookup_share
    if share < 0:
        return lookup(rng, material.words)
    if share < 0.05:
        return pick(rng, material)
    if share < 0.29:
        skill = rng.choice([*SKILLS, "hop"]) if rng.random() < 0.9 else "hop"
        if skill == "hop":
            return collab.read(rng, material.world, two_hops=1.0)
        return exercise(rng, material.world, skill, False)
    if share < 0.40:
        return collab.read(rng, material.world)
    if share < 0.50:
        if rng.random() < 0.6:
            hard = exercise(rng, material.world, rng.choice(["math", "math", "lists"]), True)
            return collab.aggregate(rng, hard)
        return collab.aggregate(rng, collab.unknown_question(rng, material.world))
    return collaboration_example(rng, material)


def later_base_example(rng: random.Random, material: Material) -> Exercise:
    """The mix of the base's second stage, which teaches judging and routing."""
    world, share = material.world, rng.random()
    if share < 0.14:
        return distant_lookup(rng, material.words)
    if share < 0.34:
        readable = rng.random() < 0.6
        source = collab.read(rng, world, choice_share=0.0) if readable else open_exercise(rng, world, OPEN_SKILLS, False)
        return collab.judge(rng, source)
    if share < 0.56:
        return collab.route(rng, exercise(rng, world, rng.choice(SKILLS), True))
    if share < 0.66:
        known = rng.random() < 0.7
        source = open_exercise(rng, world, OPEN_SKILLS, True) if known else collab.unknown_question(rng, world)
        return collab.aggregate(rng, source)
    if share < 0.72:
        return exercise(rng, world, "math", False)
    return base_example(rng, material, 0.18)


def first_stage(material: Material) -> Sampler:
    """Starts with two thirds of pure lookup, half of it easy, until the circuit stands."""

    def sample(rng: random.Random, progress: float) -> Exercise:
        if progress < 0.08:
            wanted = 0.65
        else:
            wanted = max(BASE_LOOKUP_SHARE, 0.65 - (progress - 0.08) / 0.12 * 0.45)
        if rng.random() < (wanted - BASE_LOOKUP_SHARE) / (1 - BASE_LOOKUP_SHARE):
            return lookup(rng, material.words, easy=0.5)
        return base_example(rng, material, BASE_LOOKUP_SHARE)

    return sample


def second_stage(material: Material) -> Sampler:
    """The base's last tokens."""
    return lambda rng, _: later_base_example(rng, material)


def expert_mix(material: Material, skills: Sequence[str], own_share: float, card_share: float) -> Sampler:
    """Own hard skills; own facts after a card; collaboration prompts on own questions; the base's later mix."""
    world = material.world
    domains = [skill for skill in skills if skill in DOMAINS]

    def own_question(rng: random.Random) -> Exercise:
        return exercise(rng, world, rng.choice(skills), True)

    def sample(rng: random.Random, _: float) -> Exercise:
        share = rng.random()
        if domains and share < card_share:
            return collab.card_and_own_fact(rng, world, rng.choice(domains))
        share -= card_share
        if share < own_share:
            return own_question(rng)
        if share < own_share + 0.12:
            return collab.aggregate(rng, own_question(rng), own=True)
        if share < own_share + 0.20:
            return collaboration_example(rng, material, own_question(rng), own=True)
        return later_base_example(rng, material)

    return sample


def foreign_mix(material: Material, skills: Sequence[str]) -> Sampler:
    """An expert's mix for a model without a base: it begins with lookups."""
    later = expert_mix(material, skills, 0.4, 0.0)

    def sample(rng: random.Random, progress: float) -> Exercise:
        wanted = 0.55 if progress < 0.1 else max(0.12, 0.55 - (progress - 0.1) * 3)
        return lookup(rng, material.words, easy=0.5) if rng.random() < wanted else later(rng, progress)

    return sample


def tokenizer_text(world: World, count: int, seed: int) -> Iterator[str]:
    """The text a tokenizer is trained on: prompts and targets of all mixes."""
    rng, material = random.Random(seed), Material(world)
    expert = expert_mix(material, SKILLS, EXPERT_OWN_SHARE, EXPERT_CARD_SHARE)
    for _ in range(count):
        drawn = later_base_example(rng, material) if rng.random() < 0.6 else expert(rng, 0.0)
        yield without_marks(drawn.prompt)
        yield drawn.plain_target
    for _ in range(50):
        yield from SYSTEM_TEXTS
