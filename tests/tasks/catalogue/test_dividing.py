"""The split protocol: reproducible by hand, groups and equal questions whole, official splits untouched."""

from __future__ import annotations

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from moco.tasks.catalogue.dividing import DEV_PERCENT, asked, divide, lowest, overlap
from moco.tasks.catalogue.entry import Side
from moco.tasks.catalogue.making import Made


def made(key: str, question: str, group: str | None = None, side: Side = "", split: str = "test") -> Made:
    fields = {"question": question} if group is None else {"question": question, "group": group}
    return Made(fields, key, split, side=side)


rows = st.lists(
    st.tuples(st.integers(0, 30), st.none() | st.sampled_from(["ab", "cd", "ef"]), st.sampled_from(("", "dev", "test"))),
    max_size=40,
)


def build(drawn: list[tuple[int, str | None, Side]]) -> list[Made]:
    return [made(str(i), f"Question {number}?", group, side) for i, (number, group, side) in enumerate(drawn)]


def test_dev_is_where_the_hash_of_the_id_says() -> None:
    dev, test, notes = divide([made(str(i), f"q{i}") for i in range(500)], "toy")
    for one in dev + test:
        by_hand = int(hashlib.sha256(f"toy/test/{one.key}".encode()).hexdigest(), 16) % 100 < 20
        assert (one in dev) == by_hand
    assert len(dev) + len(test) == 500 and 70 < len(dev) < 130 and DEV_PERCENT == 20
    assert "divided 500 records" in notes[0]


@given(rows)
@settings(max_examples=60, deadline=None)
def test_no_question_and_no_group_is_on_both_sides(drawn: list[tuple[int, str | None, Side]]) -> None:
    dev, test, _ = divide(build(drawn), "toy")
    assert not {asked(one) for one in dev} & {asked(one) for one in test}
    groups = [{one.fields.get("group") for one in part} - {None} for part in (dev, test)]
    assert not groups[0] & groups[1]


@given(rows)
@settings(max_examples=60, deadline=None)
def test_official_test_records_all_stay_in_test(drawn: list[tuple[int, str | None, Side]]) -> None:
    given_rows = build(drawn)
    official = [one.key for one in given_rows if one.side == "test"]
    dev, test, _ = divide(given_rows, "toy")
    kept = [one.key for one in test]
    assert set(official) <= set(kept) and kept == sorted(kept, key=int)
    assert len(dev) + len(test) <= len(given_rows)


@given(st.permutations(range(25)))
@settings(max_examples=25, deadline=None)
def test_the_order_of_the_file_changes_no_side(order: list[int]) -> None:
    sides = []
    for sequence in (range(25), order):
        dev, _, _ = divide([made(str(i), f"q{i % 9}", f"g{i % 4}" if i % 3 else None) for i in sequence], "toy")
        sides.append({one.key for one in dev})
    assert sides[0] == sides[1]


def test_a_question_in_official_dev_and_test_leaves_dev_and_is_named() -> None:
    both = [
        made("1", "What  is it?", side="dev", split="train"),
        made("2", "what is IT?", side="test"),
        made("3", "Other?", side="dev"),
    ]
    dev, test, notes = divide(both, "toy")
    assert [one.key for one in dev] == ["3"] and [one.key for one in test] == ["2"]
    assert "dropped 1 from dev" in notes[0] and "train/1" in notes[0]
    assert overlap(both) == ["train/1"]


def test_options_and_context_are_part_of_a_question() -> None:
    one, other = made("1", "Pick."), made("2", "Pick.")
    one.fields["choices"], other.fields["choices"] = {"A": "x", "B": "y"}, {"A": "y", "B": "x"}
    assert asked(one) == asked(other)
    other.fields["context"] = "A passage."
    assert asked(one) != asked(other)


@given(st.integers(1, 40), st.permutations(range(40)))
@settings(max_examples=25, deadline=None)
def test_what_is_kept_of_a_large_part_does_not_depend_on_order(count: int, order: list[int]) -> None:
    kept = {one.key for one in lowest([made(str(i), f"q{i}") for i in order], count, "toy")}
    assert kept == {one.key for one in lowest([made(str(i), f"q{i}") for i in range(40)], count, "toy")} and len(kept) == count
