"""A request's body as what is asked of a team: a chat, or raw texts to be continued."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moco.core.seeds import derive
from moco.core.types import AnswerSpec, Message, Request, Role, Sampling
from moco.serve.fields import CHAT, TEXT, BadField, check_names, number, sampling_of, spec_of, streaming

MAX_CHOICES = 64


@dataclass(frozen=True)
class Asked:
    """A checked request: which model, and one request per choice wanted, prompt by prompt."""

    model: str
    requests: tuple[Request, ...]
    stream: bool = False
    usage: bool = False
    """Whether a stream ends with the usage."""


def read_chat(body: Any, specs: Mapping[str, AnswerSpec], sampling: Mapping[str, Sampling]) -> Asked:
    """The body of a chat request; raises BadField for the first fault."""
    model = _model(body, CHAT)
    one = Request(messages=_messages(body.get("messages")), spec=spec_of(body.get("moco"), specs.get(model)))
    return _asked(body, model, [one], sampling.get(model, Sampling()))


def read_completion(body: Any, specs: Mapping[str, AnswerSpec], sampling: Mapping[str, Sampling]) -> Asked:
    """The body of a completion request: raw texts, without chat template; raises BadField for the first fault."""
    model = _model(body, TEXT)
    spec = spec_of(body.get("moco"), specs.get(model))
    asked = [Request(text=text, spec=spec) for text in _prompts(body.get("prompt"))]
    return _asked(body, model, asked, sampling.get(model, Sampling()))


def _model(body: Any, honoured: tuple[str, ...]) -> str:
    """The model's name, of a body all of whose fields have a known name."""
    if not isinstance(body, Mapping):
        raise BadField("the body is not a JSON object", "body", "invalid_type")
    check_names(body, honoured)
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise BadField("'model' is missing", "model", "missing_required_parameter")
    return model


def _asked(body: Mapping[str, Any], model: str, prompts: Sequence[Request], base: Sampling) -> Asked:
    """``prompts`` with the sampling, the draws and the seeds that the body says."""
    count, seed = number(body, "n", int, 1, MAX_CHOICES), number(body, "seed", int, -(2**63), 2**63 - 1)
    draws = 1 if count is None else int(count)
    if draws * len(prompts) > MAX_CHOICES:
        what = f"{len(prompts)} prompts with n={draws} are more than {MAX_CHOICES} choices"
        raise BadField(what, "n", remedy="send them in several requests")
    sampling, own = sampling_of(body, base), None if seed is None else int(seed) % 2**63
    requests = tuple(
        one.but(sampling=sampling, draw=(d,), seed=own if own is None or d == 0 else derive(own, "choice", d))
        for one in prompts
        for d in range(draws)
    )
    return Asked(model, requests, *streaming(body))


def _messages(turns: Any) -> tuple[Message, ...]:
    if not isinstance(turns, list) or not turns:
        raise BadField("'messages' must be a list of at least one message", "messages", "missing_required_parameter")
    out = []
    for at, turn in enumerate(turns):
        where = f"messages[{at}]"
        if not isinstance(turn, Mapping):
            raise BadField(f"{where} is not an object", where)
        said = turn.get("role")
        role: Any = "system" if said == "developer" else said
        if role not in ("system", "user", "assistant"):
            raise BadField(f"{where} has the role {said!r}", f"{where}.role", remedy="use system, user or assistant")
        if turn.get("tool_calls") or turn.get("function_call"):
            raise BadField(f"{where} holds tool calls, which are not supported", where, "unsupported_parameter")
        named: Role = role
        out.append(Message(named, _content(turn.get("content"), where)))
    if out[-1].role == "system":
        raise BadField("the last message is a system message", "messages", remedy="end with a user message")
    asked = next((at for at in reversed(range(len(out))) if out[at].role == "user"), None)
    if asked is None or not out[asked].content.strip():
        where = "messages" if asked is None else f"messages[{asked}].content"
        raise BadField("there is no question" if asked is None else "the question is empty", where, remedy="ask something")
    return tuple(out)


def _content(content: Any, where: str) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(
        isinstance(p, Mapping) and p.get("type") == "text" and isinstance(p.get("text"), str) for p in content
    ):
        return "\n".join(p["text"] for p in content)
    raise BadField(f"the content of {where} is not text", f"{where}.content", "unsupported_parameter", "send text only")


def _prompts(prompt: Any) -> list[str]:
    texts = [prompt] if isinstance(prompt, str) else prompt
    if texts is None or texts == []:
        raise BadField("'prompt' is missing", "prompt", "missing_required_parameter")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        what = "'prompt' must be a text or a list of texts"
        raise BadField(what, "prompt", remedy="token ids are not supported: the members have their own vocabularies")
    if not all(text.strip() for text in texts):
        raise BadField("the prompt is empty", "prompt", remedy="send a text to continue")
    return texts
