"""What the types of a record cannot say: values that contradict one another, and what is legal but suspicious.

Invariant: ``oddities`` are faults (such a record would be graded wrongly), ``warnings_of`` are not. Texts are compared
without case, width, blanks and closing punctuation, so a question with another full stop is the same question.
"""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from moco.tasks.gold import wrong_gold
from moco.tasks.record import KIND_NAMES, NEEDS_ANSWER, Record, displayed
from moco.tasks.strictjson import OddJson, parse

REMEDIES = {
    "answer": "write the right answer, a list of aliases, or for multiple choice one of the labels",
    "choices": 'write at least two options as {"A": "text", "B": "text"}',
    "labels": "write a list of labels that are among the choices",
    "question": "write the question, or messages",
    "id": "give every record its own id as a text",
    "tests": "write the tests as Python text",
    "split": "write dev or test, or leave it out",
    "messages": 'write [{"role": "user", "content": "text"}]',
    "tolerance": "write a relative tolerance of 0 or more, or leave it out",
    "kind": "write one of " + ", ".join(KIND_NAMES),
    "meta": 'write an object, {"key": "value"}',
}


@dataclass(frozen=True)
class Doubt:
    """Something legal that may be a mistake."""

    line: int
    what: str


def oddities(given: dict[str, Any], record: Record) -> Iterator[tuple[str, str, str]]:
    """(field, what, remedy) for values of a well-typed record that contradict one another; ``given`` is what the file says."""
    wanted = record.kind in ("", *NEEDS_ANSWER) and record.labels is None and record.tests is None
    if wanted and "answer" in given and given["answer"] is None:
        yield "answer", "is null", "write the right answer, or leave the record out"
    if isinstance(record.answer, str) and _listed(record.answer):
        yield "answer", "is a list written as a text", f"write the list itself, {record.answer.strip()}"
    if (wrong := wrong_gold(record, record.effective_kind)) is not None:
        yield "answer", *wrong
    yield from _labels(record)
    if record.choices is not None:
        yield from _identical(record)
    if record.tests is not None:
        yield from _tests(record)
    if record.tolerance is not None and record.effective_kind not in ("numeric", "math"):
        yield "tolerance", f"goes with numbers, not with {record.effective_kind}", "leave it out"
    if record.messages is not None and record.messages[-1].get("role") == "assistant":
        yield "messages", "ends with the assistant, so there is nothing to answer", "end with what the user says"


def _labels(record: Record) -> Iterator[tuple[str, str, str]]:
    if record.labels is None or record.answer is None:
        return
    answers = [record.answer] if isinstance(record.answer, str) else record.answer
    missing = [one for one in answers if one not in record.labels]
    if missing:
        yield "labels", f"does not hold the answer '{missing[0]}'", "give answer or labels, not two that differ"


def _identical(record: Record) -> Iterator[tuple[str, str, str]]:
    golds = {record.gold} if isinstance(record.gold, str) else set(record.gold)
    for first, second in twins(record):
        if (first in golds) != (second in golds):
            what = f"options '{first}' and '{second}' are the same text, and only one of them is right"
            yield "choices", what, "correct one of the two, or name both in labels"
            return


def twins(record: Record) -> Iterator[tuple[str, str]]:
    """Labels of options with the same text, each with the first one that has it."""
    seen: dict[str, str] = {}
    for label, text in (record.choices or {}).items():
        plain = " ".join(unicodedata.normalize("NFC", text).split())
        if plain in seen:
            yield seen[plain], label
        seen.setdefault(plain, label)


def _tests(record: Record) -> Iterator[tuple[str, str, str]]:
    tests = record.tests or ""
    try:
        tree = ast.parse(tests)
    except (SyntaxError, ValueError) as error:
        line = f" in its line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        yield "tests", f"is not Python{line}: {getattr(error, 'msg', error)}", ""
        return
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    defines = any(isinstance(node, ast.FunctionDef) and node.name == "check" for node in tree.body)
    if record.entry_point is not None and not record.entry_point.isidentifier():
        yield "entry_point", f"'{record.entry_point}' is not the name of a function", "write the name alone, add"
    elif (
        record.entry_point is not None and record.entry_point not in names | attributes and not (defines and "check" not in names)
    ):
        yield "entry_point", f"'{record.entry_point}' is never called in tests", "call it in tests, or correct the name"
    elif record.entry_point is None and defines and "check" not in names:
        yield "tests", "defines check() and names no function to call it with", "add entry_point: NAME"


