"""The catalogue: every known data set as one small declarative entry, and how its records are found, converted and divided.

An entry (``moco.tasks.catalogue.entry.Entry``) says what a task measures, where its rows are, and how a row becomes a
record; it knows nothing of files, networks or splits. Reading, mending, dividing and reporting are here, once for all.

Invariant: importing an entry reads no data and imports no heavy library. What is left out or mended is in ``Task.notes``.
"""

from moco.tasks.catalogue.entry import Defect, Entry, Example, Hub, LeaveOut, Native, Shots, Table, Variant
from moco.tasks.catalogue.making import keyed, lettered, one_label, text_of

__all__ = [
    "Defect",
    "Entry",
    "Example",
    "Hub",
    "LeaveOut",
    "Native",
    "Shots",
    "Table",
    "Variant",
    "keyed",
    "lettered",
    "one_label",
    "text_of",
]
