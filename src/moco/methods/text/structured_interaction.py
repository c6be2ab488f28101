"""Structured interaction: agents on a graph update their answers from what their neighbours said (arXiv 2410.15686).

The round structure of NetSafe without its attackers (a pool entry with ``adversary:`` is one). On the complete graph it is
multiagent_refine with history=last, request by request.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field

from moco.collab.method import Method, register
from moco.collab.run import Example, Examples, Run
from moco.core.errors import ConfigError, PoolError, Transient
from moco.core.query import Query
from moco.core.types import Answer, Draft
from moco.discussion import Ranking, Tie, answer_of, rank_on_dev
from moco.discussion.aggregation import COMBINE, Ending
from moco.discussion.debate import UPDATE, UPDATE_LAST, VERIFY, VERIFY_LAST, Debate, History
from moco.discussion.gathering import Gathered, OnFailure, gather
from moco.discussion.quoting import Form
from moco.discussion.rankers import COMPARE, Manner
from moco.discussion.rounds import Asking, EarlyStop, Isolated, converse
from moco.discussion.topology import Graph, Shape, diameter, graph_of, hears
from moco.discussion.turns import take_all
from moco.discussion.views import GENESIS, RELCOM, RelCom
from moco.models.pool import Pool
from moco.models.transcript import Recorder


@register("structured_interaction", level="text", paper="arXiv:2410.15686", fit="optional")
class StructuredInteraction(Method):
    """Members sit on a graph and update their answers from those of their neighbours, round by round; then a vote."""

    cost = "n + m(rounds - 1) calls per query, m = agents that hear somebody; +1 with a summary, +u(u-1) judge; search: per graph"
    fidelity = (
        "chain, ring, tree, complete and star are the original's graphs; star is a hub and a ring through the others (a wheel)",
        "an update shows the agent's own last view and those of its neighbours, ascending; updates are synchronous",
        "format=relcom: reason, answer and memory, the memory private (the original's); plain: texts as they are",
        "preset paper: relcom, 10 rounds, isolated agents asked again, temperature 0 to be set in the study's sampling",
        "reports every agent's answer of every round (`rounds`), as the original does; the single output is ours",
        "deviates: no loops (the original's star has one at n=2, its ring at n=1; its star fails at n=1): a star of 1 is 1 node",
        "deviates: `topology` defaults to ring, so that the method runs as it stands; it is the treatment, so name it",
        "deviates: a reply whose tags cannot be read is read by the task's rules, not counted as the answer None",
        "deviates: a neighbour keeps its number for every reader and in every round",
        "left out: the options of attackers; give pool entries `adversary:` (efficiency and exposure are in discussion.topology)",
        "tests: tests/methods/test_structured_interaction.py, tests/discussion/test_topology.py, tests/discussion/test_views.py",
    )
    presets = {
        "paper": {"format": "relcom", "rounds": 10, "isolated": "reask", "tie": "order"},
        "moco": {"aggregate": "agent"},
    }

    topology: Shape = "ring"
    """The graph: who hears whom."""
    matrix: list[list[int]] = []
    """topology=matrix: row i, column j is 1 where node j hears node i; the diagonal is 0."""
    layers: list[int] = []
    """topology=layers: sizes of the layers, the first to speak first."""
    share: Annotated[float, Field(ge=0, le=1)] = 0.5
    """topology=random: chance of an edge between two nodes."""
    graph_seed: Annotated[int, Field(ge=0)] = 0
    """topology=random: which graph is drawn."""
    order: Literal["pool", "dev_desc"] | list[str] = "pool"
    """Who sits at node 0, 1, ...: pool order, best on dev first, or names."""
    search: list[Shape] = []
    """Graphs of which fit takes the best on dev, instead of `topology`."""
    rounds: Annotated[int, Field(ge=1)] = 3
    """Rounds of answers, the first included; what is said travels one edge a round."""
    history: History = "last"
    """Show the last round in one message, or the whole exchange as a chat."""
    format: Literal["plain", "relcom"] = "plain"
    """Answers as they are, or views with reason, answer and memory (which share no first answers)."""
    isolated: Isolated = "keep"
    """What an agent does that hears nobody: its answer stands, or it is asked again."""
    early_stop: EarlyStop = "none"
    """End when all agents agree, or when no answer changed in the last round."""
    aggregate: Literal["auto", "vote", "summarize", "agent", "judge", "hub"] = "auto"
    """As in multiagent_refine, or the answer of the node that hears most; auto: vote, for free text the best dev agent."""
    tie: Tie = "dev"
    """Who wins a tied vote."""
    quotes: Form = "auto"
    """How the others' texts are set off: a line each, fenced blocks, or lines where no text has a line break."""
    on_failure: OnFailure = "fail"
    """Whether a member's failure fails the question, or it is left out (later: its last answer stands)."""
    at_least: Annotated[int, Field(ge=1)] = 1
    """Least number of first answers to go on with."""
    deadline: Annotated[float, Field(gt=0)] | None = None
    """Seconds per round after which a member that has not answered has failed."""
    update: Annotated[str, UPDATE.option] = UPDATE.text
    """The turn that shows {peers} in a chat."""
    update_last: Annotated[str, UPDATE_LAST.option] = UPDATE_LAST.text
    """The message of history=last: {peers} and {own}, or {all} answers in pool order, and {task}."""
    verify: Annotated[str, VERIFY.option] = VERIFY.text
    """The turn of a chat where nobody said anything."""
    verify_last: Annotated[str, VERIFY_LAST.option] = VERIFY_LAST.text
    """The message of history=last where nobody said anything: {own} and {task}."""
    genesis: Annotated[str, GENESIS.option] = GENESIS.text
    """The first message of format=relcom: {task}."""
    relcom: Annotated[str, RELCOM.option] = RELCOM.text
    """The later messages of format=relcom: {own} view, {memory}, {peers} and {task}."""
    summary: Annotated[str, COMBINE.option] = COMBINE.text
    """The prompt of the summary: {answers} to {task}."""
    compare: Annotated[str, COMPARE.option] = COMPARE.text
    """The prompt of the judge: two {answers} to {question}, one of which it calls {first} or {second}."""

    ranking_: Ranking | None = None
    chosen_: str | None = None
    found_: dict[str, float] = {}
    """Mean dev score of every graph that was searched."""

    def check(self, pool: Pool) -> None:
        super().check(pool)
        for shape in (self.topology, *self.search):
            self.graph(shape, len(pool))
        if isinstance(self.order, list) and sorted(self.order) != sorted(pool.names):
            remedy = "name every member once: " + ", ".join(pool.names)
            raise PoolError("order does not name the members", where="structured_interaction.order", remedy=remedy)

    async def fit(self, pool: Pool, dev: Examples, run: Run) -> None:
        self.ranking_ = await rank_on_dev(pool, dev, run)

        async def score(job: tuple[Shape, Example]) -> float:
            shape, example = job
            answer = await self.over(shape, example.query, pool.bind(example.query, Recorder()))
            return await example.score(answer.text)

        scores = await run.map(score, [(shape, e) for shape in self.search for e in dev], "search the graph")
        for number, shape in enumerate(self.search):
            own = scores[number * len(dev) : (number + 1) * len(dev)]
            self.found_ = {**self.found_, shape: round(sum(own) / max(len(own), 1), 9)}
        self.chosen_ = max(self.search, key=lambda s: self.found_[s], default=None)

    async def answer(self, query: Query, pool: Pool) -> Answer:
        return await self.over(self.chosen_ or self.topology, query, pool)  # type: ignore[arg-type]

    async def over(self, shape: Shape, query: Query, pool: Pool) -> Answer:
        """The answer with the members on the graph ``shape``."""
        order, asking = self.seats(pool), self.asking()
        graph = self.graph(shape, len(pool))
        came = await self.first(query, pool, asking)
        agents = came.drafts
        node = [order.index(d.member) for d in agents]
        heard = [[j for j in range(len(agents)) if graph[node[j]][node[me]]] for me in range(len(agents))]
        limits: dict[str, Any] = {"on_failure": self.on_failure, "deadline": self.deadline}
        rules: dict[str, Any] = {"isolated": self.isolated, "early_stop": self.early_stop}
        talk = await converse(query, pool, agents, heard, asking, self.rounds, **rules, **limits)
        talk.rounds = [[asking.read(query, d) for d in drafts] for drafts in talk.rounds]
        decided = await self.decide(query, pool, talk.rounds[-1], [(len(hears(graph, i)), -i) for i in node], len(talk.rounds))
        about = {"topology": shape, "order": order, "hops": self.rounds - 1, "diameter": diameter(graph)}
        return replace(decided, reason={**decided.reason, **talk.record, **about, **came.record})

    async def first(self, query: Query, pool: Pool, asking: Asking) -> Gathered:
        """Everybody's first answer; with plain texts the shared one."""
        limits: dict[str, Any] = {"on_failure": self.on_failure, "deadline": self.deadline}
        if not isinstance(asking, RelCom):
            return await gather(query, pool, at_least=self.at_least, **limits)
        came = await take_all(pool, [asking.first(query, name) for name in pool.names], stage="answer", **limits)
        drafts = [d for d in came if d is not None]
        if len(drafts) < self.at_least:
            raise Transient(
                f"{len(drafts)} first answers came, {self.at_least} are needed", remedy="run again, or lower at_least"
            )
        return Gathered(drafts, tuple(n for n, d in zip(pool.names, came, strict=True) if d is None))

    async def decide(self, query: Query, pool: Pool, drafts: list[Draft], central: list[tuple[int, int]], round: int) -> Answer:
        """The answer of the whole, from the last round; ``central`` is by agent how many it hears, then how early it sits."""
        if self.aggregate == "hub":
            hub = drafts[max(range(len(drafts)), key=lambda a: central[a])]
            return answer_of(hub, reason={"rule": "hub"})
        limits: dict[str, Any] = {"on_failure": self.on_failure, "deadline": self.deadline, "form": self.quotes}
        judge = Manner(COMPARE.but(self.compare))
        rule = Ending(self.aggregate, self.tie, summary=COMBINE.but(self.summary), compare=judge, free="agent", **limits)
        return await rule.answer(query, pool, drafts, self.ranking_, round)

    def asking(self) -> Asking:
        """How agents are asked again."""
        if self.format == "relcom":
            return RelCom(self.quotes, GENESIS.but(self.genesis), RELCOM.but(self.relcom))
        words = (UPDATE.but(self.update), UPDATE_LAST.but(self.update_last))
        checks = (VERIFY.but(self.verify), VERIFY_LAST.but(self.verify_last))
        return Debate(self.history, True, "neutral", self.quotes, *words, *checks)

    def graph(self, shape: Shape, n: int) -> Graph:
        """The graph over ``n`` members; raises ConfigError for a matrix or layers that do not fit them."""
        try:
            return graph_of(shape, n, matrix=self.matrix, sizes=self.layers, share=self.share, seed=self.graph_seed)
        except ConfigError as error:
            raise ConfigError(error.what, where=f"structured_interaction.{error.where}", remedy=error.remedy) from error

    def seats(self, pool: Pool) -> list[str]:
        """Names by node."""
        if isinstance(self.order, list):
            return self.order
        if self.order == "dev_desc" and self.ranking_ is not None:
            return sorted(pool.names, key=self.ranking_.place)
        return pool.names
