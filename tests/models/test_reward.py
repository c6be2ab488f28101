"""Reward models: equal to transformers row by row, whatever the batch; labels, limits, faults and the store."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from moco.core.errors import ConfigError, ContextOverflow, Fatal, PoolError
from moco.core.query import Query
from moco.core.types import Message, Request, Usage, messages_of
from moco.models.member import build_helper
from moco.models.pool import Pool
from moco.models.reward import RewardModel
from moco.models.store import Store
from moco.models.transcript import Recorder
from moco.testing import ScriptedModel
from tests.models.encoders import save_bert, save_llama_reward

QUESTION = Request(messages=messages_of("which city do you mean ?", system="tell me"))
ANSWERS = ["rome .", "paris", "the long blue river is a short city , yes . " * 3, "no", "1 2 3 4 5", "yes yes yes yes !", ""]


def rewards(model: Any, answers: list[str], request: Request = QUESTION) -> list[float]:
    async def go() -> list[float]:
        return list(await asyncio.gather(*(model.reward(request, a) for a in answers)))

    return asyncio.run(go())


@pytest.mark.parametrize("pad", [None, 0, 5])
def test_equals_transformers_with_the_chat_template(tmp_path: Path, pad: int | None) -> None:
    """Also where the padding id is none, or the very token on which conversations end."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = save_llama_reward(tmp_path / "rm", pad=pad)
    reference = AutoModelForSequenceClassification.from_pretrained(str(folder)).eval()
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    wanted = []
    for answer in ANSWERS:
        turns = [{"role": m.role, "content": m.content} for m in QUESTION.messages] + [{"role": "assistant", "content": answer}]
        ids = tokenizer.apply_chat_template(turns, return_tensors="pt", return_dict=True)["input_ids"]
        with torch.no_grad():
            wanted.append(float(reference(input_ids=ids).logits[0, 0]))
    got = rewards(RewardModel(folder, name="rm", device="cpu"), ANSWERS)
    assert got == pytest.approx(wanted, abs=1e-5) and len({round(g, 3) for g in got}) == len(got)


def test_does_not_depend_on_the_batch(tmp_path: Path) -> None:
    model = RewardModel(save_llama_reward(tmp_path / "rm"), name="rm", device="cpu")
    together = rewards(model, ANSWERS)
    assert model.counters.batches == [len(ANSWERS)] and model.counters.forwards == 1
    alone = [rewards(model, [a])[0] for a in ANSWERS]
    assert together == pytest.approx(alone, abs=1e-5) and rewards(model, ANSWERS[::-1]) == pytest.approx(alone[::-1], abs=1e-5)
    small = RewardModel(tmp_path / "rm", name="rm", device="cpu", max_rows=2)
    assert rewards(small, ANSWERS) == pytest.approx(alone, abs=1e-5) and small.counters.forwards == 4


def test_pairs_and_named_labels(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = save_bert(tmp_path / "rm", labels={0: "bad", 1: "Good", 2: "odd"})
    reference = AutoModelForSequenceClassification.from_pretrained(str(folder)).eval()
    enc = AutoTokenizer.from_pretrained(str(folder))(
        "what is a river ?", "blue .", return_tensors="pt", return_token_type_ids=True
    )
    assert enc["token_type_ids"].sum() == 3
    with torch.no_grad():
        logits = reference(**enc).logits[0]
    request = Request(messages=messages_of("what is a river ?"))
    for label, place in (("good", 1), (2, 2), ("bad", 0)):
        got = rewards(RewardModel(folder, name="rm", label=label, device="cpu"), ["blue .", "rome"], request)[0]
        assert got == pytest.approx(float(logits.log_softmax(-1)[place]), abs=1e-5)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "problem_type": "regression"}))
    assert rewards(RewardModel(folder, name="rm", label="bad"), ["blue ."], request)[0] == pytest.approx(
        float(logits[0]), abs=1e-5
    )
    prefixed = request.but(prefix="blue ")
    assert rewards(RewardModel(folder, name="rm", label=0), ["."], prefixed)[0] == pytest.approx(float(logits[0]), abs=1e-5)
    turns = request.but(messages=(Message("system", "no"), *request.messages))
    assert rewards(RewardModel(folder, name="rm", label=0), ["blue ."], turns)[0] != pytest.approx(float(logits[0]), abs=1e-3)


def test_nothing_is_cut(tmp_path: Path) -> None:
    model = RewardModel(save_llama_reward(tmp_path / "rm"), name="rm", device="cpu")
    with pytest.raises(ContextOverflow, match="do not fit the 64 tokens"):
        rewards(model, ["yes " * 60])
    assert rewards(model, ["yes"]) and model.counters.forwards == 1


