"""Claim classifiers: any sequence-classification checkpoint, asked how true a text is, in [0, 1].

As a Model it is asked one message, the claim, and its completion's reason holds the ``truth``: the probability of one label, or,
where another label speaks against it, (p - p_against + 1) / 2 (the formula of arXiv 2305.09955's factuality filter).
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from moco.core.errors import ConfigError, ContextOverflow
from moco.core.seeds import digest
from moco.core.types import Completion, Request, Usage
from moco.models.encoder import OPTIONS, Row
from moco.models.hf import folder_hash
from moco.models.member import check_options
from moco.models.protocol import Capabilities, StoreKey, store_key
from moco.models.reward import RewardModel


class ClaimClassifier(RewardModel):
    """A classifier whose output ``label`` (name or number) says that a text is true, and ``against``, if any, that it is not.

    Raises PoolError or ConfigError where a local folder holds no such checkpoint or label.
    """

    capabilities = Capabilities(frozenset({"TEXT"}))
    purpose = "a claim classifier"

    def __init__(self, path: str | Path, *, name: str, against: str | int | None = None, **options: Any) -> None:
        self.against = against
        super().__init__(path, name=name, **options)
        if against is not None and Path(path).is_dir():
            self.place(against)

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hash of all files, the dtype and the outputs that are read."""
        outputs = [self.output, None if self.against is None else self.place(self.against)]
        return digest("claims", folder_hash(self.folder), self.files.dtype, outputs)

    def key(self, request: Request) -> StoreKey:
        return store_key(self.fingerprint, self.engine, list(self.claim(request)[0]), request, greedy=True)

    async def generate(self, request: Request) -> Completion:
        """How true the claim is. Raises ConfigError for a request that is none, ContextOverflow for one that does not fit."""
        row = self.claim(request)
        truth = float((await self.passes.submit(row))[0])
        return Completion(f"{truth:.4f}", usage=Usage(len(row[0]), 0, 1), reason={"truth": truth})

    def claim(self, request: Request) -> Row:
        """The one message with the special tokens that the tokenizer itself puts around a text."""
        if len(request.messages) != 1:
            remedy = "ask with one message, as knowledge_card does"
            raise ConfigError(f"'{self.name}' judges one text and nothing else", where="claims", remedy=remedy)
        ids, segments = self.files.tokens.wrapped(request.messages[0].content)
        if self.limit is not None and len(ids) > self.limit:
            what = f"a claim of {len(ids)} tokens does not fit the {self.limit} tokens of the classifier"
            raise ContextOverflow(what, where=self.name, remedy="let members write shorter passages (passage_tokens)")
        return tuple(ids), tuple(segments)

    def _values(self, model: Any, ids: Any, mask: Any, segments: dict[str, Any]) -> Any:
        logits = model(input_ids=ids, attention_mask=mask, **segments).logits.float()
        chances = logits.sigmoid() if logits.shape[-1] == 1 else logits.softmax(-1)
        truth = chances[:, self.output]
        if self.against is not None:
            truth = (truth - chances[:, self.place(self.against)] + 1) / 2
        return truth[:, None]


def build_model(reference: str, *, name: str, **options: Any) -> ClaimClassifier:
    """The backend ``claims``: a folder or hub id, with ``label``, ``against`` and the options of an encoder.

    Raises ConfigError naming an option that does not exist.
    """
    check_options(options, ("label", "against", *OPTIONS), name)
    return ClaimClassifier(reference, name=name, **options)
