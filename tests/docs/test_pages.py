"""Generated pages are up to date, named files and kinds exist, and the site builds strictly without the network."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from moco.core.answering import KINDS
from tests.docs.examples import GENERATED, ROOT, pages

DOCS = ROOT / "docs"
REMOTE = re.compile(r"""<(?:script|img|link|iframe|source|object|image|use)\b[^>]*?(?:src|href|data)=["']?(?:https?:)?//[^>]*>""")
"""A tag that makes a browser load something from elsewhere (a plain link does not)."""


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", GENERATED)
def test_generated_pages_are_up_to_date(name: str, generate: ModuleType) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == generate.pages()[DOCS / name], f"write it again: {generate.COMMAND}"


def test_every_method_of_the_page_has_its_section(generate: ModuleType) -> None:
    page = generate.methods_page()
    rows = re.findall(r"^\| \[(\w+)\]\(#(\w+)\)", page, re.MULTILINE)
    assert rows and all(f"{{#{anchor}}}" in page and name == anchor for name, anchor in rows)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_named_files_exist(page: Path) -> None:
    for path in re.findall(r"`((?:tests|src|docs|benchmarks)/[\w/.-]+)`", page.read_text(encoding="utf-8")):
        assert (ROOT / path).exists(), f"{page.name} names {path}"


def test_images_of_the_readme_exist_and_load_nothing() -> None:
    images = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert images
    for image in images:
        assert (ROOT / image).stat().st_size > 1000, image
    for image in (i for i in images if i.endswith(".svg")):
        drawn = (ROOT / image).read_text(encoding="utf-8")
        assert not re.search(r"url\(\s*[\"']?(?:https?:)?//|@import|@font-face|<image|<script", drawn), image
        assert not REMOTE.search(drawn), image


def test_the_kinds_of_the_page_are_the_kinds_there_are() -> None:
    section = (DOCS / "own-data.md").read_text(encoding="utf-8").split("\n## Kinds\n")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(KINDS.names())


def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("material", reason='the documentation needs pip install "mocolab[docs]"')
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(tmp_path / "site")],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    built = list((tmp_path / "site").rglob("*.html"))
    assert {p.name for p in built} >= {"index.html", "first-study.html", "own-data.html", "own-method.html", "concepts.html"}
    for file in (*built, *(tmp_path / "site").rglob("*.css"), *(tmp_path / "site").rglob("*.svg")):
        text = file.read_text(encoding="utf-8")
        assert not [tag for tag in REMOTE.findall(text) if 'rel="canonical"' not in tag], file.name
        assert not re.search(r"url\(\s*[\"']?(?:https?:)?//", text), file.name
        assert 'class="mermaid"' not in text, f"{file.name}: the theme would fetch mermaid"
