"""Records, prompts and tasks: what a data file holds, how it is asked, and how an answer to it is graded.

Invariant: a gold answer leaves a record only through ``gold`` and ``Task.grade``; ``spec_of`` and ``messages`` hold
nothing that is not shown to a model. A task's fingerprint covers its records and its prompt, nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from moco.core.errors import ConfigError, did_you_mean
from moco.core.seeds import digest
from moco.core.types import AnswerSpec, Message, chat
from moco.tasks.graders import NOBODY, Grade, Helpers, Item, assess, grade

Split = Literal["dev", "test"]

KIND_NAMES = (
    *("multiple_choice", "label", "numeric", "math", "short_text", "code"),
    *("noncompliance", "reward", "verifier", "diversity", "generation", "likelihood"),
)
KIND_ALIASES = {
    "exact_match": "short_text",
    "f1_match": "short_text",
    "coding": "code",
    "reward_model": "reward",
    "general_verifier": "verifier",
    "generation_diversity": "diversity",
    "text_generation": "generation",
}
NEEDS_ANSWER = frozenset({"multiple_choice", "label", "numeric", "math", "short_text", "verifier", "likelihood"})

ANSWER_FORMATS: dict[str, str] = {
    "multiple_choice": "Think briefly, then end with 'Answer: ' and the letter of the right option.",
    "label": "End with 'Answer: ' and the label.",
    "numeric": "Think step by step, then end with 'Answer: ' and the number.",
    "math": "Think step by step, then end with 'Answer: ' and the result in \\boxed{}.",
    "short_text": "End with 'Answer: ' and the answer in a few words.",
    "code": "Write the whole solution in one ```python block.",
}
"""What is asked of an answer, per kind; a task may override any of them, also with an empty text."""

PLACES = ("context", "question", "choices", "answer_format")
"""What a template may name in braces."""
_PLACE = re.compile(r"\{\{(\w+)\}\}|\{([A-Za-z_]\w*)\}")
_PADDED = re.compile(r"\{(?:[ \t]+(\w+)[ \t]*|(\w+)[ \t]+)\}")


class Record(BaseModel):
    """One question of a data file. ``answer`` as a list means aliases, ``labels`` is a set of right labels."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    id: str = Field(min_length=1)
    question: str = ""
    choices: dict[str, str] | None = None
    answer: str | list[str] | None = None
    split: Split | None = None
    meta: dict[str, JsonValue] = Field(default_factory=dict)
    kind: str = ""
    tests: str | None = None
    entry_point: str | None = None
    context: str | None = None
    messages: list[dict[str, str]] | None = None
    labels: list[str] | None = None
    tolerance: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    group: str | None = None
    source: str | None = None

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """What is set: most fields of most records are not."""
        return ((name, value) for name, value in super().__repr_args__() if value not in (None, "", {}))

    @model_validator(mode="before")
    @classmethod
    def _canonical_kind(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("kind"), str):
            return {**data, "kind": KIND_ALIASES.get(data["kind"], data["kind"])}
        return data

    @model_validator(mode="after")
    def _consistent(self) -> Record:
        for name, what in faults_of(self):
            raise ValueError(f"{name}: {what}")
        return self

    @property
    def gold(self) -> str | list[str]:
        """What an answer is graded against: the set of right labels, the aliases or the answer; '' where there is none."""
        if self.labels is not None and (self.choices is not None or self.answer is None):
            return list(self.labels)
        return self.answer if self.answer is not None else ""

    @property
    def effective_kind(self) -> str:
        """The record's kind, or the one its fields imply."""
        return self.kind or inferred_kind(self)


def inferred_kind(record: Record) -> str:
    """Options make it multiple choice, tests code, a number numeric, any other answer short text, none generation."""
    if record.choices is not None:
        return "multiple_choice"
    if record.tests is not None:
        return "code"
    if record.tolerance is not None or (isinstance(record.answer, str) and _is_number(record.answer)):
        return "numeric"
    return "generation" if record.answer is None else "short_text"


def _is_number(text: str) -> bool:
    try:
        return float(text.replace(",", "")) not in (float("inf"), float("-inf")) and any(c.isdigit() for c in text)
    except ValueError:
        return False


