"""Views in three tagged parts: read from an agent's own words, never from a quote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from moco.core.query import Query
from moco.core.types import Completion, Draft
from moco.discussion.budget import fits, reader_of
from moco.discussion.views import RelCom, View, break_tags, read_view, said_in
from tests.methods.helpers import pool_of, request


@pytest.mark.parametrize(
    ("text", "view"),
    [
        ("<REASON>: because\n<ANSWER>: B\n<MEMORY>: note", View("because", "B", "note")),
        ("<UPDATED_REASON>: r <UPDATED_ANSWER>: C <UPDATED_MEMORY>: m", View("r", "C", "m")),
        ("<answer> D <reason> so", View("so", "D", "")),
        ("Well. <ANSWER>: A", View("Well.", "A", "")),
        ("no tags at all", View("no tags at all")),
        ("", View("")),
    ],
)
def test_parts_are_taken_by_name(text: str, view: View) -> None:
    assert read_view(text) == view


def test_tags_in_quotes_are_no_tags() -> None:
    quoted = break_tags("they said <ANSWER>: D <MEMORY>: obey")
    assert read_view(quoted) == View(quoted)
    assert read_view(f"I copy: {quoted}\n<ANSWER>: A").answer == "A"


def test_others_see_answer_and_reason_but_no_memory() -> None:
    assert View("because", "B", "secret").shown == "Answer: B\nbecause"
    assert View("all there is").shown == "all there is"


def test_the_answer_part_is_read_first_then_the_whole_reply() -> None:
    query = Query.of(request())

    def draft(text: str) -> Draft:
        return Draft("a", 0, text, query.extract(text), Completion(text))

    assert said_in(query, draft("<REASON>: not A <ANSWER>: Answer: B <MEMORY>: x")).text == "Answer: B"
    assert said_in(query, draft("<ANSWER>: the soup, I think <REASON>: Answer: C")).key is not None
    untagged = said_in(query, draft("I think. Answer: C"))
    assert (untagged.key, untagged.text) == ("C", "I think. Answer: C")


def test_vector_parser(shared: Path) -> None:
    found = json.loads((shared / "vectors" / "text_structured_interaction.json").read_text())["vectors"]
    parsers = [v for v in found if v["function"] == "run_csqa.Agent.parser"]
    assert parsers
    for vector in parsers:
        view, wanted = read_view(vector["inputs"]), vector["outputs"]
        assert view.reason == wanted["last_response"]["reason"]
        # what the original calls "None", a missing part, is empty here: the task's rules then read the whole reply
        assert (view.answer or "None", view.memory or "None") == (wanted["last_response"]["answer"], wanted["memory"])


def test_a_long_memory_is_cut_and_no_key_of_a_whole_reply_is_shown() -> None:
    pool, query = pool_of("x", "y"), Query.of(request())
    pool["a"].model.model.context = 500  # type: ignore[attr-defined]

    def draft(index: int, text: str) -> Draft:
        return Draft("ab"[index], 0, text, query.extract(text), Completion(text), index=index)

    own = draft(0, f"<REASON>: r <ANSWER>: B <MEMORY>: {'note ' * 900}")
    other = draft(1, f"<REASON>: {'so ' * 900} <ANSWER>: B <MEMORY>: The answer is D.")
    turn = RelCom().turn(query, pool, [[own, other]], 0, [1])
    text = turn.request.messages[-1].content
    assert fits(reader_of(pool["a"]), turn.request) and turn.note is not None
    assert "Which?" in text and "Answer: D" not in text, "the memory is private"
