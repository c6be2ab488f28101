"""The streaming executor: a plan written as a model folder, from mapped sources, with one tensor in memory.

Invariant: the folder appears under its name only when it is whole (one rename, files synced before). What an interrupted run
left lies in a hidden folder beside it; the same plan goes on from its finished shards, another plan starts afresh.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import struct
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import moco._version as version
from moco.core.errors import ConfigError
from moco.models.artifacts import Artifacts
from moco.models.tokens import read_json
from moco.weights.checks import tensors_of
from moco.weights.merging import Merge
from moco.weights.plan import Dtype, Plan
from moco.weights.sources import BYTES

COMPANIONS = ("*.json", "*.jinja", "*.model", "merges.txt", "vocab.txt", "*.py", "LICENSE*", "NOTICE*")
"""Files of the donor that come along: configuration, tokenizer, chat template, licence."""


@dataclass(frozen=True)
class Written:
    """What ``write`` did: the folder, bytes of tensors in it, bytes written now (less after a resumed run), seconds."""

    folder: Path
    bytes: int
    new_bytes: int
    seconds: float


def write(plan: Plan, out: str | Path, *, dtype: Dtype | None = None) -> Written:
    """Write the merge of ``plan`` to the new folder ``out``, laid out in the shards of its donor.

    ``dtype`` overrides the plan's. Interrupted, the same call continues. Raises ConfigError if ``out`` exists or another
    process is writing it, PoolError where the sources cannot be merged.
    """
    began = time.perf_counter()
    out = Path(out)
    plan = plan if dtype is None else plan.rounded(dtype)
    if out.exists():
        raise ConfigError("the folder exists", where=str(out), remedy="give a new folder, or remove that one")
    with Merge(plan) as merge, _claimed(out):
        partial = _partial(plan, out)
        shards = _layout(plan)
        new = 0
        for file, names in shards.items():
            if not (partial / file).exists():
                new += _shard(merge, names, partial / file)
        total = sum(_size(merge, name) for name in merge.metas)
        _companions(plan, partial, shards, total)
        for path in partial.iterdir():
            _sync(path)
        (partial / "resume").unlink()
        _sync(partial)
        os.replace(partial, out)
        _sync(out.parent)
    return Written(out, total, new, time.perf_counter() - began)


def keep(plan: Plan, artifacts: Artifacts | None = None) -> str:
    """The id of the artifact that is the merge of ``plan``, written if it is not there yet; raises what ``write`` raises."""
    store = artifacts if artifacts is not None else Artifacts()
    identity = store.id_of("merge", plan.fingerprint)
    if identity not in store:
        write(plan, store.root / identity)
    return identity


@contextmanager
def _claimed(out: Path) -> Iterator[None]:
    """Hold the lock on ``out``, which ends with this process; raises ConfigError where another one has it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    lock = out.parent / f".{out.name}.lock"
    handle = os.open(lock, os.O_CREAT | os.O_RDWR)
    try:
        try:
            import fcntl
        except ImportError:  # Windows: folders are written by one process at a time there
            pass
        else:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                remedy = "wait for it, or give another folder"
                raise ConfigError("another process is writing this folder", where=str(out), remedy=remedy) from error
        yield
        lock.unlink(missing_ok=True)
    finally:
        os.close(handle)


def _partial(plan: Plan, out: Path) -> Path:
    """The folder in which the work goes on; emptied where it belongs to another plan."""
    partial = out.parent / f".{out.name}.partial"
    mark = f"{plan.fingerprint} {version.__version__}"
    resume = partial / "resume"
    if not resume.is_file() or resume.read_text(encoding="utf-8") != mark:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        resume.write_text(mark, encoding="utf-8")
    return partial


def _layout(plan: Plan) -> dict[str, list[str]]:
    """Tensor names by shard, files and tensors in the donor's order."""
    shards: dict[str, list[str]] = {}
    for name, meta in tensors_of(plan.donor).items():
        shards.setdefault(meta.file, []).append(name)
    if len(shards) == 1:  # under the name that is looked for where there is no index
        return {"model.safetensors": next(iter(shards.values()))}
    return shards


def _size(merge: Merge, name: str) -> int:
    return math.prod(merge.metas[name].shape) * BYTES[merge.dtype(name)]


def _shard(merge: Merge, names: Iterable[str], path: Path) -> int:
    """Write one safetensors file, tensor by tensor behind a header known beforehand; returns the bytes of its tensors."""
    import torch

    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in names:
        start, end = end, end + _size(merge, name)
        entries[name] = {"dtype": merge.dtype(name), "shape": list(merge.metas[name].shape), "data_offsets": [start, end]}
    head = json.dumps(entries, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    half = path.with_name(f".{path.name}.half")
    with half.open("wb") as file:
        file.write(struct.pack("<Q", len(head)) + head)
        for name in names:
            file.write(merge.tensor(name).contiguous().reshape(-1).view(torch.uint8).numpy().data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(half, path)
    return end


def _companions(plan: Plan, folder: Path, shards: dict[str, list[str]], total: int) -> None:
    """Config, tokenizer and template of the donor, the index where there are several shards, the recipe, the model card."""
    source = plan.donor.model.folder
    for pattern in COMPANIONS:
        for path in source.glob(pattern):
            if path.is_file() and not path.name.endswith((".index.json", "merge.json", "adapter_config.json")):
                shutil.copyfile(path, folder / path.name)
    if plan.dtype is not None:
        config = read_json(source / "config.json")
        config["torch_dtype" if "torch_dtype" in config and "dtype" not in config else "dtype"] = plan.dtype
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    if len(shards) > 1:
        index = {"metadata": {"total_size": total}, "weight_map": {n: file for file, names in shards.items() for n in names}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2, sort_keys=True), encoding="utf-8")
    recipe = {"plan": plan.describe(), "fingerprint": plan.fingerprint, "moco": version.__version__}
    text = json.dumps(recipe, indent=2, sort_keys=True)
    (folder / "merge.json").write_text(text + "\n", encoding="utf-8")
    (folder / "README.md").write_text(card(plan, text), encoding="utf-8")


def card(plan: Plan, recipe: str) -> str:
    """The model card: what was merged, how, and the recipe to make it again."""
    models = "\n".join(f"- {leaf.name}: {leaf.model.path}" for leaf in {x.fingerprint: x for x in plan.leaves}.values())
    return (
        f"---\ntags:\n- merge\n- moco\n---\n# {plan.title}\n\nMerged by moco {version.__version__} from\n\n{models}\n\n"
        f"Arithmetic in float32, rounded once to {plan.dtype or 'the dtype of each tensor of the donor'}; configuration, "
        f"tokenizer and chat template of {plan.donor.name}. Check the licences of the sources.\n\n```json\n{recipe}\n```\n"
    )


def _sync(path: Path) -> None:
    """Have the system write ``path`` (a file or a folder) to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
