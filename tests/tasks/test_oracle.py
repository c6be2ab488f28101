"""A perfect answerer is right and a wrong one wrong, on the real files beside the repository; a list says where not."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from moco.core.types import AnswerSpec
from tests.tasks.oracle import DATA, DEFECTS, WRONG, Case, cases, misses_right, misses_wrong, phrasings, sampled

MOST = 0.01
"""The largest share of a file's records that may be defects."""
there = pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is not here; the project's own records still run")

LETTERS = ("A", "B", "C", "D")
OWN = [
    Case(
        "own",
        "1",
        "multiple_choice",
        ["C"],
        AnswerSpec("multiple_choice", LETTERS, ("gold", "iron ore", "iron", "a mix of tin and iron")),
    ),
    Case(
        "own",
        "2",
        "multiple_choice",
        ["A", "D"],
        AnswerSpec("multiple_choice", LETTERS, ("the heron", "the crane", "the stork", "the ibis")),
    ),
    Case("own", "3", "multiple_choice", "B", AnswerSpec("multiple_choice", LETTERS, ("15", "5", "1.5", "-5"))),
    Case("own", "4", "label", ["maybe"], AnswerSpec("label", ("yes", "no", "maybe"))),
    Case("own", "5", "label", ["unsound"], AnswerSpec("label", ("sound", "unsound"))),
    Case("own", "6", "label", "} ) >", AnswerSpec("label")),
    Case("own", "7", "label", "fig lime pear", AnswerSpec("label")),
    Case("own", "8", "numeric", "4,656", AnswerSpec("numeric"), neighbour="17"),
    Case("own", "9", "numeric", "-3.30", AnswerSpec("numeric"), neighbour="3/10"),
    Case("own", "10", "numeric", "[2, 5]", AnswerSpec("numeric"), neighbour="2"),
    Case("own", "11", "math", "\\frac{\\sqrt{3}}{2}", AnswerSpec("math"), neighbour="7"),
    Case("own", "12", "math", "\\$18.50", AnswerSpec("math"), neighbour="18"),
    Case("own", "13", "short_text", ["St. Albans", "Verulamium"], AnswerSpec("short_text"), neighbour="Bath"),
    Case("own", "14", "short_text", ["15:30", "3:30 PM"], AnswerSpec("short_text"), neighbour="Monday"),
]


def listed() -> dict[str, dict[str, str]]:
    """File, record, reason: what the graders are known to get wrong."""
    return {file: dict(ids) for file, ids in json.loads(DEFECTS.read_text(encoding="utf-8")).items()}


@pytest.mark.parametrize("case", OWN, ids=lambda c: c.id)
def test_our_own_records(case: Case) -> None:
    assert len(phrasings(case)) >= 10
    assert not list(misses_right(case))
    assert not list(misses_wrong(case))


def check(some: list[Case]) -> None:
    known = listed()
    wrong = [
        (miss.case.file, miss.case.id, miss.phrasing, miss.got.extracted)
        for case in some
        if case.id not in known.get(case.file, {})
        for miss in (*misses_right(case), *misses_wrong(case))
    ]
    assert not wrong, wrong[:10]


@there
def test_a_sample_of_every_file() -> None:
    some = sampled(list(cases()), 24)
    assert len({case.file for case in some}) >= 30 and {case.kind for case in some} >= {
        "multiple_choice",
        "label",
        "numeric",
        "math",
    }
    check(some)


@there
@pytest.mark.slow
def test_every_record_of_every_file() -> None:
    every = list(cases())
    assert len(every) > 29_000 and sum(len(case.wrong) * len(WRONG) for case in every) > 100_000
    check(every)


@there
@pytest.mark.slow
def test_defects_are_few_real_and_have_a_reason() -> None:
    every = {(case.file, case.id): case for case in cases()}
    sizes = Counter(file for file, _ in every)
    for file, ids in listed().items():
        assert len(ids) <= MOST * sizes[file] + 1e-9, file
        for id, reason in ids.items():
            case = every[file, id]
            assert len(reason) > 10
            assert [*misses_right(case), *misses_wrong(case)], f"{file} {id} is no defect any more"
