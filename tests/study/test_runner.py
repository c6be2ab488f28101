"""A study run into a folder: resumed, killed, repeated; the results are the same bytes and nothing is paid for twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import moco
from moco.core.errors import ConfigError, DataError, PoolError, Transient
from moco.core.types import Request
from moco.models.member import SCHEMES
from moco.models.store import Store
from moco.study import Study, load_fitted, load_run
from moco.study.cell import read_lines
from moco.testing import ScriptedModel

STUDY = """
pool:
  - {name: a, model: scripted/a}
  - {name: b, model: scripted/b}
  - {name: c, model: scripted/c}
tasks:
  - {name: toy, data: DATA}
methods: [majority_vote, {name: self_consistency, draws: 3}, single]
seeds: [0, 1]
"""
MODELS: dict[str, ScriptedModel] = {}


def letters(name: str, request: Request) -> str:
    """Right in the share of questions that its name says: a 1/2, b 2/3, c 3/4; draws differ."""
    number = int("".join(ch for ch in request.messages[-1].content.split("\n")[0] if ch.isdigit()))
    share = {"a": 2, "b": 3, "c": 4}[name]
    wrong = (number + sum(request.draw) + (request.study_seed if name == "a" else 0)) % share == 0
    return f"I say. Answer: {'ABCD'[(number + wrong) % 4]}"


def build(reference: str, *, name: str, **options: object) -> ScriptedModel:
    short = reference.split("/")[1]
    MODELS[short] = ScriptedModel(name, lambda r: letters(short, r), fingerprint=f"scripted {short}")
    return MODELS[short]


def build_failing(error: BaseException) -> Callable[..., ScriptedModel]:
    """As `build`, but b meets ``error`` at question 7."""

    def build(reference: str, *, name: str, **options: object) -> ScriptedModel:
        short = reference.split("/")[1]

        def reply(r: Request) -> str:
            if short == "b" and "Question 7?" in r.messages[-1].content:
                raise error
            return letters(short, r)

        return ScriptedModel(name, reply, fingerprint=f"scripted {short}")

    return build


@pytest.fixture(autouse=True)
def _scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCHEMES._items, "scripted", build)
    MODELS.clear()


def write_data(folder: Path, n: int = 24) -> Path:
    rows = []
    for i in range(n):
        choices = {"A": "soup", "B": "tin", "C": "rice", "D": "cake"}
        row = {
            "id": f"q{i}",
            "question": f"Question {i}?",
            "choices": choices,
            "answer": "ABCD"[i % 4],
            "split": "dev" if i % 3 == 0 else "test",
        }
        rows.append(json.dumps(row))
    file = folder / "toy.jsonl"
    file.write_text("\n".join(rows))
    return file


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study.from_yaml(STUDY.replace("DATA", str(write_data(tmp_path))))


def test_a_run_has_every_promised_file_and_number(study: Study, tmp_path: Path) -> None:
    run = study.run(tmp_path / "run", store=tmp_path / "s.sqlite")
    for name in ("manifest.json", "results.json", "timing.json"):
        assert (tmp_path / "run" / name).exists()
    roles = {c["role"] for c in run.results["cells"]}
    assert roles == {"member", "method", "equal_tokens"}
    for cell in run.results["cells"]:
        folder = run.cell(cell["id"])
        assert folder.answers.exists() and folder.transcripts.exists() and folder.summary.exists()
        assert cell["summary"]["n"] == 16
        assert cell["summary"]["low"] <= cell["summary"]["mean"] <= cell["summary"]["high"]
    assert run.results["complete"] is True
    best = run.results["best_on_dev"]["toy"]
    assert set(best) == {"0", "1"}
    against = {c["against"] for c in run.results["comparisons"]}
    assert against == {"best_single_on_dev", "oracle_single", "equal_tokens"}
    for comparison in run.results["comparisons"]:
        assert comparison["p_holm"] >= comparison["p"]
        assert comparison["n"] == 16
    assert run.results["share_won"]["n"] == 2
    assert len(run.frame()) == sum(c["summary"]["n"] for c in run.results["cells"])


def test_scores_are_those_of_the_members(study: Study, tmp_path: Path) -> None:
    run = study.run(tmp_path / "run", store=tmp_path / "s.sqlite")
    tests = [i for i in range(24) if i % 3]
    for row in run.results["leaderboard"]:
        if row["label"] == "c":
            assert row["mean"] == pytest.approx(sum(i % 4 != 0 for i in tests) / len(tests))
    alone = {row["label"] for row in run.results["leaderboard"] if row["role"] == "member"}
    assert alone == {"a", "b", "c"}


def test_equal_token_baselines_spend_at_least_what_the_method_spent(study: Study, tmp_path: Path) -> None:
    run = study.run(tmp_path / "run", store=tmp_path / "s.sqlite")
    rows = {(r["role"], r["label"]): r for r in run.results["leaderboard"]}
    vote = rows["method", "majority_vote"]
    rivals = [r for (role, _), r in rows.items() if role == "equal_tokens"]
    assert any(r["tokens_per_query"] >= vote["tokens_per_query"] * 0.99 for r in rivals)


def test_the_second_run_asks_nobody_and_writes_the_same_bytes(study: Study, tmp_path: Path) -> None:
    study.run(tmp_path / "run", store=tmp_path / "s.sqlite")
    first = (tmp_path / "run" / "results.json").read_bytes()
    asked = {n: len(m.requests) for n, m in MODELS.items()}
    study.run(tmp_path / "run", store=tmp_path / "s.sqlite")
    assert (tmp_path / "run" / "results.json").read_bytes() == first
    assert sum(len(m.requests) for m in MODELS.values()) == 0 or {n: len(m.requests) for n, m in MODELS.items()} == asked


def test_another_folder_with_a_warm_store_gives_the_same_bytes_and_asks_nobody(study: Study, tmp_path: Path) -> None:
    study.run(tmp_path / "one", store=tmp_path / "s.sqlite")
    MODELS.clear()
    study.run(tmp_path / "two", store=tmp_path / "s.sqlite")
    assert sum(len(m.requests) for m in MODELS.values()) == 0
    for name in ("results.json",):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    cells = sorted(p.name for p in (tmp_path / "one" / "cells").iterdir())
    for cell in cells:
        one, two = (tmp_path / where / "cells" / cell / "transcripts.jsonl" for where in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_an_empty_store_gives_the_same_bytes(study: Study, tmp_path: Path) -> None:
    study.run(tmp_path / "one", store=tmp_path / "s1.sqlite")
    study.run(tmp_path / "two", store=tmp_path / "s2.sqlite")
    assert (tmp_path / "one" / "results.json").read_bytes() == (tmp_path / "two" / "results.json").read_bytes()


def test_the_files_of_a_run_are_as_readable_as_any_file(study: Study, tmp_path: Path) -> None:
    study.run(tmp_path / "run", store=tmp_path / "s.sqlite")
    (tmp_path / "any").write_text("")
    modes = {p.stat().st_mode for p in (tmp_path / "run").rglob("*") if p.is_file()}
    assert modes == {(tmp_path / "any").stat().st_mode}


def test_a_torn_line_and_a_lost_summary_are_mended(study: Study, tmp_path: Path) -> None:
    run = study.run(tmp_path / "run", store=tmp_path / "s.sqlite")
    first = (tmp_path / "run" / "results.json").read_bytes()
    folder = run.cell(run.results["cells"][3]["id"])
    whole = folder.answers.read_bytes()
    folder.summary.unlink()
    folder.answers.write_bytes(whole[: len(whole) // 2])
    study.run(tmp_path / "run", store=tmp_path / "s.sqlite")
    assert (tmp_path / "run" / "results.json").read_bytes() == first
    assert folder.answers.read_bytes() == whole


def test_failed_items_are_recorded_left_out_and_tried_again(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = True

    def flaky(reference: str, *, name: str, **options: object) -> ScriptedModel:
        short = reference.split("/")[1]

        def reply(r: Request) -> str:
            if broken and short == "b" and "Question 7?" in r.messages[-1].content:
                raise Transient("the line is down")
            return letters(short, r)

        return ScriptedModel(name, reply, fingerprint=f"scripted {short}")

    monkeypatch.setitem(SCHEMES._items, "scripted", flaky)
    run = study.run(tmp_path / "run", store=tmp_path / "s.sqlite")
    assert run.results["complete"] is False
    failed = [c for c in run.results["cells"] if c["summary"]["failed"]]
    assert {c["label"] for c in failed} >= {"b", "majority_vote"}
    assert all(c["summary"]["n"] == 15 for c in failed)
    assert not [c for c in run.results["comparisons"] if c["label"] == "majority_vote"]
    broken = False
    again = study.run(tmp_path / "run", store=tmp_path / "s.sqlite")
    assert again.results["complete"] is True
    clean = study.run(tmp_path / "clean", store=tmp_path / "s2.sqlite")
    assert (tmp_path / "run" / "results.json").read_bytes() == (tmp_path / "clean" / "results.json").read_bytes()
    assert clean.results["complete"]


def test_a_cell_can_be_asked_again(study: Study, tmp_path: Path) -> None:
    run = study.run(tmp_path / "run", store=tmp_path / "s.sqlite")
    cell = next(c for c in run.results["cells"] if c["method"] == "majority_vote")
    team, task, _ = load_fitted(tmp_path / "run" / "cells" / cell["id"], Store(None))
    assert team("Question 5?").startswith("I say. Answer:")
    assert task.name == "toy"


def test_a_wrong_study_never_starts(tmp_path: Path) -> None:
    data = str(write_data(tmp_path))
    out = tmp_path / "run"
    for study, error in [
        (STUDY.replace("draws: 3", "drwas: 3").replace("DATA", data), ConfigError),
        (STUDY.replace("DATA", data + "x.jsonl"), DataError),
        (STUDY.replace("majority_vote", "majority_vot").replace("DATA", data), ConfigError),
        (STUDY.replace("single]", "{name: prompt_routing, members: [a, b]}]").replace("DATA", data), PoolError),
    ]:
        with pytest.raises(error):
            Study.from_yaml(study).run(out, store=tmp_path / "s.sqlite")
    assert not (out / "cells").exists()
    assert not any(m.requests for m in MODELS.values())


def test_a_collaboration_in_the_pool_is_a_member_like_any_other(tmp_path: Path) -> None:
    text = STUDY.replace("tasks:", "  - {name: panel, method: majority_vote, members: [a, b, c], fit_on: toy}\ntasks:")
    run = Study.from_yaml(text.replace("DATA", str(write_data(tmp_path)))).run(tmp_path / "run", store=tmp_path / "s.sqlite")
    rows = {r["label"]: r for r in run.results["leaderboard"] if r["role"] == "member"}
    assert set(rows) == {"a", "b", "c", "panel"}
    assert rows["panel"]["calls_per_query"] == 3.0


def test_a_reference_is_shown_alone_and_takes_no_part(tmp_path: Path) -> None:
    text = STUDY.replace("DATA", str(write_data(tmp_path))).replace("scripted/b}", "scripted/b, reference: true}")
    run = Study.from_yaml(text).run(tmp_path / "run", store=tmp_path / "s.sqlite")
    rows = {r["label"]: r for r in run.results["leaderboard"]}
    assert rows["b"]["role"] == "reference" and rows["b"]["mean"] > rows["c"]["mean"] > rows["a"]["mean"]
    assert set(run.results["best_on_dev"]["toy"].values()) == {"c"}, "b is better, and no candidate"
    assert {c["reference"] for c in run.results["comparisons"] if c["against"] == "oracle_single"} == {"c"}
    voted = next(c for c in run.results["cells"] if c["label"] == "majority_vote")
    calls = [call["member"] for line in read_lines(run.cell(voted["id"]).transcripts) for call in line["calls"]]
    assert set(calls) == {"a", "c"}
    only = text.replace("scripted/a}", "scripted/a, reference: true}").replace("scripted/c}", "scripted/c, reference: true}")
    with pytest.raises(ConfigError, match="every member is a reference"):
        Study.from_yaml(only)


def test_there_is_no_run_in_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="run the study"):
        load_run(tmp_path)


KILLED = """
import os, sys, time
from pathlib import Path
import tests.study.test_runner as t
from moco.models.member import SCHEMES
from moco.study import Study
import moco.testing

