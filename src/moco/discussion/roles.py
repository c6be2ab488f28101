"""The roles around a blackboard: what each is told to do, and who plays them.

The board stands before the role's words, so that all prompts of a round share their beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from moco.core.errors import ConfigError, did_you_mean
from moco.discussion.template import Template

Assign = Literal["cycle", "random"]
"""A seeded permutation of the members, repeated, so that all take part; or a member drawn for every agent."""
ACTIONS = ("propose a plan", "work out a step", "verify", "criticise or refine", "give the final answer")
FINAL = len(ACTIONS)
DEFAULT_ACTION = 2
FIXED = ("planner", "critic", "resolver", "cleaner", "decider")
_FIELDS = ("expertise", "mark", "go_on", "answer_format", "options")
FRAME = Template(
    """\
Question: {task}
Blackboard:
{board}

You are the {role}. {duty}""",
    ("task", "question", "answer_format", "board", "role", "duty"),
    ("board", "duty"),
)
DUTIES: dict[str, Template] = {
    "expert": Template(
        "You know about {expertise}. Add what the question needs and the blackboard lacks, in a few sentences.", _FIELDS
    ),
    "planner": Template("Write a short plan for solving the question, or a better one than the blackboard's.", _FIELDS),
    "critic": Template("Name the errors on the blackboard and how to mend them. Where nothing is wrong, say so.", _FIELDS),
    "resolver": Template(
        "Which entries contradict each other? Write only one line: {mark}: and their numbers in pairs, such as 1-2, or none.",
        _FIELDS,
        ("mark",),
    ),
    "cleaner": Template(
        "Which entries are wrong or repeat others? Write only one line: {mark}: and their numbers, or none.", _FIELDS, ("mark",)
    ),
    "decider": Template(
        "If the blackboard settles the question, write the final answer. {answer_format} Otherwise write only {go_on}.",
        _FIELDS,
    ),
    "control": Template(
        "Choose who writes on the blackboard next:\n{options}\nWrite only one line: {mark}: and their names.",
        _FIELDS,
        ("options", "mark"),
    ),
    "settle": Template("Two entries contradict each other. Write yours again, corrected where the other one is right.", _FIELDS),
    "answer": Template("Time is up. Write the final answer. {answer_format}", _FIELDS),
    "choose": Template(
        "What will you do next?\n{options}\nWrite only one line: {mark}: and a number.", _FIELDS, ("options", "mark")
    ),
    "act": Template("You decided to {expertise}. Do it now, in a few sentences.", _FIELDS),
    "vote": Template(
        "These answers were given:\n{options}\nWhich one is right? Write only one line: {mark}: and a number.",
        _FIELDS,
        ("options", "mark"),
    ),
}
EXPERTS = Template(
    """\
Question: {question}
Name {count} different experts whose knowledge helps to solve it. Write a line for each: name: what it knows""",
    ("question", "count"),
    ("question",),
)
AGAIN = "Your reply could not be read. Write nothing but the line that was asked for."


@dataclass(frozen=True)
class Agent:
    """Somebody at the board: ``role`` says what it does, ``member`` who plays it."""

    name: str
    role: str
    member: str
    expertise: str = ""


def cast(named: Sequence[tuple[str, str, str]], members: Sequence[str], rng: np.random.Generator, assign: Assign) -> list[Agent]:
    """An agent for every (name, role, expertise); members may play several."""
    order: list[int] = []
    while len(order) < len(named):
        order += rng.permutation(len(members)).tolist() if assign == "cycle" else [int(rng.integers(len(members)))]
    return [Agent(name, role, members[i], expertise) for (name, role, expertise), i in zip(named, order, strict=False)]


def duties(changed: dict[str, str]) -> dict[str, Template]:
    """The roles' words with ``changed`` ones; raises ConfigError for an unknown role or a place that nothing fills."""
    for role in changed:
        if role not in DUTIES:
            raise ConfigError(f"no role '{role}'", where="bbmas.duties", remedy=did_you_mean(role, DUTIES))
    return {role: DUTIES[role].but(changed[role]) if role in changed else words for role, words in DUTIES.items()}
