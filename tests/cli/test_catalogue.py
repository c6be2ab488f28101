"""The lists of what there is: costs as they are, extras as they are declared, and the way to a method in a file."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from moco.cli.catalogue import _in_short
from moco.cli.doctor import NOT_FOR_USERS, examine
from tests.cli.conftest import Moco


@pytest.mark.parametrize(
    ("cost", "short"),
    [("n calls (n x draws); free text: +1", "n calls (n x draws); ..."),
     ("n + (r - 1) n (f + 1) calls", "n + (r - 1) n (f + 1) calls"),
     ("u (a; b: 2 (u - 1)) calls, +1; n alone", "u (a; b: 2 (u - 1)) calls, +1; ..."), ("fit: n calls (x; y); 1 call", "1 call"),
     ("1 call; fit: n", "1 call"), ("", "")],
)  # fmt: skip
def test_a_cost_is_cut_between_cases_only(cost: str, short: str) -> None:
    assert _in_short(cost) == short


def test_a_file_without_a_class_is_told_how_to_name_it(moco: Moco) -> None:
    said = moco("methods", "mine/x.py")
    assert said.code == 2 and "remedy: write mine/x.py:Class" in said.err


def test_doctor_knows_every_extra() -> None:
    about = examine()
    with (Path(__file__).parents[2] / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    declared = project["optional-dependencies"]
    assert set(about["extras"]) == set(declared) - set(NOT_FOR_USERS)
    for name, extra in about["extras"].items():
        assert len(extra["packages"]) == len(declared[name]) and extra["install"] == f'pip install "mocolab[{name}]"'
    assert len(about["core"]) == len(project["dependencies"]) and all(about["core"].values())
