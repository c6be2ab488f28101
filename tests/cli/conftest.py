"""One tiny finished run for all command tests, a scratch home, and a way to run a command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from moco.cli import main

STUDY = """\
pool:
  - {model: playground/alpha, description: arithmetic and cities}
  - {model: playground/beta, description: lists and creatures}
tasks:
  - {data: DATA, kind: numeric}
methods: [single, majority_vote]
sampling: {max_tokens: 48, temperature: 0}
"""
LINES = "\n".join(
    json.dumps({
        "id": f"q{i}", "question": f"What is {10 + i} + {20 + i}?", "answer": str(30 + 2 * i),
        "split": "dev" if i < 4 else "test",
    })
    for i in range(12)
)  # fmt: skip


@dataclass(frozen=True)
class Said:
    """What a command line did."""

    code: int
    out: str
    err: str


Moco = Callable[..., Said]


@pytest.fixture
def moco(capsys: pytest.CaptureFixture[str]) -> Moco:
    def run(*line: str | Path) -> Said:
        capsys.readouterr()
        code = main([str(part) for part in line])
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    (folder / "sums.jsonl").write_text(LINES, encoding="utf-8")
    (folder / "study.yaml").write_text(STUDY.replace("DATA", str(folder / "sums.jsonl")), encoding="utf-8")
    return folder / "study.yaml"


@pytest.fixture(scope="session")
def finished(study: Path) -> Path:
    """The run directory of the study, run once through the command."""
    out = study.parent / "run"
    assert main(["run", str(study), "-o", str(out), "--store", str(study.parent / "cache.sqlite")]) == 0
    return out
