"""Tasks: records, how they are loaded, checked and asked, and the graders that judge the answers.

Invariant: imports only ``moco.core``; what a model is shown (``Task.messages``, ``Task.spec_of``) never holds a gold answer.
"""

from moco.tasks.check import Report, check_file
from moco.tasks.graders import Grade, grade
from moco.tasks.load import TASKS, load_task
from moco.tasks.read import Fault
from moco.tasks.record import Prompt, Record, Task

__all__ = ["TASKS", "Fault", "Grade", "Prompt", "Record", "Report", "Task", "check_file", "grade", "load_task"]
