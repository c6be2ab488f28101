"""WildChat: first messages of real users; English, not toxic, without personal data, each once."""

from __future__ import annotations

from typing import Any

from moco.tasks.catalogue.dividing import asked
from moco.tasks.catalogue.entry import Entry, Example, Hub, LeaveOut, Native, Table, Variant
from moco.tasks.catalogue.making import Made
from moco.tasks.record import Prompt


def rows(row: Native) -> list[dict[str, Any]]:
    """The first user turn; the reply it got is what another is compared with."""
    data = row.data
    turns = data.get("conversation") or []
    if not turns or turns[0].get("role") != "user" or not str(turns[0].get("content") or "").strip():
        raise LeaveOut("it does not begin with a user's message")
    first = turns[0]
    if (first.get("language") or data.get("language")) != "English":
        raise LeaveOut("it is not in English")
    if data.get("toxic") or first.get("toxic"):
        raise LeaveOut("it is marked as toxic")
    if data.get("redacted") or first.get("redacted"):
        raise LeaveOut("personal data were redacted from it")
    reply = turns[1].get("content") if len(turns) > 1 else None
    key = data.get("conversation_hash") or data.get("conversation_id") or row.number
    return [{"id": key, "question": first["content"], "answer": reply or None, "meta": {"answered_by": data.get("model", "")}}]


def once(made: list[Made]) -> str:
    """Of equal messages only the first is used."""
    seen: set[str] = set()
    for one in made:
        text = asked(one)
        if text in seen:
            one.side = "unused"
        seen.add(text)
    left = sum(one.side == "unused" for one in made)
    return f"left out {left}: the same message stands before" if left else ""


ENTRY = Entry(
    name="wildchat",
    kind="generation",
    metric="win rate",
    measures="what real users ask first, judged against the reply they got",
    licence="ODC-BY",
    paper="arXiv:2405.01470",
    convert=rows,
    hub=Hub("allenai/WildChat-1M"),
    original="a JSONL export of allenai/WildChat-1M",
    tables=(Table("train", "", ("wildchat*.jsonl", "*.parquet"), keep=2000),),
    prompt=Prompt("{question}"),
    variants={
        "judged": Variant("compared by a judge with the reply the user got"),
        "reward": Variant("scored by a reward model", kind="reward", metric="reward"),
    },
    arrange=once,
    notes=("reading the whole set from the hub takes gigabytes; 2,000 messages are kept",),
    examples=(
        Example(
            Native(
                {
                    "conversation_hash": "madeup9",
                    "model": "made-up-1",
                    "conversation": [
                        {
                            "content": "Name a made-up cat.",
                            "language": "English",
                            "redacted": False,
                            "role": "user",
                            "toxic": False,
                        },
                        {"content": "Miso.", "language": "English", "redacted": False, "role": "assistant", "toxic": False},
                    ],
                    "language": "English",
                    "toxic": False,
                    "redacted": False,
                },
                split="train",
            ),
            {"id": 9, "input": "Name a made-up cat.", "output": "Miso."},
        ),
    ),
)
