"""The page on writing a task shows what ``moco new task`` writes, to the letter."""

from __future__ import annotations

from pathlib import Path

from moco.cli.new_task import task_files
from tests.docs.examples import ROOT, blocks

PAGE = ROOT / "docs" / "own-task.md"


def test_the_page_shows_the_skeleton_and_its_test() -> None:
    shown = {b.marks["skeleton"]: b.text for b in blocks(PAGE) if "skeleton" in b.marks}
    assert len(shown) == 2
    written = task_files("rivers", Path("mine"))
    assert {name: written[name] for name in shown} == shown
    [data] = [b.text.splitlines() for b in blocks(PAGE) if b.marks.get("file") == "rivers.jsonl"]
    lines = written["rivers.jsonl"].splitlines()
    assert data == [lines[0], lines[-1]]
