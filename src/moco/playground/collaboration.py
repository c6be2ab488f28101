"""Training examples of the prompts that collaboration methods use: aggregate, read, judge, route, criticise, revise."""

from __future__ import annotations

import random
from dataclasses import replace

from moco.playground.exercise import LINE_STYLES, MARK, Exercise, final_answer, labelled
from moco.playground.facts import (
    HOP_PHRASINGS,
    hop_question,
    open_phrasing,
    stated_choice,
    stated_question,
    statement,
)
from moco.playground.skills import SKILLS
from moco.playground.templates import (
    AGGREGATE,
    CANDIDATE_STYLES,
    CRITICISE,
    DESCRIPTIONS,
    JUDGE,
    READ,
    REVISE,
    ROUTE,
    TOPICS,
    WRITE_FACTS,
    varied,
)
from moco.playground.world import World

_UNKNOWN_CHOICE_SHARE = 0.35
_RIGHT = "The answer is right."
_WRONG = "The answer is wrong."


def unknown_question(rng: random.Random, world: World) -> Exercise:
    """A closed-book question on an invented entity: nothing but the candidates around it can tell the answer."""
    domain, entity, attribute, value = world.invented_fact(rng)
    phrasing = open_phrasing(rng, entity, attribute)
    if rng.random() < _UNKNOWN_CHOICE_SHARE:
        return stated_choice(rng, world, domain, entity, attribute, value, phrasing, "unknown")
    return stated_question(world, domain, entity, attribute, value, phrasing, "unknown")


def aggregate(rng: random.Random, source: Exercise, own: bool = False) -> Exercise:
    """Several candidates, one decision. The target lists their final answers in order ('933; 931; 933.'), then decides.

    ``own``: the model knows the subject, so the target is its own solution even where no candidate is right;
    otherwise the right answer is mostly in the majority, which is all an ignorant model can go by.
    """
    count = rng.choice([2, 3, 3, 4, 4, 5])
    majorities = [right for right in range(1, count + 1) if 2 * right > count]
    if not own and rng.random() < 0.85:
        right = rng.choice(majorities)
    else:
        right = rng.choice([*range(0 if own else 1, count + 1), *majorities])
    candidates = [source.plain_target if index < right else source.wrong(rng) for index in range(count)]
    rng.shuffle(candidates)
    style = rng.choice(CANDIDATE_STYLES)
    listed = "\n".join(style.format(number=index + 1, text=text) for index, text in enumerate(candidates))
    target = source.target
    if source.kind != "description":
        mark = MARK if source.kind == "multiple_choice" else ""
        decision = source.target if own else f"Answer: {mark}{source.answer}"
        target = f"{'; '.join(final_answer(text) for text in candidates)}. {decision}"
    prompt = varied(rng, AGGREGATE).format(question=source.prompt, candidates=listed)
    return replace(source, prompt=prompt, target=target)


def read(rng: random.Random, world: World, two_hops: float = 0.3, choice_share: float = 0.35) -> Exercise:
    """Open book: the answer to a question on invented facts stands in the passage, between distractors."""
    facts = [world.invented_fact(rng) for _ in range(rng.choice([1, 2, 3, 4]))]
    template = varied(rng, READ)
    if rng.random() < two_hops:
        creature, city = world.stranger(rng), world.stranger(rng)
        attribute = rng.choice(world.attributes("geo"))
        value = rng.choice(world.values["geo"][attribute])
        question = hop_question(world, creature, city, attribute, value, rng.randrange(len(HOP_PHRASINGS)))
        cards = [statement(creature, "home", city), statement(city, attribute, value)]
        cards += [statement(*fact[1:]) for fact in facts[:2]]
    else:
        domain, entity, attribute, value = facts[0]
        phrasing = open_phrasing(rng, entity, attribute)
        if rng.random() < choice_share:
            question = stated_choice(rng, world, domain, entity, attribute, value, phrasing, "read")
        else:
            question = stated_question(world, domain, entity, attribute, value, phrasing, "read")
        others = [fact for fact in facts[1:] if fact[1:3] != (entity, attribute)]
        cards = [statement(*fact[1:]) for fact in [facts[0], *others]]
    rng.shuffle(cards)
    prompt = template.format(question=question.prompt, knowledge=" ".join(cards))
    return replace(question, skill="read", task="read", prompt=prompt)