def _listed(text: str) -> bool:
    """Whether ``text`` is a JSON or Python list of texts."""
    if not text.lstrip().startswith(("['", '["')) or not text.rstrip().endswith("]"):
        return False
    try:
        value = parse(text)
    except OddJson:
        try:
            value = ast.literal_eval(text.strip())
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return False
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)


def normalised(text: str) -> str:
    """``text`` without case, width, blanks and closing punctuation; never empty unless ``text`` is blank."""
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return re.sub(r"[\s.?!:;,。？！：]+$", "", plain) or plain


def warnings_of(records: Sequence[Record], lines: Sequence[int], unit: str = "line") -> Iterator[Doubt]:
    """Repeated questions, dev/test overlap, groups on both sides, identical wrong options, answers that only some have."""
    first: dict[tuple[str, ...], tuple[int, Record]] = {}
    for record, line in zip(records, lines, strict=True):
        for one, other in twins(record):
            yield Doubt(line, f"options '{one}' and '{other}' are the same text")
        key = asked(record)
        if key not in first:
            first[key] = line, record
            continue
        at, before = first[key]
        answer = "" if before.gold == record.gold or record.choices is not None else ", with another answer"
        if record.split is not None and before.split is not None and record.split != before.split:
            where = f"there in {before.split}, here in {record.split}"
            yield Doubt(line, f"the question of {unit} {at} again{answer}, {where}: dev/test overlap")
        else:
            yield Doubt(line, f"the question of {unit} {at} again{answer}: duplicate question")
    for group, splits in _groups(records).items():
        if len(splits) > 1:
            yield Doubt(0, f"group '{group}' is in dev and in test: dev/test overlap")
    doubled = [line for record, line in zip(records, lines, strict=True) if _shows_options(record)]
    if doubled:
        yield Doubt(
            doubled[0], f"the question shows its options already, and they are shown below it again ({len(doubled)} records)"
        )
    yield from _odd_labels(records, lines)
    bare = [
        line for record, line in zip(records, lines, strict=True) if not record.kind and record.effective_kind == "generation"
    ]
    if bare and len(bare) < len(records):
        yield Doubt(bare[0], f"has no answer and no kind, so it is read as generation ({len(bare)} such records)")


def _odd_labels(records: Sequence[Record], lines: Sequence[int]) -> Iterator[Doubt]:
    """Labels that are not shown as they are, and numbers where other records of the file have letters."""
    asked = [(line, record) for record, line in zip(records, lines, strict=True) if record.choices]
    renamed = [
        (line, record) for line, record in asked if [label for label, _ in displayed(record)] != list(record.choices or ())
    ]
    if renamed:
        line, record = renamed[0]
        shown = ", ".join(label for label, _ in displayed(record))
        yield Doubt(line, f"labels {', '.join(record.choices or ())} are shown as {shown} ({len(renamed)} such records)")
    numbered = [line for line, record in asked if all(label.isdigit() for label in record.choices or ())]
    if numbered and len(numbered) < len(asked):
        yield Doubt(numbered[0], f"labels are numbers here and letters in other records ({len(numbered)} such records)")


def _shows_options(record: Record) -> bool:
    return record.choices is not None and all(f"{label}. {text}" in record.question for label, text in record.choices.items())


def asked(record: Record) -> tuple[str, ...]:
    """What makes two records ask the same: question, context and options, normalised."""
    said = normalised(record.question) or str(record.messages)
    return (said, normalised(record.context or ""), *sorted(normalised(text) for text in (record.choices or {}).values()))


def _groups(records: Sequence[Record]) -> dict[str, set[str]]:
    out: dict[str, set[str]] = {}
    for record in records:
        if record.group is not None and record.split is not None:
            out.setdefault(record.group, set()).add(record.split)
    return out
