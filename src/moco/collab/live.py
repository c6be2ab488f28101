"""Which code a method without a file is: one of a notebook's cell, an interactive session or ``python -c``.

It is known by its bytecode, its plain constants, and by what of its session it mentions: functions, classes and plain values,
and the user's own modules, by their files.
"""

from __future__ import annotations

import dataclasses
import dis
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from moco.collab.source import content_hash, function_of, imported
from moco.core.seeds import digest

_MADE = ("_options", "info", "_abc_impl")
"""Attributes that registering and the first use add to a class."""


def live_hash(classes: Sequence[type]) -> str:
    """Hash of classes that have no file: equal code has an equal hash in every session of one Python version."""
    seen: set[int] = set()
    return digest("cells", [list(_of_class(one, seen)) for one in classes])


def _of_class(cls: type, seen: set[int]) -> Iterator[Any]:
    if id(cls) in seen:
        return
    seen.add(id(cls))
    for name, value in sorted(vars(cls).items()):
        own = name not in _MADE and not (name.startswith("__") and function_of(value) is None)
        if own:
            yield name
            yield from _of(value, seen)


def _of_function(function: FunctionType, seen: set[int]) -> Iterator[Any]:
    if id(function) in seen:
        return
    seen.add(id(function))
    yield from _of_code(function.__code__)
    yield from _of(function.__defaults__, seen)
    yield from _of(function.__kwdefaults__, seen)
    for name in sorted(_globals(function.__code__) & set(function.__globals__)):
        yield name
        yield from _of(function.__globals__[name], seen)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        yield name
        yield from _of(cell.cell_contents, seen)


def _of(value: Any, seen: set[int]) -> Iterator[Any]:
    """What identifies something that code mentions; nothing for objects that are neither code nor plain."""
    called = function_of(value)
    thing = value if called is None else called
    if isinstance(thing, ModuleType):
        yield _files(thing.__name__)
    elif isinstance(thing, FunctionType | type) and _has_file(thing.__module__):
        yield _files(thing.__module__)
    elif isinstance(thing, FunctionType):
        yield from _of_function(thing, seen)
    elif isinstance(thing, type):
        yield from _of_class(thing, seen)
    elif (text := _plain(thing)) is not None:
        yield text


def _of_code(code: CodeType) -> Iterator[Any]:
    yield [code.co_code.hex(), *map(list, (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars))]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _of_code(constant)
        else:
            yield _plain(constant)


def _globals(code: CodeType) -> set[str]:
    """Names of the session that the code and the functions inside it mention."""
    own = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return own.union(*(_globals(c) for c in code.co_consts if isinstance(c, CodeType)))


def _plain(value: Any) -> str | None:
    """``value`` in words that do not depend on the process; None for what is not made of plain values."""
    if value is None or value is ... or isinstance(value, str | bytes | int | float | complex | bool):
        return repr(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain([type(value).__qualname__, *(getattr(value, f.name) for f in dataclasses.fields(value))])
    if isinstance(value, dict):
        return _plain([[k, v] for k, v in value.items()])
    if isinstance(value, list | tuple | set | frozenset):
        parts = [_plain(part) for part in value]
        told = [part for part in parts if part is not None]
        if len(told) < len(parts):
            return None
        return f"({', '.join(sorted(told) if isinstance(value, set | frozenset) else told)})"
    return None


def _files(module: str) -> list[list[str]]:
    return [[name, content_hash(path)] for name, path in sorted(imported(module, "__main__").items())]


def _has_file(module: str) -> bool:
    named = getattr(sys.modules.get(module), "__file__", None)
    return (named is not None and Path(named).is_file() and module != "__main__") or module == "builtins"
