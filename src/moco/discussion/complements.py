"""Which members complement one another: a search over subsets on dev draws (arXiv 2510.05077, section on model selection).

A subset is worth the questions that one of its members gets right reliably, less those of them on which another one is wrong
with confidence, because then the confident one would be chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

from moco.core.types import Key

EXHAUSTIVE = 20
"""Members up to which every subset is looked at; beyond it one member is added at a time."""


@dataclass(frozen=True)
class Sampled:
    """A member's draws for one dev question: what they say (equal keys are equal answers), and whether that is right."""

    keys: tuple[Key | None, ...]
    right: tuple[bool, ...]

    def confidently_wrong(self, blanks: bool = False) -> bool:
        """More than one draw, all alike, none right; draws that say nothing are no confidence, unless ``blanks``."""
        alike = len(set(self.keys)) == 1 and (blanks or self.keys[0] is not None)
        return len(self.keys) > 1 and alike and not any(self.right)


@dataclass(frozen=True)
class Worth:
    """``score`` = ``union`` - weight x ``contradicted``; both are shares (of questions, of the questions in the union)."""

    score: float
    union: float
    contradicted: float


def worth(team: Sequence[Sequence[Sampled]], weight: float = 0.5, robust: int = 2, *, blanks: bool = False) -> Worth:
    """Of a team: sampled[member][question]; a member is reliably right with at least ``robust`` right draws."""
    questions = list(zip(*team, strict=True))
    solved = [q for q in questions if any(sum(s.right) >= robust for s in q)]
    against = sum(any(s.confidently_wrong(blanks) for s in q) for q in solved)
    union = len(solved) / len(questions) if questions else 0.0
    contradicted = against / len(solved) if solved else 0.0
    return Worth(union - weight * contradicted, union, contradicted)


def best_subset(
    sampled: Sequence[Sequence[Sampled]],
    sizes: tuple[int, int] = (2, 5),
    weight: float = 0.5,
    robust: int = 2,
    *,
    blanks: bool = False,
) -> tuple[tuple[int, ...], Worth]:
    """Members (places in ``sampled``) of the best subset of a size in ``sizes``, by score, then union, then first seen.

    Beyond 20 members the subset is grown greedily, which may miss the best one.
    """
    low, high = (min(s, len(sampled)) for s in sizes)

    def value(members: tuple[int, ...]) -> Worth:
        return worth([sampled[i] for i in members], weight, robust, blanks=blanks)

    if len(sampled) > EXHAUSTIVE:
        tried = _grown(len(sampled), low, high, value)
    else:
        tried = [m for size in range(low, high + 1) for m in combinations(range(len(sampled)), size)]
    best = _first_best(tried, value)
    return best, value(best)


def _grown(n: int, low: int, high: int, value: Callable[[tuple[int, ...]], Worth]) -> list[tuple[int, ...]]:
    chosen: tuple[int, ...] = ()
    out = []
    while len(chosen) < high:
        chosen = _first_best([tuple(sorted((*chosen, i))) for i in range(n) if i not in chosen], value)
        if len(chosen) >= low:
            out.append(chosen)
    return out


def _first_best(tried: Sequence[tuple[int, ...]], value: Callable[[tuple[int, ...]], Worth]) -> tuple[int, ...]:
    """The subset with the highest score, then union; the first among equals."""
    worths = [value(members) for members in tried]
    order = [(round(w.score, 9), round(w.union, 9), -i) for i, w in enumerate(worths)]
    return tried[-max(order)[2]]
