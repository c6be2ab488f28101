"""Where kits say how their things become models, so that a pool can build them without knowing the kits."""

from __future__ import annotations

from typing import Any

from moco.core.registry import Registry

BUILDERS: Registry[Any] = Registry("builder", "moco.builders")
"""Filled by kits through entry points. ``group``: ``(rule, members, name) -> model`` of jointly decoded members; ``model``:
``(reference, pool) -> model`` of an artifact id or a merge plan; ``train-KIND``: ``(model, spec, data, folder=, seed=,
progress=)`` fills ``folder`` with what training makes."""
