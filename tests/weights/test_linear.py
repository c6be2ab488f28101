"""The weighted average of tensors: mergekit's numbers, and what must hold of any average."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from moco.core.errors import ConfigError
from moco.weights import linear
from moco.weights.linear import check

FLOATS = st.floats(-100, 100, width=32).map(lambda x: x if abs(x) > 1e-6 else 0.0)
"""Far from where float32 loses digits."""
SHAPES = arrays.array_shapes(max_dims=2, max_side=5)


@st.composite
def stacks(draw: st.DrawFn) -> list[np.ndarray[Any, Any]]:
    """One to four tensors of one shape."""
    shape = draw(SHAPES)
    return [draw(arrays.arrays(np.float32, shape, elements=FLOATS)) for _ in range(draw(st.integers(1, 4)))]


def tensor(values: Any) -> torch.Tensor:
    return torch.tensor(np.array(values, np.float64), dtype=torch.float32)


def test_the_numbers_of_mergekit(shared: Path) -> None:
    found = json.loads((shared / "vectors" / "weight_linear.json").read_text())
    compared = 0
    for case in found["cases"]:
        half = case["dtype"] == "bfloat16"
        models = found["inputs_bfloat16_as_float32" if half else "inputs"]["models"][: case["n_models"]]
        weights, normalize = case["parameters"]["weight"], case["parameters"].get("normalize", True)
        for name, wanted in case["output"].items():
            tensors = [tensor(m[name]).to(torch.bfloat16 if half else torch.float32) for m in models]
            if sum(weights) == 0 and normalize:
                with pytest.raises(ConfigError, match="sum to zero"):
                    linear(tensors, weights, normalize=normalize)
                continue
            got = linear(tensors, weights, normalize=normalize)
            if half:
                assert torch.equal(got.to(torch.bfloat16), tensor(wanted).to(torch.bfloat16)), case["name"]
            else:
                assert torch.allclose(got, tensor(wanted), rtol=0, atol=1e-6), case["name"]
            compared += 1
    assert compared == 14


def test_by_hand() -> None:
    one, two = np.float32([1, 2]), np.float32([3, 8])
    assert linear([one, two], [1, 1]).tolist() == [2, 5]
    assert linear([one, two], [1, 3]).tolist() == [2.5, 6.5]
    assert linear([one, two], [1, -1], normalize=False).tolist() == [-2, -6]
    assert linear([one], [3], normalize=False).tolist() == [3, 6]


@settings(deadline=None, max_examples=60)
@given(stacks(), st.data())
def test_an_average_lies_between_its_inputs(tensors: list[Any], data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.floats(0.1, 10), min_size=len(tensors), max_size=len(tensors)))
    out, stack = linear(tensors, weights), np.stack(tensors)
    assert np.all(out >= stack.min(axis=0) - 1e-4)
    assert np.all(out <= stack.max(axis=0) + 1e-4)


@settings(deadline=None, max_examples=60)
@given(stacks(), st.randoms(use_true_random=False))
def test_with_equal_weights_the_order_does_not_matter(tensors: list[Any], random: Any) -> None:
    mixed = random.sample(tensors, len(tensors))
    np.testing.assert_allclose(linear(mixed, [1.0] * len(mixed)), linear(tensors, [1.0] * len(tensors)), rtol=1e-6, atol=1e-4)


@settings(deadline=None, max_examples=60)
@given(stacks(), st.data())
def test_only_the_ratio_of_weights_matters_when_normalised(tensors: list[Any], data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.floats(0.1, 10), min_size=len(tensors), max_size=len(tensors)))
    whole = linear(tensors, weights)
    np.testing.assert_array_equal(linear(tensors, [2 * w for w in weights]), whole)
    np.testing.assert_allclose(linear(tensors, [3 * w for w in weights]), whole, rtol=1e-5, atol=1e-4)
    shares = [w / sum(weights) for w in weights]
    np.testing.assert_allclose(linear(tensors, shares, normalize=False), whole, rtol=1e-5, atol=1e-4)


@settings(deadline=None, max_examples=60)
@given(stacks())
def test_parts_and_libraries_give_the_same_bits(tensors: list[Any]) -> None:
    weights = [0.3, 1.7, 0.9, 2.1][: len(tensors)]
    whole = linear(tensors, weights)
    parts = [linear([t.reshape(-1)[i : i + 2] for t in tensors], weights) for i in range(0, whole.size, 2)]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    assert linear([torch.from_numpy(t) for t in tensors], weights).numpy().tobytes() == whole.tobytes()


@settings(deadline=None, max_examples=60)
@given(arrays.arrays(np.float32, SHAPES, elements=FLOATS))
def test_one_input_is_itself_and_a_weight_of_zero_takes_no_part(x: np.ndarray[Any, Any]) -> None:
    assert linear([x], [0.37]).tobytes() == x.tobytes()
    np.testing.assert_array_equal(linear([x, x + 1], [1.0, 0.0]), x)


def test_half_precision_is_widened_and_double_stays_double() -> None:
    half = torch.tensor([1.0, 1.0], dtype=torch.bfloat16)
    assert linear([half, half], [1, 1]).dtype == torch.float32
    assert linear([half, half.double()], [1, 1]).dtype == torch.float64
    assert linear([np.float64([1]), np.float32([2])], [1, 1]).dtype == np.float64


def test_what_does_not_fit_is_refused() -> None:
    x, y = np.float32([1, 2]), np.float32([1, 2, 3])
    for tensors, weights in (([], []), ([x], [1, 2]), ([x, y], [1, 1]), ([x, x], [1, -1])):
        with pytest.raises(ConfigError):
            linear(tensors, weights)
    for weights in ([1.0], [1.0, float("nan")], [1.0, -1.0]):
        with pytest.raises(ConfigError):
            check(2, weights)
    check(2, [1.0, -1.0], normalize=False)


def test_negative_weights_that_are_divided_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="moco.weights"):
        check(2, [2.0, -1.0], normalize=False)
        assert not caplog.records
        check(2, [2.0, -1.0])
    assert "negative weights" in caplog.text
