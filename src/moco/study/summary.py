"""One cell in numbers: every score with its n, interval, unparsed and truncation rate, and cost. Deterministic fields only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from moco.core.types import Usage
from moco.study.outcomes import Outcome
from moco.study.statistics import interval


@dataclass(frozen=True)
class Summary:
    """Mean score in [0, 1] over the items that did not fail; rates are shares of the same items; tokens per query."""

    n: int
    mean: float | None
    low: float | None
    high: float | None
    unparsed: float
    truncated: float
    failed: int
    usage: Usage

    @property
    def tokens(self) -> float:
        """Prompt and completion tokens per answered query."""
        return (self.usage.prompt_tokens + self.usage.completion_tokens) / self.n if self.n else 0.0

    def to_json(self) -> dict[str, Any]:
        def short(value: float | None) -> float | None:
            return None if value is None else round(value, 6)

        per = max(self.n, 1)
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
        }


def summarise(outcomes: Sequence[Outcome]) -> Summary:
    """The summary of a cell's outcomes."""
    scored = [o for o in outcomes if o.score is not None]
    usage = Usage()
    for outcome in scored:
        usage = usage + outcome.usage
    n = len(scored)
    scores = [o.score for o in scored if o.score is not None]
    bounds = interval(scores) if n else None
    return Summary(
        n=n,
        mean=sum(scores) / n if n else None,
        low=bounds[0] if bounds else None,
        high=bounds[1] if bounds else None,
        unparsed=sum(not o.parsed for o in scored) / n if n else 0.0,
        truncated=sum(o.finish == "length" for o in scored) / n if n else 0.0,
        failed=len(outcomes) - n,
        usage=usage,
    )
