"""Mixture of agents: layers of members answer with the last layer's answers as references, an aggregator writes the result.

arXiv 2406.04692. Knows nothing of answers: nobody votes, the aggregator's text is the answer. Unlike in a debate nobody's own
answer is singled out, and nothing but the layer before is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from moco.collab.method import Method, register
from moco.collab.run import Examples, Run
from moco.core.errors import PoolError
from moco.core.query import Query
from moco.core.types import Answer, Draft
from moco.discussion import Ranking, answer_of, rank_on_dev
from moco.discussion.aggregation import COMBINE, FIELDS, reading
from moco.discussion.quoting import LINE, Form
from moco.discussion.template import Template
from moco.discussion.turns import Asked, Turn, take, take_all
from moco.models.pool import Pool

REFERENCES = Template(
    """\
Several assistants answered the user's question; some of them may be wrong. Weigh where they agree and how they reason, and \
combine their answers into one better answer of your own. Their answers:
{answers}""",
    FIELDS,
    ("answers",),
)


@register("mixture_of_agents", level="text", paper="arXiv:2406.04692", fit="optional", roles={"aggregator": 0})
class MixtureOfAgents(Method):
    """Layers of proposers who read the layer before, then one aggregator who reads the last layer and answers."""

    cost = "n x layers + 1 calls per query; the first layer is the shared first answers"
    fidelity = (
        "layer 1 is the untouched task; every later call sees all answers of the layer before, its own among them, numbered",
        "references stand in a system message before the untouched task (behind the task's own system text, if any)",
        "order of references is pool order in every layer; a proposer that failed or said nothing is left out",
        "all failed: the aggregator answers alone, on record as `dropped`",
        "layers counts proposers: paper 2 (three with the aggregator), moco 1 (what the original's release runs by default)",
        "deviates: references are quoted as data and cut evenly where they do not fit; a task's system text stays before them",
        "mixture=self is the control of arXiv 2502.00674: all proposers are draws of the best dev member",
        "tests: tests/methods/test_mixture_of_agents.py",
    )
    presets = {"paper": {"layers": 2}, "moco": {"layers": 1}}

    layers: Annotated[int, Field(ge=1)] = 2
    """Layers of proposers before the aggregator."""
    aggregator: str | None = None
    """Name of the aggregating member; None takes the role `aggregator`, else the best on dev."""
    proposers: list[str] | None = None
    """Names of the proposing members; None takes all."""
    mixture: Literal["members", "self"] = "members"
    """Proposers are the members, or as many draws of the best of them."""
    place: Literal["system", "user"] = "system"
    """Where references stand; base models always read them in the user's turn."""
    temperature: Annotated[float, Field(ge=0)] | None = None
    """Temperature of the aggregator; None takes the request's."""
    deadline: Annotated[float, Field(gt=0)] | None = None
    """Seconds per layer after which a proposer that has not answered has failed."""
    quotes: Form = "auto"
    """How references are set off: a line each, fenced blocks, or lines where no text has a line break."""
    line: Annotated[str, LINE.option] = "{label} {text}"
    """One reference in the form of lines."""
    references: Annotated[str, REFERENCES.option] = REFERENCES.text
    """The system message: {answers}."""
    prompt: Annotated[str, COMBINE.option] = COMBINE.text
    """The user message of place=user: {answers} and {task}."""

    ranking_: Ranking | None = None

    def check(self, pool: Pool) -> None:
        super().check(pool)
        for name in [*(self.proposers or []), *([self.aggregator] if self.aggregator else [])]:
            pool[name]
        if self.proposers == []:
            raise PoolError("nobody proposes", where="mixture_of_agents.proposers", remedy="name at least one member")

    async def fit(self, pool: Pool, dev: Examples, run: Run) -> None:
        self.ranking_ = await rank_on_dev(pool, dev, run)

    async def answer(self, query: Query, pool: Pool) -> Answer:
        speakers, aggregator = self.speakers(pool), self.writer(pool)
        references: list[Draft] = []
        dropped, trims, asked = list[str](), list[dict[str, Any]](), Asked()
        for layer in range(self.layers):
            turns = [self.turn(query, pool, who, references, draw) for who, draw in speakers]
            stage = "revise" if layer else "answer"
            said = await take_all(pool, asked.fresh(turns), stage=stage, round=layer, on_failure="drop", deadline=self.deadline)
            references = [d for d in said if d is not None]
            dropped += [f"{who}@{layer + 1}" for (who, _), d in zip(speakers, said, strict=True) if d is None]
            trims += [{"layer": layer + 1, **t.note} for t in turns if t.note]
        last = self.turn(query, pool, aggregator, references)
        final = await take(pool, last, stage="aggregate", round=self.layers, temperature=self.temperature)
        reason = {"aggregator": aggregator, "references": len(references), "dropped": dropped}
        return answer_of(final, reason={**reason, "trims": [*trims, *([last.note] if last.note else [])]})

    def turn(self, query: Query, pool: Pool, who: str, references: Sequence[Draft], draw: int = 0) -> Turn:
        """What ``who`` is asked: the task, with the references in view where there are any."""
        words = REFERENCES.but(self.references) if self.place == "system" else COMBINE.but(self.prompt)
        return reading(
            query,
            pool,
            who,
            references,
            words,
            place=self.place,
            numbering="place",
            label="{number}.",
            line=LINE.but(self.line),
            form=self.quotes,
            draw=draw,
        )

    def best(self, pool: Pool) -> str:
        return self.ranking_.best(pool) if self.ranking_ is not None else pool.names[0]

    def writer(self, pool: Pool) -> str:
        """Who aggregates: the option, the role, the best on dev."""
        if self.aggregator is not None:
            return self.aggregator
        cast = pool.plays("aggregator")
        return cast.name if cast is not None else self.best(pool)

    def speakers(self, pool: Pool) -> list[tuple[str, int]]:
        """Who proposes, with the number of the draw."""
        view = pool if self.proposers is None else pool.only([m for m in pool.names if m in self.proposers])
        if self.mixture == "self":
            return [(self.best(view), draw) for draw in range(len(view))]
        return [(name, 0) for name in view.names]
