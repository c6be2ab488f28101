"""A plan: the frozen recipe of a merge. A merge is itself something to merge, so plans nest.

Invariant: making a plan loads no weights (it reads at most what fingerprints need); two plans of one fingerprint make the same
weights, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from moco.core.errors import ConfigError, PoolError, did_you_mean
from moco.core.seeds import digest
from moco.models.cached import CachedModel
from moco.models.hf import HFModel
from moco.models.member import Member
from moco.models.protocol import Model
from moco.weights.ops import OPS

Dtype = Literal["float32", "bfloat16", "float16"]
DTYPES: Mapping[str, str] = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}
"""Names of dtypes, and their codes in safetensors files."""


@dataclass(frozen=True)
class Leaf:
    """A checkpoint to merge: a member's ``model`` and the ``name`` it goes by in recipes and errors."""

    name: str
    model: HFModel

    @property
    def fingerprint(self) -> str:
        return self.model.fingerprint

    @property
    def title(self) -> str:
        """The name."""
        return self.name

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """Itself."""
        return (self,)

    @property
    def alone(self) -> Leaf | None:
        """Itself."""
        return self

    def describe(self) -> dict[str, Any]:
        """The leaf as JSON, for recipes."""
        return {"name": self.name, "model": self.model.path, "revision": self.model.revision, "fingerprint": self.fingerprint}


@dataclass(frozen=True, eq=False)
class Plan:
    """The merge function ``op`` over ``sources`` (leaves and plans, in order) and ``base``, with ``params``.

    ``dtype``: what the result is rounded to, None for the dtype of the donor's tensor. An inner plan without a dtype is not
    rounded at all: its result goes on into the outer arithmetic. ``donor_name``: see ``donor``. Raises ConfigError for an
    unknown function or dtype, and for parameters that do not fit.
    """

    op: str
    sources: tuple[Leaf | Plan, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    base: Leaf | Plan | None = None
    dtype: Dtype | None = None
    donor_name: str = ""

    def __post_init__(self) -> None:
        op = OPS.get(self.op)
        if not self.sources:
            raise ConfigError("a merge of no models", where=self.op, remedy="name at least one member")
        if (self.base is None and op.base == "required") or (self.base is not None and op.base == "none"):
            what = "needs a base" if self.base is None else "takes no base"
            raise ConfigError(f"{self.op} {what}", where=self.op, remedy="see the contract of the merge function")
        if self.dtype is not None and self.dtype not in DTYPES:
            raise ConfigError(f"unknown dtype '{self.dtype}'", where=self.op, remedy=did_you_mean(self.dtype, DTYPES))
        op.check(len(self.sources), **self.params)
        if self.donor_name:
            self.leaf(self.donor_name)

    @classmethod
    def of(
        cls,
        op: str,
        members: Iterable[Member | Model | Plan | Leaf],
        *,
        base: Member | Model | Plan | Leaf | None = None,
        dtype: Dtype | None = None,
        donor: str = "",
        **params: Any,
    ) -> Plan:
        """The merge of ``members`` (a pool, members, models or plans) by ``op``.

        Raises PoolError for a member without weights of its own, else as the class does.
        """
        return cls(op, tuple(source_of(m) for m in members), params, None if base is None else source_of(base), dtype, donor)

    @classmethod
    def linear(
        cls,
        members: Iterable[Member | Model | Plan | Leaf],
        weights: Literal["uniform"] | Sequence[float] = "uniform",
        *,
        normalize: bool = True,
        dtype: Dtype | None = None,
        donor: str = "",
    ) -> Plan:
        """The weighted average of ``members``; one that is there twice enters once, with the sum of its weights.

        So an average of equal models is that model, bit for bit. Raises what ``of`` raises.
        """
        sources = [source_of(m) for m in members]
        shares = [1.0] * len(sources) if weights == "uniform" else [float(w) for w in weights]
        if len(shares) != len(sources):
            raise ConfigError(f"{len(shares)} weights for {len(sources)} models", where="linear", remedy="give one weight each")
        places: dict[str, int] = {}
        for i, source in enumerate(sources):
            if (first := places.setdefault(source.fingerprint, i)) != i:
                shares[first] += shares[i]
        kept = sorted(places.values())
        return cls.of(
            "linear",
            [sources[i] for i in kept],
            dtype=dtype,
            donor=donor,
            weights=[shares[i] for i in kept],
            normalize=normalize,
        )

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the recipe and of the fingerprints of sources, base and donor; names and places do not enter."""
        inputs = [s.fingerprint for s in self.sources]
        base = None if self.base is None else self.base.fingerprint
        return digest("plan", self.op, dict(self.params), inputs, base, self.dtype, self.donor.fingerprint)

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """All leaves, depth first, those of the base first; a model that enters twice is there twice."""
        inputs = self.sources if self.base is None else (self.base, *self.sources)
        return tuple(leaf for source in inputs for leaf in source.leaves)

    @property
    def donor(self) -> Leaf:
        """The leaf that gives architecture, tokenizer, template, dtypes and shards: the named one, else the first leaf."""
        return self.leaf(self.donor_name) if self.donor_name else self.leaves[0]

    def leaf(self, name: str) -> Leaf:
        """The leaf called ``name``; raises ConfigError with a suggestion."""
        for leaf in self.leaves:
            if leaf.name == name:
                return leaf
        raise ConfigError(f"no source '{name}' in the merge", remedy=did_you_mean(name, [x.name for x in self.leaves]))

    @property
    def alone(self) -> Leaf | None:
        """The one leaf this plan is, where it merges nothing: one source, no base, scale and dtype kept."""
        if len(self.sources) > 1 or self.base is not None or self.dtype is not None or not OPS.get(self.op).keeps(self.params):
            return None
        return self.sources[0].alone

    @property
    def elementwise(self) -> bool:
        """Whether every function in it can work on parts of a tensor."""
        inner = [s for s in (*self.sources, self.base) if isinstance(s, Plan)]
        return OPS.get(self.op).elementwise and all(plan.elementwise for plan in inner)

    @property
    def title(self) -> str:
        """A short name: ``linear(alpha,beta)``."""
        return f"{self.op}({','.join(s.title for s in self.sources)})"

    def rounded(self, dtype: Dtype | None) -> Plan:
        """The same recipe with another output dtype."""
        return replace(self, dtype=dtype)

    def describe(self) -> dict[str, Any]:
        """The recipe as JSON: equal plans, equal text."""
        return {
            "op": self.op,
            "params": dict(self.params),
            "dtype": self.dtype,
            "donor": self.donor.name,
            "base": None if self.base is None else self.base.describe(),
            "sources": [s.describe() for s in self.sources],
        }


def source_of(thing: Member | Model | Plan | Leaf) -> Leaf | Plan:
    """What a plan takes for ``thing``: its checkpoint, or its recipe where it is a merge; raises PoolError for others."""
    if isinstance(thing, (Plan, Leaf)):
        return thing
    name, model = thing.name, thing.model if isinstance(thing, Member) else thing
    while isinstance(model, CachedModel):
        model = model.model
    inner = getattr(model, "plan", None)
    if isinstance(inner, Plan):
        return inner
    if not isinstance(model, HFModel) or "WEIGHTS" not in model.capabilities:
        raise PoolError(
            f"the weights of '{name}' cannot be merged",
            why="it lacks the capability WEIGHTS",
            remedy="use a local model without an adapter",
        )
    return Leaf(name, model)
