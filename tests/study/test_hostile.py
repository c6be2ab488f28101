"""A run in a hostile place: a disk that fills up at any write, a folder that somebody else holds, a clock that jumps."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from moco.core.errors import ConfigError, DataError
from moco.models.store import Store
from moco.study import Study, cell
from moco.study.folder import LOCK, held, of_the_disk
from tests.study import test_runner as toy

_scheme = toy._scheme
STUDY = toy.STUDY.replace("seeds: [0, 1]", "seeds: [0]").replace(", {name: self_consistency, draws: 3}, single", "")


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study.from_yaml(STUDY.replace("DATA", str(toy.write_data(tmp_path, 9))))


def results(folder: Path) -> bytes:
    return (folder / "results.json").read_bytes()


class Disk:
    """Refuses the n-th write of a whole file; ``writes`` counts them."""

    def __init__(self, refuses: int) -> None:
        self.refuses, self.writes = refuses, 0

    def fsync(self, fd: int) -> None:
        self.writes += 1
        if self.writes == self.refuses:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_is_full_at_any_write_costs_nothing_but_that_write(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full at the 1st write, then at the 2nd of the next try, and so on until a try goes through."""
    whole, again = tmp_path / "whole", tmp_path / "again"
    study.run(whole, store=tmp_path / "whole.sqlite")
    store, refused = tmp_path / "again.sqlite", 0
    for n in range(1, 200):
        disk = Disk(n)
        monkeypatch.setattr(cell.os, "fsync", disk.fsync)
        try:
            study.run(again, store=store)
        except DataError as error:
            refused += 1
            assert "No space left" in error.what and "free some space" in error.remedy and error.where == str(again)
            assert not (again / LOCK).exists()
        else:
            break
    assert refused >= 10 and disk.writes < n
    assert results(again) == results(whole)
    asked = sum(run["paid"][name]["calls"] for run in study_runs(again) for name in run["paid"])
    assert asked <= sum(run["paid"][name]["calls"] for run in study_runs(whole) for name in run["paid"])


def study_runs(folder: Path) -> list[dict[str, dict[str, dict[str, int]]]]:
    runs: list[dict[str, dict[str, dict[str, int]]]] = toy.load_run(folder).timing["runs"]
    return runs