def faults_of(record: Record) -> list[tuple[str, str]]:
    """(field, what) for everything about a record that its types cannot say."""
    found: list[tuple[str, str]] = []
    if not record.question.strip() and not record.messages:
        found.append(("question", "is empty and there are no messages"))
    if record.choices is not None:
        if len(record.choices) < 2:
            found.append(("choices", f"holds {len(record.choices)} options" if record.choices else "is empty"))
        found += [("choices", f"option '{label}' is empty") for label, text in record.choices.items() if not text.strip()]
        found += [
            ("choices", f"label '{label}' is blank or holds ','") for label in record.choices if not label.strip() or "," in label
        ]
        for name, given in (("answer", record.answer), ("labels", record.labels)):
            for one in [given] if isinstance(given, str) else given or []:
                if one not in record.choices:
                    found.append((name, f"'{one}' is not among the choices {', '.join(record.choices)}"))
    kind = record.effective_kind
    if kind in ("multiple_choice", "likelihood") and record.choices is None:
        found.append(("choices", f"is missing from a {kind.replace('_', '-')} record"))
    if kind in NEEDS_ANSWER and record.answer is None and record.labels is None:
        found.append(("answer", f"is missing; a {kind} record needs one"))
    if record.answer is not None and not (record.answer if isinstance(record.answer, list) else record.answer.strip()):
        found.append(("answer", "is empty"))
    elif isinstance(record.answer, list) and not all(one.strip() for one in record.answer):
        found.append(("answer", "holds an empty alias"))
    if record.labels is not None and not record.labels:
        found.append(("labels", "is empty"))
    if kind == "code" and not record.tests:
        found.append(("tests", "is missing from a code record"))
    for number, turn in enumerate(record.messages or []):
        if turn.get("role") not in ("system", "user", "assistant") or "content" not in turn:
            found.append(("messages", f"turn {number} is not a chat message"))
    return found


@dataclass(frozen=True)
class Shot:
    """A worked example that stands before the question: a record and the reply to it. Never one of dev or test."""

    record: Record
    reply: str


@dataclass(frozen=True)
class Prompt:
    """How a record is asked. ``template`` may name {question}, {choices}, {context} and {answer_format}; ``{{name}}`` prints
    a name in braces.

    ``answer_format`` is per kind; a kind that is not named takes the default of ``ANSWER_FORMATS``. An empty part
    leaves no blank line behind. ``shots`` come as earlier turns of the chat, the first one first. Raises ConfigError for a
    template that does not show the question or names what nothing fills, and for a place where nothing is filled in.
    """

    template: str = "{context}\n{question}\n{choices}\n{answer_format}"
    answer_format: Mapping[str, str] = field(default_factory=dict)
    system: str = ""
    shots: tuple[Shot, ...] = ()
    shots_by: str = ""
    """A key in ``meta``: only those shots are shown whose record has the question's value there; '' shows all."""

    def __post_init__(self) -> None:
        named = _places(self.template)
        for m in _PADDED.finditer(self.template):
            if (name := m[1] or m[2]) in PLACES:
                raise ConfigError(f"'{name}' stands in braces with blanks", where="template", remedy=f"write {{{name}}}")
        for name in sorted(named - set(PLACES)):
            remedy = f"{did_you_mean(name, PLACES)} ({{{{{name}}}}} shows it as it is)"
            raise ConfigError(f"the template names {{{name}}}, which nothing fills", where="template", remedy=remedy)
        if "question" not in named:
            remedy = "write {question} where it belongs"
            raise ConfigError("the template does not show the question", where="template", remedy=remedy)
        texts = {"system": self.system, **{f"answer_format.{kind}": text for kind, text in self.answer_format.items()}}
        for where, text in texts.items():
            for name in sorted(_places(text) & set(PLACES)):
                what = f"{{{name}}} is filled in the template only, and this text is shown as it is"
                raise ConfigError(what, where=where, remedy=f"move {{{name}}} into the template")

    def format_for(self, kind: str) -> str:
        return self.answer_format.get(kind, ANSWER_FORMATS.get(kind, ""))

    def render(self, record: Record, kind: str) -> str:
        """The user message of ``record``."""
        parts = {
            "question": record.question,
            "choices": _options(record, kind),
            "context": record.context or "",
            "answer_format": self.format_for(kind),
        }
        lines = []
        for line in self.template.split("\n"):
            names = _places(line)
            if names and not _PLACE.sub("", line).strip() and not any(parts[name] for name in names):
                continue
            lines.append(_PLACE.sub(lambda m: parts[m[2]] if m[2] else f"{{{m[1]}}}", line))
        return "\n".join(lines).strip("\n")

    def fingerprint(self) -> str:
        shots = [[shot.record.model_dump(mode="json"), shot.reply] for shot in self.shots]
        taught = [shots, *([self.shots_by] if self.shots_by else [])] if shots else []
        return digest("prompt", self.template, dict(self.answer_format), self.system, *taught)

    def shots_for(self, record: Record) -> Sequence[Shot]:
        """The worked examples that stand before ``record``."""
        if not self.shots_by:
            return self.shots
        own = record.meta.get(self.shots_by, "")
        return [shot for shot in self.shots if shot.record.meta.get(self.shots_by, "") == own]


def _options(record: Record, kind: str) -> str:
    """The options under their labels; of a label record, the labels in one line; of a likelihood record, none."""
    if kind == "likelihood":
        return ""
    if kind == "label":
        return "Possible answers: " + ", ".join(record.choices) if record.choices else ""
    return "\n".join(f"{shown}. {text}" for shown, text in displayed(record))


def _places(text: str) -> set[str]:
    """The names in single braces."""
    return {m[2] for m in _PLACE.finditer(text) if m[2]}


def literal(text: str) -> str:
    """``text`` as a part of a template that shows it as it is, braces and all."""
    return re.sub(r"\{(\w+)\}", r"{{\1}}", text)


