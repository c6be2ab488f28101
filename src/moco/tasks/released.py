"""The data files of the released MoCo framework: one object with ``name``, ``task_type``, ``dev`` and ``test``, read as they are.

Invariant: every row comes out once, with its line, split and place, its values untouched; ``as_record`` names our fields and
puts what moco has no field for into ``meta``. Ids repeat in several released files, so ours carry the task and the split.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moco.core.errors import DataError, did_you_mean
from moco.tasks.read import Table
from moco.tasks.record import KIND_ALIASES
from moco.tasks.rows import Fault, Row, read_text
from moco.tasks.strictjson import Cursor, OddJson, elements, keys, parse

TASK_TYPES = (
    *("multiple_choice", "exact_match", "f1_match", "general_verifier", "noncompliance"),
    *("reward_model", "coding", "text_generation", "generation_diversity"),
)
_BY_FIELDS = frozenset({"multiple_choice", "exact_match"})
"""Types whose kind follows from the fields of a record, so that a study may still name another."""
_OURS = ("id", "question", "input", "choices", "answer", "output", "test", "reference", "question_id")


@dataclass
class Released:
    """One released file: its rows as they are (``Row.split`` is dev or test, ``Row.index`` the place in it), and what broke."""

    name: str = ""
    task_type: str = ""
    rows: list[Row] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def looks_released(text: str) -> bool:
    """Whether ``text`` is an object whose first keys are those of a released file."""
    head = text.lstrip()[:4096]
    return head.startswith("{") and re.search(r'"(dev|test)"\s*:\s*\[', text) is not None


def read_released(path: str | Path) -> Released:
    """The rows of the released file at ``path``; raises DataError where it cannot be opened or has another shape."""
    text = read_text(Path(path))
    if isinstance(text, Fault):
        raise DataError(text.what, where=f"{path}:{text.line}", remedy=text.remedy)
    if not looks_released(text):
        raise DataError(
            "is not a released MoCo data file",
            where=str(path),
            remedy='it holds {"name": ..., "task_type": ..., "dev": [...], "test": [...]}',
        )
    return released_from(text, Path(path).stem)


def released_from(text: str, stem: str = "data") -> Released:
    """The released file in ``text``; nothing is raised, what cannot be read is in ``faults``."""
    out = Released(name=stem)
    cursor = Cursor(text)
    try:
        for line, key in keys(cursor):
            if key in ("dev", "test"):
                for index, (at, value) in enumerate(elements(cursor)):
                    if isinstance(value, dict):
                        out.rows.append(Row(at, value, key, index))
                    else:
                        out.faults.append(Fault(at, key, f"entry {index} is not an object", 'write {"id": ..., "input": ...}'))
                continue
            value = cursor.value()
            if key == "name" and isinstance(value, str) and value.strip():
                out.name = value
            elif key == "task_type" and value in TASK_TYPES:
                out.task_type = str(value)
            elif key == "task_type":
                remedy = did_you_mean(str(value), TASK_TYPES)
                out.faults.append(Fault(line, "task_type", f"'{value}' is not a task type that moco grades", remedy))
            elif key == "name":
                out.faults.append(Fault(line, "name", "is not a text", 'write "name": "mine"'))
            elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
                out.faults.append(Fault(line, key, "is neither dev nor test", did_you_mean(key, ("dev", "test"))))
        if cursor.next:
            raise OddJson("", "is not JSON: there is text after the object", "remove it", cursor.line)
    except OddJson as error:
        out.faults.append(Fault(error.line, error.field, error.what, error.remedy))
    out.task_type = out.task_type or _guess(out.rows)
    return out


def as_record(row: Row, task_type: str, name: str = "") -> dict[str, Any]:
    """The fields of our record in a released row; values of the wrong type stay, so that checking names them.

    ``output`` that is a JSON list of texts means aliases (f1_match and general_verifier), ``reference`` the references; the
    function that ``check(candidate)`` is about is found in the question.
    """
    data = row.data
    out: dict[str, Any] = {"id": _id(row, name), "split": row.split}
    question = data.get("question", data.get("input"))
    if question is not None:
        out["question"] = question
    if isinstance(data.get("question_id"), str | int):  # several items that are one question, as in CulturalBench-Hard
        out["group"] = str(data["question_id"])
    if data.get("choices") is not None:
        out["choices"] = data["choices"]
    gold = data.get("answer", data.get("output"))
    if task_type == "generation_diversity":
        out["answer"] = data.get("reference")
    elif task_type in ("multiple_choice", "exact_match", "f1_match", "general_verifier"):
        out["answer"] = _aliases(gold) if task_type in ("f1_match", "general_verifier") else gold
    if task_type == "coding":
        out |= _tests(data.get("test"), str(question or ""))
    if task_type == "exact_match" and not {"answer", "output"} & data.keys():
        out["kind"] = "short_text"  # so that the missing answer is named
        del out["answer"]
    elif task_type not in _BY_FIELDS:
        out["kind"] = KIND_ALIASES.get(task_type, task_type)
    meta = {key: value for key, value in data.items() if key not in _OURS}
    if "id" in data:
        meta["native_id"] = data["id"]
    if task_type not in ("multiple_choice", "exact_match", "f1_match", "general_verifier") and gold:
        meta["output"] = gold
    return {**out, "meta": meta} if meta else out


def released_field(field_name: str, row: Row) -> str:
    """What the released file calls our field: ``output`` for ``answer``, and so on."""
    known = {"answer": ("answer", "output", "reference"), "question": ("question", "input"), "tests": ("test",)}
    own = known.get(field_name, (field_name,))
    shorter = {"question": "input", "answer": "answer" if "choices" in row.data else "output"}
    return next((name for name in own if name in row.data), shorter.get(field_name, own[0]))


def _id(row: Row, name: str) -> str:
    native = row.data.get("id")
    native = row.index if native is None or isinstance(native, dict | list) else native
    return "/".join(part for part in (name, row.split, str(native)) if part)


def _aliases(gold: Any) -> Any:
    """The list in a text such as '["US", "USA"]'; anything else as it is."""
    if not isinstance(gold, str) or not gold.lstrip().startswith("["):
        return gold
    try:
        inside = parse(gold)
    except OddJson:
        return gold
    return inside if isinstance(inside, list) and inside and all(isinstance(one, str) for one in inside) else gold


def _tests(test: Any, question: str) -> dict[str, Any]:
    """The tests, which define ``check(candidate)``, and the function they are about."""
    name = entry_point(question)
    return {**({} if test is None else {"tests": test}), **({} if name is None else {"entry_point": name})}


def entry_point(question: str) -> str | None:
    """The function a programming question asks for: the last one its code defines, else the one its first assert calls."""
    defined = re.findall(r"^(?:async )?def (\w+)\(", question, re.MULTILINE)
    if defined:
        return str(defined[-1])
    for line in question.splitlines():
        at = line.find("assert ")
        if at >= 0 and (called := _called(line[at:])):
            return called
    return None


def _called(statement: str) -> str | None:
    try:
        tree = ast.parse(statement.strip())
    except SyntaxError:
        found = re.match(r"assert\s+(?:not\s+)?(\w+)\(", statement)
        return found.group(1) if found and not hasattr(builtins, found.group(1)) else None
    names = [n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
    return next((name for name in names if not hasattr(builtins, name)), None)


def _guess(rows: list[Row]) -> str:
    """The type of a file that names none, by the fields its rows have."""
    present = set[str]().union(*(row.data for row in rows[:50])) if rows else set()
    for name, task_type in _telling():
        if name in present:
            return task_type
    return "text_generation"


def _telling() -> Iterator[tuple[str, str]]:
    yield "choices", "multiple_choice"
    yield "test", "coding"
    yield "reference", "generation_diversity"
    yield "category", "noncompliance"
    yield "output", "exact_match"
    yield "answer", "exact_match"


def released_table(text: str, stem: str) -> Table:
    """The released file in ``text`` as rows in our fields; ids that the file repeats are told apart by their place."""
    found = released_from(text, stem)
    seen: set[str] = set()
    rows: list[Row | Fault] = list(found.faults)
    repeated = nul = 0
    for row in found.rows:
        data, mended = _without_nul(as_record(row, found.task_type, found.name))
        nul += mended
        if data["id"] in seen:
            repeated += 1
            data["id"] = f"{data['id']}#{row.index}"
        seen.add(data["id"])
        names = {name: released_field(name, row) for name in ("answer", "question", "tests")}
        rows.append(Row(row.line, data, row.split, row.index, names))
    notes = [f"{repeated} items have an id that stands for another one too; their place is added to it"] if repeated else []
    notes += [f"NUL characters are removed from {nul} items"] if nul else []
    return Table(rows, lenient=True, name=found.name, notes=tuple(notes))


def _without_nul(data: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """``data`` without NUL characters in its texts, which cannot be stored or sent, and whether there were any."""
    out = {name: value.replace("\0", "") if isinstance(value, str) else value for name, value in data.items()}
    return out, out != data
