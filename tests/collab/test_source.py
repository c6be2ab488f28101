"""Other code is another collaboration: the file, what it imports of the user's, its bases; and a class without a file."""

from __future__ import annotations

import importlib
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from moco.collab import load_method
from moco.collab.source import source_hash
from moco.core.errors import ConfigError

ROOT = Path(__file__).parents[2]
METHOD = """import moco
{imports}

@moco.register("traced_of_the_tests", level="text")
class Traced({base}):
    async def answer(self, query, pool):
        {inside}
        return moco.Answer("x")
"""


@pytest.fixture(autouse=True)
def own_modules(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Modules and folders that a test loads are gone after it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def hashed(file: Path) -> str:
    """The hash as a fresh process would find it."""
    for name in [n for n, m in sys.modules.items() if str(getattr(m, "__file__", None)).startswith(str(file.parent))]:
        del sys.modules[name]
    importlib.invalidate_caches()
    return source_hash(type(load_method(f"{file}:Traced")))


def write(folder: Path, **changes: str) -> Path:
    file = folder / "traced.py"
    file.write_text(METHOD.format(**{"imports": "", "base": "moco.Method", "inside": "pass", **changes}))
    return file


@pytest.mark.parametrize(
    "changes",
    [
        {"imports": "from mine_helper import WORD"},
        {"imports": "import mine_helper as h"},
        {"inside": "from mine_helper import WORD"},
        {"imports": "from mine_between import WORD"},
        {"imports": "from mine_package.deep.part import WORD"},
        {"imports": "from mine_package import deep"},
        {"imports": "from mine_base import Base", "base": "Base"},
    ],
)
def test_an_edit_of_what_a_file_imports_is_other_code(changes: dict[str, str], tmp_path: Path) -> None:
    deep = tmp_path / "mine_package" / "deep"
    deep.mkdir(parents=True)
    (tmp_path / "mine_package" / "__init__.py").write_text("")
    (deep / "__init__.py").write_text("from .part import WORD\n")
    (tmp_path / "mine_between.py").write_text("from mine_helper import WORD\n")
    (tmp_path / "mine_unused.py").write_text("WORD = 1\n")
    base = "import moco\nclass Base(moco.Method):\n    word = 'one'\n"
    for file, text in ((tmp_path / "mine_helper.py", "WORD = 'one'\n"), (deep / "part.py", "WORD = 'one'\n")):
        file.write_text(text)
    (tmp_path / "mine_base.py").write_text(base)
    method = write(tmp_path, **changes)
    first = hashed(method)
    assert hashed(method) == first
    (tmp_path / "mine_unused.py").write_text("WORD = 2\n")
    assert hashed(method) == first, "what it does not import is another matter"
    for file in (tmp_path / "mine_helper.py", deep / "part.py", tmp_path / "mine_base.py"):
        file.write_text(file.read_text().replace("one", "two"))
    assert hashed(method) != first


def test_what_is_installed_and_what_moco_is_are_not_hashed_file_by_file(tmp_path: Path) -> None:
    plain = write(tmp_path, imports="import json, numpy\nfrom moco.discussion import plurality")
    from moco.collab import source

    assert source.imported("numpy", "moco_file_1") == source.imported("json", "x") == source.imported("moco.core", "x") == {}
    assert hashed(plain) == hashed(plain)


def test_modules_of_an_installed_package_are_the_code_of_its_own_methods(tmp_path: Path) -> None:
    place = tmp_path / "site-packages" / "mine_plugin"
    place.mkdir(parents=True)
    (place / "__init__.py").write_text("")
    (place / "words.py").write_text("WORD = 'one'\n")
    (place / "method.py").write_text(METHOD.format(imports="from .words import WORD", base="moco.Method", inside="pass"))
    sys.path.append(str(place.parent))

    def found() -> str:
        for name in [n for n in sys.modules if n.startswith("mine_plugin")]:
            del sys.modules[name]
        return source_hash(importlib.import_module("mine_plugin.method").Traced)

    first = found()
    (place / "words.py").write_text("WORD = 'two'\n")
    assert found() != first
    from moco.collab.source import imported

    assert imported("mine_plugin.words", "moco_file_1") == {}, "for others it is an installed package"


def test_a_file_that_is_edited_while_its_old_code_runs_changes_nothing(tmp_path: Path) -> None:
    file = write(tmp_path)
    cls = type(load_method(f"{file}:Traced"))
    first = source_hash(cls)
    write(tmp_path, inside="return None")
    assert source_hash(cls) == first


def test_two_helpers_of_one_name_are_not_taken_for_each_other(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for number, folder in enumerate(folders):
        folder.mkdir()
        (folder / "mine_helper.py").write_text("WORD = 1\n")
        name = f"m{number}_of_the_tests"
        write(folder, imports="import mine_helper").write_text(
            (folder / "traced.py").read_text().replace("traced_of_the_tests", name)
        )
    load_method(f"{folders[0]}/traced.py:Traced")
    with pytest.raises(ConfigError, match="give the file beside it a name of its own") as caught:
        load_method(f"{folders[1]}/traced.py:Traced")
    assert caught.value.where == f"{folders[1]}/traced.py:2"


CELL = """
import moco
WORD = {word!r}
ASKED = {{"b", "a", "c"}}

def said(text):
    return text + WORD if text in ASKED else text

@moco.register("cell_of_the_tests", level="text")
class Cell(moco.Method):
    prompt = {prompt!r}
    async def answer(self, query, pool):
        return moco.Answer((lambda: said({text!r}))())
"""
SCRIPT = """
import sys
from moco.collab.source import source_hash
exec(compile(sys.argv[1], sys.argv[2], "exec"))
print(source_hash(Cell))
"""


def cell(word: str = "w", prompt: str = "p", text: str = "t", comment: str = "", session: int = 0) -> str:
    """The hash of a cell's class, in a session of its own."""
    code, name = CELL.format(word=word, prompt=prompt, text=text) + comment, f"<ipython-input-{session}-abc>"
    made = subprocess.run([sys.executable, "-c", SCRIPT, code, name], capture_output=True, text=True, check=True, cwd=ROOT)
    return made.stdout.strip()


def test_a_method_of_a_session_is_known_by_what_it_does() -> None:
    first = cell()
    assert cell(comment="# the same\n", session=7) == first, "in another session, whatever the order of sets"
    assert len({first, cell(word="v"), cell(prompt="q"), cell(text="u")}) == 4


def test_a_cell_that_is_executed_again_and_what_it_mentions() -> None:
    session = types.ModuleType("a_session_of_the_tests")
    sys.modules[session.__name__] = session

    def execute(code: str) -> str:
        exec(compile(code, "<cell>", "exec"), session.__dict__)
        return source_hash(session.Cell)  # type: ignore[attr-defined]

    first = execute(CELL.format(word="w", prompt="p", text="t"))
    assert execute(CELL.format(word="w", prompt="p", text="t")) == first
    assert execute(CELL.format(word="w", prompt="p", text="u")) != first
    again = execute(CELL.format(word="w", prompt="p", text="t"))
    assert again == first
    assert execute("def said(text):\n    return text.upper()\n") != first, "another cell changed what the class calls"
