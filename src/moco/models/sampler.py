"""Drawing tokens: inverse CDF over float64 cumulative sums, one uniform per (seed, position).

Invariant: the token drawn for a row depends on that row's logits, sampling, seed and position alone, never on the rows
beside it. ``draw`` in numpy is the law; ``draw_torch`` is the same law on an accelerator. Order of the cuts: temperature,
top-k, top-p, min-p. Ties: lower ids first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moco.core.seeds import uniforms
from moco.core.types import Sampling

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Params:
    """Sampling of a batch as columns, one entry per row. ``temperature`` 0 marks a greedy row."""

    temperature: Floats
    top_k: Ints
    top_p: Floats
    min_p: Floats
    seeds: Ints

    @classmethod
    def of(cls, samplings: Sequence[Sampling], seeds: Sequence[int]) -> Params:
        """Columns from the sampling and the seed (0 <= seed < 2^63) of each row."""
        return cls(
            np.array([s.temperature for s in samplings], np.float64),
            np.array([s.top_k for s in samplings], np.int64),
            np.array([s.top_p for s in samplings], np.float64),
            np.array([s.min_p for s in samplings], np.float64),
            np.array([s & (2**63 - 1) for s in seeds], np.int64),
        )

    def take(self, rows: Ints) -> Params:
        """The columns of ``rows`` (indices, repeats allowed)."""
        return Params(self.temperature[rows], self.top_k[rows], self.top_p[rows], self.min_p[rows], self.seeds[rows])


def log_softmax(logits: NDArray[Any]) -> Floats:
    """Natural-log probabilities (float64) along the last axis of ``logits``."""
    x = np.ascontiguousarray(logits, np.float64)
    x = x - x.max(axis=-1, keepdims=True)
    out: Floats = x - np.log(np.exp(x).sum(axis=-1, keepdims=True))
    return out


def law(logits: NDArray[Any], params: Params) -> Floats:
    """Probabilities (rows, vocabulary), float64, after temperature and cuts, renormalised; a greedy row is one-hot."""
    x = np.ascontiguousarray(logits, np.float64)
    weights = np.zeros_like(x)
    greedy = params.temperature == 0
    weights[greedy, x[greedy].argmax(axis=-1)] = 1.0
    hot = np.flatnonzero(~greedy)
    if len(hot):
        weights[hot] = _cut(x[hot] / params.temperature[hot, None], params.take(hot))
    return weights


def _cut(z: Floats, params: Params) -> Floats:
    p = np.exp(z - z.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    for row in np.flatnonzero(((params.top_k > 0) & (params.top_k < p.shape[1])) | (params.top_p < 1)):
        kept = _ranked(z[row], p[row], int(params.top_k[row]), float(params.top_p[row]))
        weights = np.zeros(p.shape[1])
        weights[kept] = p[row, kept]
        p[row] = weights
    if (params.min_p > 0).any():
        p = np.where(p >= params.min_p[:, None] * p.max(axis=-1, keepdims=True), p, 0.0)
    out: Floats = p / p.sum(axis=-1, keepdims=True)
    return out


def _ranked(z: Floats, p: Floats, top_k: int, top_p: float) -> Ints:
    """Ids that top-k and then top-p keep of one row; only ids that can be among them are sorted."""
    if 0 < top_k < len(z):
        candidates = np.flatnonzero(z >= np.partition(z, -top_k)[-top_k])
    else:  # what weighs less than (1 - top_p) / vocabulary lies outside the nucleus; half of that allows for rounding
        top_k, candidates = len(z), np.flatnonzero(p >= 0.5 * (1 - top_p) / len(z))
    order: Ints = candidates[np.argsort(-z[candidates], kind="stable")][:top_k]
    if top_p >= 1:
        return order
    total = 1.0 if top_k == len(z) else p[order].sum()
    mass = np.cumsum(p[order])
    return order[: 1 + int(np.searchsorted(mass[:-1], top_p * total, side="left"))]


def draw(logits: NDArray[Any], params: Params, positions: Ints) -> tuple[Ints, Floats]:
    """Token ids and their log-probabilities, one per row.

    ``logits`` (rows, vocabulary) raw; ``positions`` (rows,) index of the token to emit, counted from 0. The
    log-probability (natural log, float64) is that of the raw logits: temperature 1, before all cuts.
    """
    x = np.ascontiguousarray(logits, np.float64)
    ids = x.argmax(axis=-1).astype(np.int64)
    hot = np.flatnonzero(params.temperature > 0)
    if len(hot):
        some = params.take(hot)
        cumulative = np.cumsum(_cut(x[hot] / some.temperature[:, None], some), axis=-1)
        target = uniforms(some.seeds, positions[hot]) * cumulative[:, -1]
        above = cumulative > target[:, None]
        above |= cumulative == cumulative[:, -1:]  # the last id with weight, should rounding put the target at the end
        ids[hot] = above.argmax(axis=-1)
    rows = np.arange(len(ids))
    peak = x.max(axis=-1)
    logprobs: Floats = x[rows, ids] - peak - np.log(np.exp(x - peak[:, None]).sum(axis=-1))
    return ids, logprobs


def draw_torch(logits: Any, params: Params, positions: Ints) -> tuple[Ints, Floats]:
    """``draw`` for a torch tensor (rows, vocabulary) on an accelerator that has float64; the same law, computed there."""
    import torch

    device = logits.device
    x = logits.to(torch.float64)

    def column(values: NDArray[Any]) -> Any:
        return torch.from_numpy(np.ascontiguousarray(values)).to(device)[:, None]

    peak, ids = x.max(dim=-1)
    ids = (x == peak[:, None]).to(torch.int8).argmax(dim=-1)
    hot_rows = np.flatnonzero(params.temperature > 0)
    if len(hot_rows):
        some, hot = params.take(hot_rows), torch.from_numpy(hot_rows).to(device)
        z = x[hot] / column(some.temperature)
        p = torch.softmax(z, dim=-1)
        vocabulary = p.shape[1]
        top_k = np.where(some.top_k > 0, np.minimum(some.top_k, vocabulary), vocabulary)
        if (top_k < vocabulary).any() or (some.top_p < 1).any():
            order = torch.sort(z, dim=-1, descending=True, stable=True).indices
            ranked = p.gather(-1, order)
            keep = torch.arange(vocabulary, device=device)[None] < column(top_k)
            ranked = torch.where(keep, ranked, 0.0)
            ranked = ranked / ranked.sum(dim=-1, keepdim=True)
            before = ranked.cumsum(-1) - ranked
            keep &= (before < column(some.top_p)) | (column(some.top_p) >= 1)
            keep[:, 0] = True
            p = torch.where(torch.zeros_like(keep).scatter(-1, order, keep), p, 0.0)
        if (some.min_p > 0).any():
            p = torch.where(p >= column(some.min_p) * p.amax(dim=-1, keepdim=True), p, 0.0)
        cumulative = p.cumsum(-1)
        target = column(uniforms(some.seeds, positions[hot_rows])) * cumulative[:, -1:]
        above = (cumulative > target) | (cumulative == cumulative[:, -1:])
        ids[hot] = above.to(torch.int8).argmax(dim=-1)
    logprobs = x.gather(-1, ids[:, None])[:, 0] - torch.logsumexp(x, dim=-1)
    return ids.cpu().numpy(), logprobs.cpu().numpy()
