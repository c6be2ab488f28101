"""Worked examples: chosen by the records alone, never one of test, gone from dev, with replies the grader takes as right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moco.core.errors import ConfigError, DataError
from moco.study import load_study
from moco.study.loading import load_tasks
from moco.tasks import TASKS, FewShot, Prompt, Record, Task, load_task
from moco.tasks.catalogue import Entry
from moco.tasks.catalogue.loading import example
from moco.tasks.record import literal
from moco.tasks.shots import with_shots, worked_reply


def sums(start: int, count: int, **fields: Any) -> list[Record]:
    return [
        Record(id=f"q{i}", question=f"What is {i} plus 1?", answer=str(i + 1), kind="numeric", **fields)
        for i in range(start, start + count)
    ]


def never(path: Path) -> list[Record]:
    raise AssertionError(f"{path} is read")


TASK = Task("sums", sums(0, 20), sums(100, 10), "numeric")


def test_examples_come_first_and_leave_dev() -> None:
    task = with_shots(TASK, FewShot(3), never)
    shown = [shot.record for shot in task.prompt.shots]
    assert len(shown) == 3 and len(task.dev) == 17 and not {r.id for r in shown} & {r.id for r in task.dev}
    messages = task.messages(task.test[0])
    assert [m.role for m in messages] == ["user", "assistant"] * 3 + ["user"]
    assert messages[0].content == task.prompt.render(shown[0], "numeric") and messages[1].content == f"Answer: {shown[0].answer}"
    assert messages[-1] == TASK.messages(task.test[0])[-1] and task.test == TASK.test
    assert task.fingerprint != TASK.fingerprint and task.prompt.fingerprint() != TASK.prompt.fingerprint()
    ids = ", ".join(r.id for r in shown)
    assert task.notes == (
        f"3 worked examples of dev: {ids}",
        "3 records left dev with them: they, their questions and their groups",
    )


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(range(20)), count=st.integers(1, 19))
def test_the_choice_depends_on_the_records_alone(order: list[int], count: int) -> None:
    """Not on their order, nor on how many are asked for: fewer are the first of more."""
    mixed = Task("sums", [TASK.dev[i] for i in order], TASK.test, "numeric")
    chosen = [shot.record.id for shot in with_shots(mixed, FewShot(count), never).prompt.shots]
    assert chosen == [shot.record.id for shot in with_shots(TASK, FewShot(19), never).prompt.shots][:count]


def test_what_test_asks_is_never_an_example() -> None:
    twin = Record(id="twin", question="what is 100 PLUS 1", answer="101", kind="numeric")
    kin = [r.model_copy(update={"group": f"g{i % 2}"}) for i, r in enumerate(sums(0, 4))]
    test = [TASK.test[0], TASK.test[1].model_copy(update={"group": "g0"})]
    task = Task("sums", [twin, *kin], test, "numeric")
    shown = with_shots(task, FewShot(1), never)
    assert [shot.record.group for shot in shown.prompt.shots] == ["g1"]
    assert {r.id for r in shown.dev} == {"twin", "q0", "q2"}  # a group is one example, and leaves dev whole
    with pytest.raises(ConfigError, match="only 1 of 5 records of dev can be worked examples, and few_shot asks for 2"):
        with_shots(task, FewShot(2), never)


def test_a_question_is_shown_examples_of_its_own_sort() -> None:
    dev = [r.model_copy(update={"meta": {"topic": "ab"[i % 2]}}) for i, r in enumerate(sums(0, 9))]
    test = [r.model_copy(update={"meta": {"topic": topic}}) for r, topic in zip(sums(100, 5), "abcab", strict=True)]
    task = with_shots(Task("t", dev, test, "numeric"), FewShot(2, per="topic"), never)
    for record in test:
        topics = [shot.record.meta["topic"] for shot in task.prompt.shots_for(record)]
        assert topics == ([] if record.meta["topic"] == "c" else [record.meta["topic"]] * 2)
        assert len(task.messages(record)) == 1 + 2 * len(topics)
    assert task.notes[-1] == "fewer worked examples than asked for where topic is c (0)"
    with pytest.raises(ConfigError, match="no record has 'tpic' in meta; remedy: did you mean 'topic'"):
        with_shots(Task("t", dev, test, "numeric"), FewShot(2, per="tpic"), never)


def test_a_key_that_tells_the_answer_is_refused() -> None:
    rows = [
        Record(
            id=f"q{i}",
            question=f"Is {i} even?",
            kind="label",
            choices={"yes": "yes", "no": "no"},
            answer=said,
            meta={"gold": said},
        )
        for i in range(12)
        for said in ["yes" if i % 2 == 0 else "no"]
    ]
    with pytest.raises(ConfigError, match="'gold' gives the right answer away"):
        with_shots(Task("t", rows[:6], rows[6:], "label"), FewShot(1, per="gold"), never)


CHOICES = {"A": "red", "B": "blue", "C": "green"}


@pytest.mark.parametrize(
    "fields, reply",
    [
        ({"answer": "1,200", "kind": "numeric"}, "Answer: 1,200"),
        ({"answer": "12", "kind": "numeric", "meta": {"reasoning": "5 and 7."}}, "5 and 7.\nAnswer: 12"),
        ({"answer": "6", "kind": "numeric", "meta": {"reasoning": "2 * 3 = <<2*3=6>>6."}}, "2 * 3 = 6.\nAnswer: 6"),
        ({"answer": "6", "kind": "numeric", "meta": {"reasoning": "1 << 2 >> 1, so 6."}}, "1 << 2 >> 1, so 6.\nAnswer: 6"),
        ({"answer": "12", "kind": "numeric", "meta": {"solution": "So it is 12."}}, "So it is 12."),
        ({"answer": "12", "kind": "numeric", "meta": {"solution": "So it is 13."}}, "Answer: 12"),  # the grader does not take it
        ({"answer": "\\frac{1}{2}", "kind": "math"}, "Answer: \\boxed{\\frac{1}{2}}"),
        ({"answer": "B", "choices": CHOICES}, "Answer: B"),
        ({"labels": ["A", "C"], "choices": CHOICES}, "Answer: A, C"),
        ({"answer": "y", "choices": {"x": "red", "y": "blue", "id": "grey"}}, "Answer: B"),  # as it is shown
        ({"answer": "no", "kind": "label", "choices": {"yes": "yes", "no": "no"}}, "Answer: no"),
        ({"answer": ["Paris", "City of Paris"]}, "Answer: Paris"),
        ({"tests": "assert f(1)", "meta": {"reference": "def f(x):\n    return x\n"}}, "```python\ndef f(x):\n    return x\n```"),
        ({"tests": "assert f(1)"}, None),
        ({"answer": "noncomply", "kind": "noncompliance"}, None),
        ({"kind": "reward"}, None),
    ],
)
def test_replies(fields: dict[str, Any], reply: str | None) -> None:
    record = Record(id="a", question="What?", **fields)
    task = Task("t", [], [record])
    assert worked_reply(task, record) == reply


def test_gsm8k_keeps_the_marks_of_its_authors_and_shows_none() -> None:
    entry = TASKS.get("gsm8k")
    assert isinstance(entry, Entry)
    task = example(entry)
    [record] = task.test
    assert "<<3*400=1200>>" in record.meta["reasoning"] and "<<" not in (worked_reply(task, record) or "<<")


def test_own_examples_and_none() -> None:
    own = with_shots(TASK, FewShot(3), never).prompt.shots
    task = Task("t", TASK.dev, TASK.test, "numeric", Prompt(shots=own[:2]), worked=own)
    assert with_shots(task, FewShot(3), never).prompt.shots == own and with_shots(task, FewShot(3), never).dev == task.dev
    assert with_shots(task, FewShot(0), never).prompt.shots == ()
    assert len(with_shots(task, FewShot(2, "dev"), never).dev) == 18
    with pytest.raises(ConfigError, match=r"it has 3 worked examples of its own, and few_shot asks for 4.*source: dev"):
        with_shots(task, FewShot(4), never)
    with pytest.raises(ConfigError, match="give 0 or more"):
        FewShot(-1)


def test_records_with_their_own_chat_take_none() -> None:
    chat = [{"role": "user", "content": "What is 1 + 1?"}]
    task = Task("t", TASK.dev, [Record(id="m", messages=chat, answer="2")], "numeric")
    with pytest.raises(ConfigError, match="bring a chat of their own"):
        with_shots(task, FewShot(1), never)
    silent = Task("t", [Record(id="n", question="Be safe?", answer="comply")], [Record(id="o", question="V?", answer="comply")])
    with pytest.raises(ConfigError, match="a right reply of kind noncompliance cannot be written down"):
        with_shots(Task("t", silent.dev, silent.test, "noncompliance"), FewShot(1), never)


def written(path: Path, records: list[Record]) -> Path:
    rows = (record.model_dump(mode="json", exclude_defaults=True) for record in records)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_from_a_file_and_before_the_limit(tmp_path: Path) -> None:
    data = written(tmp_path / "data.jsonl", sums(0, 200))
    more = written(tmp_path / "more.jsonl", [*sums(500, 3, split="dev"), sums(0, 200, split="dev")[-1]])
    whole, few = load_task(data, few_shot=3), load_task(data, few_shot=3, limit=4)
    assert whole.prompt == few.prompt and (len(few.dev), len(few.test)) == (4, 4)
    task = load_task(data, few_shot=FewShot(3, str(more)))
    assert {shot.record.id for shot in task.prompt.shots} <= {"q500", "q501", "q502", "q199"}
    assert not {"q199"} & {shot.record.id for shot in task.prompt.shots} & {record.id for record in task.test}
    with pytest.raises(DataError, match="there is no such file"):
        load_task(data, few_shot=FewShot(1, "nowhere.jsonl"))


def test_a_study_says_how_many_and_of_what(tmp_path: Path) -> None:
    data = written(tmp_path / "data.jsonl", sums(0, 60))
    study = """
