"""The screenshots show the last screen of a command, as a terminal would, and load nothing."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.docs.examples import ROOT

pytest.importorskip("pty", reason="screenshots are made on a Unix terminal")


@pytest.fixture(scope="module")
def screenshots() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_screenshots", ROOT / "docs" / "screenshots.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_a_bar_that_is_drawn_again_is_shown_once(screenshots: ModuleType) -> None:
    screen = screenshots.Screen()
    screen.feed("\x1b[?25lbar 1\n  cell 1\r\x1b[2K\x1b[1A\x1b[2Kbar 2\n")
    screen.feed("  cell 2")
    assert screen.text == "bar 2\n  cell 2"
    screen.feed("\r\x1b[2K\x1b[1A\x1b[2Kdone\r\n\x1b[32mtable\x1b[0m\r\n")
    assert screen.text == "done\n\x1b[32mtable\x1b[0m"


def test_a_command_is_run_on_a_terminal_of_the_drawn_width(screenshots: ModuleType, tmp_path: Path) -> None:
    code = "import os, sys; print(sys.stdout.isatty(), os.get_terminal_size().columns)"
    said = screenshots.screen_of("any", [sys.executable, "-c", code], tmp_path, {"COLUMNS": str(screenshots.WIDTH)})
    assert said == f"True {screenshots.WIDTH}"


def test_a_drawing_holds_the_text_and_nothing_from_elsewhere(
    screenshots: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screenshots, "IMAGES", tmp_path)
    drawn = screenshots.draw("vote", "moco ask", "\x1b[32mgreen\x1b[0m <b>&amp;").read_text(encoding="utf-8")
    assert "green" in drawn and "moco&#160;ask" in drawn and "<b>" not in drawn
    assert drawn.count("http") == drawn.count('xmlns="http://www.w3.org/2000/svg"') == 1
