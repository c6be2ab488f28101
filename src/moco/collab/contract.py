"""What a method class must keep to: found when it registers, and after `fit`, with the line to write instead."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, get_args

from moco.core.errors import ConfigError, MethodError, did_you_mean
from moco.models.protocol import CapabilityName

if TYPE_CHECKING:
    from moco.collab.method import Method, MethodInfo

_WRITTEN = {"answer": ("query", "pool"), "fit": ("pool", "dev", "run"), "stages": ("query", "pool")}
"""Arguments of what a method writes as ``async def``."""


def check_class(cls: Any, name: str, base: type[Method]) -> None:
    """Raises ConfigError for what is no class of methods."""
    if not (isinstance(cls, type) and issubclass(cls, base)):
        where = f"moco.register('{name}') of {getattr(cls, '__qualname__', cls)}"
        raise ConfigError("it is no method", where=where, remedy="derive the class from moco.Method")


def check_registration(cls: type[Method], info: MethodInfo, base: type[Method], levels: Collection[str]) -> None:
    """Raises ConfigError, naming the class, for whatever of ``info`` or of the class cannot be meant."""
    where = f"moco.register('{info.name}') of {cls.__qualname__}"

    def refuse(what: str, remedy: str) -> None:
        raise ConfigError(what, where=where, remedy=remedy)

    if not str(info.name).strip():
        refuse(f"the name is {info.name!r}", "give it a name: moco.register('my_method', ...)")
    if info.level not in levels:
        refuse(f"unknown level {info.level!r}", did_you_mean(str(info.level), levels))
    members: Any = info.members
    paired = isinstance(members, tuple) and [type(m) for m in members] in ([int, int], [int, type(None)])
    if not paired or members[0] < 1 or (members[1] is not None and members[1] < members[0]):
        refuse(f"members is {info.members}", "write members=(fewest, most), with None for any number, such as (2, None)")
    _check_fit(cls, info, base, refuse)
    for whom, needed in info.needs.items():
        if whom != "*" and whom not in info.roles:
            refuse(f"needs of '{whom}', which is no role", did_you_mean(whom, ("*", *info.roles)))
        for one in needed:
            if one not in get_args(CapabilityName):
                refuse(f"unknown capability '{one}'", did_you_mean(one, get_args(CapabilityName)))
    for name, arguments in _WRITTEN.items():
        own = getattr(cls, name)
        if own is getattr(base, name):
            continue
        if not inspect.iscoroutinefunction(inspect.unwrap(own)):
            refuse(f"{name} is no async function", f"write async def {name}(self, {', '.join(arguments)})")
        try:
            inspect.signature(own).bind(None, *arguments)
        except TypeError:
            refuse(f"{name} does not take {', '.join(arguments)}", f"write async def {name}(self, {', '.join(arguments)})")
    if cls.answer is base.answer and cls.as_model is base.as_model:
        refuse("it has neither answer nor as_model", "write async def answer(self, query, pool)")
    for name in (n for one in reversed(cls.__mro__) if one is not base for n in inspect.get_annotations(one)):
        if name.endswith("_") and not name.startswith("__") and not hasattr(cls, name):
            refuse(f"what fit learns, '{name}', has no value before fit", f"give it one, such as {name}: ... | None = None")


def defines_fit(cls: type[Method], base: type[Method]) -> bool:
    return cls.fit is not base.fit


def _check_fit(cls: type[Method], info: MethodInfo, base: type[Method], refuse: Any) -> None:
    learns = defines_fit(cls, base)
    if info.fit not in ("never", "optional", "required"):
        refuse(f"unknown fit {info.fit!r}", did_you_mean(str(info.fit), ("never", "optional", "required")))
    if info.fit == "never" and learns:
        refuse("fit='never', and the class defines fit, which would not be called", "write fit='optional' or fit='required'")
    if info.fit != "never" and not learns:
        refuse(f"fit='{info.fit}', and the class defines no fit", "write async def fit(self, pool, dev, run), or drop fit=")


def check_roles(method: Method, cast: Iterable[str]) -> None:
    """Raises ConfigError for a role that is cast and that the method does not know."""
    info = method.info
    for role in cast:
        if role not in info.roles:
            remedy = did_you_mean(role, info.roles) if info.roles else "drop it: this method casts no roles"
            if not type(method).__module__.startswith("moco."):
                remedy += f"; a method that does is registered with roles={{'{role}': 0}}"
            raise ConfigError(f"{info.name} knows no role '{role}'", where=f"roles.{role}", remedy=remedy)


def no_option(cls: type[Method], name: str, known: Iterable[str]) -> str:
    """The remedy for an option that there is not."""
    value = inspect.getattr_static(cls, name, None)
    if value is None or callable(value) or name in ("info", "cost", "fidelity", "presets") or not _is_data(value):
        return did_you_mean(name, known)
    return f"'{name}' has no type, which makes an option: write {name}: {type(value).__name__} = {value!r} in the class"


def check_learned(method: Method, before: Mapping[str, Any], known: Collection[str]) -> None:
    """Raises MethodError where `fit` set an attribute that the class does not declare.

    ``before`` are the attributes that there were before it; ``known`` the names of options and of what fit learns.
    """
    cls = type(method)
    for name, value in vars(method).items():
        cached = isinstance(inspect.getattr_static(cls, name, None), functools.cached_property)
        same = name in before and before[name] is value and not name.endswith("_")
        if name in known or cached or same:
            continue
        called = name if name.endswith("_") else f"{name.strip('_')}_"
        raise MethodError(
            f"fit set '{name}', which the class does not declare",
            where=f"{method.info.name}.fit",
            why="it would be neither saved nor told apart from what another fit learned",
            remedy=f"write {called}: {_type_name(value)} | None = None in the class"
            + ("" if called == name else f", and set self.{called}"),
        )


def _is_data(value: Any) -> bool:
    return isinstance(value, str | int | float | bool | list | tuple | dict | set | frozenset)


def _type_name(value: Any) -> str:
    cls = type(value)
    if isinstance(value, dict) and value:
        key, inner = next(iter(value.items()))
        return f"dict[{_type_name(key)}, {_type_name(inner)}]"
    if isinstance(value, list) and value:
        return f"list[{_type_name(value[0])}]"
    return "Any" if value is None else cls.__name__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
