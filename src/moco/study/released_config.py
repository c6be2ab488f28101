"""The experiment config of the released MoCo framework as a study: one method, one task, a list of models.

Invariant: nothing is dropped silently. A key that neither knows is an error; a value that moco has no place for, or a change of
meaning, is a comment of the study. The numbers are not the released code's: its defects are not carried over (``preset: moco``
takes its rules and values without them).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from moco.collab import METHODS, load_method, option_types
from moco.core.errors import ConfigError, did_you_mean
from moco.study.released_methods import SHARED, Helper, Known, NoPlace, Option, Place, Role, known_methods
from moco.study.strictyaml import MAX_CHARACTERS
from moco.tasks import TASKS
from moco.tasks.record import KIND_ALIASES

KEYS = ("method", "task", "task_type", "gpu_ids", "model_names", "hyperparameters")
_SAMPLING = {"max_response_length": ("max_tokens", 512), "temperature": ("temperature", 0.7), "top_p": ("top_p", 0.9)}
_HELPERS = {"reward": ("reward", "Skywork/Skywork-Reward-Llama-3.1-8B-v0.2"), "verifier": ("judge", "TIGER-Lab/general-verifier")}
_TINY = {"agieval_tiny": ("agieval", 40)}
"""Samples that the released code has as tasks of their own: (our task, items of dev and of test)."""
_BY_FIELDS = ("multiple_choice", "short_text")


@dataclass
class Converted:
    """A study, as keys and values, and what is to be said about it."""

    study: dict[str, Any]
    notes: list[str] = field(default_factory=list)

    def yaml(self, source: str = "") -> str:
        """The study file, its notes as comments above it."""
        head = [f"# converted from {source}" if source else "# converted from a config of the released MoCo framework"]
        head += [f"# {line}" for note in self.notes for line in note.splitlines()]
        parts = [
            yaml.safe_dump({key: value}, sort_keys=False, allow_unicode=True, width=120) for key, value in self.study.items()
        ]
        return "\n".join(head) + "\n" + "".join(parts)


def is_released(text: str) -> bool:
    """Whether ``text`` is such a config: a JSON object with a method and model names."""
    if not text.lstrip("\ufeff \t\r\n").startswith("{"):
        return False
    try:
        value = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return '"method"' in text and '"model_names"' in text  # a torn one is still told so
    return isinstance(value, dict) and "method" in value and "model_names" in value


def convert_config(text: str, path: Path | None = None) -> Converted:
    """The study that the config in ``text`` (from ``path``) stands for.

    Raises ConfigError for text that is not JSON, a missing or unknown key, an unknown method, and values of the wrong type.
    """
    where = str(path or "config")
    config, notes = _parsed(text, where)
    _check_keys(config, where, text)
    known = _method(config["method"], where, text)
    models = _texts(config["model_names"], "model_names", where, text)
    values = dict(config.get("hyperparameters") or {})
    out = Converted({}, notes)
    pool = _pool(models, values.pop("model_descriptions", None), out, where, text)
    placed = _placed(known, values, [entry["name"] for entry in pool], out, where, text)
    task, helpers = _task(config, path, out)
    out.study = {"pool": pool}
    if aux := {**helpers, **placed.aux}:
        out.study["aux"] = aux
    out.study |= {"tasks": [task], "methods": [placed.method]}
    if placed.seed is not None:
        out.study["seeds"] = [placed.seed]
    out.study["sampling"] = _sampling(config.get("hyperparameters") or {}, where, text)
    if config.get("gpu_ids"):
        shown = ",".join(str(one) for one in config["gpu_ids"]) if isinstance(config["gpu_ids"], list) else config["gpu_ids"]
        out.notes.append(f"gpu_ids: moco uses the visible devices; for these alone, run it with CUDA_VISIBLE_DEVICES={shown}")
    return out


def _parsed(text: str, where: str) -> tuple[dict[str, Any], list[str]]:
    """The config, and a note for every key that is given twice: the last one counts, as in the released code."""
    notes: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for key, value in items:
            if key in seen:
                notes.append(f"{key} is given twice; the last value counts, {value!r}, as in the released code")
            seen[key] = value
        return seen

    if len(text) > MAX_CHARACTERS:
        raise ConfigError("longer than a config can be", where=f"{where}:1", remedy="give one config of the released framework")
    try:
        config = json.loads(text.removeprefix("\ufeff"), object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        remedy = "remove the comments" if "//" in text else "correct that line"
        raise ConfigError(f"is not JSON: {error.msg}", where=f"{where}:{error.lineno}", remedy=remedy) from error
    except RecursionError as error:
        raise ConfigError("is nested too deeply", where=f"{where}:1", remedy="write a flat object") from error
    if not isinstance(config, dict):
        raise ConfigError(
            "is not a config of the released framework", where=f"{where}:1", remedy=f"it has the keys {', '.join(KEYS)}"
        )
    return config, notes


def _check_keys(config: Mapping[str, Any], where: str, text: str) -> None:
    unknown = [key for key in config if key not in KEYS]
    if unknown:
        raise _several([_fault(f"unknown key '{key}'", key, did_you_mean(key, KEYS), where, text) for key in unknown], where)
    for key in ("method", "task", "model_names"):
        if config.get(key) in (None, "", []):
            raise ConfigError(f"'{key}' is missing", where=where, remedy=f"add {key}")
    for key, kind in (("method", str), ("task", str), ("task_type", str), ("hyperparameters", dict)):
        if config.get(key) is not None and not isinstance(config[key], kind):
            raise _fault(f"'{key}' has the wrong type", key, "see the released documentation", where, text)


def _method(name: str, where: str, text: str) -> Known:
    known = known_methods()
    if name not in known:
        raise _fault(f"unknown method '{name}'", "method", did_you_mean(name, known), where, text)
    return known[name]


def _pool(models: list[str], told: Any, out: Converted, where: str, text: str) -> list[dict[str, Any]]:
    """One entry a model, under names that differ; ``told`` are their descriptions, in the same order."""
    if told is not None and (not isinstance(told, list) or len(told) != len(models)):
        raise _fault(
            "model_descriptions does not describe every model", "model_descriptions", f"write {len(models)} texts", where, text
        )
    pool: list[dict[str, Any]] = []
    for number, model in enumerate(models):
        name, tail = model.rstrip("/").rsplit("/", 1)[-1], 2
        taken = {entry["name"] for entry in pool}
        base = name
        while name in taken:
            name, tail = f"{base}-{tail}", tail + 1
        entry = {"name": name, "model": model}
        if told is not None and told[number]:
            entry["description"] = str(told[number])
        if "lora" in base.lower():
            out.notes.append(f"{model} looks like an adapter; moco takes it as {{name: {name}, model: BASE, adapter: {model}}}")
        pool.append(entry)
    return pool


@dataclass
class _Placed:
    method: dict[str, Any]
    aux: dict[str, str] = field(default_factory=dict)
    seed: int | None = None


def _placed(known: Known, values: dict[str, Any], names: list[str], out: Converted, where: str, text: str) -> _Placed:
    """The method's entry, with every hyperparameter in its place."""
    places: dict[str, Place] = {**SHARED, **known.places}
    mine = {key: value for key, value in values.items() if key not in _SAMPLING and key != "seed"}
    unknown = [key for key in mine if key not in places]
    if unknown:
        allowed = (*places, *_SAMPLING, "seed", "model_descriptions")
        raise _several(
            [
                _fault(f"unknown hyperparameter '{key}' of {known.name}", key, did_you_mean(key, allowed), where, text)
                for key in unknown
            ],
            where,
        )
    there = known.name in METHODS
    if not there:
        out.notes.append(f"moco does not have the method {known.name} yet: this study cannot run until it does")
    has = set(option_types(METHODS.get(known.name))) if there else None
    result = _Placed({"name": known.name, "preset": "moco"})
    roles = {role: names[place] for place, role in enumerate(known.roles) if place < len(names)}
    for key, value in mine.items():
        place = places[key]
        if isinstance(place, NoPlace):
            out.notes.append(f"{key}: {_shown(value)} has no place: {place.why}")
        elif isinstance(place, Helper):
            if value is not None:
                result.aux[place.name] = str(value)
        elif isinstance(place, Role):
            if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < len(names):
                raise _fault(f"'{key}' is no place in model_names", key, f"write 0 to {len(names) - 1}", where, text)
            roles[place.name] = names[value]
        else:
            _set(place, key, value, has, known, names, result, out)
    if roles and len(set(roles.values())) == len(roles):
        result.method["roles"] = roles
    if isinstance(values.get("seed"), int) and not isinstance(values["seed"], bool) and values["seed"] >= 0:
        result.seed = values["seed"]
    elif "seed" in values:
        raise _fault("'seed' is not a whole number of 0 or more", "seed", "write a whole number", where, text)
    return result