pool: [playground/alpha]
tasks: [{{data: {data}, prompt: {prompt}}}]
methods: [single]
"""
    for prompt, count in (("{few_shot: 2}", 2), ('{template: "Q: {question}", few_shot: {count: 1, source: dev, per: none}}', 1)):
        [task] = load_tasks(load_study(study.format(data=data, prompt=prompt))).values()
        assert len(task.prompt.shots) == count and len(task.messages(task.test[0])) == 2 * count + 1
        assert task.messages(task.test[0])[0].content == task.prompt.render(task.prompt.shots[0].record, "numeric")
    for wrong, what in (
        ("{few_shot: two}", "few_shot is how many worked examples are shown"),
        ("{few_shot: true}", "write few_shot: 3"),
        ("{few_shot: {cuont: 2}}", "unknown key 'cuont'; remedy: did you mean 'count'"),
        ("{few_shot: -1}", "few_shot"),
    ):
        with pytest.raises(ConfigError, match=what):
            load_study(study.format(data=data, prompt=wrong))


@pytest.mark.parametrize(
    "template, what",
    [
        ("{contxt} {question}", "names {contxt}, which nothing fills"),
        ("{{question}}", "does not show the question"),
        ("{ question }", "'question' stands in braces with blanks"),
    ],
)
def test_a_template_that_cannot_be_meant(template: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Prompt(template)
    assert what in caught.value.what and caught.value.remedy


@given(st.text(alphabet="{}ab1 \\", max_size=12))
def test_literal_texts_are_shown_as_they_are(text: str) -> None:
    record = Record(id="a", question="W{question}?", answer="1")
    shown = Prompt(f"<{literal(text)}>{{question}}").render(record, "numeric")
    assert shown == f"<{text}>W{{question}}?"


def test_a_place_in_double_braces_is_printed() -> None:
    record = Record(id="a", question="W?", answer="1")
    assert Prompt("Fill {{answer}} in.\n{choices}\n{question}").render(record, "numeric") == "Fill {answer} in.\nW?"
