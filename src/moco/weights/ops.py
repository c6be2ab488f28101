"""Merge functions by name: pure, one tensor at a time, knowing nothing of files, models or devices.

Invariant: what a function returns depends on its arguments alone; an elementwise one gives the same bits for a tensor as for
its parts, so the executor may hand it pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from moco.core.registry import Registry


def _never(params: Mapping[str, Any]) -> bool:
    return False


@dataclass(frozen=True)
class Op:
    """A merge function and its contract.

    ``merge(tensors, **params)`` (with ``base=tensor`` where the plan has one) returns a float32 or float64 tensor of the
    inputs' shape. ``check(count, **params)`` raises ConfigError for parameters that do not fit ``count`` sources, before
    anything is read. ``keeps(params)``: whether a single source comes back as it is.
    """

    merge: Callable[..., Any]
    check: Callable[..., None]
    base: Literal["none", "optional", "required"] = "none"
    elementwise: bool = True
    keeps: Callable[[Mapping[str, Any]], bool] = _never


OPS: Registry[Op] = Registry("merge function", "moco.merges", {"linear": "moco.weights.linear:LINEAR"})
"""All merge functions; packages add theirs through the entry points ``moco.merges``."""
