"""The study file: strict YAML into frozen models, every fault named by file, line and key, with its remedy.

Invariant: a value means what it says or is refused. No key is ignored, no text is read as a truth value or an octal
number, nothing is given twice, and nothing is expanded (no anchors, aliases, tags). What a method's own options mean
is the method's to check; here they are only collected. Overrides are read by the same rules as the file.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from moco.core.errors import ConfigError, did_you_mean
from moco.core.types import Sampling
from moco.models.adversary import Adversary
from moco.study.strictyaml import MAX_CHARACTERS, Loc, Reader, dotted
from moco.tasks.record import KIND_ALIASES, KIND_NAMES, Prompt

log = logging.getLogger("moco.study")

Text = Annotated[str, Field(strict=True, min_length=1, pattern=r"\S")]
Texts = Annotated[tuple[Text, ...], Field(min_length=1)]
Count = Annotated[int, Field(strict=True, ge=1)]
Real = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Flag = Annotated[bool, Field(strict=True)]


def _fault(what: str, remedy: str, *at: str | int) -> PydanticCustomError:
    """A fault ``at`` a path below the model that raises it."""
    return PydanticCustomError("study", "{what}; remedy: {remedy}", {"what": what, "remedy": remedy, "at": at})


class _Strict(BaseModel):
    """Frozen; unknown keys are refused with the nearest known one."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    _plain: ClassVar[str] = ""
    """The field that a bare text stands for."""
    _later: ClassVar[tuple[str, ...]] = ()
    """Keys of the design which this version does not have."""
    _rest: ClassVar[bool] = False
    """Whether unknown keys are collected in ``options``."""

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if isinstance(value, str) and cls._plain:
            return {cls._plain: value}
        if not isinstance(value, Mapping):
            if not cls._plain and not isinstance(value, BaseModel) and value is not None:
                raise _fault("keys and values are wanted here", "write {key: value}, or one 'key: value' per line")
            return value
        known, extra = {}, {}
        for key, item in value.items():
            if key in cls._later:
                raise _fault(f"this version does not support '{key}' yet", "leave it out", key)
            if key in cls.model_fields:
                known[key] = item
            elif cls._rest:
                extra[key] = item
            else:
                raise _fault(f"unknown key '{key}'", did_you_mean(str(key), cls.model_fields), key)
        options = known.get("options", {})
        if extra and isinstance(options, Mapping):
            for key in extra.keys() & options.keys():
                raise _fault(f"option '{key}' is given twice", "keep one of them", key)
            known["options"] = {**options, **extra}
        return known


class SamplingConfig(_Strict):
    """What is set of ``Sampling``; None leaves the default (or the study's value) as it is."""

    max_tokens: Count | None = None
    temperature: Annotated[Real, Field(ge=0)] | None = None
    top_p: Annotated[Real, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(strict=True, ge=0)] | None = None
    min_p: Annotated[Real, Field(ge=0, le=1)] | None = None
    stop: tuple[Annotated[str, Field(strict=True, min_length=1)], ...] | None = None

    def over(self, base: Sampling | None = None) -> Sampling:
        """``base`` (default: moco's) with what is set here."""
        return (base or Sampling()).but(**self.model_dump())


