"""Hashes and counter-based random numbers: a number depends on its seed and position, never on who asked before."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values have equal text on every machine."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(*parts: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of ``parts``."""
    return hashlib.sha256(canonical(parts).encode("utf-8", "surrogatepass")).hexdigest()


def derive(*parts: Any) -> int:
    """A seed of 63 bits from ``parts``."""
    return int(digest("seed", *parts)[:16], 16) >> 1


def generator(*parts: Any) -> np.random.Generator:
    """A numpy generator over Philox, keyed by ``parts``."""
    return np.random.Generator(np.random.Philox(key=derive(*parts)))


_GAMMA, _MIX1, _MIX2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def uniforms(seeds: np.ndarray[Any, Any], positions: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """One uniform in [0, 1) per (seed, position): SplitMix64 at counter ``position`` of the stream ``seed``.

    ``seeds`` and ``positions`` are integer arrays of one shape; returns float64 of that shape. Stateless: the
    position-th number of a stream can be drawn without drawing the ones before it.
    """
    with np.errstate(over="ignore"):
        x = _finalise(seeds.astype(np.uint64)) + (positions.astype(np.uint64) + np.uint64(1)) * _GAMMA
        x = _finalise(x)
    out: np.ndarray[Any, Any] = (x >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return out


def _finalise(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    x = (x ^ (x >> np.uint64(30))) * _MIX1
    x = (x ^ (x >> np.uint64(27))) * _MIX2
    out: np.ndarray[Any, Any] = x ^ (x >> np.uint64(31))
    return out
