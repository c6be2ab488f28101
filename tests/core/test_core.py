"""Types, seeds, registries, clusters and the runtime."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moco.core.answering import clusters
from moco.core.errors import ConfigError, MocoError, did_you_mean
from moco.core.query import Query
from moco.core.registry import Registry, load_file
from moco.core.runtime import RUNTIME
from moco.core.seeds import derive, generator, uniforms
from moco.core.types import AnswerSpec, Request, Sampling, chat, messages_of


def ask(text: str = "hello", **changes: object) -> Request:
    return Request(messages=messages_of(text)).but(**changes)


def test_an_error_says_what_where_why_and_the_remedy() -> None:
    error = ConfigError(
        "unknown key 'temprature'", where="study.yaml:3", why="it would be ignored", remedy="did you mean 'temperature'?"
    )
    assert (
        str(error) == "study.yaml:3: unknown key 'temprature'; because it would be ignored; remedy: did you mean 'temperature'?"
    )
    assert isinstance(error, MocoError)
    assert did_you_mean("temprature", ["temperature", "top_p"]) == "did you mean 'temperature'?"


@pytest.mark.parametrize(
    "bad",
    [
        {"max_tokens": 0},
        {"temperature": -1},
        {"temperature": float("inf")},
        {"top_p": 0},
        {"top_p": 1.1},
        {"top_k": -1},
        {"min_p": 2},
    ],
)
def test_sampling_out_of_range_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"remedy|is"):
        Sampling(**bad)  # type: ignore[arg-type]


def test_sampling_overrides_name_unknown_options() -> None:
    with pytest.raises(ConfigError, match="did you mean 'temperature'"):
        Sampling().but(temprature=1)
    assert Sampling().but(temperature=0, top_p=None) == Sampling(temperature=0)


def test_cuts_are_without_effect_when_greedy() -> None:
    assert Sampling(temperature=0, top_p=0.5).law() == Sampling(temperature=0, top_k=3).law()
    assert Sampling(top_p=0.5).law() != Sampling(top_p=0.6).law()


def test_leading_zeros_of_a_draw_drop() -> None:
    assert ask(draw=(0, 0)).draw == ()
    assert ask(draw=(0, 2, 0)).draw == (2, 0)


def test_a_request_holds_exactly_one_prompt() -> None:
    with pytest.raises(ConfigError, match="holds 0 prompts"):
        Request()
    with pytest.raises(ConfigError, match="holds 2 prompts"):
        Request(text="a", ids=(1,))


def test_chat_turns_are_checked() -> None:
    assert chat([{"role": "user", "content": "hi"}]) == messages_of("hi")
    with pytest.raises(ConfigError, match="turn 0"):
        chat([{"role": "robot", "content": "hi"}])


def test_uniforms_are_a_function_of_seed_and_position() -> None:
    seeds, positions = np.arange(200) * 7919, np.arange(200) % 13
    together = uniforms(seeds, positions)
    alone = [float(uniforms(np.array([s]), np.array([p]))[0]) for s, p in zip(seeds, positions, strict=True)]
    assert together.tolist() == alone
    assert ((together >= 0) & (together < 1)).all()


def test_uniforms_are_uniform_and_streams_differ() -> None:
    grid = uniforms(np.repeat(np.arange(100), 1000), np.tile(np.arange(1000), 100))
    counts = np.histogram(grid, bins=50, range=(0, 1))[0]
    chi2 = float((((counts - 2000) ** 2) / 2000).sum())
    assert chi2 < 90  # 49 degrees of freedom: P(> 90) is about 0.0003
    assert abs(float(np.corrcoef(grid[:1000], grid[1000:2000])[0, 1])) < 0.1


def test_generators_depend_on_their_purpose() -> None:
    assert generator("a", 1).random() == generator("a", 1).random()
    assert generator("a", 1).random() != generator("a", 2).random()
    assert derive("x") != derive("y")


def test_a_registry_suggests_and_refuses_doubles(tmp_path: object) -> None:
    registry: Registry[object] = Registry("thing", "moco.nothing")
    registry.add("alpha", test_a_registry_suggests_and_refuses_doubles)
    with pytest.raises(ConfigError, match="did you mean 'alpha'"):
        registry.get("alhpa")
    with pytest.raises(ConfigError, match="two things"):
        registry.add("alpha", Registry)


def test_a_class_is_loaded_from_a_file_once(tmp_path: object) -> None:
    from pathlib import Path

    file = Path(str(tmp_path)) / "mine.py"
    file.write_text("class Thing:\n    pass\n")
    assert load_file(f"{file}:Thing") is load_file(f"{file}:Thing")
    with pytest.raises(ConfigError, match="did you mean 'Thing'"):
        load_file(f"{file}:Thong")
    with pytest.raises(ConfigError, match="there is no file"):
        load_file(f"{file}x:Thing")


NUMERIC = AnswerSpec(kind="numeric")


@given(st.lists(st.sampled_from(["1", "2", "3", None]), max_size=8))
def test_clusters_partition_the_readable_answers(keys: list[str | None]) -> None:
    groups = clusters(keys, NUMERIC)
    assert sorted(i for g in groups for i in g) == [i for i, k in enumerate(keys) if k is not None]
    assert all(len({keys[i] for i in g}) == 1 for g in groups)
    assert [g[0] for g in groups] == sorted(g[0] for g in groups)


def test_a_query_shows_no_more_than_the_question() -> None:
    spec = AnswerSpec(kind="numeric", question="2+2?", answer_format="End with Answer: X")
    query = Query.of(ask("2+2?\nEnd with Answer: X", spec=spec, study_seed=3))
    assert (query.question, query.answer_format, query.votable) == ("2+2?", "End with Answer: X", True)
    assert query.extract("so it is 4. Answer: 4") == query.extract("Answer: 4.0")
    assert query.request("Summarise", temperature=0).messages[-1].content == "Summarise"
    assert query.rng("tie").random() == Query.of(ask("2+2?\nEnd with Answer: X", spec=spec, study_seed=3)).rng("tie").random()
    assert query.rng("tie").random() != query.rng("other").random()
    assert Query.of("free text").votable is False


def test_the_runtime_works_inside_a_running_loop() -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    async def caller() -> tuple[int, int]:
        return RUNTIME.run(work()), await RUNTIME.bridge(work())

    assert asyncio.run(caller()) == (7, 7)


def test_the_synchronous_api_refuses_to_block_its_own_loop() -> None:
    async def inner() -> int:
        return 1

    async def outer() -> int:
        return RUNTIME.run(inner())

    with pytest.raises(RuntimeError, match="await the async variant"):
        RUNTIME.run(outer())


def test_import_is_light() -> None:
    heavy = ["torch", "transformers", "ray", "scipy", "openai", "fastapi"]
    code = f"import sys, moco; assert not [m for m in {heavy} if m in sys.modules], sys.modules.keys() & set({heavy})"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_is_there() -> None:
    import moco

    assert all(getattr(moco, name) is not None for name in moco.__all__)
    with pytest.raises(AttributeError):
        _ = moco.nonsense
