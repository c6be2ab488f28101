"""The fields of a request: OpenAI's as far as they can be honoured, and ``moco``.

Invariant: a field is honoured, without effect on the answer, or refused; nothing is silently ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from moco.core.answering import KINDS
from moco.core.errors import ConfigError, did_you_mean
from moco.core.types import AnswerSpec, Sampling

SHARED = (
    "model",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "seed",
    "stop",
    "n",
    "stream",
    "stream_options",
    "moco",
)
CHAT = (*SHARED, "messages", "max_completion_tokens")
TEXT = (*SHARED, "prompt")
"""What the two sorts of request honour."""
HARMLESS = ("user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key")
NEUTRAL: Mapping[str, tuple[Any, ...]] = {
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
    "echo": (False,),
    "best_of": (1,),
    "suffix": ("",),
}
"""Fields that moco does not support, and the values of them that change nothing."""


class BadField(ConfigError):
    """A field of the request is wrong; ``param`` is its name."""

    def __init__(self, what: str, param: str, code: str = "invalid_value", remedy: str = "") -> None:
        super().__init__(what, where=param, remedy=remedy)
        self.param, self.code = param, code


def check_names(body: Mapping[str, Any], honoured: tuple[str, ...]) -> None:
    """Raises BadField for the first field that can neither be honoured nor be without effect."""
    for name, value in body.items():
        if name in honoured or name in HARMLESS or value is None:
            continue
        if name not in NEUTRAL:
            remedy = did_you_mean(str(name), (*honoured, *HARMLESS))
            remedy = remedy if remedy.startswith("did") else "leave it out"
            raise BadField(f"unknown field '{name}'", str(name), "unknown_parameter", remedy)
        if not any(value == v and isinstance(value, bool) == isinstance(v, bool) for v in NEUTRAL[name]):
            what = f"'{name}' is not supported: the answer would not honour it"
            raise BadField(what, name, "unsupported_parameter", "leave it out")


def number(body: Mapping[str, Any], name: str, kind: type, low: float, high: float) -> float | None:
    """The number in field ``name``, None where it is not given."""
    value = body.get(name)
    if value is None:
        return None
    fits = isinstance(value, int) if kind is int else isinstance(value, int | float)
    if not fits or isinstance(value, bool) or not low <= value <= high:
        sort = "a whole number" if kind is int else "a number"
        raise BadField(f"'{name}' must be {sort} from {low} to {high}", name)
    return int(value) if kind is int else float(value)


def streaming(body: Mapping[str, Any]) -> tuple[bool, bool]:
    """Whether the answer is wanted as a stream, and whether usage at its end."""
    stream, options = body.get("stream"), body.get("stream_options")
    if stream is not None and not isinstance(stream, bool):
        raise BadField("'stream' must be true or false", "stream")
    if options is None:
        return bool(stream), False
    if not stream:
        raise BadField("'stream_options' goes with stream: true", "stream_options", remedy="leave it out")
    known = {"include_usage", "include_obfuscation"}
    if not isinstance(options, Mapping) or set(options) - known or not all(isinstance(v, bool) for v in options.values()):
        raise BadField("'stream_options' holds only 'include_usage', true or false", "stream_options")
    return True, bool(options.get("include_usage"))


def sampling_of(body: Mapping[str, Any], base: Sampling) -> Sampling:
    """``base`` with what the request says of sampling in its place."""
    limits = {"max_tokens": (int, 1, 2**31), "max_completion_tokens": (int, 1, 2**31), "temperature": (float, 0, 100),
              "top_p": (float, 0, 1), "top_k": (int, 0, 2**31), "min_p": (float, 0, 1)}  # fmt: skip
    given: dict[str, Any] = {name: number(body, name, *limit) for name, limit in limits.items()}
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


def spec_of(extra: Any, base: AnswerSpec | None) -> AnswerSpec | None:
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
        where = f"moco.spec.{name}"
        if name not in known:
            raise BadField(f"unknown field '{where}'", where, "unknown_parameter", did_you_mean(str(name), known))
        values[name] = _spec_value(name, value, where)
    return replace(base or AnswerSpec(), **values)


def _spec_value(name: str, value: Any, where: str) -> Any:
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
