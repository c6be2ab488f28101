"""Which code a method is: the hash that keeps answers of other code from being taken for its own.

It covers the file of the class, those of its bases, and all files of the user's that these import, one by one or as parts of a
package. They are found without running anything, so the hash is the same in every process. Packages of others that are
installed do not enter (their versions are the environment's business), nor does moco itself but for its kits.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import sys
import weakref
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import FunctionType
from typing import Any

from moco.core.seeds import digest

KITS = ("tasks", "search", "weights", "training", "decoding", "discussion", "routers")
"""Rooms whose code decides what a collaboration answers."""
_MOCO = Path(__file__).parents[1]
_HASHES: weakref.WeakKeyDictionary[type, tuple[Any, str]] = weakref.WeakKeyDictionary()
"""By class, with the code it is of: a file that is edited while its old code still runs changes nothing."""


def source_hash(cls: type) -> str:
    """Hash of the code of ``cls`` and of the kits it is built from: other code is another collaboration."""
    code = [function.__code__ for function in map(function_of, vars(cls).values()) if function is not None]
    if cls in _HASHES and _HASHES[cls][0] == code:
        return _HASHES[cls][1]
    classes = _classes(cls)
    cells = [one for one in classes if file_of(one) is None]
    if cells:  # what they mention may change without them: never kept
        from moco.collab.live import live_hash

        return digest("live", live_hash(cells), _files_hash([one for one in classes if one not in cells]), kits_hash())
    _HASHES[cls] = code, digest("source", _files_hash(classes), kits_hash())
    return _HASHES[cls][1]


@functools.cache
def kits_hash() -> str:
    """Hash of the source of the kits and graders: their fixed texts and rules decide answers as much as a method's file does."""
    files = sorted(path for room in KITS for path in (_MOCO / room).rglob("*.py"))
    return digest("kits", [[p.relative_to(_MOCO).as_posix(), content_hash(p)] for p in files])


def content_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def file_of(cls: type) -> Path | None:
    """The file ``cls`` is written in; None for a notebook's cell, an interactive session or ``python -c``."""
    named = getattr(sys.modules.get(cls.__module__), "__file__", None)
    if named is None or not Path(named).is_file():
        return None
    written = {f.__code__.co_filename for f in map(function_of, vars(cls).values()) if f is not None} - {"<string>"}
    elsewhere = [name for name in written if Path(name).name != Path(named).name and not Path(name).is_file()]
    return None if elsewhere else Path(named)


def function_of(value: Any) -> FunctionType | None:
    """The function behind what lies in a class: a method, a property, one that is wrapped."""
    if isinstance(value, property):
        value = value.fget
    elif isinstance(value, functools.cached_property):
        value = value.func
    while (inner := getattr(value, "__wrapped__", None)) is not None:  # class methods and decorated ones
        value = inner
    return value if isinstance(value, FunctionType) else None


def imported(name: str, importer: str) -> dict[str, Path]:
    """The user's files that the module ``importer`` executes when it imports ``name``, with all that these import."""
    found: dict[str, Path] = {}
    for module, path in _executed(name, importer):
        _collect(module, path, found)
    return found


def _classes(cls: type) -> list[type]:
    """``cls`` and those of its bases that are the user's or a method of the package."""
    own = [one for one in cls.__mro__ if not _within(one.__module__, "moco") or _within(one.__module__, "moco.methods")]
    return [one for one in own if one is cls or not _of_others(one.__module__, cls.__module__)]


def _files_hash(classes: list[type]) -> str:
    files: dict[str, Path] = {}
    for one in classes:
        path = file_of(one)
        if path is not None:
            _collect(one.__module__, path, files)
    hashes = [[name, content_hash(path)] for name, path in sorted(files.items())]
    return str(hashes[0][1]) if len(hashes) == 1 else digest("files", hashes)


def _collect(module: str, path: Path, files: dict[str, Path]) -> None:
    """Add the module in ``path`` and all that it imports of the user's to ``files``, by names without folders."""
    if path in files.values():
        return
    name = path.name if _is_script(module) else module
    while name in files:
        name += "'"
    files[name] = path
    if not _within(module, "moco"):
        for wanted in sorted(_imports(path, module if path.name == "__init__.py" else module.rpartition(".")[0])):
            for inner, place in _executed(wanted, module):
                _collect(inner, place, files)


def _imports(path: Path, package: str) -> set[str]:
    """Dotted names that ``path`` imports, anywhere in it; what is taken from a module may be a module too."""
    found: set[str] = set()
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return found  # it can be imported by nobody, and imports nothing
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return found


def _executed(wanted: str, importer: str) -> Iterator[tuple[str, Path]]:
    """The user's files that importing ``wanted`` executes: those of the packages it lies in and its own."""
    top, *rest = wanted.split(".")
    spec = None if _within(wanted, "moco") or _of_others(top, importer) else _spec(top)
    if spec is None:
        return
    if spec.origin is not None and spec.origin.endswith(".py"):
        yield top, Path(spec.origin)
    places, name = [Path(place) for place in spec.submodule_search_locations or ()], top
    for part in rest:
        name = f"{name}.{part}"
        files = (file for place in places for file in (place / part / "__init__.py", place / f"{part}.py"))
        if (file := next(filter(Path.is_file, files), None)) is not None:
            yield name, file
        places = [place / part for place in places if (place / part).is_dir()]


def _of_others(module: str, importer: str) -> bool:
    """Whether ``module`` is the standard library's, or of an installed package that ``importer`` is no part of."""
    top = module.partition(".")[0]
    if _is_script(module) or top == importer.partition(".")[0]:
        return False
    return top in sys.stdlib_module_names or _is_installed(_spec(top))


def _is_installed(spec: ModuleSpec | None) -> bool:
    """Whether it lies among the installed packages; what is built in, or cannot be found, is no file of the user's."""
    if spec is None or spec.origin in ("built-in", "frozen"):
        return True
    places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
    return any({"site-packages", "dist-packages"} & set(Path(place).parts) for place in places)


def _spec(top: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(top)  # of a name without dots: nothing is executed
    except (ImportError, ValueError):
        return None


def _is_script(module: str) -> bool:
    """Whether it was loaded by its path, so that its name says nothing."""
    return module == "__main__" or module.startswith("moco_file_")


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")
