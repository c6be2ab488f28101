"""What abstaining is worth: the answers of methods that may decline to answer, beside their score (arXiv:2402.00367).

An answer whose reason holds ``abstained`` (true or false) is one; what was held back, ``proposal``, is graded too. In the score
itself an abstention is what it is: an answer that is not right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from moco.core.types import Completion
from moco.discussion.abstention import abstention_metrics
from moco.tasks import Helpers, Record, Task

if TYPE_CHECKING:
    from moco.study.outcomes import Outcome

ABSTAINED, PROPOSED = "abstained", "proposed"
"""Of one answer: 1 where it was held back, and the score of what was proposed; the mean of the latter is the accuracy without
abstaining."""


async def graded_proposal(
    task: Task, record: Record, completion: Completion, score: float, helpers: Helpers
) -> Mapping[str, float]:
    """Metrics of an answer of score ``score`` by a method that may abstain; none for any other."""
    held = completion.reason.get("abstained")
    if not isinstance(held, bool):
        return {}
    if held:
        score = (await task.score(record, str(completion.reason.get("proposal", "")), helpers)).score
    return {ABSTAINED: float(held), PROPOSED: score}


def abstaining(scored: Sequence[Outcome]) -> dict[str, float]:
    """The paper's figures over answers that did not fail, those that have something to stand on; none where nobody may abstain.

    A proposal is right from a score of 1; of rewards, which are no shares, there is nothing but the rate. The calibration error
    needs a confidence of every answer.
    """
    asked = [o for o in scored if ABSTAINED in o.metrics]
    if not asked:
        return {}
    if any(not 0 <= o.metrics[PROPOSED] <= 1 for o in asked):
        return {"abstain_rate": sum(o.metrics[ABSTAINED] for o in asked) / len(asked)}
    sure = [o.confidence for o in asked if o.confidence is not None]
    found = abstention_metrics(
        [o.metrics[PROPOSED] >= 1 for o in asked],
        [o.metrics[ABSTAINED] == 1 for o in asked],
        [1 - c for c in sure] if len(sure) == len(asked) else None,
    )
    return {name: value for name, value in found.items() if value is not None}
