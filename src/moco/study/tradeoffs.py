"""Routers on the same answers: cost and quality of every router of a finished run beside each member, chance and an oracle.

Everything is computed from what the members answered alone in the run, so all curves stand on the same answers. Test outcomes
draw curves here; no router ever sees them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from moco.routers import ChainCurve, best, chain_curve, cost_to_reach, gap_recovered
from moco.study.cell import read_lines
from moco.study.stages import recorded
from moco.study.study import RunData

Floats = np.ndarray[Any, np.dtype[np.float64]]
Outcomes = Mapping[str, Mapping[str, Any]]
"""Lines of answers.jsonl by item."""
WEIGHTS = 40
"""Points of a curve between its ends."""
SHARES = {"20": 0.2, "50": 0.5, "80": 0.8}


@dataclass(frozen=True)
class Curve:
    """A router: what it did in the run (``cost``, ``score``), and where a price on cost would take it (``points``, cheap first).

    What the router itself reads and writes to decide is part of the cost of every point.

    A cascade's points are its path from accepting everything (the first stage) over the thresholds of the run to passing on
    everything (the last alone), each stage in step (see `moco.routers.curves`). ``random`` and ``oracle`` are the same chain
    passing on the same shares by chance, and so that most is gained, at the mean costs of the stages; ``worth`` is how much of
    the oracle's gain over chance the confidence gains, by area. It has one point, and none of these, where the run does not know
    what its stages would have said: where they are asked otherwise than members alone and not all were reached
    (`self_consistency`, `verbal`, `margin`, `p_true` in the middle of a longer chain), unless the study says ``curves: ask``.

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
    worth: float | None = None


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
    out = []
    for task in run.results["tasks"]:
        mine = [(a, o) for a, o in cells if a["task"] == task]
        found = _task(run, task, mine, run.results["best_on_dev"].get(task, {}))
        if found is not None:
            out.append(found)
    return out


def _task(
    run: RunData, task: str, cells: Sequence[tuple[Mapping[str, Any], Outcomes]], best_on_dev: Mapping[str, str]
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
    costs = np.array([[_cost(alone[n][s][1][i]) for n in names] for s, i in rows])
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
        found = _router(label, group, names, place, scores, costs, ends)
        if found is not None:
            chain = _chain(run, [about for about, _ in group])
            curves.append(found if chain is None else ends.chain(chain, found))
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

    def chain(self, found: ChainCurve, own: Curve) -> Curve:
        """A cascade that ran as ``own``, with its whole curve and its controls."""
        points = sorted({(round(c, 9), round(s, 9)) for c, s in found.points})
        curve = self.curve(own.label, points, own.cost, own.score)
        return replace(curve, random=found.random, oracle=found.oracle, worth=found.worth)


def _router(
    label: str,
    group: Sequence[tuple[Mapping[str, Any], Outcomes]],
    names: Sequence[str],
    place: Mapping[tuple[int, str], int],
    scores: Floats,
    costs: Floats,
    ends: Ends,
) -> Curve | None:
    """A router's own point, and its curve where its reasons tell it."""
    own: list[tuple[float, float]] = []
    told: list[list[float]] = []
    prices: list[list[float]] = []
    deciding: list[float] = []
    rows: list[int] = []
    candidates: list[str] | None = None
    scored = True
    for about, outcomes in group:
        for item, outcome in outcomes.items():
            if outcome["score"] is None or (about["seed"], item) not in place:
                continue
            own.append((_cost(outcome), outcome["score"]))
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
    return ends.curve(label, points, cost, score)


def _chain(run: RunData, abouts: Sequence[Mapping[str, Any]]) -> ChainCurve | None:
    """The curve of a cascade over its seeds; None where a cell does not know what its stages would have said."""
    chains = [recorded(read_lines(run.cell(about["id"]).stages)) for about in abouts]
    known = [chain for chain in chains if chain is not None]
    passes_on = any(chain.thresholds for chain in known)
    return chain_curve(known) if passes_on and len(known) == len(chains) else None


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


def _cost(outcome: Mapping[str, Any]) -> float:
    """In the unit of the members' ``cost``; tokens in runs of versions that did not keep it."""
    if (cost := outcome.get("cost")) is not None:
        return float(cost)
    return float(outcome["usage"]["prompt_tokens"] + outcome["usage"]["completion_tokens"])


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, Mapping):
        return {k: _rounded(v) for k, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, (list, tuple)) else value


__all__ = ["Curve", "Tradeoff", "compare_routers", "tradeoffs"]
