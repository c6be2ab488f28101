"""What a method is: typed options, `fit` on dev, `answer` for one query. Everything else is somebody else's business.

Options are the annotated attributes of the class, validated strictly; attributes whose name ends in ``_`` are what
`fit` learned and live outside the options.
"""

from __future__ import annotations

import copy
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

import pydantic

from moco.collab.contract import check_class, check_registration, check_roles, defines_fit, no_option
from moco.core.errors import ConfigError, MethodError, PoolError, did_you_mean
from moco.core.query import Query
from moco.core.registry import Registry, is_file_reference, load_file
from moco.core.types import Answer
from moco.models.pool import Pool
from moco.models.protocol import Model

if TYPE_CHECKING:
    from moco.collab.run import Examples, Run
    from moco.routers import Stage

Level = Literal["baseline", "routing", "text", "logit", "weight"]
Fit = Literal["never", "optional", "required"]
PRESETS = ("default", "paper", "moco")
PRESET_ALIASES = {"variant": "moco", "upstream": "moco", "seed": "moco", "moco-released": "moco"}


@dataclass(frozen=True)
class MethodInfo:
    """What a method says of itself when it registers."""

    name: str
    level: Level
    paper: str | None = None
    fit: Fit = "never"
    members: tuple[int, int | None] = (1, None)
    roles: Mapping[str, int] = field(default_factory=dict)
    """Roles it knows, with how many members must play them: 1, or 0 where somebody may."""
    needs: Mapping[str, frozenset[str]] = field(default_factory=dict)
    greedy: bool = False
    """Whether the answer does not depend on draw and seed at temperature 0."""


class Method:
    """Base of all methods; see ``moco new method`` for a skeleton."""

    info: ClassVar[MethodInfo]
    cost: ClassVar[str] = ""
    """Calls per query, in words and letters of OVERVIEW: n members, k draws."""
    fidelity: ClassVar[Sequence[str]] = ()
    """What is the same as in the paper, what deviates and why, and the tests that show it."""
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Options by preset: ``default``, ``paper`` (the original's values), ``moco`` (the released code's)."""

    def __init__(self, *, preset: str = "default", **options: Any) -> None:
        wanted = PRESET_ALIASES.get(preset, preset)
        if wanted not in PRESETS:
            raise ConfigError(f"unknown preset '{preset}'", where=self.info.name, remedy=did_you_mean(preset, PRESETS))
        merged = {**self.presets.get(wanted, {}), **options}
        known = option_types(type(self))
        for name in merged:
            if name not in known:
                remedy = no_option(type(self), name, known)
                raise ConfigError(f"unknown option '{name}'", where=self.info.name, remedy=remedy)
        try:
            validated = _option_model(type(self)).model_validate(merged)
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            place = [str(step) for i, step in enumerate(first["loc"]) if i == 0 or isinstance(step, int)]  # no names of types
            where = f"{self.info.name}.{'.'.join(place)}"
            raise ConfigError(
                f"{first['msg']}, got {first['input']!r}", where=where, remedy=f"moco methods {self.info.name}"
            ) from error
        for name in known:
            setattr(self, name, getattr(validated, name))

    def __repr__(self) -> str:
        """The name and the options that are not the defaults."""
        defaults = option_defaults(type(self))
        values = {name: getattr(self, name) for name in defaults}
        changed = [f"{name}={value!r}" for name, value in values.items() if value != defaults[name]]
        return f"{type(self).__name__}({', '.join(changed)})"

    @property
    def options(self) -> dict[str, Any]:
        """The options in force, as JSON values."""
        values = {name: getattr(self, name) for name in option_types(type(self))}
        return _option_model(type(self)).model_construct(**values).model_dump(mode="json")

    @property
    def state(self) -> dict[str, Any]:
        """What `fit` learned: the attributes that end in ``_``."""
        return {name: getattr(self, name) for name in state_types(type(self))}

    def clone(self) -> Method:
        """A copy that `fit` may change."""
        return copy.deepcopy(self)

    def check(self, pool: Pool) -> None:
        """Whether ``pool`` fits: number of members, roles, capabilities. Raises PoolError before anything is loaded."""
        low, high = self.info.members
        if len(pool) < low or (high is not None and len(pool) > high):
            wanted = f"{low} or more" if high is None else str(low) if low == high else f"{low} to {high}"
            remedy = "name the members with members: [...]" if len(pool) > low else "add members to the pool"
            raise PoolError(f"{self.info.name} takes {wanted} members, the pool has {len(pool)}", remedy=remedy)
        check_roles(self, pool.cast)
        for role, least in self.info.roles.items():
            if least:
                pool.role(role)
        for whom, needed in self.info.needs.items():
            playing = pool if whom == "*" else [cast] if (cast := pool.plays(whom)) is not None else []
            for member in playing:
                missing = sorted(n for n in needed if n not in member.model.capabilities)
                if missing:
                    raise PoolError(
                        f"{self.info.name} needs {', '.join(missing)} of member '{member.name}', which cannot do that",
                        where=self.info.name,
                        remedy="choose a local model for it, or another method",
                    )

    def compatible(self, pool: Pool) -> None:
        """Whether the members fit one another (tokenizers, architectures): asked once, before a study runs anything.

        Reads files, loads no weights. Raises PoolError that names the members and what differs.
        """

    async def fit(self, pool: Pool, dev: Examples, run: Run) -> None:
        """Learn from labelled dev examples; the only place where gold is seen."""

    async def answer(self, query: Query, pool: Pool) -> Answer:
        """Answer one query; the paper's pseudo-code."""
        raise MethodError(f"{self.info.name} has neither answer nor as_model")

    async def stages(self, query: Query, pool: Pool) -> Sequence[Stage]:
        """Of a chain that passes questions on: what every stage says to ``query``, also those that `answer` would not reach.

        It is what curves of cost against quality are drawn from; a method that is no such chain has none.
        """
        return ()

    def as_model(self, pool: Pool) -> Model:
        """The law: this method over ``pool`` as a Model."""
        from moco.collab.model import Collaboration

        return Collaboration(self, pool)


