"""The README cannot drift: its Python runs, its YAML is a valid study, its method works, its table names real files."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from moco.study import Study

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_python_runs(number: int, tmp_path: Path) -> None:
    file = tmp_path / "example.py"
    file.write_text(blocks("python")[number])
    done = subprocess.run(
        [sys.executable, str(file)], cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", blocks("yaml"))
def test_yaml_is_a_study(text: str) -> None:
    assert Study.from_yaml(text).check().cells


def test_the_method_of_the_readme_works_in_a_study(tmp_path: Path) -> None:
    file = tmp_path / "polite.py"
    file.write_text(blocks("python")[1])
    study = f"""
pool: [playground/alpha, playground/gamma]
tasks: [{{name: playground/math, limit: 6}}]
methods: [{{name: "{file}:Shortest", label: shortest}}]
sampling: {{max_tokens: 64}}
baselines: false
"""
    run = Study.from_yaml(study).run(tmp_path / "run", store=tmp_path / "s.sqlite")
    assert [r["label"] for r in run.results["leaderboard"]] == ["shortest"]
    assert run.results["leaderboard"][0]["n"] == 6


def test_named_files_exist() -> None:
    for path in re.findall(r"`(tests/[\w/.]+)`", README):
        assert (ROOT / path).exists(), path
