"""How sure a score is, and whether one score beats another: intervals, paired tests, corrections, shares, seeds.

Invariant: pure functions of their arguments. Every random number comes from a Philox generator keyed by the purpose
and ``seed``, so the same scores give the same bytes on every machine, and every pair is compared item by item.
Scores are any real numbers; where all of them are 0 or 1 they are read as right/wrong. Missing scores (NaN) are
refused: the caller leaves failed items out, and says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from moco.core import seeds
from moco.core.errors import DataError

Floats = npt.NDArray[np.float64]
Test = Literal["mcnemar", "sign_flip"]

RESAMPLES = 2000
"""Bootstrap resamples behind an interval."""
FLIPS = 9999
"""Monte Carlo sign flips; the smallest p they can give is 1/10000."""
EXACT_UP_TO = 15
"""Nonzero differences up to which every one of the 2^n sign patterns is enumerated."""
_CHUNK = 4_000_000
"""Random numbers held in memory at once."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """``a`` against ``b`` on the same ``n`` items, in score units; ``difference`` is mean(a) - mean(b).

    ``low`` and ``high`` bound the difference (`difference_interval`); ``p`` is two-sided; ``wins`` are items where a > b.
    """

    n: int
    difference: float
    low: float
    high: float
    p: float
    test: Test
    wins: int
    losses: int
    ties: int


@dataclass(frozen=True, slots=True)
class Share:
    """``won`` of ``n`` settings. ``share`` = won / n with its Clopper-Pearson interval.

    ``ties`` settings had no difference: part of ``n`` and not won, but no losses either. ``p`` is that of the two-sided sign
    test over the ``n - ties`` others, 1 where there are none.
    """

    won: int
    n: int
    share: float
    low: float
    high: float
    p: float
    ties: int


def interval(scores: npt.ArrayLike, level: float = 0.95, seed: int = 0) -> tuple[float, float] | None:
    """Two-sided interval of the mean of ``scores``, in score units; None where there are none.

    Wilson's score interval for right/wrong (Wilson 1927, doi:10.1080/01621459.1927.10502953), else the percentile
    bootstrap (Efron & Tibshirani 1993, ch. 13), widened to its own mean where skew leaves that outside. A single
    score that is not right/wrong gives an interval without width. Raises DataError for NaN or a bad ``level``.
    """
    values = _scores(scores, "scores")
    _level(level)
    if values.size == 0:
        return None
    if _right_wrong(values):
        return _wilson(int(values.sum()), values.size, level)
    return _bootstrap(values, level, seed, RESAMPLES)


def interval_of_means(groups: Sequence[npt.ArrayLike], level: float = 0.95) -> tuple[float, float] | None:
    """Interval of the mean of the groups' means, every group weighing alike; None where no group has a score.

    Recovers each group's variance from its own ``interval`` (Zou, Huang & Zhang 2009, Comput. Stat. Data Anal. 53), so one group
    gives exactly its ``interval``. Groups are taken as independent. Raises DataError as ``interval`` does.
    """
    means, below, above = [], 0.0, 0.0
    for group in groups:
        bounds = interval(group, level)
        if bounds is not None:
            means.append(float(_scores(group, "scores").mean()))
            below, above = below + (means[-1] - bounds[0]) ** 2, above + (bounds[1] - means[-1]) ** 2
    if not means:
        return None
    centre = sum(means) / len(means)
    return centre - math.sqrt(below) / len(means), centre + math.sqrt(above) / len(means)


def mcnemar_exact(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Two-sided exact p that right/wrong ``a`` and ``b`` are right equally often; 1 where they never disagree.

    Binomial over the discordant pairs (McNemar 1947, doi:10.1007/BF02295996). Raises DataError for scores that are
    not 0/1 or not parallel.
    """
    x, y = _pair(a, b)
    if not (_right_wrong(x) and _right_wrong(y)):
        raise DataError("McNemar's test needs scores of 0 and 1", where="mcnemar_exact", remedy="use sign_flip")
    wins, losses = int(np.sum(x > y)), int(np.sum(x < y))
    if wins + losses == 0:
        return 1.0
    return float(stats.binomtest(wins, wins + losses, 0.5).pvalue)


def paired_bootstrap(
    a: npt.ArrayLike, b: npt.ArrayLike, level: float = 0.95, seed: int = 0, resamples: int = RESAMPLES
) -> tuple[float, float, float]:
    """(difference, low, high) of mean(a) - mean(b), resampling items as pairs (Efron & Tibshirani 1993).

    Raises DataError where there is no pair, or ``a`` and ``b`` are not parallel.
    """
    x, y = _pair(a, b)
    _level(level)
    if x.size == 0:
        raise DataError("there are no pairs to compare", where="paired_bootstrap", remedy="compare cells that share items")
    difference = x - y
    low, high = _bootstrap(difference, level, seed, resamples)
    return float(difference.mean()), low, high


