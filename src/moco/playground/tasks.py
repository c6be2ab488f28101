"""The tasks of the playground: declarative entries, and their records as plain dicts.

Every question here is disjoint from training, and the dev questions from the test questions: an algorithmic question
is held out by the hash of its text, a fact by the hash of (entity, attribute, phrasing) or by a phrasing that
training never uses. Facts themselves must have been memorised, so geo and bio measure recall.
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from moco.core.errors import ConfigError, did_you_mean
from moco.playground import arithmetic, facts, sequences
from moco.playground.exercise import LINE_STYLES, Exercise, held_out, render_choices, side
from moco.playground.skills import SKILLS
from moco.playground.world import World, make_world

Record = dict[str, Any]
Source = Callable[[random.Random, World], Iterator[Exercise]]
SPLITS = ("dev", "test")

CHOICE_LINE = LINE_STYLES[0]
_LONE_A = re.compile(r"\ba\b")


@dataclass(frozen=True)
class TaskEntry:
    """A task as data. ``parts`` names what its questions are drawn from, with the number of dev and test records."""

    name: str
    description: str
    kind: str  # multiple_choice | numeric | short_text | mixed
    parts: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def count(self, split: str) -> int:
        """Number of records of a split."""
        return sum(counts[SPLITS.index(split)] for counts in self.parts.values())


def _endless(generators: tuple[Callable[[random.Random, bool], Exercise], ...]) -> Source:
    def source(rng: random.Random, _: World) -> Iterator[Exercise]:
        while True:
            drawn = generators[rng.randrange(len(generators))](rng, True)
            # Word-based comparisons of short answers drop the article 'a', so no list of the tasks holds that letter.
            # A choice must be held out as a question and with its options as they are shown.
            shown = f"{drawn.question}\n{render_choices(drawn.choices)}" if drawn.choices else drawn.question
            ambiguous = drawn.skill == "lists" and _LONE_A.search(drawn.question)
            if not ambiguous and held_out(drawn.key) and held_out(shown):
                yield drawn

    return source


def _recall(domain: str, *, choices: bool) -> Source:
    def source(rng: random.Random, world: World) -> Iterator[Exercise]:
        trained, unseen = [], []
        for entity in world.special[domain]:
            for attribute in world.attributes(domain):
                for phrasing in range(len(facts.ALL_PHRASINGS)):
                    if phrasing >= len(facts.PHRASINGS):
                        unseen.append((entity, attribute, phrasing))
                    elif held_out(facts.fact_key(entity, attribute, phrasing)):
                        trained.append((entity, attribute, phrasing))
        rng.shuffle(trained)
        rng.shuffle(unseen)
        for entity, attribute, phrasing in trained + unseen:
            value = world.facts[domain][entity][attribute]
            if choices:
                task = f"{domain}_mc"
                yield facts.stated_choice(rng, world, domain, entity, attribute, value, phrasing, task)
            else:
                yield facts.stated_question(world, domain, entity, attribute, value, phrasing, f"{domain}_qa")

    return source


def _two_hops(rng: random.Random, world: World) -> Iterator[Exercise]:
    phrasings = range(len(facts.ALL_HOP_PHRASINGS))
    everything = [(c, a, p) for c in world.special["bio"] for a in world.attributes("geo") for p in phrasings]
    rng.shuffle(everything)
    everything.sort(key=lambda triple: triple[2] >= len(facts.HOP_PHRASINGS))
    for creature, attribute, phrasing in everything:
        home = world.facts["bio"][creature]["home"]
        value = world.facts["geo"][home][attribute]
        yield facts.hop_question(world, creature, home, attribute, value, phrasing)


SOURCES: Mapping[str, Source] = MappingProxyType(
    {
        "math": _endless((arithmetic.addition, arithmetic.multiplication)),
        "lists": _endless((sequences.reversal, sequences.sorting, sequences.python_expression)),
        "geo": _recall("geo", choices=False),
        "bio": _recall("bio", choices=False),
        "choice-math": _endless((arithmetic.sum_choice,)),
        "choice-lists": _endless((sequences.list_choice,)),
        "choice-geo": _recall("geo", choices=True),
        "choice-bio": _recall("bio", choices=True),
        "hop": _two_hops,
    }
)

_ENTRIES = (
    TaskEntry("playground/math", "sums and products with a scratchpad", "numeric", {"math": (100, 200)}),
    TaskEntry("playground/lists", "lists of letters and Python expressions", "short_text", {"lists": (100, 200)}),
    TaskEntry("playground/geo", "facts about made-up cities", "short_text", {"geo": (100, 200)}),
    TaskEntry("playground/bio", "facts about made-up creatures", "short_text", {"bio": (100, 200)}),
    TaskEntry(
        "playground/choice",
        "multiple choice from all four skills",
        "multiple_choice",
        {f"choice-{skill}": (25, 50) for skill in SKILLS},
    ),
    TaskEntry("playground/hop", "two facts from two domains in one question", "short_text", {"hop": (100, 200)}),
    TaskEntry(
        "playground/mixed",
        "all of the above, stratified; each record carries its kind",
        "mixed",
        {
            **dict.fromkeys(SKILLS, (35, 63)),
            **{f"choice-{skill}": (10, 18) for skill in SKILLS},
            "hop": (20, 36),
        },
    ),
)
TASKS: Mapping[str, TaskEntry] = MappingProxyType({entry.name: entry for entry in _ENTRIES})


def task(name: str) -> TaskEntry:
    """The entry of that name; the prefix ``playground/`` may be left out."""
    full = name if name.startswith("playground/") else f"playground/{name}"
    if full in TASKS:
        return TASKS[full]
    raise ConfigError(f"no playground task '{name}'", where="playground", remedy=did_you_mean(full, TASKS))


def records(name: str, world: str = "dev") -> list[Record]:
    """All dev and test records of a task; the same on every call and machine."""
    entry = task(name)
    made = make_world(world)
    found: list[Record] = []
    for part, (dev, test) in entry.parts.items():
        found += _part_records(part, made, {"dev": dev, "test": test})
    found.sort(key=lambda record: SPLITS.index(record["split"]))
    for split in SPLITS:
        # Shuffled, so that any prefix of a split is a fair sample of its parts.
        indices = [index for index, record in enumerate(found) if record["split"] == split]
        shuffled = [found[index] for index in indices]
        random.Random(f"{entry.name} {split}").shuffle(shuffled)
        for index, record in zip(indices, shuffled, strict=True):
            found[index] = record
    return found


def _part_records(part: str, made: World, wanted: dict[str, int]) -> list[Record]:
    rng = random.Random(f"playground {part} {made.name}")
    counts = dict.fromkeys(SPLITS, 0)
    seen: set[str] = set()
    found: list[Record] = []
    for drawn in SOURCES[part](rng, made):
        split = _split_of(drawn)
        if counts[split] >= wanted[split] or drawn.question in seen:
            continue
        seen.add(drawn.question)
        found.append(_record(drawn, f"{part}-{split}-{counts[split]:04d}", split, made.name))
        counts[split] += 1
        if counts == wanted:
            break
    return found


def _split_of(drawn: Exercise) -> str:
    split = side(drawn.key)
    if split != "train":
        return split
    # A question that training never asks (unseen phrasing, two hops): any hash will do.
    return "dev" if zlib.crc32(drawn.key.encode()) % 3 == 0 else "test"


def _record(drawn: Exercise, identifier: str, split: str, world_name: str) -> Record:
    record: Record = {"id": identifier, "question": drawn.question}
    if drawn.choices:
        record["choices"] = dict(drawn.choices)
    record |= {
        "answer": drawn.answer,
        "kind": _kind(drawn),
        "split": split,
        "meta": {"skill": drawn.skill, "task": drawn.task, "wording": drawn.wording, "world": world_name},
    }
    return record


def _kind(drawn: Exercise) -> str:
    if drawn.kind == "multiple_choice":
        return "multiple_choice"
    return "numeric" if drawn.skill == "math" else "short_text"


def prompt_template(name: str) -> dict[str, str]:
    """How a task is put to a model, byte for byte as in training.

    ``template`` with {question} and, for records with options, {choices}: one line per option by ``choice_line``,
    joined by newlines. There is no system text and nothing else around it. ``letter_only`` may be appended as a line
    of its own to ask for the bare letter; ``answer_format`` is how every answer ends.
    """
    entry = task(name)
    with_choices = "{question}\n{choices}"
    prompt = {
        "template": with_choices if entry.kind == "multiple_choice" else "{question}",
        "choice_line": CHOICE_LINE,
        "answer_format": "Answer: {answer}",
        "letter_only": "Answer with the letter only.",
        "system": "",
    }
    if entry.kind == "mixed":
        prompt["template_with_choices"] = with_choices
    return prompt


def render(record: Record) -> str:
    """The prompt of a record."""
    if "choices" not in record:
        return str(record["question"])
    return f"{record['question']}\n{render_choices(tuple(record['choices'].items()), CHOICE_LINE)}"
