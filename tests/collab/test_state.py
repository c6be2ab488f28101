"""What fits learned is strict JSON, whatever numbers it holds, and comes back as it was."""

from __future__ import annotations

import asyncio
import json
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moco.collab import Fitted
from moco.collab.state import from_json, load_state, save_state, state_digest, to_json
from moco.core.errors import MethodError
from tests.methods.helpers import fitted, pool_of, request, task_of


@dataclass(frozen=True)
class Learned:
    cuts: tuple[float, ...]
    weights: Any


TYPES = {"learned_": Learned, "table_": dict[str, Any], "bound_": float}
numbers = st.floats(allow_nan=True, allow_infinity=True)
trees = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), numbers, st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("abc_", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def strictly(text: str) -> Any:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and math.isnan(a):
        return isinstance(b, float) and math.isnan(b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b) and type(a) is type(b)


@settings(max_examples=60, deadline=None)
@given(st.lists(numbers, max_size=4), st.dictionaries(st.text("xyz", min_size=1, max_size=3), trees, max_size=3), numbers)
def test_every_number_comes_back(cuts: list[float], table: dict[str, Any], bound: float) -> None:
    state = {"learned_": Learned(tuple(cuts), None), "table_": table, "bound_": np.float64(bound)}
    with tempfile.TemporaryDirectory() as folder:
        save_state(state, Path(folder))
        strictly((Path(folder) / "state.json").read_text(encoding="utf-8"))
        again = load_state(TYPES, Path(folder))
    assert same(again["learned_"].cuts, tuple(cuts)) and same(again["table_"], table) and same(again["bound_"], float(bound))
    assert state_digest(again) == state_digest(state)


def test_arrays_keep_their_infinities(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    weights = np.array([[math.inf, -math.inf], [math.nan, 1.0]])
    save_state({"learned_": Learned((1.0,), weights), "table_": {}, "bound_": 0.0}, tmp_path)
    assert np.array_equal(load_state(TYPES, tmp_path)["learned_"].weights, weights, equal_nan=True)


def test_files_of_earlier_versions_are_read(tmp_path: Path) -> None:
    old = '{"learned_": {"cuts": [-Infinity, 0.5, Infinity], "weights": null}, "table_": {"x": Infinity}, "bound_": NaN}'
    (tmp_path / "state.json").write_text(old, encoding="utf-8")
    found = load_state(TYPES, tmp_path)
    assert found["learned_"].cuts == (-math.inf, 0.5, math.inf) and found["table_"] == {"x": math.inf}
    assert math.isnan(found["bound_"])


@pytest.mark.parametrize("quantile", [0.0, 1.0])
def test_a_cascade_whose_thresholds_are_infinite_is_saved_as_json(quantile: float, tmp_path: Path) -> None:
    options: dict[str, Any] = {"confidence": "self_consistency", "draws": 2}
    done = fitted("cascade", pool_of("Answer: A", "Answer: B"), task_of("A", dev="AB"), quantile=quantile, **options)
    assert math.isinf(done.method.state["thresholds_"][0])
    done.save(tmp_path)
    for file in tmp_path.glob("*.json"):
        strictly(file.read_text(encoding="utf-8"))
    again = Fitted.load(tmp_path, pool_of("Answer: A", "Answer: B"))
    assert again.method.state == done.method.state
    assert again.as_model().fingerprint == done.as_model().fingerprint
    said = [asyncio.run(one.as_model().generate(request())).source for one in (done, again)]
    assert said == ["b" if quantile else "a"] * 2


def test_options_without_end_are_saved_too(tmp_path: Path) -> None:
    options: dict[str, Any] = {"confidence": "self_consistency", "draws": 2, "thresholds": math.inf}
    fitted("cascade", pool_of("Answer: A", "Answer: B"), task_of("A", dev="AB"), **options).save(tmp_path)
    strictly((tmp_path / "method.json").read_text(encoding="utf-8"))
    assert Fitted.load(tmp_path, pool_of("Answer: A", "Answer: B")).method.options["thresholds"] == math.inf


def test_an_array_among_options_is_told() -> None:
    assert from_json(to_json({"a": (1, math.inf)})) == {"a": [1, math.inf]}
    with pytest.raises(MethodError, match="an array at '/a/0'"):
        to_json({"a": [np.zeros(2)]})
