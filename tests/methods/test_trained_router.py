"""Trained router, as its specification promises."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moco.collab import Fitted, load_method, request_for
from moco.core.errors import ConfigError, Fatal, MocoError, PoolError
from moco.core.query import Query
from moco.core.types import Completion, Request, Sampling, Usage
from moco.models.cached import CachedModel
from moco.models.pool import Pool
from moco.models.protocol import Capabilities
from moco.models.store import Store
from moco.routers import HEADS
from moco.testing import ScriptedModel
from tests.methods.helpers import fitted, scripted
from tests.methods.routed import knows, routes, specialists, two_kinds

SMALL: dict[str, dict[str, Any]] = {"knn": {"neighbours": 3}, "mf": {"learning_rate": 0.01}}
"""What makes a head quick and able on a dozen questions."""
FAST = ["knn", "mf", "sw", "elo"]
ALL = list(HEADS)


def router(head: str, pool: Any = None, task: Any = None, **options: Any) -> Fitted:
    if head in ("logistic", "mlp"):
        pytest.importorskip("sklearn")
    return fitted("trained_router", pool or specialists(), task or two_kinds(), head=head, **{**SMALL.get(head, {}), **options})


@pytest.mark.parametrize("head", [h for h in ALL if h != "elo"])
def test_every_head_sends_a_question_to_who_knows_it(head: str) -> None:
    task = two_kinds()
    done = router(head, task=task)
    assert [a.source for a in routes(done, task)] == ["r", "s", "r", "s"]
    held = done.log[-1]["trained_router"]["held out"]
    assert held["oracle"] == 1.0 and held["score"] > held["best single"] == 0.5


@pytest.mark.parametrize("head", ALL)
def test_on_a_warm_store_routing_generates_nothing(head: str) -> None:
    store, task = Store(None), two_kinds()
    pool = specialists(store=store)
    for name in "rs":
        routes(fitted("single", pool, task, member=name), task)
        routes(fitted("single", pool, task, member=name), task, "dev")
    asked = [len(scripted(pool, n).requests) for n in "rs"]
    answers = routes(router(head, pool, task), task)
    assert [len(scripted(pool, n).requests) for n in "rs"] == asked
    for answer, number in zip(answers, range(4), strict=True):
        alone = routes(fitted("single", pool, task, member=answer.source), task)[number]
        assert (answer.text, answer.finish) == (alone.text, alone.finish), "the chosen member's own answer"


@pytest.mark.parametrize("head", ALL)
def test_test_labels_change_no_decision(head: str) -> None:
    one, two = (router(head, task=two_kinds(gold=gold)) for gold in "AB")
    assert one.as_model().fingerprint == two.as_model().fingerprint
    assert [a.reason for a in routes(one, two_kinds())] == [a.reason for a in routes(two, two_kinds())]


@pytest.mark.parametrize("head", ALL)
def test_with_a_member_that_is_right_everywhere_everything_is_right(head: str) -> None:
    task = two_kinds()
    pool = specialists((1, 1, 1), names="rks")
    assert {a.text for a in routes(router(head, pool, task), task)} == {"Answer: A"}
    only = specialists((1, 1), names="ks")
    assert {a.source for a in routes(router(head, only, two_kinds(answers=lambda i: "AC"[i % 2])), task)} == {"k"}


@pytest.mark.parametrize("head", ALL)
def test_cost_decides_when_it_weighs_enough(head: str) -> None:
    task = two_kinds()
    pool = lambda: specialists((5, 1), names="ks")  # noqa: E731
    assert {a.source for a in routes(router(head, pool(), task, cost_weight=100.0), task)} == {"s"}
    if head not in ("elo", "sw", "mf"):  # battles tell who wins, not that the loser would do on half of the questions
        found = routes(router(head, pool(), task, cost_weight=0.1), task)
        assert [a.source for a in found] == ["k", "s"] * 2, "the cheap one answers what it can"
        assert found[0].reason["costs"] == {"k": 1.0, "s": 0.2}


@pytest.mark.parametrize("head", FAST)
def test_given_thresholds_have_their_ends(head: str) -> None:
    task = two_kinds()
    pool = specialists((2, 1), names="ks")
    assert {a.source for a in routes(router(head, pool, task, threshold=0.0, strong="k"), task)} == {"k"}
    assert {a.source for a in routes(router(head, pool, task, threshold=1.01, strong="k"), task)} == {"s"}


def test_the_share_of_the_strong_member_is_calibrated_on_held_out_dev() -> None:
    task = two_kinds(dev=16, answers=lambda i: "A" if i < 14 else "B")
    shares = []
    for share in (0.25, 0.5, 0.75):
        done = router("knn", specialists((3, 1), names="ks"), task, strong_share=share, weighted=True)
        shares.append(done.log[-1]["trained_router"]["held out"]["to the strong member"])
        answer = routes(done, task)[0]
        assert {"strong", "win_rate", "threshold"} <= set(answer.reason)
        assert (answer.source == "k") == (answer.reason["win_rate"] >= answer.reason["threshold"])
    assert all(got >= wanted - 1e-9 for got, wanted in zip(shares, (0.25, 0.5, 0.75), strict=True)) and shares[0] < 1


def test_a_share_that_equal_win_rates_do_not_allow_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Of one vote of all there are no surer questions: half of the calls cannot go anywhere, so all go to the strong member."""
    task = two_kinds(dev=20)
    done = router("knn", specialists((3, 1), names="ks"), task, strong_share=0.5, neighbours=20)
    said = "100% of dev go to the strong member instead of 50%"
    assert said in done.log[0]["trained_router"]["caution"] and said in caplog.text
    reason = routes(done, task)[0].reason
    assert reason["strong_share"] == {"wanted": 0.5, "on dev": 1.0} and "note" not in reason
    caplog.clear()
    fair = router("knn", specialists((3, 1), names="ks"), task, strong_share=0.5)
    assert routes(fair, task)[0].reason["strong_share"]["on dev"] == 0.5 and not caplog.text


