"""The kind `reward`: the number a reward model gives to question and visible reply, and whose fault is what."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import moco
from moco.core.errors import ConfigError, ContextOverflow
from moco.core.types import Request, messages_of
from moco.models.pool import Pool
from moco.models.store import Store
from moco.tasks.graders import Helpers, Item, assess, grade
from moco.tasks.record import Record, Task
from moco.testing import ScriptedModel
from tests.models.encoders import save_llama_reward

RECORD = Record(id="1", question="Tell me about rivers.", kind="reward")
TASK = Task("talk", [], [RECORD], kind="reward")


def test_scores_the_visible_reply_to_the_whole_chat() -> None:
    seen: list[tuple[Request, str]] = []

    def reward(request: Request, text: str) -> float:
        seen.append((request, text))
        return -2.5

    helpers = Helpers(reward=ScriptedModel("rm", reward=reward))
    found = asyncio.run(TASK.score(RECORD, "<think>hm</think>They flow.", helpers))
    assert (found.score, found.rule, found.parsed, found.metrics) == (-2.5, "reward", True, {"reward": -2.5})
    assert seen[0][1] == "They flow." and seen[0][0].messages == TASK.messages(RECORD)
    assert seen[0][0].messages == messages_of("Tell me about rivers.")
    assert not asyncio.run(TASK.score(RECORD, "<think>", helpers)).parsed


def test_a_missing_or_wrong_helper_is_named() -> None:
    with pytest.raises(ConfigError, match=r"aux\.reward: answers of kind 'reward' need reward"):
        asyncio.run(TASK.score(RECORD, "x"))
    with pytest.raises(ConfigError, match=r"aux\.reward: 'm' gives no rewards; because it lacks the capability REWARD"):
        asyncio.run(TASK.score(RECORD, "x", Helpers(reward=ScriptedModel("m", "x"))))
    with pytest.raises(ConfigError, match="not graded by rule"):
        grade("reward", "x", "", TASK.spec_of(RECORD))


def test_what_the_model_cannot_read_fails_the_item(tmp_path: Path) -> None:
    pool = Pool([ScriptedModel("a", "yes " * 70)], store=Store(), aux={"reward": str(save_llama_reward(tmp_path / "rm"))})
    with pytest.raises(ContextOverflow):
        asyncio.run(assess("reward", "yes " * 70, Item(TASK.spec_of(RECORD)), Helpers.of(pool.aux)))
    result = moco.evaluate("single", pool, TASK)
    assert result.summary.failed == 1 and result.mean is None and "do not fit" in result.outcomes[0].failed


def test_an_evaluation_has_mean_rewards(tmp_path: Path) -> None:
    records = [Record(id=str(i), question=f"which city {i} ?", kind="reward") for i in range(6)]
    task = Task("talk", [], records, kind="reward")
    pool = Pool([ScriptedModel("a", "rome .")], store=Store(), aux={"reward": str(save_llama_reward(tmp_path / "rm"))})
    result = moco.evaluate("single", pool, task)
    assert result.mean is not None and result.summary.figures["reward"] == pytest.approx(result.mean)
    assert len({o.score for o in result.outcomes}) > 1 and result.summary.failed == 0
