"""Uniform soup: one model whose weights are the average of all members' (arXiv 2203.05482).

Invariant: nothing is learned and nothing is asked but the merged model; the average of equal members is that member.
"""

from __future__ import annotations

from typing import Literal

from moco.collab.method import Method, register
from moco.models.pool import Pool
from moco.models.protocol import Model
from moco.weights import Plan, check


@register("uniform_soup", level="weight", paper="arXiv:2203.05482", needs={"*": {"WEIGHTS"}})
class UniformSoup(Method):
    """The average of all members' weights answers."""

    cost = "1 call per query, of the merged model"
    fidelity = (
        "w = (w_1 + ... + w_n) / n per tensor (section 2), in float32, rounded once to the donor's dtype",
        "equal members enter once with their number as weight: their average is the member, bit for bit",
        "deviates from the official code: sum first, then one division, where it scales each model by 1/n and adds",
        "deviates from the released code: no checkpoint in float16; configuration and tokenizer are the first member's",
        "tests: tests/methods/test_uniform_soup.py, tests/weights/test_linear.py, tests/weights/test_executor.py",
    )
    presets = {"moco": {"dtype": "float16"}}

    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """What the average is rounded to; None keeps the dtype of each tensor of the donor."""
    donor: str = ""
    """Member that gives configuration, tokenizer and chat template; empty: the first."""

    def compatible(self, pool: Pool) -> None:
        check(self.plan(pool))

    def as_model(self, pool: Pool) -> Model:
        return pool.model(self.plan(pool))

    def plan(self, pool: Pool) -> Plan:
        """The recipe: all members alike."""
        return Plan.linear(pool, dtype=self.dtype, donor=self.donor)
