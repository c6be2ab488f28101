"""The streaming executor: the bits of the merge in memory, whole folders only, and no work done twice after a kill."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import moco.weights.executor as executor
import moco.weights.merging as merging
from moco.core.errors import ConfigError, PoolError
from moco.core.types import Request, Sampling, messages_of
from moco.models.artifacts import Artifacts
from moco.models.hf import HFModel
from moco.models.pool import Pool
from moco.weights import MergedModel, Plan, build_model, keep, write
from moco.weights.merging import Merge
from moco.weights.sources import SafetensorsDir
from tests.weights.conftest import Folder, playground

SHARDS = [
    {"a": torch.arange(6.0).reshape(2, 3), "ids": torch.arange(4)},
    {"b": torch.ones(5, dtype=torch.bfloat16), "none": torch.ones(0, 3)},
    {"c": torch.tensor(2.5), "flags": torch.tensor([True, False])},
]


def moved(shards: list[dict[str, Any]], by: float) -> list[dict[str, Any]]:
    return [{k: t + by if t.is_floating_point() else t for k, t in shard.items()} for shard in shards]


def plan_of(folder: Folder, *names: str) -> Plan:
    return Plan.linear([folder(name, *moved(SHARDS, i)) for i, name in enumerate(names or ("one", "two"))])


def tensors(path: Path) -> dict[str, Any]:
    with SafetensorsDir(path) as source:
        return {name: source.read(name).clone() for name in source.metas}


def same(one: dict[str, Any], two: dict[str, Any]) -> bool:
    return set(one) == set(two) and all(one[k].dtype == two[k].dtype and torch.equal(one[k], two[k]) for k in one)


def test_written_and_loaded_it_is_the_merge_in_memory(tmp_path: Path) -> None:
    pool = playground("alpha", "beta", "gamma")
    plan = Plan.linear([Plan.linear(list(pool)[:2]), pool["gamma"]], [0.6, 0.3])
    live, loaded = pool.model(plan), HFModel(write(plan, tmp_path / "soup").folder, name="soup", device="cpu")
    requests = [
        Request(messages=messages_of(text), sampling=Sampling(max_tokens=16, temperature=t), seed=3)
        for text in ("What is 17 + 25?", "Sort: c a b", "Where?")
        for t in (0.0, 1.0)
    ]

    async def ask(model: Any) -> list[Any]:
        return list(await asyncio.gather(*(model.generate(r) for r in requests)))

    one, two = asyncio.run(ask(live)), asyncio.run(ask(Pool([loaded], store=pool.store)[0].model))
    assert isinstance(live.model, MergedModel)
    assert live.fingerprint != loaded.fingerprint, "a written merge is a model of its own"
    assert [(c.text, c.ids, c.logprobs) for c in one] == [(c.text, c.ids, c.logprobs) for c in two]
    asked, said = Request(messages=messages_of("Where is it?")), "Answer: noodles"
    assert asyncio.run(live.score(asked, said)) == asyncio.run(loaded.score(asked, said))
    mine, other = (m.load().model.state_dict() for m in (live.model, loaded))
    assert all(mine[k].numpy().tobytes() == other[k].numpy().tobytes() for k in mine)


def test_shards_dtypes_and_companions_are_the_donors(folder: Folder, tmp_path: Path) -> None:
    done = write(plan_of(folder), tmp_path / "out")
    found = tensors(done.folder)
    assert same(found, {k: v for shard in moved(SHARDS, 0.5) for k, v in shard.items()})
    assert done.bytes == done.new_bytes == sum(t.numel() * t.element_size() for t in found.values())
    assert sorted(p.name for p in done.folder.glob("*.safetensors")) == [f"model-0000{i}-of-00003.safetensors" for i in (1, 2, 3)]
    index = json.loads((done.folder / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == done.bytes and set(index["weight_map"]) == set(found)
    assert {"config.json", "tokenizer.json", "chat_template.jinja", "merge.json", "README.md"} <= {
        p.name for p in done.folder.iterdir()
    }
    recipe = json.loads((done.folder / "merge.json").read_text())
    card = (done.folder / "README.md").read_text()
    assert recipe["plan"]["params"]["weights"] == [1.0, 1.0]
    assert "- one: " in card and "- two: " in card and recipe["fingerprint"] in card
    assert not list(tmp_path.glob(".out*")), "nothing is left beside it"


def test_one_unusually_named_file_gets_the_name_that_is_loaded(folder: Folder, tmp_path: Path) -> None:
    leaf = folder("odd", {"w": torch.ones(2)}, files="weights.safetensors")
    done = write(Plan.linear([leaf, folder("two", {"w": torch.zeros(2)})]), tmp_path / "out")
    assert tensors(done.folder)["w"].tolist() == [0.5, 0.5]
    assert (done.folder / "model.safetensors").is_file()


def test_another_donor_and_another_dtype(folder: Folder, tmp_path: Path) -> None:
    one = folder("one", {"w": torch.tensor([1.0, 1.001])})
    two = folder("two", {"w": torch.tensor([1.0, 1.001], dtype=torch.bfloat16)}, torch_dtype="bfloat16")
    plan = Plan.linear([one, two], donor="two")
    assert tensors(write(plan, tmp_path / "a").folder)["w"].dtype == torch.bfloat16
    half = write(plan, tmp_path / "b", dtype="float16").folder
    assert tensors(half)["w"].dtype == torch.float16
    assert json.loads((half / "config.json").read_text())["torch_dtype"] == "float16"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_no_numbers_are_refused_and_leave_nothing(value: float, folder: Folder, tmp_path: Path) -> None:
    sick = folder("sick", {"v": torch.ones(2), "w": torch.tensor([1.0, value])})
    plan = Plan.linear([folder("well", {"v": torch.ones(2), "w": torch.ones(2)}), sick])
    with pytest.raises(PoolError, match=r"tensor 'w' has values that are not finite.*'sick' holds"):
        write(plan, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_dtype_that_cannot_hold_the_result_is_refused(folder: Folder, tmp_path: Path) -> None:
    big = Plan.linear([folder(n, {"w": torch.full((2,), 7e4)}) for n in ("a",)], dtype="float16")
    with pytest.raises(PoolError, match="overflow float16"):
        write(big, tmp_path / "out")


def test_an_existing_folder_is_never_touched(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(ConfigError, match="exists"):
        write(plan_of(folder), tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_a_stopped_run_goes_on_from_its_finished_shards(folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, whole = plan_of(folder), Merge.tensor

    def dies(self: Merge, name: str) -> Any:
        if name == "c":
            raise KeyboardInterrupt
        return whole(self, name)

    monkeypatch.setattr(Merge, "tensor", dies)
    for _ in range(2):  # a resumed run that is stopped again
        with pytest.raises(KeyboardInterrupt):
            write(plan, tmp_path / "out")
        assert not (tmp_path / "out").exists()
    asked: list[str] = []
    monkeypatch.setattr(Merge, "tensor", lambda self, name: asked.append(name) or whole(self, name))
    done = write(plan, tmp_path / "out")
    assert sorted(asked) == ["c", "flags"]
    assert done.new_bytes == 4 + 2 < done.bytes
    monkeypatch.setattr(Merge, "tensor", whole)
    assert same(tensors(done.folder), tensors(write(plan, tmp_path / "again").folder))
    assert {p.name for p in done.folder.iterdir()} == {p.name for p in (tmp_path / "again").iterdir()}


def test_what_another_plan_left_is_not_used(folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, other = plan_of(folder), plan_of(folder, "three", "four", "five")
    with monkeypatch.context() as patch:
        patch.setattr(executor, "_companions", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            write(plan, tmp_path / "out")
    done = write(other, tmp_path / "out")
    assert done.new_bytes == done.bytes
    assert tensors(done.folder)["c"].item() == 3.5


KILLED = """
import os, signal, sys
from moco.weights import Plan, write
from moco.weights.merging import Merge
from tests.weights.conftest import playground
whole = Merge.tensor
def dies(self, name):
    if len(self.plan.leaves) == 2 and "layers.3.mlp.up" in name:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(self, name)
