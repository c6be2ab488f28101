"""Sessions of models that run in this process, over their token streams.

Invariant: (prompt, ids, request) decide everything a session says. What this object knows besides, the text and how much was
read, follows from them; caches live in the engine and may vanish.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from moco.core.errors import ContextOverflow
from moco.core.seeds import derive
from moco.core.types import Request, Usage
from moco.models.batching import Batcher
from moco.models.protocol import Counters, StoreKey, TokenScores
from moco.models.rendering import split_reasoning
from moco.models.sampler import Params, draw, log_softmax
from moco.models.session import Segment, Session, Step, Until, tokens_wanted
from moco.models.session_engine import BUDGET, Job, SessionEngine
from moco.models.session_jobs import Extension, Ids, Look, Seat, common, growth, readings
from moco.models.streams import LogitModel, Logits

UNBOUNDED = 1 << 40


class SessionModel(LogitModel, Protocol):
    """A model over whose streams sessions run; its prompts are token ids."""

    def key(self, request: Request) -> StoreKey: ...


@dataclass
class Meter:
    """Tokens a session and its forks have read and drawn, counted as if no cache were ever dropped."""

    read: int = 0
    drawn: int = 0


class Place:
    """Where the sessions of ``model`` meet: its engine and the queue before it."""

    def __init__(
        self, model: SessionModel, *, budget: int = BUDGET, counters: Counters | None = None, max_wait_s: float | None = None
    ) -> None:
        name, device, width = model.name, model.device, model.vocabulary.width
        self.model = model
        self.engine = SessionEngine(model.streams, name=name, width=width, device=device, budget=budget, counters=counters)
        self.queue: Batcher[Job, Any] = Batcher(
            serve=self.engine.serve, device=device, counters=counters, name=f"{name} sessions", max_wait_s=max_wait_s
        )

    async def open(self, request: Request) -> LocalSession:
        """A session that begins with ``request``; raises what rendering raises (ContextOverflow, ConfigError)."""
        return LocalSession(self, request)


class LocalSession(Session):
    """A session in this process; see ``Session``. Made by ``model.open``."""

    def __init__(self, place: Place, request: Request) -> None:
        super().__init__(request)
        self._place, self._model = place, place.model
        self._seat, self._root = Seat(), True
        self._begin(request)

    def _begin(self, request: Request, read: Ids = ()) -> None:
        """State of an answer not begun; ``read``: ids known from before."""
        model = self._model
        self._prompt: Ids = tuple(model.prompt(request))
        self._space = model.room(request.but(sampling=request.sampling.but(max_tokens=UNBOUNDED)))
        self._seed = model.key(request).seed
        self._text, self._ids = "", list[int]()
        self._settled = 0  # ids that are whole in the text
        self._unbroken = 0  # where the text begins that ``extend`` wrote without a break
        self._read, self._meter = read, Meter()

    @property
    def text(self) -> str:
        return self._text

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(self._ids)

    @property
    def usage(self) -> Usage:
        return Usage(self._meter.read, self._meter.drawn, 1)

    # questions

    async def peek(self) -> Step:
        async with self._lock:
            (step,) = await self._steps([tuple(self._ids)], self._settled)
            return step

    async def verify(self, texts: Sequence[str]) -> list[Step]:
        async with self._lock:
            before = ["".join(texts[:i]) for i in range(len(texts))]
            return await self._steps([self._encode(self._text + b) for b in before]) if texts else []

    async def logits(self) -> NDArray[np.float32]:
        async with self._lock:
            rows: Logits = await self._look([tuple(self._ids)], lambda rows: rows)
            return np.asarray(rows[0], np.float32)

    async def score(self, labels: Sequence[str], end_turn: bool = False) -> list[TokenScores]:
        async with self._lock:
            base = self._encode(self._text)
            asked = [self._behind(base, label) for label in labels]
            wanted = [(*base, *ids[:j]) for ids in asked for j in range(len(ids) + end_turn)]
            rows: Logits = await self._look(wanted, lambda rows: rows) if wanted else np.zeros((0, 1), np.float32)
            scores, at, eos = [], 0, list(self._model.vocabulary.eos)
            for ids in asked:
                law = log_softmax(rows[at : at + len(ids) + end_turn])
                end = float(np.logaddexp.reduce(law[-1][eos])) if end_turn and eos else 0.0
                scores.append(TokenScores(ids, tuple(float(law[j][token]) for j, token in enumerate(ids)), end))
                at += len(law)
            self._note(labels, scores)
            return scores

    async def _steps(self, answers: Sequence[Ids], settled: int | None = None) -> list[Step]:
        """The token after each of ``answers`` (answer ids), of which ``settled`` are whole in the text (default: all)."""
        sampling, seed, eos = self.request.sampling, self._seed, self._model.vocabulary.eos

        def read(rows: Logits) -> Any:
            params = Params.of([sampling] * len(rows), [seed] * len(rows))
            return draw(rows, params, np.array([len(a) for a in answers], np.int64))

        ids, logprobs = await self._look(answers, read)
        steps = []
        for i, (answer, token) in enumerate(zip(answers, map(int, ids), strict=True)):
            whole = (*self._prompt, *answer)
            cut = len(whole) if settled is None else len(self._prompt) + settled
            piece = "" if token in eos else growth(self._model.codec, whole[:cut], [*whole[cut:], token])
            steps.append(Step(piece, token, float(logprobs[i]), token in eos, i))
        return steps

    async def _look(self, answers: Sequence[Ids], read: Any) -> Any:
        if (longest := max(map(len, answers))) >= self._space:
            raise self._overflow(longest)
        contexts = [(*self._prompt, *a) for a in answers]
        result = await self._place.queue.submit(Look(self._seat, contexts, read))
        for row in reversed(readings(contexts)):
            self._meter.read += len(row.ids) - common(row.ids, self._read)
        self._read = max(contexts, key=len)
        return result

    def _overflow(self, answer: int) -> ContextOverflow:
        return ContextOverflow(
            f"prompt and answer of {len(self._prompt) + answer} tokens leave no room in the context",
            where=self._model.name,
            remedy="crop or end the answer, or choose a model with a longer context",
        )

    # writing

    async def extend(self, until: Until | None = None, n: int | None = None) -> Segment:
        async with self._lock:
            wanted, room = tokens_wanted(n, len(self._ids), self.request), self._space - len(self._ids)
            if wanted < 1 or room < 1:
                self._finish = "length" if wanted < 1 else "context"
                return Segment("", (), self._finish)
            job = Extension(
                self._seat,
                self._prompt,
                list(self._ids),
                self._settled,
                self._model.codec,
                self._model.vocabulary.eos,
                self.request.sampling,
                self._seed,
                min(wanted, room),
                until,
                self._text[self._unbroken :],
            )
            done: Extension = await self._place.queue.submit(job)
            self._commit(done)
            if done.finish == "length" and room < wanted:
                done.finish = "context"
            self._finish = done.finish
            return Segment(done.text, tuple(done.steps), done.finish, done.refused)

    def _commit(self, done: Extension) -> None:
        context = (*self._prompt, *self._ids)
        self._meter.read += len(context) - common(context, self._read)
        self._meter.drawn += done.drawn
        self._read = (*context, *(s.id for s in done.steps))
        self._ids, self._settled = done.ids, done.settled
        self._text = self._text[: len(self._text) - done.back] + done.text
        if done.finish == "stop":
            self._rewrite(self._text)

    async def append(self, text: str = "", *, ids: Sequence[int] | None = None) -> None:
        async with self._lock:
            if ids is not None:
                whole = [*self._ids[self._settled :], *ids]
                piece = growth(self._model.codec, (*self._prompt, *self._ids[: self._settled]), whole)
                self._ids += ids
                if piece:
                    self._text, self._settled = self._text + piece, len(self._ids)
            if text:
                self._rewrite(self._text + text)
            if text or ids:
                self._unbroken = len(self._text)

    async def crop(self, chars: int) -> None:
        async with self._lock:
            if chars < len(self._text):
                self._rewrite(self._text[: max(chars, 0)])

    def _rewrite(self, text: str) -> None:
        self._text, self._ids = text, list(self._encode(text))
        self._settled, self._unbroken = len(self._ids), min(self._unbroken, len(text))

    def _encode(self, text: str) -> Ids:
        """Answer ids of ``text``, encoded behind the prompt; control tokens spelled in it stay text."""
        if not text:
            return ()
        try:
            ids = tuple(self._model.continuation(self.request, text))
        except ContextOverflow:  # the text stands; what needs room for it says so
            ids = tuple(self._model.codec.encode(text))
        return self._spelled(text, ids)

    def _spelled(self, text: str, ids: Ids) -> Ids:
        vocabulary, codec = self._model.vocabulary, self._model.codec
        found = {vocabulary.ids[s]: s for s in vocabulary.specials if s in text and s in vocabulary.ids}
        if not found:
            return ids
        out: list[int] = []
        for i in ids:
            out += [*codec.encode(found[i][:1]), *codec.encode(found[i][1:])] if i in found else [i]
        return tuple(out)

    def _behind(self, base: Ids, text: str) -> Ids:
        """Ids of ``text`` behind the answer ``base``: what joint encoding adds, else encoded apart."""
        whole = self._encode(self._text + text)
        if whole[: len(base)] == base:
            return whole[len(base) :]
        return self._spelled(text, tuple(self._model.codec.encode(text)))

    # life

    def _fork(self, request: Request) -> LocalSession:
        if request.seed is not None and request.draw != self.request.draw:
            request = request.but(seed=derive(request.seed, request.draw[-1]))
        twin = LocalSession(self._place, request)
        for name in ("_text", "_settled", "_unbroken", "_read", "_meter", "_finish"):
            setattr(twin, name, getattr(self, name))
        twin._ids, twin._root, twin._seat = list(self._ids), False, Seat(self._seat)
        return twin

    def _reopen(self, request: Request) -> None:
        meter = self._meter
        self._begin(request, self._read)
        if not self._root:
            self._meter = meter

    def _close(self) -> None:
        self._place.engine.memory.leave(self._seat)

    def _visible(self) -> tuple[str, str]:
        return split_reasoning(self._text, opened=self._model.thinking(self.request))


__all__ = ["LocalSession", "Place", "SessionModel"]
