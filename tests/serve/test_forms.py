"""The forms of asking: raw completions, streams of finished answers, and what is refused, logged and said of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest

from moco.collab import Fitted, load_method
from moco.core.errors import RateLimited
from moco.core.types import Completion, Request
from tests.serve.conftest import Server, scripted
from tests.serve.test_serve import HELLO, NUMERIC, extra, panel

Serving = Callable[..., Server]


def echo(request: Request) -> str:
    """What a member was asked, and how: a raw text, or messages."""
    return f"raw {request.text!r}" if request.text is not None else f"chat {request.messages[-1].content!r}"


def single(reply: Any) -> Any:
    return Fitted(load_method("single"), scripted(ann=reply)).as_model()


def events(server: Server, path: str, body: dict[str, Any]) -> list[Any]:
    """The data of the events of a stream, as they came."""
    with httpx.stream("POST", f"{server.url}/v1/{path}", json=body, timeout=60) as reply:
        assert reply.status_code == 200 and reply.headers["content-type"].startswith("text/event-stream")
        text = "".join(reply.iter_text())
    parts = text.split("\n\n")
    assert parts.pop() == "" and all(part.startswith("data: ") and "\n" not in part for part in parts)
    data = [part.removeprefix("data: ") for part in parts]
    assert data.pop() == "[DONE]"
    return [json.loads(one) for one in data]


def test_a_completion_continues_a_raw_text(serving: Serving) -> None:
    client = serving({"one": single(echo)}).client()
    said = client.completions.create(model="one", prompt="Once upon", max_tokens=5)
    assert said.object == "text_completion" and said.id.startswith("cmpl-")
    assert said.choices[0].text == "raw 'Once upon'" and said.choices[0].finish_reason == "stop"
    assert said.usage is not None and said.usage.total_tokens > 0 and extra(said)["source"] == "ann"


def test_prompts_and_draws_are_choices_prompt_by_prompt(serving: Serving) -> None:
    client = serving({"one": single(lambda r: f"{r.text} {r.draw}")}).client()
    said = client.completions.create(model="one", prompt=["a", "b"], n=2)
    assert [(c.index, c.text) for c in said.choices] == [(0, "a ()"), (1, "a (1, 0)"), (2, "b ()"), (3, "b (1, 0)")]


def test_a_vote_over_a_raw_text_reads_it_by_the_spec(serving: Serving) -> None:
    said = serving({"panel": panel()}, specs={"panel": NUMERIC}).client().completions.create(model="panel", prompt="2 + 2 =")
    assert extra(said)["key"] == "4" and extra(said)["calls"] == 3


@pytest.mark.parametrize("method", ["multiagent_refine", "mixture_of_agents", "structured_interaction"])
def test_members_that_talk_have_the_raw_text_in_what_they_are_asked_next(serving: Serving, method: str) -> None:
    seen: list[Request] = []

    def reply(request: Request) -> str:
        seen.append(request)
        return "Answer: 4"

    pool = scripted(ann=reply, bob=reply)
    team = Fitted(load_method(method), pool).as_model("team")
    said = serving({"team": team}, specs={"team": NUMERIC}).client().completions.create(model="team", prompt="what is 2 + 2?")
    assert extra(said)["key"] == "4"
    assert [r.text for r in seen[:2]] == ["what is 2 + 2?"] * 2
    later = [r for r in seen if r.text is None]
    assert later and all("what is 2 + 2?" in r.messages[-1].content for r in later)


@pytest.mark.parametrize(
    ("change", "param"),
    [({"prompt": None}, "prompt"), ({"prompt": []}, "prompt"), ({"prompt": [1, 2]}, "prompt"), ({"prompt": ["a", " "]}, "prompt"),
     ({"messages": HELLO}, "messages"), ({"echo": True}, "echo"), ({"best_of": 3}, "best_of"), ({"logprobs": 5}, "logprobs"),
     ({"suffix": "end"}, "suffix"), ({"prompt": ["a"] * 33, "n": 2}, "n")],
)  # fmt: skip
def test_a_completion_refuses_what_it_cannot_honour(serving: Serving, change: dict[str, Any], param: str) -> None:
    server = serving({"panel": panel()})
    found = httpx.post(f"{server.url}/v1/completions", json={"model": "panel", "prompt": "a", **change}, timeout=60)
    assert found.status_code == 400 and found.json()["error"]["param"] == param


TEXT = "  It is 4.\n\nAnswer:\t4 \n"


def test_a_stream_is_the_finished_answer_in_pieces(serving: Serving) -> None:
    server = serving({"one": single(TEXT)}, specs={"one": NUMERIC})
    with server.client().chat.completions.create(model="one", messages=HELLO, stream=True) as stream:
        chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == TEXT and len(chunks) > 4
    assert chunks[0].choices[0].delta.role == "assistant" and {c.object for c in chunks} == {"chat.completion.chunk"}
    assert [c.choices[0].finish_reason for c in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert len({c.id for c in chunks}) == 1 and all(c.usage is None for c in chunks)
    about = extra(chunks[-1])
    assert about["key"] == "4" and about["stream"] == "finished", "it says that it is no stream of what is being written"


def test_a_stream_ends_with_the_usage_where_that_is_wanted(serving: Serving) -> None:
    server = serving({"panel": panel()}, specs={"panel": NUMERIC})
    body = {"model": "panel", "messages": HELLO}
    found = events(server, "chat/completions", {**body, "stream": True, "stream_options": {"include_usage": True}})
    assert found[-1]["choices"] == [] and all(one["usage"] is None for one in found[:-1])
    assert found[-1]["usage"] == server.post(body).json()["usage"]


def test_choices_and_completions_stream_too(serving: Serving) -> None:
    server = serving({"one": single(lambda r: Completion(f"draw {r.draw} of it", finish="length"))})
    client = server.client()
    texts: dict[int, str] = {}
    for chunk in client.chat.completions.create(model="one", messages=HELLO, n=3, stream=True):
        choice = chunk.choices[0]
        texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
    assert texts == {0: "draw () of it", 1: "draw (1, 0) of it", 2: "draw (2, 0) of it"}
    pieces = list(client.completions.create(model="one", prompt="go on", stream=True))
    assert "".join(p.choices[0].text for p in pieces) == "draw () of it" and pieces[-1].choices[0].finish_reason == "length"
    assert {p.object for p in pieces} == {"text_completion"} and extra(pieces[-1])["source"] == "ann"


def test_an_empty_answer_streams_as_one(serving: Serving) -> None:
    found = events(serving({"one": single("")}), "chat/completions", {"model": "one", "messages": HELLO, "stream": True})
    assert [one["choices"][0]["delta"] for one in found] == [{"role": "assistant", "content": ""}, {}]


def test_a_stream_that_fails_has_a_status(serving: Serving) -> None:
    def busy(request: Request) -> str:
        raise RateLimited("slow down", retry_after=3)

    with pytest.raises(openai.RateLimitError):
        serving({"one": single(busy)}).client().chat.completions.create(model="one", messages=HELLO, stream=True)


@pytest.mark.parametrize(
    "messages",
    [[{"role": "user", "content": ""}], [{"role": "user", "content": " \n"}],
     [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}, {"role": "user", "content": ""}],
     [{"role": "assistant", "content": "nobody asked"}]],
)  # fmt: skip
def test_an_empty_question_is_refused(serving: Serving, messages: list[dict[str, str]]) -> None:
    found = serving({"panel": panel()}).post({"model": "panel", "messages": messages})
    assert found.status_code == 400 and found.json()["error"]["param"].startswith("messages")


def test_another_method_of_http_is_refused_in_openai_form(serving: Serving) -> None:
    server = serving({"panel": panel()})
    found = httpx.get(f"{server.url}/v1/chat/completions")
    assert found.status_code == 405 and found.headers["allow"] == "POST"
    assert found.json()["error"]["code"] == "method_not_allowed" and "GET" in found.json()["error"]["message"]
    assert httpx.get(f"{server.url}/v1/embeddings").json()["error"]["code"] == "unknown_url"


def test_limits_are_said_in_full(serving: Serving) -> None:
    found = serving({"panel": panel()}).post({"model": "panel", "messages": HELLO, "max_tokens": 0})
    assert "a whole number from 1 to 2147483648" in found.json()["error"]["message"]


def test_a_request_is_one_line_of_the_log_without_what_was_asked(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    server = serving({"panel": panel()})
    with caplog.at_level(logging.INFO, "moco.serve"):
        server.post({"model": "panel", "messages": [{"role": "user", "content": "a secret 2 + 2"}]})
        server.post({"model": "a secret", "messages": HELLO})
        httpx.get(f"{server.url}/v1/models")
    lines = [r.getMessage() for r in caplog.records if r.name == "moco.serve"]
    assert [line.rsplit(" ", 2)[0] for line in lines] == [
        "POST /v1/chat/completions panel 200", "POST /v1/chat/completions - 404", "GET /v1/models - 200",
    ]  # fmt: skip
    assert "secret" not in "".join(lines)
