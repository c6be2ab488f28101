"""A slow twin of a session: it keeps the text and ids, encodes and computes everything anew for every single token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from moco.core.types import Request
from moco.models.sampler import Params, draw, log_softmax
from moco.models.session import Until
from moco.testing import TableModel


class Twin:
    """``text`` and ``ids`` as a session of ``model`` must have them; nothing is cached, every forward pass is whole."""

    def __init__(self, model: Any, request: Request) -> None:
        self.model = model
        self.begin(request)

    def begin(self, request: Request) -> None:
        self.request, self.prompt = request, tuple(self.model.prompt(request))
        self.whole = self.text = ""  # the text by hand, and with what was written behind it
        self.ids: list[int] = []
        self.by_hand = 0  # ids of ``whole``
        self.unbroken = 0

    @property
    def eos(self) -> tuple[int, ...]:
        return (self.model.eos,) if isinstance(self.model, TableModel) else self.model.tokens.eos

    def logits(self, answer: Sequence[int]) -> Any:
        ids = [*self.prompt, *answer]
        if isinstance(self.model, TableModel):
            return self.model.logits(ids)
        import torch

        with torch.inference_mode():
            return self.model.load().model(torch.tensor([ids])).logits[0, -1].double().numpy()

    def encode(self, text: str) -> list[int]:
        if isinstance(self.model, TableModel):
            return [i for i in self.model.encode(text) if i != self.model.eos]
        marks = [s for s in self.model.tokens.specials if s in text]
        joint = self.model.renderer.ids(self.request.but(prefix=self.request.prefix + text))
        same = joint[: len(self.prompt)] == self.prompt
        ids = list(joint[len(self.prompt) :]) if same else self.model.tokens.encode(text)
        encode, spelled = self.model.tokens.encode, list[int]()
        for i in ids:
            mark = next((s for s in marks if self.model.tokens.id_of(s) == i), None)
            spelled += [i] if mark is None else encode(mark[0]) + encode(mark[1:])
        return spelled

    def next(self, answer: Sequence[int]) -> tuple[int, float]:
        params = Params.of([self.request.sampling], [self.model.key(self.request).seed])
        ids, logprobs = draw(self.logits(answer)[None], params, np.array([len(answer)], np.int64))
        return int(ids[0]), float(logprobs[0])

    def rewrite(self, text: str) -> None:
        self.whole = self.text = text
        self.ids = self.encode(text)
        self.by_hand = len(self.ids)
        self.unbroken = min(self.unbroken, len(text))

    def push(self, token: int) -> None:
        self.ids.append(token)
        before = [*self.prompt, *self.ids[: self.by_hand]]
        self.text = self.whole + self.model.codec.piece(before, self.ids[self.by_hand :]).rstrip("\ufffd")

    def append(self, text: str = "", ids: Sequence[int] = ()) -> None:
        for i in ids:
            self.push(i)
        if text:
            self.rewrite(self.text + text)
        if text or ids:
            self.unbroken = len(self.text)

    def crop(self, chars: int) -> None:
        if chars < len(self.text):
            self.rewrite(self.text[:chars])

    def extend(self, until: Until | None, n: int, judge: Any) -> tuple[list[int], str]:
        """Accepted ids and why it ended; ``judge(token, piece, logprob, index)`` makes the step that ``until`` sees."""
        accepted: list[int] = []
        while len(accepted) < n:
            token, logprob = self.next(self.ids)
            if token in self.eos:
                return accepted, "eos"
            text = self.text
            self.push(token)
            if until is not None and until(judge(token, self.text[len(text) :], logprob, len(accepted))):
                self.ids.pop()
                self.text = text
                return accepted, "until"
            accepted.append(token)
            written = self.text[self.unbroken :]
            found = [at for s in self.request.sampling.stop if (at := written.find(s)) >= 0]
            if found:
                self.rewrite(self.text[: self.unbroken + min(found)])
                return accepted, "stop"
        return accepted, "length"

    def verify(self, texts: Sequence[str]) -> list[tuple[int, float]]:
        return [self.next(self.encode(self.text + "".join(texts[:i]))) for i in range(len(texts))]

    def score(self, label: str) -> tuple[list[float], float]:
        base, ids = self.encode(self.text), self.encode(self.text + label)
        rest = ids[len(base) :] if ids[: len(base)] == base else self.apart(label)
        law = [log_softmax(self.logits([*base, *rest[:j]])) for j in range(len(rest) + 1)]
        values = [float(row[token]) for row, token in zip(law, rest, strict=False)]
        return values, float(np.log(np.exp(law[-1][list(self.eos)]).sum()))

    def apart(self, text: str) -> list[int]:
        if isinstance(self.model, TableModel):
            return self.encode(text)
        return list(self.model.tokens.encode(text))
