"""The playground: tiny real language models with complementary skills, and tasks to let them collaborate on.

Light to import: torch is needed only to train (``moco.playground.recipe``).
"""

from moco.playground.members import EXPERTS, MEMBERS, MemberInfo, model_path
from moco.playground.tasks import TASKS, TaskEntry, prompt_template, records, render
from moco.playground.world import World, make_world

__all__ = [
    "EXPERTS",
    "MEMBERS",
    "TASKS",
    "MemberInfo",
    "TaskEntry",
    "World",
    "make_world",
    "model_path",
    "prompt_template",
    "records",
    "render",
]