class MemberConfig(_Strict):
    """A pool entry: a ``model``, or a collaboration (``method`` over ``members``). ``cost`` is any nonnegative unit."""

    _plain = "model"
    _later = ("cell", "trust_remote_code")
    _loading: ClassVar[tuple[str, ...]] = ("adapter", "revision", "dtype", "device", "label")
    """What is handed on to the backend that loads ``model``."""

    name: Text = ""
    """Unless given: the last part of ``model``, or ``method``."""
    model: Text | None = None
    method: Text | None = None
    members: Texts | None = None
    fit_on: Text | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    description: Annotated[str, Field(strict=True)] = ""
    role: Text | None = None
    backend: Text | None = None
    adapter: Text | None = None
    revision: Text | None = None
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    device: Text | None = None
    label: Text | None = None
    """Which output of a classifier the reward is (``aux.reward``), where it has several."""
    cost: Annotated[Real, Field(ge=0)] | None = None
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
                raise _fault(error.what, error.remedy, *error.where.split(".")) from error
        if (self.model is None) == (self.method is None):
            raise _fault("a member is a model or a method, exactly one", "give 'model: ...' or 'method: ...'")
        wrong = ("members", "fit_on", "options") if self.method is None else ("backend", *self._loading, "cost")
        for key in wrong:
            if key in self.model_fields_set and getattr(self, key) not in (None, {}):
                kind = "model" if self.method is None else "method"
                raise _fault(f"'{key}' does not go with '{kind}'", f"remove '{key}' or '{kind}'", key)
        if self.method is not None and self.members is None:
            raise _fault("a collaboration needs 'members'", "list the models or pool names it works with", "members")
        if not self.name:  # a frozen model may still complete itself while it is being validated
            object.__setattr__(self, "name", (self.model or self.method or "").rstrip("/").rsplit("/", 1)[-1])
        return self

    @property
    def loading(self) -> dict[str, str]:
        """Options of the backend that are set."""
        return {key: getattr(self, key) for key in self._loading if getattr(self, key) is not None}


class PromptConfig(_Strict):
    """What is changed of a task's prompt; a bare text is the template. Shots stay the task's own."""

    _plain = "template"

    template: Annotated[str, Field(strict=True)] | None = None
    system: Annotated[str, Field(strict=True)] | None = None
    answer_format: Annotated[str, Field(strict=True)] | dict[Text, Annotated[str, Field(strict=True)]] | None = None
    """One text for every kind of answer, or a text per kind."""

    @model_validator(mode="after")
    def _whole(self) -> PromptConfig:
        if self.template is not None and "{question}" not in self.template:
            raise _fault("the template does not show the question", "write {question} where it belongs", "template")
        if isinstance(self.answer_format, dict):
            for kind in self.answer_format:
                if KIND_ALIASES.get(kind, kind) not in KIND_NAMES:
                    raise _fault(f"unknown kind '{kind}'", did_you_mean(kind, KIND_NAMES), "answer_format", kind)
        return self

    def over(self, base: Prompt) -> Prompt:
        """``base`` with what is set here."""
        formats = self.answer_format
        if isinstance(formats, str):
            formats = dict.fromkeys(KIND_NAMES, formats)
        return replace(
            base,
            template=base.template if self.template is None else self.template,
            system=base.system if self.system is None else self.system,
            answer_format=base.answer_format
            if formats is None
            else {**base.answer_format, **{KIND_ALIASES.get(kind, kind): text for kind, text in formats.items()}},
        )


class TaskConfig(_Strict):
    """A task of the catalogue by ``name``, own ``data`` (a path), or a data set of the ``hub`` (owner/name).

    ``limit`` is the most items of dev and of test each.
    """

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
    hub: Text | None = None
    kind: Text | None = None
    limit: Count | None = None
    fields: dict[Text, Text | Texts] | None = None
    """Which column each field of a record is in: {question: prompt, choices: [a, b, c, d], answer: key}."""
    config: Text | None = None
    splits: dict[Literal["dev", "test", "all"], Text] | None = None
    """The hub's names of our splits; `all` is divided by moco."""
    revision: Text | None = None
    """The commit of a data set on the hub."""
    data_dir: Text | None = None
    """Where the original files of a catalogue task lie, or the released MoCo file of it."""
    split: Literal["ours", "moco"] = "ours"
    variant: Text | None = None
    prompt: PromptConfig | None = None
    metric: Text | None = None
    """The figure of the grades that is the score, where a kind gives several: em, contains or f1 of short texts."""

    @property
    def sort(self) -> str:
        """``name`` (catalogue), ``data`` or ``hub``."""
        return "data" if self.data is not None else "hub" if self.hub is not None else "name"

    @model_validator(mode="after")
    def _one_source(self) -> TaskConfig:
        if not self.name and self.sort == "name":
            raise _fault("a task has neither 'name' nor 'data'", "name a task, or give 'data: file.jsonl' or 'hub: owner/name'")
        if self.data is not None and self.hub is not None:
            raise _fault("a task is read from 'data' or from 'hub'", "remove one of them", "hub")
        for key in sorted({key for keys in self._of.values() for key in keys} - set(self._of[self.sort])):
            if getattr(self, key) != type(self).model_fields[key].default:
                goes = " or ".join(
                    "a task's name" if sort == "name" else f"'{sort}'" for sort, keys in self._of.items() if key in keys
                )
                raise _fault(
                    f"'{key}' goes with {goes} only", f"remove '{key}', or {self._instead[key in self._of['name']]}", key
                )
        if not self.name:
            object.__setattr__(self, "name", Path(self.data).stem if self.data else (self.hub or "").rsplit("/", 1)[-1])
        return self


