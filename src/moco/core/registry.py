"""Registries: names to objects, from the package, from entry points, or from a user's ``path/to/file.py:Class``."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from moco.core.errors import ConfigError, MocoError, did_you_mean, in_a_line

T = TypeVar("T")


class Registry(Generic[T]):
    """Named things of one sort. ``group`` is the entry-point group that outside packages may fill.

    ``builtin`` maps names to ``module`` or ``module:attribute`` so that listing names imports nothing. ``named`` says under which
    name a thing registered itself, "" for what is no such thing; an entry point must call it the same.
    """

    def __init__(
        self, sort: str, group: str, builtin: dict[str, str] | None = None, named: Callable[[Any], str] | None = None
    ) -> None:
        self.sort, self.group, self.named = sort, group, named
        self._lazy = dict(builtin or {})
        self._points: dict[str, list[metadata.EntryPoint]] = {}
        """What is installed under a name, the package's own first; more than one is a clash."""
        self._items: dict[str, T] = {}
        self._scanned = False

    def add(self, name: str, item: T) -> T:
        """Register ``item``; the same source file may register again (a reload), another one may not."""
        old = self._items.get(name)
        if old is not None and old is not item and _home(old) != _home(item):
            raise ConfigError(
                f"two {self.sort}s are called '{name}'", where=f"{_place(old)} and {_place(item)}", remedy="rename one"
            )
        if old is None and isinstance(item, type) and _top(_home(item)) != "moco":
            self._scan()
            taken = self._lazy.get(name)
            if taken is not None and _top(taken) != _top(_home(item)):
                raise ConfigError(
                    f"two {self.sort}s are called '{name}'", where=f"{taken} and {_place(item)}", remedy="rename yours"
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
        """The thing called ``name``; raises ConfigError with a suggestion when there is none, or for a plugin that is broken."""
        self._scan()
        installed = self._points.get(name, [])
        if len(installed) > 1:
            where = " and ".join(f"{_distribution(point)} ({point.value})" for point in installed)
            remedy = f"rename the one of {_distribution(installed[-1])}, or uninstall that"
            raise ConfigError(f"two {self.sort}s are called '{name}'", where=where, remedy=remedy)
        if name not in self._items and name in self._lazy:
            loaded = self._plugin(installed[0]) if installed else _load(self._lazy[name])
            if loaded is not None and name not in self._items:
                self._items[name] = loaded
        if name in self._items:
            return self._items[name]
        if name.endswith(".py"):
            raise ConfigError(f"'{name}' names a file, not what is in it", remedy=f"write {name}:Class")
        raise ConfigError(f"unknown {self.sort} '{name}'", remedy=did_you_mean(name, self.names()))

    def whole(self) -> tuple[dict[str, T], list[ConfigError]]:
        """Everything that can be loaded, by name, and what is wrong with the rest: one broken plugin hides no other thing."""
        found, broken = {}, []
        for name in self.names():
            try:
                found[name] = self.get(name)
            except ConfigError as error:
                broken.append(error)
        return found, broken

    def _scan(self) -> None:
        if self._scanned:
            return
        points: dict[str, list[metadata.EntryPoint]] = {}
        for point in sorted(metadata.entry_points(group=self.group), key=lambda point: _top(point.value) != "moco"):
            same = points.setdefault(point.name, [])
            if point.value not in [other.value for other in same]:
                same.append(point)
        for name, found in points.items():
            self._lazy.setdefault(name, found[0].value)
        self._points.update(points)
        self._scanned = True  # last: another thread that comes in the middle scans for itself

    def _plugin(self, point: metadata.EntryPoint) -> Any:
        """What an entry point names; a fault of the plugin's names its distribution."""
        if _top(point.value) == "moco":
            return _load(point.value)
        place = f'{_distribution(point)}, entry point {self.group}: "{point.name}" = "{point.value}"'
        try:
            loaded = _load(point.value)
        except MocoError as error:
            raise ConfigError(error.what, where=f"{place} ({error.where})", why=error.why, remedy=error.remedy) from error
        except (Exception, SystemExit) as error:  # whatever the code of others raises
            what, remedy = f"the {self.sort} '{point.name}' cannot be loaded: {in_a_line(error)}", _distribution(point)
            raise ConfigError(what, where=place, remedy=f"repair or uninstall {remedy}") from error
        registered = point.name if self.named is None else self.named(loaded)
        if registered != point.name:
            if not registered:
                raise ConfigError(f"that is no {self.sort}", where=place, remedy=f"name a registered {self.sort}: module:Name")
            remedy = f'give both one name: "{registered}" = "{point.value}"'
            raise ConfigError(f"the {self.sort} it names is registered as '{registered}'", where=place, remedy=remedy)
        return loaded


def load_file(reference: str, where: str = "") -> Any:
    """The object a ``path/to/file.py:Name`` reference names; modules beside the file may be imported by it.

    Raises ConfigError when file or name is missing, and where the file cannot be executed, with the line.
    """
    path_text, _, name = reference.rpartition(":")
    path = Path(path_text).expanduser()
    if not path.is_file():
        raise ConfigError(f"there is no file '{path_text}'", where=where, remedy="write path/to/file.py:Class")
    module_name = f"moco_file_{abs(hash(path.resolve()))}"
    module = sys.modules.get(module_name)
    if module is None:
        spec = importlib.util.spec_from_file_location(module_name, path)
        if spec is None or spec.loader is None:
            raise ConfigError(f"'{path_text}' is not a Python file", where=where, remedy="write path/to/file.py:Class")
        module = importlib.util.module_from_spec(spec)
        if str(path.resolve().parent) not in sys.path:
            sys.path.append(str(path.resolve().parent))  # last: it hides no installed module
        sys.modules[module_name] = module
        try:
            _execute(module, spec.loader.exec_module, path, path_text)
        except BaseException:
            del sys.modules[module_name]
            raise
    if not hasattr(module, name):
        public = [n for n in vars(module) if not n.startswith("_")]
        raise ConfigError(f"'{path_text}' has no '{name}'", where=where, remedy=did_you_mean(name, public))
    return getattr(module, name)


def _execute(module: ModuleType, execute: Callable[[ModuleType], None], path: Path, shown: str) -> None:
    """Run the file; what goes wrong is told with its line. Raises ConfigError."""
    try:
        execute(module)
    except SyntaxError as error:
        place = shown if error.filename in (None, str(path)) else error.filename
        raise ConfigError(
            f"{type(error).__name__}: {error.msg}", where=f"{place}:{error.lineno}", remedy="repair the file"
        ) from error
    except MocoError as error:
        error.where = f"{_line_in(error, path, shown)} ({error.where})" if error.where else _line_in(error, path, shown)
        raise
    except ModuleNotFoundError as error:
        remedy = f"install what it is of, or put {error.name}.py beside {path.name}"
        raise ConfigError(in_a_line(error), where=_line_in(error, path, shown), remedy=remedy) from error
    except Exception as error:  # whatever a user's file raises
        raise ConfigError(in_a_line(error), where=_line_in(error, path, shown), remedy="repair the file") from error
    for node in ast.walk(ast.parse(path.read_bytes())):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        for top in map(_top, names):
            beside, got = path.with_name(f"{top}.py").resolve(), getattr(sys.modules.get(top), "__file__", None)
            if beside.is_file() and got is not None and Path(got).resolve() != beside and top not in sys.stdlib_module_names:
                remedy = "give the file beside it a name of its own"
                raise ConfigError(f"import {top} gives {got}, not {beside}", where=f"{shown}:{node.lineno}", remedy=remedy)


def _line_in(error: BaseException, path: Path, shown: str) -> str:
    """The last line of the file that was executed when ``error`` came."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{shown}:{lines[-1]}" if lines else shown


def is_file_reference(name: str) -> bool:
    return ".py:" in name


def _load(target: str) -> Any:
    module_name, _, attribute = target.partition(":")
    module = importlib.import_module(module_name)
    return getattr(module, attribute) if attribute else None


def _home(item: Any) -> str:
    return str(getattr(item, "__module__", type(item).__module__))


def _place(item: Any) -> str:
    """Where ``item`` is written, for a message: its file, else its module."""
    return str(getattr(sys.modules.get(_home(item)), "__file__", None) or _home(item))


def _top(target: str) -> str:
    return target.partition(":")[0].partition(".")[0]


def _distribution(point: metadata.EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "an unknown distribution"
