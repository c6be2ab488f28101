"""One cell in numbers: every score with its n, interval, unparsed and truncation rate, and cost. Deterministic fields only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from moco.core.types import Usage
from moco.study.abstaining import ABSTAINED
from moco.study.figures import figures, units
from moco.study.outcomes import Outcome
from moco.study.statistics import interval
from moco.tasks import Task


@dataclass(frozen=True)
class Summary:
    """Mean score over the units that did not fail: items, or whole groups where a task counts these.

    ``unparsed`` (answers held back are none) and ``truncated`` are shares of the answers, ``failed`` counts them; ``asked``
    answers cost ``usage``. ``figures`` are what is shown beside the mean (em, f1, macro means, strict reading), by name.
    """

    n: int
    mean: float | None
    low: float | None
    high: float | None
    unparsed: float
    truncated: float
    failed: int
    usage: Usage
    asked: int = 0
    figures: dict[str, float] = field(default_factory=dict)
    rules: dict[str, int] = field(default_factory=dict)
    """How many answers each rule of a grader read or judged, the rule without its particulars."""

    @property
    def tokens(self) -> float:
        """Prompt and completion tokens per answered query."""
        return (self.usage.prompt_tokens + self.usage.completion_tokens) / self.asked if self.asked else 0.0

    def to_json(self) -> dict[str, Any]:
        def short(value: float | None) -> float | None:
            return None if value is None else round(value, 6)

        per = max(self.asked, 1)
        return {
            "n": self.n,
            "mean": short(self.mean),
            "low": short(self.low),
            "high": short(self.high),
            "unparsed": short(self.unparsed),
            "truncated": short(self.truncated),
            "failed": self.failed,
            "calls_per_query": short(self.usage.calls / per),
            "prompt_tokens_per_query": short(self.usage.prompt_tokens / per),
            "completion_tokens_per_query": short(self.usage.completion_tokens / per),
            "rules": self.rules,
            "figures": {name: short(value) for name, value in sorted(self.figures.items())},
        }


def summarise(outcomes: Sequence[Outcome], task: Task | None = None) -> Summary:
    """The summary of a cell's outcomes; ``task`` says whether groups count as wholes and which figures belong beside the mean."""
    scored = [o for o in outcomes if o.score is not None]
    usage = Usage()
    for outcome in scored:
        usage = usage + outcome.usage
    asked = len(scored)
    scores = [score for score in (units(outcomes, task) if task is not None else units(outcomes)).values() if score is not None]
    n = len(scores)
    bounds = interval(scores) if n else None
    return Summary(
        n=n,
        mean=sum(scores) / n if n else None,
        low=bounds[0] if bounds else None,
        high=bounds[1] if bounds else None,
        unparsed=sum(not o.parsed and not o.metrics.get(ABSTAINED) for o in scored) / asked if asked else 0.0,
        truncated=sum(o.finish == "length" for o in scored) / asked if asked else 0.0,
        failed=len(outcomes) - asked,
        usage=usage,
        asked=asked,
        figures=figures(outcomes, task) if task is not None else {},
        rules=dict(sorted(Counter(o.rule.partition(":")[0] for o in scored).items())),
    )
