"""Choosing among free texts: by likeness, by a member's or a judge's word, by a reward; who is asked what, and how often."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from moco.core.errors import PoolError, Transient
from moco.core.query import Query
from moco.core.types import Answer, Completion, Draft, Request, Usage, messages_of
from moco.discussion.ranking import Ranking
from moco.discussion.selectors import distinct, select
from moco.models.pool import Pool
from moco.models.store import Store
from moco.models.transcript import Recorder
from moco.testing import ScriptedModel
from tests.discussion.helpers import Rewarding

SAID = ["the soup is hot", "tea", "the soup is very hot", "the soup was hot"]
RANKING = Ranking(("m2", "m1", "m0", "m3"), (0.9, 0.8, 0.7, 0.6), (0.0,) * 4, 10)


def drafts(texts: Sequence[str] = SAID) -> list[Draft]:
    return [Draft(f"m{i}", 0, t, None, Completion(t), call=f"answer.0.m{i}.0", index=i) for i, t in enumerate(texts)]


def pool(reply: Any = "hm", aux: dict[str, Any] | None = None) -> Pool:
    return Pool([ScriptedModel(f"m{i}", reply) for i in range(4)], store=Store(None), aux=aux)


def chosen(rule: Any, members: Pool, texts: Sequence[str] = SAID, **options: Any) -> Answer:
    query = Query.of(Request(messages=messages_of("How is the soup?")))
    return asyncio.run(select(rule, query, members, drafts(texts), **options))


def names(text: str) -> Any:
    """A chooser that names the reply with this text."""

    def reply(r: Request) -> str:
        lines = r.messages[-1].content.splitlines()
        (number,) = [line.split(": ")[0].removeprefix("Reply ") for line in lines if line.endswith(f": {text}")]
        return f"They mostly agree.\n{r.messages[-1].content.rpartition('Write only: ')[2].replace('<number>', number)}"

    return reply


def asked(members: Pool) -> dict[str, int]:
    return {m.name: len(m.model.model.requests) for m in members}  # type: ignore[attr-defined]


def test_the_medoid_asks_nobody_and_ties_go_to_the_best_ranked() -> None:
    members = pool()
    assert chosen("medoid", members).text == SAID[0]
    assert chosen("medoid", members, ["red", "blue", "green", "white"], ranking=RANKING).source == "m2"
    assert sum(asked(members).values()) == 0


def test_a_member_names_the_most_consistent_reply_in_one_call() -> None:
    members = pool(names(SAID[3]))
    answer = chosen("usc", members)
    assert (answer.text, answer.source, answer.reason["by"]) == (SAID[3], "m3", "m0")
    assert asked(members) == {"m0": 1, "m1": 0, "m2": 0, "m3": 0}
    (request,) = members["m0"].model.model.requests  # type: ignore[attr-defined]
    prompt = request.messages[-1].content
    assert "How is the soup?" in prompt and all(prompt.count(f": {t}\n") == 1 for t in SAID)
    assert "m0" not in prompt and "Judge agreement" in prompt
    assert request.sampling.temperature == 0 and request.sampling.max_tokens == 32


def test_the_best_on_dev_is_asked_unless_another_is_named() -> None:
    assert chosen("usc", pool(names(SAID[1])), ranking=RANKING).reason["by"] == "m2"
    assert chosen("usc", pool(names(SAID[1])), ranking=RANKING, who="m1").reason["by"] == "m1"


def test_equal_texts_are_shown_once_and_unanimity_asks_nobody() -> None:
    members = pool(names("tea"))
    assert chosen("usc", members, ["tea", "soup", " tea ", ""]).reason["distinct"] == 2
    assert "below are 2 replies" in members["m0"].model.model.requests[0].messages[-1].content.lower()  # type: ignore[attr-defined]
    for texts in (["tea"] * 4, ["tea", "", "", "tea"], [""] * 4):
        silent = pool()
        assert chosen("usc", silent, texts, ranking=RANKING).text in ("tea", "")
        assert sum(asked(silent).values()) == 0
    assert [distinct(drafts(t)) for t in (["a", "b", "a\n"], ["", " "])] == [[0, 1], []]


@pytest.mark.parametrize("verdict", ["no idea", "Choice: 9", "", "1 and 2", "Verdict: 1"])
@pytest.mark.parametrize("rule", ["usc", "judge"])
def test_what_cannot_be_read_goes_to_the_medoid(verdict: str, rule: str) -> None:
    answer = chosen(rule, pool(verdict))
    assert (answer.text, answer.reason["rule"], answer.reason["unreadable"]) == (SAID[0], "medoid", rule)


def test_a_judge_is_the_studys_unless_a_member_is_named() -> None:
    members = pool("hm", aux={"judge": ScriptedModel("wise", names("tea"))})
    answer = chosen("judge", members)
    assert (answer.text, answer.reason["by"]) == ("tea", "judge")
    assert sum(asked(members).values()) == 0
    assert chosen("judge", pool(names(SAID[2]))).source == "m2"
    assert chosen("judge", pool(names(SAID[2]), aux={"judge": ScriptedModel("wise", "1")}), judge="m1").reason["by"] == "m1"


def test_the_highest_reward_wins_and_ties_go_to_the_best_ranked() -> None:
    members = pool(aux={"reward": Rewarding(lambda t: float(len(t)))})
    answer = chosen("reward", members)
    assert answer.text == "the soup is very hot"
    assert answer.reason["rewards"] == {"m0": 15.0, "m1": 3.0, "m2": 20.0, "m3": 16.0}
    equal = pool(aux={"reward": Rewarding(lambda t: 1.0)})
    assert chosen("reward", equal, ranking=RANKING).source == "m2"


def test_rewards_are_calls_of_the_transcript() -> None:
    """One for each text, with who said it and the words it read; equal texts are one."""
    recorder = Recorder()
    query = Query.of(Request(messages=messages_of("How is the soup?")))
    members = pool(aux={"reward": ScriptedModel("rm", reward=lambda r, t: float(len(t)))}).bind(query, recorder)
    answer = asyncio.run(select("reward", query, members, drafts([*SAID[:3], SAID[0]])))
    assert [(c.member, c.tag.stage, c.tag.sees) for c in recorder.calls] == [
        ("reward", "reward", (f"answer.0.m{i}.0",)) for i in range(3)
    ]
    assert recorder.calls[1].text == "tea: 3.0000" and recorder.calls[1].prompt == "How is the soup?"
    assert recorder.usage == Usage(3 * 4 + (4 + 1 + 5), 0, 3) and answer.text == SAID[2]


def test_without_a_reward_model_the_remedy_is_named() -> None:
    with pytest.raises(PoolError, match=r"aux: \{reward: MODEL\}"):
        chosen("reward", pool())


def test_a_chooser_that_fails_or_is_late_fails_the_question_or_has_no_say() -> None:
    def broken(r: Request) -> str:
        raise Transient("out of order")

    with pytest.raises(Transient):
        chosen("usc", pool(broken))
    answer = chosen("usc", pool(broken), on_failure="drop")
    assert (answer.text, answer.reason["rule"]) == (SAID[0], "medoid")
    assert "out of order" in answer.reason["failed"]


def test_relabelling_the_pool_asks_the_same_question() -> None:
    prompts = []
    for texts in (SAID, SAID[::-1]):
        members = pool("hm")
        chosen("usc", members, texts)
        prompts.append(members["m0"].model.model.requests[0].messages)  # type: ignore[attr-defined]
    assert prompts[0] == prompts[1]


def test_another_judge_is_another_team() -> None:
    """The helpers enter what a pool is known by: an answer that a judge chose is not another judge's."""
    one, two, none = (
        pool(aux=aux).fingerprint for aux in ({"judge": ScriptedModel("x", "")}, {"judge": ScriptedModel("y", "")}, {})
    )
    assert one != two != none != one
    assert none == pool().fingerprint


def test_a_reward_model_that_fails_fails_the_question_or_has_no_say() -> None:
    def down(text: str) -> float:
        raise Transient("no reward")

    members = pool(aux={"reward": Rewarding(down)})
    with pytest.raises(Transient, match="no reward"):
        chosen("reward", members)
    answer = chosen("reward", members, on_failure="drop")
    assert (answer.text, answer.reason["rule"]) == (chosen("medoid", members).text, "medoid")
    assert "no reward" in answer.reason["failed"]