def test_a_handful_of_dev_questions_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    task = two_kinds(dev=3)
    done = router("knn", task=task)
    assert "learned from 3 dev questions" in done.log[0]["trained_router"]["caution"] and "3 dev questions" in caplog.text
    assert routes(done, task)[0].reason["note"] == "learned from 3 dev questions"
    caplog.clear()
    assert "note" not in routes(router("knn", task=two_kinds(dev=10)), task)[0].reason and not caplog.text


def test_a_question_that_a_member_refuses_is_wrong_for_it_and_told() -> None:
    def picky(r: Request) -> Completion:
        if "Zagax" in r.messages[-1].content:
            raise Fatal("refused", where="r")
        return knows("river")(r)

    task, pool = two_kinds(), specialists()
    scripted(pool, "r").reply = picky
    done = router("knn", pool, task)
    assert {"dev_unanswered": {"r": 1}} in done.log
    whole = router("knn", specialists(), task).log[-1]["trained_router"]["held out"]["oracle"]
    assert done.log[-1]["trained_router"]["held out"]["oracle"] == pytest.approx(whole - 1 / 12, abs=1e-6)
    routed = router("knn", pool, task, target="best").log[-1]["trained_router"]
    assert 0 <= routed["held out"]["score"] <= 1


@pytest.mark.parametrize("head", ALL)
def test_identical_members_answer_as_one_alone(head: str) -> None:
    task, store = two_kinds(), Store(None)
    twins = Pool([{"model": ScriptedModel("m", knows("river")), "name": n} for n in "ab"], store=store)
    alone = routes(fitted("single", twins, task, member="a"), task)
    assert [a.text for a in routes(router(head, twins, task), task)] == [a.text for a in alone]


