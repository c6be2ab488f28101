"""`moco.evaluate` honours what it is given or refuses it, and what its objects are can be read from their repr."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import moco
from moco.core.errors import ConfigError, DataError
from moco.models.store import Store
from moco.study import RunData, Study
from moco.testing import ScriptedModel

LINES = [{"id": f"q{i}", "question": f"{i} + {i}?", "answer": str(2 * i), "split": "dev" if i < 6 else "test"} for i in range(20)]


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    (tmp_path / "sums.jsonl").write_text("\n".join(json.dumps(line) for line in LINES), encoding="utf-8")
    return tmp_path / "sums.jsonl"


@pytest.fixture
def pool() -> moco.Pool:
    return moco.Pool([ScriptedModel("ann", lambda r: f"Answer: {len(r.draw)}")], store=Store(None))


@pytest.mark.parametrize("options", [{"draws": 3}, {"dras": 3}, {"draws": 1}])
def test_options_beside_an_object_are_refused(pool: moco.Pool, sums: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"already made.*load_method"):
        moco.evaluate(moco.load_method("majority_vote"), pool, sums, **options)


def test_options_of_a_name_are_the_methods(pool: moco.Pool, sums: Path) -> None:
    assert moco.evaluate("self_consistency", pool, sums, draws=4).summary.usage.calls == 4 * 14
    with pytest.raises(ConfigError, match="did you mean 'draws'"):
        moco.evaluate("self_consistency", pool, sums, dras=4)


def test_a_limit_is_the_same_whatever_the_task_is(pool: moco.Pool, sums: Path) -> None:
    task = moco.load_task(sums)
    results = [moco.evaluate("single", pool, given, limit=5) for given in (str(sums), sums, task)]
    assert {tuple(o.id for o in r.outcomes) for r in results} == {tuple(r.id for r in moco.load_task(sums, limit=5).test)}
    assert len(results[0].outcomes) == 5 and len(task.test) == 14, "the task itself is as it was"


def test_a_list_is_a_pool(sums: Path) -> None:
    assert moco.evaluate("single", [ScriptedModel("ann", lambda r: "Answer: 4")], sums, limit=2).fitted.pool.names == ["ann"]


@pytest.mark.parametrize(
    ("change", "what"),
    [({"pool": "playground/alpha"}, r"Pool\(\['playground/alpha'\]\)"), ({"pool": 3}, "a int, not a list"),
     ({"method": 3}, "the method is a int"), ({"task": 3}, "the task is a int"), ({"limit": "5"}, "limit is '5'"),
     ({"limit": 0}, "limit is 0"), ({"limit": True}, "limit is True"), ({"sampling": {"temperature": 0}}, "moco.Sampling"),
     ({"seed": "x"}, "seed is 'x'")],
)  # fmt: skip
def test_arguments_of_another_type_are_explained(pool: moco.Pool, sums: Path, change: dict[str, Any], what: str) -> None:
    given: dict[str, Any] = {"method": "single", "pool": pool, "task": sums, **change}
    with pytest.raises(ConfigError, match=what):
        moco.evaluate(given.pop("method"), given.pop("pool"), given.pop("task"), **given)


def test_a_class_is_no_method_yet(pool: moco.Pool, sums: Path) -> None:
    with pytest.raises(ConfigError, match="give its name, 'majority_vote'"):
        moco.evaluate(type(moco.load_method("majority_vote")), pool, sums)  # type: ignore[arg-type]


def test_what_things_are_is_short_and_names_them(pool: moco.Pool, sums: Path) -> None:
    task, vote = moco.load_task(sums), moco.load_method("majority_vote", tie="order")
    assert repr(task) == "Task('sums', kind='numeric', dev=6, test=14)"
    assert repr(task.test[0]) == "Record(id='q6', question='6 + 6?', answer='12', split='test')"
    assert repr(pool) == "Pool([ann])" and repr(vote) == "MajorityVote(tie='order')"
    result = moco.evaluate(vote, pool, task)
    assert repr(result.fitted) == "Fitted(MajorityVote(tie='order'), Pool([ann]))" and repr(result.fitted.as_model()).startswith(
        "Team("
    )


def test_a_fitted_collaboration_is_saved_and_loaded_by_the_name_of_a_folder(pool: moco.Pool, sums: Path, tmp_path: Path) -> None:
    fitted = moco.evaluate("majority_vote", pool, sums, tie="order").fitted
    fitted.save(str(tmp_path / "kept"))
    again = moco.Fitted.load(str(tmp_path / "kept"), pool)
    assert repr(again) == repr(fitted) and again.as_model().fingerprint == fitted.as_model().fingerprint


def test_a_study_is_made_of_a_study() -> None:
    with pytest.raises(ConfigError, match="from_yaml"):
        Study({"pool": ["a"]})  # type: ignore[arg-type]
    study = Study.from_yaml("name: first\npool: [playground/alpha]\ntasks: [playground/math]\nmethods: [single]\nseeds: [0, 1]\n")
    assert repr(study) == "Study('first', methods=['single'], tasks=['playground/math'], seeds=[0, 1])"


@pytest.fixture
def run(tmp_path: Path) -> RunData:
    """A run directory of which only the list of cells matters."""
    cells = [{"id": "vote-1", "label": "vote"}, {"id": "vote-2", "label": "vote"}, {"id": "chain-1", "label": "chain"}]
    for name, data in {"results": {"cells": cells}, "manifest": {}, "timing": {}}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(data), encoding="utf-8")
    return moco.load_run(tmp_path)


def test_a_cell_is_named_by_id_or_by_a_label_of_its_own(run: RunData) -> None:
    assert run.cell("vote-2").path.name == "vote-2" and run.cell("chain").path.name == "chain-1"
    with pytest.raises(DataError, match=r"2 cells are called 'vote'.*vote-1, vote-2"):
        run.cell("vote")
    with pytest.raises(DataError, match=r"no cell 'chan'.*did you mean 'chain'"):
        run.cell("chan")
    assert repr(run) == f"RunData({str(run.path)!r}, 3 cells: vote, chain)"
