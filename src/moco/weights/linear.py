"""Weighted averages of tensors (uniform soup, arXiv 2203.05482; task arithmetic with ``normalize=False``).

Invariant: every product and every sum is rounded to float32 by itself (no fused operations), in the order of the inputs, so
numpy and torch, whole tensors and parts of them give the same bits.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from moco.core.errors import ConfigError
from moco.weights.ops import Op

log = logging.getLogger("moco.weights")
ZERO = 1e-8
"""A weight sum closer to 0 than this cannot be divided by."""


def check(count: int, weights: Sequence[float], normalize: bool = True) -> None:
    """Raises ConfigError for weights that are not ``count`` finite numbers, or whose sum is zero and divides.

    Warns of negative weights that are divided by their sum, which changes the scale of what is averaged.
    """
    if len(weights) != count:
        raise ConfigError(f"{count} models and {len(weights)} weights", where="linear", remedy="give one weight each")
    if not all(math.isfinite(w) for w in weights):
        raise ConfigError(f"the weights {list(weights)} are not all finite", where="linear", remedy="give finite numbers")
    if normalize and abs(sum(weights)) < ZERO:
        raise ConfigError("weights sum to zero", where="linear", remedy="use normalize=false")
    if normalize and min(weights) < 0:
        log.warning("linear: negative weights %s are divided by their sum", list(weights))


def linear(tensors: Sequence[Any], weights: Sequence[float], *, normalize: bool = True) -> Any:
    """``sum_i w_i * t_i / (sum_i w_i if normalize else 1)``: sum first, then one division.

    ``tensors``: numpy arrays or torch tensors (any floating dtype) of one shape, all of one library; the result is float32
    (float64 if an input is) of that shape. One tensor, normalised, is returned as it is, widened. Raises ConfigError for
    other counts, shapes that differ or weights that sum to zero.
    """
    if not tensors or len(tensors) != len(weights):
        raise ConfigError(f"{len(tensors)} tensors and {len(weights)} weights", where="linear", remedy="give one weight each")
    shapes = {tuple(t.shape) for t in tensors}
    if len(shapes) > 1:
        raise ConfigError(f"tensors of shapes {sorted(shapes)}", where="linear", remedy="merge tensors of one shape")
    by = float(sum(weights)) if normalize else 1.0
    if abs(by) < ZERO:
        check(len(weights), weights, normalize)
    wide = _widener(tensors)
    if len(tensors) == 1 and by == weights[0]:
        return wide(tensors[0])
    total = wide(tensors[0]) * weights[0]
    for tensor, weight in zip(tensors[1:], weights[1:], strict=True):
        total += wide(tensor) * weight
    if by != 1.0:
        total /= by
    return total


def keeps(params: Mapping[str, Any]) -> bool:
    """Whether one source keeps its scale."""
    return bool(params.get("normalize", True)) or list(params["weights"]) == [1.0]


def _widener(tensors: Sequence[Any]) -> Any:
    """A function that gives a tensor in the dtype of the arithmetic."""
    double = any(str(t.dtype).endswith("float64") for t in tensors)
    if isinstance(tensors[0], (np.ndarray, np.generic)):
        kind = np.float64 if double else np.float32
        return lambda t: np.asarray(t).astype(kind)
    import torch

    return lambda t: t.to(torch.float64 if double else torch.float32)


LINEAR = Op(linear, check, keeps=keeps)
