"""A data file of any readable format as a file of ours: read, checked, written whole.

Invariant: nothing is written where the file has a fault. What a format says beside its records (a prompt, left out items) is
not lost silently: a prompt becomes the records' messages, the rest is in the report's notes.
"""

from __future__ import annotations

from pathlib import Path

from moco.tasks.check import Report, check_file, check_table, known_kind
from moco.tasks.hub import Hub, hub_table
from moco.tasks.load import check_kind
from moco.tasks.mapping import Fields
from moco.tasks.record import Prompt, Record, Task
from moco.tasks.write import write_records


def convert_data(
    source: Path, out: Path, fields: Fields | None = None, kind: str | None = None, hub: Hub | None = None
) -> Report:
    """Read ``source`` (or ``hub``), give records without a kind ``kind``, and write ``out``; returns the report on ``source``.

    Raises DataError for a fault of ``source``, ConfigError for an unknown kind or a format that moco does not write.
    """
    wanted = known_kind(kind)
    report = check_file(source, fields) if hub is None else check_table(hub_table(hub), hub.name, hub.fields)
    report.raise_first()
    if wanted is not None:
        check_kind(report.records, wanted, report.path)
        report.records = [r if r.kind else r.model_copy(update={"kind": wanted}) for r in report.records]
    records = report.records if report.table.prompt is None else [_asked(r, report.table.prompt) for r in report.records]
    write_records(out, records)
    return report


def _asked(record: Record, prompt: Prompt) -> Record:
    """``record`` with the chat that ``prompt`` makes of it, so that the written file asks the same."""
    task = Task("", [], [record], record.effective_kind, prompt)
    messages = [{"role": turn.role, "content": turn.content} for turn in task.messages(record)]
    return record.model_copy(update={"messages": messages})
