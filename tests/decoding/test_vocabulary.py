"""One vocabulary for several tokenizers: strings decide, padding and strangers are never drawn."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from moco.core.errors import PoolError
from moco.decoding.vocabulary import JointCodec, align
from moco.models.streams import Vocabulary
from moco.testing import TableModel

WORDS = [f"w{i}" for i in range(60)]


def vocabulary(strings: list[str], width: int | None = None, end: str = "w0") -> Vocabulary:
    ends = (strings.index(end),) if end in strings else ()
    return Vocabulary({s: i for i, s in enumerate(strings)}, ends, width or len(strings))


def logits(size: int, rows: int = 2) -> np.ndarray:
    return np.random.default_rng(size).normal(size=(rows, size)).astype(np.float32)


def test_padding_columns_are_outside() -> None:
    joint = align([vocabulary(WORDS), vocabulary(WORDS, width=64)], "ab")
    x = logits(64)
    assert joint.size == 60 and joint.whole and joint.same and joint.eos == (0,)
    assert (joint.view(1, x) == x[:, :60]).all()


def test_permuted_ids_are_gathered() -> None:
    order = list(np.random.default_rng(0).permutation(60))
    joint = align([vocabulary(WORDS), vocabulary([WORDS[i] for i in order])], "ab")
    x = logits(60)
    assert (joint.view(1, x[:, order]) == joint.view(0, x)).all()
    assert joint.whole and not joint.same and joint.eos == (0,)


def test_what_one_lacks_is_dropped_or_kept() -> None:
    a, b = vocabulary([*WORDS, "only a"]), vocabulary([*WORDS[:30], "only b", *WORDS[30:]])
    dropped = align([a, b], "ab")
    assert dropped.size == 61 and not dropped.usable[60] and dropped.usable[:60].all() and dropped.whole
    assert (dropped.view(0, logits(61))[:, 60] == -np.inf).all()
    kept = align([a, b], "ab", union=True)
    assert kept.size == 62 and kept.usable.all() and not kept.whole
    assert kept.vocabulary.ids["only b"] == 61
    assert np.isinf(kept.view(0, logits(61))).sum(axis=1).tolist() == [1, 1]
    assert (kept.view(1, logits(61))[:, 61] == logits(61)[:, 30]).all()


def test_an_id_without_a_logit_is_missing() -> None:
    joint = align([vocabulary(WORDS), vocabulary(WORDS, width=59)], "ab")
    assert not joint.usable[59] and joint.view(1, logits(59)).shape == (2, 60)
    with pytest.raises(PoolError, match="58 logits"):
        joint.view(1, logits(58))


def test_other_tokenizers_are_refused_by_name() -> None:
    with pytest.raises(PoolError, match=r"'left' and 'right' have different tokenizers: 56 common tokens of 60 and 60.*text"):
        align([vocabulary(WORDS), vocabulary([*WORDS[:56], *"wxyz"])], ["left", "right"])
    align([vocabulary(WORDS), vocabulary([*WORDS[:57], *"xyz"])], ["left", "right"])


def test_ends_of_any_member_end_and_a_silent_lack_of_one_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    assert align([vocabulary(WORDS), vocabulary(WORDS)], "ab").eos == (0,) and not caplog.records
    assert align([vocabulary(WORDS), vocabulary(WORDS, end="w7")], "ab").eos == (0, 7)
    assert "a, b end their answers with different tokens" in caplog.text
    strangers = [vocabulary([*WORDS, "<a>"], end="<a>"), vocabulary([*WORDS, "<b>"], end="<b>")]
    assert align(strangers, "ab").eos == () and "no common end token" in caplog.text
    assert align(strangers, "ab", union=True).eos == (60, 61)


def test_text_of_foreign_ids_comes_from_their_owner_and_is_fed_as_text() -> None:
    letters = list("abcdefghijklmnopqrstuvw")
    one = TableModel("one", [*letters, "<eos>"], lambda ids: [1.0] * 24)
    two = TableModel("two", [*letters, "<eos>", "abba"], lambda ids: [1.0] * 25)
    joint = align([one.vocabulary, two.vocabulary], ["one", "two"], union=True)
    codec, abba = JointCodec(joint, [one, two]), joint.vocabulary.ids["abba"]
    assert codec.decode([0, abba, 1]) == "aabbab" == codec.piece([3], [0, abba, 1])
    assert list(codec.feed(0, abba)) == [0, 1, 1, 0] and list(codec.feed(1, abba)) == [24] and list(codec.feed(1, 5)) == [5]