def test_the_reason_holds_every_candidate_and_its_price() -> None:
    task = two_kinds()
    answer = routes(router("knn", specialists((1, 3)), task, cost_weight=0.2), task)[0]
    reason = answer.reason
    assert reason["scores"].keys() == reason["costs"].keys() == {"r", "s"}
    assert reason["route"] == answer.source == "r" and reason["cost_weight"] == 0.2 and reason["head"] == "knn"
    assert "n-grams" in reason["embedding"] and reason["held_out_score"] > 0.5
    assert answer.confidence == pytest.approx(reason["scores"]["r"], abs=1e-6)
    json.dumps(dict(reason), allow_nan=False)
    assert [(c.member, c.tag.stage) for c in answer.calls] == [("r", "answer")]


def test_the_log_tells_what_was_tried_and_what_it_is_worth() -> None:
    log = fitted("trained_router", specialists(), two_kinds()).log[-1]["trained_router"]
    assert [t["neighbours"] for t in log["tried"]] == [5, 10, 20, 40]
    assert log["setting"]["neighbours"] in (5, 10, 20, 40)
    assert log["held out"].keys() == {"score", "cost", "to the strong member", "best single", "oracle"}


def test_one_neighbour_and_its_own_dev_is_the_oracle() -> None:
    task = two_kinds(dev=16)
    done = router("knn", task=task, neighbours=1)
    assert all(a.text == "Answer: A" for a in routes(done, task, "dev"))


def test_labels_go_to_the_cheaper_among_equals_or_are_shared() -> None:
    task = two_kinds()
    pool = lambda: specialists((1, 3, 1), names="rks")  # noqa: E731
    cheap = router("knn", pool(), task, target="best", ties="cost")
    assert [a.source for a in routes(cheap, task)] == ["r", "s"] * 2, "k is right too, but dearer"
    soft = routes(router("knn", pool(), task, target="best", ties="soft"), task)[0]
    assert soft.reason["scores"]["k"] == pytest.approx(soft.reason["scores"]["r"]) and soft.source == "r"


def test_a_reward_model_tells_equals_apart() -> None:
    class Judge(ScriptedModel):
        async def reward(self, request: Request, text: str) -> float:
            return float(len(text))

    judge = Judge("judge", "")
    judge.capabilities = Capabilities(frozenset({"TEXT", "REWARD"}))
    task = two_kinds(answers=lambda i: "C")
    pool = specialists(names="rs", aux={"reward": judge})
    scripted(pool, "s").reply = lambda r: "I think that it is Answer: B"
    assert {a.source for a in routes(router("knn", pool, task, target="best"), task)} == {"s"}
    with pytest.raises(PoolError, match="reward model"):
        router("knn", specialists(), task, target="best", ties="reward")


