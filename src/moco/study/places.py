"""What a study file points at, wherever a command is given: its paths are those of the folder the file lies in.

A relative path is looked up beside the study file first, then in the current folder; what is in neither place belongs beside
the file. In the settled study every path is absolute, so that a run's cells can be asked, served and read again from anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from moco.collab import load_method
from moco.core.errors import ConfigError, MocoError
from moco.core.registry import is_file_reference
from moco.models.member import SCHEMES
from moco.study.config import MemberConfig, MethodConfig, StudyConfig, TaskConfig, load_study
from moco.study.prompting import PromptConfig

DRAWN_FROM = ("own", "dev")
"""Sources of worked examples that are no files."""
AT_A_PATH = (".", "~", "/")
"""How a model begins that is a folder and no name."""


def read_study(source: str | Path, overrides: Sequence[str] = ()) -> StudyConfig:
    """`load_study`, settled: beside the file, or for text in the current folder. Raises what `load_study` raises."""
    config = load_study(source, overrides)
    is_file = isinstance(source, Path) or ("\n" not in source and ": " not in source)
    return settled(config, Path(source).expanduser().resolve().parent if is_file else Path.cwd())


def settled(config: StudyConfig, folder: Path) -> StudyConfig:
    """``config`` with absolute paths; methods from files of one's own are called what they are registered as.

    Raises ConfigError where two methods come to be called the same.
    """
    pool = [_member(entry, folder) for entry in config.pool]
    called = {old.model: new.model for old, new in zip(config.pool, pool, strict=True) if old.model and new.model}
    own = {entry.name for entry in pool}
    pool = [entry.model_copy(update={"members": _inside(entry, own, called, folder)}) for entry in pool]
    methods = [_method(entry, folder, called) for entry in config.methods]
    _distinct(methods)
    return config.model_copy(
        update={
            "pool": tuple(pool),
            "aux": {role: _member(entry, folder) for role, entry in config.aux.items()},
            "tasks": tuple(_task(entry, folder) for entry in config.tasks),
            "methods": tuple(methods),
        }
    )


def _found(text: str, folder: Path) -> str:
    path = Path(text).expanduser()
    beside = folder / path  # an absolute path stays what it is
    return str((path if not beside.exists() and path.exists() else beside).absolute())


def _member(entry: MemberConfig, folder: Path) -> MemberConfig:
    set_: dict[str, Any] = {}
    if entry.model is not None and _is_folder(entry, folder):
        set_["model"] = _found(entry.model, folder)
    if entry.adapter is not None:
        set_["adapter"] = _found(entry.adapter, folder)
    if entry.method is not None and is_file_reference(entry.method):
        set_["method"] = _reference(entry.method, folder)
    return entry.model_copy(update=set_)


def _inside(entry: MemberConfig, own: Set[str], called: Mapping[str, str], folder: Path) -> tuple[str, ...] | None:
    """The members of a collaboration: names of the pool, or models, some of them paths."""
    if entry.members is None:
        return None
    renamed = (name if name in own else called.get(name, name) for name in entry.members)
    return tuple(_found(name, folder) if name not in own and name.startswith(AT_A_PATH) else name for name in renamed)


def _is_folder(entry: MemberConfig, folder: Path) -> bool:
    """Whether ``model`` is a path: it begins like one, or names a folder that is there (and no scheme, as playground/alpha)."""
    model = entry.model or ""
    if model.startswith(AT_A_PATH):
        return True
    plain = entry.backend in (None, "hf") and model.split("/", 1)[0] not in SCHEMES
    return plain and ((folder / model).is_dir() or Path(model).is_dir())


def _task(entry: TaskConfig, folder: Path) -> TaskConfig:
    set_: dict[str, Any] = {
        key: _found(value, folder) for key in ("data", "data_dir") if (value := getattr(entry, key)) is not None
    }
    if entry.prompt is not None:
        set_["prompt"] = _prompt(entry.prompt, folder)
    return entry.model_copy(update=set_)


def _prompt(prompt: PromptConfig, folder: Path) -> PromptConfig:
    shots = prompt.few_shot
    if shots is None or shots.source is None or shots.source in DRAWN_FROM:
        return prompt
    return prompt.model_copy(update={"few_shot": shots.model_copy(update={"source": _found(shots.source, folder)})})


def _method(entry: MethodConfig, folder: Path, called: Mapping[str, str]) -> MethodConfig:
    set_: dict[str, Any] = {"members": _renamed(entry.members, called)}
    if entry.roles is not None:
        set_["roles"] = {
            role: called.get(who, who) if isinstance(who, str) else _renamed(who, called) for role, who in entry.roles.items()
        }
    if is_file_reference(entry.name):
        set_["name"] = _reference(entry.name, folder)
        if entry.label == entry.name:
            set_["label"] = _registered(set_["name"], entry)
    return entry.model_copy(update=set_)


def _reference(text: str, folder: Path) -> str:
    path, _, name = text.rpartition(":")
    return f"{_found(path, folder)}:{name}"


def _registered(reference: str, entry: MethodConfig) -> str:
    """The name a method of a file gives itself; its reference as it was written where it cannot be loaded, which is told later,
    with its place in the study."""
    try:
        return load_method(reference, preset=entry.preset, **entry.options).info.name
    except MocoError:
        return entry.label


def _renamed(names: Sequence[str] | None, called: Mapping[str, str]) -> tuple[str, ...] | None:
    return None if names is None else tuple(called.get(name, name) for name in names)


def _distinct(methods: Sequence[MethodConfig]) -> None:
    seen: set[str] = set()
    for number, method in enumerate(methods):
        if method.label in seen:
            raise ConfigError(
                f"two methods are called '{method.label}'",
                where=f"methods[{number}]",
                remedy="give one of them a 'label' of its own",
            )
        seen.add(method.label)


__all__ = ["read_study", "settled"]
