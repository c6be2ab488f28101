"""The kind `diversity`: distance to references, the hashed default named so, model-free figures."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moco
from moco.core.errors import ConfigError, Transient
from moco.core.types import AnswerSpec
from moco.models.pool import Pool
from moco.models.store import Store
from moco.tasks.graders import Grade, Helpers, Item, assess
from moco.tasks.graders.diversity import HASHED_RULE, KIND, bleu, distinct
from moco.tasks.record import Record, Task
from moco.testing import ScriptedModel
from tests.models.encoders import save_bert

STORY = "A small boat crossed the bay at night while the lamps of the town went out."
ITEM = Item(AnswerSpec("diversity", question="Tell a story."), [STORY, STORY.replace("bay", "lake")])


def score(text: str, about: Item = ITEM, model: ScriptedModel | None = None) -> Grade:
    return asyncio.run(assess("diversity", text, about, Helpers(embedder=model)))


def test_mean_cosine_to_the_references() -> None:
    vectors = {"reply": [3.0, 4.0], "one": [1.0, 0.0], "two": [0.0, 2.0]}
    model = ScriptedModel("e", embed=lambda text: vectors[text])
    found = score("<think>hm</think>reply", Item(ITEM.spec, ["one", "two"]), model)
    assert found.score == pytest.approx(1 - (0.6 + 0.8) / 2) and (found.rule, found.parsed) == ("embedding", True)


def test_the_hashed_default_is_named() -> None:
    same, near, far = (
        score(STORY, Item(ITEM.spec, STORY)),
        score(STORY.replace("night", "noon")),
        score("Why do birds sing? Nobody asked."),
    )
    assert same.score == pytest.approx(0, abs=1e-6) and same.metrics["self_bleu"] == pytest.approx(1)
    assert same.score < near.score < 0.3 and far.score > 0.8 and far.rule == near.rule == HASHED_RULE
    assert far.metrics["self_bleu"] < 0.2 < near.metrics["self_bleu"]
    pool = Pool([ScriptedModel("a", "x")], store=Store(), aux={"embedder": "hashed"})
    again = asyncio.run(assess("diversity", STORY.replace("night", "noon"), ITEM, Helpers.of(pool.aux)))
    assert again == near


def test_a_sentence_encoder_through_the_pool(tmp_path: Path) -> None:
    records = [Record(id=str(i), question="which city ?", kind="diversity", answer=["rome .", "paris"]) for i in range(2)]
    pool = Pool([ScriptedModel("a", "rome .")], store=Store(), aux={"embedder": str(save_bert(tmp_path / "e"))})
    result = moco.evaluate("single", pool, Task("talk", [], records, kind="diversity"))
    vectors = asyncio.run(pool.aux.embedder.embed(["rome .", "paris"]))  # type: ignore[union-attr]
    assert result.mean == pytest.approx(1 - (1 + float(vectors[0] @ vectors[1])) / 2, abs=1e-5)
    assert result.outcomes[0].rule == "embedding" and set(result.summary.figures) == {"distinct_1", "distinct_2", "self_bleu"}


def test_faults() -> None:
    for gold in ("", [], [" "]):
        with pytest.raises(ConfigError, match="answer: there are no reference replies to be different from"):
            score("x", Item(ITEM.spec, gold))
    with pytest.raises(ConfigError, match=r"aux\.embedder: 'm' cannot embed texts"):
        score("x", ITEM, ScriptedModel("m", "x"))

    def broken(text: str) -> list[float]:
        raise Transient("no answer")

    with pytest.raises(Transient):
        score("x", ITEM, ScriptedModel("e", embed=broken))
    assert (score("<think>").score, score("<think>").parsed) == (0.0, False)
    assert not KIND.votable and KIND.extract("x", ITEM.spec) is None


def test_distinct_by_hand() -> None:
    words = ["a", "b", "a", "b", "c"]
    assert distinct(words, 1) == pytest.approx(3 / 5) and distinct(words, 2) == pytest.approx(3 / 4) and distinct(["a"], 2) == 1.0


def test_bleu_by_hand() -> None:
    words, reference = ["the", "cat", "sat", "down"], ["the", "cat", "lay", "down"]
    # 1-grams 3/4; 2-grams (1+1)/(3+1); 3-grams (0+1)/(2+1); 4-grams (0+1)/(1+1)
    assert bleu(words, [reference]) == pytest.approx((3 / 4 * 2 / 4 * 1 / 3 * 1 / 2) ** (1 / 4))
    assert bleu(words, [reference, words]) == 1.0 and bleu(words, [["dog"]]) == 0.0 and bleu([], [words]) == 0.0
    # twice the same word is matched once; brevity against the reference of nearest length
    assert bleu(["the", "the"], [["the", "cat"]]) == pytest.approx((1 / 2 * 1 / 2) ** 0.5)
    assert bleu(["the"], [["the", "cat", "sat"]]) == pytest.approx(2.718281828 ** (1 - 3))


@given(st.text(max_size=60), st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_any_text_has_a_distance(text: str, references: list[str]) -> None:
    if not any(r.strip() for r in references):
        return
    found = score(text, Item(ITEM.spec, references))
    assert -1e-6 <= found.score <= 2 and all(0 <= value <= 1 for value in found.metrics.values())
