"""The fenced blocks of a Markdown page, and what the comment above each one says a test shall do with it.

A block is executed by its language alone: Python runs, YAML must be a valid study. A comment right above it says the rest:

``<!-- docs: run -->``, ``run exit=2``      shell lines that begin with ``moco`` are executed
``<!-- docs: file=study.yaml -->``          the block is a file of the examples below it
``<!-- docs: output -->``                   what the last command printed, to the letter except for spaces
``<!-- docs: skip="why" -->``               not executed, for a stated reason
``small="long=>short"``                     a change that makes an example fast in the test; may be repeated
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
GENERATED = ("cli.md", "methods.md", "study-file.md", "tasks.md")
"""Pages without examples of their own; their freshness is tested instead."""
BLOCK = re.compile(r"(?:^<!-- docs: (?P<marks>.*?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block; ``marks`` are the words of the comment above it, values by name ("" where there is none)."""

    page: str
    number: int
    language: str
    text: str
    marks: dict[str, str]
    small: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        return f"{self.page}-{self.number}-{self.language or 'plain'}"

    @property
    def shrunk(self) -> str:
        """The text as a test runs it; a change that changes nothing is out of date."""
        text = self.text
        for long, short in self.small:
            assert long in text, f"{self.name}: there is no {long!r} to make smaller"
            text = text.replace(long, short)
        return text


def pages() -> list[Path]:
    """The README and every page written by hand."""
    return [ROOT / "README.md", *sorted(p for p in (ROOT / "docs").glob("*.md") if p.name not in GENERATED)]


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of ``page``, in order."""
    found = []
    for number, match in enumerate(BLOCK.finditer(page.read_text(encoding="utf-8")), 1):
        words = [word.partition("=") for word in shlex.split(match["marks"] or "")]
        small = [value.partition("=>") for key, _, value in words if key == "small"]
        marks = {key: value for key, _, value in words if key != "small"}
        shorter = tuple((long, short) for long, _, short in small)
        found.append(Block(page.name, number, match["language"], match["text"], marks, shorter))
    return found
