"""HumanEval+ and MBPP+: the JSONL files of evalplus (arXiv 2305.01210) as code tasks.

A problem comes with inputs (``base_input``, ``plus_input``) and a reference solution instead of right answers. Its tests call
both on every input, each on its own copy, and compare: equal; floats within ``atol`` (1e-6 where it is 0) plus 1e-7 of the
right value; and the file's known exceptions (any zero of a polynomial, lists compared as sets, and so on).

Deviations from evalplus 0.3: right answers come from the reference in the same run, not from a cache; a tolerance raised by
one input does not stay raised for the next; nothing is imported, so arrays are not compared (no reference returns one).
``contract`` (what inputs must satisfy; evalplus does not judge by it either) is kept in ``meta``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from moco.tasks.read import Table
from moco.tasks.rows import Fault, Row

_NEEDED = ("task_id", "prompt", "entry_point", "canonical_solution", "base_input", "plus_input")
_AS_SETS = frozenset(
    ("similar_elements", "find_char_long", "common_in_nested_lists", "extract_singly")
    + ("larg_nnum", "intersection_array", "find_dissimilar", "Diff")
)
_NOT_NONE = frozenset({"check_str", "text_match_three", "text_starta_endb"})

_TESTS = """\
import copy
import math

inf, nan = math.inf, math.nan
_INPUTS = {inputs}
_ATOL = {atol}
_reference = {{"__name__": "reference"}}
exec({reference}, _reference)


def _close(got, right, atol):
    if isinstance(right, (list, tuple)):
        return type(got) is type(right) and len(got) == len(right) and all(_close(g, r, atol) for g, r in zip(got, right))
    if isinstance(right, (bool, str, bytes)) or not isinstance(right, (int, float, complex)):
        return got == right
    return not isinstance(got, (str, bytes)) and abs(got - right) <= atol + 1e-7 * abs(right)


def _same(got, right, given):
{oracle}


def _equal(got, right):
    if got == right:
        return True
    floats = isinstance(right, float) or (isinstance(right, (list, tuple)) and right and all(isinstance(r, float) for r in right))
    atol = _ATOL or (1e-6 if floats else 0)
    return bool(atol) and type(got) is type(right) and _close(got, right, atol)


def check(candidate):
    for given in _INPUTS:
        right = _reference[{name!r}](*copy.deepcopy(given))
        got = candidate(*copy.deepcopy(given))
        assert _same(got, right, given), "wrong for " + repr(given)[:200]