class MethodConfig(_Strict):
    """A method; keys that are not of this model are its ``options``, checked by the method itself."""

    _plain = "name"
    _later = ("tune",)
    _rest = True

    name: Text
    label: Text = ""
    """What tables call it; unless given, ``name``."""
    members: Texts | None = None
    roles: Annotated[dict[Text, Text | Texts], Field(min_length=1)] | None = None
    preset: Literal["default", "paper", "moco"] = "default"
    fit_on: Text | None = None
    sampling: SamplingConfig = Field(default_factory=SamplingConfig)
    options: dict[str, Any] = Field(default_factory=dict)

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


class StudyConfig(_Strict):
    """A whole study. ``load_study`` makes one from YAML; made directly, faults are pydantic's ValidationError."""

    _later = ("pools", "tune", "adversary", "split")

    name: Text | None = None
    pool: Annotated[tuple[MemberConfig, ...], Field(min_length=1)]
    aux: dict[Text, MemberConfig] = Field(default_factory=dict)
    tasks: Annotated[tuple[TaskConfig, ...], Field(min_length=1)]
    methods: Annotated[tuple[MethodConfig, ...], Field(min_length=1)]
    seeds: Annotated[tuple[Annotated[int, Field(strict=True, ge=0)], ...], Field(min_length=1)] = (0,)
    sampling: SamplingConfig = Field(default_factory=SamplingConfig)
    baselines: Flag = True

    @model_validator(mode="after")
    def _consistent(self) -> StudyConfig:
        _distinct("pool", "member", [m.name for m in self.pool], "give one of them another 'name'")
        _distinct("tasks", "task", [t.label or t.name for t in self.tasks], "keep one, or give one of them a 'label'")
        _distinct("methods", "method", [m.label for m in self.methods], "give one of them a 'label' of its own")
        _distinct("seeds", "seed", self.seeds, "keep one")
        if all(m.reference for m in self.pool):
            raise _fault("every member is a reference", "leave at least one that collaborates", "pool")
        inside = {m.name: m.members or () for m in self.pool}
        for index, member in enumerate(self.pool):
            if _reaches(member.name, inside):
                raise _fault(f"member '{member.name}' contains itself", "take it out of 'members'", "pool", index, "members")
        entries = [(("pool", i), m) for i, m in enumerate(self.pool)] + [(("aux", role), m) for role, m in self.aux.items()]
        for place, member in entries:
            for index, name in enumerate(member.members or ()):
                if name not in inside and "/" not in name and not Path(name).exists():
                    raise _fault(f"'{name}' is not in the pool", did_you_mean(name, inside), *place, "members", index)
        known = set(inside) | {m.model for m in self.pool if m.model}
        for index, method in enumerate(self.methods):
            for path, who in method.names():
                allowed = known | set(self.aux) if path[0] == "roles" else known
                if who not in allowed:
                    raise _fault(f"'{who}' is not in the pool", did_you_mean(who, allowed), "methods", index, *path)
        return self


def _distinct(key: str, noun: str, values: Sequence[Hashable], remedy: str) -> None:
    seen: dict[Hashable, int] = {}
    for index, value in enumerate(values):
        if value in seen:
            raise _fault(f"{noun} '{value}' is there twice (also {key}[{seen[value]}])", remedy, key, index)
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
