"""What `fit` learned, as JSON and arrays: hashed, saved and loaded without pickle.

Leaves are JSON values, numpy arrays or dataclasses of these; types come from the method's annotations, so a file can
never name what to import. Numbers that JSON does not have are written as ``{"$number": "inf"}``; files that name them as Python
does (``Infinity``) are read too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydantic

from moco.core.errors import DataError, MethodError
from moco.core.seeds import digest

_ARRAYS = pydantic.ConfigDict(arbitrary_types_allowed=True)
"""Applies to a union, not to a bare dataclass; every leaf may be absent anyway, so the types are read as unions."""


def state_digest(state: Mapping[str, Any]) -> str:
    """Hash of a state: equal state, equal hash."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    plain = _flatten(dict(state), "", arrays)
    hashed = {n: [str(a.dtype), list(a.shape), digest(np.ascontiguousarray(a).tobytes().hex())] for n, a in arrays.items()}
    return digest("state", plain, hashed)


def save_state(state: Mapping[str, Any], folder: Path) -> None:
    """Write ``state.json``, and ``state.safetensors`` where there are arrays, into ``folder``."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    plain = _flatten(dict(state), "", arrays)
    folder.mkdir(parents=True, exist_ok=True)
    if arrays:
        from safetensors.numpy import save_file

        save_file({n: np.ascontiguousarray(a) for n, a in arrays.items()}, folder / "state.safetensors")
    (folder / "state.json").write_text(json.dumps(plain, indent=2, sort_keys=True, allow_nan=False), encoding="utf-8")


def load_state(types: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The state saved in ``folder``; raises DataError where it does not fit the method's annotations."""
    plain = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    if (folder / "state.safetensors").exists():
        from safetensors.numpy import load_file

        arrays = load_file(folder / "state.safetensors")
    if set(plain) != set(types):
        raise DataError(
            f"the saved state has {sorted(plain)}, the method learns {sorted(types)}", where=str(folder), remedy="fit again"
        )
    out = {}
    for name, value in plain.items():
        adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(types[name] | None, config=_ARRAYS)
        try:
            out[name] = adapter.validate_python(_unflatten(value, arrays))
        except pydantic.ValidationError as error:
            raise DataError(
                f"'{name}' does not fit its type: {error.errors()[0]['msg']}", where=str(folder), remedy="fit again"
            ) from error
    return out


def to_json(value: Any) -> Any:
    """``value`` without arrays as strict JSON; raises MethodError for what is no JSON value."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    plain = _flatten(value, "", arrays)
    if arrays:
        raise MethodError(f"an array at '{next(iter(arrays))}' has no place here", remedy="keep it in the state")
    return plain


def from_json(value: Any) -> Any:
    """What `to_json` was given."""
    return _unflatten(value, {})


def _flatten(value: Any, path: str, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    if isinstance(value, np.ndarray):
        arrays[path] = value
        return {"$array": path}
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _flatten(getattr(value, f.name), f"{path}/{f.name}", arrays) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): _flatten(v, f"{path}/{k}", arrays) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_flatten(v, f"{path}/{i}", arrays) for i, v in enumerate(value)]
    if isinstance(value, np.generic):
        return _flatten(value.item(), path, arrays)
    if isinstance(value, float) and not math.isfinite(value):
        return {"$number": str(value)}
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise MethodError(f"fit left a {type(value).__name__} at '{path}'", remedy="keep JSON values, arrays or dataclasses of these")


def _unflatten(value: Any, arrays: Mapping[str, np.ndarray[Any, Any]]) -> Any:
    if isinstance(value, dict):
        if set(value) == {"$array"}:
            return arrays[value["$array"]]
        if set(value) == {"$number"}:
            return float(value["$number"])
        return {k: _unflatten(v, arrays) for k, v in value.items()}
    if isinstance(value, list):
        return [_unflatten(v, arrays) for v in value]
    return value
