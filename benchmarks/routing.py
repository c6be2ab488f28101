"""What a fitted router adds to a new question, head by head, and how long 10,000 routed questions take on cached answers.

The members are scripted and answer at once, so what is measured is routing and the store. One thread. Prints for every router
the median and the 95th percentile of the time from question to decision (embedding, scores, rule) over new questions after a fit
on 1,000 dev questions of five members; then the seconds that 10,000 questions take end to end with the answers on disk; last,
how long the joint search of a cascade takes on 500 dev questions of more and more members.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import moco
from moco.collab import Fitted, bounded, fit, load_method, request_for
from moco.core.query import Query
from moco.core.types import Completion, Request, Usage
from moco.models.store import Store
from moco.models.transcript import Recorder
from moco.routers import Aim, search_chain
from moco.tasks import Prompt, Record, Task
from moco.testing import ScriptedModel

MEMBERS = ("rivers", "sums", "lists", "colours", "everything")
SHAPES = (
    "Name the river of the town {w}{n}.",
    "What is {n} plus {m} altogether?",
    "Sort the list {w}{n} {v}{m} {w}{m}.",
    "Which colour has the bird {w}{n} of {v}?",
)
ROUTERS = {
    **{head: ("trained_router", {"head": head}) for head in ("knn", "logistic", "mf", "sw", "mlp", "elo")},
    "graph": ("graph_routing", {"epochs": 20, "model_features": "onehot", "estimate": False}),
}


def question(i: int) -> str:
    random = np.random.default_rng(i)
    words = ["Za", "Ku", "Su", "Vo", "Ra", "To", "Pe", "Do"]
    return SHAPES[i % 4].format(w=random.choice(words), v=random.choice(words), n=random.integers(1000), m=random.integers(1000))


def says(skill: int) -> ScriptedModel:
    def reply(r: Request) -> Completion:
        text = r.messages[-1].content
        kind = next(i for i, start in enumerate(("Name", "What", "Sort", "Which")) if text.startswith(start))
        right = skill in (kind, 4) and hash_of(text) % 10 > skill
        return Completion(f"The answer is {1 if right else 0}.", usage=Usage(12, 6, 1))

    return ScriptedModel(MEMBERS[skill], reply)


def hash_of(text: str) -> int:
    return sum(text.encode())


def task_of(dev: int, test: int) -> Task:
    records = [
        Record.model_validate(
            {"id": f"q{i}", "question": question(i), "answer": "1", "kind": "numeric", "split": "dev" if i < dev else "test"}
        )
        for i in range(dev + test)
    ]
    return Task("benchmark", records[:dev], records[dev:], "numeric", Prompt("{question}"))


def pool_of(store: Store) -> moco.Pool:
    return moco.Pool([{"model": says(i), "name": name, "cost": 1 + i} for i, name in enumerate(MEMBERS)], store=store)


async def decided(done: Fitted, asked: list[Request]) -> list[float]:
    """Seconds from question to decision: an answer through the method, less the member's own."""
    out = []
    for request in asked:
        query = Query.of(request)
        bound = done.pool.bind(query, Recorder())
        begun = time.perf_counter()
        answer = await done.method.answer(query, bound)
        whole = time.perf_counter() - begun
        begun = time.perf_counter()
        await done.pool.bind(query, Recorder()).ask(str(answer.source), query)  # from the store now
        out.append(max(0.0, whole - (time.perf_counter() - begun)))
    return out


def searched() -> None:
    """Seconds of the joint search for one chain, without and with a budget, on made-up outcomes of 500 questions."""
    for members, depth in ((5, 3), (8, 3), (10, 3), (8, 5), (10, 5)):
        random = np.random.default_rng(0)
        able = random.uniform(0.35, 0.85, members)
        skill = 2 * able[:, None] - 1 - 0.5 * random.normal(size=500) + 0.6 * random.normal(size=(members, 500))
        scores, confidences = (skill > 0).astype(float), skill + 0.7 * random.normal(size=skill.shape)
        costs = 4.0 ** (4 * able)[:, None] * random.uniform(0.7, 1.3, skill.shape)
        seconds = []
        for aim in (Aim(), Aim(0.3 * float(costs.mean(axis=1).max()))):
            begun = time.perf_counter()
            search_chain(scores, costs, confidences, aim, depth)
            seconds.append(time.perf_counter() - begun)
        sys.stdout.write(f"search among {members} members, depth {depth}: {seconds[0]:.2f} s, {seconds[1]:.2f} s with a budget\n")


def main() -> None:
    sampling = moco.Sampling(max_tokens=32, temperature=0)
    task = task_of(1000, 10_000)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store.sqlite")
        pool = pool_of(store)
        asked = [request_for(task, r, sampling) for r in task.test]

        async def fill() -> None:
            await bounded(lambda job: job[0].model.generate(job[1]), [(m, r) for m in pool for r in asked], lambda done: None)

        asyncio.run(fill())
        store.flush()
        sys.stdout.write(f"{len(task.dev)} dev questions, {len(MEMBERS)} members; time from question to decision\n")
        kept = None
        for name, (method, options) in ROUTERS.items():
            begun = time.perf_counter()
            done = asyncio.run(fit(load_method(method, **options), pool, task, sampling=sampling))
            fitted = time.perf_counter() - begun
            seconds = asyncio.run(decided(done, asked[:300]))
            median, high = np.quantile(seconds, [0.5, 0.95]) * 1000
            sys.stdout.write(f"{name:9} median {median:.2f} ms, 95 % {high:.2f} ms (fit {fitted:.1f} s)\n")
            kept = kept or done
        assert kept is not None
        store = Store(Path(folder) / "store.sqlite")
        done = Fitted(kept.method, pool_of(store))
        team = done.as_model()
        begun = time.perf_counter()
        answers = asyncio.run(bounded(team.generate, asked, lambda count: None))
        store.flush()
        seconds = time.perf_counter() - begun
        generated = sum(m.model.model.counters.generated for m in done.pool)  # type: ignore[attr-defined]
        sys.stdout.write(f"{len(answers)} routed questions on cached answers: {seconds:.1f} s, {generated} answers generated\n")


if __name__ == "__main__":
    main()
    searched()
