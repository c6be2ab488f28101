"""Every entry: it is registered, says what it is, converts its made-up examples in both shapes, and renders a prompt."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from moco.core.errors import ConfigError
from moco.tasks import TASKS
from moco.tasks.catalogue import Entry, Example, Native
from moco.tasks.catalogue.loading import apply, chosen, example
from moco.tasks.catalogue.making import Report, convert, record_of
from moco.tasks.catalogue.released_rows import by_fields
from moco.tasks.record import KIND_NAMES, Record
from tests.tasks.catalogue.places import NAMES

ENTRIES = [entry for name in TASKS.names() if isinstance(entry := TASKS.get(name), Entry)]
BY_NAME = {entry.name: entry for entry in ENTRIES}
EXAMPLES = [pytest.param(e, one, id=f"{e.name}-{i}") for e in ENTRIES for i, one in enumerate(e.examples)]


def native_records(entry: Entry, one: Example) -> list[Record]:
    name, variant = chosen(entry, None)
    report = Report()
    made = convert(apply(entry, variant).convert, Native(**{**vars(one.native), "variant": name}), "test", report)
    records = [record_of(m, entry.name, "made up", report) for m in made]
    assert not report.dropped and not report.left_out, report.notes()
    return [record for record in records if record is not None]


def test_all_tasks_are_registered_under_their_names() -> None:
    assert set(NAMES) <= set(TASKS.names()) and len(NAMES) == 32
    assert all(BY_NAME[name].name == name for name in NAMES)


def test_listing_names_imports_no_entry() -> None:
    code = (
        "import sys; from moco.tasks import TASKS; assert 'gsm8k' in TASKS.names(); "
        "late = ('moco.tasks.catalogue', 'datasets', 'pyarrow', 'torch'); "
        "assert not [m for m in late if m in sys.modules], sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_an_entry_says_what_it_is_in_json(entry: Entry) -> None:
    told = json.loads(json.dumps(entry.about()))
    assert told["kind"] in (*KIND_NAMES, "mixed")
    assert all(told[key] for key in ("metric", "measures", "licence", "paper", "sources", "template"))
    assert "hub" in told["sources"] or "files" in told["sources"]
    assert entry.examples and not entry.measures.endswith(".")


@pytest.mark.parametrize("entry, one", EXAMPLES)
def test_a_made_up_native_row_becomes_a_record(entry: Entry, one: Example) -> None:
    records = native_records(entry, one)
    assert records and all(record.question for record in records)
    for record in records:
        if record.choices and record.kind != "label":
            assert list(record.choices) == [chr(65 + i) for i in range(len(record.choices))]
            assert record.labels and set(record.labels) <= set(record.choices)


@pytest.mark.parametrize("entry, one", [p for p in EXAMPLES if p.values[1].released])
def test_the_released_shape_of_a_row_has_the_same_gold(entry: Entry, one: Example) -> None:
    as_released = apply(entry, entry.released_as)
    report = Report()
    row = Native(one.released, 0, str(one.released.get("domain", "")), "test")
    made = convert(entry.released or (lambda r: [by_fields(r, as_released.kind)]), row, "test", report)
    assert len(made) == 1 and not report.dropped and not report.left_out, report.notes()
    record = record_of(made[0], as_released.name, "released", report)
    assert record is not None, report.notes()
    if entry.released_as is None and entry.kind not in ("diversity", "code"):
        native = {gold_text(r) for r in native_records(entry, one)}
        assert gold_text(record) in native or native == {""}


def gold_text(record: Record) -> str:
    """What is right, as a text that does not depend on the order of options."""
    if record.choices and record.labels:
        return " & ".join(sorted(record.choices[label] for label in record.labels))
    gold = record.gold
    return (gold if isinstance(gold, str) else " & ".join(gold)).replace(",", "")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_the_prompt_shows_question_and_options_and_no_gold(entry: Entry) -> None:
    task = example(entry)
    for record in task.test:
        text = "\n".join(message.content for message in task.messages(record))
        assert record.question in text and "{" + "question" not in text
        kind = task.kind_of(record)
        if kind == "multiple_choice" and "{choices}" in task.prompt.template:
            assert all(f"{label}. {shown}" in text for label, shown in (record.choices or {}).items())
        if kind == "label" and record.choices and "{choices}" in task.prompt.template:
            assert f"Possible answers: {', '.join(record.choices)}" in text
        for hidden in ("reference", "solution", "reasoning", "canary"):
            assert str(record.meta.get(hidden) or "\0") not in text


def test_a_variant_that_is_not_there_is_refused_with_the_near_one() -> None:
    with pytest.raises(ConfigError, match="corrected"):
        chosen(BY_NAME["mmlu_redux"], "correctd")
    with pytest.raises(ConfigError, match="leave it out"):
        chosen(BY_NAME["gsm8k"], "main")


def test_a_made_up_example_has_no_dev() -> None:
    task = example(BY_NAME["gsm8k"])
    assert not task.dev and task.source == "made up"
