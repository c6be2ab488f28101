"""The page of the Python API names everything that is public, and nothing that is not."""

from __future__ import annotations

import re

import moco
from tests.docs.examples import ROOT


def test_the_table_of_names_is_what_is_public() -> None:
    table = (ROOT / "docs" / "python.md").read_text(encoding="utf-8").split("## Names")[1]
    first = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`(\w+)`", "".join(first))) == sorted(set(moco.__all__) - {"__version__"})
