"""Graph routing, as its specification promises."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moco.collab import Fitted, load_method
from moco.core.errors import ConfigError, PoolError
from moco.models.pool import Pool
from moco.models.store import Store
from moco.testing import ScriptedModel
from tests.methods.helpers import fitted, scripted
from tests.methods.routed import knows, routes, specialists, two_kinds

pytest.importorskip("torch")
QUICK: dict[str, Any] = {"epochs": 100, "masks": 4, "estimate": False}


def graph(pool: Pool | None = None, task: Any = None, seed: int = 0, **options: Any) -> Fitted:
    return fitted("graph_routing", pool or specialists(), task or two_kinds(dev=16), seed=seed, **{**QUICK, **options})


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_question_goes_to_who_knows_its_like(seed: int) -> None:
    task = two_kinds(dev=40, test=8)
    done = graph(task=task, seed=seed)
    log = done.log[-1]["graph_routing"]
    assert log["validation effect"] > log["best single on validation"]
    assert sum(a.text == "Answer: A" for a in routes(done, task)) >= 7


def test_on_a_warm_store_routing_generates_nothing() -> None:
    store, task = Store(None), two_kinds(dev=16)
    pool = specialists(store=store)
    for name in "rs":
        for part in ("dev", "test"):
            routes(fitted("single", pool, task, member=name), task, part)
    asked = [len(scripted(pool, n).requests) for n in "rs"]
    answers = routes(graph(pool, task), task)
    assert [len(scripted(pool, n).requests) for n in "rs"] == asked
    for number, answer in enumerate(answers):
        assert answer.text == routes(fitted("single", pool, task, member=answer.source), task)[number].text


def test_test_labels_change_no_decision() -> None:
    one, two = (graph(task=two_kinds(dev=16, gold=gold)) for gold in "AB")
    assert one.as_model().fingerprint == two.as_model().fingerprint


def test_the_reason_holds_every_candidate() -> None:
    task = two_kinds(dev=16)
    answer = routes(graph(task=task), task)[0]
    reason = answer.reason
    assert reason["scores"].keys() == reason["costs"].keys() == {"r", "s"}
    assert reason["route"] == answer.source == max(reason["scores"], key=reason["scores"].get)
    assert answer.confidence == pytest.approx(max(reason["scores"].values()), abs=1e-6)
    json.dumps(dict(reason), allow_nan=False)


def test_cost_first_goes_to_the_cheap_model_where_effects_are_equal() -> None:
    task = two_kinds(dev=16)
    names = ("dear", "cheap")
    entries = [
        {"model": ScriptedModel(n, knows(" ")), "name": n, "cost": c, "description": f"a {n} one"}
        for n, c in zip(names, (20, 1), strict=True)
    ]
    done = graph(Pool(entries, store=Store(None)), task, scenario="cost")
    assert {a.source for a in routes(done, task)} == {"cheap"}


def test_few_dev_questions_go_to_the_best_on_dev_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    task = two_kinds(dev=9)
    done = graph(task=task)
    assert done.log[-1]["graph_routing"] == {"caution": "9 dev questions are too few for a graph: all go to 'r'"}
    assert "9 dev questions are too few" in caplog.text
    assert {a.source for a in routes(done, task)} == {"r"}


def test_saved_and_loaded_it_decides_the_same_without_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = two_kinds(dev=16)
    done = graph(task=task)
    wanted = [a.reason for a in routes(done, task)]
    done.save(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    again = Fitted.load(tmp_path, specialists())
    assert again.as_model().fingerprint == done.as_model().fingerprint
    assert [a.reason for a in routes(again, task)] == wanted
    with pytest.raises(ConfigError, match=r"trained with torch.*pip install"):
        graph(task=task)


def test_models_without_descriptions_need_to_be_told_so() -> None:
    bare = Pool([{"model": ScriptedModel(n, knows(w)), "name": n} for n, w in (("r", "river"), ("s", "plus"))], store=Store(None))
    with pytest.raises(PoolError, match=r"member 'r' has no description.*onehot"):
        graph(bare)
    task = two_kinds(dev=16)
    assert {a.source for a in routes(graph(bare, task, model_features="onehot"), task)} <= {"r", "s"}
    given = graph(bare, task, descriptions={"r": "knows rivers", "s": "knows sums"})
    assert given.log[-1]["graph_routing"]["epoch"] >= 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"descriptions": {"r": "knows rivers", "sums": "knows sums"}}, "no member 'sums'"),
        ({"descriptions": {"rr": "knows rivers"}, "model_features": "onehot"}, "no member 'rr'"),
        (
            {"task_descriptions": {"multiple_choise": "a quiz"}},
            "no kind of answer 'multiple_choise'.*did you mean 'multiple_choice'",
        ),
    ],
)
def test_descriptions_of_nobody_are_refused_before_anything_is_asked(options: dict[str, Any], said: str) -> None:
    pool = specialists()
    with pytest.raises(ConfigError, match=said):
        graph(pool, **options)
    assert not scripted(pool, "r").requests


def test_scenarios_and_ties_decide_edges_as_specified() -> None:
    method = load_method("graph_routing", scenario="balance")
    from tests.routers.test_heads import outcomes_of

    found = outcomes_of([[1.0, 0.0], [0.5, 1.0], [0.0, 0.0]], np.array([[1.0, 3.0], [2.0, 4.0], [10.0, 20.0]]))
    effect, features = method.edges(found, ["x", "x", "y"])  # type: ignore[attr-defined]
    cost = np.array([[0, 2 / 3], [1 / 3, 1], [0, 1]])
    assert features[..., 1] == pytest.approx(cost), "to [0, 1] within each task"
    assert effect == pytest.approx(0.5 * found.scores - 0.5 * cost)
    assert (features[..., 0] == effect).all() and (features[..., 2] == found.scores).all()
    rewards = outcomes_of([[1.0, 0.0], [-3.0, 5.0], [1.0, 2.0]])
    _, features = method.edges(rewards, ["x", "y", "y"])  # type: ignore[attr-defined]
    assert features[..., 2] == pytest.approx(np.array([[1, 0], [0, 1], [0.5, 0.625]])), "rewards by the range of their task"


def test_a_held_out_estimate_is_made_on_request_and_never_reads_test() -> None:
    log = graph(estimate=True, epochs=20).log[-1]["graph_routing"]
    assert 0.0 <= log["held-out effect"] <= 1.0


def test_it_must_be_fitted() -> None:
    with pytest.raises(ConfigError, match="learned nothing"):
        routes(Fitted(load_method("graph_routing"), specialists()), two_kinds())
