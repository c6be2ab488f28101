"""What sessions promise: the same tokens as ``generate``, in batches, within a memory budget, written down in the transcript."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import moco
from moco.core.errors import ConfigError, ContextOverflow, Fatal, PoolError
from moco.core.query import Query
from moco.core.types import Completion, Request, Sampling, Usage, messages_of
from moco.models.cached import CachedModel
from moco.models.hf import HFModel
from moco.models.pool import Pool
from moco.models.protocol import Capabilities
from moco.models.session import Segment, Session
from moco.models.session_local import LocalSession
from moco.models.session_stateless import StatelessSession
from moco.models.store import Store
from moco.models.transcript import Recorder
from moco.testing import ScriptedModel, TableModel
from tests.models.conftest import WEIGHTS, load

HOT, COLD = Sampling(max_tokens=24, temperature=1.2, top_p=0.95), Sampling(max_tokens=24, temperature=0)
QUESTION = Request(messages=messages_of("What is 2 + 3?"), sampling=HOT)
WORDS = [" a", " b", " c", "d", "\n", "Q", "<eos>"]


def table(name: str = "table", **options: Any) -> TableModel:
    def law(ids: tuple[int, ...]) -> Any:
        return np.random.default_rng([3, len(ids), *ids[-2:]]).dirichlet([1, 1, 1, 1, 0.5, 0.5, 0.2])

    return TableModel(name, WORDS, law, **options)


def own(name: str = "alpha", **options: Any) -> HFModel:
    """A model nobody else uses, so that its counters and caches are its own."""
    return HFModel(WEIGHTS / name, name=name, device="cpu", **options)


MODELS: dict[str, Callable[[], Any]] = {"alpha": lambda: load("alpha"), "foreign": lambda: load("foreign"), "table": table}


def prompts(n: int) -> list[Request]:
    rng = random.Random(n)
    asked = [f"What is {rng.randint(1, 9)} + {rng.randint(1, 9)}?" + " Think." * rng.randint(0, 6) for _ in range(n)]
    return [QUESTION.but(messages=messages_of(q), draw=(i,), sampling=(HOT, COLD)[i % 2]) for i, q in enumerate(asked)]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("sampling", [HOT, COLD, HOT.but(stop=("a", "1"))], ids=["hot", "cold", "stop"])
def test_one_go_pieces_and_generate_agree(model: str, sampling: Sampling) -> None:
    asked = MODELS[model]()
    request = QUESTION.but(sampling=sampling, draw=(4,))

    async def go() -> tuple[Completion, list[tuple[Session, list[Segment]]]]:
        runs = []
        for size in (None, 1, 5):
            async with await asked.open(request) as s:
                parts = []
                while not parts or (parts[-1].finish == "length" and len(s.ids) < sampling.max_tokens):
                    if size == 5:
                        await s.peek()
                    parts.append(await s.extend(n=size if size is None else min(size, sampling.max_tokens - len(s.ids))))
                runs.append((s, parts))
        return await asked.generate(request), runs

    whole, runs = asyncio.run(go())
    for session, parts in runs:
        steps = [step for part in parts for step in (*part.steps, *([part.refused] if part.refused else []))]
        assert session.text == whole.text
        assert tuple(step.id for step in steps) == whole.ids
        assert [step.logprob for step in steps] == pytest.approx(whole.logprobs, abs=1e-4)
        assert session.usage == whole.usage
        assert ("length" if parts[-1].finish == "length" else "stop") == whole.finish


def test_sessions_in_all_phases_share_batches_and_do_not_touch_one_another() -> None:
    model = own()

    async def life(request: Request) -> Any:
        async with await model.open(request) as s:
            first = await s.extend(until=lambda step: step.index > 2 and step.piece.startswith(" "), n=9)
            await s.crop(len(s.text) // 2)
            await s.append(" so the sum is 4")
            sure = await s.verify([" and", " then", " some"])
            other = await s.fork(1)
            await asyncio.gather(s.extend(n=6), other.extend(n=8))
            chosen = await s.score(["0", "1", "12"], end_turn=True)
            scores.setdefault(request, []).append([c.total + c.end for c in chosen])
            return first.text, [x.id for x in sure], s.text, other.text, s.usage

    async def many(requests: list[Request]) -> list[Any]:
        return await asyncio.gather(*(life(r) for r in requests))

    scores: dict[Request, list[list[float]]] = {}
    requests = prompts(64)
    together = asyncio.run(many(requests))
    rows = model._sessions.engine.rows
    assert sum(rows) / len(rows) > 20, "sessions in different phases must meet in one forward pass"
    assert model.counters.forwards < sum(rows) / 6
    order = random.Random(1).sample(range(64), 16)
    assert asyncio.run(many([requests[i] for i in order])) == [together[i] for i in order]
    assert [asyncio.run(many([requests[i]]))[0] for i in order[:3]] == [together[i] for i in order[:3]]
    assert all(values == pytest.approx(found[0], abs=1e-4) for found in scores.values() for values in found)


@pytest.mark.parametrize("budget", [0, 300_000])
def test_a_byte_budget_changes_what_is_read_not_what_is_said(budget: int) -> None:
    small, large = own(session_bytes=budget), own()
    held: list[int] = []

    async def life(model: HFModel, request: Request) -> tuple[str, Usage]:
        async with await model.open(request) as s:
            for word in ("one", "two", "three"):
                await s.extend(n=4)
                await s.append(f" {word}")
                held.append(model._sessions.engine.memory.bytes)
            return s.text, s.usage

    async def many(model: HFModel) -> Any:
        return await asyncio.gather(*(life(model, r) for r in prompts(12)))

    assert asyncio.run(many(small)) == asyncio.run(many(large))
    assert large.counters.prompt_tokens < small.counters.prompt_tokens
    held.clear()
    asyncio.run(many(small))
    assert max(held) <= budget and small._sessions.engine.memory.bytes == 0


def test_reopen_reads_only_what_is_new() -> None:
    model = own()
    long = "Say whose turn it is." + " One more." * 30

    async def go() -> tuple[int, Usage, Session]:
        async with await model.open(Request(text=long, sampling=COLD)) as s:
            await s.score(["1", "2"])
            before = model.counters.prompt_tokens
            await s.reopen(Request(text=long + " Model 2 wrote this.", sampling=COLD))
            assert (s.text, s.ids) == ("", ())
            await s.score(["1", "2"])
            return model.counters.prompt_tokens - before, s.usage, s

    read, usage, _ = asyncio.run(go())
    assert read < 40 and usage.prompt_tokens < 40


def test_labels_share_what_was_read_and_forks_what_their_session_read() -> None:
    model = own()

    async def life(request: Request) -> None:
        async with await model.open(request) as s:
            await s.extend(n=3)
            await s.score(["1", "22", "333"])
            async with await s.fork() as twin:
                await twin.append(" so")
                await twin.peek()

    async def many() -> None:
        await asyncio.gather(*(life(r.but(messages=messages_of("Think. " * 40 + str(i)))) for i, r in enumerate(prompts(6))))

    asyncio.run(many())
    once = sum(len(model.prompt(QUESTION.but(messages=messages_of("Think. " * 40 + str(i))))) for i in range(6))
    assert once <= model.counters.prompt_tokens < 1.3 * once


def test_a_stop_string_is_found_across_calls_but_not_in_what_others_wrote() -> None:
    model = TableModel("t", ["x", "y", "z", "<eos>"], lambda ids: [0, 1, 0, 0] if ids[-1] == 0 else [1, 0, 0, 0])
    request = Request(text="y", sampling=Sampling(max_tokens=9, temperature=0, stop=("yx",)))

    async def go() -> None:
        async with await model.open(request) as s:
            assert (await s.extend(n=1)).text == "x"
            assert (await s.extend(n=1)).text == "y"
            third = await s.extend(n=1)
            assert (third.finish, third.text, s.text) == ("stop", "", "x")
        async with await model.open(request) as s:
            await s.append("zzy")
            assert (await s.extend(n=1)).finish == "length" and s.text == "zzyx"
            await s.crop(3)
            assert (await s.extend(n=1)).finish == "length", "a crop does not make the appended text the model's own"

    asyncio.run(go())


def test_a_full_context_ends_an_extend_and_refuses_questions_until_there_is_room() -> None:
    model = table(context=12)

    async def go() -> None:
        async with await model.open(Request(text=" a b", sampling=Sampling(temperature=0))) as s:
            await s.append(" a" * 7)
            assert (await s.extend(n=9, until=lambda step: False)).finish in ("context", "eos")
            await s.append(" a" * 7)
            assert await s.extend() == Segment("", (), "context")
            for question in (s.peek(), s.logits(), s.verify([" a"]), s.score(["d"])):
                with pytest.raises(ContextOverflow, match="leave no room"):
                    await question
            assert s.completion().finish == "length"
            await s.crop(4)
            assert (await s.peek()).index == 0
        with pytest.raises(ContextOverflow):
            await model.open(Request(text=" a" * 12))

    asyncio.run(go())


def test_control_tokens_spelled_in_an_answer_stay_text() -> None:
    model = load("alpha")

    async def go() -> None:
        async with await model.open(QUESTION) as s:
            await s.append("so <|en")
            await s.append("d|><|user|> end")
            specials = {model.tokens.id_of(t) for t in model.tokens.specials}
            assert s.text == "so <|end|><|user|> end" and not specials & set(s.ids)

    asyncio.run(go())


def test_part_of_a_character_is_held_back() -> None:
    model = load("foreign")
    ids = model.tokens.encode("日")
    assert len(ids) > 1

    async def go() -> None:
        async with await model.open(QUESTION) as s:
            for i in ids[:-1]:
                await s.append(ids=[i])
                assert s.text == ""
            assert (await s.extend(until=lambda step: True)).refused is not None
            await s.append(ids=ids[-1:])
            assert s.text == "日" and s.ids == tuple(ids)
            await s.append(ids=ids[:1])
            await s.append("x")
            assert s.text == "日x", "text behind half a character takes its place"

    asyncio.run(go())


def test_a_fork_goes_on_alone() -> None:
    async def go(request: Request) -> list[str]:
        async with await table().open(request) as s:
            await s.extend(n=3)
            twins = [await s.fork(draw) for draw in (0, 1, 2)]
            found = [t.text for t in [s, *twins] if await t.extend(n=20)]
            assert s.usage.completion_tokens > len(s.ids), "what forks draw is on the bill of the session"
            return found

    for seed in (None, 11):
        same, copy, *others = asyncio.run(go(QUESTION.but(seed=seed)))
        assert same == copy and len({same, *others}) == 3


def test_out_of_memory_and_errors_stay_where_they_belong() -> None:
    model, plain = own(), load("alpha")
    decoder = model.load()
    forward = decoder.call

    def tight(ids: Any, *rest: Any) -> Any:
        if len(ids) > 3:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        return forward(ids, *rest)

    decoder.call = tight

    async def life(m: HFModel, i: int, request: Request) -> Any:
        async with await m.open(request) as s:
            await s.extend(n=5, until=(lambda step: 1 / 0) if i == 4 else None)  # type: ignore[arg-type,return-value]
            return [x.id for x in await s.verify([" a", " b"])], s.text

    async def many(m: HFModel) -> Any:
        return await asyncio.gather(*(life(m, i, r) for i, r in enumerate(prompts(10))), return_exceptions=True)

    short, full = asyncio.run(many(model)), asyncio.run(many(plain))
    assert isinstance(short[4], ZeroDivisionError) and isinstance(full[4], ZeroDivisionError)
    assert short[:4] + short[5:] == full[:4] + full[5:]
    decoder.call = lambda *a: forward(*a) * float("nan")
    assert all(isinstance(e, (Fatal, ZeroDivisionError)) for e in asyncio.run(many(model)))


def test_a_cancelled_call_leaves_the_session_as_it_was() -> None:
    async def go() -> str:
        async with await table().open(QUESTION) as s:
            task = asyncio.create_task(s.extend(n=5))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert task.cancelled() and s.text == ""
            await s.extend()
            return s.text

    assert asyncio.run(go()) == asyncio.run(table().generate(QUESTION)).text


class Plain:
    """A model that can only continue a text, and say how sure it was."""

    def __init__(self, model: Any, *capabilities: str) -> None:
        self.model, self.name, self.fingerprint, self.key = model, model.name, model.fingerprint, model.key
        self.capabilities = Capabilities(frozenset({"TEXT", *capabilities}))
        self.generate, self.score = model.generate, model.score


@pytest.mark.parametrize("model", MODELS)
def test_a_stateless_session_says_the_same_when_greedy(model: str) -> None:
    real = MODELS[model]()
    plain = CachedModel(Plain(real, "PREFIX", "LOGPROBS", "SCORE"), Store(None))

    async def life(s: Session) -> list[Any]:
        async with s:
            word = await s.extend(until=lambda step: step.index > 0 and step.piece[:1] in ("", " ", "\n"), n=8)
            await s.append(" a")
            peeked, sure = await s.peek(), await s.verify([" b", " a"])
            scores = [x.total + x.end for x in await s.score([" a", " b"], end_turn=True)]
            rest = await s.extend(n=5)
            await s.crop(2)
            return [
                word.text,
                word.finish,
                peeked.piece,
                peeked.id,
                [x.piece for x in sure],
                rest.text,
                s.text,
                np.round(scores, 3),
            ]

    async def go() -> tuple[list[Any], list[Any]]:
        request = QUESTION.but(sampling=COLD)
        mine, theirs = await real.open(request), await plain.open(request)
        assert isinstance(mine, LocalSession) and isinstance(theirs, StatelessSession)
        return await life(mine), await life(theirs)

    mine, theirs = asyncio.run(go())
    assert mine[:-1] == theirs[:-1] and mine[-1] == pytest.approx(theirs[-1], abs=2e-3)


def test_what_a_stateless_session_cannot_do_is_said() -> None:
    async def go() -> None:
        said = ScriptedModel("s", lambda r: Completion(f"<{len(r.prefix)}>", finish="length", usage=Usage(1, 2, 1)))
        async with await CachedModel(said, Store(None)).open(QUESTION) as s:
            assert (await s.extend(n=4)).text == "<0>" and (await s.extend()).text == "<3>"
            assert s.text == "<0><3>" and s.usage.calls == 2 and said.requests[0].sampling.max_tokens == 4
            for call in (s.peek(), s.extend(until=lambda step: False), s.verify(["a"]), s.score(["a"]), s.logits()):
                with pytest.raises(PoolError, match="lacks the capability"):
                    await call
            with pytest.raises(PoolError, match="SESSION"):
                await s.append(ids=[1])
            with pytest.raises(PoolError, match="SESSION"):
                _ = s.ids
            with pytest.raises(ConfigError, match="extend by -1"):
                await s.extend(n=-1)
        with pytest.raises(PoolError, match="PREFIX"):
            await CachedModel(Plain(said), Store(None)).open(QUESTION)

    asyncio.run(go())


def test_a_pool_opens_sessions_as_it_asks_and_writes_them_down() -> None:
    query = Query.of(QUESTION.but(study_seed=5))

    async def go() -> None:
        recorder, pool = Recorder(), Pool([table("a"), {"model": table("a"), "name": "b"}], store=Store(None))
        bound = pool.bind(query, recorder)
        draft = await bound.ask("b", query, draw=2, stage="draft")
        async with await bound.open("b", draw=2, stage="write", sees=[draft]) as s:
            await s.extend()
            assert s.text == draft.text
            await s.reopen("Q a")
            twin = await s.fork(1)
            await twin.extend(n=3)
            await s.score(["d", " b"])
        written, scored = recorder.calls[1:]
        assert (written.id, written.text, written.usage) == ("write.0.b.2", draft.text, draft.completion.usage)
        assert written.tag.sees == (draft.call,) and written.finish == draft.completion.finish and written.draw == (2,)
        assert scored.prompt == "Q a" and scored.text.startswith("d: -") and scored.usage.completion_tokens > 0

        async def fails() -> None:
            async with await bound.open("a", max_tokens=3) as s:
                assert len((await s.extend()).steps) <= 3
                raise RuntimeError("of the method")

        with pytest.raises(RuntimeError, match="of the method"):
            await fails()
        assert recorder.calls[-1].finish == "error" and recorder.usage.calls == 3
        with pytest.raises(ConfigError, match="not bound"):
            await pool.open("a")

    asyncio.run(go())


def test_session_is_public() -> None:
    assert moco.Session is Session and "Session" in moco.__all__
