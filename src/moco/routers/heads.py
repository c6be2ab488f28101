"""The heads of a trained router: from a question's vector to one number per member, larger for who should answer.

All heads share one interface over any number of members: ``learn`` makes plain arrays from vectors and scores of dev, ``scores``
reads them. Members are put into an order of their own outcomes while learning, so that a permuted pool learns the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy.special import logit

from moco.routers.bradley_terry import ratings, similarity_weights
from moco.routers.estimators import learn_logistic, learn_network, logistic_scores, network_scores
from moco.routers.factors import factor_scores, learn_at_rates, learn_factors
from moco.routers.outcomes import EQUAL, battles, by_outcome

Floats = np.ndarray[Any, np.dtype[np.float64]]
Arrays = dict[str, Any]
Setting = Mapping[str, float]
"""Keyword arguments of ``learn``."""


@dataclass(frozen=True)
class Head:
    """How a head learns (``x`` [example, direction], ``y`` [example, member] in [0, 1]) and scores [question, member]."""

    learn: Callable[..., Arrays]
    scores: Callable[[Arrays, Floats], Floats]
    settings: tuple[Setting, ...] = ({},)
    """What cross-validation chooses among."""
    log_odds: bool = False
    """Whether a difference of two scores is the log-odds of winning; else scores are expected qualities in [0, 1]."""
    learn_all: Callable[..., list[Arrays]] | None = None
    """Learns at several settings at once what ``learn`` does one by one, where that is quicker."""


def learn_neighbours(x: Floats, y: Floats, rng: np.random.Generator, *, neighbours: float = 10, weighted: float = 0) -> Arrays:
    """Keep dev as it is."""
    return {"x": x, "y": y, "neighbours": np.array([int(neighbours)]), "weighted": np.array([bool(weighted)])}


def neighbour_scores(learned: Arrays, x: Floats) -> Floats:
    """Mean score of the nearest dev questions (cosine; equals in dev order), each weighted alike or by its cosine.

    Brute force in numpy: one product of matrices over a dev split is faster than any index, and equals keep an order.
    """
    near = np.round(x @ learned["x"].T, 12)
    count = min(int(learned["neighbours"][0]), near.shape[1])
    chosen = np.argsort(-near, axis=1, kind="stable")[:, :count]
    weight = np.ones(chosen.shape)
    if learned["weighted"][0]:
        weight = np.maximum(np.take_along_axis(near, chosen, axis=1), 0.0) + 1e-9
    out: Floats = (learned["y"][chosen] * weight[..., None]).sum(axis=1) / weight.sum(axis=1, keepdims=True)
    return out


def learn_battles(x: Floats, y: Floats, rng: np.random.Generator) -> Arrays:
    """Keep dev's vectors and battles; ratings are fitted for each question."""
    return {"x": x, "battles": battles(y)}


def similar_scores(learned: Arrays, x: Floats) -> Floats:
    """Ratings of a Bradley-Terry fit in which the battles of similar dev questions weigh more, one fit per question."""
    won, near = learned["battles"], x @ learned["x"].T
    return np.array([ratings(np.tensordot(similarity_weights(row), won, axes=1)) for row in near]).reshape(len(x), won.shape[1])


def learn_elo(x: Floats, y: Floats, rng: np.random.Generator) -> Arrays:
    """One rating per member from all battles, whatever the question."""
    return {"ratings": ratings(battles(y).sum(axis=0))}


def elo_scores(learned: Arrays, x: Floats) -> Floats:
    return np.tile(learned["ratings"], (len(x), 1))


def mf_scores(learned: Arrays, x: Floats) -> Floats:
    return factor_scores(learned["members"], learned["projection"], learned["classifier"], x)


HEADS: Mapping[str, Head] = MappingProxyType(
    {
        "knn": Head(learn_neighbours, neighbour_scores, tuple({"neighbours": n} for n in (5, 10, 20, 40))),
        "logistic": Head(learn_logistic, logistic_scores, tuple({"strength": c} for c in (1.0, 10.0, 100.0))),
        "mf": Head(learn_factors, mf_scores, tuple({"rate": r} for r in (3e-4, 3e-3)), True, learn_at_rates),
        "sw": Head(learn_battles, similar_scores, log_odds=True),
        "mlp": Head(learn_network, network_scores, tuple({"penalty": a} for a in (0.01, 0.1, 1.0))),
        "elo": Head(learn_elo, elo_scores, log_odds=True),
    }
)


def learn(head: Head, x: Floats, y: Floats, rng: np.random.Generator, setting: Setting) -> Arrays:
    """What ``head`` learns, with the order its members were put in.

    A constant router where nothing can be learned: no example tells two members apart, or none two examples.
    """
    return learn_each(head, x, y, lambda: rng, [setting])[0]


def learn_each(
    head: Head, x: Floats, y: Floats, begin: Callable[[], np.random.Generator], settings: Sequence[Setting]
) -> list[Arrays]:
    """What `learn` gives at each of ``settings``, every time with new random numbers from ``begin``."""
    order = by_outcome(y)
    sorted_y = np.ascontiguousarray(y[:, order])
    if np.ptp(y, axis=1).max(initial=0.0) < EQUAL or np.ptp(y, axis=0).max(initial=0.0) < EQUAL:
        means = sorted_y.mean(axis=0)
        constant = logit(np.clip(means, 0.01, 0.99)) if head.log_odds else means
        return [{"constant": constant, "order": order} for _ in settings]
    if head.learn_all is not None and len(settings) > 1:
        learned = head.learn_all(x, sorted_y, begin(), settings)
    else:
        learned = [head.learn(x, sorted_y, begin(), **setting) for setting in settings]
    return [{**arrays, "order": order} for arrays in learned]


def scores(head: Head, learned: Arrays, x: Floats) -> Floats:
    """[question, member] scores of what `learn` made, members in pool order."""
    found = np.tile(learned["constant"], (len(x), 1)) if "constant" in learned else head.scores(learned, x)
    out = np.empty_like(found)
    out[:, learned["order"]] = found
    return out
