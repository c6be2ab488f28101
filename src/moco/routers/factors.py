"""Matrix factorisation of who wins on what (RouteLLM, arXiv 2406.18665): one vector per member, one projection of questions.

Own steps of Adam in numpy: the model is bilinear, its gradient is three lines, and neither scikit-learn nor a core
installation has anything for it. Deterministic: random numbers come from the given generator.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

from moco.routers.outcomes import battles

Floats = np.ndarray[Any, np.dtype[np.float64]]
Arrays = dict[str, Any]
BATCH, DECAY, NOISE = 64, 1e-5, 0.1
"""RouteLLM's: battles per step, weight decay, and the size of the noise added to questions in training."""


def factor_scores(members: Floats, projection: Floats, classifier: Floats, x: Floats) -> Floats:
    """[question, member] log-odds s(k, x) = classifier . (member_k / |member_k| * (projection x)), RouteLLM equation of MF.

    ``members`` is [member, factor], ``projection`` [factor, direction], ``classifier`` (factor,), ``x`` [question, direction].
    """
    length = np.linalg.norm(members, axis=1, keepdims=True)
    out: Floats = (x @ projection.T * classifier) @ (members / np.where(length > 0, length, 1.0)).T
    return out


def learn_factors(
    x: Floats, y: Floats, rng: np.random.Generator, *, rate: float = 3e-4, factors: int = 0, epochs: int = 100
) -> Arrays:
    """Fit to the battles that somebody wins (equals teach nothing): cross-entropy of s(winner) - s(loser) against 1.

    ``x`` is [example, direction], ``y`` [example, member]; ``factors`` 0 takes 128, or 64 below 1,000 examples. Torch's
    defaults begin it (normal members, uniform weights); Adam with `DECAY` as L2 ends it after ``epochs``.
    """
    size, direction = factors or (64 if len(x) < 1000 else 128), x.shape[1]
    params = {
        "members": rng.standard_normal((y.shape[1], size)),
        "projection": rng.uniform(-1, 1, (size, direction)) / np.sqrt(max(direction, 1)),
        "classifier": rng.uniform(-1, 1, size) / np.sqrt(size),
    }
    example, winner, loser = np.nonzero(battles(y) == 1.0)
    first = {name: np.zeros_like(value) for name, value in params.items()}
    second = {name: np.zeros_like(value) for name, value in params.items()}
    step = 0
    for _ in range(epochs if len(example) else 0):
        order = rng.permutation(len(example))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            noisy = x[example[rows]] + NOISE * rng.standard_normal((len(rows), direction))
            gradient = _gradient(params, noisy, winner[rows], loser[rows])
            step += 1
            for name, value in params.items():
                slope = gradient[name] + DECAY * value
                first[name] += 0.1 * (slope - first[name])
                second[name] += 0.001 * (slope**2 - second[name])
                value -= rate * (first[name] / (1 - 0.9**step)) / (np.sqrt(second[name] / (1 - 0.999**step)) + 1e-8)
    return dict(params)


def _gradient(params: Arrays, x: Floats, winner: Any, loser: Any) -> Arrays:
    """Of the mean loss over battles of questions ``x``; tested against differences."""
    members, projection, classifier = params["members"], params["projection"], params["classifier"]
    length = np.linalg.norm(members, axis=1, keepdims=True)
    unit = members / length
    apart, z = unit[winner] - unit[loser], x @ projection.T
    slack = (expit((apart * z) @ classifier) - 1.0)[:, None] / len(x)
    pulled = slack * z * classifier
    to_unit = np.zeros_like(members)
    np.add.at(to_unit, winner, pulled)
    np.subtract.at(to_unit, loser, pulled)
    return {
        "members": (to_unit - unit * (to_unit * unit).sum(axis=1, keepdims=True)) / length,
        "projection": (slack * apart * classifier).T @ x,
        "classifier": (slack * apart * z).sum(axis=0),
    }
