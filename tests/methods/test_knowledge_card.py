"""What arXiv 2305.09955 promises of knowledge cards, on scripted members: who writes, what is kept, what is shown."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moco.core.errors import BackendError, ConfigError, PoolError, Transient
from moco.core.types import AnswerSpec, Message, Request
from moco.models.pool import Pool
from moco.models.store import Store
from moco.testing import ScriptedModel
from tests.methods.helpers import CHOICE, ask, fitted, pool_of, request, scripted, task_of

MARK = re.compile(r"K\d+")
FORMATTED = AnswerSpec(
    kind="multiple_choice", labels=CHOICE.labels, choices=CHOICE.choices, question="Which?", answer_format="Write a letter."
)


def card(number: int) -> Callable[[Request], str]:
    """Writes K<number>; answers with what it has read."""

    def reply(r: Request) -> str:
        text = r.messages[-1].content
        if "background knowledge" in text:
            return f"K{number}{''.join(map(str, r.draw))} is a fact."
        if "is true?" in text or "says true" in text:
            return "TRUE"
        return f"I read {' '.join(MARK.findall(text))}. Answer: B"

    return reply


def crowd(n: int) -> Pool:
    return pool_of(*(card(i) for i in range(n)))


@pytest.mark.parametrize(("exclude", "shown"), [(None, ["K0", "K1", "K2"]), (True, ["K0", "K2"])])
def test_the_main_member_reads_what_the_cards_wrote_in_their_order(exclude: bool | None, shown: list[str]) -> None:
    pool = crowd(3)
    answer = ask("knowledge_card", pool, request("Which?\nWrite a letter.", spec=FORMATTED), main="b", exclude_self=exclude)
    final = scripted(pool, "b").requests[-1].messages[-1].content
    assert MARK.findall(final) == shown and final.endswith("Which?\nWrite a letter.")
    assert answer.usage.calls == len(shown) + 1
    for name in pool.names:
        for asked in scripted(pool, name).requests:
            text = asked.messages[-1].content
            assert ("Write a letter." in text) == (text is final), "no card is told how to write an answer"
            assert "A. soup" in text or text is final, "cards see the options"
    assert [c.tag.sees for c in answer.calls][-1] == tuple(f"write.0.{'abc'[int(k[1])]}.0" for k in shown)


def test_the_main_member_is_the_best_on_dev() -> None:
    done = fitted("knowledge_card", pool_of("Answer: A", "Answer: B", "Answer: C"), task_of("A", dev="CCC"), no_answers=False)
    assert asyncio.run(done.as_model().generate(request())).source == "c"


def test_a_hidden_vote_is_taken_out_on_record() -> None:
    pool = pool_of("Tin is soft. Answer: D", "The answer is D.", "Answer: B")
    answer = ask("knowledge_card", pool, main="c", cards=["a", "b"])
    final = scripted(pool, "c").requests[-1].messages[-1].content
    assert "Tin is soft." in final and "D" not in final.partition("Which?")[0].replace("D.", "")
    assert (answer.reason["answers_removed"], answer.reason["passages"]) == (2, 1)


@pytest.mark.parametrize("mode", ["simple", "bottom_up", "top_down_auto"])
def test_without_a_passage_the_shared_first_answer_stands(mode: str) -> None:
    def silent(r: Request) -> str:
        return "Answer: B" if r == request() else ""

    pool = pool_of(silent, silent)
    answer = ask("knowledge_card", pool, mode=mode)
    assert (answer.key, answer.reason["passages"]) == ("B", 0)
    assert scripted(pool, "a").requests[-1] == request()


def test_one_member_alone_is_generated_knowledge_or_the_single_model() -> None:
    assert ask("knowledge_card", crowd(1)).usage.calls == 2
    alone = ask("knowledge_card", crowd(1), exclude_self=True)
    assert (alone.usage.calls, alone.text) == (1, ask("single", crowd(1)).text)


def test_long_passages_and_the_task_stay_apart() -> None:
    pool = pool_of("word " * 300, "Answer: A")
    ask("knowledge_card", pool, main="b", cards=["a"], prune_tokens=10)
    final = scripted(pool, "b").requests[-1].messages[-1].content
    assert "[...]" in final and len(final) < 200 and final.endswith("Which?")


# bottom-up


def test_bottom_up_keeps_what_is_relevant_and_true() -> None:
    def writer(text: str) -> Callable[[Request], str]:
        def reply(r: Request) -> str:
            asked = r.messages[-1].content
            if "says true" in asked:
                return "FALSE" if "lie" in asked else "TRUE"
            return text if "background knowledge" in asked else "Answer: A"

        return reply

    pool = pool_of(writer("Which is a word."), writer("Which lie is this."), writer("Nothing at all."), writer("x"))
    answer = ask("knowledge_card", pool, mode="bottom_up", main="d", per_card=1, relevant=2, used=1)
    assert list(answer.reason["factuality"][0]) == [["a", 1.0], ["b", 0.0]], "two are relevant, one is true"
    final = scripted(pool, "d").requests[-1].messages[-1].content
    assert "Which is a word." in final and "lie" not in final
    stages = [c.tag.stage for c in answer.calls]
    assert (stages.count("write"), stages.count("check"), stages.count("read")) == (3, 6, 1)


def test_bottom_up_never_shows_a_passage_twice() -> None:
    pool = crowd(3)
    answer = ask("knowledge_card", pool, mode="bottom_up", main="a", per_card=3, used=4)
    shown = MARK.findall(scripted(pool, "a").requests[-1].messages[-1].content)
    assert len(shown) == len(set(shown)) == 4 == answer.reason["passages"]
    assert shown == sorted(shown), "in the order in which they were written"


def test_a_judge_that_copies_the_passage_says_nothing() -> None:
    def parrot(r: Request) -> str:
        text = r.messages[-1].content
        return "TRUE" if "Passage:" in text or "background" in text else "Answer: A"

    answer = ask("knowledge_card", pool_of(parrot, parrot, parrot), mode="bottom_up", main="c", per_card=1)
    assert [s for _, s in answer.reason["factuality"][0]] == [0.5], "TRUE stands in the passage, so it is no verdict"


def test_relevance_by_the_studys_embedder() -> None:
    embedder = ScriptedModel("e", "", embed=lambda t: (1.0, 0.0) if "K1" in t or "Which" in t else (0.0, 1.0))
    entries = [{"model": ScriptedModel(n, card(i)), "name": n} for i, n in enumerate("abc")]
    pool = Pool(entries, store=Store(None), aux={"embedder": embedder})
    options: dict[str, Any] = {"relevance": "embed", "relevant": 1, "factuality": "none", "per_card": 1, "main": "c"}
    answer = ask("knowledge_card", pool, mode="bottom_up", **options)
    assert "I read K1." in answer.text
    with pytest.raises(PoolError, match="embedder"):
        ask("knowledge_card", crowd(2), mode="bottom_up", relevance="embed")


# top-down


def script(*lines: str) -> Callable[[Request], str]:
    said = iter(lines)
    return lambda r: next(said)


def test_top_down_asks_until_it_knows_enough_newest_first() -> None:
    pool = pool_of(script("Yes", "of b", "Yes", "of c", "No", "Answer: A"), "B fact.", "C fact.")
    answer = ask("knowledge_card", pool, mode="top_down_explicit", main="a", cards=["b", "c"])
    final = scripted(pool, "a").requests[-1].messages[-1].content
    assert final.index("C fact.") < final.index("B fact.") < final.index("Which?")
    assert [a.get("card") for a in answer.reason["asked"]] == ["b", "c", None]
    assert "B fact." in scripted(pool, "c").requests[0].messages[-1].content, "a card sees what is there"


@pytest.mark.parametrize(("paper", "passages"), [(False, 3), (True, 4)])
def test_top_down_ends_after_its_last_passage(paper: bool, passages: int) -> None:
    facts = iter(range(9))
    pool = pool_of(lambda r: "Yes" if "need more" in r.messages[-1].content else "b", lambda r: f"K{next(facts)} it is.")
    answer = ask("knowledge_card", pool, mode="top_down_explicit", main="a", cards=["b"], paper_bounds=paper)
    assert answer.reason["passages"] == passages


def test_i_know_enough_is_no_no_but_unreadable_and_fetches_nothing() -> None:
    answer = ask("knowledge_card", pool_of(script("I know enough", "Answer: A"), "fact"), mode="top_down_auto", main="a")
    assert (answer.reason["passages"], answer.key) == (0, "A")
    assert answer.reason["asked"] == [{"step": 0, "more": False, "unreadable": "I know enough"}]


def test_top_down_auto_takes_the_card_most_like_what_is_needed() -> None:
    pool = pool_of(script("Yes", "something that only c knows, c", "No", "Answer: A"), "B fact.", "C fact.")
    answer = ask("knowledge_card", pool, mode="top_down_auto", main="a", cards=["b", "c"])
    assert answer.reason["asked"][0] == {"step": 0, "more": True, "card": "c", "by": "likeness"}


def test_an_unknown_name_is_a_seeded_draw() -> None:
    def run() -> Any:
        pool = pool_of(script("Yes", "neither", "No", "Answer: A"), "B fact.", "C fact.")
        return ask("knowledge_card", pool, mode="top_down_explicit", main="a", cards=["b", "c"]).reason["asked"][0]

    assert run() == run() and run()["by"] == "chance"


def test_the_guard_asks_again_where_passages_changed_the_answer() -> None:
    def swayed(r: Request) -> str:
        text = r.messages[-1].content
        return "Answer: C" if "Two answers" in text else "Answer: B" if "tin" in text else "Answer: A"

    pool = pool_of(swayed, "Look at tin there.")
    answer = ask("knowledge_card", pool, main="a", cards=["b"], closed_book_guard=True)
    assert (answer.key, answer.reason["closed_book"], answer.reason["open_book"]) == ("C", "A", "B")
    firm = ask("knowledge_card", pool_of("Answer: A", "tin"), main="a", cards=["b"], closed_book_guard=True)
    assert [c.tag.stage for c in firm.calls] == ["write", "read", "answer"]


def test_bare_continuation_is_the_question_as_raw_text() -> None:
    pool = pool_of(lambda r: "Which? Tin is soft." if r.text else "Answer: A", "x")
    ask("knowledge_card", pool, main="b", cards=["a"], style="continue")
    (asked,) = scripted(pool, "a").requests
    assert asked.text is not None and asked.text.startswith("Which?") and asked.sampling.stop == ("\n\n",)


def test_joined_passages_are_one_line_and_stay_data() -> None:
    pool = pool_of("one\ntwo <|im\nend|>", "<|im_end|> three", "Answer: A")
    ask("knowledge_card", pool, main="c", cards=["a", "b"], quotes="joined", read="Knowledge: {passages}\nQuestion: {task}")
    assert scripted(pool, "c").requests[-1].messages == (
        Message("user", "Knowledge: one two <|im end|> < |im_end|> three\nQuestion: Which?".replace("<|im end|>", "< |im end|>")),
    )


def test_a_failed_card_fails_the_question_or_is_left_out() -> None:
    def broken(r: Request) -> str:
        raise Transient("out of order")

    with pytest.raises(BackendError, match="out of order"):
        ask("knowledge_card", pool_of("Answer: A", broken))
    answer = ask("knowledge_card", pool_of("Answer: A", broken, "tin"), cards=["b", "c"], on_failure="drop")
    assert (answer.reason["dropped"], answer.reason["passages"]) == (["b"], 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"used": 0}, "knowledge_card.used"),
        ({"read": "{task}"}, "knowledge_card.read"),
        ({"cards": ["zed"]}, "no member 'zed'"),
        ({"mode": "sideways"}, "knowledge_card.mode"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ask("knowledge_card", pool_of("Answer: A"), **options)


def vectors(shared: Path, word: str) -> list[Any]:
    found = json.loads((shared / "vectors" / "text_knowledge_card.json").read_text())["vectors"]
    chosen = [v for v in found if word in v["function"]]
    assert chosen
    return chosen


def test_vector_bottom_up(shared: Path) -> None:
    vector = vectors(shared, "knowledge_generator")[0]
    cards, k = vector["inputs"]["cards"], vector["inputs"]["k_per_card"]

    def writer(i: int) -> Callable[[Request], str]:
        return lambda r: f"card{i}-doc{r.draw[-1] if r.draw else 0}" if "background" in r.messages[-1].content else "Answer: A"

    pool = pool_of(*(writer(i) for i in range(cards)), "Answer: A")
    options: dict[str, Any] = {"relevant": vector["inputs"]["n_after_relevance"], "used": vector["inputs"]["n_final"]}
    options |= {"factuality": "none", "quotes": "joined", "read": "{passages}\n{task}", "per_card": k}
    ask("knowledge_card", pool, mode="bottom_up", main="c", cards=["a", "b"], **options)
    final = scripted(pool, "c").requests[-1].messages[-1].content
    assert final == f"{vector['outputs'][0]}\nWhich?"


def test_vector_top_down(shared: Path) -> None:
    for vector in vectors(shared, "top_down"):
        given, wanted = vector["inputs"], vector["outputs"]
        lines = ["Answer: A" if line == "ANS" else line for line in given["script"]]
        main, cards = ScriptedModel("main", script(*lines)), [ScriptedModel(n, f"K[{n}]") for n in given["cards"]]
        pool = Pool([main, *cards], store=Store(None))
        options: dict[str, Any] = {"quotes": "joined", "read": "{passages}\n{task}", "paper_bounds": True}
        mode = "top_down_auto" if "auto" in vector["function"] else "top_down_explicit"
        ask("knowledge_card", pool, mode=mode, main="main", cards=given["cards"], max_iter=given["max_iter"], **options)
        assert len(main.requests) == wanted["n_llm_calls"]
        assert len(main.requests[-1].messages[-1].content.split("\n")) == len(wanted["final_prompt"].split("\n"))


def test_a_passage_that_has_to_be_cut_is_not_replaced_by_the_answer_that_was_taken_out() -> None:
    pool = pool_of(f"{'Tin is soft. ' * 300}The answer is D.", "Answer: B")
    pool["b"].model.model.context = 120  # type: ignore[attr-defined]
    answer = ask("knowledge_card", pool, main="b", cards=["a"], prune="none")
    final = scripted(pool, "b").requests[-1].messages[-1].content
    assert answer.reason["trims"] and "Answer: D" not in final and final.endswith("Which?")


def test_without_factuality_nobody_judges_what_is_fetched() -> None:
    pool = pool_of(script("Yes", "b", "No", "Answer: A"), lambda r: f"K{r.draw} fact.", "TRUE")
    options: dict[str, Any] = {"mode": "top_down_explicit", "main": "a", "cards": ["b"], "per_card": 2}
    answer = ask("knowledge_card", pool, factuality="none", **options)
    assert [c.tag.stage for c in answer.calls] == ["ask", "ask", "write", "write", "ask", "read"]
    assert answer.reason["passages"] == 1


def test_a_card_that_is_asked_again_writes_something_else() -> None:
    pool = pool_of(
        lambda r: "Yes" if "need more" in r.messages[-1].content else "b", lambda r: f"K{r.draw[-1] if r.draw else 0} is."
    )
    answer = ask("knowledge_card", pool, mode="top_down_explicit", main="a", cards=["b"], max_iter=3, no_answers=False)
    assert [r.draw for r in scripted(pool, "b").requests] == [(), (1,), (2,)] and answer.reason["passages"] == 3


def test_of_two_names_that_begin_alike_the_longer_one_is_meant() -> None:
    pool = pool_of(script("Yes", "alpha-2", "No", "Answer: A"), "one", "two", names=["main", "alpha", "alpha-2"])
    answer = ask("knowledge_card", pool, mode="top_down_explicit", main="main", cards=["alpha", "alpha-2"])
    assert answer.reason["asked"][0]["card"] == "alpha-2"


def test_a_failed_judge_of_passages_is_on_record() -> None:
    def broken(r: Request) -> str:
        raise Transient("out of order")

    pool = pool_of(card(0), "Answer: A", broken)
    answer = ask("knowledge_card", pool, mode="bottom_up", main="b", cards=["a"], per_card=1, on_failure="drop")
    assert answer.reason["dropped"] == ["c"]


def test_the_guard_does_not_ask_about_equal_free_texts() -> None:
    free = request(spec=AnswerSpec(kind="generation", question="Why?"))
    answer = ask("knowledge_card", pool_of("Because.", "tin"), free, main="a", cards=["b"], closed_book_guard=True)
    assert [c.tag.stage for c in answer.calls] == ["write", "read", "answer"]
