"""Joint decoding: several models write one answer together, token by token. See ``Rule`` for what a method adds."""

from moco.decoding.fusion import LogitMean, ProbMean
from moco.decoding.group import Group, build_group
from moco.decoding.rule import Rule, Step, log_softmax, shares

__all__ = ["Group", "LogitMean", "ProbMean", "Rule", "Step", "build_group", "log_softmax", "shares"]
