"""What every stage of a cascade would have said: kept by the run, from the store alone unless the study lets it ask."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest

from moco.core.errors import Fatal, NotStored
from moco.core.types import Completion, Request, Usage, messages_of
from moco.models.cached import CachedModel, stored_only
from moco.models.member import SCHEMES
from moco.models.protocol import Capabilities
from moco.models.store import Store
from moco.study import RunData, Study
from moco.study.cell import read_lines
from moco.study.stages import recorded
from moco.study.tradeoffs import Curve, tradeoffs
from moco.testing import ScriptedModel

STUDY = """
pool:
  - {name: a, model: scripted/a}
  - {name: b, model: scripted/b, cost: 2}
  - {name: c, model: scripted/c, cost: 5}
tasks: [{name: toy, data: DATA}]
methods: [METHOD]
seeds: [0, 1]
"""
ASKED: list[str] = []
SHARE = {"a": 2, "b": 3, "c": 4}


def says(name: str, request: Request) -> Completion:
    """a errs in a half, b in a third, c in a quarter of the questions; each is surer where it is right, most of the time."""
    text = request.messages[-1].content
    ASKED.append(name)
    number = int("".join(ch for ch in text.split("\n")[0] if ch.isdigit()))
    if number == 11 and name == "c":
        raise Fatal("no answer to this one")
    wrong = (number + sum(request.draw) + (request.study_seed if name == "a" else 0)) % SHARE[name] == 0
    sure = -0.1 * (1 + number % 5) - 0.25 * wrong
    told = f"\nConfidence: {'low' if sure < -0.4 else 'high'}" if "Confidence:" in text else ""
    return Completion(f"Answer: {'ABCD'[(number + wrong) % 4]}{told}", logprobs=(sure, sure), usage=Usage(9, 1, 1))


def build(reference: str, *, name: str, **options: object) -> ScriptedModel:
    short = reference.split("/")[1]
    model = ScriptedModel(name, lambda r: says(short, r), fingerprint=f"sure {short}")
    model.capabilities = Capabilities(model.capabilities.names | {"LOGPROBS"})
    return model


@pytest.fixture(autouse=True)
def _scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCHEMES._items, "scripted", build)
    ASKED.clear()


def study(folder: Path, method: str, more: str = "", skip: int = 11, pool: str = "") -> Study:
    """Twelve dev and 23 test questions; c cannot answer question 11, left out unless ``skip`` names another."""
    rows = []
    for i in range(36):
        row = {
            "id": f"q{i}",
            "question": f"Question {i}?",
            "choices": dict(zip("ABCD", ("soup", "tin", "rice", "cake"), strict=True)),
        }
        rows.append(json.dumps({**row, "answer": "ABCD"[i % 4], "split": "dev" if i % 3 == 0 else "test"}))
    file = folder / "toy.jsonl"
    file.write_text("\n".join(row for i, row in enumerate(rows) if i != skip))
    text = STUDY.replace("tasks", pool + "tasks").replace("DATA", str(file)).replace("METHOD", method)
    return Study.from_yaml(text + more)


def kept(run: RunData, label: str) -> list[Path]:
    return [run.cell(c["id"]).stages for c in run.results["cells"] if c["label"] == label]


def curve_of(run: RunData) -> Curve:
    return tradeoffs(run)[0].routers[0]


def test_a_cascade_of_three_has_its_whole_curve_and_nothing_is_asked_for_it(tmp_path: Path) -> None:
    chain = study(tmp_path, "{name: cascade, label: chain, quantile: 0.6}")
    run = chain.run(tmp_path / "run", store=tmp_path / "s.sqlite")
    for file in kept(run, "chain"):
        lines = read_lines(file)
        assert [line["id"] for line in lines] == [f"q{i}" for i in range(36) if i % 3 and i != 11]
        assert all([s["member"] for s in line["stages"]] == ["a", "b", "c"] for line in lines)
    found = curve_of(run)
    assert (pytest.approx(found.cost), pytest.approx(found.score)) in found.points and len(found.points) > 6
    alone = {name: (cost, score) for name, cost, score in tradeoffs(run)[0].singles}
    assert alone["a"] == (10.0, pytest.approx(0.5, abs=0.05)) and alone["c"][0] == 50.0
    for name in ("a", "c"):
        assert (pytest.approx(alone[name][0]), pytest.approx(alone[name][1])) in found.points, "accepting all, passing on all"
    assert found.worth is not None and found.worth > 0.2 and len(found.random) == len(found.oracle) == 21
    before, count = [file.read_bytes() for file in kept(run, "chain")], len(ASKED)
    for file in kept(run, "chain"):
        file.unlink()
    again = chain.run(tmp_path / "run", store=tmp_path / "s.sqlite")
    assert [file.read_bytes() for file in kept(again, "chain")] == before and len(ASKED) == count


@pytest.mark.parametrize("confidence", ["self_consistency", "verbal"])
def test_what_the_store_has_not_is_asked_only_where_the_study_says_so(tmp_path: Path, confidence: str) -> None:
    method = f"{{name: cascade, label: chain, confidence: {confidence}, thresholds: 0.5}}"
    run = study(tmp_path, method).run(tmp_path / "run", store=tmp_path / "s.sqlite")
    assert not any(file.exists() for file in kept(run, "chain"))
    assert curve_of(run).points == ((curve_of(run).cost, curve_of(run).score),)
    before, results = len(ASKED), (tmp_path / "run" / "results.json").read_bytes()
    run = study(tmp_path, method, "curves: ask").run(tmp_path / "run", store=tmp_path / "s.sqlite")
    assert len(ASKED) > before and all(file.exists() for file in kept(run, "chain"))
    assert len(curve_of(run).points) > 1 and (tmp_path / "run" / "results.json").read_bytes() == results


def test_of_two_stages_everything_is_known_whatever_the_confidence(tmp_path: Path) -> None:
    method = "{name: cascade, label: chain, confidence: self_consistency, thresholds: 0.5, members: [a, c]}"
    run = study(tmp_path, method).run(tmp_path / "run", store=tmp_path / "s.sqlite")
    found = curve_of(run)
    assert (pytest.approx(found.cost), pytest.approx(found.score)) in found.points
    assert found.points[0][0] == pytest.approx(50.0) == found.points[1][0], "five draws of a cost what c costs"


def test_a_collaboration_is_a_stage_too_and_costs_what_its_members_cost(tmp_path: Path) -> None:
    panel = "  - {name: panel, method: majority_vote, members: [a, b, c]}\n"
    chain = study(tmp_path, "{name: cascade, label: chain, thresholds: 0.8, members: [panel, c]}", pool=panel)
    run = chain.run(tmp_path / "run", store=tmp_path / "s.sqlite")
    found = tradeoffs(run)[0]
    assert {name: cost for name, cost, _ in found.singles}["panel"] == 80.0, "10 tokens at 1, 2 and 5"
    assert found.routers[0].random[0][0] == pytest.approx(80.0)


def test_who_cannot_answer_is_passed_by_and_the_run_says_what_was_said_before(tmp_path: Path) -> None:
    chain = study(tmp_path, "{name: cascade, label: chain, members: [a, c], thresholds: 9.0}", "baselines: false", skip=-1)
    run = chain.run(tmp_path / "run", store=tmp_path / "s.sqlite")
    assert not any(file.exists() for file in kept(run, "chain")), "a failure is no answer of the store: it would be asked again"
    run = study(
        tmp_path, "{name: cascade, label: chain, members: [a, c], thresholds: 9.0}", "baselines: false\ncurves: ask", -1
    ).run(tmp_path / "run", store=tmp_path / "s.sqlite")
    lines = [line for line in read_lines(kept(run, "chain")[0]) if line["id"] == "q11"]
    assert [s["score"] is None for s in lines[0]["stages"]] == [False, True]


def line(*stages: tuple[float | str, float | None, float]) -> dict[str, object]:
    return {"stages": [{"threshold": 0.5, "confidence": sure, "score": score, "cost": cost} for sure, score, cost in stages]}


def test_lines_are_read_as_a_chain() -> None:
    found = recorded(
        [
            line((0.9, 1.0, 1.0), ("-inf", 0.0, 2.0), (0.0, 1.0, 3.0)),
            line((0.1, 0.0, 1.0), ("-inf", None, 0.0), (0.0, 1.0, 3.0)),
            line((0.1, 0.5, 1.0), (0.7, 0.0, 2.0), (0.0, None, 0.0)),
            line(("-inf", None, 0.0), ("-inf", None, 0.0), (0.0, None, 0.0)),
        ]
    )
    assert found is not None and found.thresholds == (0.5, 0.5)
    assert found.scores.tolist() == [[1, 0, 0.5], [0, 0, 0], [1, 1, 0]], "whom nobody answered is left out"
    assert found.confidences[0].tolist() == [0.9, 0.1, 0.1]
    assert found.confidences[1][0] == -np.inf and np.isnan(found.confidences[1][1]) and found.confidences[1][2] == 0.7
    assert recorded([]) is None and recorded([line(("-inf", None, 0.0), (0.0, None, 0.0))]) is None


def test_only_what_is_stored() -> None:
    model = ScriptedModel("m", lambda r: r.messages[-1].content)
    cached = CachedModel(model, Store(None))

    def ask(text: str) -> Request:
        return Request(messages=messages_of(text))

    assert asyncio.run(cached.generate(ask("one"))).text == "one"
    with stored_only():
        assert asyncio.run(cached.generate(ask("one"))).text == "one"
        with pytest.raises(NotStored, match="no such answer of 'm'"):
            asyncio.run(cached.generate(ask("two")))
    assert model.counters.generated == 1 and asyncio.run(cached.generate(ask("two"))).text == "two"
