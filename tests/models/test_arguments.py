"""Pools and sampling say what is wrong with what they are given, and never take a text for the list of its letters."""

from __future__ import annotations

from typing import Any

import pytest

from moco.core.errors import ConfigError
from moco.core.types import Sampling
from moco.models.pool import Pool
from moco.models.store import Store


@pytest.mark.parametrize(
    ("members", "what"),
    [("playground/alpha", r"write Pool\(\['playground/alpha'\]\)"), ({"model": "playground/alpha"}, "a dict, not a list"),
     (None, "a NoneType, not a list"), ([{"nam": "x"}], "'nam' is unknown, did you mean 'name'"),
     ([{"name": "x"}], "names no model"),
     ([{"model": "playground/alpha", "nam": "x"}], "unknown option 'nam'.*did you mean 'name'"),
     ([{"model": "playground/alpha", "dtpe": "float32"}], "did you mean 'dtype'"), ([3], "a pool entry is a int")],
)  # fmt: skip
def test_a_pool_explains_what_it_cannot_take(members: Any, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        Pool(members, store=Store(None))


@pytest.mark.parametrize(
    ("given", "what"),
    [({"max_tokens": "3"}, "max_tokens is '3'.*whole number"), ({"max_tokens": 3.5}, "max_tokens is 3.5"),
     ({"max_tokens": True}, "max_tokens is True"), ({"temperature": None}, "temperature is None.*give a number"),
     ({"temperature": float("nan")}, "temperature is nan"), ({"top_k": 1.5}, "top_k is 1.5"), ({"top_p": "1"}, "top_p is '1'"),
     ({"stop": 3}, "stop is 3"), ({"stop": ["a", ""]}, "stop is")],
)  # fmt: skip
def test_sampling_explains_what_it_cannot_take(given: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        Sampling(**given)
    with pytest.raises(ConfigError):
        Sampling().but(**{name: value if value is not None else "none" for name, value in given.items()})


def test_a_stop_is_one_text_and_not_its_letters() -> None:
    assert Sampling(stop="END").stop == ("END",) and Sampling(stop=["a", "b"]).stop == ("a", "b")  # type: ignore[arg-type]
