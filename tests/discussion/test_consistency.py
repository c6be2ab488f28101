"""How much a member agrees with itself, and which members complement one another."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moco.core.query import Query
from moco.core.types import AnswerSpec, Completion, Draft, Request, messages_of
from moco.discussion.complements import Sampled, best_subset, worth
from moco.discussion.consistency import Agreement, agreement, closeness, cosines, neighbourhoods
from moco.models.pool import Pool
from moco.models.store import Store
from moco.testing import ScriptedModel

WORDS = Query.of(Request(messages=messages_of("q"), spec=AnswerSpec(kind="short_text")))
KEYS = st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=1, max_size=7)


def said(keys: Sequence[str], **options: Any) -> Agreement:
    drafts = [Draft("m", i, k, k or None, Completion(k)) for i, k in enumerate(keys)]
    return asyncio.run(agreement(WORDS, "m", drafts, len(keys), **options))


@pytest.mark.parametrize(
    ("keys", "key", "share", "usable_share"),
    [
        (["b", "a", "a"], "a", 2 / 3, 2 / 3),
        (["a", "", "", "", ""], "a", 0.2, 1.0),
        (["", ""], None, 0.0, 0.0),
        (["b", "a", "a", "b"], "b", 0.5, 0.5),
        (["a"], "a", 1.0, 1.0),
    ],
)
def test_a_share_is_of_all_draws(keys: list[str], key: str | None, share: float, usable_share: float) -> None:
    found = said(keys)
    assert (found.key, found.share) == (key, pytest.approx(share))
    assert found.draft is None if key is None else found.draft is not None and found.draft.draw == keys.index(key)
    assert said(keys, denominator="usable").share == pytest.approx(usable_share)


def test_a_random_inner_tie_is_the_questions() -> None:
    def pick(text: str) -> str | None:
        query = Query.of(Request(messages=messages_of(text), spec=AnswerSpec(kind="short_text")))
        drafts = [Draft("m", i, k, k, Completion(k)) for i, k in enumerate("ab")]
        return asyncio.run(agreement(query, "m", drafts, 2, inner_tie="random")).key

    picks = [pick(f"item {i}") for i in range(400)]
    assert 0.4 < picks.count("a") / 400 < 0.6
    assert picks[:9] == [pick(f"item {i}") for i in range(9)]


@given(KEYS)
def test_one_more_draw_for_the_majority_never_hurts_and_order_only_breaks_ties(keys: list[str]) -> None:
    before = said(keys)
    if before.key is not None:
        assert said([*keys, before.key]).share >= before.share
    assert said(keys[::-1]).share == before.share


def test_free_texts_are_close_by_their_words() -> None:
    texts = ["the soup is hot", "cold tea", "the soup is very hot", "", "the soup is hot now"]
    drafts = [Draft("m", i, t, None, Completion(t)) for i, t in enumerate(texts)]
    pool = Pool([ScriptedModel("m", "x")], store=Store(None))
    found = asyncio.run(closeness(pool, "m", drafts, 5))
    assert (found.draft, found.share, found.usable) == (drafts[0], 0.6, 4)
    assert asyncio.run(closeness(pool, "m", drafts, 5, near=1.0)).share == 0.2
    assert asyncio.run(closeness(pool, "m", drafts[3:4], 5)).draft is None


def test_neighbourhoods_of_embeddings() -> None:
    vectors = np.array([[1, 0], [2, 0.1], [0, 3], [0, 0]], np.float64)
    sizes, central = neighbourhoods(cosines(vectors), 0.9)
    assert sizes == [2, 2, 1, 1]
    assert central == pytest.approx([0.998752, 0.998752 + 0.049938, 0.049938, 0.0], abs=1e-6)


def sampled(*draws: str, right: str = "A") -> list[Sampled]:
    return [Sampled(tuple(k if k != "-" else None for k in d), tuple(k == right for k in d)) for d in draws]


def test_a_team_is_worth_what_it_solves_less_what_it_contradicts() -> None:
    sure, other, wrong = sampled("AAA", "BCA", "AAB"), sampled("BBA", "AAC", "CCB"), sampled("BBB", "BBB", "BBB")
    assert worth([sure]).score == pytest.approx(2 / 3)
    assert worth([sure, other]).score == 1.0
    team = worth([sure, other, wrong])
    assert (team.union, team.contradicted, team.score) == (1.0, 1.0, 0.5)
    assert best_subset([sure, other, wrong])[0] == (0, 1)
    assert best_subset([wrong, other, sure], weight=0.0)[0] == (1, 2)
    assert best_subset([sure])[0] == (0,)
    assert worth([]).score == 0.0


def test_saying_nothing_all_the_time_is_no_confidence() -> None:
    silent = sampled("---")[0]
    assert not silent.confidently_wrong() and silent.confidently_wrong(blanks=True)
    assert not sampled("A")[0].confidently_wrong() and not sampled("B")[0].confidently_wrong()


def test_beyond_twenty_members_a_team_is_grown() -> None:
    members = [sampled(*("AA" if q == m % 3 else "BC" for q in range(3))) for m in range(21)]
    chosen, value = best_subset(members, (2, 3))
    assert chosen == (0, 1, 2) and value.union == 1.0


def of(shared: Path, name: str) -> list[dict[str, Any]]:
    vectors = json.loads((shared / "vectors" / "text_slm_mux.json").read_text())["vectors"]
    found = [v for v in vectors if name in v["function"]]
    assert found
    return found


def test_shares_of_the_original(shared: Path) -> None:
    for vector in of(shared, "ConsistencyConfidence(ignore_empty=True)"):
        keys, out = vector["inputs"], vector["outputs"]
        if len({k.strip().casefold() for k in keys}) != len(set(keys)):
            continue  # the original counts `A ` and `a` apart; here equal answers are one
        found = said(keys, denominator="usable")
        assert found.share == pytest.approx(out["score"])
        assert (found.key or "") in out["answers_selected_over_50_seeds"]
    assert said(["a", "", "", "", ""]).share == 0.2


def test_neighbourhoods_of_the_original(shared: Path) -> None:
    for vector in of(shared, "_cluster_sizes"):
        similar = cosines(np.array(vector["inputs"]["embeddings"], np.float64))
        sizes, central = neighbourhoods(similar, vector["inputs"]["tau"])
        assert sizes == vector["outputs"]["cluster_sizes"]
        assert central == pytest.approx(vector["outputs"]["centrality"], abs=1e-5)


def test_the_search_of_the_original(shared: Path) -> None:
    for vector in of(shared, "ModelSelector"):
        data, weight, robust = (vector["inputs"][name] for name in ("data", "lambda_c", "robust_level"))
        members = {
            name: [Sampled(tuple(q["samples"]), tuple(s == q["reference"] for s in q["samples"])) for q in questions.values()]
            for name, questions in data.items()
        }
        for names, out in vector["outputs"]["scores"].items():
            found = worth([members[n] for n in names.split("+")], weight, robust, blanks=True)
            assert (found.score, found.union) == pytest.approx((out["score"], out["union_acc"]))
        for size, best in vector["outputs"]["best_by_k"].items():
            chosen, _ = best_subset(list(members.values()), (int(size), int(size)), weight, robust, blanks=True)
            assert [list(members)[i] for i in chosen] == best
