"""One-process mode: undo what a solution does to the interpreter it shares with its tests, and look at what it returns.

It stops the tricks that need no knowledge of this harness: patched built-ins, modules and test classes, tracing, objects that
are equal to everything. A solution that looks for the harness itself is not stopped by anything in its own process.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

_PLAIN: tuple[type, ...] = (int, float, complex, str, bytes, bool, type(None))
_BASES: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (int, int.__int__),
    (float, float.__float__),
    (str, str.__str__),
    (list, lambda value: list(list.__iter__(value))),
    (tuple, lambda value: tuple(tuple.__iter__(value))),
    (dict, lambda value: dict(dict.items(value))),
    (set, lambda value: set(set.__iter__(value))),
    (frozenset, lambda value: frozenset(frozenset.__iter__(value))),
)
_TELLING = frozenset(
    f"__{name}__"
    for name in ("eq", "ne", "lt", "le", "gt", "ge", "sub", "rsub", "abs", "round", "len", "iter", "contains", "getitem")
)
"""Methods by which a test judges a value; a subclass of a plain type that has its own is taken as the plain value it holds."""
_PAIRS: tuple[tuple[Any, Any], ...] = ((18, 5), (0.25, 7.5), ("north", "west"), ([3], [4, 4]), ((3,), (4, 4)), ({1: 2}, {}))
_MOST = 10_000


class Lie(BaseException):
    """What was returned is no value: it agrees with things that differ. Not an Exception: tests must not swallow it."""


class Guard:
    """The interpreter as it was before the solution was loaded; ``imported`` are the modules that the tests will import."""

    def __init__(self, imported: Iterable[str]) -> None:
        found = []
        for name in imported:
            with contextlib.suppress(Exception):  # the tests will meet it themselves
                found.append(importlib.import_module(name))
        self.builtins = dict(vars(builtins))
        """For the tests alone."""
        self._modules = {name: module for name, module in sys.modules.items() if hasattr(module, "__dict__")}
        self._near = [(vars(module), dict(vars(module))) for module in (builtins, *found)]
        self._all = [(vars(m), dict(vars(m))) for m in self._modules.values()]
        self._classes = {id(cls): (cls, dict(vars(cls))) for now, _ in self._all for cls in now.values() if _made(cls)}
        lists: tuple[list[Any], ...] = (sys.meta_path, sys.path_hooks, sys.path)
        self._lists = [(now, list(now)) for now in lists]

    def restore(self) -> None:
        """Everything as it was, once the solution is loaded; names that are new in a module stay."""
        _stop_tracing()
        sys.modules.update(self._modules)
        for now, kept in self._all:
            _put_back(now, kept)
        for cls, members in self._classes.values():
            for name, value in members.items():
                if vars(cls).get(name) is not value:
                    type.__setattr__(cls, name, value)
        for listed, as_it_was in self._lists:
            listed[:] = as_it_was

    def guarded(self, value: Any) -> Any:
        """``value`` of the solution as the tests get it: a function whose results are looked at, or the value, looked at."""
        if isinstance(value, type | types.ModuleType):
            return value
        if not callable(value):
            return self.plain(value)

        def ask(*args: Any, **kwargs: Any) -> Any:
            try:
                found = value(*args, **kwargs)
            except (StopIteration, StopAsyncIteration) as error:  # it would end a loop of the tests
                raise RuntimeError(f"{type(error).__name__}: {error}") from None
            finally:
                _stop_tracing()
                for now, kept in self._near:
                    _put_back(now, kept)
            return self.plain(found)

        name = getattr(value, "__name__", "")
        ask.__name__ = ask.__qualname__ = name if isinstance(name, str) else ""
        ask.__doc__ = getattr(value, "__doc__", None)
        return ask

    def plain(self, value: Any, depth: int = 50) -> Any:
        """``value``; where the solution disguised a plain type as a class of its own, also within lists, the plain value.

        Raises Lie for an object that agrees with things that differ.
        """
        kind = type(value)
        if kind in _PLAIN or depth == 0:
            return value
        own = {name for cls in type.mro(kind) if _made(cls) and id(cls) not in self._classes for name in vars(cls)}
        for base, undone in _BASES:
            if issubclass(kind, base) and own & _TELLING:
                return self.plain(undone(value), depth - 1)
        if kind in (list, tuple, set, frozenset) and len(value) <= _MOST:
            inner = [self.plain(one, depth - 1) for one in value]
            return value if all(a is b for a, b in zip(inner, value, strict=True)) else kind(inner)
        if kind is dict and len(value) <= _MOST:
            pairs = {key: self.plain(one, depth - 1) for key, one in value.items()}
            return value if all(pairs[key] is value[key] for key in pairs) else pairs
        if own:
            _doubt(value)
        return value


_HEAP = 1 << 9
"""Flag of classes made by a class statement."""


def _doubt(value: Any) -> None:
    """Raises Lie where ``value`` is equal to two things that differ, or as near to one number as to another."""
    for a, b in _PAIRS:
        if _says(lambda a=a: value == a) and _says(lambda b=b: value == b):  # type: ignore[misc]
            raise Lie(f"the {type(value).__name__} that was returned is equal to {a!r} and to {b!r}")
    for a, b in _PAIRS[:2]:
        if _says(lambda a=a, b=b: value - a == value - b):  # type: ignore[misc]
            raise Lie(f"the {type(value).__name__} that was returned is as near to {a!r} as to {b!r}")
        if _says(lambda a=a, b=b: value < min(a, b) and value > max(a, b)):  # type: ignore[misc]
            raise Lie(f"the {type(value).__name__} that was returned is below {min(a, b)!r} and above {max(a, b)!r}")


def _says(question: Callable[[], Any]) -> bool:
    try:
        return question() is True
    except Exception:  # noqa: BLE001 - the methods are the solution's, and may do anything
        return False


def _put_back(now: dict[str, Any], kept: Mapping[str, Any]) -> None:
    for name, value in kept.items():
        if now.get(name) is not value:
            now[name] = value


def _stop_tracing() -> None:
    sys.settrace(None)
    sys.setprofile(None)


def _made(value: Any) -> bool:
    """Whether ``value`` is a class that a class statement made."""
    return isinstance(value, type) and bool(type.__getattribute__(value, "__flags__") & _HEAP)
