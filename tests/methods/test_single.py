"""Single: the baseline shares its answer with everybody."""

from __future__ import annotations

from tests.methods.helpers import ask, fitted, pool_of, request, scripted, task_of


def test_it_is_the_best_on_dev_when_fitted_and_the_first_otherwise() -> None:
    pool = pool_of("Answer: A", "Answer: B")
    assert ask("single", pool).text == "Answer: A"
    done = fitted("single", pool, task_of("A", dev="BBA"))
    assert done.as_model()("anything") == "Answer: B"
    assert done.method.state["ranking_"].names == ("b", "a")


def test_equal_dev_scores_keep_pool_order() -> None:
    done = fitted("single", pool_of("Answer: A", "Answer: B"), task_of("A", dev="AB"))
    assert done.method.state["ranking_"].names == ("a", "b")


def test_a_named_member_needs_no_dev() -> None:
    pool = pool_of("Answer: A", "Answer: B")
    assert fitted("single", pool, task_of("A", dev="AAAA"), member="b").as_model()("x") == "Answer: B"
    assert not scripted(pool, "a").requests


def test_its_answer_is_what_a_vote_of_one_pays_nothing_for() -> None:
    pool = pool_of("Answer: A", "Answer: B")
    ask("single", pool, member="a")
    ask("majority_vote", pool)
    assert len(scripted(pool, "a").requests) == 1


def test_poisoned_test_labels_change_nothing() -> None:
    states = [
        fitted("single", pool_of("Answer: A", "Answer: B"), task_of(golds, dev="BBA")).method.state for golds in ("AAAA", "BBBB")
    ]
    assert states[0] == states[1]


def test_the_request_is_the_untouched_task_prompt() -> None:
    pool = pool_of("Answer: A")
    ask("single", pool, request("exactly this"))
    assert scripted(pool, "a").requests[0].messages[0].content == "exactly this"