@pytest.mark.parametrize("head", ALL)
def test_saved_and_loaded_it_decides_the_same_without_what_fitted_it(
    head: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = two_kinds()
    done = router(head, task=task, **({} if head == "elo" else {"strong_share": 0.5}))
    done.save(tmp_path)
    assert {f.name for f in tmp_path.iterdir()} == {"state.json", "state.safetensors", "method.json"}
    monkeypatch.setitem(__import__("sys").modules, "sklearn", None)
    again = Fitted.load(tmp_path, specialists())
    assert again.as_model().fingerprint == done.as_model().fingerprint
    assert [a.reason for a in routes(again, task)] == [a.reason for a in routes(done, task)]


def test_a_missing_extra_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sklearn", None)
    for head in ("logistic", "mlp"):
        with pytest.raises(ConfigError, match=r"needs scikit-learn; remedy: pip install \"mocolab\[router\]\""):
            fitted("trained_router", specialists(), two_kinds(), head=head)
    fitted("trained_router", specialists(), two_kinds(), head="knn")
    monkeypatch.setitem(__import__("sys").modules, "safetensors", None)
    with pytest.raises(ConfigError, match=r"saved with safetensors.*mocolab\[router\]"):
        fitted("trained_router", specialists(), two_kinds(), head="knn")


@pytest.mark.parametrize("head", ["lm_sft", "lm_score", "bert"])
def test_heads_that_are_language_models_are_refused_in_one_sentence(head: str) -> None:
    with pytest.raises(ConfigError, match=rf"head {head} is a trained language model, .*; remedy: use one of knn"):
        fitted("trained_router", specialists(), two_kinds(), head=head)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"strong_share": 0.5, "threshold": 0.1}, "exclude each other"),
        ({"strong": "nobody"}, "no member 'nobody'"),
        ({"embedding": "aux.embedder"}, "no embedder"),
        ({"embedding": "r"}, "cannot embed"),
        ({"head": "forest"}, "trained_router.head"),
        ({"strong_share": 2}, "strong_share"),
        ({"head": "elo", "neighbours": 3}, "belongs to head knn"),
        ({"ties": "soft"}, "target: best"),
        ({"head": "elo", "strong_share": 0.5}, "all or none of them go to the strong member"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_anything_is_asked(options: dict[str, Any], word: str) -> None:
    pool = specialists()
    with pytest.raises(MocoError, match=word):
        fitted("trained_router", pool, two_kinds(), **options)
    assert not scripted(pool, "r").requests


def test_it_must_be_fitted() -> None:
    with pytest.raises(ConfigError, match="dev"):
        fitted("trained_router", specialists(), two_kinds(dev=0))
    with pytest.raises(ConfigError, match="learned nothing"):
        routes(Fitted(load_method("trained_router"), specialists()), two_kinds())


def test_one_member_or_one_dev_question_is_enough_to_go_on() -> None:
    for pool, task in ((specialists((1,), names="k"), two_kinds()), (specialists(), two_kinds(dev=1))):
        assert routes(router("knn", pool, task, strong_share=0.5), task)[0].text.startswith("Answer: ")


@pytest.mark.parametrize("head", ["knn", "mf", "sw", "logistic"])
def test_permuting_the_pool_changes_no_route(head: str) -> None:
    task, costs = two_kinds(), {"r": 1.0, "s": 1.5, "k": 2.0}
    pools = [specialists([costs[n] for n in names], names=names) for names in ("rsk", "ksr")]
    one, two = (routes(router(head, pool, task), task) for pool in pools)
    assert [a.source for a in one] == [a.source for a in two]
    for a, b in zip(one, two, strict=True):
        assert a.reason["scores"] == pytest.approx(b.reason["scores"], abs=2e-6)


def test_the_embedder_of_the_study_is_used_named_and_paid_for() -> None:
    encoder = ScriptedModel("encoder", embed=lambda text: [1.0, float("river" in text)])
    aux = {"embedder": CachedModel(encoder, Store(None))}
    task, pool = two_kinds(), specialists(aux=aux)
    done = router("knn", pool, task)
    answers = routes(done, task)
    assert [a.source for a in answers] == ["r", "s"] * 2 and answers[0].reason["embedding"] == "aux.embedder"
    assert [(c.member, c.tag.stage) for c in answers[0].calls] == [("embedder", "embed"), ("r", "answer")]
    words = [len(Query.of(request_for(task, r, Sampling())).question.split()) for r in [*task.dev, *task.test]]
    assert answers[0].usage == Usage(10 + words[len(task.dev)], 2, 2), "the member's own and the words that the embedder read"
    plain = router("knn", specialists(), task).log[-1]["trained_router"]["held out"]["cost"]
    mean = np.mean(words[: len(task.dev)])
    assert done.log[-1]["trained_router"]["held out"]["cost"] == pytest.approx(plain + mean, abs=1e-5)
    read = encoder.counters.generated
    assert [a.usage for a in routes(router("knn", specialists(aux=aux), task), task)] == [a.usage for a in answers]
    assert encoder.counters.generated == read, "on a warm store nothing is embedded, and it counts the same"
