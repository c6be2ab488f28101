"""moco: language models answering together, executed, compared and served.

Public names are loaded on first use, so that ``import moco`` stays under a third of a second and free of torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from moco._version import __version__

if TYPE_CHECKING:
    from moco.collab import Example, Fitted, Method, Run, load_method, register
    from moco.core.errors import MocoError
    from moco.core.query import Query
    from moco.core.types import Answer, AnswerSpec, Completion, Draft, Message, Request, Sampling
    from moco.models.pool import Pool
    from moco.models.protocol import Model
    from moco.models.session import Session
    from moco.study import Study, aevaluate, evaluate, load_run
    from moco.tasks import load_task

_HOME = {
    "Answer": "moco.core.types",
    "AnswerSpec": "moco.core.types",
    "Completion": "moco.core.types",
    "Draft": "moco.core.types",
    "Example": "moco.collab",
    "Fitted": "moco.collab",
    "Message": "moco.core.types",
    "Method": "moco.collab",
    "MocoError": "moco.core.errors",
    "Model": "moco.models.protocol",
    "Pool": "moco.models.pool",
    "Query": "moco.core.query",
    "Request": "moco.core.types",
    "Run": "moco.collab",
    "Sampling": "moco.core.types",
    "Session": "moco.models.session",
    "Study": "moco.study",
    "aevaluate": "moco.study",
    "evaluate": "moco.study",
    "load_method": "moco.collab",
    "load_run": "moco.study",
    "load_task": "moco.tasks",
    "register": "moco.collab",
}

__all__ = [
    "__version__",
    "Answer",
    "AnswerSpec",
    "Completion",
    "Draft",
    "Example",
    "Fitted",
    "Message",
    "Method",
    "MocoError",
    "Model",
    "Pool",
    "Query",
    "Request",
    "Run",
    "Sampling",
    "Session",
    "Study",
    "aevaluate",
    "evaluate",
    "load_method",
    "load_run",
    "load_task",
    "register",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'moco' has no attribute '{name}'")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
