"""What a study changes of a task's prompt: its words, and the worked examples that stand before a question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import BaseModel, Field, model_validator

from moco.core.errors import ConfigError, did_you_mean
from moco.study.strict import Strict, Text, refusal
from moco.tasks.record import KIND_ALIASES, KIND_NAMES, Prompt
from moco.tasks.shots import FewShot


class FewShotConfig(Strict):
    """Worked examples before a question, as earlier turns of the chat; a bare number is the ``count``. Those taken from dev leave
    it, and none asks what a test question asks."""

    count: Annotated[int, Field(strict=True, ge=0)]
    """How many."""
    source: Text | None = None
    """`own` (the task's), `dev`, or a data file; unless given, the task's own where it has some, else dev."""
    per: Text | None = None
    """A key in `meta`: a question is shown examples with its own value there; `none` shows all questions the same. Unless given,
    the task's subtasks (bbh), subjects (mmlu_redux) or subsets (agieval)."""

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            return {"count": value}
        if not isinstance(value, Mapping | BaseModel):
            raise refusal("few_shot is how many worked examples are shown", "write few_shot: 3, or {count: 3, source: dev}")
        return value

    def wanted(self) -> FewShot:
        return FewShot(self.count, self.source or "", "" if self.per == "none" else self.per)


class PromptConfig(Strict):
    """What is changed of a task's prompt; a bare text is the template."""

    _plain = "template"

    template: Annotated[str, Field(strict=True)] | None = None
    """The question as it is put: `{question}` and, where wanted, `{context}`, `{choices}`, `{answer_format}`; `{{name}}` prints a
    name in braces."""
    system: Annotated[str, Field(strict=True)] | None = None
    """The system message; empty for none."""
    answer_format: Annotated[str, Field(strict=True)] | dict[Text, Annotated[str, Field(strict=True)]] | None = None
    """One text for every kind of answer, or a text per kind."""
    few_shot: FewShotConfig | None = None
    """How many worked examples stand before a question, and of what; unless given, the task's own number."""

    @model_validator(mode="after")
    def _whole(self) -> PromptConfig:
        if isinstance(self.answer_format, dict):
            for kind in self.answer_format:
                if KIND_ALIASES.get(kind, kind) not in KIND_NAMES:
                    raise refusal(f"unknown kind '{kind}'", did_you_mean(kind, KIND_NAMES), "answer_format", kind)
        try:
            self.over(Prompt())
        except ConfigError as error:
            key, _, kind = error.where.partition(".")
            given = self.answer_format if isinstance(self.answer_format, dict) else {}
            raise refusal(error.what, error.remedy, key, *(k for k in given if KIND_ALIASES.get(k, k) == kind)) from error
        return self

    def over(self, base: Prompt) -> Prompt:
        """``base`` with what is set here."""
        formats = self.answer_format
        if isinstance(formats, str):
            formats = dict.fromkeys(KIND_NAMES, formats)
        return replace(
            base,
            template=base.template if self.template is None else self.template,
            system=base.system if self.system is None else self.system,
            answer_format=base.answer_format
            if formats is None
            else {**base.answer_format, **{KIND_ALIASES.get(kind, kind): text for kind, text in formats.items()}},
        )
