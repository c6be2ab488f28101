"""The study file: strict YAML into frozen models, every fault named by file, line and key, with its remedy.

Invariant: a value means what it says or is refused. No key is ignored, no text is read as a truth value or an octal
number, nothing is given twice, and nothing is expanded (no anchors, aliases, tags). What a method's own options mean
is the method's to check; here they are only collected. Overrides are read by the same rules as the file.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationError, model_validator

from moco.core.errors import ConfigError, did_you_mean
from moco.core.types import Sampling
from moco.models.adversary import Adversary
from moco.study.prompting import PromptConfig
from moco.study.strict import Count, Flag, Real, Strict, Text, Texts, refusal
from moco.study.strictyaml import MAX_CHARACTERS, Loc, Reader, dotted

log = logging.getLogger("moco.study")


class SamplingConfig(Strict):
    """How tokens are drawn. What a method does not set is the study's; what the study does not set is 512 tokens, temperature 0.7
    and top_p 0.9, all else off."""

    max_tokens: Count | None = None
    """Most tokens of an answer."""
    temperature: Annotated[Real, Field(ge=0)] | None = None
    """0 takes the likeliest token; above, tokens are drawn."""
    top_p: Annotated[Real, Field(gt=0, le=1)] | None = None
    """Draw among the likeliest tokens that together have this probability."""
    top_k: Annotated[int, Field(strict=True, ge=0)] | None = None
    """Draw among so many likeliest tokens; 0 is all."""
    min_p: Annotated[Real, Field(ge=0, le=1)] | None = None
    """Draw among tokens at least this share as likely as the likeliest."""
    stop: tuple[Annotated[str, Field(strict=True, min_length=1)], ...] | None = None
    """Texts before which an answer ends."""

    def over(self, base: Sampling | None = None) -> Sampling:
        """``base`` (default: moco's) with what is set here."""
        return (base or Sampling()).but(**self.model_dump())


class MemberConfig(Strict):
    """A pool entry: a ``model``, or a collaboration (``method`` over ``members``); a bare text is the ``model``."""

    _plain = "model"
    _later = ("cell", "trust_remote_code")
    _loading: ClassVar[tuple[str, ...]] = ("adapter", "revision", "dtype", "device", "label")
    """What is handed on to the backend that loads ``model``."""

    name: Text = ""
    """Unless given: the last part of ``model``, or ``method``."""
    model: Text | None = None
    """A playground model, a folder with a checkpoint, or an id of the hub (owner/name)."""
    method: Text | None = None
    """The method of a collaboration that is a member."""
    members: Texts | None = None
    """Of a collaboration: names of the pool, or models."""
    fit_on: Text | None = None
    """Of a collaboration: the task on whose dev part it is fitted."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Of a collaboration: its method's options."""
    description: Annotated[str, Field(strict=True)] = ""
    """What it is good at, for methods that read it (routing)."""
    role: Text | None = None
    """The role it plays in methods that cast roles."""
    backend: Text | None = None
    """What runs the model, where its name does not say it (`moco models`)."""
    adapter: Text | None = None
    """A LoRA adapter on top of the model."""
    revision: Text | None = None
    """The commit of a model on the hub."""
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """Precision of the weights."""
    device: Text | None = None
    """Where it runs: cpu, cuda, cuda:1, mps; unless given, the best there is."""
    label: Text | None = None
    """Which output of a classifier the reward is (``aux.reward``), where it has several."""
    cost: Annotated[Real, Field(ge=0)] | None = None
    """Price of a token, in any unit; unless given, 1."""
    adversary: Text | dict[Text, Any] | None = None
    """A malicious member: the attack that takes the place of its answers, by kind, or as a mapping."""
    reference: Flag = False
    """Shown alone beside the others, and no more: no method's member unless named there, never the best single."""

    @model_validator(mode="after")
    def _one_kind(self) -> MemberConfig:
        if self.adversary is not None:
            try:
                Adversary.of(self.adversary)
            except ConfigError as error:
                raise refusal(error.what, error.remedy, *error.where.split(".")) from error
        if (self.model is None) == (self.method is None):
            raise refusal("a member is a model or a method, exactly one", "give 'model: ...' or 'method: ...'")
        wrong = ("members", "fit_on", "options") if self.method is None else ("backend", *self._loading, "cost")
        for key in wrong:
            if key in self.model_fields_set and getattr(self, key) not in (None, {}):
                kind = "model" if self.method is None else "method"
                raise refusal(f"'{key}' does not go with '{kind}'", f"remove '{key}' or '{kind}'", key)
        if self.method is not None and self.members is None:
            raise refusal("a collaboration needs 'members'", "list the models or pool names it works with", "members")
        if not self.name:  # a frozen model may still complete itself while it is being validated
            object.__setattr__(self, "name", (self.model or self.method or "").rstrip("/").rsplit("/", 1)[-1])
        return self

    @property
    def loading(self) -> dict[str, str]:
        """Options of the backend that are set."""
        return {key: getattr(self, key) for key in self._loading if getattr(self, key) is not None}


class TaskConfig(Strict):
    """A task of the catalogue by ``name``, own ``data``, or a data set of the ``hub``; a bare text is the ``name``."""

    _plain = "name"
    _of: ClassVar[dict[str, tuple[str, ...]]] = {
        "name": ("data_dir", "split", "variant", "revision"),
        "data": ("kind", "fields"),
        "hub": ("kind", "fields", "config", "splits", "revision"),
    }
    """Keys that go with one sort of source."""
    _instead: ClassVar[dict[bool, str]] = {True: "name a task of the catalogue", False: "give 'data: file.jsonl'"}

    name: Text = ""
    """Unless given: the stem of ``data``, or the last part of ``hub``."""
    label: Text | None = None
    """What tables call it; unless given, ``name``, or what a catalogue task with its variant really is."""
    data: Text | None = None
    """Path of a file of your own: as all paths here beside the study file, or where there is none, in the current folder."""
    hub: Text | None = None
    """A data set of the Hugging Face hub (owner/name)."""
    kind: Text | None = None
    """Kind of the answers, where the records do not say it."""
    limit: Count | None = None
    """Most questions of dev and of test each, a seeded sample."""
    fields: dict[Text, Text | Texts] | None = None
    """Which column each field of a record is in: {question: prompt, choices: [a, b, c, d], answer: key}."""
    config: Text | None = None
    """The hub's configuration (subset) of the data set."""
    splits: dict[Literal["dev", "test", "all"], Text] | None = None
    """The hub's names of our splits; `all` is divided by moco."""
    revision: Text | None = None
    """The commit of a data set on the hub."""
    data_dir: Text | None = None
    """Where the original files of a catalogue task lie, or the released MoCo file of it."""
    split: Literal["ours", "moco"] = "ours"
    """`moco` takes the dev and test lists of a released MoCo file."""
    variant: Text | None = None
    """A variant of a catalogue task (see its page)."""
    prompt: PromptConfig | None = None
    """What is changed of the task's prompt."""
    metric: Text | None = None
    """The figure of the grades that is the score, where a kind gives several: em, contains or f1 of short texts."""

    @property
    def sort(self) -> str:
        """``name`` (catalogue), ``data`` or ``hub``."""
        return "data" if self.data is not None else "hub" if self.hub is not None else "name"

    @model_validator(mode="after")
    def _one_source(self) -> TaskConfig:
        if not self.name and self.sort == "name":
            raise refusal("a task has neither 'name' nor 'data'", "name a task, or give 'data: file.jsonl' or 'hub: owner/name'")
        if self.data is not None and self.hub is not None:
            raise refusal("a task is read from 'data' or from 'hub'", "remove one of them", "hub")
        for key in sorted({key for keys in self._of.values() for key in keys} - set(self._of[self.sort])):
            if getattr(self, key) != type(self).model_fields[key].default:
                goes = " or ".join(
                    "a task's name" if sort == "name" else f"'{sort}'" for sort, keys in self._of.items() if key in keys
                )
                raise refusal(
                    f"'{key}' goes with {goes} only", f"remove '{key}', or {self._instead[key in self._of['name']]}", key
                )
        if not self.name:
            object.__setattr__(self, "name", Path(self.data).stem if self.data else (self.hub or "").rsplit("/", 1)[-1])
        return self


class MethodConfig(Strict):
    """A method; a bare text is its ``name``. Other keys than these are its options, checked by the method itself."""

    _plain = "name"
    _later = ("tune",)
    _rest = True

    name: Text
    """A method, or path/to/file.py:Class of your own."""
    label: Text = ""
    """What tables call it; unless given, ``name``, and of a method in a file of your own what it is registered as."""
    members: Texts | None = None
    """The part of the pool it works with; unless given, all but references."""
    roles: Annotated[dict[Text, Text | Texts], Field(min_length=1)] | None = None
    """Who plays which role: {role: member}."""
    preset: Literal["default", "paper", "moco"] = "default"
    """Values of the options that are not given: ours, the original paper's, or the released MoCo code's."""
    fit_on: Text | None = None
    """The task on whose dev part it is fitted, once per seed, whatever task it answers; unless given, the one it answers."""
    sampling: SamplingConfig = Field(default_factory=SamplingConfig)
    """How its members draw tokens, over the study's."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Its options, which may also stand beside these keys."""

    @model_validator(mode="after")
    def _labelled(self) -> MethodConfig:
        if not self.label:
            object.__setattr__(self, "label", self.name)
        return self

    def names(self) -> Iterator[tuple[Loc, str]]:
        """(path, member) for every member and role this method asks for."""
        for index, member in enumerate(self.members or ()):
            yield ("members", index), member
        for role, who in (self.roles or {}).items():
            for member in (who,) if isinstance(who, str) else who:
                yield ("roles", role), member


class StudyConfig(Strict):
    """The whole file."""

    _later = ("pools", "tune", "adversary", "split")

    name: Text | None = None
    """What the report is headed with."""
    pool: Annotated[tuple[MemberConfig, ...], Field(min_length=1)]
    """The members, in order."""
    aux: dict[Text, MemberConfig] = Field(default_factory=dict)
    """Helpers that are not members, as pool entries: `judge`, `reward`, `embedder`."""
    tasks: Annotated[tuple[TaskConfig, ...], Field(min_length=1)]
    """What is asked."""
    methods: Annotated[tuple[MethodConfig, ...], Field(min_length=1)]
    """The collaborations that are compared."""
    seeds: Annotated[tuple[Annotated[int, Field(strict=True, ge=0)], ...], Field(min_length=1)] = (0,)
    """Everything is run once with each."""
    sampling: SamplingConfig = Field(default_factory=SamplingConfig)
    """How members draw tokens, unless a method says otherwise."""
    baselines: Flag = True
    """Whether every member is also run alone, and the best one on dev with as many tokens as each method spends (where the study
    is greedy, at temperature 0.7)."""
    curves: Literal["stored", "ask"] = "stored"
    """What the curve of a cascade may cost: nothing that is not in the store, or what it needs is asked."""

    @model_validator(mode="after")
    def _consistent(self) -> StudyConfig:
        _distinct("pool", "member", [m.name for m in self.pool], "give one of them another 'name'")
        _distinct("tasks", "task", [t.label or t.name for t in self.tasks], "keep one, or give one of them a 'label'")
        _distinct("methods", "method", [m.label for m in self.methods], "give one of them a 'label' of its own")
        _distinct("seeds", "seed", self.seeds, "keep one")
        if all(m.reference for m in self.pool):
            raise refusal("every member is a reference", "leave at least one that collaborates", "pool")
        inside = {m.name: m.members or () for m in self.pool}
        for index, member in enumerate(self.pool):
            if _reaches(member.name, inside):
                raise refusal(f"member '{member.name}' contains itself", "take it out of 'members'", "pool", index, "members")
        entries = [(("pool", i), m) for i, m in enumerate(self.pool)] + [(("aux", role), m) for role, m in self.aux.items()]
        for place, member in entries:
            for index, name in enumerate(member.members or ()):
                if name not in inside and "/" not in name and not Path(name).exists():
                    raise refusal(f"'{name}' is not in the pool", did_you_mean(name, inside), *place, "members", index)
        known = set(inside) | {m.model for m in self.pool if m.model}
        for index, method in enumerate(self.methods):
            for path, who in method.names():
                allowed = known | set(self.aux) if path[0] == "roles" else known
                if who not in allowed:
                    raise refusal(f"'{who}' is not in the pool", did_you_mean(who, allowed), "methods", index, *path)
        return self


def _distinct(key: str, noun: str, values: Sequence[Hashable], remedy: str) -> None:
    seen: dict[Hashable, int] = {}
    for index, value in enumerate(values):
        if value in seen:
            raise refusal(f"{noun} '{value}' is there twice (also {key}[{seen[value]}])", remedy, key, index)
        seen[value] = index


def _reaches(name: str, inside: Mapping[str, Sequence[str]]) -> bool:
    """Whether following members from ``name`` comes back to it."""
    todo, seen = list(inside[name]), set[str]()
    while todo:
        here = todo.pop()
        if here == name:
            return True
        if here not in seen:
            seen.add(here)
            todo.extend(inside.get(here, ()))
    return False


def load_study(source: str | Path, overrides: Sequence[str] = ()) -> StudyConfig:
    """The study in ``source``: a path, or YAML text (a str with a line break or ``: `` in it).

    ``overrides`` are ``key=value``, the value in YAML, the key dotted: ``sampling.temperature=0``, ``tasks.0.limit=5``
    (or, by name, ``tasks.gsm8k.limit=5``). Raises ConfigError that names file, line and key of every fault found.
    """
    if isinstance(source, Path) or (source and "\n" not in source and ": " not in source):
        where, text = str(source), _file(Path(source))
    else:
        where, text = "study", source
    where, text = _of_released(where, text)
    reader = Reader(where)
    tree = reader.read(text)
    if not isinstance(tree, dict):
        raise ConfigError(
            "a study is a mapping" if text.strip() else "the study is empty",
            where=f"{where}:1:study",
            remedy="write the keys pool, tasks and methods",
        )
    for override in overrides:
        _override(tree, override, reader)
    try:
        return StudyConfig.model_validate(tree)
    except ValidationError as fault:
        faults = _faults(fault, reader)
    if len(faults) == 1:
        raise faults[0]
    raise ConfigError(f"{len(faults)} faults\n" + "\n".join(str(f) for f in faults), where=where)


def _of_released(where: str, text: str) -> tuple[str, str]:
    """An experiment of the released MoCo framework as a study, with what has no place in it logged; any other text as it is."""
    if not text.lstrip("\ufeff \t\r\n").startswith("{"):
        return where, text
    from moco.study.released_config import convert_config, is_released

    if not is_released(text):
        return where, text
    converted = convert_config(text, Path(where))
    for note in converted.notes:
        log.warning("%s: %s", where, note)
    return f"{where} (as `moco convert` writes it)", converted.yaml(where)


def _faults(fault: ValidationError, reader: Reader) -> list[ConfigError]:
    """One ConfigError per place: a union says one fault once per branch, a list of bad items also calls itself short."""
    out: dict[str, ConfigError] = {}
    for error in fault.errors(include_url=False):
        if error["type"] != "too_short" or not error["input"]:
            said = reader.explain(error)
            out.setdefault(said.where, said)
    return list(out.values())


def _file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(4 * MAX_CHARACTERS + 1)
    except (OSError, ValueError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else str(fault)
        raise ConfigError("the study cannot be read", where=str(path), why=str(why), remedy="give an existing file") from fault
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as fault:
        if len(raw) > 4 * MAX_CHARACTERS:  # the cut may have split a character; the reader refuses the length
            return raw.decode("utf-8", "replace")
        line = raw[: fault.start].count(b"\n") + 1
        raise ConfigError("not UTF-8", where=f"{path}:{line}:study", remedy="save the file as UTF-8") from fault


def _override(tree: dict[str, Any], override: str, reader: Reader) -> None:
    where = f"override '{override}'"
    key, equals, text = override.partition("=")
    parts = [p for p in re.split(r"[.\[\]]+", key.strip()) if p]
    if not equals or not parts:
        raise ConfigError("not of the form key=value", where=where, remedy="write for example sampling.temperature=0")
    if not text.strip():
        raise ConfigError(f"'{key}' has no value", where=where, remedy="write key=value, with null for none")
    inner = Reader(where)
    value = inner.read(text)
    here: Any = tree
    path: Loc = ()
    for depth, part in enumerate(parts):
        last = depth == len(parts) - 1
        step: str | int = part
        if isinstance(here, list):
            step = _index(here, part, where, dotted(path))
        elif not isinstance(here, dict):
            raise ConfigError(f"'{dotted(path)}' holds no keys", where=where, remedy="override the whole of it")
        path = (*path, step)
        reader.lines.setdefault(path, where)
        if last:
            here[step] = value
        else:
            below = here.setdefault(step, {}) if isinstance(here, dict) else here[int(step)]
            if isinstance(below, str) and path[0] in ("pool", "tasks", "methods") and len(path) == 2:
                below = {"model" if path[0] == "pool" else "name": below}
            here[step] = below
            here = below
    for stale in [p for p in reader.lines if p[: len(path)] == path]:
        del reader.lines[stale]
    reader.lines |= {(*path, *p): spot for p, spot in inner.lines.items()}
    reader.lines[path] = where


def _index(items: list[Any], part: str, where: str, name: str) -> int:
    if part.isdecimal() and int(part) < len(items):
        return int(part)
    names = [str(i.get("label") or i.get("name") or i.get("model")) if isinstance(i, dict) else str(i) for i in items]
    if part not in names:  # members are also called by the last part of their model
        names = [n.rsplit("/", 1)[-1] for n in names]
    if part not in names:
        raise ConfigError(f"'{name}' has no entry '{part}'", where=where, remedy=f"use 0..{len(items) - 1} or one of {names}")
    return names.index(part)
