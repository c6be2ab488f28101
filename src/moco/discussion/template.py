"""Prompts as data: a text with named places, checked when it is written, filled in one pass.

Invariant: what is filled in is never read as a template, so braces in a question or a reply stay what they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from pydantic import AfterValidator

from moco.core.errors import ConfigError, did_you_mean

_PLACE = re.compile(r"\{\{(\w+)\}\}|\{([A-Za-z_]\w*)\}")


@dataclass(frozen=True)
class Template:
    """``text`` with places like ``{task}``; ``{{task}}`` prints a place, and braces around anything else are plain text.

    ``fields`` may be used, those in ``needs`` must be. A line that holds nothing but empty places is left out. Raises
    ConfigError for a place that is no field and for a needed one that is missing. As an option of a method::

        prompt: Annotated[str, UPDATE.option] = UPDATE.text
        ...
        UPDATE.but(self.prompt).fill(task=..., peers=...)
    """

    text: str
    fields: tuple[str, ...]
    needs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (found := self._fault()) is not None:
            what, remedy = found
            raise ConfigError(what, where="template", remedy=remedy)

    def _fault(self) -> tuple[str, str] | None:
        used = {m.group(2) for m in _PLACE.finditer(self.text) if m.group(2)}
        for name in sorted(used - set(self.fields)):
            return f"the prompt names {{{name}}}, which nothing fills", did_you_mean(name, self.fields)
        for name in sorted(set(self.needs) - used):
            return f"the prompt has no place for {{{name}}}", f"write {{{name}}} where it belongs"
        return None

    def but(self, text: str) -> Template:
        """The same fields in other words; raises ConfigError as above."""
        return self if text == self.text else replace(self, text=text)

    def fill(self, **values: str) -> str:
        """The prompt. Raises ConfigError unless exactly the fields are given."""
        for name in sorted(set(values) ^ set(self.fields)):
            what = "is not filled" if name in self.fields else "is no field"
            raise ConfigError(f"{{{name}}} {what}", where="template", remedy="fields: " + ", ".join(self.fields))
        lines = []
        for line in self.text.split("\n"):
            names = [m.group(2) for m in _PLACE.finditer(line)]
            bare = bool(names) and not _PLACE.sub("", line).strip()
            if bare and not any(values.get(name or "") for name in names):
                continue
            lines.append(_PLACE.sub(lambda m: values[m.group(2)] if m.group(2) else f"{{{m.group(1)}}}", line))
        return "\n".join(lines).strip("\n")

    @property
    def option(self) -> AfterValidator:
        """The check of a method's option that may replace the text."""

        def check(text: str) -> str:
            try:
                return self.but(text).text
            except ConfigError as error:
                raise ValueError(f"{error.what}; {error.remedy}") from error

        return AfterValidator(check)
