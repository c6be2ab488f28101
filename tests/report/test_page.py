"""The page: well-formed, self-contained, deterministic, and deaf to what models wrote. What it states is in results.json."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from moco.report.html import render_report
from moco.study import RunData
from tests.report.synthetic import HOSTILE, METHODS, build, island

VOID = {"meta", "link", "br", "input", "img", "hr"}


class Reader(HTMLParser):
    """Checks that every tag is closed in order; collects tags, ids, addresses and the text outside scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.ids += [v for k, v in attrs if k == "id" and v]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text += data


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


def test_the_html_is_well_formed_with_unique_ids(page: str) -> None:
    reader = read(page)
    assert reader.faults == [] and reader.open == []
    assert len(reader.ids) == len(set(reader.ids))


def test_the_policy_allows_this_style_and_this_script_and_nothing_else(page: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    said = policy.group(1).replace("&#39;", "'")
    style, script = re.search(r"<style>(.*?)</style>", page, re.S), re.search(r"<script>(.*?)</script>", page, re.S)
    assert style is not None and script is not None
    for name, found in (("style-src", style.group(1)), ("script-src", script.group(1))):
        digest = base64.b64encode(hashlib.sha256(found.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}';" in said
    assert said.startswith("default-src 'none'") and "unsafe" not in said and "require-trusted-types-for 'script'" in said


def test_nothing_is_loaded_and_no_style_or_handler_is_inline(page: str) -> None:
    reader = read(page)
    for tag, attributes in reader.tags:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "form")
        assert not any(name.startswith("on") or name in ("style", "src", "srcdoc") for name in attributes), (tag, attributes)
        assert (attributes.get("href") or "#").startswith("#")
    style = re.search(r"<style>(.*?)</style>", page, re.S)
    assert style is not None and "url(" not in style.group(1) and "@import" not in style.group(1)
    script = re.search(r"<script>(.*?)</script>", page, re.S)
    assert script is not None
    for word in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "fetch(", "XMLHttp", "import("):
        assert word not in script.group(1)
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", style.group(1) + script.group(1) + reader.text) == []


def test_what_models_wrote_is_text_in_the_island_and_markup_nowhere(page: str) -> None:
    reader = read(page)
    assert [a.get("type") for tag, a in reader.tags if tag == "script"] == ["application/json", None]
    raw = page[page.index('id="data">') + len('id="data">') : page.index("</script>", page.index('id="data">'))]
    assert not set(raw) & set("<>&") and "\x1b" not in page and "\u202e" not in page and "\u2066" not in page
    strings = island(page)["strings"]
    assert HOSTILE[0] in strings and HOSTILE[1] in strings and "red  bell" in strings
    assert "synthetic &lt;study&gt;" in page and "{{ 7 * 7 }}" in " ".join(strings)


def test_the_same_results_give_the_same_bytes_wherever_they_lie(run: RunData, page: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "copy"
    shutil.copytree(run.path, elsewhere)
    (elsewhere / "timing.json").write_text('{"cells": {"x": 1}, "runs": []}', encoding="utf-8")
    assert render_report(RunData(elsewhere)) == page
    assert str(run.path) not in page


def test_every_row_is_stated_with_n_interval_rates_and_tokens(run: RunData, page: str) -> None:
    table = page[page.index('<table class="board"') :]
    for row in run.results["leaderboard"]:
        found = re.search(
            rf'<tr role="row" class="{row["role"]}">\n<th[^>]*>(?:(?!</tr>).)*>{re.escape(row["label"])}</a>.*?</tr>', table, re.S
        )
        assert found is not None, row["label"]
        said = re.sub(r"<[^>]+>", " ", found.group(0))
        for part in (
            f"{row['mean']:.3f}",
            f"[{row['low']:.3f}, {row['high']:.3f}]",
            str(row["n"]),
            f"{100 * row['unparsed']:.1f} %",
        ):
            assert part in said, (row["label"], part)


def test_every_comparison_is_stated_with_its_adjusted_p_and_n(run: RunData, page: str) -> None:
    tests = page[page.index('<section id="tests"') : page.index('<section id="cells"')]
    assert tests.count("<tr><th") == len(run.results["comparisons"]) + 3  # one head per family
    for c in run.results["comparisons"]:
        assert f"{c['wins']} / {c['losses']} / {c['ties']}" in tests
    assert "Against best single on dev" in tests and "Against self-consistency at equal tokens" in tests


def test_incomplete_runs_warn(page: str) -> None:
    assert "incomplete: 4 items failed" in read(page).text  # one per cascade cell: 2 tasks, 2 seeds


def test_every_link_leads_to_a_section_or_a_cell(run: RunData, page: str) -> None:
    reader = read(page)
    cells = {c["id"] for c in run.results["cells"]}
    for _, attributes in reader.tags:
        href = attributes.get("href") or ""
        if href.startswith("#/"):
            assert href[2:].split("/")[0] in cells
        elif href:
            assert href[1:] in reader.ids, href


@pytest.mark.parametrize("methods", [("single",), ("majority_vote",), tuple(METHODS)])
def test_small_and_lopsided_runs_have_a_page_too(tmp_path: Path, methods: tuple[str, ...]) -> None:
    page = render_report(build(tmp_path, tasks=1, seeds=(7,), items=3, methods=methods, fail=False))
    assert read(page).faults == []
    assert ("best collaboration" in page) == (methods != ("single",))


def test_a_run_without_baselines_and_without_answers_has_a_page(tmp_path: Path) -> None:
    run = build(tmp_path, tasks=2, seeds=(0,), items=2, methods=("majority_vote",))
    run.results["cells"] = [c for c in run.results["cells"] if c["role"] == "method"]
    run.results["leaderboard"] = [
        {**r, "mean": None, "low": None, "high": None, "seeds_sd": None, "n": 0, "failed": 4}
        for r in run.results["leaderboard"]
        if r["role"] == "method"
    ]
    run.results |= {"comparisons": [], "best_on_dev": {}, "share_won": None}
    page = render_report(run)
    assert read(page).faults == [] and "Nothing to compare" in page and "best single on dev 0" not in page