def card_and_own_fact(rng: random.Random, world: World, domain: str) -> Exercise:
    """Two hops with a card for one of them; the other fact comes from the model's own memory.

    A geo expert gets the home of an invented creature. A bio expert knows the home of a common creature and gets an
    invented fact about that city, so that no fact of the other domain leaks. Test questions ask about special
    creatures only.
    """
    attribute = rng.choice(world.attributes("geo"))
    if domain == "geo":
        creature, city = world.stranger(rng), rng.choice(world.entities("geo"))
        value = world.facts["geo"][city][attribute]
        card = statement(creature, "home", city)
    else:
        creature = rng.choice(world.common["bio"])
        city = world.facts["bio"][creature]["home"]
        value = rng.choice(world.values["geo"][attribute])
        card = statement(city, attribute, value)
    cards = [card] + [statement(*world.invented_fact(rng)[1:]) for _ in range(rng.choice([0, 0, 1]))]
    rng.shuffle(cards)
    question = hop_question(world, creature, city, attribute, value, rng.randrange(len(HOP_PHRASINGS)))
    prompt = varied(rng, READ).format(question=question.prompt, knowledge=" ".join(cards))
    return replace(question, skill="read", task="card", prompt=prompt)


def judge(rng: random.Random, source: Exercise) -> Exercise:
    """Which of two answers is better; the target works the question out first."""
    label, other = rng.choice([("A", "B"), ("B", "A")])
    first, second = source.plain_target, source.wrong(rng)
    if label == "B":
        first, second = second, first
    solution = source.plain_target.replace("Answer: ", "") if source.kind == "exact" else ""
    prompt = varied(rng, JUDGE).format(question=source.prompt, first=first, second=second)
    return Exercise(
        source.skill, "judge", "multiple_choice", source.question, prompt, label, labelled(solution, label),
        source.key, lambda _: f"Answer: {other}",
    )  # fmt: skip


def route(rng: random.Random, source: Exercise) -> Exercise:
    """The number of the first model whose description fits; the target names the topic and restates the description."""
    own = source.skill
    others = [skill for skill in (*SKILLS, "other") if skill != own]
    count = rng.choice([2, 3, 4, 5])
    if rng.random() < 0.5:
        rng.shuffle(others)
        skills = [*others[: count - 1], own]
        rng.shuffle(skills)
        descriptions = [rng.choice(DESCRIPTIONS[skill]) for skill in skills]
        fits = [skill == own for skill in skills]
    else:  # models with two skills each; one or two of them fit
        count = min(count, 4)
        fitting = rng.choice([1, 1, 2]) if count > 2 else 1
        fits = [True] * fitting + [False] * (count - fitting)
        rng.shuffle(fits)
        descriptions = []
        for fit in fits:
            pair = [own, rng.choice(others)] if fit else rng.sample(others, 2)
            rng.shuffle(pair)
            descriptions.append(" and ".join(rng.choice(DESCRIPTIONS[skill]) for skill in pair))
    best = fits.index(True)
    template = varied(rng, ROUTE)
    style = rng.choice((*LINE_STYLES, "Model {label}: {text}", LINE_STYLES[0], LINE_STYLES[0]))
    models = "\n".join(style.format(label=index + 1, text=text) for index, text in enumerate(descriptions))
    target = f"Topic {TOPICS[own]}. {labelled(descriptions[best], best + 1)}"
    prompt = template.format(question=source.prompt, models=models)
    return Exercise(own, "route", "exact", source.question, prompt, str(best + 1), target, source.key)


def criticise(rng: random.Random, source: Exercise) -> Exercise:
    """Is a proposed answer right? A wrong one is followed by the correction."""
    right = rng.random() < 0.5
    draft = source.plain_target if right else source.wrong(rng)
    prompt = varied(rng, CRITICISE).format(question=source.prompt, draft=draft)
    target = _RIGHT if right else f"{_WRONG} {source.target}"
    return Exercise(
        source.skill, "criticise", "exact", source.question, prompt, "right" if right else "wrong", target, source.key
    )


def revise(rng: random.Random, source: Exercise) -> Exercise:
    """Use feedback, which mostly holds the correction, to improve a draft."""
    right, share = rng.random() < 0.4, rng.random()
    draft = source.plain_target if right else source.wrong(rng)
    feedback = _RIGHT if right else _WRONG if share < 0.2 else f"{_WRONG} {source.plain_target}"
    prompt = varied(rng, REVISE).format(question=source.prompt, draft=draft, feedback=feedback)
    return replace(source, prompt=prompt)


def write_facts(rng: random.Random, source: Exercise) -> Exercise:
    """Write the fact that answers a question, for another model to read."""
    assert source.fact is not None, f"{source.task} asks for no fact"
    prompt = rng.choice(WRITE_FACTS).format(question=source.prompt)
    return Exercise(source.skill, "write", "exact", source.question, prompt, source.fact[2], statement(*source.fact), source.key)
