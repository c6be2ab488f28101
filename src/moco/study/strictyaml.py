"""YAML without surprises: plain Python values, and the line each of them came from.

Invariant: what is returned is what a reader of the file would expect, or a ConfigError names file, line and key.
Duplicate keys, anchors, aliases, tags, tabs in the indentation, second documents, `yes`/`no` as truth values, octal
numbers and numbers without a finite value are refused; dates and clock times stay text; `1e-3` is a number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import yaml
from pydantic_core import ErrorDetails

from moco.core.errors import ConfigError

Loc = tuple[str | int, ...]
MAX_CHARACTERS, MAX_DEPTH = 1 << 18, 24
_EXPONENT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")
_WANTED = {
    "int_type": ("a whole number", "write a whole number, without quotes"),
    "float_type": ("a number", "write a number, without quotes"),
    "bool_type": ("true or false", "write true or false, without quotes"),
    "tuple_type": ("a list", "write [a, b], or one '- a' per line"),
    "dict_type": ("keys and values", "write {key: value}, or one 'key: value' per line"),
    "string_type": ("a text", "write a text"),
    "model_type": ("a text or keys and values", "write a name or {key: value}"),
    "model_attributes_type": ("a text or keys and values", "write a name or {key: value}"),
}


def dotted(path: Sequence[str | int]) -> str:
    """``("pool", 1, "model")`` as ``pool[1].model``; the root is ``study``."""
    out = ""
    for step in path:
        out += f"[{step}]" if isinstance(step, int) else f".{step}" if out else str(step)
    return out or "study"


class Reader:
    """Reads one document from ``where`` and remembers where every path stands (``file:line``)."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.lines: dict[Loc, str] = {}

    def read(self, text: str) -> Any:
        """The document as dicts, lists and scalars; None where it is empty. Raises ConfigError."""
        text = text.removeprefix("\ufeff")
        if len(text) > MAX_CHARACTERS:
            raise self._error("longer than a study can be", 1, (), "keep data in files of its own")
        for number, line in enumerate(text.split("\n"), 1):
            if re.match(r" *\t\s*\S", line):
                raise self._error("a tab in the indentation", number, (), "indent with spaces")
        try:
            self._refuse_cleverness(text)
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.reader.ReaderError as fault:
            line_number = text.count("\n", 0, fault.position) + 1
            code = fault.character if isinstance(fault.character, int) else ord(str(fault.character)[:1])
            raise self._error(f"character U+{code:04X} is not text", line_number, (), "remove it") from fault
        except yaml.MarkedYAMLError as fault:
            mark = fault.problem_mark or fault.context_mark
            context = f" ({fault.context})" if fault.context else ""
            raise self._error(
                f"not YAML: {fault.problem}{context}",
                mark.line + 1 if mark else 1,
                (),
                "check the quotes, brackets and indentation of this line and the one above",
            ) from fault
        return None if node is None else self._value(node, ())

    def explain(self, error: ErrorDetails) -> ConfigError:
        """A pydantic error as a ConfigError at its line."""
        context: dict[str, Any] = error.get("ctx") or {}
        path: Loc = (*error["loc"], *context.get("at", ()))
        known = path
        while known not in self.lines and known:
            known = known[:-1]
        kind = error["type"]
        if kind not in ("missing", "study"):
            path = known
        what, remedy = _explanation(kind, error["input"], context, path, error["msg"])
        return ConfigError(what, where=f"{self.lines.get(known, self.where + ':1')}:{dotted(path)}", remedy=remedy)

    def _error(self, what: str, line: int, path: Loc, remedy: str) -> ConfigError:
        return ConfigError(what, where=f"{self.where}:{line}:{dotted(path)}", remedy=remedy)

    def _refuse_cleverness(self, text: str) -> None:
        """Raise for anchors, aliases, tags, depth and second documents, before anything is built."""
        depth = documents = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            line = event.start_mark.line + 1 if event.start_mark else 1
            anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
            if anchor is not None:
                sign = "alias *" if isinstance(event, yaml.AliasEvent) else "anchor &"
                raise self._error(f"{sign}{anchor}", line, (), "write the value out; anchors and aliases are not read")
            if tag is not None:
                raise self._error(f"tag {tag}", line, (), "remove the tag, or quote the text")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise self._error(f"nested more than {MAX_DEPTH} deep", line, (), "close the brackets")
            documents += isinstance(event, yaml.DocumentStartEvent)
            if documents > 1:
                raise self._error("a second document", line, (), "keep one study per file, without '---' between")

    def _value(self, node: yaml.Node, path: Loc) -> Any:
        line = node.start_mark.line + 1
        self.lines.setdefault(path, f"{self.where}:{line}")
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]
        if not isinstance(node, yaml.MappingNode):
            return self._scalar(node, path)
        out: dict[str, Any] = {}
        for key_node, item in node.value:
            at = key_node.start_mark.line + 1
            key = self._scalar(key_node, path) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str) or not key:
                shown = key_node.value if isinstance(key_node, yaml.ScalarNode) else "[...]"
                raise self._error(f"key '{shown}' is not a text", at, path, f"quote it: '{shown}'")
            if key in out:
                first = self.lines[(*path, key)].rsplit(":", 1)[-1]
                raise self._error(f"key '{key}' is given twice (first in line {first})", at, (*path, key), "keep one of them")
            self.lines[(*path, key)] = f"{self.where}:{at}"
            out[key] = self._value(item, (*path, key))
        return out

    def _scalar(self, node: yaml.Node, path: Loc) -> Any:
        text, tag, line = str(node.value), node.tag.rsplit(":", 1)[-1], node.start_mark.line + 1
        if tag == "null":
            return None
        if tag == "bool":
            if text.lower() in ("true", "false"):
                return text.lower() == "true"
            raise self._error(
                f"YAML reads {text} as a truth value",
                line,
                path,
                f"quote it if it is a text ('{text}'), or write true or false",
            )
        clever = tag in ("int", "float") and ":" not in text  # 1:30 would be 90: it stays text, like dates
        if not clever and not (tag == "str" and getattr(node, "style", None) is None and _EXPONENT.fullmatch(text)):
            return text
        try:
            if tag == "int":
                return int(text, 0)
            number = float(text)
            if math.isfinite(number):
                return number
        except ValueError:
            pass  # said below, together with numbers that are not finite
        raise self._error(
            f"{text[:40]} is not a plain finite number",
            line,
            path,
            f"quote it if it is a text ('{text[:40]}'), or write it plainly",
        )


