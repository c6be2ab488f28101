"""One synthetic run, its page, and a headless Chromium where there is one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moco.report.html import render_report, write_report
from moco.study import RunData
from tests.report.synthetic import build

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    return build(tmp_path_factory.mktemp("synthetic"), tasks=2, seeds=(0, 1), items=16)


@pytest.fixture(scope="session")
def page(run: RunData) -> str:
    return render_report(run)


@pytest.fixture(scope="session")
def report_file(run: RunData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(run, tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium: Playwright's own, or one on the PATH.

    It ends with the module: while it lives its event loop runs in this thread, and no other test could start one.
    """
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
        found = str(own) if own.exists() else next(filter(None, map(shutil.which, CHROMIUM)), None)
        if found is None:
            pytest.skip("there is no Chromium: run `playwright install chromium`, or put one on the PATH")
        launched = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield launched
        launched.close()
