"""The method the README shows works in a study; its other examples are executed by tests/docs/test_examples.py."""

from __future__ import annotations

from pathlib import Path

from moco.study import Study
from tests.docs.examples import ROOT, blocks


def test_the_method_of_the_readme_works_in_a_study(tmp_path: Path) -> None:
    method = next(b for b in blocks(ROOT / "README.md") if b.marks.get("file") == "polite.py")
    file = tmp_path / "polite.py"
    file.write_text(method.text, encoding="utf-8")
    study = f"""
pool: [playground/alpha, playground/gamma]
tasks: [{{name: playground/math, limit: 6}}]
methods: [{{name: "{file}:Shortest", label: shortest}}]
sampling: {{max_tokens: 64}}
baselines: false
"""
    run = Study.from_yaml(study).run(tmp_path / "run", store=tmp_path / "s.sqlite")
    assert [r["label"] for r in run.results["leaderboard"]] == ["shortest"]
    assert run.results["leaderboard"][0]["n"] == 6
