"""Value Kaleidoscope (ValuePrism): does a value, right or duty support or oppose an action. Not the exam set of that name."""

from __future__ import annotations

from typing import Any

from moco.tasks.catalogue.entry import Defect, Entry, Example, Hub, Native, Table
from moco.tasks.catalogue.making import one_label
from moco.tasks.catalogue.released_rows import by_fields

LABELS = ("support", "oppose", "either")
GATE = "ask for access at https://huggingface.co/datasets/allenai/ValuePrism (AI2 ImpACT licence)"


def label_of(text: Any) -> str:
    """The label in 'supports', 'Oppose', 'Either support or oppose': the longest form is looked for first."""
    plain = str(text).strip().casefold()
    for label in ("either", "support", "oppose"):
        if plain.startswith(label):
            return label
    raise Defect(f"the valence {text!r} is unknown")


def rows(row: Native) -> list[dict[str, Any]]:
    """ValuePrism rows (action, vrd, text, label), and rows in the released form."""
    data = row.data
    if "choices" in data:
        return _released(row)
    gold = label_of(data.get("label") or data.get("valence"))
    question = (
        f"{data['vrd']}: {data['text']}\nSituation: {data['action']}\n"
        f"Does this {str(data['vrd']).lower()} support the situation, oppose it, or could it be either?"
    )
    return [{"id": data.get("id", row.number), "question": question, **one_label(LABELS, gold, valence=gold)}]


def _released(row: Native) -> list[dict[str, Any]]:
    made = by_fields(row, "multiple_choice")
    gold = label_of(made["choices"][made["labels"][0]])
    return [{"id": made["id"], "question": made["question"], **one_label(LABELS, gold, valence=gold)}]


ENTRY = Entry(
    name="kaleidoscope",
    kind="label",
    metric="accuracy",
    measures="pluralistic values: whether a value, right or duty supports or opposes an action, or could do either",
    licence="AI2 ImpACT (confirm at the source); access on request",
    paper="arXiv:2309.00779",
    convert=rows,
    hub=Hub("allenai/ValuePrism", gated=GATE),
    original="allenai/ValuePrism on the hub, after access is granted",
    tables=(Table("test", "", ("kaleidoscope*.jsonl", "test*.jsonl", "valence*.csv"), ("valence",)),),
    macro="valence",
    released=_released,
    notes=("the configuration and the fields on the hub are not confirmed: access is on request",),
    examples=(
        Example(
            Native({"action": "Cancelling a made-up feast", "vrd": "Duty", "text": "Duty to keep promises", "label": "opposes"}),
            {
                "id": 2,
                "question": "Value/Right/Duty: Duty to keep promises\n\nSituation: Cancelling a made-up feast",
                "choices": {"A": "Support", "B": "Oppose", "C": "Either support or oppose"},
                "answer": "B",
            },
        ),
    ),
)