def difference_interval(a: npt.ArrayLike, b: npt.ArrayLike, level: float = 0.95, seed: int = 0) -> tuple[float, float, float]:
    """(difference, low, high) of mean(a) - mean(b) over pairs: never sure of itself because few pairs differ.

    Right/wrong scores: the score interval of paired proportions (Tango 1998, Statistics in Medicine 17, 891-908), which has a
    width also where no pair differs, and what the exact interval of the wins among the pairs that differ (Clopper & Pearson
    1934) adds to it: so it leaves 0 out exactly where the exact McNemar test rejects. Other scores: `paired_bootstrap`, which
    has no width where all pairs differ by the same; then the share of pairs that n equal ones do not rule out (Wilson's bound,
    as in `interval`) may differ by anything up to the range of the scores: 1 for scores in [0, 1], else what was seen. Raises
    DataError as `paired_bootstrap` does.
    """
    x, y = _pair(a, b)
    _level(level)
    if x.size and _right_wrong(x) and _right_wrong(y):
        wins, losses = int(np.sum(x > y)), int(np.sum(x < y))
        low, high = -_tango(losses, wins, x.size, level), _tango(wins, losses, x.size, level)
        if differing := wins + losses:
            exact = stats.binomtest(wins, differing).proportion_ci(confidence_level=level, method="exact")
            low = min(low, (2 * float(exact.low) - 1) * differing / x.size)
            high = max(high, (2 * float(exact.high) - 1) * differing / x.size)
        return (wins - losses) / x.size, low, high
    difference, low, high = paired_bootstrap(x, y, level, seed)
    if low < high:
        return difference, low, high
    both = np.concatenate([x, y])
    reach = 1.0 if both.min() >= 0 and both.max() <= 1 else float(both.max() - both.min())
    unseen = _wilson(0, x.size, level)[1]
    return difference, difference - unseen * (difference + reach), difference + unseen * (reach - difference)


def _tango(more: int, less: int, n: int, level: float) -> float:
    """Upper end of Tango's interval of (more - less) / n: the largest difference that the score test does not reject."""
    z = float(stats.norm.ppf(0.5 + level / 2))
    if more == n:
        return 1.0

    def rejected(gap: float) -> bool:
        a, b, c = 2.0 * n, (2.0 * n - more + less) * gap - more - less, -less * gap * (1 - gap)
        share = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
        return more - less - n * gap < -z * math.sqrt(max(0.0, n * (2 * share + gap * (1 - gap))))

    low, high = (more - less) / n, 1.0
    for _ in range(60):  # halves [-1, 1] to the last bit of a double
        middle = (low + high) / 2
        low, high = (low, middle) if rejected(middle) else (middle, high)
    return low


def sign_flip(a: npt.ArrayLike, b: npt.ArrayLike, seed: int = 0, flips: int = FLIPS) -> float:
    """Two-sided permutation p that the paired differences are symmetric about 0; 1 where all of them are 0.

    Exact over the 2^k sign patterns for up to 15 nonzero differences; otherwise ``flips`` random patterns and
    (k + 1) / (flips + 1), which is never 0 (Phipson & Smyth 2010, doi:10.2202/1544-6115.1585).
    """
    x, y = _pair(a, b)
    difference = x - y
    difference = difference[difference != 0]
    sizes = np.sort(np.abs(difference))  # sorted and unsigned: swapping a and b, or reordering items, changes nothing
    if sizes.size == 0:
        return 1.0
    observed = abs(float(difference.sum())) - 1e-10 * float(sizes.sum())  # ties with the observed sum count as reached
    if sizes.size <= EXACT_UP_TO:
        patterns = np.arange(2**sizes.size)[:, None] >> np.arange(sizes.size)[None, :] & 1
        return float(np.mean(np.abs((2.0 * patterns - 1.0) @ sizes) >= observed))
    if flips < 1:
        raise DataError(f"flips is {flips}", where="sign_flip", remedy="give at least 1")
    rng = seeds.generator("sign_flip", seed)
    reached = 0
    for rows in _rows(flips, sizes.size):
        signs = rng.random((rows, sizes.size)) < 0.5
        reached += int(np.sum(np.abs(2.0 * (signs @ sizes) - sizes.sum()) >= observed))
    return (reached + 1) / (flips + 1)


def paired(a: npt.ArrayLike, b: npt.ArrayLike, level: float = 0.95, seed: int = 0) -> Comparison:
    """Compare ``a`` with ``b`` item by item: exact McNemar where all scores are right/wrong, sign flips otherwise.

    Raises DataError where there is no pair, or ``a`` and ``b`` are not parallel.
    """
    x, y = _pair(a, b)
    difference, low, high = difference_interval(x, y, level, seed)
    test: Test = "mcnemar" if _right_wrong(x) and _right_wrong(y) else "sign_flip"
    p = mcnemar_exact(x, y) if test == "mcnemar" else sign_flip(x, y, seed)
    wins, losses = int(np.sum(x > y)), int(np.sum(x < y))
    return Comparison(x.size, difference, low, high, p, test, wins, losses, x.size - wins - losses)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """p-values adjusted for the whole family, in the order given (Holm 1979, jstor:4615733).

    Rejecting where the adjusted p is at most alpha keeps the chance of any false rejection at most alpha.
    Raises DataError for a p outside [0, 1].
    """
    for name, p in p_values.items():
        if not 0 <= p <= 1:  # also refuses NaN
            raise DataError(f"p of '{name}' is {p}", where="holm", remedy="give p-values between 0 and 1")
    ordered = sorted(p_values.items(), key=lambda item: item[1])
    adjusted: dict[str, float] = {}
    running = 0.0
    for rank, (name, p) in enumerate(ordered):
        running = max(running, min(1.0, (len(ordered) - rank) * p))
        adjusted[name] = running
    return {name: adjusted[name] for name in p_values}


