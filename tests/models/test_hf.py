"""The in-process backend: equal to transformers' greedy search, independent of batches, all ends, out of memory, NaN."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moco.core.errors import ConfigError, Fatal, PoolError
from moco.core.types import Request, Sampling, messages_of
from moco.models.decode import Decoder
from moco.models.hf import HFModel
from moco.models.running import Emitted, Row

Load = Callable[[str], HFModel]
QUESTIONS = ["What is 2 + 3?", "Who is it?", "Sort: k d a", "Reverse: stone", "x", "Compute 17 + 5 - 3, only the answer"]
TOKENS = int(os.environ.get("MOCO_INVARIANCE_TOKENS", "5000"))
"""Tokens compared over batch sizes; 100000 in the long run."""


def fresh(model: HFModel, **options: Any) -> Decoder:
    return Decoder(model.load().model, model.tokens, name=model.name, **options)


def emitted(results: list[Any]) -> list[Emitted]:
    assert all(isinstance(r, Emitted) for r in results), results
    return results


@pytest.mark.parametrize("name", ["alpha", "mentor", "foreign"])
def test_greedy_equals_transformers(member: Load, weights: Path, name: str) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    reference = AutoModelForCausalLM.from_pretrained(str(weights / name), dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(str(weights / name))
    model = member(name)
    requests = [Request(messages=messages_of(q), sampling=Sampling(max_tokens=40, temperature=0)) for q in QUESTIONS]

    async def go() -> list[Any]:
        return await asyncio.gather(*(model.generate(r) for r in requests))

    for question, completion in zip(QUESTIONS, asyncio.run(go()), strict=True):
        chat = [{"role": "user", "content": question}]
        enc = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True, return_tensors="pt")
        out = reference.generate(**enc, max_new_tokens=40, do_sample=False)[0, enc["input_ids"].shape[1] :].tolist()
        assert list(completion.ids) == out
        assert completion.text == tokenizer.decode(out, skip_special_tokens=True)


def invariance_rows(model: HFModel, tokens: int) -> list[Row]:
    rng, rows, length = random.Random(11), [], 50
    for i in range(-(-tokens // length)):
        text = " ".join(rng.choice(["red", "sum", "7", "Q", "of", "what", "stone", "12"]) for _ in range(rng.randint(1, 30)))
        sampling = Sampling(max_tokens=length, temperature=0.7, top_p=(0.9, 1.0)[i % 2], top_k=(0, 40)[i // 2 % 2])
        rows.append(Row(tuple(model.renderer.ids(Request(text=text))), sampling, rng.getrandbits(62), length))
    return rows


def differing(model: HFModel, tokens: int, shares: dict[int, float]) -> tuple[int, int]:
    """Tokens that differ, and tokens compared, between runs of sorted batches of 32 and shuffled ones of other sizes.

    ``shares``: batch size -> share of the rows that is run with it.
    """
    rows = invariance_rows(model, tokens)
    decoder = fresh(model, max_rows=32)
    decoder._eos = frozenset()  # long answers: more tokens to compare
    first = [e.ids for e in emitted(decoder.run(rows))]
    wrong = compared = 0
    for size, share in shares.items():
        order = random.Random(size).sample(range(len(rows)), int(share * len(rows)))
        for start in range(0, len(order), size):  # apart, so that sorting by length cannot restore the batches
            part = order[start : start + size]
            for i, e in zip(part, emitted(decoder.run([rows[i] for i in part])), strict=True):
                wrong += sum(a != b for a, b in zip(first[i], e.ids, strict=True))
                compared += len(e.ids)
    return wrong, compared


def test_no_token_depends_on_the_batch(member: Load) -> None:
    long = TOKENS > 5000
    shares = dict.fromkeys((1, 2, 7, 32), 1.0) if long else {1: 0.1, 2: 0.2, 7: 1.0, 32: 1.0}
    wrong, compared = differing(member("alpha"), TOKENS, shares)
    assert wrong == 0 and compared >= (4 if long else 2) * TOKENS


def test_equal_prompts_are_prefilled_once(member: Load) -> None:
    model = member("alpha")
    decoder = fresh(model)
    prompt = model.renderer.ids(Request(text="12 + 5 ="))
    rows = [Row(prompt, Sampling(temperature=4.0, top_p=1.0), seed, 12) for seed in range(8)]
    together = emitted(decoder.run(rows))
    assert decoder.counters.prompt_tokens == len(prompt)
    assert [e.ids for e in together] == [emitted(fresh(model).run([r]))[0].ids for r in rows]
    assert len({tuple(e.ids) for e in together}) > 1


@pytest.mark.parametrize("name", ["alpha", "foreign"])
def test_rows_that_join_a_running_decode_emit_the_same(member: Load, name: str) -> None:
    model = member(name)
    rows = [
        Row(r.prompt, r.sampling.but(temperature=(0.0, 1.2)[i % 2]), r.seed, 3 + 7 * i % 40)
        for i, r in enumerate(invariance_rows(model, 900))
    ]
    alone = [emitted(fresh(model).run([r]))[0] for r in rows]
    late, ended = list(rows[10:]), {}

    def more(n: int) -> list[Row]:
        taken, late[:] = late[: min(n, 2)], late[min(n, 2) :]
        return taken

    decoder = fresh(model, max_rows=6)
    decoder.serve(rows[:10], ended.__setitem__, more)
    assert [ended[i].ids for i in range(len(rows))] == [e.ids for e in alone]
    assert [ended[i].text for i in range(len(rows))] == [e.text for e in alone]
    assert list(ended) != sorted(ended) and decoder.counters.forwards < sum(len(e.ids) for e in alone) / 2


def test_a_request_made_meanwhile_joins(member: Load, weights: Path) -> None:
    model = HFModel(weights / "alpha", name="own", device="cpu")
    model.load()._eos = frozenset()
    slow = Request(text="7 stones", sampling=Sampling(max_tokens=200, temperature=0))
    ends: list[str] = []

    async def ask(name: str, request: Request) -> None:
        await model.generate(request)
        ends.append(name)

    async def go() -> None:
        first = asyncio.create_task(ask("slow", slow))
        await asyncio.sleep(0.05)
        await ask("quick", slow.but(sampling=Sampling(max_tokens=5, temperature=0)))
        await first

    asyncio.run(go())
    assert ends == ["quick", "slow"] and model.counters.batches == [2]


def test_every_end_token_ends(member: Load, weights: Path, tmp_path: Path) -> None:
    model = member("alpha")
    request = Request(messages=messages_of("What is 2 + 3?"), sampling=Sampling(max_tokens=10, temperature=0))
    free = asyncio.run(model.generate(request))
    shutil.copytree(weights / "alpha", tmp_path / "m", copy_function=shutil.copyfile)
    (tmp_path / "m" / "generation_config.json").write_text(f'{{"eos_token_id": [2, {free.ids[4]}]}}')
    other = HFModel(tmp_path / "m", name="m", device="cpu")
    assert other.tokens.eos == tuple(sorted({2, free.ids[4]}))
    assert other.fingerprint != model.fingerprint
    cut = asyncio.run(other.generate(request))
    assert cut.finish == "stop" and cut.ids == free.ids[: free.ids.index(free.ids[4]) + 1]


def test_out_of_memory_halves_the_batch(member: Load) -> None:
    model = member("alpha")
    rows = invariance_rows(model, 700)
    plain = fresh(model)
    sizes: list[int] = []

    def tight(ids: Any, mask: Any, positions: Any, cache: Any, keep: int) -> Any:
        sizes.append(len(ids))
        if len(ids) > 4:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        return plain.forward(ids, mask, positions, cache, keep)

    assert [e.ids for e in emitted(fresh(model, forward=tight).run(rows))] == [e.ids for e in emitted(plain.run(rows))]
    assert max(sizes) > 4

    def never(*_: Any) -> Any:
        raise RuntimeError("out of memory")

    assert all(isinstance(r, Fatal) for r in fresh(model, forward=never).run(rows[:3]))


def test_logits_that_are_not_numbers_fail_their_row_alone(member: Load) -> None:
    model = member("alpha")
    plain = fresh(model)
    rows = invariance_rows(model, 200)

    def poisoned(ids: Any, mask: Any, positions: Any, cache: Any, keep: int) -> Any:
        logits = plain.forward(ids, mask, positions, cache, keep).clone()
        if ids.shape[1] > 1:
            logits[0] = float("nan")
        return logits

    results = fresh(model, forward=poisoned).run(rows)
    failed = [r for r in results if isinstance(r, Fatal)]
    assert len(failed) == 1 and "alpha" in str(failed[0])
    good = [(a, b) for a, b in zip(results, plain.run(rows), strict=True) if isinstance(a, Emitted)]
    assert len(good) == len(rows) - 1 and all(a.ids == b.ids for a, b in good if isinstance(b, Emitted))


def test_score_agrees_with_a_plain_forward(member: Load) -> None:
    import torch

    model = member("foreign")
    request = Request(messages=messages_of("What is 2 + 3?"))

    async def go() -> list[Any]:
        return await asyncio.gather(*(model.score(request, c) for c in ("5", " stone and sand", "", "Answer: 12")))

    for scores in asyncio.run(go()):
        ids = [*model.renderer.ids(request), *scores.ids]
        with torch.inference_mode():
            logprobs = model.load().model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
        at = len(ids) - len(scores.ids)
        assert scores.logprobs == pytest.approx([float(logprobs[at - 1 + k, t]) for k, t in enumerate(scores.ids)], abs=1e-4)
        assert scores.end == pytest.approx(float(logprobs[-1, list(model.tokens.eos)].logsumexp(0)), abs=1e-4)


def test_errors_name_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(PoolError, match="no model folder"):
        HFModel(tmp_path / "absent", name="x")
    with pytest.raises(ConfigError, match="float32"):
        HFModel(tmp_path, name="x", dtype="int4")
    with pytest.raises(PoolError, match=r"tokenizer|config"):
        HFModel(tmp_path, name="x", device="cpu").key(Request(text="a"))


def test_fingerprint_is_of_the_content(member: Load, weights: Path, tmp_path: Path) -> None:
    shutil.copytree(weights / "base", tmp_path / "other", copy_function=shutil.copyfile)
    copy = HFModel(tmp_path / "other", name="another name", device="cpu")
    assert copy.fingerprint == member("base").fingerprint != member("alpha").fingerprint
    assert HFModel(tmp_path / "other", name="a", device="cpu", dtype="bfloat16").fingerprint != copy.fingerprint
    assert HFModel(tmp_path / "other", name="a", device="cpu", adapter=weights / "beta").fingerprint != copy.fingerprint


def test_keys_need_no_torch(weights: Path) -> None:
    code = (
        "import sys; from moco.models.hf import HFModel; from moco.core.types import Request; import moco.testing;"
        f"m = HFModel({str(weights / 'alpha')!r}, name='a', device='cpu'); m.key(Request(text='hi'));"
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=env).returncode == 0
