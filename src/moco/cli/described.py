"""A method in words: its options with types, defaults and meanings, read from the class and from its source."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import typing
from typing import Any

from moco.collab import METHODS, Method, option_defaults, option_types
from moco.core.errors import ConfigError
from moco.core.registry import is_file_reference, load_file


def method_class(name: str) -> type[Method]:
    """The class called ``name``, registered or in a file; raises ConfigError."""
    if not is_file_reference(name):
        return METHODS.get(name)
    found = load_file(name, "moco methods")
    if not (isinstance(found, type) and issubclass(found, Method) and "info" in found.__dict__):
        raise ConfigError(
            f"'{name}' is not a registered method", remedy="derive it from moco.Method and decorate it with moco.register"
        )
    return found


def describe(cls: type[Method]) -> dict[str, Any]:
    """Everything a user may want to know of a method, as JSON values."""
    info = cls.info
    low, high = info.members
    meanings, defaults = attribute_docs(cls, Method), option_defaults(cls)
    options = [
        {
            "name": name,
            "type": type_name(hint),
            "required": defaults[name] is ...,
            "default": None if defaults[name] is ... else defaults[name],
            "doc": meanings.get(name, ""),
        }
        for name, hint in option_types(cls).items()
    ]
    return {
        "name": info.name,
        "level": info.level,
        "paper": info.paper,
        "fit": info.fit,
        "members": f"{low} or more" if high is None else str(low) if low == high else f"{low} to {high}",
        "roles": dict(info.roles),
        "needs": {who: sorted(caps) for who, caps in info.needs.items()},
        "greedy": info.greedy,
        "cost": cls.cost,
        "doc": inspect.cleandoc(cls.__doc__ or ""),
        "options": options,
        "presets": {name: dict(values) for name, values in cls.presets.items()},
        "fidelity": list(cls.fidelity),
    }


def attribute_docs(cls: type, above: type) -> dict[str, str]:
    """The string below each annotated attribute of ``cls`` and of its bases below ``above``, base classes first."""
    found: dict[str, str] = {}
    for one in reversed(cls.__mro__):
        if not issubclass(one, above) or one is above:
            continue
        try:
            body = ast.parse(textwrap.dedent(inspect.getsource(one))).body[0]
        except (OSError, SyntaxError, TypeError):
            continue  # a class without a source file has no strings to read
        if not isinstance(body, ast.ClassDef):
            continue
        for here, below in zip(body.body, body.body[1:], strict=False):
            named = isinstance(here, ast.AnnAssign) and isinstance(here.target, ast.Name)
            text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str)
            if named and text:
                found[here.target.id] = " ".join(below.value.value.split())  # type: ignore[attr-defined]
    return found


def type_name(hint: Any) -> str:
    """A type as a user writes values of it: bounds of Annotated in words, literals as their values."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        bounds = [b for a in arguments[1:] for b in _bounds(a)]
        return f"{type_name(arguments[0])} {' and '.join(bounds)}".strip()
    if origin is typing.Literal:
        return " | ".join(repr(a) for a in arguments)
    if hint is type(None):
        return "None"
    if hint is ...:
        return "..."
    if origin is not None and type(hint).__name__ in ("UnionType", "Union", "_UnionGenericAlias"):
        return " | ".join(type_name(a) for a in arguments)
    if origin is not None:
        return f"{origin.__name__}[{', '.join(type_name(a) for a in arguments)}]"
    return hint.__name__ if isinstance(hint, type) else re.sub(r"\b(typing|collections\.abc)\.", "", str(hint))


def _bounds(annotation: Any) -> list[str]:
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    inner = [annotation, *getattr(annotation, "metadata", ())]
    return [f"{sign} {getattr(a, name)}" for a in inner for name, sign in signs.items() if getattr(a, name, None) is not None]
