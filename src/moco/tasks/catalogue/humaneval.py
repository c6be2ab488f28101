"""HumanEval: the body of a Python function from its signature and docstring."""

from __future__ import annotations

from typing import Any

from moco.tasks.catalogue.entry import Entry, Example, Hub, Native, Table
from moco.tasks.catalogue.mbpp import checked
from moco.tasks.record import Prompt


def rows(row: Native) -> list[dict[str, Any]]:
    """The question is the prompt as it is: its imports and helpers belong to the program. The tests define ``check``."""
    data = row.data
    return [
        {
            "id": str(data["task_id"]).rpartition("/")[2],
            "question": data["prompt"],
            "tests": data["test"],
            "entry_point": data["entry_point"],
            "meta": {"reference": data["prompt"] + data["canonical_solution"]},
        }
    ]


def _released(row: Native) -> list[dict[str, Any]]:
    made = checked(row)
    return [{**made, "id": str(made["id"]).rpartition("/")[2]}]


ENTRY = Entry(
    name="humaneval",
    kind="code",
    metric="pass@1",
    measures="completing a Python function from its signature and docstring",
    licence="MIT",
    paper="arXiv:2107.03374",
    convert=rows,
    hub=Hub("openai/openai_humaneval"),
    original="github.com/openai/human-eval, data/HumanEval.jsonl.gz",
    tables=(Table("test", "", ("HumanEval*.jsonl.gz", "HumanEval*.jsonl")),),
    prompt=Prompt(
        "Complete this Python function.\n```python\n{question}\n```\n{answer_format}",
        {"code": "Write the whole function, with its imports and helpers, in one ```python block."},
    ),
    released=_released,
    notes=("dev is carved from the 164 problems: figures over the rest are not those of the whole set",),
    examples=(
        Example(
            Native(
                {
                    "task_id": "MadeUp/6",
                    "prompt": 'def thrice(x):\n    """Three times a made-up x."""\n',
                    "canonical_solution": "    return 3 * x\n",
                    "test": "def check(candidate):\n    assert candidate(2) == 6\n",
                    "entry_point": "thrice",
                }
            ),
            {
                "id": "MadeUp/6",
                "input": 'def thrice(x):\n    """Three times a made-up x."""\n',
                "test": "def check(candidate):\n    assert candidate(2) == 6\n",
                "language": "python",
            },
        ),
    ),
)
