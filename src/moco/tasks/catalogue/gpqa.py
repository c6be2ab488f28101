"""GPQA: graduate-level science, three nested sets (diamond in main in extended). Gated; none of it is in this package."""

from __future__ import annotations

from typing import Any

from moco.tasks.catalogue.entry import Entry, Example, Hub, LeaveOut, Native, Table
from moco.tasks.catalogue.making import Made, sha_mod, shuffled
from moco.tasks.catalogue.released_rows import by_fields

GATE = "accept the terms at https://huggingface.co/datasets/Idavidrein/gpqa (they forbid publishing items as plain text)"


def rows(row: Native) -> list[dict[str, Any]]:
    """The right answer has its own column: the order of the options is fixed by the record's id."""
    data = row.data
    key = str(data["Record ID"])
    wrong = [data[f"Incorrect Answer {i}"] for i in (1, 2, 3)]
    texts = [None if one is None else " ".join(str(one).split()) for one in (data["Correct Answer"], *wrong)]
    meta = {
        name: data[column] for name, column in (("subdomain", "Subdomain"), ("domain", "High-level domain")) if data.get(column)
    }
    if data.get("Canary String"):
        meta["canary"] = data["Canary String"]
    made = shuffled(texts, 0, f"gpqa/{key}", **meta)
    return [{"id": key, "own_split": "train", "question": str(data["Question"]).strip(), **made}]


def nested(size: str) -> Any:
    """The rule for sides: dev is half (by hash) of what is in extended and not in main, for all three sets alike.

    Without the extended and the main file that part is unknown; then dev is carved by the hash of the record's id, which
    is the same for a question in all three sets.
    """

    def arrange(made: list[Made]) -> str:
        by_set = {name: {m.key for m in made if m.part.endswith(name)} for name in ("extended", "main", "diamond")}
        mine = by_set[size]
        spare = by_set["extended"] - by_set["main"] if by_set["extended"] and by_set["main"] else set()
        seen: set[str] = set()
        for one in made:
            low = sha_mod(f"gpqa/{one.key}")
            to_dev = one.key in spare and low < 50 if spare else one.key in mine and low < 20
            if one.key in seen or not (to_dev or one.key in mine):
                one.side = "unused"
            else:
                one.side = "dev" if to_dev else "test"
            seen.add(one.key)
        if spare:
            return "dev is half, by hash, of the questions in extended and not in main"
        return "extended and main are not both here: dev is where sha256(gpqa/id) mod 100 < 20, alike in all three sets"

    return arrange


def _released(row: Native) -> list[dict[str, Any]]:
    if row.data.get("question") is None:
        raise LeaveOut("it has no question")
    return [by_fields(row, "multiple_choice")]


def _entry(size: str, count: int) -> Entry:
    sets = {"diamond": ("diamond", "main", "extended"), "main": ("main", "extended"), "extended": ("extended", "main")}[size]
    return Entry(
        name=f"gpqa_{size}",
        kind="multiple_choice",
        metric="accuracy",
        measures=f"biology, physics and chemistry that experts of another field cannot look up ({size}: {count} questions)",
        licence="CC BY 4.0 (confirm at the source); gated",
        paper="arXiv:2311.12022",
        convert=rows,
        hub=Hub("Idavidrein/gpqa", gated=GATE),
        original="the gated repository on the hub, or the password-protected archive of github.com/idavidrein/gpqa",
        folder="gpqa",
        tables=tuple(Table("train", "", (f"gpqa_{name}*.csv",), (f"gpqa_{name}",)) for name in sets),
        arrange=nested(size),
        macro="domain",
        released=_released,
        notes=(
            "dev comes from extended without main, where both files are given: the sets are nested, so that no dev question is "
            "in any of the three tests",
        ),
        examples=(
            Example(
                Native(
                    {
                        "Question": "Which made-up particle is heaviest?\n",
                        "Correct Answer": "the bosh\n",
                        "Incorrect Answer 1": "the flim",
                        "Incorrect Answer 2": "the flam",
                        "Incorrect Answer 3": "the tosh",
                        "Record ID": "recMADEUP7",
                        "High-level domain": "Physics",
                        "Canary String": "(made-up item)",
                    },
                    0,
                    f"gpqa_{size}",
                ),
                {
                    "id": 7,
                    "question": "Which made-up particle is heaviest?",
                    "choices": {"A": "the flim", "B": "the bosh", "C": "the flam", "D": "the tosh"},
                    "answer": "B",
                },
            ),
        ),
    )


DIAMOND, MAIN, EXTENDED = _entry("diamond", 198), _entry("main", 448), _entry("extended", 546)
