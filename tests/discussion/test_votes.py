"""Votes: the fidelity checks of majority vote on plain keys, and invariants."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moco.core.query import Query
from moco.core.types import AnswerSpec, Completion, Draft, Request, messages_of
from moco.discussion import Decision, Ranking, Tie, medoid, plurality, ranking_of, token_f1, vote
from moco.methods.text.majority_vote import log_odds

CHOICE = AnswerSpec(kind="multiple_choice", labels=("A", "B", "C", "D"), choices=("w", "x", "y", "z"))


def query(spec: AnswerSpec = CHOICE, text: str = "q", seed: int = 0) -> Query:
    return Query.of(Request(messages=messages_of(text), spec=spec, study_seed=seed))


def drafts(keys: Sequence[str | None], names: Sequence[str] | None = None) -> list[Draft]:
    names = names or [f"m{i}" for i in range(len(keys))]
    return [
        Draft(n, 0, f"text {i}", k, Completion(f"text {i}"), index=i) for i, (n, k) in enumerate(zip(names, keys, strict=True))
    ]


def decide(
    keys: Sequence[str | None],
    *,
    order: Sequence[int] | None = None,
    tie: Tie = "dev",
    weights: Sequence[float] | None = None,
    require: float = 0.0,
    spec: AnswerSpec = CHOICE,
    q: Query | None = None,
) -> Decision:
    ranking = None if order is None else Ranking(tuple(f"m{i}" for i in order), (1.0,) * len(order), (0.0,) * len(order), 10)
    return asyncio.run(vote(q or query(spec), drafts(keys), ranking=ranking, tie=tie, weights=weights, require=require))


def test_plurality() -> None:
    found = decide(["A", "B", "A", "C"])
    assert (found.winner, found.support, found.margin) == ((0, 2), 0.5, 0.25)


def test_an_abstention_never_wins_and_counts_in_the_denominator() -> None:
    found = decide([None, None, "A"])
    assert found.winner == (2,)
    assert found.support == pytest.approx(1 / 3)


def test_a_tie_goes_to_the_best_ranked_voter() -> None:
    found = decide(["A", "B", "B", "A", "C"], order=[2, 0, 1, 3, 4])
    assert (found.winner, found.representative, found.tie) == ((1, 2), 2, "dev")


def test_equivalent_numbers_are_one_cluster() -> None:
    numeric = AnswerSpec(kind="numeric")
    q = query(numeric)
    keys = [q.extract(f"Answer: {t}") for t in ("0.5", "1/2", "0.50", "2")]
    found = decide(keys, spec=numeric)
    assert (found.winner, found.support) == ((0, 1, 2), 0.75)


def test_without_a_usable_ballot_the_best_ranked_stands_in() -> None:
    found = decide([None, None], order=[1, 0])
    assert (found.representative, found.fallback, found.support) == (1, True, 0.0)
    assert decide(["A", "B", "C"], order=[2, 1, 0], require=0.5).representative == 2


def test_a_random_tie_is_fair_and_repeatable() -> None:
    async def first_wins(items: int) -> list[bool]:
        tied = drafts(["A", "B"])
        return [(await vote(query(text=f"item {i}"), tied, tie="random")).winner == (0,) for i in range(items)]

    wins = asyncio.run(first_wins(10_000))
    assert 0.48 < np.mean(wins) < 0.52
    assert wins[:20] == asyncio.run(first_wins(20))


def test_log_odds_weigh_as_the_specification_computes() -> None:
    assert [round(log_odds(p, 10**9), 3) for p in (0.9, 0.6)] == [2.197, 0.405]
    assert log_odds(0.1, 100) == 0.0
    assert log_odds(1.0, 10**9) == pytest.approx(math.log(99))
    assert decide(["A", "B", "B"], weights=[2.197, 0.405, 0.405]).winner == (0,)
    assert decide(["A", "B", "B"]).winner == (1, 2)


def test_a_negative_weight_speaks_against_its_answer() -> None:
    found = decide(["A", "B", "B"], weights=[0.5, 1.0, -0.8])
    assert (found.winner, found.support, found.margin) == ((0,), pytest.approx(0.5 / 2.3), pytest.approx(0.3 / 2.3))
    assert decide(["A"], weights=[-1.0]).winner == (0,), "the only answer there is"


def test_unreadable_ballots_abstain_or_are_none_or_are_one_candidate() -> None:
    keys = [None, None, "A"]
    for rule, winner, support in (("abstain", (2,), 1 / 3), ("drop", (2,), 1.0), ("candidate", (0, 1), 2 / 3)):
        found = asyncio.run(vote(query(), drafts(keys), unreadable=rule))  # type: ignore[arg-type]
        assert (found.winner, found.support) == (winner, pytest.approx(support))


def test_equal_sums_of_dev_scores_go_to_the_first_member() -> None:
    ranking = Ranking(("m1", "m0"), (0.5, 0.5), (0.0, 0.0), 10)
    said = drafts(["A", "B"])
    assert asyncio.run(vote(query(), said, ranking=ranking, tie="dev_sum")).winner == (0,)
    assert asyncio.run(vote(query(), said, ranking=ranking, tie="dev")).winner == (1,)
    better = Ranking(("m1", "m0"), (0.6, 0.5), (0.0, 0.0), 10)
    assert asyncio.run(vote(query(), said, ranking=better, tie="dev_sum")).winner == (1,)


@given(st.lists(st.sampled_from(["A", "B", "C", None]), min_size=1, max_size=7), st.randoms())
def test_the_order_of_the_voters_changes_nothing_but_ties(keys: list[str | None], rng: object) -> None:
    before = decide(keys)
    shuffled = sorted(range(len(keys)), key=lambda i: rng.random())  # type: ignore[attr-defined]
    after = decide([keys[i] for i in shuffled])
    assert after.support == before.support
    assert after.margin == pytest.approx(before.margin)
    if before.tie is None and before.winner:
        assert {keys[i] for i in before.winner} == {keys[shuffled[i]] for i in after.winner}


def test_first_seen_parity_with_the_debate_code(shared: Path) -> None:
    vectors = json.loads((shared / "vectors" / "text_multiagent_refine.json").read_text())["vectors"]
    known = [v for v in vectors if "most_frequent" in v["function"] and v["inputs"] and v["outputs"]]
    assert known
    for vector in known:
        numbers = {k: "ABCD"["abcxyz".index(k) % 3] for k in dict.fromkeys(vector["inputs"])}
        back = {v: k for k, v in numbers.items()}
        found = decide([numbers[k] for k in vector["inputs"]], tie="order")
        assert back[numbers[vector["inputs"][found.winner[0]]]] == vector["outputs"][0]


def test_random_parity_with_debate_or_vote(shared: Path) -> None:
    vectors = json.loads((shared / "vectors" / "text_majority_vote.json").read_text())["official_vectors"]
    known = [v for v in vectors if isinstance(v["outputs"], dict) and "possible_decisions" in v["outputs"]]
    assert len(known) >= 9
    short = AnswerSpec(kind="short_text")
    for vector in known:
        answers = vector["outputs"]["final_answers"]
        found = decide([a or None for a in answers], tie="random", spec=short)
        assert answers[found.winner[0]] in vector["outputs"]["possible_decisions"]


def test_free_text_takes_the_medoid() -> None:
    free = AnswerSpec(kind="generation")
    said = ["the cat sat on the mat", "a cat sat on a mat", "bananas"]
    three = [Draft(f"m{i}", 0, t, None, Completion(t), index=i) for i, t in enumerate(said)]
    answer = asyncio.run(plurality(query(free), three))
    assert answer.text == said[0]
    assert answer.reason["rule"] == "medoid"
    assert medoid(["", " "]) == 0
    assert medoid(["", "word"]) == 1
    assert token_f1("a b", "b c") == 0.5
    assert token_f1("", "") == 1.0


def test_rankings_keep_pool_order_among_equals() -> None:
    ranking = ranking_of(["x", "y", "z"], np.array([[0, 1], [1, 1], [1, 0]], dtype=float))
    assert ranking.names == ("y", "x", "z")
    assert ranking.mean("x") == 0.5
    assert ranking.errors[0] == 0.0
    assert ranking.errors[1] == pytest.approx(0.5)
    assert ranking.place("stranger") == 3
