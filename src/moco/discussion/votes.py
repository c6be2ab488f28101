"""Votes over answer keys: ballots, clusters of the same answer, ties, and the reply that represents the winner.

A ballot without a key abstains: it counts in the denominator of the support and can never win (the rule ``abstain``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from moco.core.query import Query
from moco.core.types import Answer, Draft
from moco.discussion.gathering import voter
from moco.discussion.ranking import Ranking
from moco.discussion.similarity import medoid

Tie = Literal["dev", "dev_sum", "order", "random"]
Unreadable = Literal["abstain", "drop", "candidate"]
"""What a ballot without a key is: an abstention, no ballot at all, or a vote for having no answer, which can win."""
TOLERANCE = 1e-9
"""Weights closer than this are equal."""
Place = tuple[int, int, int]


@dataclass(frozen=True)
class Decision:
    """Outcome of a vote. Indices point into the drafts that were voted on.

    ``support`` is the winner's share of all weight (abstentions included), ``margin`` its lead over the second.
    """

    winner: tuple[int, ...]
    representative: int
    support: float
    margin: float
    clusters: tuple[tuple[int, ...], ...]
    tie: Tie | None = None
    fallback: bool = False


async def vote(
    query: Query,
    drafts: Sequence[Draft],
    *,
    ranking: Ranking | None = None,
    tie: Tie = "dev",
    weights: Sequence[float] | None = None,
    require: float = 0.0,
    unreadable: Unreadable = "abstain",
) -> Decision:
    """Plurality over the drafts' keys (arXiv 2203.11171, the rule across models).

    ``weights`` is one per draft (default 1); a negative one speaks against its key, and shares are of absolute weight.
    ``require`` is the least support a winner needs. Without a usable ballot or quorum the best-ranked member's draft stands
    in, marked ``fallback``.
    """
    weight = [1.0] * len(drafts) if weights is None else list(weights)
    groups = [tuple(g) for g in await query.same_many([d.key for d in drafts])]
    blank = tuple(i for i, d in enumerate(drafts) if d.key is None)
    if blank and unreadable == "candidate":
        groups.append(blank)
    counted = set(range(len(drafts))) - set(blank if unreadable == "drop" else ())
    total = sum(abs(weight[i]) for i in counted)
    groups = sorted((g for g in groups if any(abs(weight[i]) > TOLERANCE for i in g)), key=lambda g: g[0])
    sizes = [sum(weight[i] for i in g) for g in groups]
    ordered = tuple(g for _, g in sorted(zip(sizes, groups, strict=True), key=lambda pair: (-pair[0], pair[1][0])))
    rank = placing(drafts, ranking)
    top = max(sizes, default=0.0)
    support = max(top, 0.0) / total if groups else 0.0
    if not groups or support < require - TOLERANCE:
        return Decision((), min(range(len(drafts)), key=rank), 0.0, 0.0, ordered, fallback=True)
    tied = [g for g, size in zip(groups, sizes, strict=True) if top - size <= TOLERANCE]
    rest = sorted(sizes, reverse=True)
    margin = (rest[0] - (rest[1] if len(rest) > 1 else 0.0)) / total
    winner = tied[0] if len(tied) == 1 else _break(tied, query, drafts, ranking, tie, rank)
    return Decision(winner, min(winner, key=rank), support, margin, ordered, tie if len(tied) > 1 else None)


def placing(drafts: Sequence[Draft], ranking: Ranking | None) -> Callable[[int], Place]:
    """Order of preference among drafts, the least first: best on dev, then pool order, then draw."""

    def rank(i: int) -> Place:
        place = ranking.place(drafts[i].member) if ranking is not None else drafts[i].index
        return place, drafts[i].index, drafts[i].draw

    return rank


def _break(
    tied: list[tuple[int, ...]],
    query: Query,
    drafts: Sequence[Draft],
    ranking: Ranking | None,
    tie: Tie,
    rank: Callable[[int], Place],
) -> tuple[int, ...]:
    """The winner among equal clusters; every rule is total and deterministic."""
    if tie == "random":
        by_name = sorted(tied, key=lambda g: min(str(drafts[i].key) for i in g))
        return by_name[int(query.rng("tie").integers(len(by_name)))]
    if tie == "order" or ranking is None:
        return min(tied, key=lambda g: first_of(drafts, g))
    if tie == "dev_sum":
        return min(tied, key=lambda g: (-round(sum(ranking.mean(drafts[i].member) for i in g), 9), first_of(drafts, g)))
    return min(tied, key=lambda g: min(rank(i) for i in g))


def first_of(drafts: Sequence[Draft], group: Sequence[int]) -> tuple[int, int]:
    """Pool place and draw of a cluster's first voter."""
    return min((drafts[i].index, drafts[i].draw) for i in group)


async def plurality(
    query: Query,
    drafts: Sequence[Draft],
    *,
    ranking: Ranking | None = None,
    tie: Tie = "dev",
    weights: Sequence[float] | None = None,
    require: float = 0.0,
    unreadable: Unreadable = "abstain",
) -> Answer:
    """The answer most drafts give, with its reason; for free text the medoid (the reply most like the others)."""
    if not query.votable:
        chosen = medoid([d.text for d in drafts])
        likeness = {"rule": "medoid", "of": len(drafts)}
        return answer_of(drafts[chosen], reason=likeness)
    decision = await vote(query, drafts, ranking=ranking, tie=tie, weights=weights, require=require, unreadable=unreadable)
    reason = {
        "votes": [
            [drafts[i].key for i in g][:1] + [[voter(drafts[i].member, drafts[i].draw) for i in g]] for g in decision.clusters
        ],
        "abstained": [voter(d.member, d.draw) for d in drafts if d.key is None],
        "support": round(decision.support, 6),
        "margin": round(decision.margin, 6),
        "tie": decision.tie,
        "fallback": decision.fallback,
    }
    return answer_of(drafts[decision.representative], confidence=decision.support, reason=reason)


def answer_of(draft: Draft, *, confidence: float | None = None, reason: dict[str, Any] | None = None) -> Answer:
    """A draft as the answer of the whole."""
    return Answer(draft.text, draft.member, confidence, reason or {}, draft.completion.finish)