def _explanation(kind: str, value: Any, context: dict[str, Any], path: Loc, message: str) -> tuple[str, str]:
    """(what, remedy) of a pydantic error."""
    name = dotted(path)
    shown = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    if len(shown) > 60:
        shown = shown[:57] + "..."
    if kind == "study":
        return str(context["what"]), str(context["remedy"])
    if kind == "missing":
        return f"'{path[-1]}' is missing", f"add '{path[-1]}'"
    if kind in ("too_short", "string_too_short", "string_pattern_mismatch") or value is None:
        return f"'{name}' is empty", "give at least one entry" if kind == "too_short" else "give a value, or remove the key"
    if kind in _WANTED:
        wanted, remedy = _WANTED[kind]
        if "text" in wanted and isinstance(value, bool | int | float):
            noun = "a truth value" if isinstance(value, bool) else "a number"
            return f"'{name}' is {shown}, {noun}; wanted is {wanted}", f"quote it if it is a text: '{shown}'"
        return f"'{name}' is {shown}; wanted is {wanted}", remedy
    for limit, words in (("ge", "at least"), ("gt", "more than"), ("le", "at most"), ("lt", "less than"), ("expected", "one of")):
        if limit in context:
            return f"'{name}' is {shown}", f"give {words} {context[limit]}"
    return f"'{name}' is {shown}: {message}", "correct the value"
