"""Where the kinds of answers are resolved: `Query.extract` and `same_many` live below tasks, which fill this registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from moco.core.registry import Registry
from moco.core.types import AnswerSpec, Key


class AnswerKind(Protocol):
    """One kind of answer: one extractor and one equivalence, used for voting and for scoring."""

    name: str
    votable: bool

    def extract(self, text: str, spec: AnswerSpec) -> Key | None:
        """The canonical key of the final answer in ``text`` (visible text only), None if none can be read."""

    def same(self, a: Key, b: Key, spec: AnswerSpec) -> bool:
        """Whether two keys are the same answer; symmetric."""


KINDS: Registry[AnswerKind] = Registry("kind of answer", "moco.kinds")


def clusters(keys: Sequence[Key | None], spec: AnswerSpec) -> list[list[int]]:
    """Indices of equal answers, merged transitively (union-find over all pairs); None is in none.

    Clusters are ordered by their lowest index. Source: union-find makes the result independent of order.
    """
    kind = KINDS.get(spec.kind)
    parent = list(range(len(keys)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    distinct: dict[Key, int] = {}
    for i, key in enumerate(keys):
        if key is None:
            continue
        if key in distinct:
            parent[root(i)] = root(distinct[key])
            continue
        for other, j in distinct.items():
            if root(i) != root(j) and kind.same(key, other, spec):
                a, b = sorted((root(i), root(j)))
                parent[b] = a
        distinct[key] = i
    groups: dict[int, list[int]] = {}
    for i, key in enumerate(keys):
        if key is not None:
            groups.setdefault(root(i), []).append(i)
    return sorted(groups.values(), key=lambda g: g[0])
