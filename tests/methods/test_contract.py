"""What holds for every registered method, now and later: run over the registry, on scripted members."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from moco.collab import METHODS, Fitted, fit, load_method
from moco.core.errors import ConfigError, PoolError
from moco.core.types import Request, Sampling
from moco.models.pool import Pool
from moco.models.store import Store
from tests.methods.helpers import ask, fitted, pool_of, request, scripted, task_of

NAMES = [name for name in METHODS.names() if METHODS.get(name).__module__.startswith("moco.")]
GOLD = "D"


def options_for(name: str) -> dict[str, Any]:
    """Options without which a method cannot work on scripted members."""
    return {"prompt_routing": {"decision": "generate"}}.get(name, {})


def varied(letters: str) -> Any:
    """A member whose answer depends on the request alone."""

    def reply(r: Request) -> str:
        text = r.messages[-1].content
        return f"I think so. Answer: {letters[(len(text) + sum(r.draw)) % len(letters)]}"

    return reply


def team() -> Pool:
    return pool_of(varied("ABC"), varied("BCA"), varied("CCA"))


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is(name: str) -> None:
    info = METHODS.get(name).info
    cls = METHODS.get(name)
    assert info.name == name
    assert cls.__doc__
    assert cls.cost
    assert cls.fidelity
    assert any("test" in line for line in cls.fidelity)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("preset", ["default", "paper", "moco", "upstream"])
def test_every_preset_is_valid(name: str, preset: str) -> None:
    load_method(name, preset=preset)


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_option_never_passes(name: str) -> None:
    with pytest.raises(ConfigError, match="unknown option"):
        load_method(name, nonsense=1)


@pytest.mark.parametrize("name", NAMES)
def test_identical_members_answer_as_one_would(name: str) -> None:
    said = "It is soup. Answer: A"
    assert ask(name, pool_of(said, said, said), request(temperature=0), **options_for(name)).text == said


@pytest.mark.parametrize("name", NAMES)
def test_gold_is_in_no_request(name: str) -> None:
    pool, task = team(), task_of([GOLD] * 4, dev=[GOLD] * 4)
    marked = fitted(name, pool, task, **options_for(name)).as_model()
    for record in task.test:
        asyncio.run(marked.generate(Request(messages=task.messages(record), spec=task.spec_of(record))))
    said = json.dumps([[m.content for m in r.messages] + [repr(r.spec)] for n in pool.names for r in scripted(pool, n).requests])
    plain = json.dumps([[m.content for m in task.messages(r)] for r in task.test])
    assert '"answer"' not in said and "gold" not in said
    assert said.count("Answer: D") == 0, "no request shows the right letter as an answer"
    assert plain


@pytest.mark.parametrize("name", NAMES)
def test_the_same_request_gets_the_same_answer(name: str) -> None:
    one, two = ask(name, team(), **options_for(name)), ask(name, team(), **options_for(name))
    assert one == two


@pytest.mark.parametrize("name", NAMES)
def test_a_warm_store_replays_without_asking(name: str) -> None:
    store = Store(None)

    def once() -> tuple[str, int]:
        pool = pool_of(varied("ABC"), varied("BCA"), varied("CCA"), store=store)
        answer = ask(name, pool, **options_for(name))
        return answer.text, sum(len(scripted(pool, n).requests) for n in pool.names)

    (first, asked), (second, again) = once(), once()
    assert (first, again) == (second, 0)
    assert asked > 0


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_loaded_it_answers_the_same(name: str, tmp_path: Path) -> None:
    pool, task = team(), task_of("ABCA", dev="ABCABC")
    done = fitted(name, pool, task, **options_for(name))
    done.save(tmp_path)
    again = Fitted.load(tmp_path, team())
    one, two = (asyncio.run(f.as_model().generate(request("a new question"))) for f in (done, again))
    assert one == two
    assert done.as_model().fingerprint == again.as_model().fingerprint


@pytest.mark.parametrize("name", NAMES)
def test_fitting_twice_gives_the_same_state(name: str) -> None:
    task = task_of("ABCA", dev="ABCABC")
    assert (
        fitted(name, team(), task, **options_for(name)).method.state
        == fitted(name, team(), task, **options_for(name)).method.state
    )


@pytest.mark.parametrize("name", NAMES)
def test_fit_leaves_the_given_method_alone(name: str) -> None:
    method = load_method(name, **options_for(name))
    before = method.state
    asyncio.run(fit(method, team(), task_of("A", dev="ABC"), sampling=Sampling()))
    assert method.state == before


@pytest.mark.parametrize("name", NAMES)
def test_it_works_as_a_member(name: str) -> None:
    inner = Fitted(load_method(name, **options_for(name)), team()).as_model("panel")
    outer = Pool([{"model": inner, "description": "a panel"}, pool_of("Answer: B")["a"].model], store=Store(None))
    answer = ask("majority_vote", outer, tie="order")
    assert answer.text
    assert answer.calls[0].member == "panel"
    assert answer.calls[0].calls, "the panel's own transcript is inside"


@pytest.mark.parametrize("name", NAMES)
def test_it_works_without_an_answer_spec(name: str) -> None:
    answer = ask(name, team(), request("Tell me a story", spec=None), **options_for(name))
    assert answer.text


@pytest.mark.parametrize("name", NAMES)
def test_the_transcript_holds_every_request(name: str) -> None:
    pool = team()
    answer = ask(name, pool, **options_for(name))
    assert len(answer.calls) >= sum(len(scripted(pool, n).requests) for n in pool.names) > 0
    assert answer.usage.calls == len([c for c in answer.calls if c.usage.calls])


@pytest.mark.parametrize("name", NAMES)
def test_permuting_the_members_permutes_the_transcript(name: str) -> None:
    said = {"a": varied("ABC"), "b": varied("BCA"), "c": varied("CCA")}
    transcripts = []
    for order in ("abc", "cab"):
        pool = pool_of(*(said[n] for n in order), names=list(order))
        task = task_of("A", dev="CCCC")
        calls = asyncio.run(fitted(name, pool, task, **options_for(name)).as_model().generate(request())).calls
        transcripts.append(sorted((c.member, c.text) for c in calls if c.tag.stage == "answer"))
    assert transcripts[0] == transcripts[1]


@pytest.mark.parametrize("name", NAMES)
def test_too_many_or_too_few_members_are_refused_before_anything_runs(name: str) -> None:
    low, high = METHODS.get(name).info.members
    if low > 1:
        with pytest.raises(PoolError, match="members"):
            ask(name, pool_of("Answer: A"))
    if high is not None:
        with pytest.raises(PoolError, match="members"):
            ask(name, pool_of(*["Answer: A"] * (high + 1)))
    assert low >= 1


@pytest.mark.parametrize("name", NAMES)
def test_an_explicit_seed_decides_alone(name: str) -> None:
    one = ask(name, team(), request(seed=5, study_seed=1), **options_for(name))
    two = ask(name, team(), request(seed=5, study_seed=2), **options_for(name))
    assert one.text == two.text
