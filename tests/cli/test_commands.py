"""Every command does what its help says, and what a program reads is clean JSON."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Moco

COMMANDS = [
    "demo",
    "run",
    "report",
    "ask",
    "serve",
    "methods",
    "tasks",
    "models",
    "grade",
    "doctor",
    "data",
    "playground",
    "cache",
    "new",
]


def cell_of(finished: Path, label: str) -> Path:
    results = json.loads((finished / "results.json").read_text())
    return finished / "cells" / next(c["id"] for c in results["cells"] if c["label"] == label and c["role"] == "method")


def test_help_names_every_command(moco: Moco) -> None:
    said = moco("--help")
    assert said.code == 0
    assert all(name in said.out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS[:10])
def test_each_help_teaches_with_an_example(moco: Moco, name: str) -> None:
    said = moco(name, "--help")
    assert said.code == 0 and "Example:" in said.out


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import moco.cli, sys\n"
        "assert moco.cli.main(['--help']) == 0\n"
        "heavy = {'torch', 'transformers', 'numpy', 'scipy', 'pydantic', 'fastapi', 'ray'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_run_writes_results_and_shows_the_leaderboard(finished: Path, study: Path, moco: Moco) -> None:
    again = moco("run", study, "-o", finished, "--store", study.parent / "cache.sqlite")
    assert again.code == 0
    assert "majority_vote" in again.out and "best single on dev" in again.out
    assert "next: moco report" in again.err


def test_run_again_leaves_the_same_bytes(finished: Path, study: Path, moco: Moco) -> None:
    before = (finished / "results.json").read_bytes()
    said = moco("run", study, "-o", finished, "--store", study.parent / "cache.sqlite", "--json")
    assert json.loads(said.out) == json.loads(before)
    assert (finished / "results.json").read_bytes() == before


def test_dry_run_generates_nothing(study: Path, moco: Moco, tmp_path: Path) -> None:
    said = moco("run", study, "-o", tmp_path / "none", "--dry-run", "--json")
    plan = json.loads(said.out)
    assert said.code == 0 and plan["members"] == ["alpha", "beta"] and plan["tasks"] == {"sums": 8}
    assert not (tmp_path / "none").exists()


def test_report_formats(finished: Path, moco: Moco) -> None:
    assert json.loads(moco("report", finished, "--json").out)["complete"] is True
    assert moco("report", finished, "--md").out.count("\n| ") >= 4
    assert moco("report", finished, "--csv").out.startswith("label,role,level,mean")
    assert "tokens/" in moco("report", finished).out


def test_ask_a_cell(finished: Path, study: Path, moco: Moco) -> None:
    store = study.parent / "cache.sqlite"
    said = moco("ask", cell_of(finished, "majority_vote"), "What is 17 + 25?", "--store", store, "--json")
    answer = json.loads(said.out)
    assert said.code == 0 and {c["member"] for c in answer["calls"]} == {"alpha", "beta"}
    shown = moco("ask", cell_of(finished, "majority_vote"), "What is 17 + 25?", "--store", store)
    assert "asked" in shown.out and "alpha" in shown.out and "next:" in shown.err


def test_ask_a_study(study: Path, moco: Moco) -> None:
    store = study.parent / "cache.sqlite"
    said = moco("ask", study, "What is 17 + 25?", "--method", "majority_vote", "--kind", "numeric", "--store", store, "--json")
    assert said.code == 0 and json.loads(said.out)["usage"]["calls"] == 2


def test_methods_tell_options_and_fidelity(moco: Moco) -> None:
    about = json.loads(moco("methods", "majority_vote", "--json").out)
    tie = next(o for o in about["options"] if o["name"] == "tie")
    assert tie["default"] == "dev" and "'order'" in tie["type"] and tie["doc"]
    assert about["fidelity"] and about["paper"] == "arXiv:2203.11171"
    every = {m["name"] for m in json.loads(moco("methods", "--json").out)}
    assert {"single", "majority_vote", "self_consistency", "prompt_routing"} <= every
    assert "fidelity" in moco("methods", "majority_vote").out and "majority_vote" in moco("methods").out


def test_tasks_and_models(moco: Moco) -> None:
    assert "playground/mixed" in {t["name"] for t in json.loads(moco("tasks", "--json").out)}
    assert "--- user" in moco("tasks", "playground/math", "--prompt").out
    assert "playground/alpha" in moco("models").out
    assert "TEXT" in json.loads(moco("models", "playground/alpha", "--json").out)["capabilities"]


def test_grade_is_a_filter(moco: Moco, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        {"id": 7, "output": "So the answer is 42.", "gold": "42", "kind": "numeric"},
        {"output": "Answer: B", "gold": "B", "kind": "multiple_choice", "choices": {"A": "red", "B": "blue"}},
        {"output": "no idea", "gold": 5},
    ]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(json.dumps(line) for line in lines)))
    said = moco("grade", "--kind", "numeric")
    first, second, third = map(json.loads, said.out.splitlines())
    assert (first["id"], first["score"], first["extracted"]) == (7, 1.0, "42")
    assert second["score"] == 1.0
    assert (third["score"], third["parsed"]) == (0.0, False)


def test_doctor(moco: Moco) -> None:
    about = json.loads(moco("doctor", "--json").out)
    assert about["cache"]["writable"] and "alpha" in about["playground"] and "cpu" in about["devices"]
    sandbox = about["sandbox"]
    assert sandbox["level"] or (sandbox["remedy"] and set(sandbox["missing"]) == {"bwrap", "userns", "landlock"})
    assert sandbox["level"] not in sandbox["missing"]


def test_data_check_and_show(moco: Moco, study: Path, tmp_path: Path) -> None:
    good = moco("data", "check", study.parent / "sums.jsonl", "--json")
    assert good.code == 0 and json.loads(good.out)["ok"]
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"id": "a", "question": "x?", "anwser": "y"}\n')
    said = moco("data", "check", bad)
    assert said.code == 2 and "bad.jsonl:1" in said.out and "did you mean 'answer'" in said.out
    assert json.loads(moco("data", "show", study.parent / "sums.jsonl", "--n", "1", "--json").out)[0]["gold"]


def test_cache(moco: Moco, finished: Path, study: Path) -> None:
    store = study.parent / "copy.sqlite"
    with closing(sqlite3.connect(study.parent / "cache.sqlite")) as source, closing(sqlite3.connect(store)) as copy:
        source.backup(copy)
    assert json.loads(moco("cache", "stats", "--store", store, "--json").out)["rows"] > 0
    assert json.loads(moco("cache", "verify", "--store", store, "--json").out)["damaged"] == 0
    assert json.loads(moco("cache", "clear", "--yes", "--store", store, "--json").out)["removed"] > 0
    assert json.loads(moco("cache", "stats", "--store", store, "--json").out)["rows"] == 0


def test_new_method_works_with_its_test(moco: Moco, tmp_path: Path) -> None:
    assert moco("new", "method", "polite", "-o", tmp_path).code == 0
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_polite.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False, env={**os.environ, "MOCO_HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert moco("methods", f"{tmp_path / 'polite.py'}:Polite").code == 0
    assert moco("new", "method", "polite", "-o", tmp_path).code == 2


def test_matrix(moco: Moco, study: Path) -> None:
    line = [
        "playground",
        "matrix",
        "--n",
        "3",
        "--member",
        "alpha",
        "--task",
        "playground/math",
        "--store",
        study.parent / "cache.sqlite",
    ]
    rows = json.loads(moco(*line, "--json").out)
    assert len(rows) == 1 and rows[0]["n"] == 3 and rows[0]["low"] <= rows[0]["mean"] <= rows[0]["high"]
    assert "alpha" in moco(*line).out


def test_the_demo_study_is_sound() -> None:
    from importlib.resources import files

    from moco.study import Study

    plan = Study.from_yaml(files("moco.cli").joinpath("demo.yaml").read_text()).check()
    assert plan.members == ["alpha", "beta", "gamma", "delta"]
