"""Where a merge reads from: the safetensors files of a model folder, mapped, one tensor at a time.

Invariant: names, shapes and dtypes come from the files' headers alone, without torch; only ``read`` touches weights.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from moco.core.errors import PoolError
from moco.models.tokens import read_json

HEADER_LIMIT = 100_000_000
"""Bytes; the limit of the safetensors format itself."""
BYTES = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "I64": 8,
    "U64": 8,
    "I32": 4,
    "U32": 4,
    "I16": 2,
    "U16": 2,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
}
"""Size of an element by safetensors dtype code; other codes are packed or quantised."""


@dataclass(frozen=True)
class Meta:
    """A tensor as its file's header says: safetensors dtype code ("BF16", "F32", "I64", ...), shape, file."""

    dtype: str
    shape: tuple[int, ...]
    file: str

    @property
    def floating(self) -> bool:
        return self.dtype in ("F64", "F32", "F16", "BF16")


def header(path: Path) -> dict[str, Any]:
    """The header of a safetensors file, tensors in the order of their bytes; raises PoolError if it cannot be read."""
    try:
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            if size > HEADER_LIMIT:
                raise ValueError("the header is too long")
            text = file.read(size)
        if len(text) < size:
            raise ValueError("it is cut off")
        found = json.loads(text)
        found.pop("__metadata__", None)
        return dict(sorted(found.items(), key=lambda item: item[1]["data_offsets"]))
    except (OSError, ValueError, struct.error, KeyError, TypeError, AttributeError) as error:
        raise PoolError(f"not a safetensors file: {error}", where=str(path), remedy="fetch the model again") from error


class SafetensorsDir:
    """The tensors of the model in ``folder``; a context manager, whose end unmaps the files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: dict[str, Any] = {}

    @cached_property
    def files(self) -> list[str]:
        """File names in order: those of the index, or ``model.safetensors``, or the only one there is."""
        if index := read_json(self.folder / "model.safetensors.index.json").get("weight_map"):
            return sorted(set(index.values()))
        found = sorted(p.name for p in self.folder.glob("*.safetensors"))
        if "model.safetensors" in found:
            return ["model.safetensors"]
        if len(found) != 1:
            remedy = "save the model with transformers as safetensors"
            raise PoolError(f"{len(found)} safetensors files and no index", where=str(self.folder), remedy=remedy)
        return found

    @cached_property
    def metas(self) -> dict[str, Meta]:
        """All tensors, in the order of files and of bytes within them."""
        return {
            name: Meta(entry["dtype"], tuple(entry["shape"]), file)
            for file in self.files
            for name, entry in header(self.folder / file).items()
        }

    def read(self, name: str) -> Any:
        """The torch tensor ``name`` on the CPU, in its stored dtype."""
        from safetensors import safe_open

        file = self.metas[name].file
        if file not in self._open:
            self._open[file] = safe_open(str(self.folder / file), framework="pt", device="cpu")
        return self._open[file].get_tensor(name)

    def __enter__(self) -> SafetensorsDir:
        return self

    def __exit__(self, *failure: object) -> None:
        self._open.clear()
