"""``moco new``: skeletons that work as they are, and names that would hide other modules."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from moco.cli.new_task import task_files
from tests.cli.conftest import Moco


def test_a_new_task_passes_its_test_and_the_linter(moco: Moco, tmp_path: Path) -> None:
    told = json.loads(moco("new", "task", "b2_lakes", "-o", tmp_path, "--json").out)
    assert told["reference"] == f"{tmp_path / 'b2_lakes.py'}:ENTRY"
    for tool in (
        ["pytest", "-q", "-p", "no:cacheprovider", "test_b2_lakes.py"],
        ["ruff", "check", "--isolated", "--line-length=130"],
    ):
        done = subprocess.run([sys.executable, "-m", *tool], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    again = moco("new", "task", "b2_lakes", "-o", tmp_path)
    assert again.code == 2 and "b2_lakes.py' exists" in again.err


def test_a_new_task_is_looked_at_checked_and_studied_by_its_file(moco: Moco, tmp_path: Path) -> None:
    moco("new", "task", "rivers", "-o", tmp_path)
    name = f"{tmp_path / 'rivers.py'}:ENTRY"
    assert json.loads(moco("tasks", name, "--json").out)["test"] == 5
    assert "How deep is made-up Lake Brume?" in moco("tasks", name, "--prompt").out
    assert f"{name}: 0 faults, 0 warnings; 3 dev" in moco("data", "check", name).out
    assert moco("data", "show", name, "--few-shot", "1").out.count("[user]") == 6
    study = tmp_path / "study.yaml"
    study.write_text(f'pool: [playground/alpha]\ntasks: ["{name}"]\nmethods: [single]\n', encoding="utf-8")
    plan = json.loads(moco("run", study, "--dry-run", "--json").out)
    assert plan["tasks"] == {"rivers": 5}, "the task is called what the entry calls it"


def test_a_wrong_reference_names_the_remedy(moco: Moco, tmp_path: Path) -> None:
    moco("new", "task", "rivers", "-o", tmp_path)
    file = tmp_path / "rivers.py"
    for line, remedy in (
        ((f"{file}:NTRY",), "did you mean 'ENTRY'?"),
        ((f"{file}:rows",), "name an Entry of moco.tasks.catalogue"),
        ((file,), "named with its entry, path/to/file.py:ENTRY"),
        ((f"{tmp_path / 'lakes.py'}:ENTRY",), "write path/to/file.py:"),
        ((f"{file}:ENTRY", "--data-dir", tmp_path / "nowhere"), "remedy: put rivers.jsonl into data_dir"),
    ):
        said = moco("tasks", *line)
        assert said.code == 2 and remedy in said.err, (line, said)


def installed(folder: Path, entry_point: str, source: str) -> dict[str, str]:
    """An environment in which a package with that entry point and module is installed."""
    for name, text in {**task_files("rivers"), "rivers.py": source}.items():
        (folder / "moco_rivers").mkdir(exist_ok=True)
        (folder / "moco_rivers" / name).write_text(text, encoding="utf-8")
    (folder / "moco_rivers" / "__init__.py").touch()
    about = folder / "moco_rivers-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: moco-rivers\nVersion: 1.0\n", encoding="utf-8")
    (about / "entry_points.txt").write_text(f"[moco.tasks]\n{entry_point} = moco_rivers.rivers:ENTRY\n", encoding="utf-8")
    return {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"}


def run(environment: dict[str, str], *line: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from moco.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, *line], env=environment, capture_output=True, text=True, check=False, cwd=environment["HOME"]
    )


def test_an_installed_task_is_called_by_its_name(tmp_path: Path) -> None:
    environment = installed(tmp_path, "rivers", task_files("rivers")["rivers.py"])
    said = run(environment, "tasks", "rivers", "--json")
    assert json.loads(said.stdout)["test"] == 5 and said.returncode == 0
    assert "rivers" in {one["name"] for one in json.loads(run(environment, "tasks", "--json").stdout)}


@pytest.mark.parametrize(
    ("entry_point", "old", "new", "what"),
    [
        ("lakes", "", "", "is registered as 'rivers'"),
        ("rivers", "from pathlib", "import nothing_of_that_name\nfrom pathlib", "nothing_of_that_name"),
    ],
)
def test_a_broken_plugin_is_named_and_hides_no_other_task(
    entry_point: str, old: str, new: str, what: str, tmp_path: Path
) -> None:
    source = task_files("rivers")["rivers.py"]
    environment = installed(tmp_path, entry_point, source.replace(old, new) if old else source)
    said = run(environment, "tasks")
    assert said.returncode == 0 and "gsm8k" in said.stdout
    assert "warning: " in said.stderr and what in said.stderr and "moco-rivers" in said.stderr
    said = run(environment, "tasks", entry_point)
    assert said.returncode == 2 and what in said.stderr


@pytest.mark.parametrize("sort", ["method", "task"])
@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("moco", "moco.py would hide moco itself"),
        ("json", "json.py would hide the module 'json' of Python"),
        ("numpy", "numpy.py would hide the installed package 'numpy'"),
        ("conftest", "that pytest or Python loads unasked"),
        ("Polite", "'Polite' is no name for a"),
        ("lambda", "'lambda' is no name for a"),
    ],
)
def test_names_that_hide_other_modules_are_refused(sort: str, name: str, what: str, moco: Moco, tmp_path: Path) -> None:
    said = moco("new", sort, name, "-o", tmp_path / "mine")
    assert said.code == 2 and what in said.err and "remedy: " in said.err and not (tmp_path / "mine").exists()


def test_a_name_that_is_taken_or_a_folder_that_is_none_is_refused(moco: Moco, tmp_path: Path) -> None:
    assert "there is a task 'gsm8k' already" in moco("new", "task", "gsm8k", "-o", tmp_path).err
    (tmp_path / "file").touch()
    said = moco("new", "task", "rivers", "-o", tmp_path / "file" / "inside")
    assert said.code == 2 and "cannot be written" in said.err