def share_won(differences: Sequence[float], level: float = 0.95) -> Share:
    """In how many settings the difference is above 0: exact sign test, Clopper-Pearson interval of the share.

    A tie says nothing of who is better: the test leaves it out (Dixon & Mood 1946, doi:10.1080/01621459.1946.10501898), the
    share of all settings counts it as not won, and ``ties`` states it. (Clopper & Pearson 1934, doi:10.1093/biomet/26.4.404.)
    Raises DataError where there is no setting.
    """
    values = _scores(differences, "differences")
    _level(level)
    if values.size == 0:
        raise DataError("there are no settings to count", where="share_won", remedy="give at least one difference")
    won, ties = int(np.sum(values > 0)), int(np.sum(values == 0))
    bounds = stats.binomtest(won, values.size).proportion_ci(confidence_level=level, method="exact")
    untied = values.size - ties
    p = float(stats.binomtest(won, untied, 0.5).pvalue) if untied else 1.0
    return Share(won, values.size, won / values.size, float(bounds.low), float(bounds.high), p, ties)


def over_seeds(scores_by_seed: Mapping[int, npt.ArrayLike] | Sequence[npt.ArrayLike]) -> tuple[float, float | None]:
    """(mean, sd) over seeds of the score of a seed; each entry is a seed's score, or its scores, which are averaged.

    ``sd`` is the sample deviation (n - 1), None where one seed leaves it unknown. Raises DataError for no seeds, or
    for a seed without scores.
    """
    entries = list(scores_by_seed.values()) if isinstance(scores_by_seed, Mapping) else list(scores_by_seed)
    means = []
    for entry in entries:
        values = _scores(np.atleast_1d(np.asarray(entry, dtype=np.float64)), "scores of a seed")
        if values.size == 0:
            raise DataError("a seed has no scores", where="over_seeds", remedy="leave the seed out")
        means.append(float(values.mean()))
    if not means:
        raise DataError("there are no seeds", where="over_seeds", remedy="give at least one seed")
    sd = float(np.std(means, ddof=1)) if len(means) > 1 else None
    return float(np.mean(means)), sd


def _wilson(right: int, n: int, level: float) -> tuple[float, float]:
    z = float(stats.norm.ppf(0.5 + level / 2))
    share = right / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if right == 0 else max(0.0, centre - half)  # exact at the ends, where rounding would leave 1e-17
    high = 1.0 if right == n else min(1.0, centre + half)
    return low, high


def _bootstrap(values: Floats, level: float, seed: int, resamples: int) -> tuple[float, float]:
    if resamples < 1:
        raise DataError(f"resamples is {resamples}", where="bootstrap", remedy="give at least 1")
    mean = float(values.mean())
    if values.min() == values.max():
        return mean, mean
    rng = seeds.generator("bootstrap", seed)
    parts = [
        values[rng.integers(0, values.size, size=(rows, values.size))].mean(axis=1) for rows in _rows(resamples, values.size)
    ]
    low, high = np.quantile(np.concatenate(parts), [0.5 - level / 2, 0.5 + level / 2])
    return min(float(low), mean), max(float(high), mean)


def _rows(total: int, width: int) -> Iterator[int]:
    """Split ``total`` rows of ``width`` numbers into blocks that fit in memory."""
    size = max(1, _CHUNK // width)
    while total > 0:
        yield min(size, total)
        total -= size


def _scores(scores: npt.ArrayLike, what: str) -> Floats:
    try:
        values = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError) as fault:
        raise DataError(f"{what} are not numbers", remedy="give one number per item") from fault
    if values.ndim != 1:
        raise DataError(f"{what} have {values.ndim} dimensions", remedy="give one number per item")
    if not np.isfinite(values).all():
        place = int(np.flatnonzero(~np.isfinite(values))[0])
        raise DataError(f"{what}: number {place} is {values[place]}", remedy="leave failed items out, and say how many")
    return values


def _pair(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[Floats, Floats]:
    x, y = _scores(a, "scores of a"), _scores(b, "scores of b")
    if x.size != y.size:
        raise DataError(f"{x.size} scores are paired with {y.size}", remedy="give the scores of the same items, in one order")
    return x, y


def _right_wrong(values: Floats) -> bool:
    return bool(np.all((values == 0) | (values == 1)))


def _level(level: float) -> None:
    if not 0 < level < 1:
        raise DataError(f"level is {level}", where="level", remedy="give a share between 0 and 1, such as 0.95")
