"""AlpacaEval (805 instructions with a baseline's outputs), and what the released file of that name holds: Alpaca."""

from __future__ import annotations

from typing import Any

from moco.tasks.catalogue.entry import Entry, Example, Hub, Native, Table, Variant
from moco.tasks.record import Prompt

AS_ALPACA = Variant(
    "the released alpacaeval.json holds items of the 52k Alpaca training set and none of the 805 AlpacaEval instructions: "
    "the task is called alpaca_rm",
    kind="reward",
    metric="reward",
    called="alpaca_rm",
    macro="",
    notes=("these are training data of many models",),
)


def rows(row: Native) -> list[dict[str, Any]]:
    """AlpacaEval: the baseline's output is what a reply is compared with."""
    data = row.data
    meta = {name: data[name] for name in ("dataset", "generator") if data.get(name)}
    return [{"id": row.number, "question": data["instruction"], "answer": data.get("output") or None, "meta": meta}]


def alpaca_rows(row: Native) -> list[dict[str, Any]]:
    """Alpaca: an instruction and, for some, an input it applies to."""
    data = row.data
    question = "\n\n".join(part for part in (data["instruction"], data.get("input")) if part)
    return [{"id": row.number, "question": question, "answer": data.get("output") or None}]


ENTRY = Entry(
    name="alpacaeval",
    kind="generation",
    metric="win rate",
    measures="following 805 instructions, judged against the outputs of a baseline model",
    licence="CC BY-NC 4.0 (data); Apache-2.0 (code)",
    paper="arXiv:2404.04475",
    convert=rows,
    hub=Hub("tatsu-lab/alpaca_eval"),
    original="github.com/tatsu-lab/alpaca_eval, results/MODEL/model_outputs.json",
    tables=(Table("eval", "", ("alpaca_eval.json", "*model_outputs.json"), hub_file="alpaca_eval.json"),),
    prompt=Prompt("{question}"),
    variants={
        "judged": Variant("compared by a judge with the baseline's outputs"),
        "reward": Variant("scored by a reward model", kind="reward", metric="reward"),
    },
    macro="dataset",
    released_as=AS_ALPACA,
    notes=("the baseline is the model whose outputs file is loaded; name it with the figure",),
    examples=(
        Example(
            Native(
                {
                    "dataset": "helpful_base",
                    "instruction": "Name a made-up colour.",
                    "output": "Blurple green.",
                    "generator": "baseline",
                },
                3,
                split="eval",
            ),
            {"id": 3, "input": "Name a made-up colour.", "output": "Blurple green."},
        ),
    ),
)

ALPACA_RM = Entry(
    name="alpaca_rm",
    kind="reward",
    metric="reward",
    measures="following instructions of the Alpaca training set, scored by a reward model (released under the name alpacaeval)",
    licence="CC BY-NC 4.0",
    paper="arXiv:2305.14387",
    convert=alpaca_rows,
    hub=Hub("tatsu-lab/alpaca"),
    original="github.com/tatsu-lab/stanford_alpaca, alpaca_data.json",
    tables=(Table("train", "", ("alpaca_data*.json",), keep=3000),),
    prompt=Prompt("{question}"),
    released_name="alpacaeval",
    notes=("these are training data of many models",),
    examples=(
        Example(
            Native(
                {"instruction": "Name a made-up colour.", "input": "It is green.", "output": "Blurple green."}, 1, split="train"
            ),
            {"id": 1, "input": "Name a made-up colour.", "output": "Blurple green."},
        ),
    ),
)
