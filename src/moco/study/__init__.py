"""Plan, run, store, resume; statistics and analysis."""

from moco.study.config import StudyConfig, load_study
from moco.study.evaluation import Result, aevaluate, evaluate
from moco.study.runner import Unwatched, Watch
from moco.study.study import Preview, RunData, Study, load_fitted, load_run, load_team

__all__ = [
    "Preview",
    "Result",
    "RunData",
    "Study",
    "StudyConfig",
    "Unwatched",
    "Watch",
    "aevaluate",
    "evaluate",
    "load_fitted",
    "load_run",
    "load_study",
    "load_team",
]