Merge.tensor = dies
write(Plan.linear(playground("alpha", "beta")), sys.argv[1])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_killed_process_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    out = tmp_path / "soup"
    run = subprocess.run([sys.executable, "-c", KILLED, str(out)], cwd=root, capture_output=True, text=True, check=False)
    assert run.returncode == -signal.SIGKILL, run.stderr
    assert not out.exists()
    left = tmp_path / ".soup.partial"
    assert left.is_dir() and not (left / "model.safetensors").exists() and not (left / "config.json").exists()
    plan = Plan.linear(playground("alpha", "beta"))
    write(plan, out)
    with Merge(plan) as merge:
        assert same(tensors(out), {name: merge.tensor(name) for name in merge.metas})
    assert not left.exists() and not (tmp_path / ".soup.lock").exists()


def test_two_processes_do_not_write_one_folder(folder: Folder, tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    handle = os.open(tmp_path / ".out.lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX)
    plan = plan_of(folder)
    with pytest.raises(ConfigError, match="another process"):
        write(plan, tmp_path / "out")
    os.close(handle)
    write(plan, tmp_path / "out")


def test_pieces_of_any_size_give_the_same_bits(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan.linear([folder(n, {"w": torch.randn(7, 5), "s": torch.tensor(1.0)}) for n in "abc"], [0.2, 0.5, 0.7])
    with Merge(plan) as merge:
        whole = {name: merge.tensor(name) for name in merge.metas}
        for size in (1, 4, 35):
            monkeypatch.setattr(merging, "CHUNK", size)
            assert all(torch.equal(merge.tensor(name), whole[name]) for name in whole)


def test_memory_is_one_tensor_and_pieces_whatever_the_size_of_the_model(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "CHUNK", 100)
    plan = Plan.linear([folder(n, {f"t{i}": torch.randn(1000) for i in range(20)}) for n in "abcd"])
    largest: list[int] = []
    merge_of = merging._merged

    def watched(source: Any, inputs: dict[str, Any]) -> Any:
        out = merge_of(source, inputs)
        if source is plan:
            largest.append(out.numel())
        return out

    monkeypatch.setattr(merging, "_merged", watched)
    write(plan, tmp_path / "out")
    assert len(largest) == 20 * 10 and max(largest) == 100


def test_a_header_is_read_as_others_write_it(folder: Folder, tmp_path: Path) -> None:
    path = write(plan_of(folder), tmp_path / "out").folder / "model-00001-of-00003.safetensors"
    raw = path.read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    assert size % 8 == 0 and json.loads(raw[8 : 8 + size])["__metadata__"] == {"format": "pt"}
    from safetensors.numpy import load_file

    np.testing.assert_array_equal(load_file(path)["a"], np.arange(6, dtype=np.float32).reshape(2, 3) + 0.5)


def test_an_artifact_is_written_once_and_is_a_model(folder: Folder, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(folder)
    identity = keep(plan)
    assert identity.startswith("merge-") and (own_home / "artifacts" / identity / "config.json").is_file()
    monkeypatch.setattr(executor, "write", None)
    assert keep(plan) == identity
    assert [a.id for a in Artifacts().list()] == [identity]
    assert build_model(identity).folder == (own_home / "artifacts" / identity).resolve()
