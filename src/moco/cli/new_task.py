"""What ``moco new task`` writes: an entry like those of the catalogue, made-up data for it, and its test."""

from __future__ import annotations

import json
from pathlib import Path

ENTRY = '''\
"""{title}: say here what it asks, and where its questions are from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moco.tasks import Prompt
from moco.tasks.catalogue import Entry, LeaveOut, Native, Table, keyed


def rows(row: Native) -> list[dict[str, Any]]:
    """A row of the file as the fields of our record; what cannot be graded raises Defect, what is not wanted LeaveOut."""
    data = row.data
    if data["picture"]:
        raise LeaveOut("needs a picture")
    record = {{"id": data["number"], "question": data["text"], **keyed(data["options"], data["key"], topic=data["topic"])}}
    return [{{**record, "side": data["part"], "group": data["topic"]}}]


ENTRY = Entry(
    name="{name}",
    kind="multiple_choice",
    metric="accuracy",
    measures="made-up questions about made-up places",
    licence="yours",
    convert=rows,
    tables=(Table(files=("{name}.jsonl",)),),
    beside=Path(__file__).parent,
    prompt=Prompt(answer_format={{"multiple_choice": "End with 'Answer: ' and the letter of the right option."}}),
    notes=("what everybody who reports a figure of it should know",),
)
'''

TEST = '''\
"""What the task {name} promises, on the data beside it. Run with: pytest {test}"""

import json
from pathlib import Path

import moco
from moco.tasks import Source

TASK = f"{{Path(__file__).with_name('{file}')}}:ENTRY"


def test_every_row_becomes_a_record_or_is_counted():
    task = moco.load_task(TASK)
    assert (task.name, task.kind, len(task.dev), len(task.test)) == ("{name}", "multiple_choice", 3, 5)
    assert "left out 1: needs a picture" in task.notes
    assert not [note for note in task.notes if note.startswith("dropped")]


def test_a_model_sees_the_question_and_its_options_and_not_the_answer():
    task = moco.load_task(TASK)
    record = task.test[0]
    asked = task.messages(record)[-1].content
    assert record.question in asked and "A. " in asked and asked.endswith("the letter of the right option.")
    assert "native_label" not in asked


def test_right_replies_are_right_and_wrong_ones_wrong():
    task = moco.load_task(TASK)
    for record in task.test:
        [right] = record.labels
        wrong = next(label for label in record.choices if label != right)
        assert task.grade(record, f"It must be so. Answer: {{right}}").score == 1
        assert task.grade(record, f"Answer: {{wrong}}").score == 0


def test_a_row_that_cannot_be_graded_is_dropped_and_named(tmp_path):
    lines = Path(__file__).with_name("{name}.jsonl").read_text(encoding="utf-8").splitlines()
    broken = {{**json.loads(lines[0]), "number": "odd", "part": "test", "key": "z"}}
    (tmp_path / "{name}.jsonl").write_text("\\n".join([*lines, json.dumps(broken)]), encoding="utf-8")
    task = moco.load_task(TASK, source=Source(tmp_path))
    assert len(task.test) == 5
    assert any(note.startswith("dropped 1: the gold answer is not among the options (") for note in task.notes)
'''

_ASKED = (
    ("dev", "Vellin", "Which river runs through made-up Vellin?", ("the Orr", "the Tamm", "the Isk"), "b"),
    ("dev", "Vellin", "Which way does the made-up river Tamm run?", ("north", "south"), "a"),
    ("dev", "Odra Hill", "What grows on made-up Odra Hill?", ("vines", "rice"), "a"),
    ("test", "Lake Brume", "How deep is made-up Lake Brume?", ("9 m", "90 m", "900 m"), "b"),
    ("test", "Lake Brume", "Which fish lives in made-up Lake Brume?", ("pike", "cod"), "a"),
    ("test", "Port Sabel", "What leaves made-up Port Sabel by ship?", ("salt", "ice", "glass"), "c"),
    ("test", "Port Sabel", "Who built the made-up pier of Port Sabel?", ("monks", "masons"), "b"),
    ("test", "Mount Carrow", "What is on top of made-up Mount Carrow?", ("a chapel", "a mast"), "a"),
)


def made_up() -> str:
    """The data of the skeleton: a line per question, and one that the entry leaves out."""
    rows = [
        {
            "number": str(number),
            "part": part,
            "topic": topic,
            "text": text,
            "options": dict(zip("abc", options, strict=False)),
            "key": key,
            "picture": "",
        }
        for number, (part, topic, text, options, key) in enumerate(_ASKED, 1)
    ]
    rows.append({**rows[-1], "number": str(len(rows) + 1), "text": "Which of these is made-up Mount Carrow?", "picture": "9.png"})
    return "".join(json.dumps(row) + "\n" for row in rows)


def task_files(name: str, folder: Path = Path()) -> dict[str, str]:
    """A task called ``name``, its data and its test, by file name; ``docs/own-task.md`` shows the same."""
    words = {
        "name": name,
        "title": name.replace("_", " ").capitalize(),
        "file": f"{name}.py",
        "test": (folder / f"test_{name}.py").as_posix(),
    }
    return {
        f"{name}.py": ENTRY.format(**words),
        f"{name}.jsonl": made_up(),
        f"test_{name}.py": TEST.format(**words),
    }
