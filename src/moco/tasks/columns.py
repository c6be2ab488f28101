"""Files whose columns have names of their own: one fault per column instead of one per row, and the mapping that reads them.

Invariant: nothing is read by a guess. What is guessed here is only proposed, as the words a user types.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from moco.tasks.mapping import FIELDS, NOT_THERE, TEXTS, Fields, paths
from moco.tasks.rows import Fault, Row

UNKNOWN_FIELD = "is not a known field"
_SYNONYMS = {
    "question": "prompt query input instruction problem questiontext stem text q request sentence",
    "answer": "gold target answerkey correctanswer rightanswer correct solution output completion expected expectedoutput "
    "expectedanswer groundtruth reference response finalanswer goldanswer answeridx answerindex correctindex cop key label",
    "choices": "options candidates alternatives endings",
    "context": "passage background document article paragraph",
    "id": "qid questionid uid uuid exampleid itemid",
}
_OPTION = re.compile(r"(?:option|choice|opt|op|alternative|candidate)?[ _-]?(?:[a-h]|\d)", re.IGNORECASE)
_LOOKED_AT = 50
_EXTRAS = 4
"""How many columns that are none of ours are proposed to be kept."""
_LINES = 20


def named(fields: Fields) -> dict[str, str]:
    """A mapping as a user writes it in a line, lists of columns with commas."""
    return {name: column if isinstance(column, str) else ",".join(column) for name, column in fields.items()}


def as_options(fields: Fields) -> str:
    """``--map question=prompt --map answer=gold``, quoted for a shell."""
    return " ".join(f"--map {shlex.quote(f'{name}={column}')}" for name, column in named(fields).items())


def as_yaml(fields: Fields) -> str:
    """``{question: prompt, answer: gold}``, as a study has it under ``fields``."""
    return flow(plain(fields))


def plain(fields: Fields) -> dict[str, str | list[str]]:
    """A mapping of texts and lists."""
    return {name: column if isinstance(column, str) else list(column) for name, column in fields.items()}


def flow(value: dict[str, Any]) -> str:
    """``value`` as YAML in one line, quoted where it must be."""
    import yaml

    return yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False, allow_unicode=True).strip()


def proposed(columns: Sequence[str], rows: Sequence[Row], fields: Fields) -> dict[str, str | Sequence[str]]:
    """The mapping that these columns seem to want: as given, with mistyped columns corrected, else by names and contents."""
    if fields:
        corrected = {name: _corrected(column, columns) for name, column in fields.items()}
        return corrected if named(corrected) != named(fields) else {}
    found: dict[str, str | Sequence[str]] = {}
    strange = [name for name in columns if name not in FIELDS and "." not in name]
    for name, synonyms in _SYNONYMS.items():
        if name not in columns and (column := _by_name(name, synonyms.split(), strange)) is not None:
            found[name] = column
            strange.remove(column)
    options = [name for name in strange if _OPTION.fullmatch(name) and "," not in name]
    if "choices" not in found and "choices" not in columns and len(options) > 1:
        found["choices"] = options
        strange = [name for name in strange if name not in options]
    if "question" not in found and not {"question", "messages"} & set(columns) and (longest := _longest(strange, rows)):
        found["question"] = longest
        strange.remove(longest)
    if "answer" not in found and not {"answer", "labels", "tests"} & set(columns) and len(strange) == 1:
        found["answer"] = strange.pop()
    for name in {"choices", *TEXTS} & set(columns):  # lists of options and numbers are read as they are where they are mapped
        if any(_is_mapped(name, row.data.get(name)) for row in rows):
            found[name] = name
    ordered = {name: found[name] for name in FIELDS if name in found}
    if not ordered or len(strange) > _EXTRAS:
        return ordered
    return {**ordered, **dict(map(_kept, strange))}


def _is_mapped(name: str, value: Any) -> bool:
    return isinstance(value, list) if name == "choices" else isinstance(value, int | float) and not isinstance(value, bool)


def columns_of(rows: Sequence[Row | Fault]) -> list[str]:
    """Every column that a row has, and the paths into it, in the order they appear in."""
    return list(dict.fromkeys(path for row in rows if isinstance(row, Row) for path in paths(row.data)))


def gathered(faults: Sequence[Fault], number: int, unit: str, mapping: Fields) -> list[Fault]:
    """``faults`` of ``number`` rows, those of a column as one; ``mapping`` is what is proposed instead of it."""
    groups: dict[tuple[str, str], list[Fault]] = {}
    for fault in faults:
        groups.setdefault((fault.field, fault.what), []).append(fault)
    out: list[Fault] = []
    for (name, what), same in groups.items():
        everywhere = len({fault.line for fault in same}) == number > 1
        column = what == UNKNOWN_FIELD or what.endswith(NOT_THERE)
        if not name or not (everywhere or column):
            out += same
        elif column or name != "question" or mapping.get(name, name) == name:  # else said of the column that it is in
            out.append(_one(same, everywhere, unit, mapping))
    return out


def _one(same: Sequence[Fault], everywhere: bool, unit: str, mapping: Fields) -> Fault:
    """The fault of a column; where it is in every row, it is one of the whole file."""
    first = same[0]
    lines = list(dict.fromkeys(fault.line for fault in same))
    slip = first.remedy.startswith("did you mean")
    remedy = _remedy(first, mapping) if everywhere or (mapping and not slip) else first.remedy
    if everywhere:
        return replace(first, line=0, what=f"{first.what} (in all {len(lines)} {unit}s)", remedy=remedy)
    if len(lines) == 1:
        return replace(first, remedy=remedy)
    shown = ", ".join(map(str, lines[:_LINES])) + (", ..." if len(lines) > _LINES else "")
    return replace(first, what=f"{first.what} (in {len(lines)} {unit}s: {shown})", remedy=remedy)


def _remedy(fault: Fault, mapping: Fields) -> str:
    ours = next(
        (name for name, column in mapping.items() if fault.field in ([column] if isinstance(column, str) else column)), ""
    )
    if fault.what == UNKNOWN_FIELD and (not ours or ours.startswith("meta.")):
        guess = f"{fault.remedy} Or " if fault.remedy.startswith("did you mean") else ""
        kept = as_options(dict([_kept(fault.field)]))
        return f"{guess}keep it with {kept}; columns that a mapping does not name are left behind"
    if ours and fault.what == UNKNOWN_FIELD:
        one = {ours: mapping[ours]}
        return f"if it is the {_called(ours)}, say so: {as_options(one)}, or in a study fields: {as_yaml(one)}"
    if ours == fault.field and ours in mapping:
        return f"{fault.remedy}, or read it as it is: {as_options({ours: ours})}"
    return fault.remedy


def _called(name: str) -> str:
    return {"choices": "options", "answer": "right answer"}.get(name, name)


def _kept(column: str) -> tuple[str, str]:
    """The mapping that keeps a column of one's own in ``meta``."""
    return "meta." + re.sub(r"[^\w-]+", "_", column), column


def _corrected(column: str | Sequence[str], columns: Sequence[str]) -> str | Sequence[str]:
    if not isinstance(column, str):
        return [str(_corrected(one, columns)) for one in column]
    near = [column] if column in columns else difflib.get_close_matches(column, columns, n=1, cutoff=0.6)
    return near[0] if near else column


def _by_name(name: str, synonyms: Sequence[str], strange: Sequence[str]) -> str | None:
    called = {re.sub(r"[\W_]+", "", one).casefold(): one for one in reversed(strange)}
    for synonym in (name, *synonyms):
        if synonym in called:
            return called[synonym]
    near = difflib.get_close_matches(name, strange, n=1, cutoff=0.75)
    return near[0] if near else None


def _longest(strange: Sequence[str], rows: Sequence[Row]) -> str | None:
    """The column with the longest texts; None where no column holds texts."""
    size = {name: sum(map(len, _texts(name, rows))) for name in strange}
    return max(size, key=lambda name: size[name]) if any(size.values()) else None


def _texts(name: str, rows: Sequence[Row]) -> Iterator[str]:
    for row in rows[:_LOOKED_AT]:
        value: Any = row.data.get(name)
        if isinstance(value, str):
            yield value
