"""Where the tests put made-up files, and where the real ones are if they are at hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from moco.tasks import Source, Task, load_task

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
"""Real files in their original formats, beside the repository; tests that need them skip without."""

NAMES = (
    *(
        "agieval",
        "arc_challenge",
        "mmlu_redux",
        "bbh",
        "gsm8k",
        "math",
        "wikidyk",
        "sciencemeter",
        "popqa",
        "blend",
        "truthfulqa",
    ),
    *("coconot", "alpacaeval", "wildchat", "sciriff", "culturebench", "human_interest", "tablemwp_multiple_choice"),
    *("tablemwp_free_text", "mbpp", "humaneval", "gpqa_diamond", "gpqa_extended", "gpqa_main", "medmcqa", "medqa", "pubmedqa"),
    *("theoremqa", "culturalbench_hard", "kaleidoscope", "infinite_chat_open", "infinite_chat_diversity"),
)
"""The tasks that have to be there; there are further names for what some released files really hold."""


def load(name: str, data_dir: Path, **options: Any) -> Task:
    return load_task(name, source=Source(data_dir=data_dir, **options))


def jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def released(path: Path, dev: list[dict[str, Any]], test: list[dict[str, Any]], task_type: str = "multiple_choice") -> Path:
    path.write_text(json.dumps({"name": path.stem, "task_type": task_type, "dev": dev, "test": test}), encoding="utf-8")
    return path


def noted(task: Task, text: str) -> str:
    """The note of ``task`` that holds ``text``; '' where there is none."""
    return next((note for note in task.notes if text in note), "")
