"""The hub through ``datasets``: tried on local folders that look like repositories; the network is never asked."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from moco.core.errors import ConfigError, DataError
from moco.tasks import Hub as OwnHub
from moco.tasks import Source, load_task
from tests.tasks.catalogue.places import jsonl, load, noted

datasets = pytest.importorskip("datasets")


def repository(folder: Path, tables: dict[tuple[str, str], list[dict[str, Any]]]) -> Path:
    """A folder with a card that names configurations and splits, as the hub has them; rows are JSON lines."""
    configs: dict[str, list[str]] = {}
    for (config, split), rows in tables.items():
        jsonl(folder / config / f"{split}.jsonl", rows)
        configs.setdefault(config, []).append(f"  - split: {split}\n    path: {config}/{split}.jsonl")
    listed = "".join(f"- config_name: {config}\n  data_files:\n" + "\n".join(parts) + "\n" for config, parts in configs.items())
    (folder / "README.md").write_text(f"---\nconfigs:\n{listed}---\nMade up.\n", encoding="utf-8")
    return folder


@pytest.fixture
def gsm8k(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    rows = [{"question": f"Made up {i}?", "answer": f"so #### {i}"} for i in range(5)]
    return repository(tmp_path / "copy", {("main", "test"): rows[:3], ("main", "train"): rows[3:], ("socratic", "test"): rows})


def test_a_local_copy_of_a_repository_is_read(gsm8k: Path) -> None:
    task = load("gsm8k", gsm8k)
    assert (len(task.dev), len(task.test)) == (2, 3) and [r.answer for r in task.test] == ["0", "1", "2"]
    assert task.source == "openai/gsm8k (local copy)" and task.test[0].source == "openai/gsm8k main test @ local copy; MIT"


def test_all_configurations_are_read_where_the_entry_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    row = {"question": "Q?", "choices": ["w", "x", "y", "z"], "answer": 1, "error_type": "ok", "correct_answer": ""}
    tables = {(s, "test"): [{**row, "question": f"{s} {i}?"} for i in range(8)] for s in ("anatomy", "astronomy")}
    task = load("mmlu_redux", repository(tmp_path / "copy", tables))
    subjects = {str(r.meta["subject"]) for r in task.dev + task.test}
    assert subjects == {"anatomy", "astronomy"} and len(task.dev) + len(task.test) == 16 and task.test[0].labels == ["B"]


def test_copies_of_one_repository_per_subset_are_read_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    for subset in ("sat-math", "lsat-ar"):
        rows = [
            {"query": f"Q: {subset} {i}? Answer Choices: (A)x (B)y", "choices": ["(A)x", "(B)y"], "gold": [1]} for i in range(9)
        ]
        repository(tmp_path / "copies" / f"agieval-{subset}", {("default", "test"): rows})
    (tmp_path / "copies" / "README.md").write_text("---\n---\n", encoding="utf-8")
    task = load("agieval", tmp_path / "copies")
    made = task.dev + task.test
    assert {str(r.meta["subset"]) for r in made} == {"sat-math", "lsat-ar"} and len(made) == 18 and made[0].labels == ["B"]


def test_a_revision_does_not_go_with_files(gsm8k: Path) -> None:
    with pytest.raises(ConfigError, match="revision is for the hub"):
        load("gsm8k", gsm8k, revision="abc")


def to_folder(monkeypatch: pytest.MonkeyPatch, folder: Path, asked: list[tuple[str, str | None]]) -> None:
    """The hub's answers from ``folder``: which repository and revision were asked for is written down."""
    import huggingface_hub

    def info(self: Any, dataset: str, revision: str | None = None) -> Any:
        return SimpleNamespace(sha=revision or "f" * 40)

    true_load = datasets.load_dataset

    def load_dataset(name: str, config: str | None = None, *, split: str, revision: str | None = None) -> Any:
        asked.append((name, revision))
        return true_load(str(folder), config, split=split)

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", info)
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)


