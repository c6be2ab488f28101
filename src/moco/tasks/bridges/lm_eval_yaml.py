"""The YAML of a harness task: one mapping, with ``include`` resolved; no code, no unknown key.

``!function`` names Python of the harness, which moco does not run: it is refused with the key it stands under.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from moco.core.errors import ConfigError, DataError, did_you_mean

READ = (
    *("task", "dataset_path", "dataset_name", "dataset_kwargs", "training_split", "validation_split", "test_split"),
    *("fewshot_split", "doc_to_text", "doc_to_target", "doc_to_choice", "description", "output_type", "generation_kwargs"),
    *("filter_list", "metric_list", "num_fewshot", "include", "target_delimiter", "fewshot_delimiter", "fewshot_config"),
)
IDLE = ("tag", "group", "task_alias", "metadata", "should_decontaminate", "doc_to_decontamination_query", "unsafe_code")
"""Keys that do not change what is asked or scored here."""
KNOWN = (*READ, *IDLE)
_DEEPEST = 8


class _Loader(yaml.SafeLoader):
    """YAML without anything that constructs objects."""


class _Function:
    """Stands for a ``!function`` until it is refused by the name of its key."""

    def __init__(self, name: str) -> None:
        self.name = name


def _function(loader: yaml.SafeLoader, node: yaml.Node) -> _Function:
    return _Function(str(getattr(node, "value", "")))


_Loader.add_constructor("!function", _function)


def read_task_yaml(path: Path, depth: int = 0) -> dict[str, Any]:
    """The keys of the task at ``path`` over those it includes. Raises DataError where a file cannot be read, ConfigError for
    a key that is unknown, or that only code could honour."""
    if depth > _DEEPEST:
        raise ConfigError("include goes in a circle", where=str(path), remedy="include each file once")
    try:
        keys = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        raise DataError(f"the file cannot be read: {error.strerror}", where=str(path), remedy="name an existing file") from error
    except UnicodeDecodeError as error:
        raise DataError("is not UTF-8", where=str(path), remedy="save the file as UTF-8") from error
    except yaml.MarkedYAMLError as error:
        line = (error.problem_mark.line + 1) if error.problem_mark else 1
        raise DataError(f"is not YAML: {error.problem}", where=f"{path}:{line}", remedy="correct that line") from error
    if not isinstance(keys, dict):
        raise DataError(
            "is not a task of lm-evaluation-harness",
            where=str(path),
            remedy="it is a mapping with dataset_path, doc_to_text, ...",
        )
    for key, value in keys.items():
        _refuse(str(key), value, str(path))
    base: dict[str, Any] = {}
    if isinstance(keys.get("include"), str):
        base = read_task_yaml(path.parent / keys["include"], depth + 1)
    merged = {**base, **{key: value for key, value in keys.items() if key != "include"}}
    if depth == 0:
        for key in ("dataset_path", "doc_to_text", "doc_to_target"):
            if merged.get(key) is None:
                raise ConfigError(f"'{key}' is missing", where=str(path), remedy=f"add {key}")
    return merged


def _refuse(key: str, value: Any, where: str) -> None:
    at = f"{where}: {key}"
    if isinstance(value, _Function):
        raise ConfigError(
            f"'{key}: !function {value.name}' is code", where=at, why="moco runs no Python of a task file",
            remedy="write a template, or convert the data with moco data convert",
        )  # fmt: skip
    if key not in KNOWN:
        raise ConfigError(f"key '{key}' is not understood", where=at, remedy=did_you_mean(key, KNOWN))
    for inner in value if isinstance(value, list) else value.values() if isinstance(value, dict) else ():
        if isinstance(inner, _Function):
            _refuse(key, inner, where)
        elif isinstance(inner, dict | list):
            _nested(key, inner, where)
    if key == "fewshot_config" and value not in (None, {}, {"sampler": "first_n"}):
        raise ConfigError("only the sampler first_n is understood", where=at, remedy="write fewshot_config: {sampler: first_n}")


def _nested(key: str, value: Any, where: str) -> None:
    for inner in value if isinstance(value, list) else value.values():
        if isinstance(inner, _Function):
            _refuse(key, inner, where)
        elif isinstance(inner, dict | list):
            _nested(key, inner, where)
