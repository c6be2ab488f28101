"""Routers on the same answers: cost and quality of every router of a finished run beside each member, chance and an oracle.

Everything is computed from what the members answered alone in the run, so all curves stand on the same answers. Test outcomes
draw curves here; no router ever sees them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from moco.routers import best, cost_to_reach, gap_recovered, oracle_deferral, random_deferral
from moco.routers.curves import sweep
from moco.study.cell import read_lines
from moco.study.study import RunData

Floats = np.ndarray[Any, np.dtype[np.float64]]
Outcomes = Mapping[str, Mapping[str, Any]]
"""Lines of answers.jsonl by item."""
WEIGHTS = 40
"""Points of a curve between its ends."""
SHARES = {"20": 0.2, "50": 0.5, "80": 0.8}
ASKED_OTHERWISE = ("self_consistency", "verbal")
"""Confidences of a cascade for which its stages are asked otherwise than a member alone."""


@dataclass(frozen=True)
class Curve:
    """A router: what it did in the run (``cost``, ``score``), and where a price on cost would take it (``points``, cheap first).

    What the router itself reads and writes to decide is part of the cost of every point.

    A cascade of two members has a point for every threshold of the first, from accepting all (the first member) to accepting
    none (the second alone, the first is not asked); thresholds that differ between seeds are one there, so its own point lies
    on the curve for sure in a run of one seed. ``random`` and ``oracle`` are the same chain passing on the same shares of the
    questions by chance, and those that gain most by it, both at the mean costs of the stages. It has one point, and no such
    lines, where other thresholds cannot be known from the run: with more stages (a later stage told no confidence of what never
    reached it), where the run accepted everything or nothing by a threshold or never reached the second stage, and with
    `self_consistency`, `verbal` or sampling of its own, where stages answer otherwise than the members alone.

    Costs are tokens per query times the members' ``cost``. ``apgr`` and ``cpt`` (by percent of the gap) are relative to the weak
    and the strong member, None where the gap or the curve does not allow them. Any other router whose reasons hold no score
    of every candidate has one point.
    """

    label: str
    cost: float
    score: float
    points: tuple[tuple[float, float], ...]
    apgr: float | None
    cpt: dict[str, float | None]
    random: tuple[tuple[float, float], ...] = ()
    oracle: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Tradeoff:
    """One task. ``weak`` is the cheapest member, ``strong`` the best on dev (the dearest where no
    member was ranked on dev); ``singles`` are (name, cost, score)."""

    task: str
    n: int
    weak: str
    strong: str
    singles: tuple[tuple[str, float, float], ...]
    random: tuple[float, float]
    """Cost and score of asking any member, each as often."""
    oracle: Curve
    """What knowing every member's score would give."""
    routers: tuple[Curve, ...]

    def to_json(self) -> dict[str, Any]:
        """Numbers to 6 digits."""
        found: dict[str, Any] = _rounded(asdict(self))
        return found


def tradeoffs(run: RunData) -> list[Tradeoff]:
    """The tradeoffs of a run directory, task by task; tasks without members of their own or without routers are left out."""
    cells = [(about, {o["id"]: o for o in read_lines(run.cell(about["id"]).answers)}) for about in run.results["cells"]]
    return compare_routers(run, cells)


