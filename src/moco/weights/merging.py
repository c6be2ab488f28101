"""The arithmetic of a plan, one tensor at a time, for the executor and for slots alike.

Invariant: besides the mapped sources, one result and a few pieces of ``CHUNK`` elements are in memory (a few tensors where a
merge function needs whole ones); the result does not depend on who asks, in which order, or on which device it ends.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from typing import Any

from moco.core.errors import PoolError
from moco.weights.checks import check
from moco.weights.ops import OPS
from moco.weights.plan import DTYPES, Leaf, Plan
from moco.weights.sources import Meta, SafetensorsDir

CHUNK = 1 << 18
"""Elements worked on at once: 1 MiB of float32, which stays in a core's cache."""
_NAMES = {code: name for name, code in DTYPES.items()} | {"F64": "float64"}


class Merge:
    """The merged tensors of ``plan``, computed when asked; a context manager that keeps the sources mapped.

    Raises PoolError where the sources do not fit together.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.metas: dict[str, Meta] = check(plan)
        self._files: dict[str, SafetensorsDir] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Merge:
        for leaf in self.plan.leaves:
            if leaf.fingerprint not in self._files:
                self._files[leaf.fingerprint] = self._stack.enter_context(SafetensorsDir(leaf.model.folder))
        return self

    def __exit__(self, *failure: object) -> None:
        self._files.clear()
        self._stack.close()

    def dtype(self, name: str) -> str:
        """The safetensors code of the result's dtype: the plan's, else that of the donor's tensor."""
        meta = self.metas[name]
        return DTYPES[self.plan.dtype] if self.plan.dtype is not None and meta.floating else meta.dtype

    def tensor(self, name: str) -> Any:
        """The merged tensor ``name`` (torch, CPU, rounded once).

        Raises PoolError naming the tensor where the result is not finite, or where it holds whole numbers that differ.
        """
        import torch

        meta = self.metas[name]
        inputs = {leaf.fingerprint: self._files[leaf.fingerprint].read(name) for leaf in self.plan.leaves}
        if not meta.floating:
            return self._same(name, inputs)
        result = torch.empty(meta.shape, dtype=getattr(torch, _NAMES[self.dtype(name)]))
        if not self.plan.elementwise:
            result.copy_(_merged(self.plan, inputs))
            self._finite(name, result, inputs)
            return result
        flat, parts = result.view(-1), {key: tensor.reshape(-1) for key, tensor in inputs.items()}
        for start in range(0, math.prod(meta.shape), CHUNK):
            piece = flat[start : start + CHUNK]
            piece.copy_(_merged(self.plan, {key: part[start : start + CHUNK] for key, part in parts.items()}))
            self._finite(name, piece, inputs)
        return result

    def _finite(self, name: str, result: Any, inputs: dict[str, Any]) -> None:
        import torch

        if math.isfinite(float(result.sum(dtype=torch.float32))) or bool(torch.isfinite(result).all()):
            return  # a finite sum has finite terms; looking at each is needed only where finite terms overflow
        bad = [leaf.name for leaf in self.plan.leaves if not bool(torch.isfinite(inputs[leaf.fingerprint]).all())]
        raise PoolError(
            f"tensor '{name}' has values that are not finite",
            where=self.plan.title,
            why=f"'{bad[0]}' holds such values" if bad else f"the weights overflow {_NAMES[self.dtype(name)]}",
            remedy="fetch that model again, or leave it out" if bad else "use smaller weights or another dtype",
        )

    def _same(self, name: str, inputs: dict[str, Any]) -> Any:
        import torch

        wanted = inputs[self.plan.donor.fingerprint]
        for leaf in self.plan.leaves:
            found = inputs[leaf.fingerprint]
            if found.dtype != wanted.dtype or not torch.equal(found, wanted):
                raise PoolError(
                    f"tensor '{name}' holds whole numbers or codes that differ",
                    where=f"{self.plan.donor.name} and {leaf.name}",
                    remedy="merge models in which it is equal",
                )
        return wanted


def _merged(source: Leaf | Plan, inputs: dict[str, Any]) -> Any:
    """The result of ``source`` in the dtype of the arithmetic, from the leaves' tensors by fingerprint."""
    if isinstance(source, Leaf):
        return inputs[source.fingerprint]
    base = {} if source.base is None else {"base": _merged(source.base, inputs)}
    result = OPS.get(source.op).merge([_merged(s, inputs) for s in source.sources], **base, **source.params)
    if source.dtype is None:
        return result
    import torch

    return result.to(getattr(torch, source.dtype))
