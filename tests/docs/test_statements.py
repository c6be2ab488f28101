"""What the pages state is so: numbers of things are counted, words for figures are checked, unrun studies are read."""

from __future__ import annotations

import re

import pytest

from moco.study.config import load_study
from moco.study.outcomes import Outcome
from moco.study.summary import summarise
from moco.tasks import TASKS
from moco.tasks.catalogue import Entry
from tests.docs.examples import ROOT, Block, blocks, pages


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md"])
def test_the_catalogue_has_as_many_data_sets_as_is_said(page: str) -> None:
    (said,) = re.findall(r"catalogue: (\d+) data sets", (ROOT / page).read_text(encoding="utf-8"))
    assert int(said) == sum(isinstance(TASKS.get(name), Entry) for name in TASKS.names())


@pytest.mark.parametrize(("page", "row"), [("concepts.md", "unparsed, truncated"), ("first-study.md", "truncated %")])
def test_cut_answers_are_said_to_count_as_the_graders_count_them(page: str, row: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    (said,) = re.findall(rf"^\| {re.escape(row)} \|(.+)\|$", text, re.MULTILINE)
    cut = Outcome("q", "The answer is 5. To check,", "5", 1.0, finish="length")
    assert (summarise([cut]).mean, summarise([cut]).truncated) == (1.0, 1.0)
    assert "scored as they stand" in said


UNRUN = [b for page in pages() for b in blocks(page) if b.language == "yaml" and "skip" in b.marks and b.text.startswith("pool:")]


@pytest.mark.parametrize("block", UNRUN, ids=lambda block: block.name)
def test_studies_that_cannot_run_here_are_still_well_formed(block: Block) -> None:
    assert load_study(block.text).methods
