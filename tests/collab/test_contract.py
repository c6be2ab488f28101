"""What a method class must keep to: refused when it registers, when it is cast, and after `fit`."""

from __future__ import annotations

import asyncio
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

import moco
from moco.collab import Examples, Fitted, Method, Run, fit, load_method
from moco.core.errors import ConfigError, MethodError, PoolError
from moco.core.types import Sampling
from tests.methods.helpers import pool_of, request, task_of


class Plain(Method):
    """Asks the first member."""

    limit = 3
    label: str = ""

    async def answer(self, query: moco.Query, pool: moco.Pool) -> moco.Answer:
        return moco.Answer((await pool.ask(0, query)).text)


class Learning(Plain):
    """Learns what it is told to, under whatever name."""

    seen_: dict[str, int] | None = None
    ready = 0

    async def fit(self, pool: moco.Pool, dev: Examples, run: Run) -> None:
        setattr(self, self.label, {dev[0].record.id: self.half})

    @cached_property
    def half(self) -> int:
        return 1


def learned(label: str) -> Fitted:
    moco.register("learning_of_the_tests", level="text")(Learning)
    method = load_method("learning_of_the_tests", label=label)
    return asyncio.run(fit(method, pool_of("Answer: A"), task_of("A", dev="AB"), sampling=Sampling()))


@pytest.mark.parametrize(
    "label, remedy",
    [
        ("lost_", r"write lost_: dict\[str, int\] \| None = None in the class$"),
        ("lost", r"write lost_: dict\[str, int\] \| None = None in the class, and set self\.lost_"),
        ("_lost", r"write lost_: dict"),
        ("ready", r"write ready_: dict"),
    ],
)
def test_what_fit_learns_must_be_declared(label: str, remedy: str) -> None:
    with pytest.raises(MethodError, match=remedy) as caught:
        learned(label)
    assert f"fit set '{label}'" in caught.value.what and caught.value.exit_code == 2


def test_what_is_declared_is_kept_and_loaded_again(tmp_path: Path) -> None:
    done = learned("seen_")
    done.save(tmp_path)
    again = Fitted.load(tmp_path, pool_of("Answer: A"))
    assert again.method.state == done.method.state == {"seen_": {"dev0": 1}}
    assert again.as_model().fingerprint == done.as_model().fingerprint


async def _fit(self: Any, pool: moco.Pool, dev: Examples, run: Run) -> None: ...


async def _three(self: Any, query: moco.Query) -> None: ...


def _sync(self: Any, query: moco.Query, pool: moco.Pool) -> None: ...


@pytest.mark.parametrize(
    "given, body, what, remedy",
    [
        ({"fit": "never"}, {"fit": _fit}, "would not be called", "fit='optional'"),
        ({"fit": "required"}, {}, "defines no fit", "async def fit"),
        ({"fit": "always"}, {"fit": _fit}, "unknown fit 'always'", "never, optional, required|known"),
        ({"level": "tex"}, {}, "unknown level 'tex'", "did you mean 'text'"),
        ({"needs": {"*": {"LOGIT"}}}, {}, "unknown capability 'LOGIT'", "did you mean 'LOGITS'"),
        ({"needs": {"*": "LOGIT"}}, {}, "unknown capability 'LOGIT'", "did you mean 'LOGITS'"),
        ({"needs": {"jugde": {"SCORE"}}, "roles": {"judge": 1}}, {}, "'jugde', which is no role", "did you mean 'judge'"),
        ({"members": (3, 2)}, {}, r"members is \(3, 2\)", "fewest, most"),
        ({"members": 2}, {}, "members is 2", "fewest, most"),
        ({}, {"answer": _sync}, "answer is no async function", "async def answer"),
        ({}, {"fit": _sync}, "fit is no async function", "async def fit"),
        ({}, {"answer": _three}, "does not take query, pool", "async def answer"),
        ({}, {"answer": Method.answer}, "neither answer nor as_model", "async def answer"),
        ({}, {"__annotations__": {"bare_": "int"}}, "'bare_', has no value before fit", "None = None"),
    ],
)
def test_a_registration_that_cannot_be_meant_is_refused(
    given: dict[str, Any], body: dict[str, Any], what: str, remedy: str
) -> None:
    with pytest.raises(ConfigError, match=what) as caught:
        moco.register("wrong_of_the_tests", **{"level": "text", **given})(type("Wrong", (Plain,), body))
    assert "Wrong" in caught.value.where
    with pytest.raises(ConfigError, match=remedy):
        raise caught.value
    with pytest.raises(ConfigError, match="unknown method"):
        load_method("wrong_of_the_tests")


