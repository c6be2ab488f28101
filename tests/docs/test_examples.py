"""Every Python, shell and YAML example of the README and the documentation is executed, or says why it is not."""

from __future__ import annotations

import runpy
import shlex
from pathlib import Path

import pytest

from moco.cli import main
from moco.study import Study
from tests.docs.examples import Block, blocks, pages

EXECUTED = {"python", "sh", "yaml", "json", "csv"}
EVERY = [block for page in pages() for block in blocks(page)]
SKIPPED = [block for block in EVERY if "skip" in block.marks]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_the_examples_of_a_page_run(page: Path, example_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = ""
    for block in blocks(page):
        if "skip" in block.marks:
            continue
        if "file" in block.marks:
            (example_folder / block.marks["file"]).write_text(block.shrunk, encoding="utf-8")
        if "output" in block.marks:
            assert squeezed(block.text) == squeezed(printed), block.name
        elif block.language == "python" and "file" not in block.marks:  # a file is executed by what names it below
            file = example_folder / f"example_{block.number}.py"
            file.write_text(block.shrunk, encoding="utf-8")
            runpy.run_path(str(file), run_name=file.stem)
        elif block.language == "sh":
            capsys.readouterr()
            shell(block)
            said = capsys.readouterr()
            printed = said.out + said.err
        elif block.language == "yaml":
            assert Study.from_yaml(block.shrunk).check().cells, block.name
        else:
            assert block.language not in EXECUTED or "file" in block.marks, f"{block.name} is not executed; mark it"


def shell(block: Block) -> None:
    """Run every line; each is a moco command, with a comment behind it at most."""
    assert "run" in block.marks, f"{block.name} is not executed; mark it with run, or with skip and a reason"
    for line in block.shrunk.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            assert words[0] == "moco", f"{block.name}: only moco commands can run here, not {words[0]}"
            assert main(words[1:]) == int(block.marks.get("exit", 0)), f"{block.name}: {line}"


def squeezed(text: str) -> list[str]:
    """Lines without the spaces that a terminal's width decides."""
    return [" ".join(line.split()) for line in text.strip().splitlines()]


@pytest.mark.parametrize("block", SKIPPED, ids=lambda block: block.name)
def test_what_is_not_executed_says_why(block: Block) -> None:
    reason = block.marks["skip"]
    assert len(reason) > 10, block.name
    pytest.skip(f"not executed: {reason}")