def test_two_runs_in_one_folder(study: Study, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with held(out), pytest.raises(DataError, match="another run is writing") as caught:
        study.run(out, store=tmp_path / "s.sqlite")
    assert f"process {os.getpid()}" in caught.value.why and "-o" in caught.value.remedy
    study.run(out, store=tmp_path / "s.sqlite")
    assert not (out / LOCK).exists()


HOLDING = "import sys, time; from pathlib import Path; from moco.study.folder import held\nwith held(Path(sys.argv[1])):\n"
HOLDING += "    print('held', flush=True)\n    time.sleep(60)\n"


def test_who_was_killed_holds_no_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    other = subprocess.Popen([sys.executable, "-c", HOLDING, str(out)], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None and other.stdout.readline() == "held\n"
    with pytest.raises(DataError, match="another run"), held(out):
        pass
    other.kill()
    other.communicate()
    assert (out / LOCK).exists()
    with held(out):
        pass


def test_a_file_system_without_locks_is_run_on_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(fd: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr("fcntl.flock", flock)
    with held(tmp_path / "out"):
        assert (tmp_path / "out").is_dir()


def test_a_file_in_the_place_of_the_folder(study: Study, tmp_path: Path) -> None:
    for out in (tmp_path / "file", tmp_path / "file" / "inner"):
        (tmp_path / "file").touch()
        with pytest.raises(DataError, match="a file is in the place") as caught:
            study.run(out, store=tmp_path / "s.sqlite")
        assert "-o" in caught.value.remedy


@pytest.mark.parametrize(
    "number, filename, ours",
    [
        (errno.EACCES, "cells/a/answers.jsonl", True),
        (errno.EROFS, "manifest.json", True),
        (errno.ENOSPC, None, True),
        (errno.EDQUOT, None, True),
        (errno.ECONNREFUSED, None, False),
        (errno.EACCES, "/elsewhere", False),
    ],
)
def test_which_errors_are_the_disks(number: int, filename: str | None, ours: bool, tmp_path: Path) -> None:
    error = OSError(number, os.strerror(number), None if filename is None else str(tmp_path / filename))
    found = of_the_disk(error, tmp_path)
    assert (found is not None) is ours
    if found is not None:
        assert found.where == str(tmp_path) and "continues" in found.remedy


def test_a_clock_that_jumps_changes_no_result(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study.run(tmp_path / "whole", store=tmp_path / "whole.sqlite")
    now, jumps = time.time, random.Random(0)
    monkeypatch.setattr(time, "time", lambda: now() + jumps.uniform(-1e6, 1e6))
    study.run(tmp_path / "jumping", store=tmp_path / "jumping.sqlite")
    assert results(tmp_path / "jumping") == results(tmp_path / "whole")


def test_a_folder_of_another_study_is_run_beside_it(study: Study, tmp_path: Path) -> None:
    out, store = tmp_path / "out", tmp_path / "s.sqlite"
    study.run(out, store=store)
    before, cells = results(out), set(os.listdir(out / "cells"))
    other = Study.from_yaml(STUDY.replace("DATA", str(tmp_path / "toy.jsonl")).replace("[0]", "[5]"))
    with pytest.raises(ConfigError, match=r"another study.*seeds: \[0\] is now \[5\].*-o"):
        other.run(out, store=store)
    assert results(out) == before
    other.run(out, store=store, changed=True)
    assert results(out) != before and cells < set(os.listdir(out / "cells"))
    study.run(out, store=store, changed=True)
    assert results(out) == before, "what was finished of the first study is still there"


def damage_rows(file: Path) -> int:
    import sqlite3

    with sqlite3.connect(file) as db:
        return db.execute("UPDATE completions SET body = substr(body, 1, length(body) - 1) || x'00'").rowcount


def test_rows_damaged_by_hand_are_answered_again(study: Study, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    study.run(tmp_path / "whole", store=tmp_path / "s.sqlite")
    rows = damage_rows(tmp_path / "s.sqlite")
    study.run(tmp_path / "again", store=tmp_path / "s.sqlite")
    assert results(tmp_path / "again") == results(tmp_path / "whole")
    (run,) = study_runs(tmp_path / "again")
    assert 0 < run["store"]["damaged"] == len(caplog.records) <= rows, "one warning a row"
    assert Store(tmp_path / "s.sqlite").verify()[1] == rows - run["store"]["damaged"]


Damage = Callable[[Path], object]
DAMAGES: dict[str, Damage] = {
    "a torn line": lambda folder: (folder / "answers.jsonl").write_bytes((folder / "answers.jsonl").read_bytes()[:-20]),
    "garbage in a line": lambda folder: (folder / "answers.jsonl").write_text(
        "garbage\n" + (folder / "answers.jsonl").read_text()
    ),
    "no answers": lambda folder: (folder / "answers.jsonl").unlink(),
    "no transcripts": lambda folder: (folder / "transcripts.jsonl").unlink(),
    "no summary": lambda folder: (folder / "summary.json").unlink(),
    "an empty summary": lambda folder: (folder / "summary.json").write_text(""),
    "an odd summary": lambda folder: (folder / "summary.json").write_text("[1]"),
    "a line that is no object": lambda folder: (folder / "answers.jsonl").write_text("3\n"),
    "a line of other fields": lambda folder: (folder / "answers.jsonl").write_text('{"id": "q1", "colour": "red"}\n'),
    "odd times": lambda folder: (folder.parents[1] / "timing.json").write_text("{}"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cell_is_made_whole(damage: str, study: Study, tmp_path: Path) -> None:
    out = tmp_path / "out"
    study.run(out, store=tmp_path / "s.sqlite")
    before = results(out)
    for folder in (out / "cells").iterdir():
        DAMAGES[damage](folder)
    study.run(out, store=tmp_path / "s.sqlite")
    assert results(out) == before