def compare_routers(run: RunData, cells: Sequence[tuple[Mapping[str, Any], Outcomes]]) -> list[Tradeoff]:
    """As `tradeoffs`, from outcomes that were read already: pairs of a cell of results.json and its outcomes."""
    config = run.manifest["config"]
    prices = {m["name"]: 1.0 if m.get("cost") is None else float(m["cost"]) for m in config.get("pool") or ()}
    otherwise = {
        m["label"]
        for m in config.get("methods") or ()
        if m["options"].get("confidence") in ASKED_OTHERWISE or any(v is not None for v in (m.get("sampling") or {}).values())
    }

    def cost_of(about: Mapping[str, Any]) -> Callable[[str, Mapping[str, Any]], float]:
        calls: dict[str, Any] | None = None

        def cost(item: str, outcome: Mapping[str, Any]) -> float:
            nonlocal calls
            if about["role"] == "member":
                return prices.get(about["label"], 1.0) * _tokens(outcome)
            if len(set(prices.values())) <= 1:
                return next(iter(prices.values()), 1.0) * _tokens(outcome)
            if calls is None:
                calls = {line["id"]: line["calls"] for line in read_lines(run.cell(about["id"]).transcripts)}
            return sum(prices.get(c["member"], 1.0) * _tokens(c) for c in calls.get(item, ()))

        return cost

    out = []
    for task in run.results["tasks"]:
        mine = [(a, o) for a, o in cells if a["task"] == task]
        found = _task(task, mine, run.results["best_on_dev"].get(task, {}), cost_of, otherwise)
        if found is not None:
            out.append(found)
    return out


def _task(
    task: str,
    cells: Sequence[tuple[Mapping[str, Any], Outcomes]],
    best_on_dev: Mapping[str, str],
    cost_of: Callable[[Mapping[str, Any]], Callable[[str, Mapping[str, Any]], float]],
    otherwise: Collection[str],
) -> Tradeoff | None:
    alone: dict[str, dict[int, tuple[Mapping[str, Any], Outcomes]]] = {}
    routed: dict[str, list[tuple[Mapping[str, Any], Outcomes]]] = {}
    for about, outcomes in cells:
        if about["role"] == "member":
            alone.setdefault(about["label"], {})[about["seed"]] = (about, outcomes)
        elif about["role"] == "method" and about["level"] == "routing":
            routed.setdefault(about["label"], []).append((about, outcomes))
    names = list(alone)
    if len(names) < 2 or not routed:
        return None
    seeds = sorted(set.intersection(*(set(by_seed) for by_seed in alone.values())))
    first = alone[names[0]]
    rows = [(s, i) for s in seeds for i in first[s][1] if all(_score(alone[n][s][1], i) is not None for n in names)]
    if not rows:
        return None
    scores = np.array([[_score(alone[n][s][1], i) for n in names] for s, i in rows], np.float64)
    priced = {(n, s): cost_of(alone[n][s][0]) for n in names for s in seeds}
    costs = np.array([[priced[n, s](i, alone[n][s][1][i]) for n in names] for s, i in rows])
    place = {row: number for number, row in enumerate(rows)}
    mean_cost, mean_score = costs.mean(axis=0), scores.mean(axis=0)
    votes = [best_on_dev.get(str(s)) for s in seeds]
    strong = max((n for n in names if n in votes), key=votes.count, default=names[int(mean_cost.argmax())])
    ends = Ends(int(np.argmin(mean_cost)), names.index(strong), mean_cost, mean_score)
    chosen = best(scores, mean_cost)
    oracle_cost = float(costs[np.arange(len(rows)), chosen].mean())
    oracle = ends.curve("oracle", _sweep(scores, mean_cost, scores, costs), oracle_cost, float(scores.max(axis=1).mean()))
    curves = []
    for label, group in routed.items():
        found = _router(label, group, names, place, scores, costs, ends, cost_of, label not in otherwise)
        if found is not None:
            curves.append(found)
    singles = tuple(zip(names, mean_cost.tolist(), mean_score.tolist(), strict=True))
    random = (float(mean_cost.mean()), float(mean_score.mean()))
    return Tradeoff(task, len(rows), names[ends.weak], strong, singles, random, oracle, tuple(curves))


