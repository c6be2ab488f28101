"""Open generation: a judge compares the reply with a reference output, in both orders; nothing is extracted or voted on.

The score is the share of orders in which the reply is preferred: 1, 0, or 0.5 where the judge prefers whatever stands first (or
second). Judges like long texts, so each grade keeps the length difference, and ``length_controlled`` is the win rate that is left
when length is taken out (arXiv 2404.04475).
"""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np

from moco.core.errors import ConfigError
from moco.tasks.graders.base import Grade, visible
from moco.tasks.graders.item import Helpers, Item
from moco.tasks.graders.judging import Quote, verdict
from moco.tasks.graders.kinds import Unvoted

FIRST, SECOND = "FIRST", "SECOND"
TASK = f"""Two assistants answered the same request. Decide whose reply serves the person who asked better: does what was asked, \
is right, and is clear. Length is no merit, and neither is the place in which a reply is shown.
{FIRST}: the reply shown first is better. {SECOND}: the reply shown second is better. If they are close, still say which."""
RIDGE = 0.1
"""Weight of the penalty on the length coefficient: keeps it finite where length alone predicts every verdict."""


class Generation(Unvoted):
    """The kind as scoring uses it; methods fall back to their free-text rule."""

    name = "generation"
    needs = ("judge",)
    metrics = ("preference",)

    def check(self, item: Item) -> None:
        """Raises ConfigError for an item without a reference."""
        if not any(gold.strip() for gold in item.golds):
            raise ConfigError(
                "there is no reference output to compare with",
                where="answer",
                why="answers of kind 'generation' are graded by comparison",
                remedy="give the record a reference in 'answer', or score it by a reward model: kind: reward",
            )

    async def assess(self, text: str, item: Item, helpers: Helpers) -> Grade:
        """How often the reply is preferred to the references (their mean, where there are several), over both orders.

        ``metrics``: preference, and length_difference in characters (reply minus reference). An empty reply loses, one that is
        the reference ties; nobody is asked then. ``parsed`` is False where a verdict could not be read, which counts as a tie.
        """
        self.check(item)
        said = visible(text).strip()
        references = [gold.strip() for gold in item.golds if gold.strip()]
        difference = len(said) - sum(map(len, references)) / len(references)
        if not said:
            return Grade(0.0, None, "empty", False, {"preference": 0.0, "length_difference": difference})
        others = [reference for reference in references if reference != said]
        found = await asyncio.gather(*(self._compare(said, reference, item, helpers) for reference in others))
        won = [0.5 if one is None else float(one) for pair in found for one in pair]
        preference = (sum(won) + 2 * 0.5 * (len(references) - len(others))) / (2 * len(references))
        parsed = all(one is not None for pair in found for one in pair)
        metrics = {"preference": preference, "length_difference": difference}
        return Grade(preference, None, "judge" if others else "identical", parsed, metrics)

    async def _compare(self, said: str, reference: str, item: Item, helpers: Helpers) -> tuple[bool | None, bool | None]:
        """Whether the reply wins when it is shown first, and when it is shown second; None where that cannot be told."""
        judge: Any = helpers.judge
        asked = "\n\n".join(f"({m.role}) {m.content}" for m in item.messages) if len(item.messages) > 1 else item.spec.question

        async def one(first: str, second: str) -> str | None:
            quotes = [Quote("REQUEST", asked), Quote("REPLY SHOWN FIRST", first), Quote("REPLY SHOWN SECOND", second)]
            return await verdict(judge, TASK, quotes, (FIRST, SECOND), seed=helpers.seed)

        ahead, behind = await asyncio.gather(one(said, reference), one(reference, said))
        return None if ahead is None else ahead == FIRST, None if behind is None else behind == SECOND


def length_controlled(win: Any, length_difference: Any) -> float:
    """The win rate in [0, 1] of a model against its reference had all replies been as long as the references.

    ``win`` (item,) preferences in [0, 1], ``length_difference`` (item,) reply minus reference. Fits

        p_i = sigmoid(theta + phi * tanh(d_i / s)),   s = standard deviation of d,

    by maximum likelihood (ties count as half a win) with the penalty 0.05 phi^2, and gives sigmoid(theta): the length term of
    arXiv 2404.04475 set to 0, as there. Simplified: that paper has a third term, the difficulty of each instruction estimated
    over many models, which one model's verdicts cannot tell. Equal to the mean where lengths do not differ; swapping the sides
    (1 - win, -d) gives 1 minus it. Raises ConfigError for arrays of unequal length or without items.
    """
    wins, differences = np.asarray(win, np.float64), np.asarray(length_difference, np.float64)
    if wins.ndim != 1 or wins.shape != differences.shape or not len(wins):
        raise ConfigError("a length-controlled win rate needs one length difference per preference", where="length_controlled")
    scale, mean = float(differences.std()), float(wins.mean())
    if scale == 0 or mean in (0.0, 1.0):
        return mean
    from scipy.optimize import minimize
    from scipy.special import expit

    longer = np.tanh(differences / scale)

    def loss(weights: Any) -> tuple[float, Any]:
        z = weights[0] + weights[1] * longer
        residual = expit(z) - wins
        value = float(np.logaddexp(0.0, z).sum() - (wins * z).sum() + RIDGE / 2 * weights[1] ** 2)
        return value, np.array([residual.sum(), (residual * longer).sum() + RIDGE * weights[1]])

    start = np.array([np.log(mean / (1 - mean)), 0.0])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000, "ftol": 1e-14, "gtol": 1e-10})
    return float(expit(found.x[0]))


KIND = Generation()