def test_faults_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(PoolError, match="no model folder"):
        RewardModel(tmp_path / "nowhere", name="rm")
    with pytest.raises(PoolError, match="saved as LlamaForCausalLM"):
        RewardModel(save_llama_reward(tmp_path / "lm", causal=True), name="rm")
    three = save_bert(tmp_path / "three", labels={0: "bad", 1: "good", 2: "odd"})
    with pytest.raises(ConfigError, match=r"has 3 outputs; remedy: say which one is to be read: \{model: \.\.\., label: bad\}"):
        RewardModel(three, name="rm")
    with pytest.raises(ConfigError, match="no output 'goood'; remedy: did you mean 'good'"):
        RewardModel(three, name="rm", label="goood")
    store = Store()
    with pytest.raises(ConfigError, match="unknown option 'lable'; remedy: did you mean 'label'"):
        build_helper("reward", {"model": str(three), "lable": 1}, store)
    with pytest.raises(PoolError, match=r"^'alpha' cannot be the reward; because it lacks the capability REWARD"):
        build_helper("reward", "playground/alpha", store)
    with pytest.raises(ConfigError, match="unknown helper 'rewrad'; remedy: did you mean 'reward'"):
        Pool([ScriptedModel("a", "x")], store=store, aux={"rewrad": "x"})
    model = build_helper("reward", {"model": str(three), "label": "good"}, store).model
    with pytest.raises(ConfigError, match="writes no text; because it is a reward model"):
        asyncio.run(model.generate(QUESTION))
    with pytest.raises(ConfigError, match="reads text, not token ids"):
        asyncio.run(model.reward(Request(ids=(1, 2)), "x"))  # type: ignore[attr-defined]


def test_a_head_that_is_not_in_the_file_is_not_invented(tmp_path: Path) -> None:
    folder = save_llama_reward(tmp_path / "lm", causal=True)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architectures": None, "id2label": {"0": "reward"}}))
    with pytest.raises(PoolError, match=r"lacks weights of a reward model: score\.weight"):
        rewards(RewardModel(folder, name="rm"), ["yes"])


def test_a_checkpoint_that_is_no_safetensors_is_refused(tmp_path: Path) -> None:
    import torch

    folder = save_llama_reward(tmp_path / "rm")
    (folder / "model.safetensors").unlink()
    torch.save({"score.weight": torch.zeros(1, 32)}, folder / "pytorch_model.bin")
    with pytest.raises(PoolError, match="cannot load a reward model"):
        rewards(RewardModel(folder, name="rm"), ["yes"])


def test_numbers_that_are_none_are_an_error(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    folder = save_llama_reward(tmp_path / "rm")
    weights = load_file(str(folder / "model.safetensors"))
    save_file({**weights, "score.weight": torch.full((1, 32), float("nan"))}, str(folder / "model.safetensors"), {"format": "pt"})
    with pytest.raises(Fatal, match="not numbers"):
        rewards(RewardModel(folder, name="rm"), ["yes"])


def test_a_pool_keeps_rewards_in_its_store(tmp_path: Path) -> None:
    folder, file = save_llama_reward(tmp_path / "rm"), tmp_path / "store.sqlite"
    store = Store(file)
    pool = Pool([ScriptedModel("a", "x")], store=store, aux={"reward": str(folder)})
    model: Any = pool.aux.reward
    first = rewards(model, [*ANSWERS, *ANSWERS])
    assert model.paid_calls == len(ANSWERS) and first[: len(ANSWERS)] == first[len(ANSWERS) :]
    store.close()
    again: Any = Pool([ScriptedModel("a", "x")], store=Store(file), aux={"reward": str(folder)}).aux.reward
    assert rewards(again, ANSWERS) == first[: len(ANSWERS)] and again.paid_calls == 0
    assert again.model.counters.forwards == 0, "a warm store loads nothing"
    assert rewards(again, ["no"], QUESTION.but(messages=messages_of("what ?")))[0] != first[3] and again.paid_calls == 1


def test_a_reward_in_a_pool_is_a_call_with_the_tokens_it_read(tmp_path: Path) -> None:
    """The same whether it was read now or is a row of the store."""
    folder, file = save_llama_reward(tmp_path / "rm"), tmp_path / "store.sqlite"
    seen = []
    for _ in range(2):
        store, recorder = Store(file), Recorder()
        pool = Pool([ScriptedModel("a", "x")], store=store, aux={"reward": str(folder)}).bind(Query.of(QUESTION), recorder)
        found = asyncio.run(pool.reward(QUESTION, "rome ."))
        store.close()
        assert found == pytest.approx(rewards(pool.aux.reward, ["rome ."])[0])
        (call,) = recorder.calls
        seen.append((call.id, call.text, recorder.usage))
    model = RewardModel(folder, name="rm", device="cpu")
    assert seen[0] == seen[1] and seen[0][2] == Usage(len(model.row(QUESTION, "rome .")[0]), 0, 1)
    assert seen[0][:2] == ("reward.0.reward.0", f"rome .: {found:.4f}")


def test_scripted_rewards_are_stored_too() -> None:
    model = ScriptedModel("rm", reward=lambda request, text: len(request.question) + len(text))
    helper: Any = Pool([ScriptedModel("a", "x")], store=Store(), aux={"reward": model}).aux.reward
    assert rewards(helper, ["abc", "abc", ""], Request(text="12345")) == [8.0, 8.0, 5.0] and model.counters.generated == 2
    with pytest.raises(PoolError, match="lacks the capability REWARD"):
        Pool([ScriptedModel("a", "x")], store=Store(), aux={"reward": ScriptedModel("b", "x")})