@dataclass(frozen=True)
class Ends:
    """The two members between which routers are measured, and every member's mean cost and score."""

    weak: int
    strong: int
    costs: Floats
    scores: Floats

    def curve(self, label: str, points: Sequence[tuple[float, float]], cost: float, score: float) -> Curve:
        """The router with its measures; on the scale of costs the weak member is 0 and the strong one 1."""
        width = float(self.costs[self.strong] - self.costs[self.weak])
        weak, strong = float(self.scores[self.weak]), float(self.scores[self.strong])
        nothing: dict[str, float | None] = dict.fromkeys(SHARES)
        if width <= 0 or strong <= weak or len(points) < 2:
            return Curve(label, cost, score, tuple(points), None, nothing)
        x, y = ((np.array([p[0] for p in points]) - self.costs[self.weak]) / width, np.array([p[1] for p in points]))
        cpt = {name: cost_to_reach(x, y, weak, strong, share) for name, share in SHARES.items()}
        return Curve(label, cost, score, tuple(points), gap_recovered(x, y, weak, strong), cpt)


def _router(
    label: str,
    group: Sequence[tuple[Mapping[str, Any], Outcomes]],
    names: Sequence[str],
    place: Mapping[tuple[int, str], int],
    scores: Floats,
    costs: Floats,
    ends: Ends,
    cost_of: Callable[[Mapping[str, Any]], Callable[[str, Mapping[str, Any]], float]],
    plain: bool,
) -> Curve | None:
    """A router's own point, and its curve where its reasons tell it; ``plain``: it asks its members as they are asked alone."""
    own: list[tuple[float, float]] = []
    walks: list[Walk] = []
    told: list[list[float]] = []
    prices: list[list[float]] = []
    deciding: list[float] = []
    rows: list[int] = []
    candidates: list[str] | None = None
    scored = True
    for about, outcomes in group:
        cost = cost_of(about)
        for item, outcome in outcomes.items():
            if outcome["score"] is None or (about["seed"], item) not in place:
                continue
            own.append((cost(item, outcome), outcome["score"]))
            if about.get("method") == "cascade" and (steps := outcome["reason"].get("steps")):
                walks.append(Walk(place[about["seed"], item], steps, *own[-1]))
            said = outcome["reason"].get("scores")
            if not isinstance(said, Mapping) or not set(said) <= set(names) or len(said) < 2:
                scored = False
                continue
            candidates = candidates or [n for n in names if n in said]
            scored = scored and set(said) == set(candidates)
            if scored:
                told.append([float(said[n]) for n in candidates])
                rows.append(place[about["seed"], item])
                known = outcome["reason"].get("costs") or {}  # on dev: what a member costs on test is not the router's to know
                prices.append([float(known.get(n, ends.costs[names.index(n)])) for n in candidates])
                route = outcome["reason"].get("route")
                deciding.append(own[-1][0] - float(costs[rows[-1], names.index(route)]) if route in names else 0.0)
    if not own:
        return None
    cost, score = np.array(own).mean(axis=0).tolist()
    points: list[tuple[float, float]] = [(cost, score)]
    if scored and candidates is not None:
        columns = [names.index(n) for n in candidates]
        part = np.ix_(rows, columns)
        overhead = round(float(np.mean(deciding)), 9)
        swept = _sweep(np.array(told), np.mean(prices, axis=0), scores[part], costs[part])
        points = [(c + overhead, s) for c, s in swept]
    chain = two_stages(walks, names, scores, costs) if plain and len(walks) == len(own) else None
    return ends.curve(label, points, cost, score) if chain is None else chain.curve(label, ends, cost, score)


@dataclass(frozen=True)
class Walk:
    """What a cascade did with one question (``row`` of the members' outcomes), stage by stage."""

    row: int
    steps: Sequence[Mapping[str, Any]]
    cost: float
    score: float