def _registered(thing: Any) -> str:
    return thing.info.name if isinstance(thing, type) and issubclass(thing, Method) and "info" in vars(thing) else ""


METHODS: Registry[type[Method]] = Registry("method", "moco.methods", named=_registered)
M = TypeVar("M", bound=type[Method])


def register(
    name: str,
    *,
    level: Level,
    paper: str | None = None,
    fit: Fit | None = None,
    members: tuple[int, int | None] = (1, None),
    roles: Mapping[str, int] | None = None,
    needs: Mapping[str, set[str] | frozenset[str]] | None = None,
    greedy: bool = False,
) -> Callable[[M], M]:
    """Register a method class under ``name``.

    ``fit`` says whether it learns from dev; left out, it is "optional" for a class that defines `fit`, else "never". ``roles``
    are those it casts, with 1 where a member must play it and 0 where one may. ``needs`` maps a role (or "*") to capabilities.
    Raises ConfigError for what cannot be meant: see `moco.collab.contract`.
    """

    def decorate(cls: M) -> M:
        check_class(cls, name, Method)
        given: Mapping[str, Any] = needs or {}
        frozen = {who: frozenset([caps] if isinstance(caps, str) else caps) for who, caps in given.items()}
        learns: Fit = fit if fit is not None else "optional" if defines_fit(cls, Method) else "never"
        info = MethodInfo(name, level, paper, learns, members, dict(roles or {}), frozen, greedy)
        check_registration(cls, info, Method, typing.get_args(Level))
        cls.info = info
        METHODS.add(name, cls)
        return cls

    return decorate


def load_method(name: str, *, preset: str = "default", **options: Any) -> Method:
    """A method by name, or from ``path/to/file.py:Class``; raises ConfigError with a suggestion."""
    if is_file_reference(name):
        cls = load_file(name)
        if not (isinstance(cls, type) and issubclass(cls, Method)):
            raise ConfigError(
                f"'{name}' is not a method", remedy="derive the class from moco.Method and decorate it with moco.register"
            )
        if "info" not in cls.__dict__:
            raise ConfigError(f"'{name}' is not registered", remedy="decorate the class with @moco.register(...)")
        return cls(preset=preset, **options)
    return METHODS.get(name)(preset=preset, **options)


def option_types(cls: type[Method]) -> dict[str, Any]:
    """Names and types of the options, base classes first."""
    return {n: t for n, t in _annotations(cls).items() if not n.endswith("_")}


def state_types(cls: type[Method]) -> dict[str, Any]:
    """Names and types of what `fit` learns."""
    return {n: t for n, t in _annotations(cls).items() if n.endswith("_")}


def option_defaults(cls: type[Method]) -> dict[str, Any]:
    """Default of each option; ``...`` where it must be given."""
    return {n: getattr(cls, n, ...) for n in option_types(cls)}


def _annotations(cls: type[Method]) -> dict[str, Any]:
    hints = typing.get_type_hints(cls, include_extras=True)
    return {n: t for n, t in hints.items() if typing.get_origin(t) is not ClassVar and n not in _annotations_of_base()}


def _annotations_of_base() -> set[str]:
    return set(Method.__annotations__)


def _option_model(cls: type[Method]) -> type[pydantic.BaseModel]:
    found = cls.__dict__.get("_options")
    if found is None:
        fields: dict[str, Any] = {n: (t, option_defaults(cls)[n]) for n, t in option_types(cls).items()}
        config = pydantic.ConfigDict(extra="forbid", arbitrary_types_allowed=True)
        found = pydantic.create_model(f"{cls.__name__}Options", __config__=config, **fields)
        cls._options = found  # type: ignore[attr-defined]
    return typing.cast(type[pydantic.BaseModel], found)
