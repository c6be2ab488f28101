"""Registries: names to objects, from the package, from entry points, or from a user's ``path/to/file.py:Class``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Generic, TypeVar

from moco.core.errors import ConfigError, did_you_mean

T = TypeVar("T")


class Registry(Generic[T]):
    """Named things of one sort. ``group`` is the entry-point group that outside packages may fill.

    ``builtin`` maps names to ``module`` or ``module:attribute`` so that listing names imports nothing.
    """

    def __init__(self, sort: str, group: str, builtin: dict[str, str] | None = None) -> None:
        self.sort, self.group = sort, group
        self._lazy = dict(builtin or {})
        self._items: dict[str, T] = {}
        self._scanned = False

    def add(self, name: str, item: T) -> T:
        """Register ``item``; the same source file may register again (a reload), another one may not."""
        old = self._items.get(name)
        if old is not None and old is not item and _home(old) != _home(item):
            raise ConfigError(
                f"two {self.sort}s are called '{name}'", where=f"{_home(old)} and {_home(item)}", remedy="rename one"
            )
        self._items[name] = item
        return item

    def names(self) -> list[str]:
        self._scan()
        return sorted({*self._lazy, *self._items})

    def __contains__(self, name: str) -> bool:
        self._scan()
        return name in self._items or name in self._lazy

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def get(self, name: str) -> T:
        """The thing called ``name``; raises ConfigError with a suggestion when there is none."""
        self._scan()
        if name not in self._items and name in self._lazy:
            loaded = _load(self._lazy[name])
            if loaded is not None and name not in self._items:
                self._items[name] = loaded
        if name in self._items:
            return self._items[name]
        raise ConfigError(f"unknown {self.sort} '{name}'", remedy=did_you_mean(name, self.names()))

    def _scan(self) -> None:
        if self._scanned:
            return
        for point in metadata.entry_points(group=self.group):
            self._lazy.setdefault(point.name, point.value)
        self._scanned = True  # last: another thread that comes in the middle scans for itself


def load_file(reference: str, where: str = "") -> Any:
    """The object a ``path/to/file.py:Name`` reference names; raises ConfigError when file or name is missing."""
    path_text, _, name = reference.rpartition(":")
    path = Path(path_text).expanduser()
    if not path.is_file():
        raise ConfigError(f"there is no file '{path_text}'", where=where, remedy="write path/to/file.py:Class")
    module_name = f"moco_file_{abs(hash(path.resolve()))}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"'{path_text}' is not a Python file", where=where, remedy="write path/to/file.py:Class")
    module = sys.modules.get(module_name)
    if module is None:
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[module_name]
            raise
    if not hasattr(module, name):
        public = [n for n in vars(module) if not n.startswith("_")]
        raise ConfigError(f"'{path_text}' has no '{name}'", where=where, remedy=did_you_mean(name, public))
    return getattr(module, name)


def is_file_reference(name: str) -> bool:
    return ".py:" in name


def _load(target: str) -> Any:
    module_name, _, attribute = target.partition(":")
    module = importlib.import_module(module_name)
    return getattr(module, attribute) if attribute else None


def _home(item: Any) -> str:
    return str(getattr(item, "__module__", type(item).__module__))
