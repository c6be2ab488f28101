"""From a request to prompt token ids: the model's own chat template, exactly one BOS, nothing silently cut.

Invariant: ``Renderer.ids`` is a pure function of the prompt and the model folder (no clock, no locale), because it is what
the store key hashes. A model without a chat template is rendered as plain text, decided once (``style``).
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable
from typing import Any, Literal

from moco.core.errors import ConfigError, ContextOverflow, Fatal
from moco.core.types import Message, Request
from moco.models.tokens import Tokens

_CONTROL = re.compile(
    r"<\|[^<>|\n]{1,64}\|>|<｜[^<>｜\n]{1,64}｜>|</?s>|<(?:start|end)_of_turn>|<</?SYS>>|</?think>|<(?:bos|eos|pad|unk)>"
    r"|\[/?(?:INST|SYS|USR|BOT|BOS|EOS|PAD|UNK|CLS|SEP|MASK|TOOL_CALLS|AVAILABLE_TOOLS|SYSTEM_PROMPT)\]"
)
_DATE = "26 Jul 2024"
"""What templates that ask for today's date get: prompts must not change with the calendar."""


def neutralise(text: str, specials: Iterable[str] = ()) -> str:
    """``text`` with control tokens broken by a space after their first character, so that they tokenise as plain text.

    Known families of control tokens are found by their form; ``specials`` adds those of a tokenizer. For quoting other
    models' text; idempotent, and text without control tokens is unchanged.
    """
    found = sorted((s for s in specials if len(s.strip()) > 1), key=len, reverse=True)
    pattern = re.compile("|".join([*(re.escape(s) for s in found), _CONTROL.pattern]))
    while True:
        broken = pattern.sub(lambda m: m.group()[0] + " " + m.group()[1:], text)
        if broken == text:
            return text
        text = broken


def split_reasoning(text: str, *, opened: bool = False) -> tuple[str, str]:
    """``(visible, reasoning)``: visible is what follows ``</think>``; a block never closed leaves visible empty.

    ``opened`` says that the prompt itself ended inside a block. Without any block the text is all visible.
    """
    head, closed, rest = text.partition("</think>")
    start = head.lstrip()
    if closed:
        return rest.lstrip(), start.removeprefix("<think>").strip()
    if opened or start.startswith("<think>"):
        return "", start.removeprefix("<think>").strip()
    return text, ""