def _set(
    place: Option, key: str, value: Any, has: set[str] | None, known: Known, names: list[str], result: _Placed, out: Converted
) -> None:
    """Write ``value`` as the option it belongs to, or say that the method has none."""
    name = next((one for one in place.names if has is not None and one in has), None)
    made = place.change(value)
    if has is not None and name is None:
        out.notes.append(f"{key}: {_shown(value)} has no place: moco's {known.name} has no such option")
        return
    name = name or place.names[0]
    if name in ("judge", "writer", "base") and isinstance(made, str):  # a member by the name it has here, or a helper
        inside = next((entry for entry in names if made == entry or made.rsplit("/", 1)[-1] == entry), None)
        if inside is None and name == "judge":
            result.aux["judge"] = made
            made = "aux.judge"
        elif inside is None and name == "writer":
            out.notes.append(f"{key}: {made} has no place: moco's writer is a member of the pool")
            return
        elif name != "base":
            made = inside
    if has is not None and (refused := _refused(known.name, name, made)):
        out.notes.append(f"{key}: {_shown(value)} has no place: moco's {known.name}.{name} does not take it ({refused})")
        return
    result.method[name] = made
    if made != value or name != key:
        out.notes.append(f"{key}: {_shown(value)} is {name}: {_shown(made)}")


