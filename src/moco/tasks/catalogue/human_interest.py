"""Human interests: questions on 16 topics, from Model Swarms."""

from __future__ import annotations

from typing import Any

from moco.tasks.catalogue.entry import Defect, Entry, Example, Native, Table, Variant
from moco.tasks.catalogue.released_rows import by_fields
from moco.tasks.record import Prompt


def rows(row: Native) -> list[dict[str, Any]]:
    """Ids repeat over topics, so the topic is part of them."""
    if row.variant == "judged":
        raise Defect("there is no reference reply that a judge could compare with")
    topic = row.part.removeprefix("human_")
    return [{"id": f"{topic}_{row.data['id']}", "question": row.data["prompt"], "meta": {"topic": topic}}]


def _released(row: Native) -> list[dict[str, Any]]:
    made = by_fields(row, "generation")
    topic = made["id"].rpartition("_")[0] or "unknown"
    if row.variant == "judged" and not row.data.get("output"):
        raise Defect("there is no reference reply that a judge could compare with")
    mended = {} if row.data.get("output") else {"mended": "the reference output is null; the question stays, without a reference"}
    return [{**made, "meta": {**made["meta"], "topic": topic}, **mended}]


ENTRY = Entry(
    name="human_interest",
    kind="reward",
    metric="reward",
    measures="open questions on 16 topics that people care about, scored by a reward model",
    licence="Apache-2.0",
    paper="arXiv:2410.11163",
    convert=rows,
    original="github.com/BunsenFeng/model_swarm, data/eval",
    tables=(
        Table("dev", "dev", ("human_*.json",), inner="dev"),
        Table("test", "test", ("human_*.json",), inner="test"),
    ),
    prompt=Prompt("{question}"),
    macro="topic",
    released=_released,
    released_official=True,
    variants={
        "reward": Variant("scored by a reward model"),
        "judged": Variant(
            "compared by a judge with the reference replies, which only the released file has",
            kind="generation",
            metric="win rate",
        ),
    },
    examples=(
        Example(
            Native({"prompt": "How do made-up policies change?", "id": 3}, 1, "human_policy"),
            {"id": "policy_3", "input": "How do made-up policies change?", "output": "Slowly."},
        ),
    ),
)
