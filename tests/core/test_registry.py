"""Plugins: the package's own first, names that clash or differ refused, one that is broken hides no other."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from moco.core.errors import ConfigError
from moco.core.registry import Registry, load_file


class Thing:
    """Something with a name of its own."""

    def __init__(self, name: str) -> None:
        self.name = name


def install(folder: Path, distribution: str, points: dict[str, str], **modules: str) -> None:
    """A distribution as an installer would leave it."""
    info = folder / f"{distribution}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[moco.test_things]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()))
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]
    importlib.invalidate_caches()


def things(**builtin: str) -> Registry[Thing]:
    return Registry("thing", "moco.test_things", builtin, named=lambda thing: getattr(thing, "name", ""))


MADE = "from tests.core.test_registry import Thing\nA = Thing('a')\nB = Thing('b')\n"


def test_a_plugin_is_found_by_its_name(installed: Path) -> None:
    install(installed, "good", {"a": "good_things:A", "b": "good_things:B"}, good_things=MADE)
    assert things().names() == ["a", "b"] and things().get("b").name == "b"


def test_two_distributions_with_one_name_are_both_named(installed: Path) -> None:
    install(installed, "good", {"a": "good_things:A", "b": "good_things:B"}, good_things=MADE)
    install(installed, "rival", {"a": "rival_things:A"}, rival_things=MADE)
    found = things()
    with pytest.raises(ConfigError, match="two things are called 'a'") as caught:
        found.get("a")
    for told in ("good (good_things:A)", "rival (rival_things:A)"):
        assert told in caught.value.where
    assert found.get("b").name == "b", "the others are not its business"
    whole, broken = found.whole()
    assert list(whole) == ["b"] and len(broken) == 1


def test_a_plugin_never_replaces_what_the_package_has(installed: Path) -> None:
    install(installed, "own", {"a": "moco.core.seeds:digest"})
    install(installed, "aaa", {"a": "rival_things:A"}, rival_things=MADE)
    with pytest.raises(ConfigError, match="uninstall that") as caught:
        things().get("a")
    assert caught.value.where == "own (moco.core.seeds:digest) and aaa (rival_things:A)"
    assert caught.value.remedy.startswith("rename the one of aaa")


def test_what_is_installed_twice_is_one_thing(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(installed, "good", {"a": "good_things:A"}, good_things=MADE)
    install(installed / "again", "good", {"a": "good_things:A"})
    monkeypatch.syspath_prepend(installed / "again")
    assert things().get("a").name == "a"


@pytest.mark.parametrize(
    "points, what, remedy",
    [
        ({"c": "good_things:A"}, "is registered as 'a'", 'give both one name: "a" = "good_things:A"'),
        ({"c": "good_things:Thing"}, "that is no thing", "module:Name"),
        ({"c": "bad_things:A"}, "ZeroDivisionError", "repair or uninstall odd"),
        ({"c": "not_there:A"}, "No module named 'not_there'", "repair or uninstall odd"),
        ({"c": "good_things:Z"}, "has no attribute 'Z'", "repair or uninstall odd"),
        ({"c": "ending_things:A"}, "SystemExit", "repair or uninstall odd"),
    ],
)
def test_a_broken_plugin_is_named_and_hides_no_other(points: dict[str, str], what: str, remedy: str, installed: Path) -> None:
    install(installed, "good", {"a": "good_things:A"}, good_things=MADE)
    install(installed, "odd", points, bad_things="1 / 0\n", ending_things="raise SystemExit('bye')\n")
    found = things()
    assert found.names() == ["a", "c"]
    with pytest.raises(ConfigError, match=what) as caught:
        found.get("c")
    assert f'odd, entry point moco.test_things: "c" = "{points["c"]}"' in caught.value.where
    assert remedy in caught.value.remedy
    whole, broken = found.whole()
    assert list(whole) == ["a"] and [what in str(error) for error in broken] == [True]


def test_what_a_user_registers_does_not_take_a_name_that_is_installed() -> None:
    found = things(taken="moco.core.seeds:digest")
    with pytest.raises(ConfigError, match=r"two things are called 'taken'.*rename yours"):
        found.add("taken", Thing)  # type: ignore[arg-type]
    assert callable(found.get("taken"))


def test_modules_beside_a_file_may_be_imported_and_hide_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "beside_of_the_tests.py").write_text("WORD = 'beside'\n")
    (tmp_path / "pytest.py").write_text("raise RuntimeError\n")
    (tmp_path / "main.py").write_text("from beside_of_the_tests import WORD\n")
    assert load_file(f"{tmp_path}/main.py:WORD") == "beside"
    assert sys.path[-1] == str(tmp_path)
    del sys.modules["beside_of_the_tests"]