"""

_PLAIN = "    return _equal(got, right)"
_ORACLES = {
    ("HumanEval", "find_zero"): "    return abs(sum(c * math.pow(got, i) for i, c in enumerate(given[0]))) <= _ATOL",
    ("Mbpp", "are_equivalent"): "    return True",
    ("Mbpp", "sum_div"): "    return _equal(got, right) or got == 0",
    ("Mbpp", "surface_Area"): (
        "    edge, height = given\n"
        "    other = round(edge**2 + 2 * edge * math.sqrt((edge / 2) ** 2 + height**2))\n"
        "    return _equal(got, right) or abs(got - other) <= _ATOL"
    ),
    ("Mbpp", "digit_distance_nums"): (
        "    one, two = (str(number) for number in given)\n"
        "    width = max(len(one), len(two))\n"
        "    other = sum(abs(int(a) - int(b)) for a, b in zip(one.zfill(width), two.zfill(width)))\n"
        "    return _equal(got, right) or got == other"
    ),
}
_SETS = "    return set(got) == set(right)"
_THERE = "    return got == (right is not None) if isinstance(got, bool) else (got is not None) == (right is not None)"


def recognised(table: Table) -> bool:
    """Whether the first row of ``table`` is a problem of evalplus."""
    first = next((row for row in table.rows if isinstance(row, Row)), None)
    return first is not None and "plus_input" in first.data and "canonical_solution" in first.data


def converted(table: Table, path: Path) -> Table:
    """The problems of ``table`` as code records in test; a row that is no such problem is a fault."""
    rows: list[Row | Fault] = []
    for row in table.rows:
        rows.append(row if isinstance(row, Fault) else _problem(row))
    note = "tests compare with the reference solution on evalplus' base and plus inputs"
    return Table(rows, unit=table.unit, name=path.stem, notes=(note,), licence="Apache-2.0 (evalplus)")


def _problem(row: Row) -> Row | Fault:
    data = row.data
    for name in _NEEDED:
        if name not in data:
            return Fault(row.line, name, "is missing from an evalplus problem", "take the whole line from evalplus' file")
    for name in _NEEDED[:4]:
        if not isinstance(data[name], str):
            return Fault(row.line, name, "is not a text", "take the whole line from evalplus' file")
    name, atol = data["entry_point"], data.get("atol", 0)
    if not name.isidentifier():
        return Fault(row.line, "entry_point", f"'{name}' is not the name of a function", "write the name alone")
    if isinstance(atol, bool) or not isinstance(atol, int | float) or atol < 0:
        return Fault(row.line, "atol", "is not a number of 0 or more", "write 0, or an absolute tolerance")
    inputs: list[Any] = []
    for field in ("base_input", "plus_input"):
        given = data[field] or []
        if not isinstance(given, list) or not all(isinstance(one, list) for one in given):
            return Fault(row.line, field, "is not a list of argument lists", "write [[first, second], ...]")
        inputs += given
    if not inputs:
        return Fault(
            row.line, "base_input", "holds no inputs, so that anything would pass", "take the whole line from evalplus' file"
        )
    try:
        inputs = restored(data["task_id"], inputs)
    except (TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
        return Fault(
            row.line, "base_input", f"has not the form of {data['task_id']}: {error}", "take the line from evalplus' file"
        )
    record = {
        "id": data["task_id"],
        "question": data["prompt"],
        "kind": "code",
        "split": "test",
        "tests": checks_of(data["task_id"], name, data["prompt"] + "\n" + data["canonical_solution"], inputs, atol),
        "entry_point": name,
        "meta": {key: data[key] for key in ("contract", "assertion") if isinstance(data.get(key), str)},
        "source": "evalplus",
    }
    return Row(row.line, record, names={"question": "prompt"})


def checks_of(task_id: str, name: str, reference: str, inputs: list[Any], atol: float) -> str:
    """Python text whose ``check(candidate)`` raises unless the function does on all ``inputs`` what ``reference`` does."""
    family = task_id.partition("/")[0]
    oracle = _ORACLES.get((family, name), _PLAIN)
    if family == "Mbpp" and (name in _AS_SETS or name in _NOT_NONE):
        oracle = _SETS if name in _AS_SETS else _THERE
    return _TESTS.format(inputs=repr(inputs), atol=repr(atol), reference=repr(reference), oracle=oracle, name=name)


Shape = Callable[[list[Any]], list[Any]]


def restored(task_id: str, inputs: list[Any]) -> list[Any]:
    """``inputs`` of an MBPP problem as the Python values that JSON could not hold: tuples, sets, complex numbers.

    Which problem needs which is a fact about the 22 May 2023 MBPP+ inputs, kept by evalplus in its loader.
    """
    family, _, number = task_id.partition("/")
    shape = _SHAPES.get(int(number)) if family == "Mbpp" and number.isdigit() else None
    return inputs if shape is None else [shape(one) for one in inputs]


def _each(inner: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    return lambda values: [inner(value) for value in values]


def _deep(value: Any) -> Any:
    return tuple(_deep(one) for one in value) if isinstance(value, list) else value


def _loose(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


_SHAPES: dict[int, Shape] = {
    **dict.fromkeys(
        (2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424) + (429, 470, 560, 579, 596, 616, 630, 726, 740, 744, 809),
        _each(tuple),
    ),
    **dict.fromkeys((63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780), _each(_each(tuple))),
    **dict.fromkeys((75, 413, 444, 753), lambda given: [[tuple(one) for one in given[0]], given[1]]),
    **dict.fromkeys((106, 750), lambda given: [given[0], tuple(given[1])]),
    **dict.fromkeys((250, 405, 446, 617, 720, 763, 808), lambda given: [tuple(given[0]), given[1]]),
    **dict.fromkeys((259, 401, 445), lambda given: [tuple(tuple(one) for one in inner) for inner in given]),
    **dict.fromkeys((580, 615, 791), lambda given: [_deep(one) for one in given]),
    115: lambda given: [[set(one) if isinstance(one, list) and one else {} for one in given[0]]],
    124: lambda given: [float(given[0]), complex(given[1])],
    252: lambda given: [complex(given[0])],
    278: lambda given: [tuple(_loose(one) for one in given[0])],
    307: lambda given: [tuple(given[0]), given[1], given[2]],
    722: lambda given: [{key: tuple(value) for key, value in given[0].items()}, *given[1:]],
}
