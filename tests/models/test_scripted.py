"""The scripted model with log-probabilities: methods that read them can be tested without a language model."""

from __future__ import annotations

import asyncio

import pytest

import moco
from moco.collab import Fitted, load_method
from moco.core.errors import ConfigError, PoolError
from moco.core.types import Completion
from moco.models.store import Store
from moco.testing import ScriptedModel
from tests.methods.helpers import request


def sure(text: str, logprob: float) -> Completion:
    return Completion(text, logprobs=(logprob,))


def test_a_script_with_logprobs_can_be_a_member_of_what_reads_them() -> None:
    unsure, other = ScriptedModel("ann", lambda r: sure("Answer: A", -3.0), logprobs=True), ScriptedModel("bob", "Answer: B")
    chain = load_method("cascade", confidence="mean_prob", thresholds=(0.5,))
    with pytest.raises(PoolError, match="LOGPROBS"):
        chain.check(moco.Pool([other, unsure], store=Store(None)))
    said = asyncio.run(Fitted(chain, moco.Pool([unsure, other], store=Store(None))).as_model().generate(request()))
    assert said.key == "B", "the first is not sure enough"


def test_a_reply_without_the_promised_logprobs_is_refused() -> None:
    for reply in ("Answer: A", lambda r: Completion("Answer: A")):
        with pytest.raises(ConfigError, match=r"moco\.Completion\(text, logprobs="):
            asyncio.run(ScriptedModel("ann", reply, logprobs=True).generate(request()))
    assert "LOGPROBS" not in ScriptedModel("ann").capabilities