def _refused(method: str, name: str, value: Any) -> str:
    """Why the method does not take ``value`` for the option; '' where it does."""
    try:
        load_method(method, preset="moco", **{name: value})
    except ConfigError as error:
        return error.what
    return ""


def _task(config: Mapping[str, Any], path: Path | None, out: Converted) -> tuple[dict[str, Any], dict[str, str]]:
    """The task's entry, and the helpers its answers need."""
    name, given = config["task"], config.get("task_type")
    kind = KIND_ALIASES.get(given, given) if given else None
    ours, limit = _TINY.get(name, (name, None))
    file = next((one for one in _places(name, path) if one.is_file()), None)
    if ours in TASKS and not (file and limit):
        entry: dict[str, Any] = {"name": ours}
        if limit is not None:
            entry["limit"] = limit
            out.notes.append(f"{name} is {limit} items of {ours}; moco draws its own {limit} of dev and of test")
        elif file is not None:
            entry |= {"data_dir": str(file), "split": "moco"}
        else:
            out.notes.append(f"{name}: for the released dev and test, add data_dir: FOLDER (with {name}.json) and split: moco")
        if given:
            out.notes.append(f"task_type: {given} is the task's own matter; moco's {ours} knows how its answers are graded")
    elif file is not None:
        entry = {"name": name, "data": str(file)}
        if kind is not None and kind not in _BY_FIELDS:
            entry["kind"] = given
    else:
        entry = {"name": name}
        out.notes.append(f"moco has no task '{name}'; with its file, write {{data: {name}.json}}")
    graded = TASKS.get(ours).kind if ours in TASKS else kind
    if given == "f1_match" and graded == "short_text":
        entry["metric"] = "f1"
        if "data" in entry:  # numbers among the answers are compared as texts too, or they would have no F1
            entry["kind"] = graded
    return entry, {_HELPERS[graded][0]: _HELPERS[graded][1]} if graded in _HELPERS else {}


def _places(name: str, path: Path | None) -> Iterator[Path]:
    """Where the released repository keeps a task's data, seen from a config in it."""
    if path is not None and "/" not in name and "\\" not in name:
        for folder in (path.parent, path.parent.parent):
            for inner in ("", "data", "model_collaboration/data"):
                yield folder / inner / f"{name}.json"


def _sampling(values: Mapping[str, Any], where: str, text: str) -> dict[str, Any]:
    """Ours of the three generation settings; the released defaults where they are not given."""
    out: dict[str, Any] = {}
    for key, (name, default) in _SAMPLING.items():
        value = values.get(key, default)
        wanted = (int,) if name == "max_tokens" else (int, float)
        if isinstance(value, bool) or not isinstance(value, wanted):
            raise _fault(f"'{key}' is {value!r}", key, "write a number", where, text)
        out[name] = value
    return out


def _texts(value: Any, key: str, where: str, text: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
        raise _fault(f"'{key}' is not a list of names", key, "write a list of models", where, text)
    return [str(one) for one in value]


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _fault(what: str, key: str, remedy: str, where: str, text: str) -> ConfigError:
    """A fault at the line where ``key`` stands first."""
    at = text.find(f'"{key}"')
    line = text.count("\n", 0, at) + 1 if at >= 0 else 1
    return ConfigError(what, where=f"{where}:{line}:{key}", remedy=remedy)


def _several(faults: list[ConfigError], where: str) -> ConfigError:
    if len(faults) == 1:
        return faults[0]
    return ConfigError(f"{len(faults)} faults\n" + "\n".join(str(fault) for fault in faults), where=where)
