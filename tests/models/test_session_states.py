"""Sessions against a slow stateless twin, over random sequences of everything that can be done with them."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from moco.core.types import Request, Sampling, messages_of
from moco.models.hf import HFModel
from moco.models.session import Step
from moco.testing import TableModel
from tests.models.conftest import WEIGHTS, load
from tests.models.session_twin import Twin

HOT, COLD = Sampling(max_tokens=40, temperature=1.3, top_p=0.95), Sampling(max_tokens=40, temperature=0, stop=("Ans", " is"))
REQUESTS = [
    Request(messages=messages_of("What is 2 + 3?"), sampling=COLD),
    Request(messages=messages_of("What is 2 + 3?"), sampling=HOT, prefix="Let"),
    Request(text="The sum of 1", sampling=HOT, draw=(2,)),
]
UNTILS = {
    "none": None,
    "word": lambda step: step.index > 0 and step.piece.startswith((" ", "\n")),
    "unsure": lambda step: step.prob < 0.3,
}
TEXTS = st.lists(
    st.sampled_from([" a", "12", " the", "é", "<|end|>", "[EOS]", "<eos>", "Ans", "\n", "3 + 4", "Answer: "]), max_size=3
)


def table() -> TableModel:
    words = [" a", " the", "1", "12", "2", " ", "3 + ", "Ans", "wer: ", "\n", "é", " is", "<eos>"]

    def law(ids: tuple[int, ...]) -> Any:
        return np.random.default_rng([len(ids), *ids[-3:]]).dirichlet(np.full(len(words), 0.5))

    return TableModel("table", words, law)


def tight(name: str) -> HFModel:
    model = HFModel(WEIGHTS / name, name=name, device="cpu", session_bytes=60_000, max_rows=2)
    return model


MODELS = {"table": table, "alpha": lambda: load("alpha"), "foreign with hardly any memory": lambda: tight("foreign")}


class Sessions(RuleBasedStateMachine):
    """Every rule does the same to a session and to its twin and compares what they say."""

    model: Any = None
    pairs = Bundle("pairs")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.open: list[Any] = []

    def do(self, work: Any) -> Any:
        return self.runner.run(work)

    def added(self, session: Any, twin: Twin) -> Any:
        self.open.append((session, twin))
        return session, twin

    @initialize(target=pairs, n=st.integers(1, 5))
    def begin(self, n: int) -> Any:
        pairs = [self.added(self.do(self.model.open(r)), Twin(self.model, r)) for r in REQUESTS]
        self.compare(pairs, "none", n)
        return multiple(*pairs)

    @rule(pair=pairs, until=st.sampled_from(sorted(UNTILS)), n=st.integers(0, 6))
    def extend(self, pair: Any, until: str, n: int) -> None:
        self.compare([pair], until, n)

    @rule(n=st.integers(1, 5))
    def extend_all_at_once(self, n: int) -> None:
        self.compare(self.open, "none", n)

    def compare(self, pairs: Any, until: str, n: int) -> None:
        async def go() -> Any:
            return await asyncio.gather(*(session.extend(UNTILS[until], n) for session, _ in pairs))

        for (_, twin), segment in zip(pairs, self.do(go()), strict=True):
            before = twin.text
            accepted, finish = twin.extend(UNTILS[until], n, lambda t, p, lp, i: Step(p, t, lp, False, i))
            assert ([s.id for s in segment.steps], segment.finish) == (accepted, finish)
            assert segment.text == twin.text[len(before) :]
            assert (segment.refused is not None) == (finish in ("until", "eos"))
            assert [s.index for s in segment.steps] == list(range(len(accepted)))

    @rule(pair=pairs, texts=TEXTS)
    def append(self, pair: Any, texts: list[str]) -> None:
        for text in texts:
            self.do(pair[0].append(text))
            pair[1].append(text)

    @rule(pair=pairs, share=st.floats(0, 1), texts=TEXTS, n=st.integers(1, 4))
    def rewrite(self, pair: Any, share: float, texts: list[str], n: int) -> None:
        """The turn of the methods that cut a proposal back and let another one write on."""
        self.crop(pair, share)
        self.append(pair, texts)
        self.compare([pair], "none", n)

    @rule(pair=pairs, ids=st.lists(st.integers(6, 12), max_size=3))
    def append_ids(self, pair: Any, ids: list[int]) -> None:
        ids = [i for i in ids if i not in pair[1].eos]
        self.do(pair[0].append(ids=ids))
        pair[1].append(ids=ids)

    @rule(pair=pairs, share=st.floats(0, 1.2))
    def crop(self, pair: Any, share: float) -> None:
        chars = int(share * len(pair[1].text))
        self.do(pair[0].crop(chars))
        pair[1].crop(chars)

    @rule(target=pairs, pair=pairs, draw=st.integers(0, 2))
    def fork(self, pair: Any, draw: int) -> Any:
        if len(self.open) > 5:
            return multiple()
        session, twin = pair
        other = copy.copy(twin)
        other.ids = list(twin.ids)
        other.request = twin.request.but(draw=(*twin.request.draw, draw)) if draw else twin.request
        return self.added(self.do(session.fork(draw)), other)

    @rule(pair=pairs)
    def peek(self, pair: Any) -> None:
        (step, row), twin = self.do(_peek(pair[0])), pair[1]
        token, logprob = twin.next(twin.ids)
        assert (step.id, step.eos) == (token, token in twin.eos)
        assert step.logprob == pytest.approx(logprob, abs=1e-5)
        wanted = twin.logits(twin.ids)
        assert row.dtype == np.float32
        np.testing.assert_allclose(row[wanted > -1e9], wanted[wanted > -1e9], atol=1e-4)

    @rule(pair=pairs, texts=TEXTS)
    def verify(self, pair: Any, texts: list[str]) -> None:
        steps = self.do(pair[0].verify(texts))
        wanted = pair[1].verify(texts)
        assert [s.id for s in steps] == [token for token, _ in wanted]
        assert [s.logprob for s in steps] == pytest.approx([logprob for _, logprob in wanted], abs=1e-5)

    @rule(pair=pairs, labels=st.lists(st.sampled_from(["0", "1", "12", " a", " the"]), max_size=3), end=st.booleans())
    def score(self, pair: Any, labels: list[str], end: bool) -> None:
        for label, found in zip(labels, self.do(pair[0].score(labels, end_turn=end)), strict=True):
            values, closing = pair[1].score(label)
            assert found.logprobs == pytest.approx(values, abs=1e-5)
            assert found.end == pytest.approx(closing if end else 0.0, abs=1e-5)

    @rule(pair=pairs, request=st.sampled_from(REQUESTS))
    def reopen(self, pair: Any, request: Request) -> None:
        self.do(pair[0].reopen(request))
        pair[1].begin(request)

    @rule(pair=consumes(pairs))
    def close(self, pair: Any) -> None:
        self.do(pair[0].close())
        self.open.remove(pair)

    @invariant()
    def agree(self) -> None:
        for session, twin in self.open:
            assert session.text == twin.text
            assert session.ids == tuple(twin.ids)

    def teardown(self) -> None:
        for session, _ in self.open:
            self.do(session.close())
        self.runner.close()


async def _peek(session: Any) -> Any:
    return await session.peek(), await session.logits()


@pytest.mark.parametrize("name", MODELS)
def test_a_session_is_its_stateless_twin(name: str) -> None:
    machine = type("Machine", (Sessions,), {"model": MODELS[name]()})
    examples, steps = (40, 16) if name == "table" else (12, 9)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert not len(machine.model._sessions.engine.memory), "a closed session left its cache behind"
