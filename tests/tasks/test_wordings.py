"""Replies in many wordings, each with what a careful reader takes from it: few may be read wrong, few not at all.

The files in ``wordings/``, one for each kind and set: ``@@@`` opens an item (options or labels between bars; for short text the
aliases; ``seq`` for a sequence), ``<<<`` a reply with what it says: the answer, ``-`` where it gives none, and for short text its
score, 1 or 0. Every set was written, and measured once, before the graders had been mended for it (docs/graders.md has the
figures); then it became a regression test.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from moco.core.types import AnswerSpec
from moco.tasks.graders import grade, multiple_choice

FOLDER = Path(__file__).parent / "wordings"
KINDS = {"choice": "multiple_choice", "label": "label", "numeric": "numeric", "math": "math", "short": "short_text"}
WRONG, LOST = 0.01, 0.02
"""The largest shares of a kind's replies that may be read wrong, and not read though they give an answer."""


@dataclass(frozen=True)
class Wording:
    spec: AnswerSpec
    aliases: tuple[str, ...]
    says: str
    reply: str

    def verdict(self) -> str:
        """right, lost (there is an answer, none was read) or wrong (another answer was read)."""
        gold: str | list[str] = list(self.aliases) or self.says.split(",") if self.spec.kind != "math" else self.says
        got = grade(self.spec.kind, self.reply, gold, self.spec)
        if self.aliases:
            return "right" if got.score == float(self.says) else "lost" if self.says == "1" else "wrong"
        if self.says == "-":
            return "wrong" if got.parsed else "right"
        return "right" if got.score == 1 else "wrong" if got.parsed else "lost"


def wordings(kind: str) -> list[Wording]:
    every = []
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob(f"{kind}_*.txt")))
    for item in text.split("@@@")[1:]:
        head, *replies = item.split("\n<<< ")
        parts = tuple(part.strip() for part in head.split("|") if part.strip())
        if kind == "choice":
            pairs = [part.partition(" ") for part in parts]
            spec = AnswerSpec("multiple_choice", tuple(p[0] for p in pairs), tuple(p[2] for p in pairs))
        else:
            spec = AnswerSpec(KINDS[kind], parts if kind == "label" and parts != ("seq",) else ())
        for reply in replies:
            says, _, said = reply.partition("\n")
            every.append(Wording(spec, parts if kind == "short" else (), says.strip(), said.strip("\n")))
    return every


@pytest.mark.parametrize("kind", KINDS)
def test_few_are_read_wrong_and_few_are_lost(kind: str) -> None:
    some = wordings(kind)
    assert len(some) >= 400 and sum(one.says in ("-", "0") for one in some) >= 10
    verdicts = {one: one.verdict() for one in some}
    counts = Counter(verdicts.values())
    assert counts["wrong"] <= WRONG * len(some), [one.reply for one, verdict in verdicts.items() if verdict == "wrong"]
    assert counts["lost"] <= LOST * len(some), [one.reply for one, verdict in verdicts.items() if verdict == "lost"]


@pytest.mark.parametrize("kind", ["choice", "label"])
def test_another_label_is_wrong(kind: str) -> None:
    for one in wordings(kind):
        given = one.says.split(",")
        for other in (label.strip("()") for label in one.spec.labels):
            if one.verdict() == "right" and other not in given:
                assert grade(one.spec.kind, one.reply, other, one.spec).score == 0, one.reply


@pytest.mark.parametrize("kind", ["numeric", "math"])
def test_another_sign_is_wrong(kind: str) -> None:
    for one in wordings(kind):
        if re.fullmatch(r"-?[1-9][\d.]*", one.says):
            flipped = one.says[1:] if one.says[0] == "-" else f"-{one.says}"
            assert grade(one.spec.kind, one.reply, flipped, one.spec).score == 0, one.reply


def test_a_reply_that_was_cut_off_seldom_commits_to_another_option() -> None:
    """Every beginning of every longer reply: what it seems to choose is seldom anything but what the whole reply chooses."""
    read = Counter[bool]()
    cut = 0
    for one in wordings("choice"):
        ends = [m.end() for m in re.finditer(r"\S+", one.reply)]
        for end in ends[3:-1] if len(ends) >= 10 else ():
            cut += 1
            key = multiple_choice.find(one.reply[:end], one.spec).key
            if key is not None:
                read[key == one.says] += 1
    assert cut >= 2000
    assert read[False] <= 0.08 * cut and read[True] >= 2 * read[False], (cut, read)
