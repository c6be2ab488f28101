"""ScienceMeter: claims about papers, to be judged from the abstract; two claims and three times a triplet."""

from __future__ import annotations

import hashlib
from typing import Any

from moco.tasks.catalogue.entry import Entry, Example, Native, Table
from moco.tasks.catalogue.making import one_label
from moco.tasks.catalogue.released_rows import by_fields

LABELS = ("support", "refute")


def rows(row: Native) -> list[dict[str, Any]]:
    """Two records a paper, one group: the claim that the paper supports and the one it refutes."""
    made = []
    for time in ("prior", "new", "future"):
        paper = row.data.get(f"{time}_paper")
        if not paper:
            continue
        key = f"{row.part}/{row.number}/{time}"
        for label in LABELS:
            claim = paper.get(f"synthetic_{label}_claim")
            if claim:
                made.append(
                    {
                        "id": f"{key}/{label}",
                        "question": f"Claim: {claim.strip()}\nDoes the paper support or refute the claim?",
                        "context": f"{paper['title']}\n{paper['abstract']}",
                        "group": key,
                        **one_label(LABELS, label, time=time, date=paper.get("publicationDate"), domain=row.part),
                    }
                )
    return made


def _released(row: Native) -> list[dict[str, Any]]:
    """Options A support, B refute; the abstract is inside the question, and claims about one abstract are a group."""
    made = by_fields(row, "multiple_choice")
    texts = {label: str(text).strip().casefold() for label, text in made["choices"].items()}
    answer = one_label(LABELS, texts[made["labels"][0]], domain=row.part)
    paper, mark, _ = made["question"].rpartition("\nClaim:")
    group = {"group": hashlib.sha256(paper.encode()).hexdigest()[:12]} if mark else {}
    return [{"id": made["id"], "question": made["question"], **group, **answer}]


ENTRY = Entry(
    name="sciencemeter",
    kind="label",
    metric="accuracy",
    measures="whether a claim is supported or refuted by a paper's abstract, for papers before and after a model's training",
    licence="none stated",
    paper="arXiv:2505.24302",
    convert=rows,
    original="github.com/yikee/ScienceMeter, dataset/filtered_with_claims/MODEL/DOMAIN.jsonl (each is one JSON array)",
    tables=(Table("all", "", ("*.jsonl", "*_*.json")),),
    macro="time",
    released=_released,
    examples=(
        Example(
            Native(
                {
                    "prior_paper": {
                        "title": "On made-up moths",
                        "abstract": "We show that made-up moths sleep.",
                        "publicationDate": "2020-01-01",
                        "synthetic_support_claim": "Made-up moths sleep.",
                        "synthetic_refute_claim": "Made-up moths never sleep.",
                    }
                },
                0,
                "biology",
            ),
            {
                "id": 11,
                "question": "Paper: Made-up moths sleep.\nClaim: Made-up moths sleep.\nIs the claim supported or refuted?",
                "choices": {"A": "support", "B": "refute"},
                "answer": "A",
                "domain": "biology",
            },
        ),
    ),
)
