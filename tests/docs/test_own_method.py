"""The page on writing a method shows what ``moco new method`` writes, to the letter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from moco.cli.new import skeleton
from tests.docs.examples import ROOT, blocks
from tests.docs.test_pages import generate

__all__ = ["generate"]
PAGE = ROOT / "docs" / "own-method.md"


def test_the_page_shows_the_skeleton_and_its_test(generate: object) -> None:
    shown = {b.marks["skeleton"]: b.text for b in blocks(PAGE) if "skeleton" in b.marks}
    assert (shown["method"], shown["test"]) == skeleton("second_look", Path("mine"))
    assert PAGE.read_text(encoding="utf-8") == generate.own_method_page(), f"write it again: {generate.COMMAND}"  # type: ignore[attr-defined]


def test_a_skeleton_passes_its_test_and_the_linter(tmp_path: Path) -> None:
    for file, text in zip(("a1_b2.py", "test_a1_b2.py"), skeleton("a1_b2", tmp_path), strict=True):
        (tmp_path / file).write_text(text, encoding="utf-8")
    for tool in (
        ["pytest", "-q", "-p", "no:cacheprovider", "test_a1_b2.py"],
        ["ruff", "check", "--isolated", "--line-length=130"],
    ):
        done = subprocess.run([sys.executable, "-m", *tool], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
