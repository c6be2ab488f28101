"""The sampler against its law: chi-square with fixed seeds, cuts by hand, rows independent, torch equal to numpy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from moco.core.types import Sampling
from moco.models.sampler import Params, draw, draw_torch, law, log_softmax

LOGITS = np.random.Generator(np.random.Philox(3)).normal(0, 2, 40)
SAMPLINGS = [
    Sampling(temperature=1.0, top_p=1.0),
    Sampling(temperature=0.7, top_p=0.9),
    Sampling(temperature=1.3, top_p=1.0, top_k=6),
    Sampling(temperature=1.0, top_p=1.0, min_p=0.08),
    Sampling(temperature=2.0, top_p=0.95, top_k=20, min_p=0.02),
]


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=range(len(SAMPLINGS)))
@pytest.mark.parametrize("over", ["seeds", "positions"])
def test_frequencies_follow_the_law(sampling: Sampling, over: str) -> None:
    n = 20_000
    moving = np.arange(n, dtype=np.int64)
    seeds = moving * 7919 + 5 if over == "seeds" else np.full(n, 12345)
    positions = np.zeros(n, np.int64) if over == "seeds" else moving
    params = Params.of([sampling] * n, [int(s) for s in seeds])
    ids, _ = draw(np.tile(LOGITS, (n, 1)), params, positions)
    p = law(LOGITS[None], params.take(np.array([0])))[0]
    counts = np.bincount(ids, minlength=len(p))
    assert counts[p == 0].sum() == 0
    big = p * n >= 5
    observed, expected = np.append(counts[big], counts[~big].sum()), np.append(p[big], p[~big].sum()) * n
    observed, expected = observed[expected > 0], expected[expected > 0]
    statistic = float(((observed - expected) ** 2 / expected).sum())
    assert chi2.sf(statistic, len(observed) - 1) > 1e-3


def test_cuts_by_hand() -> None:
    logits = np.log(np.array([[0.1, 0.4, 0.2, 0.3]]))

    def kept(**options: float) -> list[float]:
        sampling = Sampling(temperature=1.0, **({"top_p": 1.0} | options))  # type: ignore[arg-type]
        return [round(x, 6) for x in law(logits, Params.of([sampling], [0]))[0].tolist()]

    assert kept() == [0.1, 0.4, 0.2, 0.3]
    assert kept(top_k=1) == [0, 1, 0, 0]
    assert kept(top_p=0.69) == [0, round(4 / 7, 6), 0, round(3 / 7, 6)]
    assert kept(top_p=0.71) == [0, round(4 / 9, 6), round(2 / 9, 6), round(3 / 9, 6)]
    assert kept(min_p=0.6) == [0, round(4 / 7, 6), 0, round(3 / 7, 6)]
    assert kept(top_p=1e-9) == [0, 1, 0, 0]


def test_greedy_takes_the_lowest_id_of_a_tie_and_logprob_is_raw() -> None:
    logits = np.array([[0.0, 2.0, 2.0, 1.0]])
    for sampling in (Sampling(temperature=0), Sampling(temperature=1.0, top_k=1)):
        ids, logprobs = draw(logits, Params.of([sampling], [9]), np.array([4]))
        assert ids.tolist() == [1] and logprobs[0] == pytest.approx(log_softmax(logits)[0, 1])


def test_rows_do_not_see_each_other_and_torch_agrees() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.Generator(np.random.Philox(5))
    logits = rng.normal(0, 3, (60, 300)).astype(np.float32)
    samplings = [[*SAMPLINGS, Sampling(temperature=0)][i % 6] for i in range(60)]
    params, positions = Params.of(samplings, [i * 31 for i in range(60)]), rng.integers(0, 99, 60)
    ids, logprobs = draw(logits, params, positions)
    for i in range(60):
        row = np.array([i])
        alone = draw(logits[row], params.take(row), positions[row])
        assert alone[0][0] == ids[i] and alone[1][0] == logprobs[i]
    same, close = draw_torch(torch.from_numpy(logits), params, positions)
    assert same.tolist() == ids.tolist() and np.allclose(close, logprobs, atol=1e-12)


def test_impossible_tokens_are_never_drawn() -> None:
    logits = np.full((2000, 5), -np.inf)
    logits[:, 2] = 0.0
    logits[:, 3] = -700.0
    ids, _ = draw(logits, Params.of([Sampling(temperature=1.0, top_p=1.0)] * 2000, list(range(2000))), np.zeros(2000, np.int64))
    assert set(ids.tolist()) == {2}