@dataclass(frozen=True)
class TwoStages:
    """A cascade of two: [2, question] scores and costs (what finding the confidence cost included), and the confidences."""

    scores: Floats
    costs: Floats
    sure: Floats
    thresholds: tuple[float, ...]

    def curve(self, label: str, ends: Ends, cost: float, score: float) -> Curve:
        """Every threshold, and the two controls at the same shares."""
        found = sweep(self.scores, self.costs, self.sure, self.thresholds)
        points = sorted({(round(p.found.cost, 9), round(p.found.score, 9)) for p in found})
        shares = sorted({p.quantile for p in found})
        price, extra = self.costs.mean(axis=1).tolist()
        first, last = self.scores
        random, oracle = (
            tuple((price + share * extra, control(first, last, share)) for share in shares)
            for control in (random_deferral, oracle_deferral)
        )
        return replace(ends.curve(label, points, cost, score), random=random, oracle=oracle)


def two_stages(walks: Sequence[Walk], names: Sequence[str], scores: Floats, costs: Floats) -> TwoStages | None:
    """What a cascade would have done at any threshold of its first stage; None where the run does not tell (see `Curve`)."""
    for walk in walks:
        cut = walk.steps[0]["threshold"]  # none: infinite; the note of an answer that was accepted all the same is not kept
        third = len(walk.steps) > 2 or (len(walk.steps) == 2 and walk.steps[1]["threshold"] is not None)
        if cut is None or third:
            return None
    pairs = [{w.steps[stage]["member"] for w in walks if len(w.steps) > stage} for stage in (0, 1)]
    if any(len(p) != 1 or not p <= set(names) for p in pairs):
        return None
    columns = [names.index(next(iter(p))) for p in pairs]
    part = np.ix_([w.row for w in walks], columns)
    alone, price = scores[part].T, costs[part].T
    deferred = np.array([len(w.steps) == 2 for w in walks])
    if not np.array_equal(np.where(deferred, alone[1], alone[0]), [w.score for w in walks]):
        return None  # a stage did not answer as its member does alone
    first = np.array([w.cost for w in walks]) - np.where(deferred, price[1], 0.0)
    return TwoStages(
        alone,
        np.stack([first, price[1]]),
        np.array([_sure(w.steps[0]) for w in walks]),
        tuple(sorted({float(w.steps[0]["threshold"]) for w in walks})),
    )


def _sure(step: Mapping[str, Any]) -> float:
    """The confidence of a stage on the side of its threshold on which it was: both were rounded. -inf where it was unusable."""
    if step["confidence"] is None or step.get("note"):
        return float("-inf")
    sure, cut = float(step["confidence"]), float(step["threshold"])
    return max(sure, cut) if step["accepted"] else min(sure, float(np.nextafter(cut, -np.inf)))


def _sweep(told: Floats, price: Floats, scores: Floats, costs: Floats) -> list[tuple[float, float]]:
    """(mean cost, mean score) of choosing by ``told`` - weight x ``price``, over weights from none to price alone, cheap first.

    Weights are quantiles of those at which a choice between two members turns.
    """
    turns = []
    for one in range(len(price)):
        for two in range(len(price)):
            if price[one] > price[two]:
                turns.append((told[:, one] - told[:, two]) / (price[one] - price[two]))
    found = np.concatenate(turns) if turns else np.zeros(0)
    found = found[found > 0]
    weights = [0.0, *np.unique(np.quantile(found, np.linspace(0, 1, WEIGHTS))).tolist()] if len(found) else [0.0]
    points = set()
    rows = np.arange(len(told))
    for weight in [*(w * (1 + 1e-9) for w in weights), float("inf")]:
        chosen = best(told, price, weight)
        points.add((float(costs[rows, chosen].mean()), float(scores[rows, chosen].mean())))
    return sorted(points)


def _score(outcomes: Outcomes, item: str) -> float | None:
    found: float | None = outcomes.get(item, {}).get("score")
    return found


def _tokens(thing: Mapping[str, Any]) -> float:
    usage = thing["usage"]
    return float(usage["prompt_tokens"] + usage["completion_tokens"])


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, Mapping):
        return {k: _rounded(v) for k, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, (list, tuple)) else value


__all__ = ["Curve", "Tradeoff", "compare_routers", "tradeoffs"]
