"""Matrix factorisation of who wins on what (RouteLLM, arXiv 2406.18665): one vector per member, one projection of questions.

Own steps of Adam in numpy: the model is bilinear, its gradient is a few lines, and neither scikit-learn nor a core
installation has anything for it. Deterministic: random numbers come from the given generator.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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
    return learn_at_rates(x, y, rng, [{"rate": rate, "factors": factors, "epochs": epochs}])[0]


def learn_at_rates(x: Floats, y: Floats, rng: np.random.Generator, settings: Sequence[Mapping[str, float]]) -> list[Arrays]:
    """`learn_factors` at settings that differ in ``rate`` alone, each as if learned by itself with this ``rng``.

    They begin alike and see the same battles under the same noise, which costs more to draw than a step does to compute.
    """
    rates = np.array([[s.get("rate", 3e-4)] for s in settings])
    factors, epochs = int(settings[0].get("factors", 0)), int(settings[0].get("epochs", 100))
    size, direction, count = factors or (64 if len(x) < 1000 else 128), x.shape[1], y.shape[1]
    begun = [
        rng.standard_normal(count * size),
        rng.uniform(-1, 1, size * direction) / np.sqrt(max(direction, 1)),
        rng.uniform(-1, 1, size) / np.sqrt(size),
    ]
    theta = np.tile(np.concatenate(begun), (len(settings), 1))  # one vector each, so that Adam takes one pass over all weights
    slope, first, second, step = np.zeros_like(theta), np.zeros_like(theta), np.zeros_like(theta), np.empty_like(theta)

    def parts(flat: Floats) -> Arrays:
        members, projection, classifier = np.split(flat, [count * size, count * size + size * direction], axis=-1)
        return {
            "members": members.reshape(*flat.shape[:-1], count, size),
            "projection": projection.reshape(*flat.shape[:-1], size, direction),
            "classifier": classifier,
        }

    params = parts(theta)
    example, winner, loser = np.nonzero(battles(y) == 1.0)
    sides = np.eye(count)[winner] - np.eye(count)[loser]
    done = 0
    for order, noise in _drawn(rng, epochs if len(example) else 0, len(example), direction):
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            noisy = NOISE * noise[start : start + BATCH]
            noisy += x[example[rows]]
            gradient = _gradient(params, noisy, sides[rows])
            done += 1
            np.multiply(theta, DECAY, out=slope)
            for name, part in parts(slope).items():
                part += gradient[name]
            first *= 0.9  # sums of decayed slopes and squares; what makes means of them is in `wide` and `far`
            first += slope
            second *= 0.999
            slope *= slope
            second += slope
            wide, far = np.sqrt((1 - 0.999**done) / 0.001), 0.1 * rates / (1 - 0.9**done)
            np.sqrt(second, out=step)
            step += 1e-8 * wide
            np.divide(first, step, out=step)
            step *= far * wide
            theta -= step
    return [parts(flat) for flat in theta]


def _drawn(rng: np.random.Generator, epochs: int, battles: int, direction: int) -> Iterator[tuple[Any, Floats]]:
    """Order and noise [battle, direction] of every epoch; the next ones are drawn by a second thread while these are used."""

    def draw() -> tuple[Any, Floats]:
        return rng.permutation(battles), rng.standard_normal((battles, direction))

    with ThreadPoolExecutor(1) as ahead:
        coming = [ahead.submit(draw) for _ in range(min(2, epochs))]
        for left in range(epochs, 0, -1):
            yield coming.pop(0).result()
            if left > 2:
                coming.append(ahead.submit(draw))


def _gradient(params: Arrays, x: Floats, sides: Floats) -> Arrays:
    """Of the mean loss over battles of questions ``x``, for [..., *] parameters; tested against differences.

    ``sides`` [battle, member] is 1 for the winner, -1 for the loser, 0 else. Members are few and battles many, so everything
    is summed up to [member, direction] before it meets the projection.
    """
    members, projection, classifier = params["members"], params["projection"], params["classifier"]
    length = np.linalg.norm(members, axis=-1, keepdims=True)
    unit = members / length
    weighted = unit * classifier[..., None, :]
    margin = (x @ (weighted @ projection).swapaxes(-1, -2) * sides).sum(axis=-1, keepdims=True)
    pulled = ((expit(margin) - 1.0) / len(x) * sides).swapaxes(-1, -2) @ x
    seen = pulled @ projection.swapaxes(-1, -2)
    to_unit = seen * classifier[..., None, :]
    return {
        "members": (to_unit - unit * (to_unit * unit).sum(axis=-1, keepdims=True)) / length,
        "projection": weighted.swapaxes(-1, -2) @ pulled,
        "classifier": (unit * seen).sum(axis=-2),
    }
