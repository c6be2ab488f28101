"""Embeddings: hashed n-grams by hand, what they are blind to, and embedders that the study names."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from moco.core.errors import ConfigError, PoolError
from moco.core.query import Query
from moco.core.types import Usage
from moco.models.pool import Pool
from moco.models.protocol import Capabilities
from moco.models.store import Store
from moco.models.transcript import Recorder
from moco.routers import check_source, counted, learn_space
from moco.testing import ScriptedModel
from tests.methods.helpers import pool_of

TEXTS = ["Name the river of Zagax.", "What is 17 + 25?", "Sort the list: d a c", "What is 3 + 4?", "Name the color of Sukun."]


class Encoder(ScriptedModel):
    """Embeds a text by its length and its number of question marks."""

    def __init__(self, name: str = "encoder", shape: int = 2) -> None:
        super().__init__(name, "")
        self.shape = shape
        self.capabilities = Capabilities(frozenset({"TEXT", "EMBED"}))

    async def embed(self, texts: list[str]) -> np.ndarray[Any, Any]:
        return np.array([[len(t), t.count("?")][: self.shape] for t in texts], np.float32)


def pool_with(embedder: Any) -> Pool:
    pool = pool_of("Answer: A", "Answer: B")
    pool.aux = type(pool.aux)(embedder=embedder)
    return pool


def space_of(texts: list[str], pool: Pool | None = None, source: str = "auto") -> Any:
    return asyncio.run(learn_space(pool or pool_of("x"), texts, source))


def test_which_number_it_is_does_not_matter_but_how_long_it_is() -> None:
    one, two, three = counted(["What is 17 plus 4?", "What is 52 plus 9?", "What is 170 plus 4?"])
    assert (one == two).all() and (one != three).any()
    assert not counted([""]).any()


def test_alike_questions_lie_near_each_other() -> None:
    space, x = space_of(TEXTS)
    assert np.allclose(np.linalg.norm(x, axis=1), 1)
    near = x @ x.T
    assert near[1, 3] > max(near[1, 0], near[1, 2], near[1, 4]) and near[0, 4] > near[0, 2]
    again = asyncio.run(space.embed(pool_of("x"), [TEXTS[2]]))
    assert np.allclose(again[0], x[2])
    unknown = asyncio.run(space.embed(pool_of("x"), ["", "qqqq"]))
    assert np.isfinite(unknown).all() and not unknown[0].any()


def test_the_projection_keeps_all_angles_of_dev() -> None:
    """With fewer questions than directions nothing is lost: the angles are those of the weighted counts themselves."""
    space, x = space_of(TEXTS)
    weighted = counted(TEXTS) * space.rarity
    weighted /= np.linalg.norm(weighted, axis=1, keepdims=True)
    assert np.allclose(x @ x.T, weighted @ weighted.T)
    assert space.described == "hashed n-grams, 5 directions of dev"


def test_the_embedder_of_the_study_is_taken_and_known_again() -> None:
    pool = pool_with(Encoder())
    space, x = space_of(TEXTS, pool)
    assert (space.source, space.described) == ("aux.embedder", "aux.embedder")
    assert x[1] == pytest.approx(np.array([16, 1]) / np.hypot(16, 1))
    assert asyncio.run(space.embed(pool, TEXTS[1:2])) == pytest.approx(x[1:2])
    with pytest.raises(PoolError, match="not the embedder that was fitted"):
        asyncio.run(space.embed(pool_with(Encoder("other")), TEXTS))
    assert space_of(TEXTS, pool, "ngrams")[0].source == "ngrams"


def test_a_member_that_can_embed_is_taken_by_name() -> None:
    pool = Pool([{"model": Encoder("a"), "name": "a"}, {"model": ScriptedModel("b", "B"), "name": "b"}], store=Store(None))
    pool.members = tuple(m if m.name == "b" else type(m)("a", Encoder("a")) for m in pool.members)
    assert space_of(TEXTS, pool, "a")[0].source == "a"
    with pytest.raises(PoolError, match="'b' cannot embed"):
        space_of(TEXTS, pool, "b")


def test_what_an_embedder_reads_is_a_call_with_its_tokens_also_from_the_store() -> None:
    encoder, deaf = ScriptedModel("e", embed=lambda text: [len(text), 3.0]), Encoder("deaf")
    deaf.embed_tokens = None  # type: ignore[method-assign, assignment]
    for aux, tokens, calls in (({"embedder": encoder}, 4, 1), ({"embedder": deaf}, 0, 1), ({"embedder": "hashed"}, 0, 0)):
        pool = Pool([ScriptedModel("a", "x")], store=Store(None), aux=aux)
        for _ in range(2):
            recorder = Recorder()
            bound = pool.bind(Query.of("What is 17 + 25?"), recorder)
            vectors, usage = asyncio.run(bound.helper("embedder").embed(0, ["one two", "three four", "one two"]))
            assert len(vectors) == 3 and (vectors[0] == vectors[2]).all(), "the same text is read once"
            assert usage == recorder.usage == Usage(tokens, 0, calls)
            assert [(c.member, c.tag.stage) for c in recorder.calls] == [("embedder", "embed")] * calls
        assert pool.aux.embedder.paid_tokens == tokens  # type: ignore[union-attr]
    with pytest.raises(PoolError, match="'a' cannot embed texts"):
        asyncio.run(Pool([ScriptedModel("a", "x")], store=Store(None)).embed("a", ["one"]))


def test_the_price_of_a_text_is_that_of_who_embeds() -> None:
    entry = {"model": ScriptedModel("a", embed=lambda text: [len(text), 3.0]), "name": "a", "cost": 3.0}
    pool = Pool([entry], store=Store(None))
    assert space_of(["one two", "three four five six", "one two"], pool, "a")[0].price == pytest.approx(3.0 * (2 + 4) / 2)
    assert space_of(TEXTS)[0].price == 0


def test_an_embedder_that_cannot_embed_is_refused_before_anything_runs() -> None:
    check_source(pool_of("x"), "auto")
    check_source(pool_with(Encoder()), "auto")
    with pytest.raises(PoolError, match=r"'aux.embedder' cannot embed"):
        check_source(pool_with(ScriptedModel("talker", "hello")), "auto")


def test_no_embedder_and_a_wrong_array_are_refused() -> None:
    with pytest.raises(PoolError, match=r"no embedder; .*ngrams"):
        space_of(TEXTS, pool_of("x"), "aux.embedder")

    class Broken(Encoder):
        async def embed(self, texts: list[str]) -> np.ndarray[Any, Any]:
            return np.full((len(texts), 2), np.nan)

    with pytest.raises(ConfigError, match="one finite vector per text"):
        space_of(TEXTS, pool_with(Broken()))
