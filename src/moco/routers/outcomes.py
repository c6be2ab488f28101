"""What every member scores and costs on dev: the table that all routers learn from, and its labels, battles and folds.

Answers are the members' shared first answers, so the table is paid for once, whoever asks for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from moco.core.errors import ContextOverflow, Fatal, PoolError
from moco.discussion.ranking import Runs, Scored
from moco.models.pool import Pool
from moco.routers.costs import relative, spent

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
Ties = Literal["auto", "reward", "cost", "soft"]
EQUAL = 1e-9
"""Scores nearer than this are equal."""


@dataclass(frozen=True)
class Outcomes:
    """[example, member] scores, costs (`spent`), and rewards where a reward model judged the answers."""

    names: tuple[str, ...]
    questions: tuple[str, ...]
    scores: Floats
    costs: Floats
    rewards: Floats | None = None

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def quality(self) -> Floats:
        """The scores as they are if all lie in [0, 1] (every metric but rewards), else brought there by their range."""
        low, high = float(self.scores.min(initial=0.0)), float(self.scores.max(initial=1.0))
        return self.scores if low == 0.0 and high == 1.0 else (self.scores - low) / (high - low)

    @property
    def relative_costs(self) -> Floats:
        """(member,) mean costs, the dearest member's being 1; ones where nothing costs anything."""
        out: Floats = relative(self.costs.mean(axis=0))
        return out

    def of(self, rows: Ints) -> Outcomes:
        """The outcomes of some examples."""
        rewards = None if self.rewards is None else self.rewards[rows]
        return Outcomes(self.names, tuple(self.questions[i] for i in rows), self.scores[rows], self.costs[rows], rewards)


async def outcomes(pool: Pool, dev: Sequence[Scored], run: Runs, *, rewarded: bool = False) -> Outcomes:
    """Ask every member every dev question and note score and cost; with ``rewarded`` also what ``aux.reward`` thinks of it.

    A question that a member will never answer (it does not fit, or the engine refuses it) scores 0 for it, costs nothing, has the
    lowest reward, and is told in the run's log. Raises PoolError where a reward is wanted and nobody gives one.
    """
    judge: Any = pool.aux.reward
    if rewarded and (judge is None or "REWARD" not in judge.capabilities):
        raise PoolError("ties: reward needs a reward model", remedy="add aux: {reward: ...}, or set ties: cost")

    lost: Counter[str] = Counter()

    async def one(pair: tuple[Any, int]) -> tuple[float, float, float]:
        example, index = pair
        member = pool[index]
        try:
            draft = await pool.ask(member, example.query)
        except (ContextOverflow, Fatal):
            lost[member.name] += 1
            return 0.0, 0.0, float("-inf")
        said = draft.completion
        reward = float(await judge.reward(example.query.request(), draft.text)) if rewarded else 0.0
        return await example.score(draft.text), spent(member, said.usage, said.calls), reward

    flat = await run.map(one, [(e, i) for e in dev for i in range(len(pool))], "outcomes on dev")
    if lost:
        run.log.append({"dev_unanswered": dict(sorted(lost.items()))})
    table = np.array(flat, np.float64).reshape(len(dev), len(pool), 3)
    questions = tuple(str(e.query.question) for e in dev)
    return Outcomes(tuple(pool.names), questions, table[..., 0], table[..., 1], table[..., 2] if rewarded else None)


def labels(found: Outcomes, ties: Ties = "auto") -> Floats:
    """[example, member] share of being the best: by score; equals are told apart by reward, then by mean cost, as ``ties`` says.

    ``soft`` leaves equals equal, ``cost`` asks the costs, ``reward`` (``auto`` where there are rewards) asks rewards, then
    costs. What is equal still shares the label; an example on which all members are equal still has a row of zeros: it teaches
    nothing.
    """
    keys = [found.scores]
    if ties in ("auto", "reward") and found.rewards is not None:
        keys.append(found.rewards)
    if ties != "soft":
        keys.append(np.broadcast_to(-found.costs.mean(axis=0), found.scores.shape))
    best = np.ones(found.scores.shape, bool)
    for key in keys:
        top = np.where(best, key, -np.inf).max(axis=1, keepdims=True)
        best &= key >= top - EQUAL
    best[best.all(axis=1)] = False
    total = best.sum(axis=1, keepdims=True)
    out: Floats = best / np.where(total > 0, total, 1)
    return out


def battles(target: Floats) -> Floats:
    """[example, member, member] 1 where the first beats the second, 0.5 where they are equal, 0 where it loses or is itself."""
    difference = target[:, :, None] - target[:, None, :]
    out = np.where(difference > EQUAL, 1.0, np.where(difference < -EQUAL, 0.0, 0.5))
    own = np.arange(target.shape[1])
    out[:, own, own] = 0.0
    return out


def by_outcome(table: Floats) -> Ints:
    """An order of the columns of ``table`` [example, member] that does not depend on the order they are in."""
    return np.array(sorted(range(table.shape[1]), key=lambda k: table[:, k].tobytes()), np.int64)


def folds(found: Outcomes, count: int, rng: np.random.Generator) -> list[Ints]:
    """``count`` disjoint parts of the examples, each with about the same mixture of who is best on it."""
    table = found.scores[:, by_outcome(found.scores)]
    best = table >= table.max(axis=1, keepdims=True) - EQUAL
    order = rng.permutation(len(found))
    kind = sorted(order.tolist(), key=lambda i: best[i].tobytes())
    return [np.array(sorted(kind[part::count]), np.int64) for part in range(min(count, len(kind)))]
