"""Models for tests: one that says what it is told, one whose next-token distribution is a given function.

Both are Models like any other (keys, seeds, usage, capabilities), deterministic and free of torch. ``TableModel`` draws
with the sampler of the in-process backend, so fidelity tests of token-level methods can compute the law by hand.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence

import numpy as np

from moco.core.errors import ConfigError, ContextOverflow
from moco.core.seeds import digest
from moco.core.types import Completion, Finish, Request, Usage
from moco.models.protocol import Capabilities, Counters, StoreKey, TokenScores, Vectors, canonical_prompt, store_key
from moco.models.sampler import Floats, Params, draw
from moco.models.session_local import LocalSession, Place
from moco.models.streams import Logits, Saved, Vocabulary

Reply = Callable[[Request], str | Completion] | str


class ScriptedModel:
    """Says ``reply``, or what ``reply(request)`` returns; every request is kept in ``requests``, in order.

    A reply that is text gets usage in words, one call. An exception raised by ``reply`` is the model's failure. ``reward``
    (request and text to a number) and ``embed`` (a text to numbers) give it the capabilities REWARD and EMBED. With ``logprobs``
    it has LOGPROBS too: its replies are then Completions with ``logprobs``, one number <= 0 per token.
    """

    def __init__(
        self,
        name: str,
        reply: Reply = "",
        *,
        fingerprint: str | None = None,
        reward: Callable[[Request, str], float] | None = None,
        embed: Callable[[str], Sequence[float]] | None = None,
        logprobs: bool = False,
    ) -> None:
        self.name, self.reply, self._reward, self._embed, self.logprobs = name, reply, reward, embed, logprobs
        self.requests: list[Request] = []
        self.counters = Counters()
        given = (("REWARD", reward is not None), ("EMBED", embed is not None), ("LOGPROBS", logprobs))
        more = [name for name, has in given if has]
        self.capabilities = Capabilities(frozenset({"TEXT", "PREFIX", "RAW", "IDS", *more}))
        self._fingerprint = fingerprint or digest("scripted", name)

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def key(self, request: Request) -> StoreKey:
        return store_key(self.fingerprint, "scripted", canonical_prompt(request), request)

    async def generate(self, request: Request) -> Completion:
        """The scripted reply as a Completion; raises ConfigError for one without the log-probabilities it was said to have."""
        self.requests.append(request)
        self.counters.generated += 1
        said = self.reply if isinstance(self.reply, str) else self.reply(request)
        if self.logprobs and not (isinstance(said, Completion) and said.logprobs):
            remedy = "reply with moco.Completion(text, logprobs=(-0.1, ...))"
            raise ConfigError(f"scripted model '{self.name}' gave no log-probabilities", remedy=remedy)
        if isinstance(said, Completion):
            return said
        return Completion(said, usage=Usage(_words(request), len(said.split()), 1))

    async def score(self, request: Request, continuation: str) -> TokenScores:
        """Raises ConfigError: a script has no probabilities (use TableModel)."""
        raise ConfigError(f"scripted model '{self.name}' cannot score", remedy="use moco.testing.TableModel")

    async def reward(self, request: Request, text: str) -> float:
        """The scripted reward; raises ConfigError where none was given."""
        self.counters.generated += 1
        if self._reward is None:
            raise ConfigError(f"scripted model '{self.name}' gives no rewards", remedy="give it reward=...")
        return float(self._reward(request, text))

    def reward_tokens(self, request: Request, text: str) -> int:
        """Words that are read for a reward."""
        return _words(request) + len(text.split())

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """[text, dimension]: the scripted numbers, scaled to length 1; raises ConfigError where none were given."""
        self.counters.generated += len(texts)
        if self._embed is None:
            raise ConfigError(f"scripted model '{self.name}' cannot embed texts", remedy="give it embed=...")
        found = np.asarray([self._embed(text) for text in texts], np.float32)
        unit: Vectors = found / np.maximum(np.linalg.norm(found, axis=-1, keepdims=True), np.float32(1e-12))
        return unit

    def embed_tokens(self, text: str) -> int:
        """Words that are read of a text."""
        return len(text.split())


def _words(request: Request) -> int:
    prompt = " ".join(m.content for m in request.messages) + " " + (request.text or "") + " " + request.prefix
    return len(prompt.split()) + len(request.ids or ())


class TableModel:
    """A language model over ``tokens`` whose next-token probabilities are ``next(ids so far)``.

    The ids so far are those of the prompt and the emitted ones. A prompt in messages is the last user message, raw text
    is itself; text becomes ids by longest match from the left, and characters that no token matches are skipped. The end
    of sequence is the token "<eos>", else the last one; it never shows in text. ``next`` returns one number >= 0 per
    token; they are normalised. Raises ConfigError for a distribution of the wrong length or without mass.
    """

    def __init__(
        self,
        name: str,
        tokens: Sequence[str],
        next: Callable[[tuple[int, ...]], Sequence[float]],
        *,
        fingerprint: str | None = None,
        context: int | None = None,
    ) -> None:
        if not tokens or len(set(tokens)) != len(tokens):
            raise ConfigError("the tokens of a TableModel must be given and differ", where=name)
        self.name, self.tokens, self.next, self.context = name, tuple(tokens), next, context
        self.eos = self.tokens.index("<eos>") if "<eos>" in self.tokens else len(self.tokens) - 1
        self.requests: list[Request] = []
        self.counters = Counters()
        self.capabilities = Capabilities(frozenset({"TEXT", "PREFIX", "RAW", "IDS", "LOGPROBS", "SCORE", "LOGITS", "SESSION"}))
        self._fingerprint = fingerprint or digest("table", name, list(tokens))
        self._of = {token: i for i, token in enumerate(self.tokens)}
        longest_first = sorted((t for t in self.tokens if t), key=len, reverse=True)
        self._match = re.compile("|".join(re.escape(t) for t in longest_first))

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def encode(self, text: str) -> tuple[int, ...]:
        """Ids of ``text`` by longest match; what no token matches is skipped."""
        return tuple(self._of[m] for m in self._match.findall(text))

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(self.tokens[i] for i in ids if i != self.eos)

    def piece(self, before: Sequence[int], ids: Sequence[int]) -> str:
        return self.decode(ids)

    def render(self, request: Request) -> tuple[int, ...]:
        """The prompt ids of ``request``, its prefix included."""
        if request.ids is not None:
            return (*request.ids, *self.encode(request.prefix))
        text = request.text
        if text is None:
            text = next((m.content for m in reversed(request.messages) if m.role == "user"), "")
        return self.encode(text + request.prefix)

    def key(self, request: Request) -> StoreKey:
        return store_key(self.fingerprint, "table", list(self.render(request)), request)

    def logits(self, ids: Sequence[int]) -> Floats:
        """Natural-log probabilities (vocabulary,) of the token after ``ids``; -inf where the table says 0."""
        p = np.asarray(self.next(tuple(ids)), np.float64)
        if p.shape != (len(self.tokens),) or not np.isfinite(p).all() or (p < 0).any() or p.sum() <= 0:
            raise ConfigError(f"the table gave no distribution over {len(self.tokens)} tokens", where=self.name)
        with np.errstate(divide="ignore"):
            out: Floats = np.log(p / p.sum())
        return out

    async def generate(self, request: Request) -> Completion:
        """Sample until end, stop string or length; raises ContextOverflow if the prompt fills ``context``."""
        self.requests.append(request)
        self.counters.generated += 1
        prompt, sampling, limit = self.render(request), request.sampling, self.room(request)
        params = Params.of([sampling], [self.key(request).seed])
        ids: list[int] = []
        logprobs: list[float] = []
        finish: Finish = "length"
        text = ""
        for position in range(limit):
            drawn, logprob = draw(self.logits((*prompt, *ids))[None], params, np.array([position], np.int64))
            ids.append(int(drawn[0]))
            logprobs.append(float(logprob[0]))
            text = self.decode(ids)
            cut = min((at for s in sampling.stop if (at := text.find(s)) >= 0), default=-1)
            if ids[-1] == self.eos or cut >= 0:
                finish, text = "stop", text[:cut] if cut >= 0 else text
                break
        usage = Usage(len(prompt), len(ids), 1)
        return Completion(text, ids=tuple(ids), logprobs=tuple(logprobs), finish=finish, usage=usage)

    async def score(self, request: Request, continuation: str) -> TokenScores:
        """Log-probabilities of ``continuation`` after the prompt, and of the end after it."""
        prompt, ids = self.render(request), self.encode(continuation)
        logprobs = tuple(float(self.logits((*prompt, *ids[:i]))[token]) for i, token in enumerate(ids))
        return TokenScores(ids, logprobs, float(self.logits((*prompt, *ids))[self.eos]), len(prompt) + len(ids))

    # what a model with LOGITS gives (moco.models.streams.LogitModel)

    device = "cpu"
    engine = "table"
    max_rows = 1024

    @property
    def codec(self) -> TableModel:
        return self

    @property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary(self._of, (self.eos,), len(self.tokens), frozenset({self.tokens[self.eos]}))

    def prompt(self, request: Request) -> tuple[int, ...]:
        """``render``; raises ContextOverflow if it fills ``context``."""
        self.room(request)
        return self.render(request)

    def room(self, request: Request) -> int:
        """Tokens that may be emitted; raises ContextOverflow if there is no room for one."""
        limit, taken = request.sampling.max_tokens, len(self.render(request))
        if self.context is None:
            return limit
        if taken >= self.context:
            raise ContextOverflow(f"prompt of {taken} tokens, context of {self.context}", where=self.name)
        return min(limit, self.context - taken)

    def thinking(self, request: Request) -> bool:
        return False

    def continuation(self, request: Request, text: str) -> tuple[int, ...]:
        return self.encode(text)

    def streams(self) -> TableStreams:
        return TableStreams(self)

    @functools.cached_property
    def _sessions(self) -> Place:
        return Place(self, counters=self.counters)

    async def open(self, request: Request) -> LocalSession:
        """A session that begins with ``request``; raises ContextOverflow if the prompt fills ``context``."""
        self.requests.append(request)
        return await self._sessions.open(request)


class TableStreams:
    """Token streams of a TableModel; ``forwards`` of its counters grows by one per batch of logits computed."""

    def __init__(self, model: TableModel) -> None:
        self.model, self.max_rows = model, model.max_rows

    def open(self, prompts: Sequence[Sequence[int]]) -> TableBatch:
        return TableBatch(self.model, [list(p) for p in prompts])

    def attach(self, saved: Sequence[Saved]) -> TableBatch:
        return self.open([s.ids for s in saved])


class TableBatch:
    """Rows of ids under a table; see ``moco.models.streams``."""

    joinable = True

    def __init__(self, model: TableModel, ids: list[list[int]]) -> None:
        self.model, self.ids = model, ids
        self._read: Logits | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def logits(self) -> Logits:
        if self._read is None:
            self.model.counters.forwards += 1
            self._read = np.array([self.model.logits(row) for row in self.ids], np.float32)
        return self._read

    def push(self, new: Sequence[Sequence[int]]) -> None:
        for row, ids in zip(self.ids, new, strict=True):
            row.extend(ids)
        self._read = None

    def verify(self, new: Sequence[Sequence[int]]) -> list[Logits]:
        begun = [len(row) for row in self.ids]
        self.push(new)
        self.model.counters.forwards += 1
        return [
            np.array([self.model.logits(row[:n]) for n in range(start, len(row) + 1)], np.float32)
            for start, row in zip(begun, self.ids, strict=True)
        ]

    def keep(self, rows: Sequence[int]) -> None:
        self.ids = [list(self.ids[i]) for i in rows]
        self._read = None if self._read is None else self._read[list(rows)]

    def join(self, other: TableBatch) -> None:
        self.ids, self._read = self.ids + other.ids, None

    def crop(self, lengths: Sequence[int]) -> None:
        self.ids, self._read = [row[:n] for n, row in zip(lengths, self.ids, strict=True)], None

    def detach(self, row: int) -> Saved:
        return Saved(tuple(self.ids[row]))
