"""``moco tasks``: the whole catalogue without any data, one entry, its prompt, and what is said where data are missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Moco
from tests.tasks.catalogue.places import NAMES, jsonl


def test_all_tasks_are_listed_with_what_is_known_without_data(moco: Moco, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")  # a narrow terminal folds names
    every = {one["name"]: one for one in json.loads(moco("tasks", "--json").out)}
    assert set(NAMES) <= set(every) and "playground/mixed" in every
    assert all(every[name][key] for name in every for key in ("kind", "metric", "licence", "sources"))
    assert every["gpqa_main"]["gated"].startswith("accept the terms at https://") and not every["gsm8k"]["gated"]
    shown = moco("tasks")
    assert shown.code == 0 and all(name in shown.out for name in NAMES) and "openai/gsm8k" in shown.out


def test_one_entry_is_shown_without_data_and_counted_with_them(moco: Moco, tmp_path: Path) -> None:
    shown = moco("tasks", "mmlu_redux").out
    assert "corrected: those, and wrong or multiple answers" in shown and "edinburgh-dawg/mmlu-redux-2.0" in shown
    jsonl(tmp_path / "test.jsonl", [{"question": f"Made up {i}?", "answer": f"#### {i}"} for i in range(3)])
    told = json.loads(moco("tasks", "gsm8k", "--data-dir", tmp_path, "--json").out)
    assert (told["dev"], told["test"]) == (0, 3) and told["notes"][0] == "read 3 rows: 0 dev, 3 test" and told["fingerprint"]
    assert json.loads(moco("tasks", "playground/math", "--json").out)["test"] == 200


def test_the_prompt_is_of_a_made_up_question_or_of_the_first_real_one(moco: Moco, tmp_path: Path) -> None:
    made_up = moco("tasks", "arc_challenge", "--prompt").out
    assert "a made-up question" in made_up and "A. ice\nB. sand\nC. iron\n" in made_up
    jsonl(tmp_path / "test.jsonl", [{"question": "How many?", "answer": "#### 3"}])
    said = json.loads(moco("tasks", "gsm8k", "--prompt", "--data-dir", tmp_path, "--json").out)
    assert not said["made_up"] and said["messages"][-1]["content"].startswith("How many?") and said["id"] == "gsm8k/test/0"
    assert "worked examples" in moco("tasks", "mbpp", "--prompt").out
    assert moco("tasks", "truthfulqa", "--variant", "mc2", "--prompt").out.endswith("made-up lake?\n")  # no option is shown
    assert "Possible answers: yes, no, maybe" in moco("tasks", "pubmedqa", "--prompt").out


def test_mistakes_name_the_remedy(moco: Moco, tmp_path: Path) -> None:
    jsonl(tmp_path / "own.jsonl", [{"question": "How many?", "answer": "3"}])
    for line, remedy in (
        (["gsm8kk"], "did you mean 'gsm8k'?"),
        (["mmlu_redux", "--prompt", "--variant", "orginal"], "did you mean 'original'?"),
        (["gsm8k", "--data-dir", tmp_path], "put test*.jsonl, train*.jsonl"),
        (["gsm8k", "--data-dir", tmp_path / "nowhere"], "openai/gsm8k"),
        (["gsm8k", "--data-dir", tmp_path, "--split", "mocco"], "write ours or moco"),
        (["--data-dir", tmp_path], "name it: moco tasks gsm8k"),
        (["--prompt"], "name it: moco tasks gsm8k"),
        (["--split", "moco"], "name it: moco tasks gsm8k"),
        (["gsm8k", "--split", "mocco"], "write ours or moco"),
        (["gsm8k", "--prompt", "--split", "mocco"], "write ours or moco"),
        (["gsm8k", "--variant", "no"], "leave it out"),
        (["gsm8k", "--split", "moco"], "--split moco needs the released gsm8k.json"),
        (["gsm8k", "--prompt", "--split", "moco"], "--split moco needs the released gsm8k.json"),
        (["gsm8k", "--data-dir", ""], "--data-dir is empty"),
        (["mmlu_redux", "--variant", "orginal"], "did you mean 'original'?"),
        (["playground/math", "--data-dir", tmp_path], "leave them out"),
        ([tmp_path / "own.jsonl", "--split", "moco"], "leave them out"),
    ):
        said = moco("tasks", *line)
        assert said.code == 2 and remedy in " ".join(said.err.split()), (line, said)
