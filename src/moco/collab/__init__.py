"""Methods, and the law: a fitted collaboration is a Model."""

from moco.collab.fitted import Fitted, examples, fit, readable, request_for
from moco.collab.method import METHODS, Method, MethodInfo, load_method, option_defaults, option_types, register
from moco.collab.model import Collaboration, Team
from moco.collab.run import Example, Examples, Progress, Run, bounded, silent

__all__ = [
    "METHODS",
    "Collaboration",
    "Example",
    "Examples",
    "Fitted",
    "Method",
    "MethodInfo",
    "Progress",
    "Run",
    "Team",
    "bounded",
    "examples",
    "fit",
    "load_method",
    "option_defaults",
    "option_types",
    "readable",
    "register",
    "request_for",
    "silent",
]
