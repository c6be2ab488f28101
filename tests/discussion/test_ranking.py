"""The order of the members on dev: what a member will never answer is wrong for it, what may pass is no ranking."""

from __future__ import annotations

import asyncio

import pytest

from moco.collab import Run, examples
from moco.core.errors import BackendError, ContextOverflow, Fatal, Transient
from moco.core.types import Request, Sampling
from moco.discussion import rank_on_dev
from tests.methods.helpers import pool_of, task_of


def answering(fault: BackendError | None):  # type: ignore[no-untyped-def]
    def reply(request: Request) -> str:
        if fault is not None and "0" in request.question:
            raise fault
        return "Answer: A"

    return reply


@pytest.mark.parametrize("fault", [Fatal("refused"), ContextOverflow("too long")])
def test_a_question_that_is_never_answered_is_wrong_and_told(fault: BackendError) -> None:
    pool = pool_of(answering(fault), answering(None))
    run = Run(0, Sampling())
    ranking = asyncio.run(rank_on_dev(pool, examples(task_of("A", dev="AAAA"), Sampling()), run))
    assert ranking.names[0] == "b" and ranking.mean("b") == 1 and ranking.mean("a") == 0.75 and ranking.n == 4
    assert run.log == [{"dev_unanswered": {"a": 1}}]


def test_a_failure_that_may_pass_is_raised() -> None:
    pool = pool_of(answering(Transient("busy")), answering(None))
    with pytest.raises(Transient):
        asyncio.run(rank_on_dev(pool, examples(task_of("A", dev="AAAA"), Sampling()), Run(0, Sampling())))
