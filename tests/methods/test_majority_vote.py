"""Majority vote, as its specification promises; the voting rules themselves are in tests/discussion."""

from __future__ import annotations

import pytest

from moco.core.errors import ConfigError
from tests.methods.helpers import ask, fitted, pool_of, request, scripted, task_of


def test_the_answer_given_most_often_wins_with_a_real_text() -> None:
    answer = ask("majority_vote", pool_of("Maybe. Answer: A", "Answer: B", "Surely B. Answer: B"))
    assert (answer.text, answer.key, answer.source) == ("Answer: B", "B", "b")
    assert answer.confidence == pytest.approx(2 / 3)
    assert answer.reason["votes"] == [["B", ["b", "c"]], ["A", ["a"]]]


def test_unreadable_answers_abstain() -> None:
    answer = ask("majority_vote", pool_of("I cannot say", "hm", "Answer: C"))
    assert answer.key == "C"
    assert answer.confidence == pytest.approx(1 / 3)
    assert answer.reason["abstained"] == ["a", "b"]


def test_a_tie_follows_the_dev_ranking() -> None:
    pool = pool_of("Answer: A", "Answer: B")
    assert ask("majority_vote", pool).key == "A"
    done = fitted("majority_vote", pool, task_of("A", dev="BBB"))
    assert done.as_model()(request()) == "Answer: B"


def test_one_member_is_the_single_model() -> None:
    assert ask("majority_vote", pool_of("Answer: D")).text == ask("single", pool_of("Answer: D")).text


def test_every_member_is_asked_once_per_draw_with_the_shared_first_answer() -> None:
    pool = pool_of("Answer: A", "Answer: B")
    answer = ask("majority_vote", pool, draws=3)
    assert [r.draw for r in scripted(pool, "a").requests] == [(), (1,), (2,)]
    assert answer.usage.calls == 6


def test_dev_weights_can_overrule_the_majority() -> None:
    pool = pool_of("Answer: A", "Answer: B", "Answer: B")
    done = fitted("majority_vote", pool, task_of("A", dev="AAAAAAAAAB"), weights="logodds")
    assert done.as_model()(request()) == "Answer: A"


@pytest.mark.parametrize("options", [{"tie": "coin"}, {"draws": 0}, {"require": 2.0}, {"weights": "votes"}])
def test_wrong_options_are_named(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=rf"majority_vote.{next(iter(options))}"):
        ask("majority_vote", pool_of("Answer: A"), **options)
