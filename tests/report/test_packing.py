"""Every answer and call is found again in the packed data, within the budget, with nothing a browser would obey."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from moco.report.html.evidence import gather
from moco.report.html.packing import EMERGENT, FAILED, TRUNCATED, UNPARSED, pack
from moco.report.html.texts import CLIP, address, safe, safe_deep, spaced
from moco.study import RunData
from moco.study.cell import read_lines


def test_each_answer_and_each_call_can_be_read_back(run: RunData) -> None:
    evidence = gather(run)
    packed = pack(run, evidence)
    text = lambda i: None if i < 0 else packed["strings"][i]  # noqa: E731
    seen = 0
    for cell, rows in zip(evidence.cells, packed["cells"], strict=True):
        assert len(rows) == len(cell.outcomes)
        calls = {t["id"]: t["calls"] for t in read_lines(run.cell(cell.id).transcripts)}
        for row in rows:
            item = packed["items"][cell.task][row[0]][0]
            outcome = cell.outcomes[item]
            assert row[1] == outcome["score"] and text(row[3]) == safe(outcome["text"]) and text(row[4]) == outcome["extracted"]
            assert json.loads(text(row[10]) or "") == safe_deep(outcome["reason"])
            assert bool(row[2] & FAILED) == bool(outcome["failed"])
            if not outcome["failed"]:
                assert bool(row[2] & UNPARSED) == (not outcome["parsed"])
                assert bool(row[2] & TRUNCATED) == (outcome["finish"] == "length")
            assert bool(row[2] & EMERGENT) == evidence.emergent(cell, item)
            for number, call in zip(row[12], calls[item], strict=True):
                got = packed["calls"][number]
                assert [text(got[k]) for k in (0, 1, 6)] == [call["id"], call["member"], safe(call["text"])]
                assert [text(i) for i in got[11]] == call["tag"]["sees"] and len(got[13]) == len(call["calls"])
                seen += 1
    assert seen > 100


def test_questions_and_golds_come_from_the_run_directory(run: RunData) -> None:
    packed = pack(run, gather(run))
    name, question, gold = packed["items"]["bench/geo"][9]
    assert (name, packed["strings"][question], packed["strings"][gold]) == ("q/009", "What is item 9 of bench/geo?", "g")


def test_a_run_that_kept_no_questions_shows_the_members_prompt(run: RunData, monkeypatch: Any) -> None:
    bare = RunData(run.path)
    monkeypatch.setattr(RunData, "items", {})
    packed = pack(bare, gather(bare))
    _, question, gold = packed["items"]["bench/geo"][9]
    assert packed["strings"][question] == "What is it?" and gold == -1


def test_a_small_budget_keeps_the_same_spaced_items_in_every_cell(run: RunData) -> None:
    evidence = gather(run)
    small = pack(run, evidence, budget=60_000)
    kept = {task: [i[0] for i in items] for task, items in small["items"].items()}
    assert 0 < len(kept["bench/geo"]) < 16
    for cell, rows in zip(evidence.cells, small["cells"], strict=True):
        assert [small["items"][cell.task][r[0]][0] for r in rows] == kept[cell.task]
    size = len(
        json.dumps({k: small[k] for k in ("strings", "calls", "cells")}, ensure_ascii=False, separators=(",", ":")).encode()
    )
    assert size <= 60_000 * 1.1


def test_no_budget_keeps_no_texts(run: RunData) -> None:
    none = pack(run, gather(run), budget=10)
    assert none["strings"] == [] and all(rows == [] for rows in none["cells"])


@given(st.lists(st.integers(), max_size=300), st.integers(1, 50))
def test_spaced_positions_are_even_distinct_and_within(items: list[int], limit: int) -> None:
    places = spaced(items, limit)
    assert len(places) == len(set(places)) == min(limit, len(items)) and places == sorted(places)
    assert all(0 <= p < len(items) for p in places)
    gaps = [b - a for a, b in pairwise(places)]
    assert not gaps or max(gaps) - min(gaps) <= 1


@given(st.text())
def test_safe_texts_are_short_encodable_and_obey_no_terminal(text: str) -> None:
    made = safe(text)
    made.encode()
    assert not set(made) & {chr(c) for c in (*range(9), *range(11, 32), 127, 0x202E, 0x2066, 0x61C)}


def test_long_texts_lose_their_middle_and_say_so() -> None:
    made = safe("a" * 10_000 + "END")
    assert len(made) < CLIP + 100 and made.endswith("END") and "4003 characters left out" in made


def test_an_address_survives_slashes_and_spaces() -> None:
    assert address("cell-1", "a/b c") == "#/cell-1/a%2Fb%20c"
