"""Reward models: any sequence-classification checkpoint, asked how good a text is as the answer to a request.

The conversation is rendered by the tokenizer's chat template, else as the pair of texts that such checkpoints were trained on
(arXiv 2009.01325: one number per prompt and answer). Nothing is cut: what does not fit is a ContextOverflow.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from moco.core.errors import ConfigError, ContextOverflow, PoolError, did_you_mean
from moco.core.seeds import digest
from moco.core.types import Message, Request
from moco.models.encoder import OPTIONS, Encoder, Row
from moco.models.hf import folder_hash
from moco.models.member import check_options
from moco.models.protocol import Capabilities


class RewardModel(Encoder):
    """A sequence-classification checkpoint. One output is the reward itself; of several, ``label`` (name or number) says which.

    The reward of a label is its log-probability, for checkpoints of regression or of several labels at once the bare output.
    Raises PoolError or ConfigError where a local folder holds no such checkpoint or label; of a hub id this is found when it is
    first asked.
    """

    capabilities = Capabilities(frozenset({"REWARD"}))
    purpose = "a reward model"

    def __init__(self, path: str | Path, *, name: str, label: str | int | None = None, **options: Any) -> None:
        super().__init__(path, name=name, **options)
        self.label = label
        if Path(path).is_dir():
            _ = self.output

    @functools.cached_property
    def output(self) -> int:
        """Which output of the checkpoint is read."""
        config = self.files.config
        kinds = config.get("architectures") or []
        if kinds and not any(kind.endswith("ForSequenceClassification") for kind in kinds):
            raise PoolError(
                f"'{self.name}' is not {self.purpose}",
                where=str(self.folder),
                why=f"it was saved as {kinds[0]}",
                remedy="name a checkpoint for sequence classification",
            )
        names = labels_of(config)
        if self.label is None:
            if len(names) == 1:
                return 0
            raise ConfigError(
                f"'{self.name}' has {len(names)} outputs",
                where=str(self.folder),
                remedy=f"say which one is to be read: {{model: ..., label: {names[0]}}}",
            )
        return self.place(self.label)

    def place(self, label: str | int) -> int:
        """Which output is called ``label``, in any case, or has this number; raises ConfigError where there is none."""
        names = labels_of(self.files.config)
        if isinstance(label, int) and 0 <= label < len(names):
            return label
        folded = [name.casefold() for name in names]
        if str(label).casefold() not in folded:
            remedy = did_you_mean(str(label), names)
            raise ConfigError(f"'{self.name}' has no output '{label}'", where=str(self.folder), remedy=remedy)
        return folded.index(str(label).casefold())

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hash of all files, the dtype and the output that is read."""
        return digest("reward", folder_hash(self.folder), self.files.dtype, self.output)

    async def reward(self, request: Request, text: str) -> float:
        """The reward of ``text``, behind the request's prefix, as the answer to ``request``.

        Raises ContextOverflow where both do not fit, ConfigError for a request in token ids, Fatal if the model fails.
        """
        row = self.row(request, text)
        if self.limit is not None and len(row[0]) > self.limit:
            raise ContextOverflow(
                f"question and answer of {len(row[0])} tokens do not fit the {self.limit} tokens of the reward model",
                where=self.name,
                remedy="limit max_tokens, or name a reward model that reads more",
            )
        _ = self.output
        return float((await self.passes.submit(row))[0])

    def reward_tokens(self, request: Request, text: str) -> int:
        """Tokens that are read for a reward."""
        return len(self.row(request, text)[0])

    def row(self, request: Request, text: str) -> Row:
        """The conversation as token ids, exactly one BOS where the tokenizer has one."""
        if request.ids is not None:
            raise ConfigError("a reward model reads text, not token ids", where=self.name, remedy="give messages or text")
        asked = request.messages or (Message("user", request.text or ""),)
        answer = request.prefix + text
        tokens, renderer = self.files.tokens, self.files.renderer
        if tokens.template is None:
            question = asked[0].content if len(asked) == 1 else renderer.text(asked, answered=True)
            ids, segments = tokens.wrapped(question, answer)
            return tuple(ids), tuple(segments)
        ids = tokens.encode(renderer.text((*asked, Message("assistant", answer)), answered=True))
        while tokens.bos is not None and ids[:2] == [tokens.bos, tokens.bos]:
            ids = ids[1:]
        return tuple(ids), (0,) * len(ids)

    def _open(self) -> Any:
        from transformers import AutoModelForSequenceClassification

        return AutoModelForSequenceClassification.from_pretrained(str(self.folder), **self.options_of_loading())

    def _values(self, model: Any, ids: Any, mask: Any, segments: dict[str, Any]) -> Any:
        logits = model(input_ids=ids, attention_mask=mask, **segments).logits.float()
        bare = logits.shape[-1] == 1 or model.config.problem_type in ("regression", "multi_label_classification")
        return (logits if bare else logits.log_softmax(-1))[:, self.output : self.output + 1]


def labels_of(config: dict[str, Any]) -> list[str]:
    """Names of a classifier's outputs, in order; two, as transformers has it, where its config names none."""
    named = config.get("id2label")
    if isinstance(named, dict) and named:
        return [str(named[key]) for key in sorted(named, key=int)]
    return [f"LABEL_{i}" for i in range(int(config.get("num_labels") or 2))]


def build_model(reference: str, *, name: str, **options: Any) -> RewardModel:
    """The backend ``reward``: what ``aux.reward`` names, a folder or hub id, with ``label`` and the options of an encoder.

    Raises ConfigError naming an option that does not exist.
    """
    check_options(options, ("label", *OPTIONS), name)
    return RewardModel(reference, name=name, **options)
