"""Tasks: records, how they are loaded, checked and asked, and the graders that judge the answers.

Invariant: imports only ``moco.core`` and the plain protocols of ``moco.models``; what a model is shown (``Task.messages``,
``Task.spec_of``) never holds a gold answer.
"""

from moco.tasks.check import Report, check_file
from moco.tasks.graders import NOBODY, Grade, Helpers, grade, needs_of
from moco.tasks.hub import Hub
from moco.tasks.load import TASKS, Source, load_task
from moco.tasks.record import Prompt, Record, Shot, Task
from moco.tasks.rows import Fault
from moco.tasks.shots import FewShot

__all__ = [
    "NOBODY",
    "TASKS",
    "Fault",
    "FewShot",
    "Grade",
    "Helpers",
    "Hub",
    "Prompt",
    "Record",
    "Report",
    "Shot",
    "Source",
    "Task",
    "check_file",
    "grade",
    "load_task",
    "needs_of",
]