def test_only_a_method_can_be_registered() -> None:
    with pytest.raises(ConfigError, match=r"derive the class from moco\.Method"):
        moco.register("wrong_of_the_tests", level="text")(Sampling)  # type: ignore[type-var]


def test_a_class_that_defines_fit_and_says_nothing_learns_where_it_can() -> None:
    assert moco.register("one_of_the_tests", level="text")(type("One", (Plain,), {"fit": _fit})).info.fit == "optional"
    assert moco.register("two_of_the_tests", level="text")(type("Two", (Plain,), {})).info.fit == "never"


def test_an_option_without_a_type_is_told_so() -> None:
    moco.register("plain_of_the_tests", level="text")(Plain)
    with pytest.raises(ConfigError, match="write limit: int = 3 in the class"):
        load_method("plain_of_the_tests", limit=4)
    with pytest.raises(ConfigError, match="did you mean 'label'"):
        load_method("plain_of_the_tests", labl="x")
    with pytest.raises(ConfigError, match="known: label"):
        load_method("plain_of_the_tests", answer="x")


def test_roles_nobody_plays_are_refused() -> None:
    pool = pool_of("Answer: A", "Answer: B")
    with pytest.raises(ConfigError, match=r"majority_vote knows no role 'judge'.*casts no roles"):
        load_method("majority_vote").check(pool.with_roles({"judge": "b"}))
    with pytest.raises(ConfigError, match=r"knows no role 'jugde'.*did you mean 'judge'"):
        load_method("llm_blender").check(pool.with_roles({"jugde": "b"}))
    load_method("llm_blender").check(pool.with_roles({"judge": "b", "fuser": "a"}))
    load_method("mixture_of_agents").check(pool.with_roles({"aggregator": "a"}))


def test_a_role_may_be_needed_or_allowed_and_what_it_needs_is_asked_of_who_plays_it() -> None:
    kind = type("Judged", (Plain,), {})
    moco.register("judged_of_the_tests", level="text", roles={"judge": 1, "helper": 0}, needs={"helper": {"SCORE"}})(kind)
    method, pool = load_method("judged_of_the_tests"), pool_of("Answer: A", "Answer: B")
    with pytest.raises(PoolError, match="no member plays the role 'judge'"):
        method.check(pool)
    method.check(pool.with_roles({"judge": "a"}))
    with pytest.raises(ConfigError, match=r"did you mean 'judge'.*registered with roles=\{'jugde': 0\}"):
        method.check(pool.with_roles({"judge": "a", "jugde": "b"}))
    with pytest.raises(PoolError, match="needs SCORE of member 'b'"):
        method.check(pool.with_roles({"judge": "a", "helper": "b"}))


def test_options_of_another_head_are_refused() -> None:
    pool = pool_of("Answer: A", "Answer: B")
    for options in ({"epochs": 5}, {"weighted": True}):
        with pytest.raises(ConfigError, match=f"{next(iter(options))} belongs to head"):
            load_method("trained_router", head="elo", **options).check(pool)
    load_method("trained_router", head="knn", weighted=True).check(pool)
    load_method("trained_router", preset="paper", epochs=5).check(pool)


def test_a_method_that_is_fitted_nowhere_answers_all_the_same() -> None:
    moco.register("learning_of_the_tests", level="text")(Learning)
    said = asyncio.run(Fitted(load_method("learning_of_the_tests"), pool_of("Answer: A")).as_model().generate(request()))
    assert said.key == "A"
