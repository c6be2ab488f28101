"""A folder that holds a run: continued, changed, unfinished; and a study that is called from another folder."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import shutil
from pathlib import Path

import pytest

from moco.core.errors import ConfigError, DataError
from moco.models.member import SCHEMES
from moco.models.store import Store
from moco.study import Study, Unwatched, load_fitted, load_run
from moco.study import runner as running
from moco.study.continuing import differences, reached
from tests.study import test_runner as toy

_scheme = toy._scheme
STUDY = toy.STUDY.replace("seeds: [0, 1]", "seeds: [0]")


class Notes(Unwatched):
    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


def go(tmp_path: Path, text: str, changed: bool = False) -> list[str]:
    watch = Notes()
    study = Study.from_yaml(text.replace("DATA", str(tmp_path / "toy.jsonl")))
    study.run(tmp_path / "run", store=tmp_path / "s.sqlite", watch=watch, changed=changed)
    return watch.said


def test_the_same_study_continues_without_a_word(tmp_path: Path) -> None:
    toy.write_data(tmp_path)
    assert go(tmp_path, STUDY) == [] == go(tmp_path, STUDY)


def test_a_study_that_grew_goes_on_and_says_so(tmp_path: Path) -> None:
    toy.write_data(tmp_path)
    go(tmp_path, STUDY)
    said = go(
        tmp_path,
        STUDY.replace("seeds: [0]", "seeds: [0, 1]").replace(
            "single]", "single, logit_free]".replace("logit_free", "{name: self_consistency, label: more, draws: 4}")
        ),
    )
    assert len(said) == 1 and "methods.more is new" in said[0] and "seeds: [0] is now [0, 1]" in said[0]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("draws: 3", "draws: 4", "methods.self_consistency.options.draws: 3 is now 4"),
        ("single]", "]", "methods.single is gone"),
        ("scripted/c}", "scripted/c, description: letters}", "pool.c.description"),
    ],
)
def test_another_study_is_refused_and_nothing_is_replaced(tmp_path: Path, old: str, new: str, says: str) -> None:
    toy.write_data(tmp_path)
    go(tmp_path, STUDY)
    before = {name: (tmp_path / "run" / name).read_bytes() for name in ("results.json", "manifest.json", "items.jsonl")}
    text = STUDY.replace(old, new)
    with pytest.raises(ConfigError) as caught:
        go(tmp_path, text)
    assert says in caught.value.why and "-o" in caught.value.remedy and "--changed" in caught.value.remedy
    assert before == {name: (tmp_path / "run" / name).read_bytes() for name in before}
    said = go(tmp_path, text, changed=True)
    assert any(says in line for line in said) and any("do not belong to this run" in line for line in said)
    assert go(tmp_path, text)[0].startswith(("1 finished", "2 finished", "3 finished", "4 finished", "5 finished", "6 finished"))


def test_other_data_under_the_same_name_is_another_study(tmp_path: Path) -> None:
    file = toy.write_data(tmp_path)
    go(tmp_path, STUDY)
    file.write_text(file.read_text().replace("Question 7?", "Question 11?"))
    with pytest.raises(ConfigError, match="the data of toy"):
        go(tmp_path, STUDY)


def test_differences_are_those_of_the_study_not_of_the_machine() -> None:
    config = {"pool": [{"name": "a", "model": "x"}], "seeds": [0], "sampling": {"top_p": None}}
    one = {"config": config, "python": "3.11", "tasks": {"t": {"fingerprint": "1"}}, "members": {"a": {"fingerprint": "m"}}}
    assert differences(one, {**one, "python": "3.12", "command": ["moco"]}) == []
    other = {**one, "tasks": {"t": {"fingerprint": "2"}}, "members": {"a": {"fingerprint": "n"}}, "prompts": {"t": "p"}}
    assert differences(one, other) == ["the data of t", "the model of a"]


class Stopped(Exception):
    """Ends a run in the middle, as a kill does."""


def test_a_killed_run_says_how_far_it_got_and_how_it_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.write_data(tmp_path)
    monkeypatch.setattr("sys.argv", ["/usr/bin/moco", "run", "my study.yaml", "seeds=[0]"])
    monkeypatch.setitem(SCHEMES._items, "scripted", toy.build_failing(Stopped()))
    with pytest.raises(Stopped):
        go(tmp_path, STUDY)
    with pytest.raises(DataError) as caught:
        load_run(tmp_path / "run")
    assert caught.value.what == "the run is not finished" and caught.value.why == "1 of 6 cells are"
    assert caught.value.remedy == "continue with: moco run 'my study.yaml' 'seeds=[0]'"
    with pytest.raises(DataError, match="not finished"):
        load_run(tmp_path / "run", unfinished=True)


def test_what_is_finished_can_be_shown_before_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from moco.report.terminal import warnings

    toy.write_data(tmp_path)
    monkeypatch.setattr(running, "PARTIAL_SECONDS", -1.0)
    monkeypatch.setitem(SCHEMES._items, "scripted", toy.build_failing(Stopped()))
    with pytest.raises(Stopped):
        go(tmp_path, STUDY)
    data = load_run(tmp_path / "run", unfinished=True)
    assert [c["label"] for c in data.results["cells"]] == ["a"]
    assert data.results["unfinished"] == {"cells": 1, "of": 6} and data.results["comparisons"] == []
    assert any("1 of 6 cells so far" in line for line in warnings(data.results))
    assert reached(data.path, data.manifest) == (1, 6)
    monkeypatch.setitem(SCHEMES._items, "scripted", toy.build)
    go(tmp_path, STUDY)
    assert "unfinished" not in load_run(tmp_path / "run", unfinished=True).results
    assert not (tmp_path / "run" / running.PARTIAL).exists()


def test_a_run_that_is_stopped_keeps_what_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.write_data(tmp_path)
    monkeypatch.setitem(SCHEMES._items, "scripted", toy.build_failing(asyncio.CancelledError()))
    with pytest.raises(concurrent.futures.CancelledError):
        go(tmp_path, STUDY)
    assert [c["label"] for c in load_run(tmp_path / "run", unfinished=True).results["cells"]] == ["a"]


POLITE = '''
import moco
from moco.core.types import Answer

@moco.register("polite_{tag}", level="text")
class Polite(moco.Method):
    """The first member answers."""

    async def answer(self, query, pool):
        draft = await pool.ask(pool.names[0], query)
        return Answer(draft.text, source=draft.member)
'''


def test_a_study_is_at_home_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    toy.write_data(home)
    (home / "w.py").write_text(POLITE.replace("{tag}", "home"))
    (home / "study.yaml").write_text(STUDY.replace("DATA", "toy.jsonl").replace("single]", "./w.py:Polite]"))
    monkeypatch.chdir(elsewhere)
    study = Study.from_yaml(Path("../home/study.yaml"))
    assert [m.label for m in study.config.methods][-1] == "polite_home"
    run = study.run("run", store=tmp_path / "s.sqlite")
    config = run.manifest["config"]
    assert config["tasks"][0]["data"] == str(home / "toy.jsonl") and config["methods"][-1]["name"] == f"{home}/w.py:Polite"
    cell = next(c for c in run.results["cells"] if c["label"] == "polite_home")
    folder = (elsewhere / "run" / "cells" / cell["id"]).absolute()
    monkeypatch.chdir(tmp_path)
    team, task, _ = load_fitted(folder, Store(None))
    assert task.name == "toy" and team("Question 5?").startswith("I say.")


def test_the_current_folder_serves_where_the_studys_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    toy.write_data(here)
    (home / "study.yaml").write_text(STUDY.replace("DATA", "toy.jsonl"))
    monkeypatch.chdir(here)
    assert Study.from_yaml("../home/study.yaml").config.tasks[0].data == str(here / "toy.jsonl")
    shutil.copy(here / "toy.jsonl", home / "toy.jsonl")
    assert Study.from_yaml("../home/study.yaml").config.tasks[0].data == str(home / "toy.jsonl"), "beside the file comes first"
    assert Study.from_yaml(STUDY.replace("DATA", "toy.jsonl")).config.tasks[0].data == str(here / "toy.jsonl")


def test_a_model_folder_is_a_path_and_a_name_is_none(tmp_path: Path) -> None:
    (tmp_path / "ckpt").mkdir()
    (tmp_path / "playground" / "alpha").mkdir(parents=True)
    (tmp_path / "study.yaml").write_text(
        "pool: [./ckpt, playground/alpha, owner/name,\n"
        "       {name: team, method: majority_vote, members: [ckpt, ./more, playground/beta]}]\ntasks: [playground/math]\n"
        "methods: [{name: majority_vote, members: [./ckpt, owner/name]}]\n"
    )
    config = Study.from_yaml(tmp_path / "study.yaml").config
    assert [m.model for m in config.pool] == [str(tmp_path / "ckpt"), "playground/alpha", "owner/name", None]
    assert config.pool[3].members == ("ckpt", str(tmp_path / "more"), "playground/beta")
    assert config.methods[0].members == (str(tmp_path / "ckpt"), "owner/name")


def test_two_methods_of_one_name_are_told_apart_by_labels(tmp_path: Path) -> None:
    toy.write_data(tmp_path)
    (tmp_path / "w.py").write_text(POLITE.replace("{tag}", "twice"))
    text = STUDY.replace("DATA", "toy.jsonl").replace("single]", "./w.py:Polite, {name: w.py:Polite}]")
    (tmp_path / "study.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"methods\[3\].*two methods are called 'polite_twice'"):
        Study.from_yaml(tmp_path / "study.yaml")


def test_what_would_fail_in_the_middle_is_found_before(tmp_path: Path) -> None:
    file = toy.write_data(tmp_path)
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    file.write_text("\n".join(json.dumps({**row, "split": "test"}) for row in rows))
    text = STUDY.replace("DATA", str(file))
    with pytest.raises(ConfigError, match=r"methods\[2\], task toy.*must be fitted, and toy has no dev questions"):
        Study.from_yaml(text.replace("single]", "trained_router]")).check()
    with pytest.raises(ConfigError, match=r"pool\[1\].*unknown device 'gpu'"):
        Study.from_yaml(text.replace("name: b, model: scripted/b", "name: b, model: playground/beta, device: gpu")).check()


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from moco.models import hf

    monkeypatch.setattr(hf, "default_device", lambda: "cpu")
    hf.check_device("cpu")
    for device, says in (("cuda", "has no cuda"), ("mps", "has no mps"), ("cuda:x", "unknown device"), ("cpu:1", "unknown")):
        with pytest.raises(ConfigError, match=says):
            hf.check_device(device)
