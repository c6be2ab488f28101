"""A served collaboration behaves like a model: official client, nesting, concurrency, and honest refusals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

import moco
from moco import serve
from moco.collab import Fitted, Method, load_method, register
from moco.core.errors import ConfigError, ContextOverflow, RateLimited
from moco.core.query import Query
from moco.core.types import Answer, AnswerSpec, Completion, Request
from moco.discussion import answer_of
from moco.models.pool import Pool
from moco.models.store import Store
from moco.testing import ScriptedModel
from tests.serve.conftest import Server, scripted

Serving = Callable[..., Server]
NUMERIC = AnswerSpec(kind="numeric")
HELLO = [{"role": "user", "content": "What is 2 + 2?"}]


def panel(store: Store | None = None) -> Any:
    pool = scripted(store, ann="Answer: 4", bob="Answer: 5", cem="It is 4. Answer: 4")
    return Fitted(load_method("majority_vote"), pool).as_model("panel")


def extra(said: Any) -> dict[str, Any]:
    """The ``moco`` part of a response."""
    found: dict[str, Any] = said.model_extra["moco"]
    return found


@register("test_escalate", level="routing", members=(2, 2))
class Escalate(Method):
    """Ask the first member; where it says nothing that can be read, ask the second."""

    async def answer(self, query: Query, pool: Pool) -> Answer:
        first = await pool.ask(0, query)
        last = first if first.key is not None else await pool.ask(1, query)
        return answer_of(last, reason={"escalated": first.key is None})


def test_a_vote_is_a_model(serving: Serving) -> None:
    client = serving({"panel": panel()}, specs={"panel": NUMERIC}).client()
    assert [m.id for m in client.models.list()] == ["panel"] and client.models.retrieve("panel").owned_by == "moco"
    said = client.chat.completions.create(model="panel", messages=HELLO)
    assert said.choices[0].message.content in ("Answer: 4", "It is 4. Answer: 4") and said.choices[0].finish_reason == "stop"
    about = extra(said)
    assert about["key"] == "4" and about["confidence"] == pytest.approx(2 / 3) and about["source"] == "ann"
    assert about["reason"]["votes"] and said.usage is not None and said.usage.total_tokens > 0


def test_the_body_may_bring_its_own_spec(serving: Serving) -> None:
    client = serving({"panel": panel()}).client()
    plain = client.chat.completions.create(model="panel", messages=HELLO)
    assert extra(plain)["reason"]["rule"] == "medoid"
    said = client.chat.completions.create(model="panel", messages=HELLO, extra_body={"moco": {"spec": {"kind": "numeric"}}})
    assert extra(said)["key"] == "4"


def test_a_team_is_a_member_of_another(serving: Serving) -> None:
    geo = ScriptedModel("geo", lambda r: "Answer: 7" if "easy" in r.messages[-1].content else "I do not know")
    pool = Pool([geo, {"name": "panel", "model": panel()}], store=Store(None))
    nested = Fitted(load_method("test_escalate"), pool).as_model("nested")
    client = serving({"nested": nested}, specs={"nested": NUMERIC}).client()
    easy = client.chat.completions.create(model="nested", messages=[{"role": "user", "content": "easy: 3 + 4?"}])
    hard = client.chat.completions.create(model="nested", messages=HELLO)
    assert (extra(easy)["key"], extra(easy)["source"], extra(easy)["calls"]) == ("7", "geo", 1)
    assert (extra(hard)["key"], extra(hard)["source"], extra(hard)["calls"]) == ("4", "panel", 4)


def test_64_questions_at_once(serving: Serving) -> None:
    echo = {n: (lambda r: f"Answer: {r.messages[-1].content.split()[-1]}") for n in ("ann", "bob", "cem")}
    team = Fitted(load_method("majority_vote"), scripted(**echo)).as_model("panel")
    server = serving({"panel": team}, specs={"panel": NUMERIC})

    async def everybody() -> list[Any]:
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
            asked = [
                client.chat.completions.create(model="panel", messages=[{"role": "user", "content": f"say {i}"}])
                for i in range(64)
            ]
            return await asyncio.gather(*asked)

    assert [extra(s)["key"] for s in asyncio.run(everybody())] == [str(i) for i in range(64)]


def test_concurrent_questions_share_batches(serving: Serving) -> None:
    """64 plain questions to a local member: batches of at least 16 rows on average, and the same texts as one by one."""
    pool = Pool(["playground/alpha", "playground/beta"], store=Store(None))
    team = Fitted(load_method("majority_vote"), pool).as_model("duo")
    server = serving({"duo": team}, specs={"duo": NUMERIC})
    pool["alpha"].model.model.load()  # type: ignore[attr-defined]
    pool["beta"].model.model.load()  # type: ignore[attr-defined]
    counters = pool["alpha"].model.model.counters  # type: ignore[attr-defined]
    before = len(counters.batches)

    async def everybody() -> list[Any]:
        limits = httpx.Limits(max_connections=64)
        async with httpx.AsyncClient(limits=limits, timeout=120) as client:
            bodies = [
                {"model": "duo", "max_tokens": 32, "messages": [{"role": "user", "content": f"What is {10 + i} + {30 + i}?"}]}
                for i in range(64)
            ]
            return await asyncio.gather(*(client.post(f"{server.url}/v1/chat/completions", json=b) for b in bodies))

    replies = asyncio.run(everybody())
    assert all(r.status_code == 200 for r in replies)
    sizes = counters.batches[before:]
    assert sum(sizes) / len(sizes) >= 16, sizes


def test_n_choices_are_draws(serving: Serving) -> None:
    one = Fitted(load_method("single"), scripted(ann=lambda r: f"draw {r.draw}")).as_model("one")
    said = serving({"one": one}).client().chat.completions.create(model="one", messages=HELLO, n=3)
    texts = [c.message.content for c in said.choices]
    assert texts[0] == "draw ()" and len(set(texts)) == 3
    assert len(extra(said)["choices"]) == 3


def test_sampling_and_seed_reach_the_members(serving: Serving) -> None:
    seen: list[Request] = []

    def reply(request: Request) -> str:
        seen.append(request)
        return "x"

    one = Fitted(load_method("single"), scripted(ann=reply)).as_model("one")
    client = serving({"one": one}, sampling={"one": moco.Sampling(max_tokens=9)}).client()
    client.chat.completions.create(model="one", messages=HELLO)
    client.chat.completions.create(
        model="one", messages=HELLO, max_completion_tokens=7, temperature=0.3, top_p=0.5, stop="\n", seed=11
    )
    client.chat.completions.create(
        model="one", messages=HELLO, max_completion_tokens=7, temperature=0.3, top_p=0.5, stop="\n", seed=11
    )
    assert seen[0].sampling.max_tokens == 9
    assert seen[1].sampling == moco.Sampling(max_tokens=7, temperature=0.3, top_p=0.5, stop=("\n",))
    assert len(seen) == 2, "an equal request with an equal seed is the same answer"


@pytest.mark.parametrize(
    ("change", "param"),
    [({"stream": "yes"}, "stream"), ({"stream_options": {"include_usage": True}}, "stream_options"),
     ({"stream": True, "stream_options": {"usage": True}}, "stream_options"),
     ({"tools": [{"type": "function"}]}, "tools"), ({"logprobs": True}, "logprobs"),
     ({"temprature": 0}, "temprature"), ({"temperature": "hot"}, "temperature"),
     ({"temperature": True}, "temperature"), ({"n": 0}, "n"),
     ({"max_tokens": 0}, "max_tokens"), ({"top_p": 0}, "top_p"), ({"stop": [1]}, "stop"), ({"messages": []}, "messages"),
     ({"messages": "hi"}, "messages"), ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
     ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content"), ({"model": None}, "model"),
     ({"response_format": {"type": "json_object"}}, "response_format"), ({"moco": {"spce": {}}}, "moco"),
     ({"moco": {"spec": {"kind": "nmeric"}}}, "moco.spec.kind"), ({"moco": {"spec": {"gold": "4"}}}, "moco.spec.gold"),
     ({"presence_penalty": 0.5}, "presence_penalty"), ({"seed": 1.5}, "seed")],
)  # fmt: skip
def test_what_cannot_be_honoured_is_refused(serving: Serving, change: dict[str, Any], param: str) -> None:
    server = serving({"panel": panel()})
    found = server.post({"model": "panel", "messages": HELLO, **change})
    assert found.status_code == 400
    error = found.json()["error"]
    assert error["param"] == param and error["type"] == "invalid_request_error" and error["message"]


def test_neutral_values_pass(serving: Serving) -> None:
    harmless = {
        "stream": False,
        "tools": None,
        "logprobs": False,
        "presence_penalty": 0,
        "user": "me",
        "response_format": {"type": "text"},
    }
    text = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": [{"type": "text", "text": "hi"}]}]
    assert serving({"panel": panel()}).post({"model": "panel", "messages": text, **harmless}).status_code == 200


def test_errors_have_openai_form(serving: Serving) -> None:
    def fails(error: Exception) -> Any:
        def reply(request: Request) -> str:
            raise error

        return Fitted(load_method("single"), scripted(ann=reply)).as_model()

    teams = {
        "long": fails(ContextOverflow("too long")),
        "busy": fails(RateLimited("slow down", retry_after=3)),
        "bug": fails(KeyError("x")),
    }
    server = serving(teams)
    client = server.client()
    with pytest.raises(openai.BadRequestError, match="too long") as caught:
        client.chat.completions.create(model="long", messages=HELLO)
    assert caught.value.code == "context_length_exceeded"
    with pytest.raises(openai.RateLimitError) as limited:
        client.chat.completions.create(model="busy", messages=HELLO)
    assert limited.value.response.headers["retry-after"] == "3"
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model="bug", messages=HELLO)
    with pytest.raises(openai.NotFoundError, match="did you mean 'busy'"):
        client.chat.completions.create(model="bussy", messages=HELLO)
    assert httpx.post(f"{server.url}/v1/chat/completions", content=b"{").status_code == 400
    assert httpx.get(f"{server.url}/v1/nothing").json()["error"]["code"] == "unknown_url"


def test_a_cut_off_answer_says_length(serving: Serving) -> None:
    one = Fitted(load_method("single"), scripted(ann=lambda r: Completion("cut", finish="length"))).as_model("one")
    said = serving({"one": one}).client().chat.completions.create(model="one", messages=HELLO)
    assert said.choices[0].finish_reason == "length"


def test_a_key_is_asked_for_everywhere_but_health(serving: Serving) -> None:
    server = serving({"panel": panel()}, api_key="sesame")
    with pytest.raises(openai.AuthenticationError):
        server.client("wrong").chat.completions.create(model="panel", messages=HELLO)
    assert server.client("sesame").models.list().data[0].id == "panel"
    assert httpx.get(f"{server.url}/v1/models").status_code == 401
    assert httpx.get(f"{server.url}/health").json()["status"] == "ok"


def test_without_a_key_only_loopback_names_are_served(serving: Serving) -> None:
    server = serving({"panel": panel()})
    assert server.post({"model": "panel", "messages": HELLO}, host="evil.example").status_code == 403
    assert server.post({"model": "panel", "messages": HELLO}, host="localhost:8000").status_code == 200


def test_a_huge_body_is_refused(serving: Serving) -> None:
    body = {"model": "panel", "messages": [{"role": "user", "content": "x" * (9 * 2**20)}]}
    assert serving({"panel": panel()}).post(body).status_code == 413


def test_served_prompts_are_not_persisted(serving: Serving, own_home: Path) -> None:
    server = serving({"panel": panel(Store(None))}, specs={"panel": NUMERIC})
    server.client().chat.completions.create(model="panel", messages=[{"role": "user", "content": "a secret 2 + 2"}])
    assert not any(b"secret" in f.read_bytes() for f in own_home.rglob("*") if f.is_file())


def test_what_a_server_keeps_in_memory_is_bounded(serving: Serving) -> None:
    store = Store(None)
    served = panel(store)
    server = serving({"panel": served}, specs={"panel": NUMERIC}, memory=20_000)

    def ask(text: str) -> int:
        said = server.post({"model": "panel", "messages": [{"role": "user", "content": text}]})
        assert said.status_code == 200 and said.json()["moco"]["key"] == "4"
        return int(served.paid_calls)

    for i in range(40):
        paid = ask(f"question {i}")
        assert store.remembered <= 20_000
    assert store.stats()["rows"] < 160, "40 questions to 3 members and their team"
    assert ask("question 39") == paid, "the newest answer is still there"
    assert ask("question 0") == paid + 1, "the oldest is computed again, and is the same"
    with pytest.raises(ConfigError, match="memory is 0"):
        serve.app({"panel": served}, memory=0)


def test_an_app_needs_teams_that_exist() -> None:
    with pytest.raises(ConfigError, match="nothing to serve"):
        serve.app({})
    with pytest.raises(ConfigError, match="no team"):
        serve.app({"a": panel()}, specs={"b": NUMERIC})
