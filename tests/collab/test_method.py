"""Methods, what they learn, and the services of `fit`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import moco
from moco.collab import Examples, Fitted, Method, Run, bounded, examples, fit, load_method, option_types, readable
from moco.collab.method import MethodInfo
from moco.collab.model import Collaboration
from moco.collab.state import load_state, save_state, state_digest
from moco.core.builders import BUILDERS
from moco.core.errors import ConfigError, DataError, MethodError, PoolError
from moco.core.types import Sampling
from moco.models.artifacts import Artifacts
from moco.models.store import Store
from moco.tasks import Record, Task
from moco.testing import ScriptedModel
from tests.methods.helpers import pool_of, request, task_of


@dataclass(frozen=True)
class Learned:
    names: tuple[str, ...]
    weights: np.ndarray[Any, Any]


@moco.register("learner_of_the_tests", level="text", fit="required", members=(1, 3), needs={"*": {"TEXT"}})
class Learner(Method):
    """Learns an array."""

    scale: float = 1.0
    learned_: Learned | None = None
    table_: dict[str, list[int]] | None = None

    async def fit(self, pool: moco.Pool, dev: Examples, run: Run) -> None:
        scores = await run.evaluate(list(pool), dev)
        self.learned_ = Learned(tuple(pool.names), scores.mean(axis=1) * self.scale)
        self.table_ = {"places": [int(i) for i in np.argsort(scores.mean(axis=1))]}

    async def answer(self, query: moco.Query, pool: moco.Pool) -> moco.Answer:
        assert self.learned_ is not None
        best = int(np.argmax(self.learned_.weights))
        return moco.Answer((await pool.ask(best, query)).text)


def run_fit(pool: moco.Pool, dev: str = "AABB", **options: Any) -> Fitted:
    return asyncio.run(fit(load_method("learner_of_the_tests", **options), pool, task_of("A", dev=dev), sampling=Sampling()))


def test_arrays_and_dataclasses_are_saved_without_pickle(tmp_path: Path) -> None:
    done = run_fit(pool_of("Answer: B", "Answer: A"))
    done.save(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"method.json", "state.json", "state.safetensors"}
    again = Fitted.load(tmp_path, pool_of("Answer: B", "Answer: A"))
    assert again.method.state["learned_"].names == ("a", "b")
    assert again.method.state["learned_"].weights.tolist() == [0.5, 0.5]
    assert state_digest(again.method.state) == state_digest(done.method.state)


def test_what_was_fitted_with_other_members_is_refused(tmp_path: Path) -> None:
    run_fit(pool_of("Answer: A")).save(tmp_path)
    with pytest.raises(DataError, match="fitted with members"):
        Fitted.load(tmp_path, pool_of("Answer: A", "Answer: B"))
    with pytest.raises(DataError, match="no fitted collaboration"):
        Fitted.load(tmp_path / "nowhere", pool_of("Answer: A"))


def test_a_state_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    save_state({"learned_": [1, 2]}, tmp_path)
    with pytest.raises(DataError, match="fit again"):
        load_state({"learned_": Learned}, tmp_path)
    with pytest.raises(DataError, match="fit again"):
        load_state({"other_": int}, tmp_path)
    with pytest.raises(MethodError, match="fit left a set"):
        save_state({"bad_": {1, 2}}, tmp_path)


def test_a_required_fit_needs_dev() -> None:
    with pytest.raises(ConfigError, match="must be fitted"):
        run_fit(pool_of("Answer: A"), dev="")


def test_the_pool_is_checked_before_anything_is_asked() -> None:
    pool = pool_of(*["Answer: A"] * 4)
    with pytest.raises(PoolError, match="takes 1 to 3 members, the pool has 4"):
        run_fit(pool)


def test_options_are_what_is_annotated() -> None:
    assert set(option_types(Learner)) == {"scale"}
    assert load_method("learner_of_the_tests", scale="2").options == {"scale": 2.0}
    with pytest.raises(ConfigError, match="unknown option 'learned_'"):
        load_method("learner_of_the_tests", learned_=1)
    with pytest.raises(ConfigError, match="unknown preset"):
        load_method("single", preset="papre")


def test_options_and_state_and_members_change_the_fingerprint() -> None:
    one = run_fit(pool_of("Answer: A", "Answer: B"))
    names = {
        f.as_model().fingerprint
        for f in (
            one,
            run_fit(pool_of("Answer: A", "Answer: B"), scale=2),
            run_fit(pool_of("Answer: A", "Answer: B"), dev="AAAA"),
            run_fit(pool_of("Answer: A", "Answer: B", names=["a", "x"])),
        )
    }
    assert len(names) == 4
    assert run_fit(pool_of("Answer: A", "Answer: B")).as_model().fingerprint == one.as_model().fingerprint


def test_a_method_from_a_file_must_be_registered(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("import moco\nclass Bare(moco.Method):\n    pass\nclass Other:\n    pass\n")
    with pytest.raises(ConfigError, match="is not registered"):
        load_method(f"{file}:Bare")
    with pytest.raises(ConfigError, match="is not a method"):
        load_method(f"{file}:Other")


def test_a_method_that_returns_no_answer_is_told_so() -> None:
    class Wrong(Method):
        async def answer(self, query: moco.Query, pool: moco.Pool) -> Any:
            return "text"

    moco.register("wrong_of_the_tests", level="text")(Wrong)
    with pytest.raises(MethodError, match=r"return moco.Answer"):
        asyncio.run(Fitted(Wrong(), pool_of("x")).as_model().generate(request()))


def test_map_keeps_order_and_bounds_what_is_live() -> None:
    live = most = 0

    async def work(item: int) -> int:
        nonlocal live, most
        live += 1
        most = max(most, live)
        await asyncio.sleep(0.001 * (item % 3))
        live -= 1
        return item * item

    assert asyncio.run(bounded(work, range(50), lambda done: None, limit=7)) == [i * i for i in range(50)]
    assert most == 7


def test_the_first_failure_stops_a_map() -> None:
    async def work(item: int) -> int:
        if item == 3:
            raise ConfigError("three")
        await asyncio.sleep(1)
        return item

    with pytest.raises(ConfigError, match="three"):
        asyncio.run(bounded(work, range(10), lambda done: None))


def test_a_split_is_disjoint_complete_and_recorded() -> None:
    run = Run(7, Sampling())
    dev: list[Any] = list(range(20))
    parts = run.split(dev, select=0.3)
    assert sorted(parts.fit + parts.select) == dev
    assert len(parts.select) == 6
    assert run.log == [{"split": {"fit": 14, "select": 6}}]
    assert Run(7, Sampling()).split(dev, select=0.3) == parts
    assert Run(8, Sampling()).split(dev, select=0.3) != parts


def test_copies_of_a_model_are_independent_samples_and_views_keep_their_numbers() -> None:
    model = ScriptedModel("m", lambda r: f"Answer: {'ABCD'[r.replicate]}")
    pool = moco.Pool([model, model, model], store=Store(None))
    assert pool.names == ["m", "m-2", "m-3"]
    drafts = asyncio.run(pool.ask_all(moco.Query.of(request())))
    assert [d.key for d in drafts] == ["A", "B", "C"]
    view = pool.only(["m-3"])
    assert asyncio.run(view.ask("m-3", moco.Query.of(request()))).key == "C"
    assert len(model.requests) == 3
    asyncio.run(pool.ask_all(moco.Query.of(request(temperature=0))))
    assert len(model.requests) == 4, "greedy copies are one call"


def test_members_may_fail_be_dropped_or_be_late() -> None:
    from moco.core.errors import Transient

    def broken(r: object) -> str:
        raise Transient("down")

    pool = pool_of("Answer: A", broken)
    with pytest.raises(Transient):
        asyncio.run(pool.ask_all(request()))
    assert [d.member for d in asyncio.run(pool.ask_all(request(), on_failure="drop"))] == ["a"]
    with pytest.raises(Transient):
        asyncio.run(pool.ask_all(request(), on_failure="drop", at_least=2))


@pytest.mark.parametrize(
    "entries,match",
    [
        ([], "pool is empty"),
        (["playground/alpah"], "alpha"),
        ([{"name": "x"}], "names no model"),
        ([3], "a pool entry is a int"),
        ([{"model": "playground/alpha", "name": "x"}, {"model": "playground/beta", "name": "x"}], "two members are called 'x'"),
        (["nowhere/at/all"], "no model folder"),
    ],
)
def test_a_wrong_pool_is_explained(entries: list[Any], match: str) -> None:
    with pytest.raises((ConfigError, PoolError), match=match):
        moco.Pool(entries, store=Store(None))


def test_an_unknown_member_or_role_is_explained() -> None:
    pool = pool_of("x", "y")
    with pytest.raises(ConfigError, match="no member"):
        pool["z"]
    with pytest.raises(PoolError, match="role 'judge'"):
        pool.role("judge")
    assert pool.with_roles({"judge": "b"}).role("judge").name == "b"


def test_a_folder_is_a_member_and_is_the_same_model_as_the_playground_one() -> None:
    from moco.playground.members import model_path

    pool = moco.Pool(
        ["playground/alpha", str(model_path("alpha")), {"model": str(model_path("beta")), "dtype": "float32"}], store=Store(None)
    )
    assert pool.names == ["alpha", "alpha-2", "beta"]
    assert pool[0].model.fingerprint == pool[1].model.fingerprint != pool[2].model.fingerprint
    asked = moco.Request(messages=(moco.Message("user", "What is 17 + 25?"),), sampling=Sampling(max_tokens=48, temperature=0))
    drafts = asyncio.run(pool.ask_all(asked))
    assert drafts[0].text == drafts[1].text
    with pytest.raises(ConfigError, match="did you mean 'dtype'"):
        moco.Pool([{"model": str(model_path("beta")), "dtpye": "float32"}], store=Store(None))


def test_a_greedy_collaboration_drops_draw_and_seed_at_temperature_zero_only() -> None:
    class Plain(moco.Method):
        """Asks the first member."""

        info = MethodInfo("plain", "baseline", greedy=True)

        async def answer(self, query: moco.Query, pool: moco.Pool) -> moco.Answer:
            return moco.Answer((await pool.ask(0, query)).text)

    model = Collaboration(Plain(), pool_of("Answer: A"))
    cold, hot = request(temperature=0), request(temperature=0.7)
    assert model.key(cold) == model.key(cold.but(draw=(2,), seed=5))
    assert model.key(hot) != model.key(hot.but(draw=(2,)))
    assert model.key(hot) != model.key(hot.but(seed=5))


def test_training_makes_an_artifact_once_per_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def trainer(model: Any, spec: Any, data: Any, *, folder: Path, seed: int, progress: Any) -> None:
        seen.append(len(data))
        (folder / "adapter.json").write_text(f"{model.name} {spec['rate']} {seed}")

    monkeypatch.setitem(BUILDERS._items, "train-toy", trainer)
    pool, rows = pool_of("Answer: A"), [{"messages": [{"role": "user", "content": "Which?"}]}]

    def made(seed: int, rate: float, data: Any = rows) -> str:
        return asyncio.run(Run(seed, Sampling()).train(pool["a"], {"kind": "toy", "rate": rate}, data))

    first = made(0, 0.1)
    assert made(0, 0.1) == first and seen == [1], "the same inputs are trained once"
    assert (Artifacts().path(first) / "adapter.json").read_text() == "a 0.1 0"
    assert len({first, made(1, 0.1), made(0, 0.2), made(0, 0.1, rows * 2)}) == 4
    with pytest.raises(ConfigError, match="no trainer 'tyo'"):
        asyncio.run(Run(0, Sampling()).train(pool["a"], {"kind": "tyo"}, rows))


def test_a_killed_training_leaves_no_artifact(monkeypatch: pytest.MonkeyPatch) -> None:
    def trainer(*args: Any, folder: Path, **rest: Any) -> None:
        (folder / "half").write_text("done")
        raise KeyboardInterrupt

    monkeypatch.setitem(BUILDERS._items, "train-toy", trainer)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(Run(0, Sampling()).train(pool_of("Answer: A")["a"], {"kind": "toy"}, []))
    assert Artifacts().list() == []


def test_dev_questions_too_long_for_a_member_are_left_out_and_told() -> None:
    pool = moco.Pool(["playground/alpha", "playground/beta"], store=Store(None))
    records = [
        Record(id=name, question=f"What is 2 + {i}? {'more ' * words}", answer=str(2 + i), kind="numeric", split="dev")
        for i, (name, words) in enumerate((("short", 0), ("long", 3000), ("other", 1)))
    ]
    task = Task("t", records, [Record(id="t", question="What is 1 + 1?", answer="2", kind="numeric")])
    kept, left_out = readable(pool, examples(task, Sampling(max_tokens=8)))
    assert [e.record.id for e in kept] == ["short", "other"] and left_out == ["long"]
    fitted = asyncio.run(fit(load_method("majority_vote"), pool, task, sampling=Sampling(max_tokens=8)))
    assert {"dev_left_out": {"reason": "too long for a member", "ids": ["long"]}} in fitted.log
    alone = Task("t", [records[1]], task.test)
    with pytest.raises(ConfigError, match="1 dev questions are too long for a member"):
        asyncio.run(fit(Learner(), pool, alone))