class Slow(moco.testing.ScriptedModel):
    async def generate(self, request):
        import asyncio
        await asyncio.sleep(0.004)
        with open(os.environ["COUNT"], "a") as log:
            log.write("x")
        return await super().generate(request)

def build(reference, *, name, **options):
    short = reference.split("/")[1]
    return Slow(name, lambda r: t.letters(short, r), fingerprint=f"scripted {short}")

SCHEMES._items["scripted"] = build
import moco.collab.run as run
run.LIVE_QUERIES = 4
run.bounded.__defaults__ = (4,)
import moco.models.store as store
store.FLUSH_SECONDS = 0.01
Study.from_yaml(t.STUDY.replace("DATA", os.environ["DATA"])).run(os.environ["OUT"], store=Path(os.environ["STORE"]))
print("done")
"""


def test_kill_nine_anywhere_then_the_same_command(tmp_path: Path) -> None:
    data = write_data(tmp_path, 48)
    root = Path(__file__).parents[2]

    def start(name: str) -> tuple[subprocess.Popen[str], Path]:
        env = {**os.environ, "DATA": str(data), "OUT": str(tmp_path / name), "STORE": str(tmp_path / f"{name}.sqlite")}
        env |= {"COUNT": str(tmp_path / f"{name}.count"), "PYTHONPATH": str(root)}
        return subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(KILLED)], env=env, stdout=subprocess.PIPE, text=True
        ), Path(env["COUNT"])

    whole, count = start("whole")
    assert whole.communicate(timeout=120)[0].strip() == "done"
    calls = len(count.read_text())
    kills = 0
    for share in (0.1, 0.35, 0.6, 0.8):  # in the ranking on dev, in members, in methods, in baselines
        process, count = start("killed")
        while process.poll() is None and (not count.exists() or len(count.read_text()) < share * calls):
            time.sleep(0.005)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate(timeout=60)
    process, count = start("killed")
    assert process.communicate(timeout=120)[0].strip() == "done"
    assert kills >= 3
    assert (tmp_path / "killed" / "results.json").read_bytes() == (tmp_path / "whole" / "results.json").read_bytes()
    assert len(count.read_text()) <= calls + kills * 40, "a kill costs what was in flight and not yet committed, no more"


def test_evaluate_prints_what_it_stands_on(tmp_path: Path) -> None:
    task = moco.load_task(write_data(tmp_path))
    pool = moco.Pool(["scripted/a", "scripted/c"], store=Store(None))
    result = moco.evaluate("majority_vote", pool, task, tie="dev")
    assert str(result).startswith("majority_vote on toy: 0.")
    assert "n=16" in str(result) and "unparsed 0.0%" in str(result)
    assert result.fitted.as_model()("Question 9?")


def test_what_no_rule_can_grade_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    file = tmp_path / "stories.jsonl"
    file.write_text("\n".join(json.dumps({"id": f"s{i}", "question": f"Tell story {i}"}) for i in range(10)))
    with pytest.raises(ConfigError, match="no reference output to compare with"):
        Study.from_yaml(STUDY.replace("DATA", str(file))).run(tmp_path / "run", store=tmp_path / "s.sqlite")
    with pytest.raises(ConfigError, match="no reference output to compare with"):
        moco.evaluate("single", moco.Pool(["scripted/a"], store=Store(None)), moco.load_task(file))
