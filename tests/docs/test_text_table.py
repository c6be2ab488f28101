"""The table of text methods is what a run says, and the study that it comes from is valid."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from moco.collab import METHODS
from moco.study import Study

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def text_table() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_text_table", ROOT / "docs" / "text_table.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def results() -> dict[str, Any]:
    def row(label: str, mean: float, role: str = "method") -> dict[str, Any]:
        numbers = {"mean": mean, "low": mean - 0.1, "high": mean + 0.1, "calls_per_query": 4.0, "tokens_per_query": 123.4}
        return {"label": label, "role": role, **numbers}

    def against(label: str, which: str, difference: float) -> dict[str, Any]:
        return {"label": label, "against": which, "difference": difference, "p_holm": 0.04}

    return {
        "tasks": {"toy": {"n": 60}},
        "seeds": [0, 1, 2],
        "moco": "9.9",
        "leaderboard": [row("solo", 0.9, "member"), row("vote", 0.5), row("debate", 0.75)],
        "comparisons": [
            against("debate", "equal_tokens", 0.25),
            against("debate", "best_single_on_dev", -0.15),
            against("vote", "best_single_on_dev", -0.4),
        ],
    }


def test_rows_are_methods_by_score_beside_what_they_are_compared_with(text_table: ModuleType) -> None:
    head, _, first, second = text_table.rows(results())
    assert [c.strip() for c in first.strip("|").split("|")] == [
        "debate", "0.75", "0.65 to 0.85", "4.0", "123", "0.90", "0.50", "+0.25", "0.040",
    ]  # fmt: skip
    assert second.count("|") == head.count("|") and second.startswith("| vote | 0.50")


def test_only_what_stands_between_the_marks_is_written(
    text_table: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{text_table.BEGIN}\nold\n{text_table.END}\nafter\n")
    (tmp_path / "results.json").write_text(json.dumps(results()))
    monkeypatch.setattr(text_table, "PAGE", page)
    made = text_table.page(tmp_path)
    assert made.startswith("before\n") and made.endswith("after\n") and "old" not in made
    assert "*toy, 60 questions, 3 seeds, moco 9.9; calls and tokens are per query.*" in made
    page.write_text("no marks")
    with pytest.raises(ValueError, match="has no"):
        text_table.page(tmp_path)


def test_the_example_names_every_text_method_and_is_valid() -> None:
    study = Study.from_yaml(ROOT / "examples" / "text.yaml")
    assert study.check().cells
    named = {m.name for m in study.config.methods} | {"self_consistency"}
    assert named >= {n for n in METHODS.names() if METHODS.get(n).info.level == "text" and METHODS.get(n).info.fit != "required"}
