"""What a chat request may say: OpenAI's fields as far as they can be honoured, and ``moco``.

Invariant: a field is honoured, without effect on the answer, or refused; nothing is silently ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from moco.core.answering import KINDS
from moco.core.errors import ConfigError, did_you_mean
from moco.core.seeds import derive
from moco.core.types import AnswerSpec, Message, Request, Role, Sampling

HONOURED = (
    "model",
    "messages",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "seed",
    "stop",
    "n",
    "moco",
)
HARMLESS = ("user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "stream_options")
NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "stream": (False,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "parallel_tool_calls": (True, False),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "reasoning_effort": (),
    "audio": (),
    "prediction": (),
    "web_search_options": (),
    "verbosity": (),
}
"""Fields that moco does not support, and the values of them that change nothing."""
MAX_CHOICES = 64


class BadField(ConfigError):
    """A field of the request is wrong; ``param`` is its name."""

    def __init__(self, what: str, param: str, code: str = "invalid_value", remedy: str = "") -> None:
        super().__init__(what, where=param, remedy=remedy)
        self.param, self.code = param, code


@dataclass(frozen=True)
class Asked:
    """A checked request: which model, and one request per choice wanted."""

    model: str
    requests: tuple[Request, ...]


def read(body: Any, specs: Mapping[str, AnswerSpec], sampling: Mapping[str, Sampling]) -> Asked:
    """The body of a chat request; raises BadField for the first fault."""
    if not isinstance(body, Mapping):
        raise BadField("the body is not a JSON object", "body", "invalid_type")
    for name, value in body.items():
        _known(name, value)
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise BadField("'model' is missing", "model", "missing_required_parameter")
    count = _number(body, "n", int, 1, MAX_CHOICES)
    seed = _number(body, "seed", int, -(2**63), 2**63 - 1)
    spec = _spec(body.get("moco"), specs.get(model))
    one = Request(messages=_messages(body.get("messages")), sampling=_sampling(body, sampling.get(model, Sampling())), spec=spec)
    own = None if seed is None else seed % 2**63
    draws = range(1 if count is None else int(count))
    return Asked(model, tuple(one.but(draw=(d,), seed=own if own is None or d == 0 else derive(own, "choice", d)) for d in draws))


def _known(name: str, value: Any) -> None:
    if name in HONOURED or name in HARMLESS or value is None:
        return
    if name in NEUTRAL:
        if any(value == v and isinstance(value, bool) == isinstance(v, bool) for v in NEUTRAL[name]):
            return
        if name == "stream":
            raise BadField("streaming is not supported yet", name, "unsupported_parameter", "send stream: false")
        raise BadField(
            f"'{name}' is not supported: the answer would not honour it", name, "unsupported_parameter", "leave it out"
        )
    remedy = did_you_mean(str(name), (*HONOURED, *HARMLESS))
    raise BadField(
        f"unknown field '{name}'", str(name), "unknown_parameter", remedy if remedy.startswith("did") else "leave it out"
    )


def _number(body: Mapping[str, Any], name: str, kind: type, low: float, high: float) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    fits = isinstance(value, int) if kind is int else isinstance(value, int | float)
    if not fits or isinstance(value, bool) or not low <= value <= high:
        sort = "a whole number" if kind is int else "a number"
        raise BadField(f"'{name}' must be {sort} from {low:g} to {high:g}", name)
    return int(value) if kind is int else float(value)


def _sampling(body: Mapping[str, Any], base: Sampling) -> Sampling:
    limits = {"max_tokens": (int, 1, 2**31), "max_completion_tokens": (int, 1, 2**31), "temperature": (float, 0, 100),
              "top_p": (float, 0, 1), "top_k": (int, 0, 2**31), "min_p": (float, 0, 1)}  # fmt: skip
    given: dict[str, Any] = {name: _number(body, name, *limit) for name, limit in limits.items()}
    room = given.pop("max_completion_tokens")
    if room is not None:
        given["max_tokens"] = room
    if given["top_p"] == 0:
        raise BadField("'top_p' must be above 0", "top_p")
    stop = body.get("stop")
    if isinstance(stop, str):
        stop = [stop]
    if stop is not None and not (isinstance(stop, list) and all(isinstance(s, str) and s for s in stop)):
        raise BadField("'stop' must be a text or a list of texts", "stop")
    return base.but(**given, stop=None if stop is None else tuple(stop))


def _messages(turns: Any) -> tuple[Message, ...]:
    if not isinstance(turns, list) or not turns:
        raise BadField("'messages' must be a list of at least one message", "messages", "missing_required_parameter")
    out = []
    for number, turn in enumerate(turns):
        where = f"messages[{number}]"
        if not isinstance(turn, Mapping):
            raise BadField(f"{where} is not an object", where)
        role: Any = {"developer": "system"}.get(turn.get("role", ""), turn.get("role"))
        if role not in ("system", "user", "assistant"):
            raise BadField(f"{where} has the role {turn.get('role')!r}", f"{where}.role", remedy="use system, user or assistant")
        if turn.get("tool_calls") or turn.get("function_call"):
            raise BadField(f"{where} holds tool calls, which are not supported", where, "unsupported_parameter")
        named: Role = role
        out.append(Message(named, _content(turn.get("content"), where)))
    if out[-1].role == "system":
        raise BadField("the last message is a system message", "messages", remedy="end with a user message")
    return tuple(out)


def _content(content: Any, where: str) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(
        isinstance(p, Mapping) and p.get("type") == "text" and isinstance(p.get("text"), str) for p in content
    ):
        return "\n".join(p["text"] for p in content)
    raise BadField(f"the content of {where} is not text", f"{where}.content", "unsupported_parameter", "send text only")


def _spec(extra: Any, base: AnswerSpec | None) -> AnswerSpec | None:
    """The team's answer spec, with what ``moco.spec`` says in its place."""
    if extra is None:
        return base
    if not isinstance(extra, Mapping) or set(extra) - {"spec"}:
        raise BadField("'moco' holds only 'spec'", "moco", "unknown_parameter", 'send {"spec": {"kind": "numeric"}}')
    given = extra.get("spec")
    if given is None:
        return base
    if not isinstance(given, Mapping):
        raise BadField("'moco.spec' is not an object", "moco.spec")
    known = {f.name for f in fields(AnswerSpec)}
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            raise BadField(
                f"unknown field 'moco.spec.{name}'", f"moco.spec.{name}", "unknown_parameter", did_you_mean(str(name), known)
            )
        values[name] = _spec_value(name, value)
    return replace(base or AnswerSpec(), **values)


def _spec_value(name: str, value: Any) -> Any:
    where = f"moco.spec.{name}"
    if name in ("labels", "choices"):
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise BadField(f"'{where}' must be a list of texts", where)
        return tuple(value)
    if name == "tolerance":
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
            raise BadField(f"'{where}' must be a number of 0 or more", where)
        return value
    if not isinstance(value, str):
        raise BadField(f"'{where}' must be a text", where)
    if name == "kind" and value not in KINDS:
        raise BadField(f"unknown kind '{value}'", where, remedy=did_you_mean(value, KINDS.names()))
    return value
