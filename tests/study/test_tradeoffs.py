"""Cost and quality of routers of a finished run: by hand, against a slow sweep, and from a real run to its report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from moco.report.html import render_report
from moco.report.html.curves import affordable, curves, draw
from moco.report.html.evidence import gather
from moco.study import Study
from moco.study.cell import CellFolder, write_lines
from moco.study.stages import number
from moco.study.tradeoffs import Tradeoff, _sweep, compare_routers, tradeoffs


def outcome(item: int, score: float | None, tokens: int, scores: dict[str, float] | None = None) -> tuple[str, dict[str, Any]]:
    usage = {"prompt_tokens": tokens - 1, "completion_tokens": 1, "calls": 1}
    return f"q{item}", {"id": f"q{item}", "score": score, "usage": usage, "reason": {} if scores is None else {"scores": scores}}


def cell(label: str, role: str, outcomes: Any, level: str = "routing") -> tuple[dict[str, Any], dict[str, Any]]:
    return {"id": label, "label": label, "role": role, "level": level, "task": "t", "seed": 0}, dict(outcomes)


def run_of(prices: dict[str, float | None], dev: str) -> Any:
    pool = [{"name": n, "cost": c} for n, c in prices.items()]
    nothing = Path("there", "is", "no", "such", "folder")
    return SimpleNamespace(
        manifest={"config": {"pool": pool}},
        results={"tasks": {"t": {}}, "best_on_dev": {"t": {"0": dev, "1": dev}}},
        cell=lambda which: CellFolder(nothing, which),
    )


def small() -> Tradeoff:
    """Four questions at equal prices; the router has the best of both members. A method of another level is there too."""
    weak = cell("weak", "member", [outcome(i, s, 10) for i, s in enumerate([1, 1, 0, 0])], "baseline")
    strong = cell("strong", "member", [outcome(i, s, 10) for i, s in enumerate([0, 1, 1, 1])], "baseline")
    sure = [0.9, 0.8, 0.2, 0.1]
    told = [outcome(i, s, 10, {"weak": w, "strong": 0.5}) for i, (s, w) in enumerate(zip([1, 1, 1, 1], sure, strict=True))]
    router = cell("router", "method", told)
    other = cell("chat", "method", [outcome(i, 1, 99) for i in range(4)], "text")
    return compare_routers(run_of({"weak": None, "strong": 1.0}, "strong"), [weak, strong, router, other])[0]


def test_members_oracle_chance_and_a_router_by_hand() -> None:
    weak = cell("weak", "member", [outcome(i, s, 1) for i, s in enumerate([1, 1, 0, 0])], "baseline")
    strong = cell("strong", "member", [outcome(i, s, 10) for i, s in enumerate([0, 1, 1, 1])], "baseline")
    told = [outcome(i, 1, t, {"weak": w, "strong": 0.5}) for i, (t, w) in enumerate(((1, 0.9), (1, 0.8), (10, 0.2), (10, 0.1)))]
    point = cell("point", "method", [outcome(i, s, 11) for i, s in enumerate([1, 1, 0, 1])])
    found = compare_routers(
        run_of({"weak": None, "strong": None}, "strong"), [weak, strong, cell("router", "method", told), point]
    )[0]
    assert (found.weak, found.strong, found.n) == ("weak", "strong", 4)
    assert found.singles == (("weak", 1.0, 0.5), ("strong", 10.0, 0.75)) and found.random == (5.5, 0.625)
    router, single = found.routers
    assert (router.cost, router.score) == (5.5, 1.0)
    assert router.points[0] == (1.0, 0.5) and router.points[-1] == (5.5, 1.0) and (3.25, 0.75) in router.points
    assert router.apgr is not None and router.apgr > 1 and router.cpt["50"] == pytest.approx(0.125)
    assert (single.points, single.apgr) == (((11.0, 0.75),), None), "without scores of every candidate there is one point"
    assert (found.oracle.cost, found.oracle.score) == (5.5, 1.0), "of two that are right it asks the cheaper"


def test_a_router_pays_for_its_own_reading_on_every_point_and_prices_are_those_it_knew() -> None:
    weak = cell("weak", "member", [outcome(i, s, 2) for i, s in enumerate([1, 1, 0, 0])], "baseline")
    strong = cell("strong", "member", [outcome(i, s, 10) for i, s in enumerate([0, 1, 1, 1])], "baseline")
    told = [outcome(i, 1, t, {"weak": w, "strong": 0.5}) for i, (t, w) in enumerate(((7, 0.9), (7, 0.8), (15, 0.2), (15, 0.1)))]
    for (_, line), route in zip(told, ("weak", "weak", "strong", "strong"), strict=True):
        line["reason"] |= {"route": route, "costs": {"weak": 1.0, "strong": 0.5}}
    found = compare_routers(run_of({"weak": None, "strong": None}, "strong"), [weak, strong, cell("router", "method", told)])[0]
    router = found.routers[0]
    assert router.points[0][0] == 11.0 and (router.cost, router.score) == router.points[0], "deciding costs 5 tokens each time"
    assert router.points[-1] == (15.0, 0.75), "on dev the strong member was the cheaper one: a price on cost leads to it"


def test_prices_count_and_failed_questions_and_other_levels_do_not() -> None:
    found = small()
    assert [r.label for r in found.routers] == ["router"]
    weak = cell("weak", "member", [outcome(0, 1, 10), outcome(1, None, 10)], "baseline")
    strong = cell("strong", "member", [outcome(0, 1, 10), outcome(1, 1, 10)], "baseline")
    for _, line in (weak, strong):
        line["q0"]["cost"] = 10.0
    strong[1]["q0"]["cost"] = 30.0
    which, told = outcome(0, 1, 10)
    routed = cell("router", "method", [(which, {**told, "cost": 30.0})])
    found = compare_routers(run_of({"weak": 1.0, "strong": 3.0}, "weak"), [weak, strong, routed])[0]
    assert found.n == 1 and found.singles == (("weak", 10.0, 1.0), ("strong", 30.0, 1.0))
    assert found.routers[0].cost == 30.0, "what a call costs is the price of whoever made it"
    assert found.routers[0].apgr is None, "the best on dev is the cheapest: there is no gap"


def test_a_sweep_passes_every_choice_that_some_price_makes() -> None:
    random = np.random.default_rng(0)
    told, price = random.random((12, 3)), np.array([1.0, 2.0, 5.0])
    scores, costs = random.integers(0, 2, (12, 3)).astype(float), np.tile(price, (12, 1))
    points = _sweep(told, price, scores, costs)
    assert points[0] == (1.0, scores[:, 0].mean())
    free = told.argmax(axis=1)
    assert (float(price[free].mean()), float(scores[np.arange(12), free].mean())) in points
    for weight in np.linspace(0, 2, 400):
        chosen = (told - weight * price).argmax(axis=1)
        cost = float(price[chosen].mean())
        assert min(abs(cost - c) for c, _ in points) < 0.35, "the curve has no holes"


def test_nothing_to_compare_is_nothing() -> None:
    weak = cell("weak", "member", [outcome(0, 1, 1)], "baseline")
    run = run_of({"weak": None}, "weak")
    assert compare_routers(run, [weak, cell("router", "method", [outcome(0, 1, 1)])]) == []
    assert compare_routers(run, [weak, cell("other", "member", [outcome(0, 1, 1)], "baseline")]) == []


# cascades

SURE = (0.9, 0.8, 0.4, 0.2)
CHEAP, DEAR = (1, 0, 1, 0), (1, 1, 0, 1)


class Folder:
    """A run directory whose cells have the stages that ``write`` puts there."""

    def __init__(self, path: Path, run: Any) -> None:
        self.path, self.manifest, self.results = path, run.manifest, run.results

    def cell(self, which: str) -> CellFolder:
        return CellFolder(self.path, which)

    def write(self, which: str, cut: float, sure: Any = SURE) -> None:
        """a (2 tokens, and 1 for how sure it is), then b (10 tokens)."""
        lines = []
        for i, (confidence, first, last) in enumerate(zip(sure, CHEAP, DEAR, strict=True)):
            a = {"member": "a", "threshold": number(cut), "confidence": number(confidence), "cost": 3.0, "score": first}
            b = {"member": "b", "threshold": "-inf", "confidence": 0.0, "cost": 10.0, "score": last}
            lines.append({"id": f"q{i}", "stages": [a, b]})
        write_lines(self.cell(which).stages, lines)


def cascade(path: Path, cuts: dict[int, float], sure: Any = SURE, kept: bool = True) -> Any:
    """A cascade of a and b in a run with a seed for each of ``cuts``, beside both members alone."""
    run = Folder(path, run_of({"a": None, "b": None}, "b"))
    cells = []
    for seed, cut in cuts.items():
        for name, scores, tokens in (("a", CHEAP, 2), ("b", DEAR, 10)):
            about, lines = cell(name, "member", [outcome(i, s, tokens) for i, s in enumerate(scores)], "baseline")
            cells.append(({**about, "seed": seed}, lines))
        accepted = [s >= cut for s in sure]
        ran = [outcome(i, CHEAP[i] if yes else DEAR[i], 3 if yes else 13) for i, yes in enumerate(accepted)]
        about, lines = cell("chain", "method", ran)
        cells.append(({**about, "id": f"chain-{seed}", "seed": seed}, lines))
        if kept:
            run.write(f"chain-{seed}", cut, sure)
    return compare_routers(run, cells)[0].routers[0]  # type: ignore[arg-type]


def test_the_curve_of_a_cascade_by_hand(tmp_path: Path) -> None:
    """By share passed on: 0 (3, .5); 1/4 (5.5, .75); 2/4 (8, .5); 3/4 (10.5, .75); all: the second alone, (10, .75)."""
    found = cascade(tmp_path, {0: 0.5})
    assert found.points == ((3.0, 0.5), (5.5, 0.75), (8.0, 0.5), (10.0, 0.75), (10.5, 0.75))
    assert (found.cost, found.score) == (8.0, 0.5)
    assert found.random[0] == (3.0, 0.5) and found.random[-1] == (13.0, 0.75)
    assert (8.0, 1.0) in found.oracle and found.worth == pytest.approx(0.1304348)
    # from a's cost, 2, to b's, 10: a alone is .5 at both 2 and 3, then three trapezoids between .5 and .75
    assert found.apgr == pytest.approx(((0.5 * 1 + 0.625 * 7) / 8 - 0.5) / 0.25)
    assert found.cpt["50"] == pytest.approx((3 + 2.5 / 2 - 2) / 8)


@pytest.mark.parametrize("cut", [0.1, 0.3, 0.4, 0.85, 0.95, float("inf")])
def test_whatever_threshold_a_run_had_its_curve_has_its_point_and_the_same_ends(tmp_path: Path, cut: float) -> None:
    found = cascade(tmp_path, {0: cut})
    everything = cut == float("inf")  # then a is not asked: the run of this test, which asks it, is another one
    assert everything or (found.cost, found.score) in found.points
    assert {(3.0, 0.5), (5.5, 0.75), (8.0, 0.5), (10.5, 0.75), (10.0, 0.75)} <= {*found.points}


def test_an_unusable_confidence_is_passed_on_wherever_anything_is(tmp_path: Path) -> None:
    found = cascade(tmp_path, {0: 0.5}, (float("-inf"), *SURE[1:]))
    assert found.points == ((3.0, 0.5), (5.5, 0.5), (8.0, 0.75), (10.0, 0.75), (10.5, 0.5))


def test_what_the_run_does_not_know_has_one_point(tmp_path: Path) -> None:
    found = cascade(tmp_path, {0: 0.5}, kept=False)
    assert found.points == ((8.0, 0.5),) and not found.random and not found.oracle and found.worth is None


def test_seeds_of_different_thresholds_have_one_curve_with_their_own_point_on_it(tmp_path: Path) -> None:
    found = cascade(tmp_path, {0: 0.5, 1: 0.85})
    assert (found.cost, found.score) == (9.25, 0.625) and (9.25, 0.625) in found.points
    assert found.points[0] == (3.0, 0.5) and (10.0, 0.75) in found.points


STUDY = """
pool: [playground/alpha, playground/beta]
tasks: [{name: playground/math, limit: 8}]
methods:
  - {name: trained_router, label: knn, neighbours: 5}
  - {name: trained_router, label: elo, head: elo}
  - {name: cascade, label: chain}
  - {name: cascade, label: given, thresholds: -0.05}
