"""The weights kit: pure merge functions, plans (recipes of merges), a streaming executor, and slots that hold candidates.

Invariant: a merge is a function of its recipe and its sources' bytes alone. Arithmetic is float32 on the CPU, rounded once to
the stored dtype, so that a checkpoint written by ``write`` and a merge made in memory hold the same bits.
"""

from moco.weights.building import MergedModel, build_model, lease
from moco.weights.checks import check
from moco.weights.executor import Written, keep, write
from moco.weights.linear import linear
from moco.weights.ops import OPS, Op
from moco.weights.plan import Leaf, Plan
from moco.weights.slot import Slot

__all__ = [
    "OPS",
    "Leaf",
    "MergedModel",
    "Op",
    "Plan",
    "Slot",
    "Written",
    "build_model",
    "check",
    "keep",
    "lease",
    "linear",
    "write",
]