def test_the_newest_commit_is_recorded_and_a_pinned_one_is_used(gsm8k: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str | None]] = []
    to_folder(monkeypatch, gsm8k, asked)
    newest = load_task("gsm8k")
    assert set(asked) == {("openai/gsm8k", "f" * 40)} and newest.source == f"openai/gsm8k @ {'f' * 40}"
    pinned = load_task("gsm8k", source=Source(revision="abc"))
    assert asked[-1] == ("openai/gsm8k", "abc") and "openai/gsm8k main test @ abc" in (pinned.test[0].source or "")
    assert len(newest.test) == len(pinned.test) == 3 and noted(newest, "official splits kept")


def test_a_gated_set_says_what_to_accept_and_where(monkeypatch: pytest.MonkeyPatch) -> None:
    refusing(monkeypatch, OSError("401 Client Error"))
    with pytest.raises(DataError, match=r"401.*accept the terms at https://.*/Idavidrein/gpqa.*HF_TOKEN.*gpqa_diamond\.json"):
        load_task("gpqa_diamond")


def refusing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """A hub that answers every question with ``error``, as its client raises it."""
    import huggingface_hub

    def refuse(self: Any, dataset: str, revision: str | None = None) -> Any:
        raise error

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", refuse)


def said_by_the_hub(name: str, status: int) -> Exception:
    """The client's own error for an answer with ``status``, whatever HTTP library it stands on."""
    from huggingface_hub import errors

    base = errors.HfHubHTTPError.__bases__[0]
    library = sys.modules[base.__module__.partition(".")[0]]
    request = library.Request("GET", "https://huggingface.co/api/datasets/x")
    made: Exception = getattr(errors, name)(f"{status} says the hub", response=library.Response(status, request=request))
    return made


def offline() -> Exception:
    from huggingface_hub.errors import OfflineModeIsEnabled

    return OfflineModeIsEnabled("Cannot reach the hub: offline mode is enabled")


@pytest.mark.parametrize(
    "error, what, remedy",
    [
        (lambda: said_by_the_hub("GatedRepoError", 403), "the hub does not give 'openai/gsm8k'", "accept the terms at https://"),
        (
            lambda: said_by_the_hub("RepositoryNotFoundError", 404),
            "the hub has no data set 'openai/gsm8k', or it is private",
            "check the name; a private one needs HF_TOKEN",
        ),
        (lambda: said_by_the_hub("RevisionNotFoundError", 404), "'openai/gsm8k' has no such revision", "/commits/main"),
        (lambda: said_by_the_hub("HfHubHTTPError", 500), "the hub does not give 'openai/gsm8k'", "check the network"),
        (lambda: ConnectionError("no route"), "the hub does not give 'openai/gsm8k'", "check the network"),
        (offline, "the hub is switched off", "unset HF_HUB_OFFLINE"),
    ],
)
def test_every_refusal_of_the_hub_has_its_own_remedy(
    error: Callable[[], Exception], what: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing(monkeypatch, error())
    own = OwnHub("openai/gsm8k", fields={"question": "question", "answer": "answer"})
    for load_it in (lambda: load_task("gsm8k"), lambda: load_task("mine", hub=own)):
        with pytest.raises(DataError) as caught:
            load_it()
        assert what in caught.value.what and remedy in caught.value.remedy
        assert caught.value.why and caught.value.where.startswith("Hugging Face hub") and ", or " in caught.value.remedy


def test_a_config_that_is_not_there_is_no_fault_of_the_network(gsm8k: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    to_folder(monkeypatch, gsm8k, [])

    def lacking(*_: Any, **__: Any) -> Any:
        raise ValueError("BuilderConfig 'x' not found")

    monkeypatch.setattr(datasets, "load_dataset", lacking)
    with pytest.raises(DataError, match="'openai/gsm8k' has not what was asked for; because BuilderConfig 'x' not found"):
        load_task("gsm8k")


def test_without_the_extra_one_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ConfigError, match=r'pip install "mocolab\[data\]"'):
        load_task("gsm8k")


def test_a_task_that_is_not_on_the_hub_says_so() -> None:
    with pytest.raises(DataError, match=r"not on the hub.*human_\*\.json"):
        load_task("human_interest")