sampling: {max_tokens: 48, temperature: 0}
"""


def test_a_run_has_its_curves_in_numbers_and_in_its_report(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "study.yaml").write_text(STUDY)
    run = Study.from_yaml(tmp_path / "study.yaml").run(tmp_path / "run")
    found = tradeoffs(run)[0]
    data = found.to_json()
    assert [r["label"] for r in data["routers"]] == ["knn", "elo", "chain", "given"] and data["n"] == 8
    assert len(data["routers"][0]["points"]) >= 2 or found.singles[0][1] == found.singles[1][1]
    cells = {c["label"]: c for c in run.results["cells"]}
    for router in found.routers:
        assert router.score == pytest.approx(cells[router.label]["summary"]["mean"], abs=1e-6)
    chain = found.routers[2]
    assert chain.random and min(abs(chain.cost - c) + abs(chain.score - s) for c, s in chain.points) < 1e-6
    for _, cost, score in found.singles:
        assert (pytest.approx(cost), pytest.approx(score)) in chain.points, "accepting all and accepting none"
    page = render_report(run)
    assert "chain, passing on at random" in page and "chain, passing on what gains most" in page
    assert 'id="routers"' in page and "Routers on the same answers" in page and page == render_report(run)
    drawn = curves(run, gather(run))[0]
    assert drawn.found == found and drawn.lines[2].path and drawn.lines[2].random and not drawn.lines[0].random


def test_the_example_compares_at_least_eight_routers() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    study = Study.from_yaml(Path(__file__).parents[2] / "examples" / "routers.yaml")
    assert study.check().cells
    assert sum(m.name != "single" for m in study.config.methods) >= 8 and study.config.baselines


def test_what_is_far_too_dear_is_told_and_not_drawn() -> None:
    found = small()
    dear = replace(found.routers[0], label="reads a library", cost=10 * 10 + 1, points=((101.0, 1.0),))
    both = replace(found, routers=(dear, *found.routers))
    assert [(i, r.label) for i, r in affordable(both)] == [(1, "router")]
    plot = draw(both, 920, 440)
    assert [line.curve.label for line in plot.lines] == ["router"] and plot.lines[0].style == 1, "styles stay those of the table"
    assert plot.xticks == draw(found, 920, 440).xticks


def test_every_point_lies_inside_its_drawing() -> None:
    plot = draw(small(), 920, 440)
    for p in plot.points:
        assert plot.left <= p.x <= plot.width and 0 <= p.y <= plot.bottom
    assert {p.row["label"] for p in plot.points} == {"weak", "strong", "router"}