class Renderer:
    """Requests to prompt ids for one model. ``context`` is the largest number of tokens, None if unbounded."""

    def __init__(self, tokenizer: Tokens, context: int | None = None, *, name: str = "model") -> None:
        self.tokens, self.context, self.name = tokenizer, context, name
        self.style: Literal["template", "plain"] = "plain" if tokenizer.template is None else "template"
        self._template: Any = None
        self._cached = functools.lru_cache(maxsize=8192)(self._ids)

    def text(self, messages: tuple[Message, ...], *, answered: bool = False) -> str:
        """The prompt as text up to where the assistant begins to speak; ``answered``: it has spoken, the conversation is whole.

        Raises Fatal if the template refuses it.
        """
        if self.tokens.template is None:
            turns = [f"{m.role.capitalize()}: {m.content}" for m in messages]
            return "\n\n".join(turns if answered else [*turns, "Assistant:"])
        if self._template is None:
            self._template = _compile(self.tokens.template)
        try:
            return self._apply(messages, answered)
        except _template_error() as error:
            if messages[0].role != "system" or len(messages) < 2:
                raise Fatal(f"the chat template refused the messages: {error}", where=self.name) from error
        head, first, *rest = messages  # some templates know no system role: it opens the first message
        try:
            return self._apply((Message(first.role, f"{head.content}\n\n{first.content}"), *rest), answered)
        except _template_error() as error:
            raise Fatal(f"the chat template refused the messages: {error}", where=self.name) from error

    def _apply(self, messages: tuple[Message, ...], answered: bool) -> str:
        turns = [{"role": m.role, "content": m.content} for m in messages]
        marks = {"bos_token": self.tokens.bos_text or "", "eos_token": self.tokens.eos_text or ""}
        asked = not answered
        return str(self._template.render(messages=turns, add_generation_prompt=asked, tools=None, documents=None, **marks))

    def ids(self, request: Request) -> tuple[int, ...]:
        """Prompt ids of ``request``, prefix included.

        Raises ContextOverflow if no room is left for one token, ConfigError for an empty prompt.
        """
        ids = self._cached(request.messages, request.text, request.ids, request.prefix)
        if not ids:
            raise ConfigError("the prompt is empty and the model has no BOS token", where=self.name)
        if self.context is not None and len(ids) >= self.context:
            raise ContextOverflow(
                f"the prompt of {len(ids)} tokens leaves no room in the context of {self.context} tokens",
                where=self.name,
                remedy="ask something shorter, quote less, or choose a model with a longer context",
            )
        return ids

    def size(self, request: Request) -> int:
        """Prompt tokens of ``request``, prefix included, whether or not they fit the context."""
        return len(self._cached(request.messages, request.text, request.ids, request.prefix))

    def _ids(self, messages: tuple[Message, ...], text: str | None, ids: tuple[int, ...] | None, prefix: str) -> tuple[int, ...]:
        if ids is not None:
            return (*ids, *(self.tokens.encode(prefix) if prefix else ()))
        out = self.tokens.encode(self._prompt(messages, text, prefix))
        bos = self.tokens.bos
        if bos is not None:
            while out[:2] == [bos, bos]:
                out = out[1:]
            if self.style == "plain" or text is not None:
                out = out if out[:1] == [bos] else [bos, *out]
        return tuple(out)

    def _prompt(self, messages: tuple[Message, ...], text: str | None, prefix: str) -> str:
        if text is not None:
            return text + prefix
        prompt = self.text(messages)
        if prefix and self.style == "plain" and not prefix[0].isspace():
            prefix = " " + prefix
        return prompt + prefix

    def room(self, request: Request) -> int:
        """Tokens that may be emitted: ``max_tokens``, capped where the context ends."""
        wanted = request.sampling.max_tokens
        return wanted if self.context is None else min(wanted, self.context - len(self.ids(request)))

    def thinking(self, request: Request) -> bool:
        """Whether the prompt ends inside a thinking block."""
        if request.ids is not None:
            return False
        prompt = self._prompt(request.messages, request.text, request.prefix)
        return prompt.rstrip().endswith("<think>")

    def continuation(self, request: Request, text: str) -> tuple[int, ...]:
        """Ids of ``text`` as the answer to ``request``: what joint encoding adds to the prompt, else encoded apart."""
        prompt = self.ids(request)
        if request.ids is None:
            whole = self._cached(request.messages, request.text, None, request.prefix + text)
            if whole[: len(prompt)] == prompt:
                return whole[len(prompt) :]
        return tuple(self.tokens.encode(text))

    def neutralise(self, text: str) -> str:
        """``neutralise`` with this model's special tokens."""
        return neutralise(text, self.tokens.specials)


def _template_error() -> type[Exception]:
    from jinja2.exceptions import TemplateError

    return TemplateError


def _compile(source: str) -> Any:
    """The template compiled as transformers does, in a sandbox, with a fixed date instead of a clock."""
    from jinja2 import nodes
    from jinja2.exceptions import TemplateError, TemplateSyntaxError
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        tags = {"generation"}

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body, lineno=line)

    def fail(message: str) -> None:
        raise TemplateError(message)

    def tojson(x: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False) -> str:
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = fail
    env.globals["strftime_now"] = lambda _form: _DATE
    try:
        return env.from_string(source)
    except TemplateSyntaxError as error:
        raise Fatal(f"the chat template cannot be compiled: {error}") from error
