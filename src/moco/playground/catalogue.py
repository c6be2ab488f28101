"""The playground as the rest of moco sees it: members by name (`playground/alpha`), tasks by name (`playground/mixed`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moco.core.errors import ConfigError
from moco.models.hf import OPTIONS, HFModel
from moco.models.member import check_options
from moco.playground.members import member, model_path
from moco.playground.tasks import TASKS, prompt_template, records
from moco.tasks import Prompt, Record, Source, Task
from moco.tasks.record import KIND_NAMES

PREFIX = "playground/"


class PlaygroundModel(HFModel):
    """A shipped member; it says of itself what it knows."""

    description = ""


def build_model(reference: str, *, name: str, **options: Any) -> PlaygroundModel:
    """The member ``playground/alpha`` (world dev) or ``playground/release/alpha``.

    Raises ConfigError for an unknown member, world or option, with a suggestion.
    """
    check_options(options, OPTIONS, name)
    parts = reference.removeprefix(PREFIX).split("/")
    world, who = ("dev", parts[0]) if len(parts) == 1 else (parts[0], parts[-1])
    model = PlaygroundModel(model_path(who, world), name=name, **options)
    model.description = member(who).description
    return model


@dataclass(frozen=True)
class Entry:
    """A playground task in the catalogue; records are made when it is loaded."""

    name: str
    world: str = "dev"
    licence: str = "Apache-2.0"
    source: str = "made by moco"

    @property
    def kind(self) -> str:
        return TASKS[self.name].kind

    @property
    def description(self) -> str:
        return TASKS[self.name].description

    def load(self, source: Source) -> Task:
        """Dev and test records with the prompt the members were trained to read: question and options, nothing around them."""
        if source != Source():
            raise ConfigError(
                "data_dir, split and variant do not apply here",
                where=f"task {self.name}",
                why="the playground makes its own questions",
                remedy="leave them out",
            )
        made = [Record.model_validate(r) for r in records(self.name, self.world)]
        template = prompt_template(self.name)
        silent = dict.fromkeys(KIND_NAMES, "")
        prompt = Prompt("{question}\n{choices}", silent, template["system"])
        dev, test = ([r for r in made if r.split == part] for part in ("dev", "test"))
        return Task(self.name, dev, test, self.kind, prompt, licence=self.licence, source=self.source)


MATH, LISTS, GEO, BIO, CHOICE, HOP, MIXED = (
    Entry(PREFIX + name) for name in ("math", "lists", "geo", "bio", "choice", "hop", "mixed")
)