def displayed(record: Record) -> list[tuple[str, str]]:
    """The options as shown: their own labels where these are letters or numbers of one to two signs, else A, B, C.

    The labels of a label record are the answers themselves and stay as they are.
    """
    choices = record.choices or {}
    own = record.kind == "label" or all(
        (len(label) == 1 and label.isalnum()) or (label.isdigit() and len(label) == 2) for label in choices
    )
    return [(label if own else chr(65 + i), text) for i, (label, text) in enumerate(choices.items())]


@dataclass(frozen=True, repr=False)
class Task:
    """Records in ``dev`` and ``test`` (disjoint), how they are asked, and their grader."""

    name: str
    dev: list[Record]
    test: list[Record]
    kind: str = "mixed"
    prompt: Prompt = field(default_factory=Prompt)
    metric: str = ""
    """Which figure of a grade is the score (``em``, ``contains``, ``f1``, ...); '' is the kind's own score."""
    whole_groups: bool = False
    """Whether a question counts only where every record of its group is right (CulturalBench-Hard)."""
    macro: str = ""
    """The key in ``meta`` (say ``subject``) over whose values a macro mean is shown beside the mean."""
    notes: tuple[str, ...] = ()
    """What was left out or mended when the task was loaded, with counts and ids; kept in the manifest of a run."""
    licence: str = ""
    source: str = ""
    """Where the records are from: data set, config, revision, or the file."""
    worked: tuple[Shot, ...] = ()
    """The worked examples that the task itself has, of which the prompt may show the first few; none of dev or test."""

    def __post_init__(self) -> None:
        shared = {r.id for r in self.dev} & {r.id for r in self.test}
        if shared:
            raise ConfigError(
                f"'{min(shared)}' is in dev and in test",
                where=f"task {self.name}",
                why="dev tunes what test measures",
                remedy="give every record one split",
            )

    def __repr__(self) -> str:
        return f"Task({self.name!r}, kind={self.kind!r}, dev={len(self.dev)}, test={len(self.test)})"

    def kind_of(self, record: Record) -> str:
        return record.kind or (self.kind if self.kind != "mixed" else inferred_kind(record))

    def spec_of(self, record: Record) -> AnswerSpec:
        """How an answer to ``record`` is extracted and compared; never its gold answer."""
        kind = self.kind_of(record)
        choices = record.choices or {}
        return AnswerSpec(
            kind=kind,
            labels=tuple(shown for shown, _ in displayed(record)),
            choices=tuple(choices.values()),
            tolerance=record.tolerance,
            question=record.question or (record.messages or [{"content": ""}])[-1]["content"],
            answer_format=self.prompt.format_for(kind),
        )

    query_fields = spec_of

    def messages(self, record: Record) -> tuple[Message, ...]:
        """The chat a model is asked with; a record's own ``messages`` are taken as they are."""
        head = (Message("system", self.prompt.system),) if self.prompt.system else ()
        if record.messages is not None:
            own = chat(record.messages)
            return own if own and own[0].role == "system" else (*head, *own)
        shown = [
            message
            for shot in self.prompt.shots_for(record)
            for message in (
                Message("user", self.prompt.render(shot.record, self.kind_of(shot.record))),
                Message("assistant", shot.reply),
            )
        ]
        return (*head, *shown, Message("user", self.prompt.render(record, self.kind_of(record))))

    def grade(self, record: Record, text: str) -> Grade:
        """The verdict of a rule on ``text`` as an answer to ``record``; raises ConfigError for a kind no rule can grade."""
        return self._measured(grade(self.kind_of(record), text, self.gold_of(record), self.spec_of(record)))

    async def score(self, record: Record, text: str, helpers: Helpers = NOBODY) -> Grade:
        """The verdict on ``text`` as an answer to ``record``, by rule or by asking ``helpers``.

        Raises ConfigError for a missing helper, BackendError where a helper cannot answer.
        """
        return self._measured(await assess(self.kind_of(record), text, self.item_of(record), helpers))

    def _measured(self, found: Grade) -> Grade:
        return replace(found, score=found.metrics[self.metric]) if self.metric in found.metrics else found

    def item_of(self, record: Record) -> Item:
        """``record`` as its grader sees it, with its gold answer."""
        return Item(
            self.spec_of(record),
            self.gold_of(record),
            self.messages(record),
            record.context or "",
            record.tests or "",
            record.entry_point or "",
            record.meta,
        )

    def gold_of(self, record: Record) -> str | list[str]:
        """The gold answer in the labels the model was shown, which for odd labels ('id') are letters."""
        shown = {own: label for own, (label, _) in zip(record.choices or {}, displayed(record), strict=True)}
        gold = record.gold
        return shown.get(gold, gold) if isinstance(gold, str) else [shown.get(one, one) for one in gold]

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the records (in order), the kind, the prompt and what is measured."""
        dumped = [[r.model_dump(mode="json") for r in part] for part in (self.dev, self.test)]
        return digest("task", self.kind, self.prompt.fingerprint(), self.metric, self.whole_groups, dumped)
