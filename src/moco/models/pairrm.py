"""PairRanker checkpoints: a cross-encoder that reads a question and two answers and says which one is better (arXiv 2306.02561).

As a Model it is asked three messages, the question and two answers, and its completion's reason holds the ``margin``: above 0
where the first answer is better. So a comparison is a row of the store and a call of a transcript like any other.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from moco.core.errors import ConfigError, PoolError
from moco.core.seeds import digest
from moco.core.types import Completion, Request, Usage
from moco.models.encoder import OPTIONS, Encoder, Row
from moco.models.hf import folder_hash
from moco.models.member import check_options
from moco.models.protocol import Capabilities, StoreKey, store_key
from moco.models.rendering import neutralise

MARKERS = ("<|source|>", "<|candidate1|>", "<|candidate2|>")
MARKER_IDS = ("source_prefix_id", "cand1_prefix_id", "cand2_prefix_id")
_FORM = "name a checkpoint in the form of llm-blender/PairRM-hf"


class PairRanker(Encoder):
    """A checkpoint in the form of ``llm-blender/PairRM-hf``: an encoder, a head over [source; candidate], and its markers' ids.

    ``source_max`` and ``candidate_max`` bound question and answer in tokens, special ones included; half of what a question
    leaves goes to each answer. A text is cut at its end, or, with ``tail``, in its middle, because final answers stand at the
    end. Raises PoolError where a local folder holds no such checkpoint.
    """

    capabilities = Capabilities(frozenset({"TEXT"}))
    purpose = "a pair ranker"

    def __init__(
        self,
        path: str | Path,
        *,
        name: str,
        source_max: int = 1224,
        candidate_max: int = 412,
        tail: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(path, name=name, **options)
        self.source_max, self.candidate_max, self.tail = source_max, candidate_max, tail
        if Path(path).is_dir():
            _ = self.markers

    @functools.cached_property
    def markers(self) -> tuple[int, int, int]:
        """Ids of the three markers, as the config names them."""
        config = self.files.config
        if "ranker_type" in config:
            why = "it is in the authors' own format, whose encoder lies elsewhere"
            raise PoolError(f"'{self.name}' cannot be read", where=str(self.folder), why=why, remedy=_FORM)
        if missing := [key for key in MARKER_IDS if key not in config]:
            raise PoolError(f"'{self.name}' is no pair ranker", where=str(self.folder), why=f"no {missing[0]}", remedy=_FORM)
        found = tuple(int(config[key]) for key in MARKER_IDS)
        return found[0], found[1], found[2]

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hash of all files, the dtype and the bounds."""
        return digest("pairrm", folder_hash(self.folder), self.files.dtype, [self.source_max, self.candidate_max, self.tail])

    def key(self, request: Request) -> StoreKey:
        return store_key(self.fingerprint, self.engine, list(self.row(request)[0]), request, greedy=True)

    async def generate(self, request: Request) -> Completion:
        """FIRST, SECOND or EVEN, and the margin. Raises ConfigError for a request that is no comparison."""
        row = self.row(request)
        margin = float((await self.passes.submit(row))[0])
        said = "FIRST" if margin > 0 else "SECOND" if margin < 0 else "EVEN"
        return Completion(said, usage=Usage(len(row[0]), 0, 1), reason={"margin": margin})

    def row(self, request: Request) -> Row:
        """[CLS] source [SEP] [CLS] first [SEP] [CLS] second [SEP], each part behind its marker."""
        if len(request.messages) != 3:
            remedy = "ask with a question and two answers, as llm_blender does"
            raise ConfigError(f"'{self.name}' compares two answers and nothing else", where="pairrm", remedy=remedy)
        source, first, second = (m.content for m in request.messages)
        asked = self.part(MARKERS[0], source, self.source_max)
        room = self.candidate_max + (self.source_max - len(asked)) // 2
        ids = [*asked, *self.part(MARKERS[1], first, room), *self.part(MARKERS[2], second, room)]
        return tuple(ids), (0,) * len(ids)

    def part(self, marker: str, text: str, limit: int) -> list[int]:
        """One text with its marker and the tokenizer's own special tokens; the marks in the text itself are data and broken."""
        tokens = self.files.tokens
        safe = neutralise(text, [*MARKERS, "<|candidate|>", *tokens.specials])
        ids, _ = tokens.wrapped(marker + safe)
        end = int(self.files.config.get("sep_token_id") or ids[-1])
        if ids[-1] != end:
            ids.append(end)
        return shortened(ids, limit, self.tail)

    def _open(self) -> Any:
        from safetensors.torch import load_file
        from torch import nn
        from transformers import AutoConfig, AutoModel

        config: Any = AutoConfig.from_pretrained(str(self.folder))
        files = sorted(self.folder.glob("*.safetensors"))
        if not files:
            raise PoolError("the checkpoint has no safetensors weights", where=str(self.folder), remedy=_FORM)
        weights = {name: tensor for file in files for name, tensor in load_file(str(file)).items()}
        width, tasks = int(config.hidden_size), int(getattr(config, "n_tasks", 1))
        net: Any = nn.Module()
        net.pretrained_model = AutoModel.from_config(config)
        net.head_layer = nn.Sequential(
            nn.Dropout(0.0), nn.Linear(2 * width, width), nn.Tanh(), nn.Dropout(0.0), nn.Linear(width, tasks)
        )
        missing = net.load_state_dict(weights, strict=False).missing_keys
        net.config = config
        return net.to(self.options_of_loading()["dtype"]), {"missing_keys": missing}

    def _values(self, model: Any, ids: Any, mask: Any, segments: dict[str, Any]) -> Any:
        import torch

        hidden = model.pretrained_model(input_ids=ids, attention_mask=mask).last_hidden_state
        rows = torch.arange(len(ids), device=ids.device)
        source, first, second = (hidden[rows, (ids == marker).int().argmax(1)] for marker in self.markers)
        left, right = (model.head_layer(torch.cat([source, one], dim=-1)) for one in (first, second))
        return (left - right).mean(dim=-1, keepdim=True)


def shortened(ids: Sequence[int], limit: int, tail: bool = False) -> list[int]:
    """``ids`` cut to ``limit`` with the closing token kept; ``tail`` keeps two thirds from behind and the first two tokens."""
    if len(ids) <= limit:
        return list(ids)
    if not tail:
        return [*ids[: limit - 1], ids[-1]]
    head = 2 + max(limit - 3, 0) // 3
    return [*ids[:head], *ids[len(ids) - (limit - head) :]]


def build_model(reference: str, *, name: str, **options: Any) -> PairRanker:
    """The backend ``pairrm``: a folder or hub id, with the bounds of ``PairRanker`` and the options of an encoder.

    Raises ConfigError naming an option that does not exist.
    """
    check_options(options, ("source_max", "candidate_max", "tail", *OPTIONS), name)
    return PairRanker(reference, name=name, **options)
