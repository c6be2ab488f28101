"""What holds for every registered method, now and later: run over the registry, on members that have what it needs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from moco.collab import METHODS, Fitted, fit, load_method
from moco.collab.state import state_digest
from moco.core.errors import ConfigError, PoolError
from moco.core.query import Query
from moco.core.types import Completion, Request, Sampling
from moco.models.pool import Pool
from moco.models.store import Store
from moco.tasks import Task
from tests.methods.helpers import ask, fitted, pool_of, request, task_of
from tests.methods.teams import OPTIONS, team, twins

NAMES = [name for name in METHODS.names() if METHODS.get(name).__module__.startswith("moco.")]
GOLD = "D"
TALKERS = [name for name in NAMES if METHODS.get(name).info.level not in ("logit", "weight")]
"""Methods that ask their members for texts; the others are one Model, and their members have no transcript of their own."""
FITTED = [name for name in NAMES if METHODS.get(name).info.fit == "required"]


def answer_of(name: str, pool: Pool, asked: Request | None = None) -> Completion:
    """What ``name`` answers over ``pool``, fitted first if it must be."""
    if name in FITTED:
        return asyncio.run(trained(name, pool).as_model().generate(asked or request()))
    return ask(name, pool, asked, **OPTIONS.get(name, {}))


def trained(name: str, pool: Pool, task: Task | None = None) -> Fitted:
    return fitted(name, pool, task or task_of("ABCA", dev="ABCABC"), **OPTIONS.get(name, {}))


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
    pool, cold = twins(name), request(temperature=0)
    alone = asyncio.run(pool["a"].model.generate(cold)).text
    assert answer_of(name, pool, cold).text == alone


@pytest.mark.parametrize("name", NAMES)
def test_gold_is_in_no_request(name: str, heard: list[Request]) -> None:
    pool, task = team(name), task_of([GOLD] * 4, dev=[GOLD] * 4)
    marked = trained(name, pool, task).as_model()
    for record in task.test:
        asyncio.run(marked.generate(Request(messages=task.messages(record), spec=task.spec_of(record))))
    assert heard
    said = json.dumps([[m.content for m in r.messages] + [repr(r.spec)] for r in heard])
    assert '"answer"' not in said and "gold" not in said
    assert "Answer: D" not in said, "no request shows the right letter as an answer: no member says it"


@pytest.mark.parametrize("name", NAMES)
def test_the_same_request_gets_the_same_answer(name: str) -> None:
    assert answer_of(name, team(name)) == answer_of(name, team(name))


@pytest.mark.parametrize("name", NAMES)
def test_a_warm_store_replays_without_asking(name: str, heard: list[Request]) -> None:
    store = Store(None)
    first = answer_of(name, team(name, store=store))
    asked = len(heard)
    assert asked > 0
    assert answer_of(name, team(name, store=store)) == first
    assert len(heard) == asked


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_loaded_it_answers_the_same(name: str, tmp_path: Path) -> None:
    done = trained(name, team(name))
    done.save(tmp_path)
    again = Fitted.load(tmp_path, team(name))
    one, two = (asyncio.run(f.as_model().generate(request("a new question"))) for f in (done, again))
    assert one == two
    assert done.as_model().fingerprint == again.as_model().fingerprint


@pytest.mark.parametrize("name", NAMES)
def test_fitting_twice_gives_the_same_state(name: str) -> None:
    one, two = (state_digest(trained(name, team(name)).method.state) for _ in range(2))
    assert one == two


@pytest.mark.parametrize("name", NAMES)
def test_fit_leaves_the_given_method_alone(name: str) -> None:
    method = load_method(name, **OPTIONS.get(name, {}))
    before = state_digest(method.state)
    asyncio.run(fit(method, team(name), task_of("A", dev="ABC"), sampling=Sampling()))
    assert state_digest(method.state) == before


@pytest.mark.parametrize("name", NAMES)
def test_it_works_as_a_member(name: str) -> None:
    inner = trained(name, team(name)).as_model("panel")
    outer = Pool([{"model": inner, "description": "a panel"}, pool_of("Answer: B")["a"].model], store=Store(None))
    answer = ask("majority_vote", outer, tie="order")
    assert answer.text
    assert answer.calls[0].member == "panel"
    assert bool(answer.calls[0].calls) == (name in TALKERS), "the panel's own transcript is inside"


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_its_answer_is(name: str) -> None:
    asked = request(temperature=0)
    answer = answer_of(name, twins(name), asked)
    assert answer.key == Query.of(asked).extract(answer.text)


@pytest.mark.parametrize("name", NAMES)
def test_it_works_without_an_answer_spec(name: str) -> None:
    assert answer_of(name, team(name), request("Tell me a story", spec=None)).text


@pytest.mark.parametrize("name", TALKERS)
def test_the_transcript_holds_every_request(name: str, heard: list[Request]) -> None:
    model = trained(name, team(name)).as_model() if name in FITTED else None
    before = len(heard)
    answer = answer_of(name, team(name)) if model is None else asyncio.run(model.generate(request()))
    assert len(answer.calls) >= len(heard) - before > 0
    assert answer.usage.calls == len([c for c in answer.calls if c.usage.calls])


@pytest.mark.parametrize("name", TALKERS)
def test_permuting_the_members_permutes_the_transcript(name: str) -> None:
    transcripts = []
    for order in ("abc", "cab"):
        pool = team(name, names=list(order))
        calls = asyncio.run(trained(name, pool, task_of("A", dev="CCCC")).as_model().generate(request())).calls
        transcripts.append(sorted((c.member, c.text) for c in calls if c.tag.stage == "answer" and c.tag.round == 0))
    assert transcripts[0] == transcripts[1]


@pytest.mark.parametrize("name", NAMES)
def test_too_many_or_too_few_members_are_refused_before_anything_runs(name: str, heard: list[Request]) -> None:
    low, high = METHODS.get(name).info.members
    if low > 1:
        with pytest.raises(PoolError, match="members"):
            ask(name, team(name, names=["a"]))
    if high is not None:
        with pytest.raises(PoolError, match="members"):
            ask(name, team(name, names=["a", "b", "c"][: high + 1]))
    assert low >= 1 and not heard


@pytest.mark.parametrize("name", NAMES)
def test_members_that_lack_what_it_needs_are_refused_before_anything_runs(name: str, heard: list[Request]) -> None:
    if METHODS.get(name).info.needs:
        with pytest.raises(PoolError, match="needs"):
            ask(name, pool_of(*["Answer: A"] * 3))
    assert not heard


@pytest.mark.parametrize("name", NAMES)
def test_an_explicit_seed_decides_alone(name: str) -> None:
    one, two = (answer_of(name, team(name), request(seed=5, study_seed=s)) for s in (1, 2))
    assert one.text == two.text
