"""AGIEval: human examinations; options carry their letter as a prefix, and not always in order."""

from __future__ import annotations

import re
from typing import Any

from moco.tasks.catalogue.entry import Entry, Example, Hub, Native, Table, Variant
from moco.tasks.catalogue.making import lettered, text_of
from moco.tasks.record import Prompt

ENGLISH = ("aqua-rat", "logiqa-en", "lsat-ar", "lsat-lr", "lsat-rc", "sat-en", "sat-math")
OTHERS = (
    *("gaokao-biology", "gaokao-chemistry", "gaokao-chinese", "gaokao-english", "gaokao-geography", "gaokao-history"),
    *(
        "gaokao-mathcloze",
        "gaokao-mathqa",
        "gaokao-physics",
        "jec-qa-ca",
        "jec-qa-kd",
        "logiqa-zh",
        "math",
        "sat-en-without-passage",
    ),
)
_PREFIX = re.compile(r"\s*(?:[(（]\s*([A-G])\s*[)）]|([A-G])\s*(?:[.．:：、?？]|(?=\s)))\s*")


def options_of(given: list[str]) -> list[str]:
    """The options without their letters, in the order of the letters.

    Where the letters are A, C, B, D the gold letter is the printed one (the layout had two columns), so the options are
    sorted by it. Letters that are missing or repeat are not believed: the order of the list counts.
    """
    found = [_PREFIX.match(one) for one in given]
    texts = [one[m.end() :].strip() if m else one.strip() for one, m in zip(given, found, strict=True)]
    printed = [(m[1] or m[2]) if m else "" for m in found]
    if sorted(printed) == [chr(65 + i) for i in range(len(given))]:
        return [text for _, text in sorted(zip(printed, texts, strict=True))]
    return texts


def rows(row: Native) -> list[dict[str, Any]]:
    """Native lines (passage, question, options, label or answer) and hub rows (query, choices, gold)."""
    data = row.data
    made: dict[str, Any] = {"id": f"{row.part}/{row.number}"}
    meta = {"subset": row.part}
    if "query" in data:
        query = re.split(r"\s*Answer Choices:", data["query"])[0]
        passage, mark, question = query.rpartition("Q: ")
        made |= {"question": question.strip() if mark else query.strip(), "context": passage.strip() or None}
        return [{**made, **lettered(options_of(data["choices"]), list(data["gold"]), **meta)}]
    made |= {"question": data["question"], "context": data.get("passage") or None}
    if not data.get("options"):
        return [{**made, "kind": "math", "answer": text_of(data.get("answer")), "meta": meta}]
    label = data["label"]
    places = [ord(one) - ord("A") for one in ([label] if isinstance(label, str) else label or [])]
    return [{**made, **lettered(options_of(data["options"]), places, label, **meta)}]


def _tables(subsets: tuple[str, ...]) -> tuple[Table, ...]:
    return tuple(Table("test", "", (f"{subset}.jsonl", f"{subset}.head*.jsonl"), (subset,)) for subset in subsets)


def _released(row: Native) -> list[dict[str, Any]]:
    from moco.tasks.catalogue.released_rows import by_fields

    made = by_fields(row, "multiple_choice")
    return [{**made, "meta": {**made["meta"], "subset": row.part or "unknown"}}]


ENTRY = Entry(
    name="agieval",
    kind="mixed",
    metric="accuracy",
    measures="examinations for people: LSAT, SAT, GRE algebra, civil service logic (and Chinese college entrance, law)",
    licence="MIT (collection); the terms of each source are in its LICENSE file",
    paper="arXiv:2304.06364",
    convert=rows,
    hub=Hub("hails/agieval-{part}"),
    original="github.com/ruixiangcui/AGIEval, data/v1",
    tables=_tables(ENGLISH),
    variants={
        "english": Variant("the seven English multiple-choice subsets, 2,340 questions"),
        "all": Variant(
            "every subset: also Chinese ones, several right letters, and answers to fill in", tables=_tables(ENGLISH + OTHERS)
        ),
    },
    prompt=Prompt(shots_by="subset"),
    macro="subset",
    released=_released,
    notes=("report the macro mean over subsets beside the mean", "hub rows are read by their documented form, not tried here"),
    examples=(
        Example(
            Native(
                {
                    "passage": None,
                    "question": "If 2x = 6, what is x?",
                    "options": ["(A)2", "(C)4", "(B)3"],
                    "label": "B",
                    "other": None,
                },
                3,
                "sat-math",
            ),
            {
                "id": 3,
                "question": "If 2x = 6, what is x?",
                "choices": {"A": "2", "B": "3", "C": "4"},
                "answer": "B",
                "domain": "sat-math",
            },
        ),
        Example(
            Native({"passage": "", "question": "A made-up sum: $1+1=$", "options": None, "label": None, "answer": "2"}, 0, "math")
        ),
        Example(
            Native(
                {
                    "passage": None,
                    "question": "Which made-up words are nouns?",
                    "options": ["(A)cat", "(B)run", "(C)dog"],
                    "label": ["A", "C"],
                },
                1,
                "jec-qa-kd",
            )
        ),
    ),
)
