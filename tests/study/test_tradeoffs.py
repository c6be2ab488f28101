"""Cost and quality of routers of a finished run: by hand, against a slow sweep, and from a real run to its report."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from moco.report.html import render_report
from moco.report.html.curves import curves, draw
from moco.report.html.evidence import gather
from moco.routers.curves import sweep
from moco.study import Study
from moco.study.tradeoffs import Tradeoff, _sweep, compare_routers, tradeoffs


def outcome(item: int, score: float | None, tokens: int, scores: dict[str, float] | None = None) -> tuple[str, dict[str, Any]]:
    usage = {"prompt_tokens": tokens - 1, "completion_tokens": 1, "calls": 1}
    return f"q{item}", {"id": f"q{item}", "score": score, "usage": usage, "reason": {} if scores is None else {"scores": scores}}


def cell(label: str, role: str, outcomes: Any, level: str = "routing") -> tuple[dict[str, Any], dict[str, Any]]:
    return {"id": label, "label": label, "role": role, "level": level, "task": "t", "seed": 0}, dict(outcomes)


def run_of(prices: dict[str, float | None], dev: str, sampling: dict[str, Any] | None = None, **options: Any) -> Any:
    pool = [{"name": n, "cost": c} for n, c in prices.items()]
    methods = [{"label": "chain", "options": options, "sampling": {"temperature": None, **(sampling or {})}}]
    return SimpleNamespace(
        manifest={"config": {"pool": pool, "methods": methods}}, results={"tasks": {"t": {}}, "best_on_dev": {"t": {"0": dev}}}
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
    run = run_of({"weak": 1.0, "strong": 3.0}, "weak")
    lines = {"q0": [{"member": "strong", "usage": {"prompt_tokens": 9, "completion_tokens": 1}}]}
    file = SimpleNamespace(
        exists=lambda: True,
        read_bytes=lambda: b"\n".join(f'{{"id": "{k}", "calls": {v}}}'.replace("'", '"').encode() for k, v in lines.items()),
    )
    run.cell = lambda which: SimpleNamespace(transcripts=file)
    found = compare_routers(run, [weak, strong, cell("router", "method", [outcome(0, 1, 10)])])[0]
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


def step(name: str, sure: float | None, cut: float | None, accepted: bool, **more: Any) -> dict[str, Any]:
    return {"member": name, "confidence": sure, "threshold": cut, "accepted": accepted, "cost": 0.0, **more}


def walk(item: int, sure: float | None, cut: float | None, more: tuple[Any, ...] = (), **note: Any) -> tuple[str, dict[str, Any]]:
    """A question that a (2 tokens, and 1 for how sure it is) and perhaps b (10 tokens) was asked."""
    accepted = not note and (cut is None or (sure is not None and sure >= cut))
    steps = [step("a", sure, cut, accepted, **note), *(() if accepted else (step("b", None, None, True), *more))]
    which, line = outcome(item, CHEAP[item] if accepted else DEAR[item], 3 if accepted else 13)
    line["reason"] = {"steps": steps}
    return which, line


def cascade(walks: Any, members: tuple[str, str] = ("a", "b"), **options: Any) -> Any:
    """Its curve, beside both members alone."""
    about, lines = cell("chain", "method", walks)
    alone = [
        cell(name, "member", [outcome(i, s, tokens) for i, s in enumerate(scores)], "baseline")
        for name, scores, tokens in zip(members, (CHEAP, DEAR), (2, 10), strict=True)
    ]
    run = run_of(dict.fromkeys(members), members[1], **options)
    return compare_routers(run, [*alone, ({**about, "method": "cascade"}, lines)])[0].routers[0]


def test_the_curve_of_a_cascade_by_hand() -> None:
    """By threshold: 0 (3, .5); .4 (5.5, .75); .8 (8, .5); .9 (10.5, .75); above 1 the second alone, (10, .75)."""
    found = cascade([walk(i, sure, 0.5) for i, sure in enumerate(SURE)])
    assert found.points == ((3.0, 0.5), (5.5, 0.75), (8.0, 0.5), (10.0, 0.75), (10.5, 0.75))
    assert (found.cost, found.score) == (8.0, 0.5) and (8.0, 0.5) in found.points
    assert found.random == ((3.0, 0.5), (5.5, 0.5625), (8.0, 0.625), (10.5, 0.6875), (13.0, 0.75))
    assert found.oracle == ((3.0, 0.5), (5.5, 0.75), (8.0, 1.0), (10.5, 1.0), (13.0, 0.75))
    # from a's cost, 2, to b's, 10: .5 up to 3, then three trapezoids between .5 and .75
    assert found.apgr == pytest.approx(((0.5 * 1 + 0.625 * 7) / 8 - 0.5) / 0.25)
    assert found.cpt["50"] == pytest.approx((3 + 2.5 / 2 - 2) / 8)


def test_whatever_threshold_a_run_had_its_curve_is_the_same_and_its_own_point_on_it() -> None:
    asks_both = (13.0, 0.75)  # a finite threshold above all
    for cut in (0.3, 0.4, 0.5, 0.85, 0.95):
        found = cascade([walk(i, sure, cut) for i, sure in enumerate(SURE)])
        assert (found.cost, found.score) in found.points and (asks_both in found.points) == (cut == 0.95)
        assert {*found.points} - {asks_both} == {(3.0, 0.5), (5.5, 0.75), (8.0, 0.5), (10.0, 0.75), (10.5, 0.75)}


def test_an_unusable_confidence_is_passed_on_by_every_threshold_and_rounding_moves_nobody() -> None:
    cut_off = [walk(0, 0.9, 0.5, note="truncated"), *(walk(i, SURE[i], 0.5) for i in (1, 2, 3))]
    found = cascade(cut_off)
    assert found.points == ((3.0, 0.5), (5.5, 0.5), (8.0, 0.75), (10.0, 0.75), (10.5, 0.5))
    which, line = walk(2, 0.4, 0.5)
    line["reason"]["steps"][0]["confidence"] = 0.5  # .49999999, rounded
    close = cascade([walk(0, 0.9, 0.5), walk(1, 0.8, 0.5), (which, line), walk(3, 0.2, 0.5)])
    assert (close.cost, close.score) == (8.0, 0.5) and (8.0, 0.5) in close.points


@pytest.mark.parametrize(
    ("walks", "options"),
    [
        ([walk(i, sure, None) for i, sure in enumerate(SURE)], {}),
        ([walk(i, None, None, note="skipped") for i in range(4)], {}),
        ([walk(i, sure, 0.1) for i, sure in enumerate(SURE)], {}),
        ([walk(i, sure, 0.5, (step("c", None, None, True),)) for i, sure in enumerate(SURE)], {}),
        ([walk(i, sure, 0.5) for i, sure in enumerate(SURE)], {"confidence": "self_consistency"}),
        ([walk(i, sure, 0.5) for i, sure in enumerate(SURE)], {"sampling": {"temperature": 1.0}}),
        ([walk(0, 0.9, 0.5), ("q3", {**walk(3, 0.2, 0.5)[1], "score": 0})], {}),
    ],
    ids=[
        "accepts all",
        "skips the first",
        "nobody reaches the second",
        "three stages",
        "asked again",
        "sampled otherwise",
        "another answer",
    ],
)
def test_where_other_thresholds_cannot_be_known_there_is_one_point(walks: Any, options: dict[str, Any]) -> None:
    found = cascade(walks, **options)
    assert found.points == ((found.cost, found.score),) and not found.random and not found.oracle


def test_seeds_of_different_thresholds_have_one_curve() -> None:
    cells = []
    for seed, cut in ((0, 0.5), (1, 0.85)):
        for name, scores, tokens in (("a", CHEAP, 2), ("b", DEAR, 10)):
            about, lines = cell(name, "member", [outcome(i, s, tokens) for i, s in enumerate(scores)], "baseline")
            cells.append(({**about, "seed": seed}, lines))
        about, lines = cell("chain", "method", [walk(i, sure, cut) for i, sure in enumerate(SURE)])
        cells.append(({**about, "seed": seed, "method": "cascade"}, lines))
    found = compare_routers(run_of({"a": None, "b": None}, "b"), cells)[0].routers[0]
    assert found.points == ((3.0, 0.5), (5.5, 0.75), (8.0, 0.5), (10.0, 0.75), (10.5, 0.75))
    assert (found.cost, found.score) == (9.25, 0.625), "between the points of its two thresholds"


def test_a_long_sweep_keeps_the_ends_and_the_threshold_of_the_run() -> None:
    rng = np.random.default_rng(0)
    sure, scores = rng.random(500), rng.integers(0, 2, (2, 500)).astype(float)
    costs = np.tile([[1.0], [5.0]], (1, 500))
    cut = float(np.sort(sure)[123])
    found = sweep(scores, costs, sure, [cut], most=20)
    assert 20 <= len(found) <= 23 and any(p.thresholds == (cut,) and p.quantile == 123 / 500 for p in found)
    assert (found[0].found.cost, found[0].found.score) == (1.0, pytest.approx(scores[0].mean()))
    assert (found[-1].found.cost, found[-1].found.score) == (5.0, pytest.approx(scores[1].mean()))


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


def test_every_point_lies_inside_its_drawing() -> None:
    plot = draw(small(), 920, 440)
    for p in plot.points:
        assert plot.left <= p.x <= plot.width and 0 <= p.y <= plot.bottom
    assert {p.row["label"] for p in plot.points} == {"weak", "strong", "router"}
