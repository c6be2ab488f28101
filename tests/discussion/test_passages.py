"""Passages: what is knowledge and what an answer, which are relevant, which are drawn, how they are cut."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moco.core.errors import BackendError, Transient
from moco.core.query import Query
from moco.core.types import Completion, Draft, Request
from moco.discussion.factuality import factual
from moco.discussion.passages import Passage, best, distinct, drawn, gives_answer, lexical, likeness, passage_of, truncated
from moco.models.pool import Pool
from moco.models.protocol import TokenScores
from moco.models.store import Store
from moco.testing import ScriptedModel, TableModel
from tests.discussion.helpers import Embedding
from tests.methods.helpers import ask, pool_of, request

QUERY = Query.of(request())


def draft(text: str, member: str = "a") -> Draft:
    return Draft(member, 0, text, None, Completion(text))


def passages(*texts: str) -> list[Passage]:
    return [Passage(t, draft(t)) for t in texts]


@pytest.mark.parametrize(
    ("sentence", "answers"),
    [
        ("The answer is B.", True),
        ("Answer: 42", True),
        ("So \\boxed{7}.", True),
        ("**B**", True),
        ("Tin is a metal.", False),
        ("Soup is eaten with a spoon.", False),
        ("Nobody could answer that for years.", False),
    ],
)
def test_what_states_an_answer(sentence: str, answers: bool) -> None:
    assert gives_answer(QUERY, sentence) is answers


def test_answers_are_taken_out_and_the_rest_stays() -> None:
    made = passage_of(QUERY, draft("Tin melts early. The answer is B. It is a metal."))
    assert made is not None and made.text == "Tin melts early. It is a metal."
    assert passage_of(QUERY, draft("The answer is B.")) is None
    kept = passage_of(QUERY, draft("The answer is B."), answers=True)
    assert kept is not None and kept.text == "The answer is B."


def test_an_echo_of_the_question_is_cut_off() -> None:
    made = passage_of(QUERY, draft("Which? Tin is soft."), echo="Which?")
    assert made is not None and made.text == "Tin is soft."


def test_equal_texts_are_shown_once_in_order() -> None:
    assert [p.text for p in distinct(passages("b", "a", "b ", "c"))] == ["b", "a", "c"]


def test_rare_shared_words_count_most() -> None:
    scores = lexical("which metal is soft", ["metal is hard", "is is is", "a soft metal", "nothing"])
    assert scores[2] > scores[0] > scores[1] > scores[3] == 0


def embedding(vectors: Mapping[str, Sequence[float]]) -> Pool:
    """A pool with an embedder that gives vectors of any length."""
    return Pool([ScriptedModel("a", "")], store=Store(None), aux={"embedder": Embedding(lambda text: vectors[text])})


VECTORS = {"q": (1.0, 1.0), "long": (5.0, 5.0), "near": (1.0, 0.9), "far": (0.0, 2.5)}


def test_the_cosine_ranks_by_angle_and_the_dot_product_by_length() -> None:
    pool = embedding(VECTORS)
    texts = ["far", "near", "long"]
    angle, length = (asyncio.run(likeness(pool, "q", texts, normalise=n)) for n in (True, False))
    assert [p.text for p in best(passages(*texts), angle, 3)] == ["long", "near", "far"]
    assert [p.text for p in best(passages(*texts), length, 3)] == ["long", "far", "near"]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.integers(1, 5), st.integers(0, 99))
def test_a_draw_has_no_duplicates_and_comes_from_the_best(scores: list[float], count: int, seed: int) -> None:
    chosen = drawn(scores, count, np.random.default_rng(seed))
    assert len(set(chosen)) == len(chosen) == min(count, len(scores))
    floor = sorted(scores, reverse=True)[: 2 * count][-1]
    assert all(scores[i] >= floor for i in chosen)


def test_the_likelier_is_drawn_more_often() -> None:
    first = Counter(drawn([0.9, 0.1, 0.0], 1, np.random.default_rng(s))[0] for s in range(2000))
    assert first[0] / 2000 == pytest.approx(0.9, abs=0.03) and first[2] == 0


def test_with_replacement_draws_follow_the_scores_and_repeat_as_the_originals_do() -> None:
    """Two of the four best of six: 0.9, 0.8, 0.7 and 0.6 of 3.0, each draw by itself."""
    scores, draws = [0.2, 0.9, 0.6, 0.8, 0.1, 0.7], 3000
    found = [drawn(scores, 2, np.random.default_rng(s), replace=True) for s in range(draws)]
    seen = Counter(i for pair in found for i in pair)
    assert sorted(seen) == [1, 2, 3, 5]
    for i, p in ((1, 0.3), (3, 0.8 / 3), (5, 0.7 / 3), (2, 0.2)):
        assert abs(seen[i] / (2 * draws) - p) < 3 * (p * (1 - p) / (2 * draws)) ** 0.5
    twice = sum(one == two for one, two in found) / draws
    assert twice == pytest.approx(0.3**2 + (0.8 / 3) ** 2 + (0.7 / 3) ** 2 + 0.2**2, abs=0.03)
    assert drawn([0.0, 0.0], 1, np.random.default_rng(0), replace=True)[0] in (0, 1), "nothing to go by: alike"


def test_long_passages_end_with_a_sentence() -> None:
    pool = pool_of("x")
    long = passages("One two three. Four five six. Seven eight nine ten eleven.")[0]
    cut = truncated(long, pool, "a", 10)  # about three characters a token
    assert cut.text == "One two three. Four five six."
    assert truncated(long, pool, "a", 100) is long
    assert "[...]" in truncated(passages("word " * 50)[0], pool, "a", 10).text


def vectors(shared: Path, word: str) -> list[Any]:
    found = json.loads((shared / "vectors" / "text_knowledge_card.json").read_text())["vectors"]
    chosen = [v for v in found if word in v["function"]]
    assert chosen
    return chosen


def test_vector_relevance(shared: Path) -> None:
    for vector in vectors(shared, "similarity_filter"):
        given_ = vector["inputs"]
        pooled = {t: np.mean(v, axis=0).tolist() for t, v in given_["token_vectors"].items()}
        pool = embedding(pooled)
        scores = asyncio.run(likeness(pool, given_["query"], given_["texts"], normalise=False))
        chosen = [p.text for p in best(passages(*given_["texts"]), scores, given_["k"])]
        wanted = vector["outputs"]
        assert chosen == (wanted if isinstance(wanted, list) else given_["texts"]), "where the original fails, all are kept"


def test_a_claim_is_as_true_as_its_best_document_says() -> None:
    assert factual([[0.55, 0.5], [0.85, 0.9], [0.15, 0.4]]) == pytest.approx(0.875)
    assert factual([[0.55, 0.5]]) == pytest.approx(0.525) and factual([[0.3]]) == 0.3
    assert factual([]) == factual([[], []]) == 0.5, "nobody could judge it"


def test_vector_factuality(shared: Path) -> None:
    (vector,) = [v for v in vectors(shared, "factuality.factuality ") if "per_document" in json.dumps(v["inputs"])]
    (documents,) = [v for k, v in vector["inputs"].items() if k.startswith("per_document")]
    scores = [[(p0 - p1 + 1) / 2, truth] for p0, p1, _, truth in documents.values()]
    assert factual(scores) == pytest.approx(vector["outputs"])


def test_vector_draws(shared: Path) -> None:
    for vector in vectors(shared, "factuality_filter"):
        names, scores = [*vector["inputs"]["scores"]], [*vector["inputs"]["scores"].values()]
        k, draws = vector["inputs"]["k"], 2000
        seen = Counter(names[i] for s in range(draws) for i in drawn(scores, k, np.random.default_rng(s), replace=True))
        assert sorted(seen) == sorted(vector["outputs"]["support"])
        for name, p in vector["outputs"]["analytic_prob"].items():
            assert abs(seen[name] / (draws * k) - p) < 3 * (p * (1 - p) / (draws * k)) ** 0.5


class Mute(TableModel):
    """Says that it can score, and fails at it."""

    async def score(self, request: Request, continuation: str) -> TokenScores:
        raise Transient("no score")


@pytest.mark.parametrize(
    ("method", "options", "record"),
    [
        ("knowledge_card", {"mode": "bottom_up", "main": "a", "cards": ["a"], "exclude_self": False, "per_card": 1}, "dropped"),
        ("multiagent_feedback", {"mode": "abstain", "proposer": "a", "judge": "m"}, "lost"),
    ],
)
def test_a_failed_scoring_fails_the_question_or_is_on_record(method: str, options: dict[str, Any], record: str) -> None:
    pool = Pool([ScriptedModel("a", "Tin is soft."), Mute("m", ["x", "<eos>"], lambda _: [1, 1])], store=Store(None))
    with pytest.raises(BackendError, match="no score"):
        ask(method, pool, **options)
    assert ask(method, pool, on_failure="drop", **options).reason[record] in (["m"], ["m@3 (score)"])
