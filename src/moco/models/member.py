"""Members of a pool and how a reference becomes a model.

A reference is a Model, ``scheme/name`` of a registered scheme (``playground/alpha``), a local folder, or a hub id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from moco.core.errors import ConfigError, PoolError, did_you_mean
from moco.core.registry import Registry
from moco.models.adversary import Adversary, AdversaryModel
from moco.models.cached import CachedModel, Keyed
from moco.models.protocol import Model
from moco.models.store import Store

SCHEMES: Registry[Callable[..., Keyed]] = Registry("model scheme", "moco.models")
"""Builders ``(reference, name, **options) -> model`` by scheme: the part of a reference before its first slash."""

BACKENDS: Registry[Callable[..., Keyed]] = Registry("backend", "moco.backends")
"""Builders by backend name, asked when an entry names its backend or no scheme fits."""

KEYS = ("model", "name", "description", "role", "cost", "backend", "adversary")
"""What a pool entry says of itself; other keys are options of the backend that loads its model."""

HELPERS = {"judge": ("hf", "TEXT"), "reward": ("reward", "REWARD"), "embedder": ("embedder", "EMBED")}
"""The helpers there are: what builds one where neither its entry nor a scheme says, and what it must be able to do."""


@dataclass(frozen=True)
class Member:
    """One entry of a pool. ``cost`` is relative to the other members' (any unit), per token."""

    name: str
    model: Model
    index: int = 0
    description: str = ""
    role: str = ""
    cost: float = 1.0


@dataclass(frozen=True)
class MemberSpec:
    """What a user says of a member before it is built."""

    model: Any
    name: str = ""
    description: str = ""
    role: str = ""
    cost: float = 1.0
    backend: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    adversary: Any = None
    """The attack that takes the place of its answers: a kind, or a mapping; see ``moco.models.adversary``."""


def spec_of(entry: Any) -> MemberSpec:
    """A member's spec from a reference, a model, a mapping or a spec; raises ConfigError for anything else."""
    if isinstance(entry, MemberSpec):
        return entry
    if isinstance(entry, Mapping):
        if "model" not in entry:
            unknown = next((str(key) for key in entry if key not in KEYS), "")
            remedy = f"write model: ...; '{unknown}' is unknown, {did_you_mean(unknown, KEYS)}" if unknown else "write model: ..."
            raise ConfigError("a pool entry names no model", where=str(dict(entry)), remedy=remedy)
        named = {k: v for k, v in entry.items() if k in KEYS}
        return MemberSpec(**named, options={k: v for k, v in entry.items() if k not in KEYS})
    if isinstance(entry, (str, Model)):
        return MemberSpec(entry)
    raise ConfigError(f"a pool entry is a {type(entry).__name__}", remedy="give a model, a reference or a mapping")


def check_options(options: Mapping[str, Any], known: Iterable[str], name: str) -> None:
    """Raises ConfigError naming an option that the backend of pool entry ``name`` does not have."""
    known = tuple(known)
    for option in options:
        if option not in known:
            where = f"pool entry '{name}'"
            raise ConfigError(f"unknown option '{option}'", where=where, remedy=did_you_mean(option, (*known, *KEYS)))


def build(spec: MemberSpec, index: int, store: Store, default: str = "hf") -> Member:
    """The member ``spec`` describes, made by ``default`` where neither it nor a scheme names a backend; nothing is loaded yet."""
    if isinstance(spec.model, str):
        model: Model = resolve(spec.model, store, name=spec.name, backend=spec.backend, default=default, **spec.options)
    else:
        model = spec.model if hasattr(spec.model, "store") or not hasattr(spec.model, "key") else CachedModel(spec.model, store)
    if spec.adversary is not None:
        model = CachedModel(AdversaryModel(model, Adversary.of(spec.adversary), spec.name), store)
    described = spec.description or str(getattr(model, "description", ""))
    return Member(spec.name or model.name, model, index, described, spec.role, spec.cost)


def build_helper(role: str, entry: Any, store: Store) -> Member:
    """The helper that ``entry`` (what ``spec_of`` takes) names for ``role``: a reward model for reward, an embedder for embedder.

    Raises ConfigError for a role that does not exist, PoolError for a model that cannot do what the role needs.
    """
    if role not in HELPERS:
        raise ConfigError(f"unknown helper '{role}'", where="aux", remedy=did_you_mean(role, HELPERS))
    backend, capability = HELPERS[role]
    member = build(spec_of(entry), 0, store, backend)
    if capability not in member.model.capabilities:
        remedy = {"REWARD": "name a sequence-classification checkpoint", "EMBED": "name a sentence encoder, or hashed"}.get(
            capability, "name a model that writes text"
        )
        raise PoolError(f"'{member.name}' cannot be the {role}", why=f"it lacks the capability {capability}", remedy=remedy)
    return member


_BUILT: dict[tuple[Any, ...], CachedModel] = {}


def resolve(
    reference: str, store: Store, *, name: str = "", backend: str = "", default: str = "hf", **options: Any
) -> CachedModel:
    """The model a reference names, behind ``store``. Equal references share one object, and so its weights and queue."""
    identity = (reference, backend, default, repr(sorted(options.items())), id(store))
    if identity not in _BUILT:
        scheme = reference.split("/", 1)[0]
        builder = BACKENDS.get(backend) if backend else SCHEMES.get(scheme) if scheme in SCHEMES else BACKENDS.get(default)
        model = builder(reference, name=reference.rsplit("/", 1)[-1], **options)
        _BUILT[identity] = CachedModel(model, store)
    return _BUILT[identity]
