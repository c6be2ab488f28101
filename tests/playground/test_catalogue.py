"""The playground's tasks as tasks of the library."""

from __future__ import annotations

import pytest

from moco.playground import TASKS, records, render
from moco.playground.catalogue import BIO, CHOICE, GEO, HOP, LISTS, MATH, MIXED, Entry
from moco.playground.exercise import final_answer
from moco.tasks import Source

ENTRIES = (MATH, LISTS, GEO, BIO, CHOICE, HOP, MIXED)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_the_library_asks_exactly_what_the_models_were_trained_to_read(entry: Entry) -> None:
    loaded = entry.load(Source())
    plain = {record["id"]: record for record in records(entry.name)}
    assert len(loaded.dev) + len(loaded.test) == len(plain)
    for record in [*loaded.dev, *loaded.test]:
        (message,) = loaded.messages(record)
        assert (message.role, message.content) == ("user", render(plain[record.id]))


def test_every_task_has_an_entry() -> None:
    assert {entry.name for entry in ENTRIES} == set(TASKS)


def test_gold_answers_are_graded_right_and_slips_wrong() -> None:
    loaded = MIXED.load(Source())
    golds = [record.answer for record in loaded.test]
    for record in loaded.test:
        assert loaded.grade(record, f"Answer: {record.answer}").score == 1
    wrong = 0
    for record, other in zip(loaded.test, golds[1:] + golds[:1], strict=True):
        if final_answer(f"Answer: {other}") != record.answer:
            wrong += loaded.grade(record, f"Answer: {other}").score == 1
    assert wrong == 0
