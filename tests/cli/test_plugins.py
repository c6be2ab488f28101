"""Plugins at the command line, and the command's other doors: ``python -m moco`` and completion in the shell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.core.test_registry import install


def run(*line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environment}
    return subprocess.run([sys.executable, "-m", "moco", *line], capture_output=True, text=True, env=env, check=False)


def plugin(folder: Path, group: str, points: dict[str, str], **modules: str) -> str:
    install(folder, "odd-plugin", points, **modules)
    file = folder / "odd-plugin-1.0.dist-info" / "entry_points.txt"
    file.write_text(file.read_text().replace("moco.test_things", group))
    return str(folder)


def test_a_broken_method_of_a_plugin_is_a_warning_and_the_rest_is_listed(tmp_path: Path) -> None:
    path = plugin(tmp_path, "moco.methods", {"broken_one": "odd_plugin:Broken"}, odd_plugin="import not_installed_anywhere\n")
    listed = run("methods", PYTHONPATH=path)
    assert listed.returncode == 0 and "majority_vote" in listed.stdout
    assert "odd-plugin" in listed.stderr and '"broken_one" = "odd_plugin:Broken"' in listed.stderr
    named = run("methods", "broken_one", PYTHONPATH=path)
    assert named.returncode == 2 and "repair or uninstall odd-plugin" in named.stderr and "Traceback" not in named.stderr


def test_a_broken_task_of_a_plugin_is_a_warning_and_the_rest_is_listed(tmp_path: Path) -> None:
    path = plugin(tmp_path, "moco.tasks", {"gsm8k": "odd_plugin:GSM", "odd": "odd_plugin:ENTRY"}, odd_plugin="1 / 0\n")
    listed = run("tasks", PYTHONPATH=path)
    assert listed.returncode == 0 and "popqa" in listed.stdout and listed.stderr.count("warning: ") == 2
    assert "two tasks are called 'gsm8k'" in listed.stderr and "mocolab" in listed.stderr
    assert run("tasks", "gsm8k", PYTHONPATH=path).returncode == 2


def test_a_method_registered_under_another_name_than_its_entry_point_says_which_to_write(tmp_path: Path) -> None:
    text = "import moco\n@moco.register('true_name', level='text')\nclass Odd(moco.Method):\n"
    text += "    async def answer(self, query, pool):\n        return moco.Answer('x')\n"
    path = plugin(tmp_path, "moco.methods", {"other_name": "odd_plugin:Odd"}, odd_plugin=text)
    said = run("methods", "other_name", PYTHONPATH=path)
    assert said.returncode == 2 and 'give both one name: "true_name" = "odd_plugin:Odd"' in said.stderr


def test_the_shell_completes_commands() -> None:
    said = run(_MOCO_COMPLETE="complete_bash", COMP_WORDS="moco me", COMP_CWORD="1")
    assert (said.returncode, said.stdout.split(), said.stderr) == (0, ["methods"], "")
