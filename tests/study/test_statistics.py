"""Statistics against scipy, brute force and numbers worked out by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from moco.core.errors import DataError
from moco.study import statistics as s

BITS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=60)
REALS = st.lists(st.tuples(st.integers(-8, 8), st.integers(-8, 8)), min_size=1, max_size=25)


@pytest.mark.parametrize(("right", "n"), [(0, 1), (1, 1), (0, 20), (20, 20), (7, 10), (61, 100), (333, 1000)])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
def test_wilson_is_scipys(right: int, n: int, level: float) -> None:
    ours = s.interval([1] * right + [0] * (n - right), level)
    law = stats.binomtest(right, n).proportion_ci(level, method="wilson")
    assert ours == pytest.approx((law.low, law.high), abs=1e-12)


def test_wilson_by_hand() -> None:
    assert s.interval([True] * 8 + [False] * 2) == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_wilson_covers() -> None:
    rng = np.random.default_rng(5)
    for truth, n in ((0.5, 40), (0.2, 60), (0.9, 80)):
        drawn = rng.binomial(n, truth, size=1500)
        bounds = {int(k): s.interval([1] * int(k) + [0] * (n - int(k))) for k in set(drawn.tolist())}
        covered = np.mean([b is not None and b[0] <= truth <= b[1] for b in (bounds[int(k)] for k in drawn)])
        assert 0.92 <= covered <= 0.98


def test_interval_of_nothing_is_none() -> None:
    assert s.interval([]) is None


def test_bootstrap_is_repeatable_and_near_the_normal_law() -> None:
    values = np.random.default_rng(1).normal(3, 2, size=400)
    first, again, other = (s.interval(values, seed=k) for k in (0, 0, 1))
    assert first == again != other
    assert first is not None
    half = 1.96 * values.std(ddof=1) / 20
    assert first == pytest.approx((values.mean() - half, values.mean() + half), abs=0.04)


def test_bootstrap_does_not_depend_on_the_chunk_and_constants_have_no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.linspace(0, 3, 50)
    whole = s.interval(values)
    monkeypatch.setattr(s, "_CHUNK", 500)
    assert s.interval(values) == whole
    assert s.interval([0.25, 0.25]) == (0.25, 0.25)


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=30), st.sampled_from([0.1, 0.5, 0.95]))
@settings(max_examples=40, deadline=None)
def test_interval_contains_the_mean(values: list[float], level: float) -> None:
    bounds = s.interval(values, level)
    assert bounds is not None
    assert bounds[0] <= np.mean(values) <= bounds[1]


@given(st.lists(st.booleans(), min_size=1, max_size=50))
@settings(deadline=None)
def test_wilson_contains_the_mean_nests_and_mirrors(values: list[bool]) -> None:
    wide, narrow = s.interval(values, 0.99), s.interval(values, 0.9)
    mirror = s.interval([not v for v in values], 0.9)
    assert wide is not None and narrow is not None and mirror is not None
    assert 0 <= wide[0] <= narrow[0] <= np.mean(values) <= narrow[1] <= wide[1] <= 1
    assert (1 - mirror[1], 1 - mirror[0]) == pytest.approx(narrow)


@pytest.mark.parametrize(
    ("wins", "losses", "p"), [(0, 0, 1.0), (1, 0, 1.0), (5, 0, 0.0625), (0, 6, 0.03125), (8, 2, 0.109375), (3, 3, 1.0)]
)
def test_mcnemar_by_hand(wins: int, losses: int, p: float) -> None:
    a = [1] * wins + [0] * losses + [1, 0]
    b = [0] * wins + [1] * losses + [1, 0]
    assert s.mcnemar_exact(a, b) == pytest.approx(p)


@given(BITS)
@settings(deadline=None)
def test_mcnemar_is_the_binomial_and_symmetric(pairs: list[tuple[int, int]]) -> None:
    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    wins, losses = sum(x > y for x, y in pairs), sum(x < y for x, y in pairs)
    n = wins + losses
    tail = sum(math.comb(n, k) for k in range(min(wins, losses) + 1)) / 2**n
    assert s.mcnemar_exact(a, b) == pytest.approx(min(1.0, 2 * tail))
    assert s.mcnemar_exact(a, b) == s.mcnemar_exact(b, a)


@given(BITS)
@settings(deadline=None, max_examples=30)
def test_sign_flip_on_right_wrong_is_mcnemar(pairs: list[tuple[int, int]]) -> None:
    a, b = [x for x, _ in pairs][:15], [y for _, y in pairs][:15]
    assert s.sign_flip(a, b) == pytest.approx(s.mcnemar_exact(a, b))


@given(REALS)
@settings(deadline=None, max_examples=40)
def test_sign_flip_is_the_enumeration_and_symmetric(pairs: list[tuple[int, int]]) -> None:
    a, b = [x / 4 for x, _ in pairs[:9]], [y / 4 for _, y in pairs[:9]]
    d = [x - y for x, y in zip(a, b, strict=True)]
    sums = [abs(sum(sign * v for sign, v in zip(signs, d, strict=True))) for signs in itertools.product((-1, 1), repeat=len(d))]
    assert s.sign_flip(a, b) == pytest.approx(np.mean([v >= abs(sum(d)) for v in sums]))
    assert s.sign_flip(a, b) == s.sign_flip(b, a)


def test_sign_flip_is_scipys_permutation_test() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=11), rng.normal(0.6, 1, size=11)
    law = stats.permutation_test((a, b), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=10_000)
    assert s.sign_flip(a, b) == pytest.approx(law.pvalue)


def test_sign_flip_monte_carlo_is_near_the_exact_and_never_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=14), rng.normal(0.5, 1, size=14)
    exact = s.sign_flip(a, b)
    monkeypatch.setattr(s, "EXACT_UP_TO", 3)
    drawn = s.sign_flip(a, b)
    assert drawn == pytest.approx(exact, abs=0.02)
    assert drawn == s.sign_flip(b, a)
    monkeypatch.setattr(s, "_CHUNK", 1000)
    assert s.sign_flip(a, b) == drawn
    assert s.sign_flip(np.ones(40) * 0.5, np.zeros(40)) == 1 / 10_000


def test_sign_flip_of_equals_is_one() -> None:
    assert s.sign_flip([0.3, 0.2], [0.3, 0.2]) == 1.0


def test_sign_flip_counts_rounded_ties_as_reached() -> None:
    assert s.sign_flip([0.1, 0.2, 0.3], [0.0, 0.0, 0.6]) == 1.0  # 0.1 + 0.2 - 0.3 is 5e-17 in floats: the truth is 0


def test_monte_carlo_p_is_uniform_under_the_null() -> None:
    rng = np.random.default_rng(8)
    ps = [s.sign_flip(rng.normal(size=20), rng.normal(size=20), seed=k, flips=199) for k in range(300)]
    assert 0.02 <= np.mean(np.array(ps) <= 0.05) <= 0.09


@given(REALS)
@settings(deadline=None, max_examples=40)
def test_paired_swaps(pairs: list[tuple[int, int]]) -> None:
    a, b = [x / 4 for x, _ in pairs], [y / 4 for _, y in pairs]
    one, two = s.paired(a, b), s.paired(b, a)
    assert (one.difference, one.low, one.high) == pytest.approx((-two.difference, -two.high, -two.low))
    assert (one.p, one.wins, one.losses, one.ties, one.test) == (two.p, two.losses, two.wins, two.ties, two.test)
    assert one.low <= one.difference <= one.high and 0 < one.p <= 1
    assert one.wins + one.losses + one.ties == one.n == len(pairs)


def test_paired_chooses_its_test() -> None:
    right = s.paired([1, 1, 1, 0, 1], [0, 0, 1, 0, 1])
    assert (right.test, right.n, right.wins, right.losses, right.ties) == ("mcnemar", 5, 2, 0, 3)
    assert right.difference == pytest.approx(0.4) and right.p == pytest.approx(0.5)
    graded = s.paired([0.5, 1, 1], [0, 0.25, 1])
    assert graded.test == "sign_flip" and graded.p == pytest.approx(0.5)


def test_paired_bootstrap_is_near_the_t_interval() -> None:
    rng = np.random.default_rng(4)
    base = rng.normal(size=500)
    difference, low, high = s.paired_bootstrap(base + rng.normal(0.3, 0.5, 500), base)
    assert difference == pytest.approx(0.3, abs=0.06)
    assert high - low == pytest.approx(2 * 1.96 * 0.5 / math.sqrt(500), rel=0.15)


def test_holm_by_hand() -> None:
    assert s.holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})
    assert s.holm({}) == {} and s.holm({"x": 0.2}) == {"x": 0.2}


P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(P_VALUES, st.randoms(use_true_random=False))
def test_holm_is_monotone_above_raw_and_permutation_equivariant(values: list[float], random: object) -> None:
    raw = {f"m{k}": p for k, p in enumerate(values)}
    adjusted = s.holm(raw)
    assert list(adjusted) == list(raw)
    assert all(raw[k] <= adjusted[k] <= 1 for k in raw)
    assert all(adjusted[i] <= adjusted[j] for i in raw for j in raw if raw[i] <= raw[j])
    names = list(raw)
    random.shuffle(names)  # type: ignore[attr-defined]
    assert s.holm({k: raw[k] for k in names}) == adjusted


@given(P_VALUES, st.floats(0.001, 0.5))
def test_holm_rejects_as_the_step_down_procedure(values: list[float], alpha: float) -> None:
    ordered = sorted(values)
    rejected = 0
    while rejected < len(ordered) and (len(ordered) - rejected) * ordered[rejected] <= alpha:
        rejected += 1
    adjusted = s.holm({str(k): p for k, p in enumerate(values)})
    assert sum(p <= alpha for p in adjusted.values()) == rejected


def test_share_won_is_scipys_and_states_ties() -> None:
    share = s.share_won([0.1] * 61 + [-0.1] * 35 + [0.0] * 4)
    bounds, law = stats.binomtest(61, 100).proportion_ci(0.95, method="exact"), stats.binomtest(61, 96, 0.5)
    assert (share.won, share.n, share.share, share.ties) == (61, 100, 0.61, 4)
    assert (share.low, share.high, share.p) == pytest.approx((bounds.low, bounds.high, law.pvalue))
    assert share.p == pytest.approx(0.0103, abs=1e-4), "the sign test: 61 of 96, ties say nothing"


def test_ties_are_no_losses() -> None:
    tied = s.share_won([0.0] * 8 + [0.1, -0.1])
    assert (tied.won, tied.n, tied.ties, tied.p) == (1, 10, 8, 1.0)
    assert s.share_won([0.0] * 10).p == 1.0
    assert s.share_won([0.1] * 6 + [0.0] * 30).p == pytest.approx(2 * 0.5**6)


def test_the_interval_of_a_difference_has_a_width_without_a_pair_that_differs() -> None:
    z2 = stats.norm.ppf(0.975) ** 2
    same = s.paired([1] * 12 + [0] * 8, [1] * 12 + [0] * 8)
    assert (same.difference, same.ties) == (0, 20)
    assert (same.low, same.high) == pytest.approx((-z2 / (20 + z2), z2 / (20 + z2))), "Tango's, with no discordant pair"
    every = s.paired([1] * 20, [0] * 20)
    assert every.high == 1 and every.low < 0.9
    graded = s.paired([0.5] * 20, [0.5] * 20)
    assert graded.low == -graded.high < -0.1 and graded.difference == 0
    assert s.paired([0.5] * 200, [0.5] * 200).high < graded.high
    assert (s.paired([3.0], [3.0]).low, s.paired([3.0], [3.0]).high) == (0, 0), "a reward whose range nobody knows"


def test_the_interval_of_a_difference_solves_the_score_equation() -> None:
    wins, losses, n = 40, 30, 400  # the maximum-likelihood share of losses at a difference d solves 2n q^2 + B q + C = 0
    found = s.paired([1] * wins + [0] * (n - wins), [0] * wins + [1] * losses + [0] * (n - wins - losses))
    gap = found.high
    b, c = (2 * n - wins + losses) * gap - wins - losses, -losses * gap * (1 - gap)
    share = (math.sqrt(b * b - 8 * n * c) - b) / (4 * n)
    z = (wins - losses - n * gap) / math.sqrt(n * (2 * share + gap * (1 - gap)))
    assert z == pytest.approx(-stats.norm.ppf(0.975))


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=60))
def test_the_interval_of_right_and_wrong_holds_its_difference_and_mirrors(pairs: list[tuple[int, int]]) -> None:
    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    difference, low, high = s.difference_interval(a, b)
    assert -1 <= low <= difference <= high <= 1 and low < high
    assert s.difference_interval(b, a) == pytest.approx((-difference, -high, -low))
    assert (low > 0 or high < 0) == (s.mcnemar_exact(a, b) < 0.05), "interval and test say the same"


def test_the_interval_of_right_and_wrong_covers() -> None:
    rng = np.random.default_rng(1)
    for n, wins, losses in ((20, 0.05, 0.05), (60, 0.3, 0.1)):
        held = 0
        for _ in range(400):
            draw = rng.random(n)
            _, low, high = s.difference_interval((draw < wins).astype(float), (draw > 1 - losses).astype(float))
            held += low <= wins - losses <= high
        assert held / 400 > 0.92


def test_share_won_ends() -> None:
    assert s.share_won([1.0] * 5).high == 1.0
    none = s.share_won([0.0, -1.0])
    assert (none.low, none.won, none.ties) == (0.0, 0, 1)
    assert s.share_won([1.0] * 5).low == pytest.approx(0.025 ** (1 / 5))  # Clopper-Pearson with k = n


def test_over_seeds() -> None:
    assert s.over_seeds([0.5, 0.6, 0.7]) == pytest.approx((0.6, 0.1))
    assert s.over_seeds({0: [1, 0, 1, 0], 1: [1, 1, 1, 1]}) == pytest.approx((0.75, math.sqrt(0.125)))
    assert s.over_seeds([[1, 0]]) == (0.5, None)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: s.interval([0.5, float("nan")]), "number 1 is nan"),
        (lambda: s.interval([[1.0]]), "2 dimensions"),
        (lambda: s.interval(["x"]), "not numbers"),
        (lambda: s.interval([1.0], level=1.0), "level is 1.0"),
        (lambda: s.interval([], level=95), "level is 95"),
        (lambda: s.paired([1], [1, 0]), "1 scores are paired with 2"),
        (lambda: s.paired([], []), "no pairs"),
        (lambda: s.mcnemar_exact([0.5], [1]), "0 and 1"),
        (lambda: s.paired_bootstrap([1, 0], [0, 1], resamples=0), "resamples is 0"),
        (lambda: s.sign_flip(range(20), [0.5] * 20, flips=0), "flips is 0"),
        (lambda: s.holm({"a": 1.2}), "p of 'a' is 1.2"),
        (lambda: s.holm({"a": float("nan")}), "p of 'a' is nan"),
        (lambda: s.share_won([]), "no settings"),
        (lambda: s.over_seeds([]), "no seeds"),
        (lambda: s.over_seeds([[]]), "has no scores"),
    ],
)
def test_faults_are_named(call: object, says: str) -> None:
    with pytest.raises(DataError) as caught:
        call()  # type: ignore[operator]
    assert says in str(caught.value) and "remedy" in str(caught.value)


def test_the_interval_of_means_weighs_groups_alike_and_covers() -> None:
    one, many = [1.0] * 6 + [0.0] * 4, [1.0] * 90 + [0.0] * 10
    assert s.interval_of_means([one]) == pytest.approx(s.interval(one))
    assert s.interval_of_means([]) is None and s.interval_of_means([[], one]) == s.interval_of_means([one])
    low, high = s.interval_of_means([one, many])  # type: ignore[misc]
    assert low < 0.75 < high
    assert s.interval_of_means([one, one])[1] - 0.6 == pytest.approx((s.interval(one)[1] - 0.6) / math.sqrt(2))  # type: ignore[index]
    rng = np.random.default_rng(5)
    shares = ((0.1, 40), (0.6, 100), (0.95, 60))
    truth = sum(p for p, _ in shares) / 3
    drawn = [[(rng.random(n) < p).astype(float) for p, n in shares] for _ in range(1000)]
    found = [s.interval_of_means(groups) for groups in drawn]
    covered = np.mean([b is not None and b[0] <= truth <= b[1] for b in found])
    assert 0.93 < covered < 0.975
